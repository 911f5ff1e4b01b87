#include "sim/sim.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "sim/crash_note.h"
#include "sim/shrink.h"
#include "sim/world.h"

namespace muster::sim {

namespace {

/// Shows the smallest run that fails as this one does, if it does.
bool show_shrunk(std::uint64_t seed, const WorldOptions& options) {
  const auto shrunk = shrink(seed, options);
  if (!shrunk) return false;
  fmt::print(stderr, "after {} runs, the smallest that fails in the same way ({}): {}\n",
             shrunk->runs, shrunk->failure, command_of(seed, shrunk->options));
  std::fflush(stderr);
  World world{seed, shrunk->options};
  const CrashNote note{world};
  try {
    world.run();
  } catch (const LawBroken& broken) {
    fmt::print(stderr, "{}", broken.what());
  }
  return true;
}

}  // namespace

int run_sim(const SimOptions& options) {
  // The only clock: how long it took is said to people, and decides nothing.
  const auto start = std::chrono::steady_clock::now();
  Report total;
  for (std::uint64_t seed = options.seed; seed < options.seed + options.seeds; ++seed) {
    const WorldOptions of_world{.minutes = options.minutes,
                                .people_max = options.people_max,
                                .without = options.without,
                                .through_bytes = options.through_bytes,
                                .machines_lost = options.through_bytes != nullptr};
    if (options.shrink && show_shrunk(seed, of_world)) return 1;
    World world{seed, of_world};
    const CrashNote note{world};
    if (options.verbose) fmt::print("seed {}\n{}", seed, to_text(world.setting()));
    try {
      world.run();
    } catch (const LawBroken& broken) {
      std::fflush(stdout);
      fmt::print(stderr, "{}", broken.what());
      return 1;
    }
    if (options.digests) fmt::print("seed {} digest {:016x}\n", seed, world.digest());
    total.add(world.report());
  }
  if (!options.digests) fmt::print("{}", to_text(total, std::chrono::steady_clock::now() - start));
  return 0;
}

}  // namespace muster::sim
