#pragma once
// Writing the journal: every event that the core steps through, in order, appended before the
// effects of its turn leave. journal_reader.h reads it back, journal_format.h says what it is on
// disk.
//
// commit() is one write(2) a turn. That outlives the death of the process, which is what live
// matches need: if the machine dies, its game servers die too. What the machine's death may take is
// bounded by syncing behind, in a thread of the journal's own.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/config.h"  // Part of ConfigReloaded.
#include "core/event.h"
#include "store/journal_format.h"

namespace muster::store {

struct JournalOptions {
  std::string folder;  // Made (mode 0700) if it is missing.
  std::string build;
  std::uint64_t config_digest = 0;
  bool after_gap = false;  // Of the first segment: events before it are in no journal.
  std::uint64_t segment_bytes_max = 64u << 20;  // Then another segment is begun.
  /// From a commit to its fdatasync, at the longest. 0: each commit waits for its own.
  std::chrono::milliseconds sync_interval{1000};
};

/// One writer: a lobby's loop. Files are 0600: they hold the secrets of sessions.
class Journal {
 public:
  /// Begins a segment whose first event will be `first_number`. The error names the file and why.
  static std::expected<std::unique_ptr<Journal>, std::string> begin(JournalOptions options,
                                                                    std::uint64_t first_number,
                                                                    Time now);
  /// Waits for what was committed to be on the disk.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Adds an event to this turn's record. All events of a record have one time, and numbers that
  /// count on without a gap.
  void add(std::uint64_t number, Time time, const core::Event& event);

  /// Writes the record; nothing if no event was added. On an error (disk full, above all) nothing
  /// of this record is kept, no later one is written, and broken() says why: what follows could
  /// not be understood without it. Begin another journal after a snapshot. `digest` is that of the
  /// core after the turn, for whoever steps through it again; 0: not computed.
  std::expected<void, std::string> commit(std::uint64_t digest = 0);

  /// Begins another segment with the next event. Fails as commit() does. Not with events added but
  /// not committed.
  std::expected<void, std::string> roll(Time now);

  /// Whether a write has failed for good.
  bool broken() const { return !broken_.empty(); }
  const std::string& why_broken() const { return broken_; }

  std::uint64_t next_number() const { return next_number_; }
  /// Written since begin(), in all segments.
  std::uint64_t bytes_written() const { return bytes_written_; }
  /// Of the segment being written.
  const std::string& path() const { return path_; }

 private:
  explicit Journal(JournalOptions options);
  std::expected<void, std::string> open_segment(Time now);
  std::expected<void, std::string> write_all(std::string_view bytes);
  std::unexpected<std::string> fail(const std::string& what, int error);
  void written_through(std::uint64_t number);
  void sync_behind();
  bool sync_all(std::unique_lock<std::mutex>& lock);

  JournalOptions options_;
  std::string path_;
  int fd_ = -1;
  std::uint32_t salt_ = 0;
  std::uint64_t offset_ = 0;  // In the segment.
  std::uint64_t next_number_ = 0;
  std::uint64_t bytes_written_ = 0;
  std::string broken_;

  // This turn's.
  RecordHead head_;
  std::string events_;
  std::string record_;

  // Shared with the thread that syncs; under mutex_, but for synced_.
  struct Unsynced {
    int fd = -1;                // The thread's own.
    std::uint64_t through = 0;  // Number of the last event in it so far.
  };
  std::mutex mutex_;
  std::condition_variable wake_;
  bool leaving_ = false;
  bool dirty_ = false;              // Something was committed since the last sync began.
  std::vector<Unsynced> unsynced_;  // Segments, oldest first; the last one is being written.
  std::atomic<std::uint64_t> synced_{0};
  std::jthread syncer_;
};

/// Removes segments that are wholly in the snapshot `number`, and snapshots older than the newest
/// `keep`. Best effort: what cannot be removed stays.
void prune_journal(const std::string& folder, std::uint64_t number, std::size_t keep);

/// Makes a folder's new or removed names outlive the machine. False if it could not.
bool sync_folder(const std::string& folder);

}  // namespace muster::store
