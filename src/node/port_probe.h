#pragma once
// Is a port free for a game server that is about to be launched?

#include <cstdint>
#include <expected>
#include <string>

#include "node/sock_diag.h"

namespace muster::node {

struct PortError {
  bool limit_reached = false;  // Out of descriptors or memory: nothing is known about the port.
  std::string detail;          // For people.
};

/// Binds the port on every IPv4 address, for TCP as servers do it (SO_REUSEADDR: connections still
/// closing do not count, a listener does), and lets it go again. About 5 us.
std::expected<void, PortError> probe_port(std::uint16_t port, Transport transport);

}  // namespace muster::node
