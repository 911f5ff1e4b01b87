#pragma once
// From a run that fails to a small one that fails in the same way: fewer minutes, fewer people,
// fewer kinds of faults, of the same seed. What is left out is what the failure did not need.

#include <cstdint>
#include <optional>
#include <string>

#include "sim/world.h"

namespace muster::sim {

struct Shrunk {
  WorldOptions options;    // Of the smallest run found.
  std::string failure;     // The law it breaks, or "a failed check".
  std::uint32_t runs = 0;  // Tried on the way.
};

/// Nothing if the run does not fail. Each run is in a process of its own, so that one that ends in
/// a failed CHECK can be shrunk too. The calling process has to have one thread.
std::optional<Shrunk> shrink(std::uint64_t seed, const WorldOptions& options);

}  // namespace muster::sim
