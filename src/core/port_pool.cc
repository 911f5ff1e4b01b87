#include "core/port_pool.h"

#include <algorithm>

#include "base/check.h"

namespace muster::core {

std::vector<std::uint16_t> main_ports(PortRange range, const std::vector<std::uint16_t>& offsets) {
  std::vector<std::uint16_t> found;
  if (range.first == 0 || range.last < range.first) return found;
  std::vector<bool> given(range.last - range.first + 1u);
  const auto may_be_given = [&](std::size_t at) { return at < given.size() && !given[at]; };
  for (std::size_t at = 0; at < given.size(); ++at) {
    const bool all = std::all_of(offsets.begin(), offsets.end(),
                                 [&](std::uint16_t offset) { return may_be_given(at + offset); });
    if (!all || !may_be_given(at)) continue;
    given[at] = true;
    for (const std::uint16_t offset : offsets) given[at + offset] = true;
    found.push_back(static_cast<std::uint16_t>(range.first + at));
  }
  return found;
}

PortPool::PortPool(PortRange range, std::vector<std::uint16_t> offsets)
    : offsets_(std::move(offsets)) {
  const std::vector<std::uint16_t> mains = main_ports(range, offsets_);
  define(mains);
  free_.assign(mains.begin(), mains.end());
}

void PortPool::define(const std::vector<std::uint16_t>& mains) {
  main_of_.clear();
  count_ = static_cast<std::uint32_t>(mains.size());
  for (const std::uint16_t main : mains) {
    main_of_[main] = main;
    for (const std::uint16_t offset : offsets_)
      main_of_[static_cast<std::uint16_t>(main + offset)] = main;
  }
}

std::vector<std::uint16_t> PortPool::mains() const {
  std::vector<std::uint16_t> mains;
  for (const auto& [port, main] : main_of_)
    if (port == main) mains.push_back(port);
  return mains;
}

bool PortPool::is_used(std::uint16_t main) const {
  return used_.contains(main) ||
         std::any_of(offsets_.begin(), offsets_.end(), [&](std::uint16_t offset) {
           return used_.contains(static_cast<std::uint16_t>(main + offset));
         });
}

bool PortPool::available(Time now) const {
  return !free_.empty() || (!aside_.empty() && aside_.begin()->first <= now);
}

std::optional<std::uint16_t> PortPool::acquire(Time now) {
  while (!aside_.empty() && aside_.begin()->first <= now) {
    free_.push_back(aside_.begin()->second);
    aside_.erase(aside_.begin());
  }
  if (free_.empty()) return std::nullopt;
  const std::uint16_t main = free_.front();
  free_.pop_front();
  used_.insert(main);
  for (const std::uint16_t offset : offsets_)
    used_.insert(static_cast<std::uint16_t>(main + offset));
  return main;
}

bool PortPool::acquire_exactly(std::uint16_t port) {
  if (!holds(port) || !used_.insert(port).second) return false;
  const std::uint16_t main = main_of_[port];
  std::erase(free_, main);
  std::erase_if(aside_, [&](const auto& entry) { return entry.second == main; });
  return true;
}

void PortPool::change_range(PortRange range, std::vector<std::uint16_t> offsets,
                            const std::set<std::uint16_t>& used,
                            const std::multimap<Time, std::uint16_t>& aside) {
  offsets_ = std::move(offsets);
  define(main_ports(range, offsets_));
  used_.clear(), aside_.clear(), aside_later_.clear();
  for (const std::uint16_t port : used)
    if (holds(port)) used_.insert(port);
  std::set<std::uint16_t> known;  // Mains that have their place.
  for (const auto& [port, main] : main_of_)
    if (port == main && is_used(main)) known.insert(main);
  for (const auto& [until, port] : aside) {
    const auto found = main_of_.find(port);
    if (found == main_of_.end()) continue;
    const std::uint16_t main = found->second;
    if (known.insert(main).second)
      aside_.emplace(until, main);
    else if (is_used(main))
      aside_later_[main] = until;
  }
  std::erase_if(free_, [&](std::uint16_t port) {
    const auto main = main_of_.find(port);
    return main == main_of_.end() || main->second != port || !known.insert(port).second;
  });
  for (const auto& [port, main] : main_of_)
    if (port == main && known.insert(main).second) free_.push_back(main);
}

void PortPool::release(std::uint16_t port) {
  CHECK(holds(port), "a port goes back to its own fleet");
  used_.erase(port);
  const std::uint16_t main = main_of_[port];
  if (is_used(main)) return;
  if (const auto later = aside_later_.find(main); later != aside_later_.end()) {
    aside_.emplace(later->second, main);
    aside_later_.erase(later);
  } else {
    free_.push_back(main);
  }
}

void PortPool::set_aside(std::uint16_t port, Time until) {
  if (const auto main = main_of_.find(port); main != main_of_.end()) {
    aside_later_[main->second] = until;
    release(port);
  }
}

std::optional<Time> PortPool::next_return() const {
  if (aside_.empty()) return std::nullopt;
  return aside_.begin()->first;
}

}  // namespace muster::core
