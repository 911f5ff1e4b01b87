#pragma once
// A small HTTP/1.1 server, for the admin port. The player port answers plain HTTP with the same
// reader and the same response writer (wire/http_reader.h).

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/time.h"
#include "wire/http_reader.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): Boost's.
}

namespace muster::net {

using wire::HttpRequest;
using wire::HttpResponse;

/// Answers a request, once. To be called on the io_context's thread, at once or any time later,
/// also when the client or the server is gone.
using HttpAnswer = std::function<void(HttpResponse)>;

/// Called on the io_context's thread, one request at a time; must not block. An exception thrown by
/// it becomes a 500.
using HttpHandler = std::function<void(const HttpRequest&, HttpAnswer)>;

/// A handler that always has the answer at once.
inline HttpHandler at_once(std::function<HttpResponse(const HttpRequest&)> handler) {
  return [handler = std::move(handler)](const HttpRequest& request, const HttpAnswer& answer) {
    answer(handler(request));
  };
}

struct HttpLimits {
  std::uint32_t connections_max = 256;                       // More are closed at once.
  std::uint32_t head_bytes_max = 16u << 10;                  // Over it: 431.
  std::uint32_t body_bytes_max = 1u << 20;                   // Over it: 413.
  Duration request_timeout = std::chrono::seconds{10};       // First byte to last of a request.
  Duration idle_timeout = std::chrono::seconds{60};          // Between requests of one connection.
  Duration answer_timeout = std::chrono::seconds{60};        // The handler's.
  Duration write_timeout = std::chrono::seconds{10};         // A response not taken in that time.
  Duration sweep_interval = std::chrono::milliseconds{500};  // How exactly the above are kept.
};

/// Requests on a connection are answered in order, keep-alive included. Not thread-safe: everything
/// happens on the thread that runs the io_context. May be destroyed at any time, but not from
/// inside its handler.
class HttpServer {
 public:
  /// `address` is "host:port", e.g. "127.0.0.1:4180", "[::1]:4180"; port 0 lets the kernel choose.
  HttpServer(boost::asio::io_context& io, std::string address, HttpHandler handler,
             HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Listens. An error is a sentence for people: which address, what is wrong, what to do.
  /// `inherited`: see Listener::start().
  std::expected<void, std::string> start(int inherited = -1);
  int listening_socket();
  /// Stops listening and closes all connections.
  void stop();
  /// The port listened on, once started.
  std::uint16_t port() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace muster::net
