#pragma once
// What real players did, without saying who: written by `muster serve --record`, played again under
// other rules by `muster sim --replay`. JSON lines; docs/simulator.md has the format.

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/types.h"
#include "population/arrivals.h"

namespace muster::population {

/// A ticket from Match Start to its end.
struct RecordedTicket {
  enum class End : std::uint8_t {
    assigned,
    cancelled,
    expired,
    failed,
    away,  ///< Ended while its player was not connected.
  };
  std::int64_t at_ms = 0;  // Match Start, since the Unix epoch.
  std::string queue;
  std::uint32_t seats = 1;
  core::Rating rating = 0;                  // As it was then.
  std::vector<core::Attribute> attributes;  // Those that rules of its queue ask for; no others.
  // To regions, in tens of ms: nearer would say more of who it was. One that measured none has
  // none.
  std::vector<core::RegionLatency> latency{};
  std::int64_t wait_ms = 0;
  End end = End::assigned;
  bool operator==(const RecordedTicket&) const = default;
};

struct RecordedMatch {
  std::int64_t at_ms = 0;  // When its players were sent to it.
  std::string queue;
  std::uint32_t players = 0;
  std::int64_t length_ms = 0;
  bool operator==(const RecordedMatch&) const = default;
};

std::string_view to_string(RecordedTicket::End end);

/// The first line, and again after each restart of the lobby. All lines end with a newline.
std::string recording_line();
std::string to_line(const RecordedTicket& ticket);
std::string to_line(const RecordedMatch& match);

struct Recording {
  std::vector<RecordedTicket> tickets;                        // By time.
  std::map<std::string, std::vector<std::int64_t>> match_ms;  // By queue: how long matches lasted.
};

/// Takes a recording line by line.
class RecordingReader {
 public:
  static constexpr std::size_t tickets_max = 10'000'000;
  static constexpr std::size_t line_bytes_max = 64u << 10;

  /// Without its newline. An error is a sentence, to be read after the file's name and line.
  std::expected<void, std::string> read(std::string_view line);
  /// All that was read; or why it is no recording.
  std::expected<Recording, std::string> take();

 private:
  bool begun_ = false;
  Recording recording_;
};

/// What of a configuration a recording does not fit; empty if it does.
std::string misfit(const Recording& recording, const core::Config& config);

/// The recorded players as they came. Who got a match is as patient as the population says, but at
/// least as they were; who gave up is so again; the others wait for as long as they are let.
std::unique_ptr<Arrivals> replay(const Recording& recording, const core::Config& config,
                                 const Population& population, std::uint64_t seed);

/// The population's, without what is the recording's.
Population population_of_replay(Population population);
/// From the first ticket's hour to the last ticket's: 1 to replay_hours_max.
inline constexpr std::uint32_t replay_hours_max = 168;
std::uint32_t hours_of(const Recording& recording);

}  // namespace muster::population
