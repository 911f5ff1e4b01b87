// A day of players in virtual time. Beside it the floor: what no simulation of events can do
// without, taking the next one from a heap that has one for each player, as often as the core was
// stepped.
#include <benchmark/benchmark.h>

#include <ctime>

#include "population/schedule.h"
#include "population/simulation.h"

namespace muster::population {
namespace {

using std::chrono::seconds;

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

core::Config rules(std::uint32_t players) {
  core::Config config;
  core::FleetConfig fleet;
  fleet.name = "arena";
  fleet.command = {"arena"};
  fleet.ports = {7000, 7000};
  fleet.ready_min = 4;
  config.fleets.push_back(fleet);
  core::QueueConfig queue;
  queue.name = "ranked";
  queue.players = players;
  queue.teams = 2;
  queue.rating_distance = 100;
  if (players > 2) queue.team_rating_distance = 60;
  queue.widen = {{"rating_distance", seconds{15}, 250}, {"rating_distance", seconds{45}, 2000}};
  config.queues.push_back(queue);
  return config;
}

double floor_seconds(std::uint32_t players, std::uint64_t steps) {
  Prng prng(1);
  Schedule schedule;
  for (std::uint32_t i = 0; i < players; ++i)
    schedule.add(midnight + seconds{prng.below(1000)}, {Plan::What::press, i, 0});
  const double start = cpu_seconds();
  for (std::uint64_t i = 0; i < steps; ++i) {
    const Time at = schedule.next();
    schedule.add(at + seconds{prng.below(1000)}, schedule.take());
  }
  return cpu_seconds() - start;
}

/// range(0): players at the busiest hour; range(1): in a match.
void day_bench(benchmark::State& state) {
  const auto players = static_cast<std::uint32_t>(state.range(0));
  Population population;
  population.players = players;
  population.servers_max = 60'000;
  std::uint64_t steps = 0;
  double took = 0;
  for (auto _ : state) {
    const double start = cpu_seconds();
    const Report report = Simulation(rules(static_cast<std::uint32_t>(state.range(1))), population,
                                     {.title = "day", .seed = 1, .hours = 24})
                              .run();
    took = cpu_seconds() - start;
    steps = report.steps;
    benchmark::DoNotOptimize(report.digest);
  }
  const double floor = floor_seconds(players, steps);
  state.counters["steps"] = static_cast<double>(steps);
  state.counters["step_ns"] = took * 1e9 / static_cast<double>(steps);
  state.counters["floor_ns"] = floor * 1e9 / static_cast<double>(steps);
  state.counters["ratio"] = took / floor;
}
BENCHMARK(day_bench)
    ->ArgNames({"players", "match"})
    ->ArgsProduct({{1'000, 10'000, 100'000}, {2, 10}})
    ->Iterations(1)
    ->Unit(benchmark::kSecond);

}  // namespace
}  // namespace muster::population
