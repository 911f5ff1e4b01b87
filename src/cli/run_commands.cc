#include "cli/run_commands.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "node/node.h"
#include "server/server.h"
#include "sim/sim.h"
#include "store/state_codec.h"

namespace muster::cli {

void add_serve_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<server::ServeOptions>();
  options->program = "/proc/self/exe";
  CLI::App* command = app.add_subcommand("serve", "Run a lobby, and the node beside it");
  command->add_option("config", options->config_file, "The configuration, a TOML file")
      ->required()
      ->type_name("FILE");
  command->add_flag("--quiet", options->quiet, "Say nothing but warnings and errors");
  command->add_flag("--takeover", options->takeover,
                    "Go on in the place of the lobby that runs on the same data folder");
  command->callback([options, &exit_code] { exit_code = server::run_serve(*options); });
}

void add_node_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<node::NodeOptions>();
  CLI::App* command = app.add_subcommand(
      "node", "Run a node by itself: the parent of game servers (`serve` starts one of its own)");
  command->add_option("--data", options->data, "The data folder it shares with the lobby")
      ->required()
      ->type_name("DIR");
  command->add_option("--name", options->name, "Of this machine; its host name by default");
  command->add_option("--host", options->host,
                      "What players connect to; by default the lobby says");
  command->add_option("--link-fd", options->link_fd, "An inherited socket to the lobby")->group("");
  command->add_option("--lock-fd", options->lock_fd, "The inherited, locked node.lock")->group("");
  command->callback([options, &exit_code] { exit_code = node::run_node(*options); });
}

std::unique_ptr<core::State> through_bytes(const core::State& state) {
  std::string bytes;
  store::encode_state(state, bytes);
  return store::decode_state(store::bytes_of(bytes));
}

void add_sim_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<sim::SimOptions>();
  options->through_bytes = through_bytes;
  CLI::App* command =
      app.add_subcommand("sim", "Simulate players, launches and failures over the real core");
  command->add_option("--seed", options->seed, "The first seed")->capture_default_str();
  command->add_option("--seeds", options->seeds, "How many, one after the other")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--minutes", options->minutes, "Virtual minutes with faults, per seed")
      ->capture_default_str()
      ->check(CLI::Range(1, 10'000));
  command->add_flag("--digests", options->digests, "Print one line per seed: its digest");
  command->add_flag("--verbose", options->verbose, "Print what was drawn");
  command->callback([options, &exit_code] { exit_code = sim::run_sim(*options); });
}

}  // namespace muster::cli
