// The muster program: each subcommand is a file of src/cli.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "cli/backup.h"
#include "cli/check.h"
#include "cli/ctl.h"
#include "cli/play.h"
#include "cli/replay.h"
#include "cli/run_commands.h"
#include "cli/sim_command.h"
#include "cli/trace.h"
#include "server/version.h"

int main(int argc, char** argv) try {
  CLI::App app{"Muster: a lobby, matchmaker and game-server launcher for session-based games"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(muster::version));
  int exit_code = 0;

  muster::cli::add_serve_command(app, exit_code);
  muster::cli::add_node_command(app, exit_code);
  muster::cli::add_play_command(app, exit_code);
  muster::cli::add_ctl_command(app, exit_code);
  muster::cli::add_check_command(app, exit_code);
  muster::cli::add_sim_command(app, exit_code);
  muster::cli::add_backup_command(app, exit_code);
  muster::cli::add_replay_command(app, exit_code);
  muster::cli::add_trace_command(app, exit_code);
  app.add_subcommand("version", "Say which version this is")->callback([] {
    std::printf("muster %s\n", std::string(muster::version).c_str());
  });

  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    const std::vector<std::string> unknown = app.remaining(/*recurse=*/true);
    if (unknown.empty()) return app.exit(error), 2;
    std::fprintf(stderr,
                 "muster: there is no command \"%s\"; muster --help, or muster ctl --help, "
                 "lists them\n",
                 unknown.front().c_str());
    return 2;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;  // --help is no error.
  }
  return exit_code;
} catch (const std::exception& error) {
  std::fprintf(stderr, "muster: %s\n", error.what());
  return 1;
}
