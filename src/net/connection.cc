#include "net/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

namespace muster::net {

std::unique_ptr<std::string> Buffers::take() {
  if (kept_.empty()) return std::make_unique<std::string>();
  auto taken = std::move(kept_.back());
  kept_.pop_back();
  return taken;
}

void Buffers::give_back(std::unique_ptr<std::string> used) {
  if (kept_.size() >= kept_max || used->capacity() > kept_bytes_max) return;
  used->clear();
  kept_.push_back(std::move(used));
}

Connection::Received Connection::receive(Buffers& buffers) {
  const auto room = buffers.inbound();
  for (;;) {
    const auto n = ::recv(socket_.native_handle(), room.data(), room.size(), MSG_DONTWAIT);
    if (n > 0) return {Status::ok, room.first(static_cast<std::size_t>(n))};
    if (n == 0) return {Status::closed, {}};
    if (errno == EINTR) continue;
    return {errno == EAGAIN || errno == EWOULDBLOCK ? Status::blocked : Status::closed, {}};
  }
}

std::string& Connection::outbound(Buffers& buffers) {
  if (!outbound_) outbound_ = buffers.take();
  return *outbound_;
}

Connection::Status Connection::send(Buffers& buffers, std::uint64_t& sent) {
  if (!outbound_) return Status::ok;
  std::size_t at = 0;
  while (at < outbound_->size()) {
    const auto n = ::send(socket_.native_handle(), outbound_->data() + at, outbound_->size() - at,
                          MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) {
      at += static_cast<std::size_t>(n);
      sent += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Status::closed;
    outbound_->erase(0, at);
    return Status::blocked;
  }
  buffers.give_back(std::move(outbound_));
  return Status::ok;
}

void Connection::end_sending() {
  boost::system::error_code ignored;  // Already broken: the next receive says so.
  socket_.shutdown(boost::asio::socket_base::shutdown_send, ignored);
}

void set_options(Socket& socket, bool keepalive) {
  const auto set = [fd = socket.native_handle()](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);  // Failing costs speed, not sense.
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  if (!keepalive) return;
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 60);  // Seconds; gone after about two minutes of no answer.
  set(IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
}

}  // namespace muster::net
