#pragma once
// Snapshots: the core's state after some event, in one file, so that a start need not step through
// every event there ever was.

#include <sys/types.h>

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/state.h"
#include "store/journal_format.h"

namespace muster::store {

struct Snapshot {
  SnapshotHeader header;
  std::unique_ptr<core::State> state;
  std::string path;
};

/// Writes FOLDER/NUMBER.snapshot: under another name, synced, then renamed. So it is whole or it is
/// not there. The error names the file and why.
std::expected<void, std::string> write_snapshot(const std::string& folder,
                                                const SnapshotHeader& header,
                                                const core::State& state);

/// The error says why this build cannot go on from it.
std::expected<Snapshot, std::string> load_snapshot(const std::string& path);

/// The newest that can be loaded, of those whose last event is at most `number_max`; nothing if the
/// folder has none at all. `passed_over` gets a sentence for each newer one that could not.
std::expected<std::optional<Snapshot>, std::string> newest_snapshot(
    const std::string& folder, std::vector<std::string>& passed_over,
    std::uint64_t number_max = UINT64_MAX);

/// A snapshot being written by a forked process, while this one goes on: it has the state as it is
/// at this moment. Copying the page tables is all that this process waits for (about 1 ms for every
/// 200 MB it has). The child's exit is the caller's to wait for: code 0 if the snapshot is there,
/// else its standard error has said why.
struct SnapshotProcess {
  pid_t pid = 0;
  int pidfd = -1;  // Readable once it has ended; the caller's to close.
};
std::expected<SnapshotProcess, std::string> fork_snapshot(const std::string& folder,
                                                          const SnapshotHeader& header,
                                                          const core::State& state);

}  // namespace muster::store
