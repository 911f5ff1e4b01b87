#pragma once
// Asking a game server on a UDP port: one request, as often as one likes, and its answers.

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "node/sock_diag.h"

namespace muster::node {

/// Destroying it ends it; no handler is called any more. Single-threaded.
class UdpQuery {
 public:
  using OnAnswer = std::function<void(std::string_view)>;

  /// Destroying this inside `on_answer` is not allowed; close() is.
  UdpQuery(boost::asio::io_context& io, OnAnswer on_answer);
  ~UdpQuery();
  UdpQuery(const UdpQuery&) = delete;
  UdpQuery& operator=(const UdpQuery&) = delete;

  /// Sends the request to that socket of this machine: at its own address, or on loopback if it is
  /// bound to all. Answers may come to any of the requests sent. What cannot be sent is lost, like
  /// any datagram.
  void send(const BoundSocket& to, std::string_view request);
  void close();

 private:
  using Descriptor =
      boost::asio::posix::basic_stream_descriptor<boost::asio::io_context::executor_type>;

  bool open(const BoundSocket& to);
  void wait();

  Descriptor socket_;
  OnAnswer on_answer_;
  std::optional<BoundSocket> peer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // Handlers outlive this.
};

}  // namespace muster::node
