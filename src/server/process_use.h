#pragma once
// What a process uses, as the kernel counts it.

#include <cstdint>
#include <optional>

namespace muster::server {

struct ProcessUse {
  double cpu_seconds = 0;          // User and system, since its start; without its children's.
  std::uint64_t memory_bytes = 0;  // Resident.
};
/// None if there is no such process. About 10 us.
std::optional<ProcessUse> process_use(std::uint32_t pid);

}  // namespace muster::server
