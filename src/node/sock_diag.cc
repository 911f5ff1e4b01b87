#include "node/sock_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace muster::node {

std::expected<SocketDiagnostics::Found, int> SocketDiagnostics::find(int family, int protocol,
                                                                     const End& source,
                                                                     const End& destination) {
  if (!netlink_) {
    netlink_.reset(
        ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
    if (!netlink_) return std::unexpected(errno);
  }
  struct {
    nlmsghdr header;
    inet_diag_req_v2 query;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.header.nlmsg_seq = ++sequence_;
  request.query.sdiag_family = static_cast<std::uint8_t>(family);
  request.query.sdiag_protocol = static_cast<std::uint8_t>(protocol);
  request.query.idiag_states = ~0u;
  request.query.id.idiag_sport = htons(source.port);
  request.query.id.idiag_dport = htons(destination.port);
  std::memcpy(request.query.id.idiag_src, source.address.data(), source.address.size());
  std::memcpy(request.query.id.idiag_dst, destination.address.data(), destination.address.size());
  request.query.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.query.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(netlink_.get(), &request, sizeof request, 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
    return std::unexpected(errno);

  alignas(nlmsghdr) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t n = ::recv(netlink_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::unexpected(errno);
    nlmsghdr answer;
    if (static_cast<std::size_t>(n) < sizeof answer) continue;
    std::memcpy(&answer, buffer.data(), sizeof answer);
    if (answer.nlmsg_seq != sequence_) continue;  // Left over from a query that failed half-way.
    if (answer.nlmsg_type == NLMSG_ERROR &&
        static_cast<std::size_t>(n) >= NLMSG_HDRLEN + sizeof(nlmsgerr)) {
      nlmsgerr failure;
      std::memcpy(&failure, buffer.data() + NLMSG_HDRLEN, sizeof failure);
      return std::unexpected(-failure.error);
    }
    if (answer.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        static_cast<std::size_t>(n) < NLMSG_HDRLEN + sizeof(inet_diag_msg))
      return std::unexpected(EPROTO);
    inet_diag_msg socket;
    std::memcpy(&socket, buffer.data() + NLMSG_HDRLEN, sizeof socket);
    return Found{socket.idiag_inode, ntohs(socket.id.idiag_sport), ntohs(socket.id.idiag_dport)};
  }
}

}  // namespace muster::node
