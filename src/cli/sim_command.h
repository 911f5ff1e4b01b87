#pragma once
// `muster sim`: with a configuration, its rules under a population of players; without, the core
// under faults.

#include <memory>

#include "core/state.h"

namespace CLI {
class App;
}

namespace muster::cli {

void add_sim_command(CLI::App& app, int& exit_code);

/// A state as the next life of a lobby would find it, saved to bytes and loaded from them. Nothing
/// if it cannot be loaded, which would be a bug.
std::unique_ptr<core::State> through_bytes(const core::State& state);

}  // namespace muster::cli
