#pragma once
// Listens on an address and accepts, through running out of file descriptors too.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/connection.h"

namespace muster::net {

/// Not thread-safe. May be destroyed at any time.
class Listener {
 public:
  using OnAccept = std::function<void(Socket)>;
  using Log = std::function<void(std::string_view line)>;

  /// `address` is "host:port": a numeric IPv4 or [IPv6] address or localhost; port 0 lets the
  /// kernel choose. [::] also takes IPv4.
  Listener(boost::asio::io_context& io, std::string address, OnAccept on_accept, Log log);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// An error is a sentence for people: which address, what is wrong, what to do.
  /// `inherited`, if it is one, is a socket that listens already: it is used if it does so on this
  /// very address, and closed if not.
  std::expected<void, std::string> start(int inherited = -1);
  void stop();
  /// The listening socket; -1 before start() and after stop().
  int native_handle();
  /// The port listened on, once started.
  std::uint16_t port() const;
  /// Connections closed unseen because the process had no file descriptor left.
  std::uint64_t refused() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // Shared with the handlers in flight.
};

}  // namespace muster::net
