#pragma once
// The game servers of a simulated day: launched, Ready, playing, ended.

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/effect.h"
#include "population/schedule.h"

namespace muster::population {

class Simulation;

class GameServers {
 public:
  explicit GameServers(Simulation& simulation);

  /// There is a node for them.
  void connect();

  // ---- What the lobby asks.
  void launch(const core::LaunchServer& e);
  void stop(const core::StopServer& e);
  void start_match(const core::StartServerMatch& e);
  void end_match(const core::EndServerMatch& e);

  // ---- What they had planned.
  void ready(std::uint32_t slot, std::uint32_t plan);
  void not_ready(std::uint32_t slot, std::uint32_t plan);
  void match_over(std::uint32_t slot, std::uint32_t plan);
  void crash(std::uint32_t slot, std::uint32_t plan);
  void exit(std::uint32_t slot, std::uint32_t plan);

  /// How long they were what, up to now, into the report.
  void finish();

 private:
  enum class State : std::uint8_t { gone, starting, ready, playing, stopping };
  static constexpr std::size_t states = 5;
  struct GameServer {
    core::ServerId id;
    core::FleetIndex fleet = 0;
    State state = State::gone;
    std::uint32_t plan = 0;
    core::MatchId match;
    core::QueueIndex queue = 0;  // Of the match.
    std::shared_ptr<const core::Roster> roster;
    std::uint64_t luck = 0;  // Of its match.
  };
  struct Fleet {
    std::array<std::uint32_t, states> now{};
    std::array<std::int64_t, states> spent_us{};  // Since midnight.
    Time since{};
  };
  GameServer& at(core::ServerId id);
  bool current(std::uint32_t slot, std::uint32_t plan) const {
    return slot < servers_.size() && servers_[slot].plan == plan;
  }
  void become(GameServer& server, State state);
  void add_up(core::FleetIndex index);

  Simulation& s_;
  std::vector<GameServer> servers_;  // By slot.
  std::vector<Fleet> fleets_;
  std::uint64_t launches_ = 0;
};

}  // namespace muster::population
