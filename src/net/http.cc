#include "net/http.h"

#include <fmt/format.h>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdio>
#include <exception>

#include "base/id.h"
#include "base/slot_map.h"
#include "net/connection.h"
#include "net/listener.h"
#include "wire/http_reader.h"

namespace muster::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

using ClientId = Id<struct HttpClientTag>;
using Clock = std::chrono::steady_clock;

struct Client {
  Client(Socket socket, const HttpLimits& limits)
      : connection(std::move(socket)), reader(limits.head_bytes_max, limits.body_bytes_max) {}
  Connection connection;
  wire::HttpReader reader;
  Clock::time_point since = Clock::now();  // When what it is at now began.
  std::string rest;                        // Bytes that wait until a response has been taken.
  std::uint64_t requests = 0;              // So far: an answer is to the last, or to nobody.
  bool awaiting = false;                   // The answer to the last.
  bool keep_alive = false;                 // After it.
  bool head_only = false;
  bool closing = false;  // Sends what is left, then ends.
  bool ended = false;    // Has ended sending; waits for the other side's end.
  bool read_waited = false;
  bool write_waited = false;
};

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<HttpServer::Impl> {
 public:
  Impl(asio::io_context& io, std::string address, HttpHandler handler, HttpLimits limits)
      : handler_(std::move(handler)),
        limits_(limits),
        listener_(
            io, std::move(address), [this](Socket socket) { accept(std::move(socket)); },
            [](std::string_view line) {
              std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
            }),
        timer_(io.get_executor()) {}

  std::expected<void, std::string> start(int inherited) {
    auto started = listener_.start(inherited);
    if (started) wait_sweep();
    return started;
  }

  void stop() {
    shut();
    timer_.cancel();
  }

  void shut() {
    listener_.stop();
    clients_.for_each([&](ClientId id, Client&) { clients_.erase(id); });
  }

  std::uint16_t port() const { return listener_.port(); }
  int listening_socket() { return listener_.native_handle(); }

 private:
  void accept(Socket socket) {
    if (clients_.size() >= limits_.connections_max) return;  // Closes it.
    set_options(socket, false);
    const ClientId id = clients_.emplace(std::move(socket), limits_);
    wait_read(id, clients_[id]);
  }

  // Handlers hold the Impl weakly, and an id: both miss once gone.
  void wait_read(ClientId id, Client& client) {
    if (std::exchange(client.read_waited, true)) return;
    client.connection.socket().async_wait(Socket::wait_read,
                                          [self = weak_from_this(), id](error_code ec) {
                                            const auto impl = self.lock();
                                            if (impl && !ec) impl->readable(id);
                                          });
  }

  void wait_write(ClientId id, Client& client) {
    if (std::exchange(client.write_waited, true)) return;
    client.connection.socket().async_wait(Socket::wait_write,
                                          [self = weak_from_this(), id](error_code ec) {
                                            const auto impl = self.lock();
                                            if (impl && !ec) impl->writable(id);
                                          });
  }

  void readable(ClientId id) {
    Client* client = clients_.find(id);
    if (!client) return;
    client->read_waited = false;
    const auto [status, received] = client->connection.receive(buffers_);
    if (status == Connection::Status::closed) {
      clients_.erase(id);
      return;
    }
    serve(id, *client, received);
  }

  void writable(ClientId id) {
    Client* client = clients_.find(id);
    if (!client) return;
    client->write_waited = false;
    if (!send(id, *client) || client->connection.outbound_bytes() > 0 || client->closing ||
        client->awaiting)
      return;
    const std::string rest = std::exchange(client->rest, {});
    serve(id, *client, {reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size()});
  }

  // A response must be there, and be taken, before the next request is looked at: what waits for a
  // client that asks and never reads is one response and one read's worth of requests.
  void serve(ClientId id, Client& client, wire::Bytes bytes) {
    HttpRequest request;
    bool at_start = !client.reader.unfinished();
    while (!client.closing) {
      const auto read = client.reader.next(bytes, request);
      if (read == wire::HttpReader::Read::more) {
        if (at_start) client.since = Clock::now();
        if (client.reader.take_expects_continue())
          client.connection.outbound(buffers_) += "HTTP/1.1 100 Continue\r\n\r\n";
        break;
      }
      if (read == wire::HttpReader::Read::failed)
        append(client, plain(client.reader.status()), false, false);
      else
        ask(id, client, request);
      at_start = true;
      if (!send(id, client)) return;
      if (client.awaiting || (client.connection.outbound_bytes() > 0 && !client.closing)) {
        client.rest.assign(bytes.begin(), bytes.end());
        return;  // take_answer() or writable() goes on from here.
      }
    }
    if (send(id, client)) wait_read(id, client);
  }

  /// The answer may be there when it returns, or come to take_answer() later.
  void ask(ClientId id, Client& client, const HttpRequest& request) {
    client.keep_alive = client.reader.keep_alive();
    client.head_only = request.method == "HEAD";
    client.awaiting = true;
    client.since = Clock::now();
    const std::uint64_t number = ++client.requests;
    asking_ = id;
    try {
      handler_(request, [self = weak_from_this(), id, number](HttpResponse response) {
        if (const auto impl = self.lock()) impl->take_answer(id, number, response);
      });
    } catch (const std::exception&) {
      take_answer(id, number, plain(500));
    }
    asking_ = {};
  }

  void take_answer(ClientId id, std::uint64_t number, const HttpResponse& response) {
    Client* const client = clients_.find(id);
    if (!client || client->requests != number || !std::exchange(client->awaiting, false)) return;
    append(*client, response, client->keep_alive, client->head_only);
    if (asking_ == id) return;  // serve() goes on by itself.
    if (!send(id, *client) || (client->connection.outbound_bytes() > 0 && !client->closing)) return;
    const std::string rest = std::exchange(client->rest, {});
    serve(id, *client, {reinterpret_cast<const std::uint8_t*>(rest.data()), rest.size()});
  }

  static HttpResponse plain(int status) {
    return {.status = status,
            .content_type = "text/plain; charset=utf-8",
            .body = std::string(wire::status_text(status)) + "\n"};
  }

  void append(Client& client, const HttpResponse& response, bool keep_alive, bool head_only) {
    wire::append_response(client.connection.outbound(buffers_), response, keep_alive, head_only);
    client.closing = !keep_alive;
    client.since = Clock::now();
  }

  // False if the client is gone.
  bool send(ClientId id, Client& client) {
    std::uint64_t sent = 0;
    switch (client.connection.send(buffers_, sent)) {
      case Connection::Status::closed:
        clients_.erase(id);
        return false;
      case Connection::Status::blocked:
        wait_write(id, client);
        return true;
      case Connection::Status::ok:
        if (client.closing && !std::exchange(client.ended, true)) {
          client.connection.end_sending();
          client.since = Clock::now();
        }
        return true;
    }
    return false;
  }

  void wait_sweep() {
    timer_.expires_after(limits_.sweep_interval);
    timer_.async_wait([self = weak_from_this()](error_code ec) {
      const auto impl = self.lock();
      if (!impl || ec) return;
      impl->sweep();
      impl->wait_sweep();
    });
  }

  void sweep() {
    const auto now = Clock::now();
    clients_.for_each([&](ClientId id, Client& client) {
      const Duration age = now - client.since;
      const bool waiting = client.connection.outbound_bytes() > 0 || client.closing;
      const Duration limit = client.awaiting              ? limits_.answer_timeout
                             : waiting                    ? limits_.write_timeout
                             : client.reader.unfinished() ? limits_.request_timeout
                                                          : limits_.idle_timeout;
      if (age > limit) clients_.erase(id);
    });
  }

  HttpHandler handler_;
  HttpLimits limits_;
  Buffers buffers_;
  SlotMap<ClientId, Client> clients_;
  ClientId asking_;  // Whose request the handler has just now.
  Listener listener_;
  asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, asio::io_context::executor_type>
      timer_;
};

HttpServer::HttpServer(asio::io_context& io, std::string address, HttpHandler handler,
                       HttpLimits limits)
    : impl_(std::make_shared<Impl>(io, std::move(address), std::move(handler), limits)) {}
HttpServer::~HttpServer() { impl_->shut(); }
std::expected<void, std::string> HttpServer::start(int inherited) {
  return impl_->start(inherited);
}
int HttpServer::listening_socket() { return impl_->listening_socket(); }
void HttpServer::stop() { impl_->stop(); }
std::uint16_t HttpServer::port() const { return impl_->port(); }

}  // namespace muster::net
