#pragma once
// The subcommands that run a process: serve, node.

namespace CLI {
class App;
}

namespace muster::cli {

void add_serve_command(CLI::App& app, int& exit_code);
void add_node_command(CLI::App& app, int& exit_code);

}  // namespace muster::cli
