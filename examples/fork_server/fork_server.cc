// A game server that takes seconds to load: fork_server MEGABYTES. It makes a landscape of that
// size and stops at its fork point; each launch is then a copy of it that has the landscape
// already. A player sends their join token as a line, is told where they stand ("ann stands at
// height 812"), and is done; so is the match when all are.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "muster/gs.hpp"

namespace {

using std::chrono::milliseconds;

/// A square of heights, each a sum of smooth noise at five scales. The same for everybody.
class Landscape {
 public:
  explicit Landscape(std::size_t megabytes) {
    while ((side_ + 1) * (side_ + 1) * sizeof(std::uint32_t) <= megabytes << 20) ++side_;
    heights_.reserve(side_ * side_);
    for (std::uint32_t y = 0; y < side_; ++y)
      for (std::uint32_t x = 0; x < side_; ++x) heights_.push_back(make_height(x, y));
  }

  std::uint32_t height_at(std::size_t place) const { return heights_[place % heights_.size()]; }

 private:
  /// A number that looks random, at the corners of a lattice.
  static std::uint32_t corner(std::uint32_t x, std::uint32_t y) {
    std::uint32_t h = x * 0x85ebca6bu ^ y * 0xc2b2ae35u;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    return (h ^ h >> 13) & 0xff;
  }

  static std::uint32_t make_height(std::uint32_t x, std::uint32_t y) {
    std::uint32_t height = 0;
    for (std::uint32_t scale = 4; scale <= 8; ++scale) {
      const std::uint32_t cx = x >> scale, cy = y >> scale, size = 1u << scale;
      const std::uint32_t fx = x & (size - 1), fy = y & (size - 1);
      const std::uint32_t top = corner(cx, cy) * (size - fx) + corner(cx + 1, cy) * fx;
      const std::uint32_t low = corner(cx, cy + 1) * (size - fx) + corner(cx + 1, cy + 1) * fx;
      height += (top * (size - fy) + low * fy) >> (scale + 4);
    }
    return height;
  }

  std::size_t side_ = 1;
  std::vector<std::uint32_t> heights_;
};

int listen_on(std::uint16_t port) {
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_port = htons(port);
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 ||
      listen(listener, 16) != 0)
    return -1;
  return listener;
}

std::string read_line(int player) {
  const timeval patience{1, 0};
  setsockopt(player, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  std::string line;
  for (char c; line.size() < MUSTER_GS_JOIN_TOKEN_BYTES_MAX && recv(player, &c, 1, 0) == 1;) {
    if (c == '\n') break;
    line += c;
  }
  return line;
}

class Game {
 public:
  Game(muster::gs::Server server, const Landscape& landscape, int listener)
      : server_(std::move(server)), landscape_(landscape), listener_(listener) {}

  int run() {
    for (;;) {
      pollfd fds[] = {{listener_, POLLIN, 0}, {static_cast<int>(server_.socket()), POLLIN, 0}};
      poll(fds, 2, static_cast<int>(server_.poll_within().count()));
      if (!hear()) return 1;
      if (fds[0].revents != 0) serve(accept(listener_, nullptr, nullptr));
    }
  }

 private:
  /// False once the node has no use for this server.
  bool hear() {
    for (;;) {
      const auto event = server_.poll(milliseconds{0});
      if (!event) return false;
      switch (event->type) {
        case muster::gs::EventType::none:
          return true;
        case muster::gs::EventType::match_started:
          awaited_ = server_.current_match()->players.size();
          break;
        case muster::gs::EventType::player_removed:
          one_less();
          break;
        case muster::gs::EventType::match_ended:
          server_.ready(milliseconds{0});
          break;
      }
    }
  }

  void serve(int player) {
    if (player < 0) return;
    const auto join = server_.verify_join(read_line(player), milliseconds{1000});
    std::string answer = "no\n";
    if (join) {
      std::size_t place = 0;
      for (const char c : join->name) place = place * 131 + static_cast<unsigned char>(c);
      answer =
          join->name + " stands at height " + std::to_string(landscape_.height_at(place)) + '\n';
    }
    send(player, answer.data(), answer.size(), MSG_NOSIGNAL);
    close(player);
    // The match may have started since it was last asked about.
    if (join && hear()) one_less();
  }

  void one_less() {
    if (awaited_ > 0 && --awaited_ == 0) server_.match_over("", muster::gs::forever);
  }

  muster::gs::Server server_;
  const Landscape& landscape_;
  const int listener_;
  std::size_t awaited_ = 0;  // Players of the match who are neither served nor removed.
};

}  // namespace

int main(int argc, char** argv) {
  const long megabytes = argc == 2 ? std::atol(argv[1]) : 0;
  if (megabytes < 1 || megabytes > 4096) {
    std::fprintf(stderr, "fork_server MEGABYTES: how large the landscape is, 1 to 4096\n");
    return 2;
  }
  const Landscape landscape(static_cast<std::size_t>(megabytes));
  std::printf("loaded\n");

  const muster::gs::Status status = muster::gs::fork_point();
  if (status != MUSTER_GS_OK) {
    std::fprintf(stderr, "fork point: %s\n", muster::gs::to_string(status));
    return 1;
  }
  // Here each game server is a process of its own.
  muster::gs::Status why{};
  auto server = muster::gs::Server::create(&why);
  if (!server) {
    std::fprintf(stderr, "fork_server: %s\n", muster::gs::to_string(why));
    return 2;
  }
  const int listener = listen_on(muster::gs::port());
  if (listener < 0) {
    std::perror("fork_server: cannot listen");
    return 1;
  }
  std::printf("serving\n");
  std::fflush(stdout);
  if (server->ready(milliseconds{10'000}) != MUSTER_GS_OK) return 1;
  return Game(std::move(*server), landscape, listener).run();
}
