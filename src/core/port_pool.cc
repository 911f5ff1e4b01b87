#include "core/port_pool.h"

#include <algorithm>

#include "base/check.h"

namespace muster::core {

PortPool::PortPool(PortRange range) : range_(range) {
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
  if (!holds(port)) return false;
  if (std::erase(free_, port) > 0) return true;
  return std::erase_if(aside_, [&](const auto& entry) { return entry.second == port; }) > 0;
}

void PortPool::change_range(PortRange range, const std::set<std::uint16_t>& used,
                            const std::multimap<Time, std::uint16_t>& aside) {
  range_ = range;
  aside_.clear();
  std::set<std::uint16_t> known = used;
  for (const auto& [until, port] : aside)
    if (holds(port) && known.insert(port).second) aside_.emplace(until, port);
  std::erase_if(free_,
                [&](std::uint16_t port) { return !holds(port) || !known.insert(port).second; });
  if (range.first == 0) return;
  for (std::uint32_t next = range.first; next <= range.last; ++next)
    if (const auto port = static_cast<std::uint16_t>(next); known.insert(port).second)
      free_.push_back(port);
}

void PortPool::release(std::uint16_t port) {
  CHECK(holds(port), "a port goes back to its own fleet");
  free_.push_back(port);
}

void PortPool::set_aside(std::uint16_t port, Time until) { aside_.emplace(until, port); }

std::optional<Time> PortPool::next_return() const {
  if (aside_.empty()) return std::nullopt;
  return aside_.begin()->first;
}

}  // namespace muster::core
