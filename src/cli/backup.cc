#include "cli/backup.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "store/backup.h"

namespace muster::cli {

int run_backup(const std::string& data, const std::string& to, std::FILE* out, std::FILE* err) {
  const auto done = store::back_up(data, to);
  if (!done) {
    fmt::print(err, "muster backup: {}\n", done.error());
    return 1;
  }
  std::string what =
      done->event > 0 ? fmt::format("events up to {} ({} bytes)", done->event, done->journal_bytes)
                      : "no events";
  if (done->accounts_bytes > 0) what += fmt::format(", accounts ({} bytes)", done->accounts_bytes);
  fmt::print(out, "{} holds {}\n", to, what);
  return 0;
}

void add_backup_command(CLI::App& app, int& exit_code) {
  auto paths = std::make_shared<std::pair<std::string, std::string>>();
  CLI::App* command = app.add_subcommand(
      "backup", "Copy what a lobby's data folder must not lose; the lobby may be running");
  command->add_option("data", paths->first, "The lobby's data folder")
      ->required()
      ->type_name("DIR");
  command->add_option("to", paths->second, "The copy: a folder that is not there yet")
      ->required()
      ->type_name("DIR");
  command->callback(
      [paths, &exit_code] { exit_code = run_backup(paths->first, paths->second, stdout, stderr); });
}

}  // namespace muster::cli
