// The duel's player, in a terminal:
//
//   duel_client HOST PORT TOKEN [--bot]
//
// Muster starts it with what the lobby assigned: `muster play --queue duel -- duel_client {host}
// {port} {token}`. With --bot it plays by itself. The lines it speaks are in duel_server.cc.
// Exit code: 0 if the duel was played to its end, 1 if not, 2 for wrong arguments.

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "duel.h"

namespace {

constexpr std::size_t line_bytes_max = 1024;
constexpr int bot_patience_ms = 60'000;

int connect_to(const char* host, const char* port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host, port, &hints, &found); error != 0) {
    std::fprintf(stderr, "%s:%s: %s\n", host, port, gai_strerror(error));
    return -1;
  }
  int fd = -1;
  for (const addrinfo* at = found; at && fd < 0; at = at->ai_next) {
    fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
    if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
      close(fd);
      fd = -1;
    }
  }
  freeaddrinfo(found);
  if (fd < 0) std::perror((std::string(host) + ":" + port).c_str());
  const int on = 1;
  if (fd >= 0) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

/// Lines from a descriptor, without waiting for more than one at a time.
class Lines {
 public:
  explicit Lines(int fd) : fd_(fd) {}

  /// Reads once. False at the end of the input, or if a line gets too long.
  bool read() {
    char bytes[512];
    const ssize_t count = ::read(fd_, bytes, sizeof bytes);
    if (count <= 0) return false;
    held_.append(bytes, static_cast<std::size_t>(count));
    return held_.size() <= line_bytes_max || held_.find('\n') != std::string::npos;
  }

  std::optional<std::string> next() {
    const auto end = held_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = held_.substr(0, end);
    held_.erase(0, end + 1);
    return line;
  }

 private:
  int fd_;
  std::string held_;
};

class Player {
 public:
  Player(int fd, std::string token, bool bot)
      : fd_(fd), token_(std::move(token)), bot_(bot), server_(fd), keys_(STDIN_FILENO) {}

  int play() {
    say("join " + token_);
    bool keys_open = !bot_;
    for (;;) {
      pollfd fds[] = {{fd_, POLLIN, 0}, {keys_open ? STDIN_FILENO : -1, POLLIN, 0}};
      if (poll(fds, 2, bot_ ? bot_patience_ms : -1) <= 0) return failed("the server fell silent");
      if (fds[0].revents) {
        const bool open = server_.read();
        while (const auto line = server_.next()) obey(*line);
        if (!open) return ended_ ? 0 : failed("the server closed the connection");
      }
      if (fds[1].revents) {
        keys_open = keys_.read();
        while (const auto line = keys_.next()) choose(*line);
        if (!keys_open) return failed("you have left");
      }
    }
  }

 private:
  void obey(const std::string& line) {
    std::istringstream in(line);
    std::string word;
    in >> word;
    if (word == "hello") {
      std::cout << line << "\n";
      if (!bot_)
        std::cout << "Attack beats feint, feint beats guard, guard beats attack. "
                     "First letters will do.\n";
    } else if (word == "round") {
      std::string you, they;
      int mine = 0, theirs = 0;
      in >> round_ >> you >> mine >> they >> theirs;
      std::cout << "round " << round_ << "  you " << bar(mine) << "  they " << bar(theirs) << "\n";
      if (bot_)
        say(std::string(duel::to_string(duel::bot_move(token_, round_))));
      else
        prompt();
    } else if (word == "moves") {
      std::string mine, theirs;
      in >> mine >> theirs;
      std::cout << "         you " << mine << ", they " << theirs << outcome(mine, theirs) << "\n";
    } else if (word == "end") {
      ended_ = true;
      in >> word;
      std::cout << (word == "won"    ? "You have won."
                    : word == "lost" ? "You have lost."
                    : word == "draw" ? "A draw."
                                     : "The duel was stopped.")
                << "\n";
    } else {
      std::cout << line << "\n";
    }
    std::cout.flush();
  }

  void choose(const std::string& line) {
    if (const auto move = duel::move_from(line))
      say(std::string(duel::to_string(*move)));
    else
      prompt();
  }

  void prompt() { std::cout << "attack, guard or feint? " << std::flush; }

  static std::string bar(int hit_points) {
    const int full = hit_points < 0 ? 0 : hit_points;
    return std::string(static_cast<std::size_t>(full), '#') +
           std::string(static_cast<std::size_t>(duel::hit_points_at_start - full), '.');
  }

  static std::string outcome(const std::string& mine, const std::string& theirs) {
    const auto a = duel::move_from(mine);
    const auto b = duel::move_from(theirs);
    if (!a || !b) return "";
    const int lost = duel::damage(*a, *b);
    const int dealt = duel::damage(*b, *a);
    std::string text;
    if (dealt > 0) text += ", you hit for " + std::to_string(dealt);
    if (lost > 0) text += ", it costs you " + std::to_string(lost);
    return text.empty() ? ", nothing happens" : text;
  }

  void say(const std::string& line) {
    const std::string bytes = line + '\n';
    // A failure shows in the next read.
    (void)!send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  static int failed(const char* why) {
    std::fprintf(stderr, "%s\n", why);
    return 1;
  }

  int fd_;
  std::string token_;
  bool bot_;
  Lines server_;
  Lines keys_;
  int round_ = 0;
  bool ended_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  const bool bot = argc == 5 && std::string_view(argv[4]) == "--bot";
  if (argc != 4 && !bot) {
    std::fprintf(stderr, "usage: duel_client HOST PORT TOKEN [--bot]\n");
    return 2;
  }
  const int fd = connect_to(argv[1], argv[2]);
  if (fd < 0) return 1;
  return Player(fd, argv[3], bot).play();
}
