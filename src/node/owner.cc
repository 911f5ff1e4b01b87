#include "node/owner.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "node/proc.h"

namespace muster::node {
namespace {

constexpr std::size_t processes_max = 1024;  // Of one server's descendants that are looked through.

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
  // An IPv4 connection may be seen as ::ffff:a.b.c.d at one end or the other; the kernel finds it
  // by its IPv4 addresses in either case.
  const auto peer = parse_ip(connection.peer_address);
  const auto local = parse_ip(connection.local_address);
  if (!peer || !local || peer->family != local->family)
    return std::unexpected(
        fmt::format("{} are not addresses of one connection", text_of(connection)));
  inet_diag_sockid id{};
  id.idiag_sport = htons(connection.peer_port);
  id.idiag_dport = htons(connection.local_port);
  std::memcpy(id.idiag_src, peer->bytes.data(), sizeof id.idiag_src);
  std::memcpy(id.idiag_dst, local->bytes.data(), sizeof id.idiag_dst);
  // An exact match is asked for, but where there is none the kernel answers with a listener.
  const auto found = diagnostics_.find(IPPROTO_TCP, peer->family, id);
  if (found ? found->id.idiag_dport != id.idiag_dport || found->id.idiag_sport != id.idiag_sport
            : found.error() == ENOENT)
    return std::unexpected(
        fmt::format("this machine has no connection from {}", text_of(connection)));
  if (!found)
    return std::unexpected(fmt::format("the kernel's socket diagnostics failed: {}",
                                       ::strerrordesc_np(found.error())));
  if (found->idiag_inode == 0)
    return std::unexpected(
        fmt::format("the connection from {} is being closed by its owner", text_of(connection)));
  return found->idiag_inode;
}

}  // namespace muster::node
