#include "sockets.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace muster::e2e {
namespace {

sockaddr_in address_of(std::uint16_t port, std::uint32_t host) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(host);
  return address;
}

/// -1 if somebody has it.
int bind_port(std::uint16_t port, int type) {
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const sockaddr_in here = address_of(port, INADDR_ANY);
  if (fd >= 0 && ::bind(fd, reinterpret_cast<const sockaddr*>(&here), sizeof here) == 0) return fd;
  if (fd >= 0) ::close(fd);
  return -1;
}

bool is_free(std::uint16_t port) {
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    const int fd = bind_port(port, type);
    if (fd < 0) return false;
    ::close(fd);
  }
  return true;
}

constexpr std::uint32_t own_ports_count = 400;

/// The first of a block of ports that no other process of these tests uses: the block's name in the
/// abstract namespace of unix sockets is taken, until this process ends.
std::uint32_t own_ports() {
  constexpr std::uint32_t first = 10000, blocks = 9000 / own_ports_count;
  for (std::uint32_t block = 0; block < blocks; ++block) {
    const std::string name = fmt::format("muster-e2e-ports-{}", block);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address),
               static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size())) == 0)
      return first + block * own_ports_count;
    ::close(fd);
  }
  throw std::runtime_error("too many of these tests run at once on this machine");
}

}  // namespace

Socket::Socket(std::uint16_t port, int receive_buffer_bytes)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer_bytes > 0)
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  const sockaddr_in there = address_of(port, INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&there), sizeof there) != 0) {
    const int error = errno;
    close();
    throw std::system_error(error, std::generic_category(), fmt::format("port {}", port));
  }
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Socket::Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

void Socket::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool Socket::poll(short events, steady_clock::time_point deadline) const {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now()).count();
    pollfd ready{fd_, events, 0};
    const int count = ::poll(&ready, 1, left > 0 ? static_cast<int>(left) : 0);
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

bool Socket::send(std::string_view bytes, milliseconds wait) {
  const auto deadline = steady_clock::now() + wait;
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
      bytes.remove_prefix(static_cast<std::size_t>(n));
    else if (errno != EAGAIN || !poll(POLLOUT, deadline))
      return false;
  }
  return true;
}

std::optional<std::string> Socket::receive(milliseconds wait) {
  if (!poll(POLLIN, steady_clock::now() + wait)) return std::nullopt;
  std::string bytes(64 * 1024, '\0');
  const ssize_t n = ::recv(fd_, bytes.data(), bytes.size(), 0);
  bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);  // A reset is an end too.
  return bytes;
}

bool Socket::ended(std::string* rest, milliseconds wait) {
  const auto deadline = steady_clock::now() + wait;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    const auto bytes = receive(std::max(left, milliseconds{0}));
    if (!bytes) return false;
    if (bytes->empty()) return true;
    if (rest) *rest += *bytes;
  }
}

std::uint16_t free_ports(std::uint16_t count) {
  static const std::uint32_t first = own_ports(), last = first + own_ports_count;
  static std::uint32_t next = first;
  for (std::uint32_t tried = 0; tried < own_ports_count; ++tried) {
    if (next + count > last) next = first;
    const auto start = static_cast<std::uint16_t>(next);
    std::uint16_t free = 0;
    while (free < count && is_free(static_cast<std::uint16_t>(start + free))) ++free;
    next += free + 1u;
    if (free == count) return start;
  }
  throw std::runtime_error("no ports are free");
}

TakenPorts::TakenPorts(std::uint16_t first, std::uint16_t count) {
  for (std::uint16_t i = 0; i < count; ++i) {
    const auto port = static_cast<std::uint16_t>(first + i);
    fds_.push_back(bind_port(port, SOCK_STREAM));
    if (fds_.back() < 0 || ::listen(fds_.back(), 1) != 0)
      throw std::runtime_error(fmt::format("port {} cannot be taken", port));
  }
}

TakenPorts::~TakenPorts() {
  for (const int fd : fds_) ::close(fd);
}

}  // namespace muster::e2e
