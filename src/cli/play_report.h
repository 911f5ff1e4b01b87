#pragma once
// What `muster play` prints: a line per event, for people or as JSON.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <muster/client.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

class PlayReport {
 public:
  /// With `players` above lines_players_max only errors get a line of their own, and the summary
  /// says the rest. JSON always has every event.
  PlayReport(std::FILE* out, bool json, std::uint32_t players);

  static constexpr std::uint32_t lines_players_max = 20;

  /// `since` is how long after the player's last event this one came; `at` after the start.
  void event(std::string_view player, const client::Event& event, std::chrono::nanoseconds since,
             std::chrono::nanoseconds at);
  /// Something of our own: "connecting to 127.0.0.1:4100". Not in JSON.
  void note(std::string_view player, std::string_view text);
  /// How long a player waited from Match Start to their first assignment.
  void waited(std::chrono::nanoseconds time) { waits_.push_back(time); }
  /// For many players: how many were assigned, and how long it took.
  void summary() const;

 private:
  std::FILE* out_;
  bool json_;
  std::uint32_t players_;
  std::vector<std::chrono::nanoseconds> waits_;
};

/// The event in one line: "assigned 127.0.0.1:7001, team 0 of match 1.1, with bob".
std::string event_text(const client::Event& event, std::string_view player);

/// {"atUs":1500,"player":"ann","event":"assignment",…}: microseconds since the start, and members
/// as in proto/player.proto's JSON.
std::string event_json(const client::Event& event, std::string_view player,
                       std::chrono::nanoseconds at);

}  // namespace muster::cli
