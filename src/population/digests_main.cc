// muster_population_digests [FIRST [COUNT]]: a digest per seed, for comparing compilers and
// optimisation levels without building the rest.
#include <fmt/format.h>

#include <cstdlib>

#include "base/digest.h"
#include "population/report_show.h"
#include "population/simulation.h"

namespace {

using namespace muster;

/// Rules of another kind for each of three seeds in a row: none, ratings, teams with bots.
core::Config rules_for(std::uint64_t seed) {
  core::Config config;
  core::FleetConfig fleet;
  fleet.name = "arena";
  fleet.command = {"arena"};
  fleet.ports = {7000, 7099};
  fleet.servers_max = 100;
  config.fleets.push_back(fleet);
  core::QueueConfig queue;
  queue.name = "arena";
  queue.teams = 2;
  queue.requeue_on_server_lost = true;
  const auto widen = [&](const char* limit, int seconds, std::int64_t to) {
    core::WidenConfig& w = queue.widen.emplace_back();
    w.limit = limit, w.after = std::chrono::seconds{seconds}, w.to = to;
  };
  if (seed % 3 == 1) {
    queue.rating_distance = 50;
    widen("rating_distance", 10, 500);
  } else if (seed % 3 == 2) {
    queue.players = 8;
    queue.bots = true;
    queue.team_rating_distance = 100;
    widen("players_min", 20, 2);
  }
  config.queues.push_back(queue);
  return config;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t first = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  const std::uint64_t count = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 50;
  population::Population population;
  population.players = 150;
  population.party_sizes = {70, 20, 5, 5};
  population.crashes = population.launch_failures = 20'000;
  population.regions = {{.name = "eu", .utc_offset = 1}, {.name = "us", .utc_offset = -5}};
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    const population::Report report =
        population::Simulation(rules_for(seed), population,
                               {.title = "digest", .seed = seed, .hours = 3})
            .run();
    Digest digest;
    digest.add(report.digest);
    digest.add(population::to_json(report));
    digest.add(population::to_html(report));
    fmt::print("seed {} digest {:016x}\n", seed, digest.value());
  }
  return 0;
}
