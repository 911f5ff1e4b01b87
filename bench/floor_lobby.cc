#include "bench/floor_lobby.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "proto/player.pb.h"
#include "wire/frame.h"

namespace muster::bench {
namespace {

constexpr int nobody = -1;

/// A connection's whole memory: what it has said so far. Indexed by descriptor.
enum class Said : std::uint8_t { nothing, opening, hello };

/// What the child of clone() needs; its memory is its parent's.
struct Exec {
  const char* program;
  char* const* arguments;
};

}  // namespace

pid_t launch_static_program(const std::string& program, std::uint16_t port,
                            std::uint16_t register_port) {
  std::string texts[] = {program, "--bare", fmt::format("{}", port),
                         fmt::format("{}", register_port)};
  char* arguments[] = {texts[0].data(), texts[1].data(), texts[2].data(), texts[3].data(), nullptr};
  Exec exec{program.c_str(), arguments};
  alignas(16) static char stack[16384];
  const auto child = [](void* what) -> int {
    const Exec& e = *static_cast<Exec*>(what);
    char* no_environment[] = {nullptr};
    ::execve(e.program, e.arguments, no_environment);
    ::_exit(127);
  };
  const pid_t pid = ::clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &exec);
  if (pid < 0) throw std::runtime_error(fmt::format("clone: {}", std::strerror(errno)));
  return pid;
}

namespace {

class Floor {
 public:
  Floor(const FloorOptions& options, const Fd& players, const Fd& game_servers)
      : options_(options),
        players_(players),
        game_servers_(game_servers),
        register_port_(fmt::format("{}", port_of(game_servers))) {
    epoll_.add(players.get(), static_cast<std::uint64_t>(players.get()));
    epoll_.add(game_servers.get(), static_cast<std::uint64_t>(game_servers.get()));
    wire::player::LobbyMessage message;
    message.mutable_ping()->set_number(1);
    wire::append_frame(ping_, message);
  }

  void run() {
    for (;;) {
      const auto timeout = std::chrono::milliseconds(options_.ping_interval.count() > 0 ? 10 : -1);
      epoll_.wait(timeout, [&](std::uint64_t tag) { readable(static_cast<int>(tag)); });
      if (options_.ping_interval.count() > 0) ping_those_due();
    }
  }

 private:
  void readable(int fd) {
    if (fd == players_.get()) {
      while (admit(accept_from(players_))) continue;
    } else if (fd == game_servers_.get()) {
      while (admit(accept_from(game_servers_))) continue;
    } else {
      const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), 0);
      if (got <= 0) {
        ::close(fd);
      } else if (waiting_for_server_ && got == 4 && buffer_[1] == 100) {  // It registers: Ready.
        waiting_for_server_ = false;
        assign();
        ::close(fd);
      } else {
        heard(fd, {buffer_.data(), static_cast<std::size_t>(got)});
      }
    }
  }

  bool admit(Fd connection) {
    if (connection.get() < 0) return false;
    const int fd = connection.release();  // Its number is all that is kept.
    if (static_cast<std::size_t>(fd) >= said_.size()) said_.resize(fd + 1024);
    said_[fd] = Said::nothing;
    epoll_.add(fd, static_cast<std::uint64_t>(fd));
    connected_.push_back(fd);
    return true;
  }

  void heard(int fd, std::string_view bytes) {
    if (said_[fd] == Said::nothing && bytes.starts_with("MUST")) {
      said_[fd] = Said::opening;
      bytes.remove_prefix(4);
    }
    while (bytes.size() >= 4) {
      const std::size_t whole = 4 + static_cast<std::uint8_t>(bytes[0]);  // None is longer.
      const std::string_view payload = bytes.substr(4, whole - 4);
      if (said_[fd] == Said::opening) {
        said_[fd] = Said::hello;
        send_all(fd, transcript_.welcome);
      } else if (static_cast<std::uint8_t>(payload[0]) >> 3 != 7) {  // Anything but a Pong.
        pressed(fd);
      }
      bytes.remove_prefix(std::min(whole, bytes.size()));
    }
  }

  void pressed(int fd) {
    if (first_ == nobody) {
      first_ = fd;
      send_all(fd, transcript_.first_ticket);
      return;
    }
    second_ = fd;
    if (options_.game_server.empty())
      assign();
    else
      launch();
  }

  void assign() {
    send_all(second_, transcript_.second_all);
    send_all(first_, transcript_.first_rest);
    first_ = second_ = nobody;
  }

  void launch() {
    waiting_for_server_ = true;
    const std::uint16_t port = options_.game_port_first + launches_++ % 1000;
    launch_static_program(options_.game_server, port, port_of(game_servers_));
  }

  /// Evenly over the interval, each connection in its turn.
  void ping_those_due() {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - started_;
    const std::chrono::duration<double> interval = options_.ping_interval;
    const double due = elapsed / interval * static_cast<double>(connected_.size());
    for (; static_cast<double>(pinged_) < due; ++pinged_)
      send_all(connected_[pinged_ % connected_.size()], ping_);
  }

  const FloorOptions options_;
  const Transcript& transcript_ = options_.transcript;
  const Fd& players_;
  const Fd& game_servers_;
  const std::string register_port_;
  Epoll epoll_;
  std::vector<Said> said_;
  std::vector<int> connected_;
  std::vector<char> buffer_ = std::vector<char>(64u << 10);
  int first_ = nobody, second_ = nobody;
  bool waiting_for_server_ = false;
  std::uint16_t launches_ = 0;
  std::string ping_;
  std::size_t pinged_ = 0;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
};

}  // namespace

FloorLobby::FloorLobby(const FloorOptions& options) {
  const Fd players = listen_on_loopback();
  const Fd game_servers = listen_on_loopback();
  port_ = port_of(players);
  process_ = fork_and_run([&] {
    std::signal(SIGCHLD, SIG_IGN);  // Ended game servers are reaped by the kernel.
    Floor(options, players, game_servers).run();
  });
}

}  // namespace muster::bench
