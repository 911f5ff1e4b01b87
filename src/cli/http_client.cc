#include "cli/http_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "server/config_values.h"

namespace muster::cli {
namespace {

namespace http = boost::beast::http;
using std::chrono::steady_clock;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {}
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

/// Waits until the socket is ready for `events`; false when the time is up.
bool wait_for(int fd, short events, steady_clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now()).count();
    if (left <= 0) return false;
    pollfd waiting{fd, events, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

/// Nothing if connected, else why not.
std::optional<std::string> connect_to(const Socket& socket, const server::Address& address,
                                      steady_clock::time_point deadline) {
  sockaddr_storage to{};
  socklen_t size = 0;
  if (address.host.find(':') == std::string::npos) {
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&to);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.host.c_str(), &v4->sin_addr);
    size = sizeof *v4;
  } else {
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&to);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    ::inet_pton(AF_INET6, address.host.c_str(), &v6->sin6_addr);
    size = sizeof *v6;
  }
  if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&to), size) == 0) return {};
  if (errno != EINPROGRESS) return std::strerror(errno);
  if (!wait_for(socket.fd(), POLLOUT, deadline)) return "no answer in time";
  int error = 0;
  socklen_t error_size = sizeof error;
  ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &error_size);
  if (error != 0) return std::strerror(error);
  return {};
}

std::optional<std::string> send_all(const Socket& socket, std::string_view bytes,
                                    steady_clock::time_point deadline) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket.fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(socket.fd(), POLLOUT, deadline)) return "the request was not taken in time";
    } else if (errno != EINTR) {
      return std::strerror(errno);
    }
  }
  return {};
}

std::expected<HttpReply, std::string> read_reply(const Socket& socket,
                                                 steady_clock::time_point deadline) {
  http::response_parser<http::string_body> parser;
  parser.body_limit(reply_bytes_max);
  parser.eager(true);
  std::string held;  // Read and not yet parsed.
  std::array<char, 16384> chunk;
  while (!parser.is_done()) {
    const ssize_t count = ::recv(socket.fd(), chunk.data(), chunk.size(), 0);
    boost::system::error_code error;
    if (count > 0) {
      held.append(chunk.data(), static_cast<std::size_t>(count));
      const std::size_t parsed = parser.put(boost::asio::buffer(held), error);
      held.erase(0, parsed);
      if (error == http::error::need_more) error = {};
    } else if (count == 0) {
      if (parser.got_some()) parser.put_eof(error);  // Which must not be called before that.
      if (!error && !parser.is_done()) error = http::error::partial_message;
    } else if (errno == EAGAIN) {
      if (!wait_for(socket.fd(), POLLIN, deadline)) return std::unexpected("no answer in time");
    } else if (errno != EINTR) {
      return std::unexpected(std::strerror(errno));
    }
    if (error)
      return std::unexpected(
          fmt::format("what answers is not a lobby's admin API ({})", error.message()));
  }
  return HttpReply{static_cast<int>(parser.get().result_int()), std::move(parser.get().body())};
}

}  // namespace

std::expected<HttpReply, std::string> http_call(std::string_view address, std::string_view method,
                                                std::string_view path, std::string_view body,
                                                Duration timeout) {
  const auto to = server::parse_address(address);
  if (!to) return std::unexpected(to.error());
  const auto deadline = steady_clock::now() + timeout;
  const auto failed = [&](std::string_view why) {
    return std::unexpected(fmt::format("{}: {}", address, why));
  };
  const bool v6 = to->host.find(':') != std::string::npos;
  const Socket socket(
      ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0) return failed(std::strerror(errno));
  if (const auto why = connect_to(socket, *to, deadline))
    return failed(*why + "; is a lobby running with its admin API there?");

  std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", method,
                                    path, server::format_address(*to));
  if (method == "POST")
    request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
  request += "\r\n";
  if (method == "POST") request += body;
  if (const auto why = send_all(socket, request, deadline)) return failed(*why);
  auto reply = read_reply(socket, deadline);
  if (!reply) return failed(reply.error());
  return reply;
}

}  // namespace muster::cli
