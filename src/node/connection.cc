#include "node/connection.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace muster::node {
namespace asio = boost::asio;
using boost::system::error_code;

std::expected<UniqueFd, std::string> listen_on_unix(const std::string& path, mode_t mode) {
  const auto refuse = [&](const std::string& why) {
    return std::unexpected(fmt::format("cannot listen on {}: {}", path, why));
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return refuse(
        fmt::format("the path is longer than the {} bytes a unix socket may have; use a "
                    "data folder with a shorter one",
                    sizeof address.sun_path - 1));
  path.copy(address.sun_path, path.size());
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return refuse(::strerrordesc_np(errno));
  ::unlink(path.c_str());
  // Never connectable by others than meant, not even for a moment.
  const mode_t before = ::umask(0777 & ~mode);
  const bool bound =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  const int error = errno;
  ::umask(before);
  if (!bound) return refuse(::strerrordesc_np(error));
  if (::listen(socket.get(), SOMAXCONN) < 0) return refuse(::strerrordesc_np(errno));
  return socket;
}

Connection::Connection(StreamSocket socket, Limits limits)
    : socket_(std::move(socket)), limits_(limits), frames_(limits.frame_bytes_max) {}

void Connection::start(Handlers handlers) {
  handlers_ = std::make_shared<Handlers>(std::move(handlers));
  error_code ignored;
  socket_.non_blocking(true, ignored);
  wait_to_read();
}

void Connection::start_reading(Handlers handlers) {
  handlers_ = std::make_shared<Handlers>(std::move(handlers));
  error_code ignored;
  socket_.non_blocking(true, ignored);
  on_readable();
}

void Connection::send(const google::protobuf::MessageLite& message) {
  if (!open() || closing_ || overflowed_) return;
  wire::append_frame(out_, message);
  if (out_.size() - out_written_ > limits_.out_bytes_max) {
    // Not from here: the caller is in the middle of something.
    asio::post(socket_.get_executor(), [self = shared_from_this()] { self->fail(); });
    overflowed_ = true;
    return;
  }
  if (flush_posted_ || waiting_to_write_) return;
  flush_posted_ = true;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void Connection::flush() {
  if (!open() || waiting_to_write_) return;
  error_code error;
  while (out_written_ < out_.size()) {
    out_written_ += socket_.write_some(
        asio::buffer(out_.data() + out_written_, out_.size() - out_written_), error);
    if (error) break;
  }
  if (!error) {
    out_.clear();
    out_written_ = 0;
    if (out_.capacity() > 64 * 1024) out_.shrink_to_fit();
    if (closing_) close();
    return;
  }
  if (error != asio::error::would_block) return fail();
  if (out_written_ > 256 * 1024) {
    out_.erase(0, out_written_);
    out_written_ = 0;
  }
  waiting_to_write_ = true;
  socket_.async_wait(StreamSocket::wait_write, [self = shared_from_this()](error_code e) {
    self->waiting_to_write_ = false;
    if (!e) self->flush();
  });
}

void Connection::close_after_send() {
  if (!open() || closing_) return;
  closing_ = true;
  auto timer =
      std::make_shared<asio::steady_timer>(socket_.get_executor(), std::chrono::seconds{1});
  timer->async_wait([self = shared_from_this(), timer](error_code) { self->close(); });
  if (!flush_posted_) flush();
}

void Connection::close() {
  handlers_.reset();
  error_code ignored;
  socket_.close(ignored);
}

void Connection::wait_to_read() {
  socket_.async_wait(StreamSocket::wait_read, [self = shared_from_this()](error_code error) {
    if (!error && self->open() && !self->closing_) self->on_readable();
  });
}

void Connection::on_readable() {
  static std::uint8_t buffer[64 * 1024];  // One thread; what is in it is used up before we return.
  error_code error;
  const std::size_t n = socket_.read_some(asio::buffer(buffer), error);
  if (error == asio::error::would_block) return wait_to_read();
  if (error) return fail();
  const std::shared_ptr<Handlers> handlers = handlers_;  // They may close this connection.
  const bool good = frames_.feed(wire::Bytes(buffer, n), [&](wire::Bytes frame) {
    if (!open() || closing_) return true;  // A frame before this one ended the connection.
    return handlers->on_frame(frame);
  });
  if (!open() || closing_) return;
  if (!good) {
    flush();  // The peer may still learn why.
    return fail();
  }
  wait_to_read();
}

void Connection::fail() {
  if (!open()) return;
  const std::shared_ptr<Handlers> handlers = handlers_;
  close();
  if (handlers && handlers->on_closed) handlers->on_closed();
}

}  // namespace muster::node
