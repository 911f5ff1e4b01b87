#include "node/owner.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "node/proc.h"

namespace muster::node {
namespace {

constexpr std::size_t processes_max = 1024;  // Of one server's descendants that are looked through.

// An IPv4 connection may be seen as ::ffff:a.b.c.d at one end or the other; the kernel finds it by
// its IPv4 addresses in either case.
struct Address {
  int family = AF_UNSPEC;
  std::array<std::uint8_t, 16> bytes{};
};

std::optional<Address> parse(const std::string& text) {
  Address address;
  if (::inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    address.family = AF_INET;
    return address;
  }
  if (::inet_pton(AF_INET6, text.c_str(), address.bytes.data()) != 1) return std::nullopt;
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(mapped.begin(), mapped.end(), address.bytes.begin())) {
    Address v4{AF_INET, {}};
    std::copy(address.bytes.begin() + 12, address.bytes.end(), v4.bytes.begin());
    return v4;
  }
  address.family = AF_INET6;
  return address;
}

std::string text_of(const ConnectionAddresses& c) {
  return fmt::format("{} port {} to {} port {}", c.peer_address, c.peer_port, c.local_address,
                     c.local_port);
}

bool is_descendant(pid_t pid, pid_t ancestor) {
  for (int depth = 0; depth < 64 && pid > 1; ++depth) {
    if (pid == ancestor) return true;
    pid = parent_of(pid);
  }
  return false;
}

}  // namespace

std::expected<void, std::string> OwnerFinder::verify(const ConnectionAddresses& connection,
                                                     const Process& process) {
  const auto inode = inode_of_peer(connection);
  if (!inode) return std::unexpected(inode.error());
  auto owned = owns(process, *inode);
  if (!owned)
    return std::unexpected(
        fmt::format("the connection from {}: {}", text_of(connection), owned.error()));
  return {};
}

std::expected<void, std::string> OwnerFinder::owns(const Process& process, std::uint64_t inode) {
  std::vector<pid_t> pids{process.pid};
  int unreadable = 0;
  pid_t unreadable_pid = 0;
  for (std::size_t i = 0; i < pids.size(); ++i) {
    const pid_t pid = pids[i];
    const auto found = has_socket(pid, inode);
    if (found && *found && is_descendant(pid, process.pid) && !exit_status(process)) return {};
    if (!found && found.error() != ENOENT && found.error() != ESRCH) {
      unreadable = found.error();
      unreadable_pid = pid;
    }
    for (const pid_t child : children_of(pid))
      if (pids.size() < processes_max) pids.push_back(child);
  }
  if (exit_status(process))
    return std::unexpected(fmt::format("the launched process {} has ended", process.pid));
  std::string detail = fmt::format(
      "it is socket {}, which neither the launched process {} nor a descendant of it ({} looked "
      "at) "
      "has open",
      inode, process.pid, pids.size() - 1);
  if (unreadable != 0)
    detail += fmt::format("; the descriptors of process {} may not be read: {}", unreadable_pid,
                          ::strerrordesc_np(unreadable));
  return std::unexpected(std::move(detail));
}

std::expected<std::uint64_t, std::string> OwnerFinder::inode_of_peer(
    const ConnectionAddresses& connection) {
  const auto peer = parse(connection.peer_address);
  const auto local = parse(connection.local_address);
  if (!peer || !local || peer->family != local->family)
    return std::unexpected(
        fmt::format("{} are not addresses of one connection", text_of(connection)));
  const auto refuse = [](int error) {
    return std::unexpected(
        fmt::format("the kernel's socket diagnostics failed: {}", ::strerrordesc_np(error)));
  };
  if (!netlink_) {
    netlink_.reset(
        ::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG));
    if (!netlink_) return refuse(errno);
  }

  struct {
    nlmsghdr header;
    inet_diag_req_v2 query;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.header.nlmsg_seq = ++sequence_;
  request.query.sdiag_family = static_cast<std::uint8_t>(peer->family);
  request.query.sdiag_protocol = IPPROTO_TCP;
  request.query.idiag_states = ~0u;
  request.query.id.idiag_sport = htons(connection.peer_port);  // The far end is the socket wanted.
  request.query.id.idiag_dport = htons(connection.local_port);
  std::memcpy(request.query.id.idiag_src, peer->bytes.data(), sizeof request.query.id.idiag_src);
  std::memcpy(request.query.id.idiag_dst, local->bytes.data(), sizeof request.query.id.idiag_dst);
  request.query.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  request.query.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(netlink_.get(), &request, sizeof request, 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) < 0)
    return refuse(errno);

  alignas(nlmsghdr) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t n = ::recv(netlink_.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refuse(errno);
    nlmsghdr answer;
    if (static_cast<std::size_t>(n) < sizeof answer) continue;
    std::memcpy(&answer, buffer.data(), sizeof answer);
    if (answer.nlmsg_seq != sequence_) continue;  // Left over from a query that failed half-way.
    if (answer.nlmsg_type == NLMSG_ERROR &&
        static_cast<std::size_t>(n) >= NLMSG_HDRLEN + sizeof(nlmsgerr)) {
      nlmsgerr failure;
      std::memcpy(&failure, buffer.data() + NLMSG_HDRLEN, sizeof failure);
      if (failure.error == -ENOENT)
        return std::unexpected(
            fmt::format("this machine has no connection from {}", text_of(connection)));
      return refuse(-failure.error);
    }
    if (answer.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        static_cast<std::size_t>(n) < NLMSG_HDRLEN + sizeof(inet_diag_msg))
      return refuse(EPROTO);
    inet_diag_msg socket;
    std::memcpy(&socket, buffer.data() + NLMSG_HDRLEN, sizeof socket);
    // An exact match is asked for, but where there is none the kernel answers with a listener.
    if (socket.id.idiag_dport != htons(connection.local_port) ||
        socket.id.idiag_sport != htons(connection.peer_port))
      return std::unexpected(
          fmt::format("this machine has no connection from {}", text_of(connection)));
    if (socket.idiag_inode == 0)
      return std::unexpected(
          fmt::format("the connection from {} is being closed by its owner", text_of(connection)));
    return socket.idiag_inode;
  }
}

}  // namespace muster::node
