#pragma once
// One lobby goes, another goes on in its place: `muster serve --takeover`. The one that runs hands
// over the sockets it listens on, so that nobody who connects meanwhile is refused; everything else
// is in its journal.
//
// DATA/lobby.sock, a unix socket for this user alone: the new one connects and is sent the sockets.
// Once it is sure that it can go on, it says so; then the old one leaves, which ends the
// connection. If the new one goes before that, nothing has happened.

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace muster::server {

/// Listening sockets that are this process's to close.
class HandedSockets {
 public:
  HandedSockets() = default;
  HandedSockets(int players, int admin) : players_(players), admin_(admin) {}
  HandedSockets(HandedSockets&& other) noexcept
      : players_(std::exchange(other.players_, -1)), admin_(std::exchange(other.admin_, -1)) {}
  HandedSockets& operator=(HandedSockets&& other) noexcept {
    std::swap(players_, other.players_), std::swap(admin_, other.admin_);
    return *this;
  }
  ~HandedSockets();

  /// -1: none. Whoever takes one closes it.
  int take_players() { return std::exchange(players_, -1); }
  int take_admin() { return std::exchange(admin_, -1); }

 private:
  int players_ = -1, admin_ = -1;
};

/// The running lobby's side.
class HandOver {
 public:
  struct Sockets {
    int players = -1, admin = -1;  // Copies of them are sent.
  };
  /// `leave` is called when another goes on: in a handler of `io`, once.
  HandOver(boost::asio::io_context& io, const std::string& data, std::function<Sockets()> sockets,
           std::function<void()> leave);
  ~HandOver();
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;

  /// To be called by the holder of the folder's lock: whatever has that name is replaced.
  std::expected<void, std::string> start();

 private:
  void accept();
  void serve(boost::asio::local::stream_protocol::socket socket);

  std::string path_;
  std::function<Sockets()> sockets_;
  std::function<void()> leave_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  // One at a time: the next is asked when it has gone. Stays open until this process ends.
  boost::asio::local::stream_protocol::socket next_;
};

/// The new lobby's side. Asks the lobby that runs on `data`; with its sockets at hand calls
/// `ready`, whose error is returned, and then has it leave and waits for that. Without a lobby
/// there: no sockets, and no error.
std::expected<HandedSockets, std::string> take_over(
    const std::string& data, std::chrono::milliseconds patience,
    const std::function<std::expected<void, std::string>()>& ready);

}  // namespace muster::server
