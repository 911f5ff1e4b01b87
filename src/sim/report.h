#pragma once
// What a run came to, in numbers.

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "sim/marks.h"

namespace muster::sim {

struct Report {
  std::uint64_t runs = 0;
  std::uint64_t steps = 0;
  Duration virtual_time{};
  // Tickets by their end.
  std::uint64_t tickets = 0, assigned = 0, cancelled = 0, expired = 0, failed = 0;
  std::uint64_t ended_away = 0;       // While nobody was there to be told.
  std::uint64_t lost_with_lobby = 0;  // The lobby was restarted without its journal.
  std::uint64_t matches = 0, launches = 0, launch_failures = 0, servers_lost = 0;
  std::vector<Duration> waits;  // Of assigned tickets, since they first waited.
  Marks marks;

  void add(const Report& other);
};

/// Some lines for people. `real` is what the runs took, for the rate of steps.
std::string to_text(const Report& report, Duration real);

}  // namespace muster::sim
