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

/// For which protocols a port is to be free.
struct PortUse {
  bool tcp = true, udp = true;
};

/// Looks for a socket that would be in the way, on the way of players who wait for the launch: a
/// fifth of what probe_port() costs. Does not see one that is bound to another address of this
/// machine alone, or bound for TCP without listening: a game server that ends early may have met
/// one, which probe_port() then tells. Single-threaded.
class PortLook {
 public:
  /// Tries itself out on sockets of its own: without the kernel's socket diagnostics, or the part
  /// of it that knows UDP, it is probe_port().
  PortLook();
  std::expected<void, PortError> look(std::uint16_t port, PortUse use = {});

 private:
  bool sees(Transport transport, std::uint16_t port);

  SockDiag diagnostics_;
  bool works_ = false;
};

/// Binds the port on every IPv4 address, for TCP as servers do it (SO_REUSEADDR: connections still
/// closing do not count, a listener does) and for UDP, and lets it go again. About 10 us.
std::expected<void, PortError> probe_port(std::uint16_t port, PortUse use = {});

}  // namespace muster::node
