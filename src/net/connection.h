#pragma once
// One TCP connection's bytes: what has come, and what waits to go.

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace muster::net {

// With the executor's own type: any_io_executor costs 300 bytes more per connection.
using Socket =
    boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;

/// Memory that all connections of a thread share, so that an idle one holds none: a buffer to
/// receive into, and strings to gather output in.
class Buffers {
 public:
  std::span<std::uint8_t> inbound() { return inbound_; }
  std::unique_ptr<std::string> take();
  void give_back(std::unique_ptr<std::string> used);

 private:
  static constexpr std::size_t kept_max = 256;
  static constexpr std::size_t kept_bytes_max = 16u << 10;  // A larger one is freed.
  std::vector<std::uint8_t> inbound_ = std::vector<std::uint8_t>(64u << 10);
  std::vector<std::unique_ptr<std::string>> kept_;
};

class Connection {
 public:
  explicit Connection(Socket socket) : socket_(std::move(socket)) {}

  enum class Status : std::uint8_t {
    ok,       ///< Received something; sent everything.
    blocked,  ///< Nothing to receive; not everything could be sent.
    closed,   ///< The other side is gone, or the connection is broken.
  };
  struct Received {
    Status status = Status::closed;
    std::span<std::uint8_t> bytes;  // Good until the next receive() with the same buffers.
  };

  /// Takes what the kernel has, at most the buffer's size. Never blocks.
  Received receive(Buffers& buffers);

  /// To append to; sent by send().
  std::string& outbound(Buffers& buffers);
  std::size_t outbound_bytes() const { return outbound_ ? outbound_->size() : 0; }
  /// Sends as much as the kernel takes; adds to `sent` how much. Never blocks.
  Status send(Buffers& buffers, std::uint64_t& sent);
  /// No more will be sent; the other side sees the end of the stream.
  void end_sending();

  Socket& socket() { return socket_; }
  const Socket& socket() const { return socket_; }

 private:
  Socket socket_;
  std::unique_ptr<std::string> outbound_;  // None while there is nothing to send.
};

/// Small messages go out at once; `keepalive` has the kernel notice a peer that vanished.
void set_options(Socket& socket, bool keepalive);

}  // namespace muster::net
