#pragma once
// Every port that the game servers of one fleet have: the main one and the named ones.

#include <cstdint>
#include <optional>
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

/// The main ports that a fleet can give: those of its range for which the ports at its offsets lie
/// in the range too and are given to no other. With offset 1 that is every second one.
std::vector<std::uint16_t> main_ports(const FleetConfig& config);

/// How many game servers the fleet has ports for.
std::uint32_t servers_by_ports(const FleetConfig& config);

/// Gives each game server its ports, all of them or none. A port is a game server's until it is
/// released or set aside.
class FleetPorts {
 public:
  explicit FleetPorts(const FleetConfig& config);

  /// Nothing if some kind of port is used up.
  std::optional<ServerPorts> acquire(Time now);

  /// Those of a game server found running after a restart. Nothing if the main one is in use or not
  /// of this fleet; otherwise the main one and those of the others that it can have here.
  std::optional<ServerPorts> acquire_exactly(const ServerPorts& ports);

  void release(const ServerPorts& ports);
  /// Releases them, but for the one that somebody else uses: that is not tried before `until`. 0 is
  /// the main one; so is one that is at an offset from it.
  void release(const ServerPorts& ports, std::uint16_t taken, Time until);
  /// None of them is tried before `until`.
  void set_aside(const ServerPorts& ports, Time until);

  /// After acquire() gave nothing: when a port of each kind that is used up comes back from being
  /// set aside; nothing if only the end of a game server brings one.
  std::optional<Time> next_return(Time now) const;

  /// The main ports: how many there are, and which are free or set aside.
  std::uint32_t count() const { return count_; }
  std::uint32_t free_count() const { return main_.free_count(); }
  const std::deque<std::uint16_t>& free() const { return main_.free(); }
  const std::multimap<Time, std::uint16_t>& aside() const { return main_.aside(); }

  /// A kind of named ports. Those at an offset have no pool of their own.
  struct Named {
    PortConfig config;
    PortPool pool;
  };
  const std::vector<Named>& named() const { return named_; }

 private:
  template <class IsTaken>
  void give_back(const ServerPorts& ports, Time until, IsTaken&& is_taken);

  std::uint32_t count_ = 0;
  PortPool main_;
  std::vector<Named> named_;  // In the order of FleetConfig::named_ports.
};

}  // namespace muster::core
