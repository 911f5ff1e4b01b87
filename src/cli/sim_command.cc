#include "cli/sim_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "population/recording.h"
#include "population/report_show.h"
#include "population/simulation.h"
#include "server/config_file.h"
#include "server/population_file.h"
#include "sim/faults.h"
#include "sim/sim.h"
#include "store/state_codec.h"

namespace muster::cli {
namespace {

struct PopulationOptions {
  std::string config, compare, population, recording;
  std::uint32_t hours = 24;
  std::optional<std::uint32_t> players;
  std::uint64_t seed = 1;
  std::string json, html;
};

int fail(const std::string& text) {
  fmt::print(stderr, "muster: {}\n", text);
  return 1;
}

/// The rules that are tried: what is launched need not exist.
std::optional<core::Config> load_rules(const std::string& file) {
  server::Machine machine = server::this_machine();
  machine.look_for_programs = false;
  auto config = server::load_config(file, machine);
  if (!config) {
    for (const server::ConfigProblem& problem : config.error())
      fmt::print(stderr, "{}\n", server::to_string(problem));
    return std::nullopt;
  }
  return std::move(config->core);
}

bool write_file(const std::string& name, const std::string& text) {
  std::ofstream out(name, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (out) return true;
  fmt::print(stderr, "muster: {} cannot be written: {}\n", name, std::strerror(errno));
  return false;
}

std::optional<population::Population> load_players(const PopulationOptions& options,
                                                   const std::vector<core::Config>& rules) {
  population::Population population;
  if (!options.population.empty()) {
    auto loaded = server::load_population(options.population, rules);
    if (!loaded) {
      for (const server::ConfigProblem& problem : loaded.error())
        fmt::print(stderr, "{}\n", server::to_string(problem));
      return std::nullopt;
    }
    population = std::move(*loaded);
  }
  if (options.players) {
    population.players = *options.players;
    population.arrivals.reset();
  }
  return population;
}

/// What was recorded, if it can be played again under all of these rules.
std::optional<population::Recording> load_recording(const std::string& file,
                                                    const std::vector<std::string>& names,
                                                    const std::vector<core::Config>& rules) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    fail(fmt::format("{} cannot be read: {}", file, std::strerror(errno)));
    return std::nullopt;
  }
  population::RecordingReader reader;
  std::string line;
  for (std::uint64_t number = 1; std::getline(in, line); ++number)
    if (const auto read = reader.read(line); !read) {
      fmt::print(stderr, "{}:{}: {}\n", file, number, read.error());
      return std::nullopt;
    }
  auto recording = reader.take();
  if (!recording) {
    fmt::print(stderr, "{}: {}\n", file, recording.error());
    return std::nullopt;
  }
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (const std::string problem = population::misfit(*recording, rules[i]); !problem.empty()) {
      fmt::print(stderr, "{}: {}: {}\n", file, names[i], problem);
      return std::nullopt;
    }
  return std::move(*recording);
}

int run_population(const PopulationOptions& options) {
  std::vector<std::string> files{options.config};
  if (!options.compare.empty()) files.push_back(options.compare);
  std::vector<core::Config> rules;
  for (const std::string& file : files) {
    auto config = load_rules(file);
    if (!config) return 1;
    if (population::entrances(*config).empty())
      return fail(fmt::format("{} has no queue that players could choose", file));
    rules.push_back(std::move(*config));
  }
  auto population = load_players(options, rules);
  if (!population) return 1;
  std::optional<population::Recording> recording;
  std::uint32_t hours = options.hours;
  if (!options.recording.empty()) {
    recording = load_recording(options.recording, files, rules);
    if (!recording) return 1;
    population = population::population_of_replay(std::move(*population));
    hours = population::hours_of(*recording);
    if (hours == population::replay_hours_max)
      fmt::print(stderr, "{}: only its first {} hours are played\n", options.recording, hours);
  }

  // The only clock: how long it took is said to people, and decides nothing.
  const auto start = std::chrono::steady_clock::now();
  std::vector<population::Report> reports;
  std::uint64_t steps = 0;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    std::unique_ptr<population::Arrivals> arrivals;
    if (recording) arrivals = population::replay(*recording, rules[i], *population, options.seed);
    population::Simulation simulation(rules[i], *population,
                                      {.title = files[i], .seed = options.seed, .hours = hours},
                                      std::move(arrivals));
    reports.push_back(simulation.run());
    steps += reports.back().steps;
  }
  const auto took = std::chrono::steady_clock::now() - start;
  const auto shown = [&](auto show) {
    return reports.size() == 1 ? show(reports[0]) : show(reports[0], reports[1]);
  };
  fmt::print("{}", shown([](const auto&... r) { return population::to_text(r...); }));
  std::fflush(stdout);
  fmt::print(stderr, "{} steps of the core in {:.1f} s, {:.1f} s of it on a processor\n", steps,
             std::chrono::duration<double>(took).count(),
             static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
  const auto write = [&](const std::string& file, const auto& show) {
    return file.empty() || write_file(file, shown(show));
  };
  const bool written =
      write(options.json, [](const auto&... r) { return population::to_json(r...); }) &&
      write(options.html, [](const auto&... r) { return population::to_html(r...); });
  return written ? 0 : 1;
}

}  // namespace

std::unique_ptr<core::State> through_bytes(const core::State& state) {
  std::string bytes;
  store::encode_state(state, bytes);
  return store::decode_state(store::bytes_of(bytes));
}

void add_sim_command(CLI::App& app, int& exit_code) {
  auto faults = std::make_shared<sim::SimOptions>();
  faults->through_bytes = through_bytes;
  auto players = std::make_shared<PopulationOptions>();
  CLI::App* command = app.add_subcommand(
      "sim",
      "With a configuration: how long its players would wait, and for what matches. Without: the "
      "core under faults, for those who work on Muster");
  command->add_option("--seed", faults->seed, "The same seed, the same run")->capture_default_str();

  auto* config = command->add_option("config", players->config, "The rules, a configuration file")
                     ->type_name("FILE");
  const auto of_players = [&](CLI::Option* option) { option->needs(config); };
  auto* hours = command->add_option("--hours", players->hours, "Virtual hours that are counted")
                    ->capture_default_str()
                    ->check(CLI::Range(1, 168));
  auto* peak = command
                   ->add_option("--players", players->players,
                                "At the busiest hour: waiting, playing, or between two matches")
                   ->check(CLI::Range(1, 1'000'000));
  of_players(hours);
  of_players(peak);
  auto* replay = command
                     ->add_option("--replay", players->recording,
                                  "Real players again, as `muster serve --record` saw them")
                     ->type_name("FILE")
                     ->excludes(hours)
                     ->excludes(peak);
  of_players(replay);
  of_players(command
                 ->add_option("--population", players->population,
                              "Who plays: a population file (docs/simulator.md)")
                 ->type_name("FILE"));
  of_players(command
                 ->add_option("--compare", players->compare,
                              "Other rules for the same players: another configuration file")
                 ->type_name("FILE"));
  of_players(command->add_option("--html", players->html, "Write the report there, with plots")
                 ->type_name("FILE"));
  of_players(command->add_option("--json", players->json, "Write the report there, as JSON")
                 ->type_name("FILE"));

  const auto of_faults = [&](CLI::Option* option) { option->excludes(config); };
  of_faults(command->add_option("--seeds", faults->seeds, "How many, one after the other")
                ->capture_default_str()
                ->check(CLI::Range(1, 1'000'000)));
  of_faults(
      command->add_option("--minutes", faults->minutes, "Virtual minutes with faults, per seed")
          ->capture_default_str()
          ->check(CLI::Range(1, 10'000)));
  of_faults(command->add_flag("--digests", faults->digests, "Print one line per seed: its digest"));
  of_faults(command->add_flag("--verbose", faults->verbose, "Print what was drawn"));
  of_faults(command->add_option("--people", faults->people_max, "At most so many")
                ->check(CLI::Range(1, 100'000)));
  std::vector<std::string> kinds;
  for (const auto& named : sim::named_rates()) kinds.emplace_back(named.name);
  for (const auto& named : sim::named_intervals()) kinds.emplace_back(named.name);
  of_faults(command->add_option("--without", faults->without, "Faults that do not happen")
                ->delimiter(',')
                ->check(CLI::IsMember(kinds)));
  of_faults(command->add_flag("--shrink", faults->shrink,
                              "Of a run that fails: leave out minutes, people and faults, as long "
                              "as it fails in the same way"));
  command->callback([faults, players, &exit_code] {
    players->seed = faults->seed;
    exit_code = players->config.empty() ? sim::run_sim(*faults) : run_population(*players);
  });
}

}  // namespace muster::cli
