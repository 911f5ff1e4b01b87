#include "node/agones_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "agones/grpc_connection.h"
#include "agones/rest_connection.h"
#include "proto/node_record.pb.h"

namespace muster::node {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr std::size_t out_bytes_max = 64 << 10;  // Handed to the socket at once.
constexpr std::size_t out_bytes_kept = 4 << 10;  // Between writes.
}  // namespace

/// A socket and its protocol. While it takes nothing more, nothing more is read from it.
class AgonesEndpoint::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(AgonesEndpoint& endpoint, StreamSocket socket,
             std::unique_ptr<agones::Protocol> protocol)
      : endpoint_(endpoint.weak_from_this()),
        socket_(std::move(socket)),
        protocol_(std::move(protocol)) {}

  void start() {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    flush();
    wait_to_read();
  }
  void changed() {
    protocol_->changed();
    flush();
  }
  bool streaming() const { return protocol_->streaming(); }
  void close() {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  void wait_to_read() {
    if (!socket_.is_open() || waiting_to_write_ || waiting_to_read_) return;
    waiting_to_read_ = true;
    socket_.async_wait(StreamSocket::wait_read, [self = shared_from_this()](error_code error) {
      self->waiting_to_read_ = false;
      if (!error && self->socket_.is_open()) self->on_readable();
    });
  }

  void on_readable() {
    static std::uint8_t buffer[64 * 1024];  // One thread; it is used up before this returns.
    const auto endpoint = endpoint_.lock();
    error_code error;
    const std::size_t n = socket_.read_some(asio::buffer(buffer), error);
    if (error == asio::error::would_block) return wait_to_read();
    if (error || !endpoint) return end();
    protocol_->feed({buffer, n});
    flush();
    wait_to_read();
  }

  void flush() {
    if (!socket_.is_open() || waiting_to_write_) return;
    error_code error;
    for (;;) {
      if (written_ == out_.size()) {
        out_.clear();
        written_ = 0;
        protocol_->produce(out_, out_bytes_max);
        if (out_.empty()) break;
      }
      written_ +=
          socket_.write_some(asio::buffer(out_.data() + written_, out_.size() - written_), error);
      if (error) break;
    }
    if (!error) {
      if (out_.capacity() > out_bytes_kept) out_.shrink_to_fit();
      if (!protocol_->open()) end();
      return;
    }
    if (error != asio::error::would_block) return end();
    waiting_to_write_ = true;
    socket_.async_wait(StreamSocket::wait_write, [self = shared_from_this()](error_code e) {
      self->waiting_to_write_ = false;
      if (e || !self->socket_.is_open()) return;
      self->flush();
      self->wait_to_read();
    });
  }

  void end() {
    close();
    if (const auto endpoint = endpoint_.lock())
      endpoint->connections_.remove_if([this](const auto& other) { return other.get() == this; });
  }

  std::weak_ptr<AgonesEndpoint> endpoint_;
  StreamSocket socket_;
  std::unique_ptr<agones::Protocol> protocol_;  // Calls the endpoint: only while that is there.
  std::string out_;
  std::size_t written_ = 0;
  bool waiting_to_read_ = false;
  bool waiting_to_write_ = false;
};

std::expected<std::shared_ptr<AgonesEndpoint>, std::string> AgonesEndpoint::listen(
    asio::io_context& io, agones::Settings settings) {
  std::shared_ptr<AgonesEndpoint> endpoint(new AgonesEndpoint(io, std::move(settings)));
  error_code error = endpoint->grpc_listener_.listen(0);
  if (!error) error = endpoint->http_listener_.listen(0);
  if (error)
    return std::unexpected(
        fmt::format("cannot listen on 127.0.0.1 for its Agones SDK: {}", error.message()));
  return endpoint;
}

std::shared_ptr<AgonesEndpoint> AgonesEndpoint::listen_again(
    asio::io_context& io, agones::Settings settings, const wire::node_record::AgonesState& saved,
    AgonesPorts ports) {
  std::shared_ptr<AgonesEndpoint> endpoint(new AgonesEndpoint(io, std::move(settings)));
  endpoint->record_.restore(saved, now());
  endpoint->told_revision_ = endpoint->settled_revision_ = endpoint->record_.revision();
  endpoint->listen_on(ports);
  return endpoint;
}

// Meanwhile a port may have become the near end of somebody's connection: for a moment.
void AgonesEndpoint::listen_on(AgonesPorts ports) {
  error_code error;
  if (!grpc_listener_.listening()) error = grpc_listener_.listen(ports.grpc);
  if (!error && !http_listener_.listening()) error = http_listener_.listen(ports.http);
  if (!error) return;
  listen_timer_.expires_after(std::chrono::milliseconds{100});
  listen_timer_.async_wait([weak = weak_from_this(), ports](error_code canceled) {
    const auto self = weak.lock();
    if (!canceled && self && !self->closed_) self->listen_on(ports);
  });
}

AgonesEndpoint::AgonesEndpoint(asio::io_context& io, agones::Settings settings)
    : io_(io),
      record_(std::move(settings), now()),
      grpc_listener_(io, [this](StreamSocket socket) { adopt_grpc(std::move(socket)); }),
      http_listener_(io, [this](StreamSocket socket) { adopt_http(std::move(socket)); }),
      timer_(io.get_executor()),
      listen_timer_(io.get_executor()),
      told_revision_(record_.revision()) {}

AgonesEndpoint::~AgonesEndpoint() { close(); }

Time AgonesEndpoint::now() {
  using std::chrono::steady_clock;
  using std::chrono::system_clock;
  static const auto wall = system_clock::now().time_since_epoch();
  static const auto steady = steady_clock::now();
  return Time{std::chrono::duration_cast<Duration>(wall + (steady_clock::now() - steady))};
}

void AgonesEndpoint::set_on_fact(OnFact on_fact) {
  on_fact_ = std::move(on_fact);
  settle();
}

void AgonesEndpoint::adopt_grpc(StreamSocket socket) {
  adopt(std::move(socket), std::make_unique<agones::GrpcConnection>(*this));
}

void AgonesEndpoint::adopt_http(StreamSocket socket) {
  adopt(std::move(socket), std::make_unique<agones::RestConnection>(*this));
}

void AgonesEndpoint::adopt(StreamSocket socket, std::unique_ptr<agones::Protocol> protocol) {
  if (closed_) return;
  if (connections_.size() >= connections_max) {
    // The oldest that nobody listens on makes room: SDKs open what they need anew.
    const auto idle =
        std::ranges::find_if(connections_, [](const auto& c) { return !c->streaming(); });
    if (idle == connections_.end()) return;
    (*idle)->close();
    connections_.erase(idle);
  }
  const auto connection =
      std::make_shared<Connection>(*this, std::move(socket), std::move(protocol));
  connections_.push_back(connection);
  connection->start();
}

agones::Status AgonesEndpoint::call(agones::Method method, const agones::Message& request,
                                    agones::Message& reply) {
  const agones::Status status = agones::call(record_, method, request, reply, now());
  settle();
  return status;
}

/// Watchers are told at the end of the turn: a connection may be in the middle of a call.
void AgonesEndpoint::settle() {
  if (on_fact_)
    for (agones::Fact& fact : record_.take_facts()) on_fact_(std::move(fact));
  if (std::exchange(settled_revision_, record_.revision()) != record_.revision() && on_change_)
    on_change_();
  arm_timer();
  if (told_revision_ == record_.revision() || std::exchange(telling_posted_, true)) return;
  asio::post(io_, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->telling_posted_ = false;
    self->tell_watchers();
  });
}

void AgonesEndpoint::tell_watchers() {
  if (std::exchange(told_revision_, record_.revision()) == record_.revision()) return;
  const auto connections = connections_;  // One that fails leaves the list.
  for (const auto& connection : connections)
    if (connection->streaming()) connection->changed();
}

void AgonesEndpoint::arm_timer() {
  const auto due = record_.next_deadline();
  if (closed_ || armed_for_ == due) return;
  armed_for_ = due;
  if (!due) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(std::max(*due - now(), Duration::zero()));
  timer_.async_wait([weak = weak_from_this()](error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->closed_) return;
    self->armed_for_.reset();
    self->record_.deadlines(now());
    self->settle();
  });
}

void AgonesEndpoint::close() {
  closed_ = true;
  on_fact_ = nullptr;
  on_change_ = nullptr;
  timer_.cancel();
  listen_timer_.cancel();
  for (const auto& connection : std::exchange(connections_, {})) connection->close();
}

}  // namespace muster::node
