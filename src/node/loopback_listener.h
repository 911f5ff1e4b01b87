#pragma once
// Listens on 127.0.0.1 and hands over what connects.

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <memory>

#include "node/connection.h"
#include "node/game_server.h"

namespace muster::node {

/// Single-threaded. May be destroyed at any time, also from inside its handler.
class LoopbackListener {
 public:
  using OnAccepted = std::function<void(StreamSocket)>;  // Closed on exec, without Nagle's delay.

  LoopbackListener(boost::asio::io_context& io, OnAccepted on_accepted);
  ~LoopbackListener();
  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;

  /// Port 0: the kernel chooses. After an error another may be tried.
  boost::system::error_code listen(std::uint16_t port);
  bool listening() const { return acceptor_.is_open(); }
  std::uint16_t port() const;

 private:
  void accept();

  boost::asio::io_context& io_;
  OnAccepted on_accepted_;
  boost::asio::basic_socket_acceptor<boost::asio::ip::tcp, Executor> acceptor_;
  Timer pause_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace muster::node
