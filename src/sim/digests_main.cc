// muster_sim_digests [FIRST [COUNT]]: a digest per seed, for comparing compilers and optimisation
// levels without building the rest.
#include <cstdlib>

#include "sim/sim.h"

int main(int argc, char** argv) {
  muster::sim::SimOptions options{.seed = 1, .seeds = 50, .digests = true};
  if (argc > 1) options.seed = std::strtoull(argv[1], nullptr, 10);
  if (argc > 2) options.seeds = static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10));
  return muster::sim::run_sim(options);
}
