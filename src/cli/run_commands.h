#pragma once
// The subcommands that run a process: serve, node, sim.

#include <memory>
#include <string>

#include "core/state.h"

namespace CLI {
class App;
}

namespace muster::cli {

void add_serve_command(CLI::App& app, int& exit_code);
void add_node_command(CLI::App& app, int& exit_code);
void add_sim_command(CLI::App& app, int& exit_code);

/// A state as the next life of a lobby would find it, saved to bytes and loaded from them. Nothing
/// if it cannot be loaded, which would be a bug.
std::unique_ptr<core::State> through_bytes(const core::State& state);

}  // namespace muster::cli
