#include "node/port_probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "node/process_posix.h"
#include "node/unique_fd.h"

namespace muster::node {
namespace {

std::expected<void, PortError> probe(std::uint16_t port, int type, const char* protocol) {
  const auto refuse = [&](int error) {
    return std::unexpected(PortError{
        is_limit(error), fmt::format("{} port {}: {}", protocol, port, ::strerrordesc_np(error))});
  };
  const UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  if (!socket) return refuse(errno);
  const int yes = 1;
  if (type == SOCK_STREAM &&
      ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0)
    return refuse(errno);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
    return refuse(errno);
  return {};
}

constexpr IpAddress loopback{AF_INET, {127, 0, 0, 1}};

PortError taken(const char* protocol, std::uint16_t port) {
  return {false, fmt::format("{} port {}: {}", protocol, port, ::strerrordesc_np(EADDRINUSE))};
}

// A socket on a port of the kernel's choice; 0 if there is none to be had.
std::uint16_t bind_somewhere(int type, UniqueFd& socket) {
  socket.reset(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  socklen_t size = sizeof address;
  const bool good =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      (type != SOCK_STREAM || ::listen(socket.get(), 1) == 0) &&
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0;
  return good ? ntohs(address.sin_port) : 0;
}

}  // namespace

PortLook::PortLook() {
  works_ = true;
  for (const auto& [type, transport] :
       {std::pair{SOCK_STREAM, Transport::tcp}, std::pair{SOCK_DGRAM, Transport::udp}}) {
    UniqueFd socket;
    const std::uint16_t port = bind_somewhere(type, socket);
    works_ = works_ && port != 0 && sees(transport, port);
    socket.reset();
    works_ = works_ && !sees(transport, port);
  }
}

bool PortLook::sees(Transport transport, std::uint16_t port) {
  const auto found = diagnostics_.bound_at(transport, loopback, port);
  if (!found && found.error() != ENOENT) works_ = false;
  return found.has_value();
}

std::expected<void, PortError> PortLook::look(std::uint16_t port, PortUse use) {
  if (use.tcp && works_ && sees(Transport::tcp, port)) return std::unexpected(taken("TCP", port));
  if (use.udp && works_ && sees(Transport::udp, port)) return std::unexpected(taken("UDP", port));
  if (!works_) return probe_port(port, use);
  return {};
}

std::expected<void, PortError> probe_port(std::uint16_t port, PortUse use) {
  if (use.tcp)
    if (auto tcp = probe(port, SOCK_STREAM, "TCP"); !tcp) return tcp;
  if (!use.udp) return {};
  return probe(port, SOCK_DGRAM, "UDP");
}

}  // namespace muster::node
