#include "node/bound_ports.h"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <utility>
#include <vector>

#include "node/proc.h"

namespace muster::node {
namespace {

constexpr IpAddress loopback_v4{AF_INET, {127, 0, 0, 1}};
constexpr IpAddress loopback_v6{AF_INET6, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};
constexpr std::size_t ports_shown_max = 8;

bool is_its_own(const Process& process, std::uint32_t inode) {
  bool may_not_look = false;
  const bool found = any_in_family(process.pid, [&](pid_t pid) {
    const auto has = has_socket(pid, inode);
    may_not_look = may_not_look || (!has && (has.error() == EACCES || has.error() == EPERM));
    return has && *has;
  });
  return (found || may_not_look) && !exit_status(process);
}

}  // namespace

std::optional<BoundSocket> find_bound(SockDiag& diag, const Process& process, Transport transport,
                                      std::uint16_t port, bool everywhere) {
  std::uint32_t strangers = 0;
  for (const IpAddress& address : {loopback_v4, loopback_v6}) {
    const auto found = diag.bound_at(transport, address, port);
    if (!found || found->inode == strangers) continue;
    if (is_its_own(process, found->inode)) return *found;
    strangers = found->inode;
  }
  if (!everywhere) return std::nullopt;
  const auto all = diag.all_bound(transport);
  if (!all) return std::nullopt;
  for (const BoundSocket& socket : *all)
    if (socket.port == port && socket.inode != strangers && is_its_own(process, socket.inode))
      return socket;
  return std::nullopt;
}

std::string describe_bound(SockDiag& diag, const Process& process, Transport transport,
                           std::uint16_t port) {
  std::set<std::uint64_t> inodes;
  any_in_family(process.pid, [&](pid_t pid) {
    if (const auto sockets = sockets_of(pid)) inodes.insert(sockets->begin(), sockets->end());
    return false;
  });
  const std::string awaited = fmt::format("{} {}", to_string(transport), port);
  std::set<std::pair<Transport, std::uint16_t>> own;
  bool strangers = false;
  for (const Transport kind : {Transport::tcp, Transport::udp}) {
    const auto all = diag.all_bound(kind);
    if (!all) continue;
    for (const BoundSocket& socket : *all) {
      if (inodes.contains(socket.inode))
        own.emplace(kind, socket.port);
      else
        strangers = strangers || (kind == transport && socket.port == port);
    }
  }
  if (own.contains({transport, port})) return fmt::format("it listens on {}", awaited);
  std::string text;
  for (const auto& [kind, number] : own) {
    if (text.size() > 12 * ports_shown_max) {
      text += " and others";
      break;
    }
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", to_string(kind), number);
  }
  text = text.empty() ? fmt::format("it listens on no port; {} is awaited", awaited)
                      : fmt::format("it listens on {}, not on {}", text, awaited);
  if (strangers) text += fmt::format(" ({} is another process's)", awaited);
  return text;
}

}  // namespace muster::node
