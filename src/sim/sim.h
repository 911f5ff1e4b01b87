#pragma once
// `muster sim`: runs seeds, says what was drawn and what came of it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/state.h"

namespace muster::sim {

struct SimOptions {
  std::uint64_t seed = 1;        // The first.
  std::uint32_t seeds = 1;       // This many, one after the other.
  std::uint32_t minutes = 10;    // Of virtual time with faults, each; 1 to 10000.
  bool digests = false;          // Only one line per seed: "seed 7 digest 0123456789abcdef".
  bool verbose = false;          // What was drawn, for each seed.
  std::uint32_t people_max = 0;  // WorldOptions'; and the next.
  std::vector<std::string> without;
  bool shrink = false;  // A run that fails is made smaller, and what is left of it is shown.
  /// WorldOptions::through_bytes; with it, machines are lost.
  std::function<std::unique_ptr<core::State>(const core::State&)> through_bytes;
};

/// 0; or 1 if a law was broken: then standard error says which, the last events and effects, and
/// the command that repeats it. (A failed CHECK of the core ends the process after the same.)
int run_sim(const SimOptions& options);

}  // namespace muster::sim
