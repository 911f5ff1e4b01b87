#include "cli/check.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/table.h"
#include "server/config_values.h"

namespace muster::cli {

using server::ConfigProblem;
using server::ServerConfig;

std::string summary(const ServerConfig& config) {
  const char* const classic[] = {"off", "from loopback", "from anywhere"};
  std::string out = fmt::format(
      "players connect to {}, classic packets {}\n"
      "they are told to reach game servers on this machine at {}\n"
      "admin API and metrics at http://{}\n"
      "data in {}\n",
      config.listen, classic[static_cast<std::size_t>(config.classic)], config.host, config.admin,
      config.data.string());
  if (!config.core.fleets.empty()) {
    std::vector<std::vector<std::string>> rows{
        {"FLEET", "PORTS", "SERVERS", "WARM", "SDK", "AFTER MATCH", "COMMAND"}};
    for (const core::FleetConfig& f : config.core.fleets)
      rows.push_back({f.name, server::format_ports(f.ports), std::to_string(f.servers_max),
                      std::to_string(f.ready_min), std::string(core::to_string(f.sdk)),
                      f.after_match == core::AfterMatch::reuse ? "reuse" : "exit",
                      fmt::format("{}", fmt::join(f.command, " "))});
    out += "\n" + format_table(rows);
  }
  if (!config.core.queues.empty()) {
    std::vector<std::vector<std::string>> rows{{"QUEUE", "FLEET", "PLAYERS", "TEAMS", "EXPIRES"}};
    for (const core::QueueConfig& q : config.core.queues)
      rows.push_back({q.name, config.core.fleets[q.fleet].name, std::to_string(q.players),
                      std::to_string(q.teams), server::format_duration(q.ticket_timeout)});
    out += "\n" + format_table(rows);
  }
  return out;
}

int run_check(const std::string& file, const server::Machine& machine, std::FILE* out) {
  const server::ConfigResult config = server::load_config(file, machine);
  const std::vector<ConfigProblem>& problems = config ? config->warnings : config.error();
  for (const ConfigProblem& problem : problems) fmt::print(out, "{}\n", server::to_string(problem));
  if (!config) {
    const auto errors = std::ranges::count(problems, false, &ConfigProblem::warning);
    fmt::print(out, "{} {} in {}\n", errors, errors == 1 ? "error" : "errors", file);
    return 1;
  }
  fmt::print(out, "ok\n\n{}", summary(*config));
  return 0;
}

void add_check_command(CLI::App& app, int& exit_code) {
  CLI::App* const command = app.add_subcommand(
      "check", "Say what a configuration amounts to, or all that is wrong with it");
  const auto file = std::make_shared<std::string>();
  command->add_option("FILE", *file, "The configuration (docs/configuration.md)")->required();
  command->callback(
      [file, &exit_code] { exit_code = run_check(*file, server::this_machine(), stdout); });
}

}  // namespace muster::cli
