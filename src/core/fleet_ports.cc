#include "core/fleet_ports.h"

#include <algorithm>

namespace muster::core {
namespace {

bool at_offset(const PortConfig& port) { return port.ports.first == 0; }

}  // namespace

std::vector<std::uint16_t> port_offsets(const FleetConfig& config) {
  std::vector<std::uint16_t> offsets;
  for (const PortConfig& port : config.named_ports)
    if (at_offset(port)) offsets.push_back(port.offset);
  return offsets;
}

std::uint32_t servers_by_ports(const FleetConfig& config) {
  std::size_t servers = main_ports(config.ports, port_offsets(config)).size();
  for (const PortConfig& port : config.named_ports)
    if (!at_offset(port))
      servers = std::min<std::size_t>(servers, port.ports.last - port.ports.first + 1u);
  return static_cast<std::uint32_t>(servers);
}

std::vector<NamedPool> named_pools(const FleetConfig& config) {
  std::vector<NamedPool> pools;
  for (const PortConfig& port : config.named_ports)
    if (!at_offset(port)) pools.push_back({port.name, PortPool(port.ports)});
  return pools;
}

std::optional<ServerPorts> acquire_ports(const FleetConfig& config, PortPool& main,
                                         std::vector<NamedPool>& named, Time now) {
  if (!main.available(now)) return std::nullopt;
  for (const NamedPool& kind : named)
    if (!kind.pool.available(now)) return std::nullopt;
  ServerPorts ports{*main.acquire(now), {}};
  auto next = named.begin();
  for (const PortConfig& port : config.named_ports)
    ports.named.push_back({port.name, at_offset(port)
                                          ? static_cast<std::uint16_t>(ports.main + port.offset)
                                          : *(next++)->pool.acquire(now)});
  return ports;
}

std::optional<Time> ports_return(const PortPool& main, const std::vector<NamedPool>& named,
                                 Time now) {
  Time latest = now;
  bool all = true;
  const auto wait_for = [&](const PortPool& pool) {
    if (pool.available(now)) return;
    const auto returns = pool.next_return();
    all = all && returns.has_value();
    if (returns) latest = std::max(latest, *returns);
  };
  wait_for(main);
  for (const NamedPool& kind : named) wait_for(kind.pool);
  if (!all || latest == now) return std::nullopt;
  return latest;
}

}  // namespace muster::core
