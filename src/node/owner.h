#pragma once
// Whose is the far end of a TCP connection on this machine? The kernel's answer, for classic game
// servers, whose packets carry no secret.
//
// sock_diag (a netlink socket) looks the connection up by its four addresses, which is one hash
// lookup however many sockets there are, and gives the far socket's inode. Then the descriptors of
// the launched process, and of its descendants, are looked through for that inode in
// /proc/<pid>/fd.
//
// Measured (owner_bench, CPU time on a 2-core virtual machine): 25 us for a process with ten
// descriptors, 60 us with a hundred, 0.42 ms with a thousand (0.4 us each, a readlink), 30 us for
// each descendant on the way. A descriptor that does not have to be looked at costs nothing: the
// search ends at the first hit.
//
// The connection must exist while this runs, and the process must not have been reaped: its pid is
// then nobody else's. A descendant found is checked again to be one, since its pid could be.

#include <netinet/in.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "node/process_posix.h"
#include "node/sock_diag.h"

namespace muster::node {

/// The far end first, as the lobby sees it.
struct ConnectionAddresses {
  std::string peer_address;  // "127.0.0.1", "::1", "::ffff:127.0.0.1"
  std::uint16_t peer_port = 0;
  std::string local_address;
  std::uint16_t local_port = 0;
};

/// Keeps one netlink socket open. Single-threaded. Never blocks: the kernel answers in the call.
class OwnerFinder {
 public:
  /// Nothing if the far end belongs to the process or a descendant of it; else what the kernel said
  /// instead, for people.
  std::expected<void, std::string> verify(const ConnectionAddresses& connection,
                                          const Process& process);

  /// The inode of the far end's socket: for owns(), where there are several processes to ask of.
  std::expected<std::uint64_t, std::string> inode_of_peer(const ConnectionAddresses& connection);
  /// Whether the process or a descendant of it has that socket open. If not, why, for people.
  static std::expected<void, std::string> owns(const Process& process, std::uint64_t inode);

 private:
  SockDiag diagnostics_;
};

}  // namespace muster::node
