#pragma once
// Blocking TCP on loopback, with deadlines.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "process.h"

namespace muster::e2e {

class Socket {
 public:
  /// Connects to 127.0.0.1:port. Throws if nobody listens.
  explicit Socket(std::uint16_t port, int receive_buffer_bytes = 0);
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;

  int fd() const { return fd_; }
  void close();
  /// Sends all of it. False if the other side has closed, or takes nothing until the deadline.
  bool send(std::string_view bytes, milliseconds wait = patience);
  /// Some bytes; none: the other side has closed; nullopt: the time is over.
  std::optional<std::string> receive(milliseconds wait = patience);
  /// Reads to the other side's end of the connection. False if it does not come.
  bool ended(std::string* rest = nullptr, milliseconds wait = patience);

 private:
  bool poll(short events, steady_clock::time_point deadline) const;
  int fd_ = -1;
};

/// The first of `count` ports in a row that nobody has bound just now, outside the range the kernel
/// gives to connections.
std::uint16_t free_ports(std::uint16_t count);

/// Ports that are taken as long as it lives.
class TakenPorts {
 public:
  TakenPorts(std::uint16_t first, std::uint16_t count);
  ~TakenPorts();
  TakenPorts(const TakenPorts&) = delete;
  TakenPorts& operator=(const TakenPorts&) = delete;

 private:
  std::vector<int> fds_;
};

}  // namespace muster::e2e
