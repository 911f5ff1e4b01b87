#include "node/owner.h"

#include <fmt/format.h>
#include <linux/inet_diag.h>

#include <cerrno>
#include <cstring>

#include "node/proc.h"

namespace muster::node {
namespace {

std::string text_of(const ConnectionAddresses& c) {
  return fmt::format("{} port {} to {} port {}", c.peer_address, c.peer_port, c.local_address,
                     c.local_port);
}

}  // namespace

std::expected<void, std::string> OwnerFinder::verify(const ConnectionAddresses& connection,
                                                     const Process& process) {
  const auto inode = inode_of_peer(connection);
  if (!inode) return std::unexpected(inode.error());

  int unreadable = 0;
  pid_t unreadable_pid = 0;
  std::size_t looked_at = 0;
  const bool owned = any_in_family(process.pid, [&](pid_t pid) {
    ++looked_at;
    const auto found = has_socket(pid, *inode);
    if (!found && found.error() != ENOENT && found.error() != ESRCH) {
      unreadable = found.error();
      unreadable_pid = pid;
    }
    return found && *found && is_descendant(pid, process.pid) && !exit_status(process);
  });
  if (owned) return {};
  if (exit_status(process))
    return std::unexpected(fmt::format("the launched process {} has ended", process.pid));
  std::string detail = fmt::format(
      "the connection from {} is socket {}, which neither the launched process {} nor a "
      "descendant of it ({} looked at) has open",
      text_of(connection), *inode, process.pid, looked_at - 1);
  if (unreadable != 0)
    detail += fmt::format("; the descriptors of process {} may not be read: {}", unreadable_pid,
                          ::strerrordesc_np(unreadable));
  return std::unexpected(std::move(detail));
}

std::expected<std::uint64_t, std::string> OwnerFinder::inode_of_peer(
    const ConnectionAddresses& connection) {
  const auto peer = parse_ip(connection.peer_address);
  const auto local = parse_ip(connection.local_address);
  if (!peer || !local || peer->family != local->family)
    return std::unexpected(
        fmt::format("{} are not addresses of one connection", text_of(connection)));
  inet_diag_sockid id{};
  id.idiag_sport = htons(connection.peer_port);  // The far end is the socket wanted.
  id.idiag_dport = htons(connection.local_port);
  std::memcpy(id.idiag_src, peer->bytes.data(), sizeof id.idiag_src);
  std::memcpy(id.idiag_dst, local->bytes.data(), sizeof id.idiag_dst);
  const auto socket = diag_.find(IPPROTO_TCP, peer->family, id);
  if (!socket && socket.error() != ENOENT)
    return std::unexpected(fmt::format("the kernel's socket diagnostics failed: {}",
                                       ::strerrordesc_np(socket.error())));
  // An exact match is asked for, but where there is none the kernel answers with a listener.
  if (!socket || socket->id.idiag_dport != id.idiag_dport ||
      socket->id.idiag_sport != id.idiag_sport)
    return std::unexpected(
        fmt::format("this machine has no connection from {}", text_of(connection)));
  if (socket->idiag_inode == 0)
    return std::unexpected(
        fmt::format("the connection from {} is being closed by its owner", text_of(connection)));
  return socket->idiag_inode;
}

}  // namespace muster::node
