#pragma once
// The kernel's socket diagnostics: one question about one socket, by its addresses. A question
// costs a few microseconds and does not depend on how many sockets there are.

#include <array>
#include <cstdint>
#include <expected>

#include "node/unique_fd.h"

namespace muster::node {

class SocketDiagnostics {
 public:
  struct End {
    std::array<std::uint8_t, 16> address{};  // In network order; IPv4 in the first four. 0: any.
    std::uint16_t port = 0;
  };
  struct Found {
    std::uint64_t inode = 0;  // 0: being closed by its owner.
    std::uint16_t source_port = 0, destination_port = 0;
  };

  /// The socket whose own end is `source` and whose peer is `destination`, or where there is none
  /// the listener that connections from there to here would go to. For IPPROTO_UDP the two ends are
  /// the other way round: that is how the kernel has it. The error is errno; ENOENT: none.
  std::expected<Found, int> find(int family, int protocol, const End& source,
                                 const End& destination);

 private:
  UniqueFd netlink_;
  std::uint32_t sequence_ = 0;
};

}  // namespace muster::node
