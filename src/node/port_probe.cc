#include "node/port_probe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "node/process_posix.h"
#include "node/unique_fd.h"

namespace muster::node {

std::expected<void, PortError> probe_port(std::uint16_t port, Transport transport) {
  const auto refuse = [&](int error) {
    return std::unexpected(PortError{
        is_limit(error),
        fmt::format("{} port {}: {}", to_string(transport), port, ::strerrordesc_np(error))});
  };
  const int type = transport == Transport::tcp ? SOCK_STREAM : SOCK_DGRAM;
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

}  // namespace muster::node
