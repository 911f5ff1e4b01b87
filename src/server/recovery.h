#pragma once
// From the journal on disk back to the core as it was.

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "core/core.h"
#include "store/codec.h"

namespace muster::server {

struct Recovered {
  core::Core core;
  std::uint64_t number = 0;  // Of the last event it has stepped through; 0: a new lobby.
  Time time{};               // Of that event.
  std::uint64_t events = 0;  // Stepped through after the snapshot.
  // Turns after which the state was compared with what it had been when they happened: those that a
  // build with MUSTER_CHECK_INVARIANTS wrote.
  std::uint64_t turns_compared = 0;
  /// For the operator: a torn tail that was cut, snapshots passed over, a gap.
  std::vector<std::string> notes;
};

/// Loads the newest whole snapshot of `folder` and steps through the events after it; their effects
/// have long left and are dropped. Cuts a torn tail. Without a journal: a core with `config`, which
/// else is only compared: the configuration the state goes on with is the one in it.
/// The error is for the operator, and means that nothing was changed.
std::expected<Recovered, std::string> recover(const std::string& folder,
                                              const core::Config& config);

/// Folds everything in it, to see whether two are the same.
std::uint64_t digest_of(const core::Config& config);

}  // namespace muster::server
