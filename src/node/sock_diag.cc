#include "node/sock_diag.h"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace muster::node {
namespace {

std::uint8_t protocol_of(Transport transport) {
  return transport == Transport::tcp ? IPPROTO_TCP : IPPROTO_UDP;
}

BoundSocket to_bound(Transport transport, const inet_diag_msg& socket) {
  BoundSocket bound{
      transport, {socket.idiag_family, {}}, ntohs(socket.id.idiag_sport), socket.idiag_inode};
  std::memcpy(bound.address.bytes.data(), socket.id.idiag_src,
              socket.idiag_family == AF_INET ? 4 : 16);
  return bound;
}

}  // namespace

const char* to_string(Transport transport) { return transport == Transport::tcp ? "TCP" : "UDP"; }

std::optional<IpAddress> parse_ip(const std::string& text) {
  IpAddress address;
  if (::inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    address.family = AF_INET;
    return address;
  }
  if (::inet_pton(AF_INET6, text.c_str(), address.bytes.data()) != 1) return std::nullopt;
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped.begin(), mapped.end(), address.bytes.begin())) {
    IpAddress v4{AF_INET, {}};
    std::copy(address.bytes.begin() + 12, address.bytes.end(), v4.bytes.begin());
    return v4;
  }
  address.family = AF_INET6;
  return address;
}

std::expected<inet_diag_msg, int> SockDiag::find(std::uint8_t protocol, int family,
                                                 const inet_diag_sockid& id) {
  if (const auto asked = ask(protocol, family, ~0u, id, false); !asked)
    return std::unexpected(asked.error());
  std::expected<inet_diag_msg, int> found = std::unexpected(ENOENT);
  const auto read = read_answers([&](const inet_diag_msg& socket) {
    found = socket;
    return false;
  });
  if (!read) return std::unexpected(read.error());
  return found;
}

std::expected<BoundSocket, int> SockDiag::bound_at(Transport transport, const IpAddress& address,
                                                   std::uint16_t port) {
  inet_diag_sockid id{};
  // For UDP the kernel takes the addresses the other way round.
  const bool tcp = transport == Transport::tcp;
  (tcp ? id.idiag_sport : id.idiag_dport) = htons(port);
  std::memcpy(tcp ? id.idiag_src : id.idiag_dst, address.bytes.data(), sizeof id.idiag_src);
  const auto found = find(protocol_of(transport), address.family, id);
  if (!found) return std::unexpected(found.error());
  if (found->id.idiag_sport != htons(port) || found->id.idiag_dport != 0)
    return std::unexpected(ENOENT);
  return to_bound(transport, *found);
}

std::expected<std::vector<BoundSocket>, int> SockDiag::all_bound(Transport transport) {
  std::vector<BoundSocket> all;
  const std::uint32_t states = transport == Transport::tcp ? 1u << TCP_LISTEN : 1u << TCP_CLOSE;
  for (const int family : {AF_INET, AF_INET6}) {
    if (const auto asked = ask(protocol_of(transport), family, states, {}, true); !asked)
      return std::unexpected(asked.error());
    const auto read = read_answers([&](const inet_diag_msg& socket) {
      if (socket.id.idiag_sport != 0) all.push_back(to_bound(transport, socket));
      return true;
    });
    // Without IPv6 in the kernel there is nobody to ask about it.
    if (!read && !(family == AF_INET6 && read.error() == ENOENT))
      return std::unexpected(read.error());
  }
  return all;
}

std::expected<void, int> SockDiag::ask(std::uint8_t protocol, int family, std::uint32_t states,
                                       const inet_diag_sockid& id, bool list) {
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
  request.header.nlmsg_flags = list ? NLM_F_REQUEST | NLM_F_DUMP : NLM_F_REQUEST;
  request.header.nlmsg_seq = ++sequence_;
  request.query.sdiag_family = static_cast<std::uint8_t>(family);
  request.query.sdiag_protocol = protocol;
  request.query.idiag_states = states;
  request.query.id = id;
  request.query.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.query.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(netlink_.get(), &request, sizeof request, 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
    return std::unexpected(errno);
  return {};
}

// Until on_socket says false, or the end of a list.
template <class F>
std::expected<void, int> SockDiag::read_answers(F&& on_socket) {
  alignas(nlmsghdr) std::array<char, 32768> buffer;
  for (;;) {
    const ssize_t n = ::recv(netlink_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int error = errno;
      netlink_.reset();  // What is left of a list must not be taken for the next one's.
      return std::unexpected(error);
    }
    const auto size = static_cast<std::size_t>(n);
    for (std::size_t at = 0; at + sizeof(nlmsghdr) <= size;) {
      nlmsghdr answer;
      std::memcpy(&answer, buffer.data() + at, sizeof answer);
      const std::size_t body = at + NLMSG_HDRLEN;
      if (answer.nlmsg_len < sizeof answer || at + answer.nlmsg_len > size)
        return std::unexpected(EPROTO);
      at += NLMSG_ALIGN(answer.nlmsg_len);
      if (answer.nlmsg_seq != sequence_) continue;  // Left over from a question that failed.
      if (answer.nlmsg_type == NLMSG_DONE) return {};
      if (answer.nlmsg_type == NLMSG_ERROR) {
        nlmsgerr failure;
        if (body + sizeof failure > size) return std::unexpected(EPROTO);
        std::memcpy(&failure, buffer.data() + body, sizeof failure);
        return std::unexpected(-failure.error);
      }
      inet_diag_msg socket;
      if (answer.nlmsg_type != SOCK_DIAG_BY_FAMILY || body + sizeof socket > size)
        return std::unexpected(EPROTO);
      std::memcpy(&socket, buffer.data() + body, sizeof socket);
      if (!on_socket(socket)) return {};
    }
  }
}

}  // namespace muster::node
