#include "core/port_pool.h"

#include <algorithm>

namespace muster::core {

PortPool PortPool::of(const std::vector<std::uint16_t>& ports) {
  PortPool pool(PortRange{});
  pool.free_.assign(ports.begin(), ports.end());
  return pool;
}

bool PortPool::available(Time now) const {
  return !free_.empty() || (!aside_.empty() && aside_.begin()->first <= now);
}

PortPool::PortPool(PortRange range) {
  if (range.first == 0) return;
  for (std::uint32_t port = range.first; port <= range.last; ++port)
    free_.push_back(static_cast<std::uint16_t>(port));
}

std::optional<std::uint16_t> PortPool::acquire(Time now) {
  while (!aside_.empty() && aside_.begin()->first <= now) {
    free_.push_back(aside_.begin()->second);
    aside_.erase(aside_.begin());
  }
  if (free_.empty()) return std::nullopt;
  const std::uint16_t port = free_.front();
  free_.pop_front();
  return port;
}

bool PortPool::acquire_exactly(std::uint16_t port) {
  if (std::erase(free_, port) > 0) return true;
  return std::erase_if(aside_, [&](const auto& entry) { return entry.second == port; }) > 0;
}

void PortPool::release(std::uint16_t port) { free_.push_back(port); }

void PortPool::set_aside(std::uint16_t port, Time until) { aside_.emplace(until, port); }

std::optional<Time> PortPool::next_return() const {
  if (aside_.empty()) return std::nullopt;
  return aside_.begin()->first;
}

}  // namespace muster::core
