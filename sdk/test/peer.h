#pragma once
// The other side of an SDK's connection, for tests: sockets on loopback, framing done here once
// more by hand, messages by the real protobuf library. Every wait has a deadline.

#include <arpa/inet.h>
#include <google/protobuf/message_lite.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace muster::test {

inline constexpr int patience_ms = 20'000;

inline std::string frame_of(const google::protobuf::MessageLite& message) {
  const std::string payload = message.SerializeAsString();
  std::string frame;
  for (unsigned shift = 0; shift < 32; shift += 8)
    frame += static_cast<char>(payload.size() >> shift & 0xff);
  return frame + payload;
}

class Connection {
 public:
  Connection() = default;
  explicit Connection(int fd) : fd_(fd) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Connection(Connection&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), held_(std::move(other.held_)) {}
  Connection& operator=(Connection&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    held_ = std::move(other.held_);
    return *this;
  }
  ~Connection() { close(); }

  explicit operator bool() const { return fd_ >= 0; }

  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  void send_raw(const std::string& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }
  void send(const google::protobuf::MessageLite& message) { send_raw(frame_of(message)); }

  /// Exactly `count` bytes; nothing if the other side closed or the time is over.
  std::optional<std::string> receive_raw(std::size_t count) {
    while (held_.size() < count) {
      pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
      if (::poll(&p, 1, patience_ms) <= 0) return std::nullopt;
      char bytes[4096];
      const ssize_t n = ::recv(fd_, bytes, sizeof bytes, 0);
      if (n <= 0) return std::nullopt;
      held_.append(bytes, static_cast<std::size_t>(n));
    }
    std::string out = held_.substr(0, count);
    held_.erase(0, count);
    return out;
  }

  template <class Message>
  std::optional<Message> receive() {
    const auto header = receive_raw(4);
    if (!header) return std::nullopt;
    std::uint32_t size = 0;
    for (unsigned i = 0; i < 4; ++i)
      size |= static_cast<std::uint32_t>(static_cast<unsigned char>((*header)[i])) << 8 * i;
    const auto payload = receive_raw(size);
    Message message;
    if (!payload || !message.ParseFromString(*payload)) return std::nullopt;
    return message;
  }

  /// Waits until the other side has closed, passing over what it sends.
  bool closed_by_peer() {
    char bytes[4096];
    for (;;) {
      pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
      if (::poll(&p, 1, patience_ms) <= 0) return false;
      if (::recv(fd_, bytes, sizeof bytes, 0) <= 0) return true;
    }
  }

  bool has_input(int timeout_ms) {
    if (!held_.empty()) return true;
    pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&p, 1, timeout_ms) > 0;
  }

 private:
  int fd_ = -1;
  std::string held_;
};

class Listener {
 public:
  /// On a free port, or on `port`, as when something comes back to where it was.
  explicit Listener(std::uint16_t port = 0) {
    fd_ = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        listen(fd_, 64) != 0)
      ADD_FAILURE() << "cannot listen on loopback";
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  Listener(const Listener&) = delete;
  ~Listener() { ::close(fd_); }

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  bool has_caller(int timeout_ms) {
    pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
    return ::poll(&p, 1, timeout_ms) > 0;
  }
  Connection accept() {
    return has_caller(patience_ms) ? Connection(::accept(fd_, nullptr, nullptr)) : Connection();
  }

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
};

}  // namespace muster::test
