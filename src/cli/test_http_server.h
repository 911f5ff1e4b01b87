#pragma once
// A server for tests: on a free loopback port, takes one request, answers what it was given,
// closes.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <utility>

#include "base/check.h"

namespace muster::cli {

class TestHttpServer {
 public:
  static constexpr const char* silent = "silent";  ///< As the answer: none, and no close.

  explicit TestHttpServer(std::string answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&here), size) == 0, "loopback is there");
    CHECK(::listen(listener_, 1) == 0, "a bound socket can listen");
    CHECK(::getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size) == 0,
          "it has a name");
    port_ = ntohs(here.sin_port);
    CHECK(::pipe(stop_.data()) == 0, "a pipe is to be had");
    thread_ = std::thread([this] { serve(); });
  }
  ~TestHttpServer() {
    finish();
    for (const int fd : {listener_, stop_[0], stop_[1]}) ::close(fd);
  }
  TestHttpServer(const TestHttpServer&) = delete;
  TestHttpServer& operator=(const TestHttpServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// What was asked; waits until that is over.
  std::string request() {
    finish();
    return request_;
  }

 private:
  void finish() {
    if (!thread_.joinable()) return;
    CHECK(::write(stop_[1], "x", 1) == 1, "a pipe takes a byte");
    thread_.join();
  }

  /// False when told to stop and nothing more is there to read.
  bool readable(int fd) const {
    std::array<pollfd, 2> waiting{{{fd, POLLIN, 0}, {stop_[0], POLLIN, 0}}};
    return ::poll(waiting.data(), waiting.size(), -1) > 0 && waiting[0].revents != 0;
  }

  /// Whether head and body, as long as the head says, are there.
  bool whole() const {
    const std::size_t head = request_.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const std::string name = "Content-Length: ";
    const std::size_t length = request_.find(name);
    const std::size_t body = length < head ? std::stoul(request_.substr(length + name.size())) : 0;
    return request_.size() >= head + 4 + body;
  }

  void serve() {
    if (!readable(listener_)) return;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    std::array<char, 4096> chunk;
    while (!whole() && readable(fd)) {
      const ssize_t count = ::recv(fd, chunk.data(), chunk.size(), 0);
      if (count <= 0) break;
      request_.append(chunk.data(), static_cast<std::size_t>(count));
    }
    if (answer_ == silent) {
      pollfd told{stop_[0], POLLIN, 0};
      ::poll(&told, 1, -1);
    } else {
      std::size_t sent = 0;
      while (sent < answer_.size()) {
        const ssize_t count =
            ::send(fd, answer_.data() + sent, answer_.size() - sent, MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += static_cast<std::size_t>(count);
      }
    }
    ::close(fd);
  }

  std::string answer_;
  std::string request_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::array<int, 2> stop_{};
  std::thread thread_;
};

}  // namespace muster::cli
