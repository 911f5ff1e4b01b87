#include <fmt/format.h>

#include <memory>
#include <optional>

#include "bench/benchmarks.h"
#include "bench/floor_lobby.h"
#include "bench/lobby.h"
#include "bench/players.h"

namespace muster::bench {
namespace {

struct Idle {
  double bytes_per_player = 0;
  double cpu_percent = 0;  // Of one core, for all of them.
};

struct Plan {
  std::uint32_t players;
  std::chrono::seconds watched;
};

/// The first few hundred players pay for what every lobby has; the next ones are counted.
Idle measure(std::uint16_t port, pid_t lobby, Dialect dialect, const Plan& plan) {
  Players players(port, dialect, 500);
  players.idle_for(std::chrono::milliseconds(300));
  const double before = static_cast<double>(private_bytes(lobby));
  players.add(plan.players);
  players.idle_for(std::chrono::milliseconds(300));
  const double after = static_cast<double>(private_bytes(lobby));

  const double cpu_before = cpu_microseconds(lobby);
  players.idle_for(plan.watched);
  const double cpu = cpu_microseconds(lobby) - cpu_before;
  const std::chrono::duration<double, std::micro> watched = plan.watched;
  return {(after - before) / plan.players, 100 * cpu / watched.count()};
}

}  // namespace

std::vector<Row> bench_idle(const BenchOptions& options) {
  // Watched for whole heartbeats, so that each player has had as many as it would have had.
  constexpr std::uint32_t ping_seconds = 20;
  const Plan plan{options.quick ? 5000u : 15'000u,
                  std::chrono::seconds(options.quick ? ping_seconds : 2 * ping_seconds)};
  FloorOptions floor_options;
  floor_options.transcript = sample_transcript();
  floor_options.ping_interval = std::chrono::seconds(ping_seconds);
  Idle floor;
  {
    const FloorLobby lobby(floor_options);
    floor = measure(lobby.port(), lobby.pid(), Dialect::native, plan);
  }
  std::optional<Idle> native, websocket;
  if (!options.muster.empty()) {
    LobbyOptions lobby_options{.muster = options.muster, .game_server = options.game_server};
    lobby_options.ping_seconds = ping_seconds;
    {
      const Lobby lobby(lobby_options);
      native = measure(lobby.port(), lobby.pid(), Dialect::native, plan);
    }
    const Lobby lobby(lobby_options);
    websocket = measure(lobby.port(), lobby.pid(), Dialect::websocket, plan);
  }
  const auto of = [](const std::optional<Idle>& idle, double Idle::* member) {
    return idle ? std::optional<double>((*idle).*member) : std::nullopt;
  };
  const std::string cpu = fmt::format("{} idle, CPU of a core, ", plan.players);
  return {{"idle native player, memory", "bytes", of(native, &Idle::bytes_per_player),
           floor.bytes_per_player, "under 1024"},
          {"idle WebSocket player, memory", "bytes", of(websocket, &Idle::bytes_per_player),
           floor.bytes_per_player, "under 2048"},
          {cpu + "native", "%", of(native, &Idle::cpu_percent), floor.cpu_percent,
           "under 3 for 15,000"},
          {cpu + "WebSocket", "%", of(websocket, &Idle::cpu_percent), floor.cpu_percent,
           "under 3 for 15,000"}};
}

}  // namespace muster::bench
