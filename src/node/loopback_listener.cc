#include "node/loopback_listener.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <utility>

namespace muster::node {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

LoopbackListener::LoopbackListener(asio::io_context& io, OnAccepted on_accepted)
    : io_(io),
      on_accepted_(std::move(on_accepted)),
      acceptor_(io.get_executor()),
      pause_(io.get_executor()) {}

LoopbackListener::~LoopbackListener() { *alive_ = false; }

error_code LoopbackListener::listen(std::uint16_t port) {
  error_code error;
  acceptor_.open(tcp::v4(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind({asio::ip::address_v4::loopback(), port}, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    error_code ignored;
    acceptor_.close(ignored);
    return error;
  }
  ::fcntl(acceptor_.native_handle(), F_SETFD, FD_CLOEXEC);
  accept();
  return {};
}

std::uint16_t LoopbackListener::port() const {
  error_code ignored;
  return acceptor_.local_endpoint(ignored).port();
}

void LoopbackListener::accept() {
  acceptor_.async_accept([this, alive = alive_](error_code error, tcp::socket socket) {
    if (!*alive || error == asio::error::operation_aborted) return;
    if (error) {  // Out of descriptors: somebody has to leave first.
      pause_.expires_after(std::chrono::milliseconds{100});
      pause_.async_wait([this, alive](error_code e) {
        if (*alive && !e) accept();
      });
      return;
    }
    ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    socket.set_option(tcp::no_delay(true), error);
    const int native = socket.release(error);
    StreamSocket stream(io_.get_executor());
    stream.assign(asio::generic::stream_protocol(tcp::v4()), native, error);
    if (error)
      ::close(native);
    else
      on_accepted_(std::move(stream));
    if (*alive) accept();
  });
}

}  // namespace muster::node
