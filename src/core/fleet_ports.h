#pragma once
// Every port that the game servers of one fleet have: the main one and the named ones.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/port_pool.h"
#include "core/types.h"

namespace muster::core {

/// The ports of one game server.
struct ServerPorts {
  std::uint16_t main = 0;
  NamedPorts named;  // In the order of FleetConfig::named_ports.
};

/// How far from the main port the fleet's named ports without a range of their own are.
std::vector<std::uint16_t> port_offsets(const FleetConfig& config);

/// How many game servers the fleet has ports for.
std::uint32_t servers_by_ports(const FleetConfig& config);

/// The named ports of a fleet that have a range of their own.
struct NamedPool {
  std::string name;
  PortPool pool;
};
std::vector<NamedPool> named_pools(const FleetConfig& config);

/// All ports of the next game server, or nothing if some kind of port is used up.
std::optional<ServerPorts> acquire_ports(const FleetConfig& config, PortPool& main,
                                         std::vector<NamedPool>& named, Time now);

/// After that gave nothing: when each kind that is used up has a port back from being set aside;
/// nothing if only the end of a game server brings one.
std::optional<Time> ports_return(const PortPool& main, const std::vector<NamedPool>& named,
                                 Time now);

}  // namespace muster::core
