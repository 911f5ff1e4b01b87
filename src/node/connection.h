#pragma once
// One connection that carries frames, to a game server's SDK or to the lobby.

#include <sys/types.h>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "node/unique_fd.h"
#include "wire/frame.h"

namespace muster::node {

using StreamSocket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol,
                                                      boost::asio::io_context::executor_type>;

/// A listening unix socket with these permissions, non-blocking and closed on exec. Whatever has
/// that name is replaced. The error is a sentence.
std::expected<UniqueFd, std::string> listen_on_unix(const std::string& path, mode_t mode);

/// Reads at most 64 KiB per turn; collects what is sent and writes it once at the end of the turn.
/// A peer that does not read costs at most out_bytes_max, then it is closed. Single-threaded.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Limits {
    std::uint32_t frame_bytes_max;
    std::size_t out_bytes_max;
  };
  struct Handlers {
    std::function<bool(wire::Bytes frame)> on_frame;  // False: malformed, close.
    std::function<void()> on_closed;  // By the peer, or for a reason above: not after close().
  };

  Connection(StreamSocket socket, Limits limits);

  void start(Handlers handlers);
  /// The same for a peer that has probably spoken already: reads before it returns.
  void start_reading(Handlers handlers);
  void send(const google::protobuf::MessageLite& message);

  /// Writes now what was sent, as far as the peer takes it.
  void flush();
  /// Reads no more; closes once what was sent is written, or after a second. Like after close(), no
  /// handler is called any more.
  void close_after_send();
  void close();

  bool open() const { return socket_.is_open(); }

 private:
  void wait_to_read();
  void on_readable();
  void fail();

  StreamSocket socket_;
  Limits limits_;
  std::shared_ptr<Handlers> handlers_;  // None once closed.
  wire::FrameReader frames_;
  std::string out_;
  std::size_t out_written_ = 0;
  bool flush_posted_ = false;
  bool waiting_to_write_ = false;
  bool closing_ = false;
  bool overflowed_ = false;
};

}  // namespace muster::node
