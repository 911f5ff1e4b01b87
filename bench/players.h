#pragma once
// Players of one process: connected, logged in as guests, driven by one epoll loop. The same client
// for the product and for the floors.

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/player_messages.h"
#include "bench/sockets.h"
#include "wire/frame.h"

namespace muster::bench {

/// Messages received.
struct Counts {
  std::uint32_t welcomes = 0, tickets = 0, assignments = 0, ended = 0, pings = 0;
};

class Players {
 public:
  /// Connects to 127.0.0.1:port and says hello, a few hundred at a time. Throws if one is refused.
  Players(std::uint16_t port, Dialect dialect, std::uint32_t count);

  /// Connects so many more.
  void add(std::uint32_t count);

  /// Sends StartMatch for queue "bench".
  void press(std::uint32_t player);
  /// The same for queue "alone": waits until it is left.
  void wait_alone(std::uint32_t player);

  /// Everybody connects again at once, with their session tokens; those whom nobody listens to try
  /// again every millisecond. Throws if one is refused.
  void come_back();
  /// Since come_back() began, in milliseconds: the first to be welcome, and the last.
  double first_back() const { return first_back_; }
  double last_back() const { return last_back_; }

  /// Serves all connections until done(); throws after 30 s, naming `what` was waited for.
  template <class F>
  void wait_until(const char* what, F&& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) serve(deadline, what);
  }
  /// Answers pings for so long.
  void idle_for(std::chrono::milliseconds time);

  const Counts& of(std::uint32_t player) const { return players_[player].counts; }
  const Counts& all() const { return all_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(players_.size()); }

  /// Called with every message received, if set.
  std::function<void(std::uint32_t player, std::string_view message)> on_message;

 private:
  struct Player {
    Fd fd;
    Counts counts;
    std::string session_token;  // native
    bool open = false;          // websocket: the upgrade has been answered.
    wire::FrameReader frames{1u << 20};
    std::string partial;  // websocket: what is not yet a whole message.
  };

  void serve(std::chrono::steady_clock::time_point deadline, const char* what);
  void welcome(Player& player, std::string_view message);
  void read_from(std::uint32_t index);
  void take_websocket(std::uint32_t index, std::string_view bytes);
  void take(std::uint32_t index, std::string_view message);

  std::uint16_t port_;
  Dialect dialect_;
  std::string press_bytes_;
  std::vector<Player> players_;
  Counts all_;
  std::chrono::steady_clock::time_point came_back_at_{};
  double first_back_ = 0, last_back_ = 0;
  Epoll epoll_;
  std::vector<char> buffer_ = std::vector<char>(256u << 10);
};

/// One match of players 0 and 1. Returns microseconds from the second press to both assignments.
double play_match(Players& players);

/// Plays a match on the product and keeps the lobby's frames.
Transcript record_match(Players& players);

}  // namespace muster::bench
