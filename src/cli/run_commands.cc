#include "cli/run_commands.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "node/node.h"
#include "server/server.h"

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
  auto* record =
      command
          ->add_option("--record", options->record,
                       "Append what players do there, without names, for `muster sim --replay`")
          ->type_name("FILE");
  command
      ->add_option("--record-size", options->record_bytes_max,
                   "Stop recording when the file is that large: 500MiB")
      ->transform(CLI::AsSizeValue(false))
      ->needs(record)
      ->capture_default_str();
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

}  // namespace muster::cli
