#include "core/fleet_ports.h"

#include <algorithm>

namespace muster::core {
namespace {

bool at_offset(const PortConfig& port) { return port.ports.first == 0; }

std::uint16_t above(std::uint16_t main, const PortConfig& port) {
  return static_cast<std::uint16_t>(main + port.offset);
}

}  // namespace

std::vector<std::uint16_t> main_ports(const FleetConfig& config) {
  std::vector<std::uint16_t> found;
  if (config.ports.first == 0 || config.ports.last < config.ports.first) return found;
  std::vector<bool> given(config.ports.last - config.ports.first + 1u);
  for (std::size_t at = 0; at < given.size(); ++at) {
    const auto all_of_it = [&](auto&& holds) {
      return holds(at) && std::all_of(config.named_ports.begin(), config.named_ports.end(),
                                      [&](const PortConfig& p) {
                                        return !at_offset(p) || holds(at + p.offset);
                                      });
    };
    if (!all_of_it([&](std::size_t i) { return i < given.size() && !given[i]; })) continue;
    all_of_it([&](std::size_t i) { return given[i] = true; });
    found.push_back(static_cast<std::uint16_t>(config.ports.first + at));
  }
  return found;
}

std::uint32_t servers_by_ports(const FleetConfig& config) {
  std::size_t servers = main_ports(config).size();
  for (const PortConfig& port : config.named_ports)
    if (!at_offset(port))
      servers = std::min<std::size_t>(servers, port.ports.last - port.ports.first + 1u);
  return static_cast<std::uint32_t>(servers);
}

FleetPorts::FleetPorts(const FleetConfig& config) : main_(PortPool::of(main_ports(config))) {
  count_ = main_.free_count();
  for (const PortConfig& port : config.named_ports) named_.push_back({port, PortPool(port.ports)});
}

std::optional<ServerPorts> FleetPorts::acquire(Time now) {
  if (!main_.available(now)) return std::nullopt;
  for (const Named& kind : named_)
    if (!at_offset(kind.config) && !kind.pool.available(now)) return std::nullopt;
  ServerPorts ports{*main_.acquire(now), {}};
  for (Named& kind : named_)
    ports.named.push_back({kind.config.name, at_offset(kind.config) ? above(ports.main, kind.config)
                                                                    : *kind.pool.acquire(now)});
  return ports;
}

std::optional<ServerPorts> FleetPorts::acquire_exactly(const ServerPorts& ports) {
  if (!main_.acquire_exactly(ports.main)) return std::nullopt;
  ServerPorts got{ports.main, {}};
  for (Named& kind : named_) {
    const auto wanted =
        std::find_if(ports.named.begin(), ports.named.end(),
                     [&](const NamedPort& port) { return port.name == kind.config.name; });
    if (wanted == ports.named.end()) continue;
    if (at_offset(kind.config) ? wanted->port == above(ports.main, kind.config)
                               : kind.pool.acquire_exactly(wanted->port))
      got.named.push_back(*wanted);
  }
  return got;
}

template <class IsTaken>
void FleetPorts::give_back(const ServerPorts& ports, Time until, IsTaken&& is_taken) {
  bool main_taken = is_taken(ports.main);
  for (const NamedPort& port : ports.named) {
    const auto kind = std::find_if(named_.begin(), named_.end(),
                                   [&](const Named& n) { return n.config.name == port.name; });
    if (at_offset(kind->config))
      main_taken = main_taken || is_taken(port.port);
    else if (is_taken(port.port))
      kind->pool.set_aside(port.port, until);
    else
      kind->pool.release(port.port);
  }
  if (main_taken)
    main_.set_aside(ports.main, until);
  else
    main_.release(ports.main);
}

void FleetPorts::release(const ServerPorts& ports) {
  give_back(ports, Time{}, [](std::uint16_t) { return false; });
}

void FleetPorts::release(const ServerPorts& ports, std::uint16_t taken, Time until) {
  const auto is_its_own = [&](const NamedPort& port) { return port.port == taken; };
  if (std::none_of(ports.named.begin(), ports.named.end(), is_its_own)) taken = ports.main;
  give_back(ports, until, [&](std::uint16_t port) { return port == taken; });
}

void FleetPorts::set_aside(const ServerPorts& ports, Time until) {
  give_back(ports, until, [](std::uint16_t) { return true; });
}

std::optional<Time> FleetPorts::next_return(Time now) const {
  Time latest = now;
  const auto wait_for = [&](const PortPool& pool) {
    if (pool.available(now)) return true;
    const auto returns = pool.next_return();
    if (returns) latest = std::max(latest, *returns);
    return returns.has_value();
  };
  bool all = wait_for(main_);
  for (const Named& kind : named_) all = (at_offset(kind.config) || wait_for(kind.pool)) && all;
  if (!all || latest == now) return std::nullopt;
  return latest;
}

}  // namespace muster::core
