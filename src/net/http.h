#pragma once
// A small HTTP/1.1 server, for the admin port. The player port answers plain HTTP with the same
// reader (http_reader.h) and the same response writer.

#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): Boost's.
}

namespace muster::net {

struct HttpRequest {
  std::string method;  // As sent: "GET".
  std::string path;    // Up to the '?', as sent (percent escapes are left alone): "/v1/servers".
  std::string query;   // After the '?', as sent; may be empty.
  std::vector<std::pair<std::string, std::string>>
      headers;       // Names in lower case, as many as came.
  std::string body;  // Whole; at most HttpLimits::body_bytes_max.

  /// The header's first value, or "". `name` in lower case: "content-type", "authorization",
  /// "host".
  std::string_view header(std::string_view name) const;
  /// The query's first value of that name with escapes resolved, or "".
  std::string query_value(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // Beyond the usual ones.
};

/// Called on the io_context's thread, one request at a time; must not block. An exception thrown by
/// it becomes a 500.
using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

struct HttpLimits {
  std::uint32_t connections_max = 256;                       // More are closed at once.
  std::uint32_t head_bytes_max = 16u << 10;                  // Over it: 431.
  std::uint32_t body_bytes_max = 1u << 20;                   // Over it: 413.
  Duration request_timeout = std::chrono::seconds{10};       // First byte to last of a request.
  Duration idle_timeout = std::chrono::seconds{60};          // Between requests of one connection.
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
  std::expected<void, std::string> start();
  /// Stops listening and closes all connections.
  void stop();
  /// The port listened on, once started.
  std::uint16_t port() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace muster::net
