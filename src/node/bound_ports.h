#pragma once
// Which ports a game server has bound, as the kernel says: nothing is connected to, so the server
// notices nothing.

#include <cstdint>
#include <optional>
#include <string>

#include "node/process_posix.h"
#include "node/sock_diag.h"

namespace muster::node {

/// The socket with which the process, or a descendant of it, listens (TCP) or is bound (UDP) to the
/// port; nothing if there is none. `everywhere` also finds one that is bound to neither loopback
/// nor every address, for which all sockets are looked through. 2 us until the port is bound, then
/// what verifying an owner costs (owner.h).
///
/// If the descriptors of the processes may not be read (another user's), the port's being bound
/// counts: it was free before the launch.
std::optional<BoundSocket> find_bound(SockDiag& diag, const Process& process, Transport transport,
                                      std::uint16_t port, bool everywhere);

/// For people, about a server that has not bound the port: "it listens on TCP 7777, not on TCP
/// 7003".
std::string describe_bound(SockDiag& diag, const Process& process, Transport transport,
                           std::uint16_t port);

}  // namespace muster::node
