#pragma once
// Reading a journal back: at start-up, for `muster replay` and `muster trace`.

#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>

#include "core/config.h"  // Part of ConfigReloaded.
#include "core/event.h"
#include "store/journal_format.h"

namespace muster::store {

/// A place in a journal where something is not as it was written, in words for the operator.
struct JournalDamage {
  std::string file;
  std::uint64_t offset = 0;
  std::string found;   // "a record whose checksum does not match"
  std::string advice;  // What can be done.
};
/// "data/journal/0…18.journal: offset 4711: a record whose checksum does not match. …"
std::string to_string(const JournalDamage& damage);

/// The end of a journal that was not wholly written when its lobby or machine died.
struct TornTail {
  std::string file;
  std::uint64_t offset = 0;  // From where on.
  std::uint64_t bytes = 0;   // So many, in this file and those after it.
};

struct JournalEnd {
  std::uint64_t number = 0;                             // Of the last event there is.
  Time time{};                                          // Of that event.
  std::uint64_t events = 0, records = 0, segments = 0;  // Read, after `after`.
  std::string build;                                    // That wrote the last segment.
  std::uint64_t config_digest = 0;                      // Of the last segment.
  /// Not 0: events before this one were never written and no snapshot that was read has them, so
  /// what follows them is of no use and was left out.
  std::uint64_t gap_before = 0;
  std::optional<TornTail> torn;
};

/// Called for each event in order; false ends the reading.
using OnEvent = std::function<bool(std::uint64_t number, Time time, core::Event&& event)>;

/// Called after the last event of a turn that was written with a digest of the core after it.
using OnTurn = std::function<void(std::uint64_t number, std::uint64_t digest)>;

/// Reads the events after number `after`, in order, without a gap. A torn tail is left out and
/// reported: something not whole after which no whole record claims that it had been synced.
/// Anything else that is not as it was written is damage, and so is a gap.
std::expected<JournalEnd, JournalDamage> read_journal(const std::string& folder,
                                                      std::uint64_t after, const OnEvent& on_event,
                                                      const OnTurn& on_turn = {});

/// Cuts a torn tail off, so that the next segment follows the last whole record. What is cut is
/// kept beside it as FILE.torn, for whoever wants to look.
std::expected<void, std::string> cut_torn_tail(const std::string& folder, const TornTail& torn);

}  // namespace muster::store
