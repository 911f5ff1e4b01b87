#include "sim/sim.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "sim/crash_note.h"
#include "sim/world.h"

namespace muster::sim {

int run_sim(const SimOptions& options) {
  // The only clock: how long it took is said to people, and decides nothing.
  const auto start = std::chrono::steady_clock::now();
  Report total;
  for (std::uint64_t seed = options.seed; seed < options.seed + options.seeds; ++seed) {
    World world{seed, {.minutes = options.minutes, .through_bytes = options.through_bytes}};
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
