// The core's share of the lobby's aims: time per ticket from StartMatch to assignment, and bytes
// per player. No socket, no message: only what every step costs.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "core/core.h"
#include "core/state.h"

namespace muster::core {
namespace {

/// A lobby with a node on which every server launched is Ready at once, and players that have said
/// hello.
class Lobby {
 public:
  Lobby(Config config, std::uint32_t players) : core_(std::move(config)) {
    step(NodeConnected{{0, 1}, "box", "127.0.0.1", {}, {}});
    make_ready();
    for (std::uint32_t i = 0; i < players; ++i) {
      step(SessionOpened{session(i)});
      step(Hello{session(i), 1, "player " + std::to_string(i), {}});
      effects_.clear();
    }
  }

  static SessionId session(std::uint32_t i) { return {i, 1}; }

  /// What came of this step. Stays good until the next.
  const Effects& step(const Event& event) {
    now_ += std::chrono::microseconds{1};
    effects_.clear();
    core_.step(event, now_, effects_);
    return effects_;
  }

  const Effects& start(std::uint32_t player, std::int32_t seats = 1) {
    return step(StartMatch{session(player), 2, "duel", seats, {}});
  }

  void make_ready() {
    std::vector<ServerId> starting;
    core_.state().servers.for_each([&](ServerId id, const Server& server) {
      if (server.state == ServerState::starting) starting.push_back(id);
    });
    for (const ServerId id : starting) step(ServerReady{id});
  }

  void end_all_matches() {
    std::vector<MatchOver> over;
    core_.state().matches.for_each(
        [&](MatchId id, const Match& match) { over.push_back({match.server, id, {}}); });
    for (const MatchOver& event : over) step(event);
  }

  void end_all_servers() {
    std::vector<ServerId> servers;
    core_.state().servers.for_each([&](ServerId id, const Server&) { servers.push_back(id); });
    for (const ServerId id : servers) step(ServerExited{id, 0, 0, {}});
  }

  std::uint32_t players_playing() const {
    std::uint32_t playing = 0;
    core_.state().players.for_each(
        [&](PlayerId, const Player& player) { playing += static_cast<bool>(player.match); });
    return playing;
  }

 private:
  Core core_;
  Time now_{};
  Effects effects_;
};

Config config_of(std::uint32_t servers, std::uint32_t ready_min, std::uint32_t players = 2) {
  Config config;
  config.players_max = 1'000'000;
  FleetConfig fleet;
  fleet.name = "duel";
  fleet.command = {"duel"};
  fleet.ports = {1024, 65535};
  fleet.servers_max = servers;
  fleet.ready_min = ready_min;
  config.fleets = {fleet};
  QueueConfig queue;
  queue.name = "duel";
  queue.players = players;
  queue.ticket_timeout = std::chrono::hours{24};
  config.queues = {queue};
  return config;
}

/// Two players press Match Start, are sent to a Ready server, and are done, while as many servers
/// as the argument says play other matches. Items are tickets.
void warm_match_bench(benchmark::State& state) {
  const auto others = static_cast<std::uint32_t>(state.range(0));
  Lobby lobby(config_of(others + 1, 1), 2 * others + 2);
  for (std::uint32_t i = 2; i < 2 * others + 2; ++i) {
    lobby.start(i);
    lobby.make_ready();
  }
  CHECK(lobby.players_playing() == 2 * others, "the others play");
  for (auto _ : state) {
    lobby.start(0);
    const auto& last = std::get<SendAssignment>(lobby.start(1).back());
    lobby.step(MatchOver{last.server, last.match, {}});
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(warm_match_bench)->Arg(10)->Arg(1000)->Arg(9998);

/// The same in a queue in which as many tickets as the argument says wait for one that fits: two
/// seats each in matches of three. Items are tickets.
void mixed_sizes_bench(benchmark::State& state) {
  const auto waiting = static_cast<std::uint32_t>(state.range(0));
  Lobby lobby(config_of(1, 1, 3), waiting + 1);
  for (std::uint32_t i = 0; i < waiting; ++i) lobby.start(i, 2);
  std::uint32_t oldest = 0;
  for (auto _ : state) {
    const auto& last = std::get<SendAssignment>(lobby.start(waiting).back());
    lobby.step(MatchOver{last.server, last.match, {}});
    lobby.start(oldest, 2);
    oldest = (oldest + 1) % waiting;
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(mixed_sizes_bench)->Arg(10)->Arg(1000)->Arg(10000);

/// One match of as many players as the argument says: each one who presses Match Start is told to
/// all who wait already. Items are tickets.
void large_match_bench(benchmark::State& state) {
  const auto players = static_cast<std::uint32_t>(state.range(0));
  Lobby lobby(config_of(1, 1, players), players);
  for (auto _ : state) {
    for (std::uint32_t i = 0; i + 1 < players; ++i) lobby.start(i);
    const auto& last = std::get<SendAssignment>(lobby.start(players - 1).back());
    lobby.step(MatchOver{last.server, last.match, {}});
  }
  state.SetItemsProcessed(state.iterations() * players);
}
BENCHMARK(large_match_bench)->Arg(10)->Arg(256);

/// All players press Match Start one after the other, all servers are Ready. Items are tickets.
void warm_burst_bench(benchmark::State& state) {
  const auto players = static_cast<std::uint32_t>(state.range(0));
  Lobby lobby(config_of(players / 2, players / 2), players);
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < players; ++i) lobby.start(i);
    state.PauseTiming();
    CHECK(lobby.players_playing() == players, "all have been assigned");
    lobby.end_all_matches();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * players);
}
BENCHMARK(warm_burst_bench)->Arg(4000)->Unit(benchmark::kMicrosecond);

/// The same with no server Ready: all are launched, then all become Ready. Items are tickets.
void cold_burst_bench(benchmark::State& state) {
  const auto players = static_cast<std::uint32_t>(state.range(0));
  Config config = config_of(players / 2, 0);
  config.fleets.front().after_match = AfterMatch::exit;
  Lobby lobby(config, players);
  for (auto _ : state) {
    for (std::uint32_t i = 0; i < players; ++i) lobby.start(i);
    lobby.make_ready();
    state.PauseTiming();
    CHECK(lobby.players_playing() == players, "all have been assigned");
    lobby.end_all_matches();
    lobby.end_all_servers();
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * players);
}
BENCHMARK(cold_burst_bench)->Arg(4000)->Unit(benchmark::kMicrosecond);

std::size_t bytes_in_use() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

/// Bytes of the heap for each player that has said hello and does nothing, and for each that waits.
void idle_player_bench(benchmark::State& state) {
  const auto players = static_cast<std::uint32_t>(state.range(0));
  double idle = 0, queued = 0;
  for (auto _ : state) {
    const std::size_t before = bytes_in_use();
    Lobby lobby(config_of(1, 0, 256), players);
    const std::size_t with_players = bytes_in_use();
    for (std::uint32_t i = 0; i < players; ++i) lobby.start(i, 255);
    idle = static_cast<double>(with_players - before) / players;
    queued = static_cast<double>(bytes_in_use() - with_players) / players;
  }
  state.counters["bytes_per_idle_player"] = idle;
  state.counters["bytes_more_if_queued"] = queued;
}
BENCHMARK(idle_player_bench)->Arg(15000)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace muster::core
