#pragma once
// Loopback sockets and epoll, as bare as they come.

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

namespace muster::bench {

/// A file descriptor and its closing.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd();
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// Listens on 127.0.0.1; port 0 picks one. Non-blocking.
Fd listen_on_loopback(std::uint16_t port = 0);
std::uint16_t port_of(const Fd& listener);
/// Connected, non-blocking, TCP_NODELAY. Nothing (get() < 0) if nobody listens.
Fd connect_to_loopback(std::uint16_t port);
/// Accepts without blocking, TCP_NODELAY. get() < 0 if nobody waits.
Fd accept_from(const Fd& listener);
/// All of it, waiting where it must; false if the other end is gone.
bool send_all(int fd, std::string_view bytes);
/// As many open files as the machine lets this process have.
void raise_file_limit();

class Epoll {
 public:
  Epoll();
  void add(int fd, std::uint64_t tag);
  /// Calls f(tag) for each descriptor that can be read or has ended.
  template <class F>
  void wait(std::chrono::milliseconds timeout, F&& f) {
    const int ready = wait_for(static_cast<int>(timeout.count()));
    for (int i = 0; i < ready; ++i) f(events_[i].data.u64);
  }

 private:
  int wait_for(int timeout_ms);

  Fd epoll_;
  epoll_event events_[512];
};

}  // namespace muster::bench
