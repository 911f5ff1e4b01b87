#include "population/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace muster::population {

void Waits::add(const Waits& other) {
  assigned.add(other.assigned);
  latency.add(other.latency);
  players += other.players;
  gave_up += other.gave_up, expired += other.expired, failed += other.failed;
}

std::size_t band_of(const std::vector<std::int64_t>& bounds, std::int64_t rating) {
  return static_cast<std::size_t>(std::ranges::upper_bound(bounds, rating) - bounds.begin());
}

std::string band_name(const std::vector<std::int64_t>& bounds, std::size_t band) {
  if (bounds.empty()) return "all";
  if (band == 0) return fmt::format("below {}", bounds.front());
  if (band == bounds.size()) return fmt::format("{} and above", bounds.back());
  return fmt::format("{} to {}", bounds[band - 1], bounds[band] - 1);
}

std::size_t wait_band(std::int64_t wait_ms) {
  std::size_t band = 0;
  while (band < wait_bounds_s.size() && wait_ms > wait_bounds_s[band] * 1000) ++band;
  return band;
}

std::string wait_band_name(std::size_t band) {
  if (band == wait_bounds_s.size()) return fmt::format("over {} s", wait_bounds_s.back());
  return fmt::format("up to {} s", wait_bounds_s[band]);
}

}  // namespace muster::population
