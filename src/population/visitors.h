#pragma once
// Those who have come: they press Match Start, wait, give up, play, rest, press again, go.

#include <cstdint>
#include <vector>

#include "core/effect.h"
#include "population/arrivals.h"
#include "population/report.h"

namespace muster::population {

class Simulation;

class Visitors {
 public:
  explicit Visitors(Simulation& simulation) : s_(simulation) {}

  void arrive(Visit visit);

  // ---- What they had planned.
  void press(std::uint32_t who, std::uint32_t plan);
  void give_up(std::uint32_t who, std::uint32_t plan);
  void leave(std::uint32_t who, std::uint32_t plan);

  // ---- What the lobby tells them.
  void hear(const core::SendWelcome& e);
  void hear(const core::SendTicket& e);
  void hear(const core::SendAssignment& e);
  void hear(const core::SendMatchEnded& e);
  void hear(const core::SendError& e);

  // ---- What their game server does.
  /// A match begins with these.
  void match_begins(const core::StartServerMatch& e);
  /// It was played to its end: somebody won, and ratings move.
  void match_decided(const core::Roster& roster, std::uint64_t luck);

  std::uint64_t seed_of_player(core::PlayerId player) const;
  /// Players in the lobby, and of them those who wait.
  std::uint32_t players() const { return players_; }
  std::uint32_t waiting() const { return waiting_; }

 private:
  enum class State : std::uint8_t { gone, resting, waiting, playing };
  struct Visitor {
    Visit visit;
    State state = State::gone;
    std::uint32_t generation = 0;  // Of their session.
    std::uint32_t plan = 0;
    std::uint32_t pressed = 0;  // How often.
    std::uint32_t played = 0;   // Matches to their end.
    core::PlayerId player;
    core::Rating rating = 0;     // As shown now.
    core::QueueIndex queue = 0;  // Waits there now: the one pressed for, or a timeout_queue.
    std::size_t band = 0;        // Of the rating, when pressed.
    Time since{};                // Pressed, or put back into the queue.
    Time found{};                // The match was formed.
  };
  /// The four places where a ticket is counted.
  template <class F>
  void count(const Visitor& visitor, F f);
  void count_waiting(Visitor& visitor);
  void ticket_ends(Visitor& visitor, std::uint32_t who, std::uint64_t Waits::* how);
  void rest(Visitor& visitor, std::uint32_t who);
  void rate(const Visitor& visitor);
  core::SessionId session_of(std::uint32_t who) const { return {who, visitors_[who].generation}; }
  Stream stream_of(const Visitor& visitor, std::uint64_t purpose) const;
  Visitor& visitor_of(core::PlayerId player) { return visitors_[of_player_[player.slot]]; }

  Simulation& s_;
  std::vector<Visitor> visitors_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> of_player_;  // By slot of the core's player.
  std::uint32_t players_ = 0;
  std::uint32_t waiting_ = 0;
  std::vector<std::int64_t> skills_, ratings_,
      seats_;  // Of a match's teams; kept for their memory.
};

}  // namespace muster::population
