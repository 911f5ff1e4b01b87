#include <memory>
#include <optional>

#include "bench/benchmarks.h"
#include "bench/floor_lobby.h"
#include "bench/lobby.h"
#include "bench/players.h"
#include "bench/stats.h"

namespace muster::bench {
namespace {

constexpr std::uint32_t players_at_once = 4000;

struct Bursts {
  std::vector<double> milliseconds;
  // Of the lobby's process, microseconds: until all are assigned; and with everything after that,
  // the matches' ends and what it does when idle to be ready for more.
  std::vector<double> cpu_per_ticket, whole_cpu_per_ticket;
};

std::optional<double> middle(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  return median(values);
}

/// Everyone presses; over when everyone is assigned.
void burst(Players& players, pid_t lobby, Bursts& bursts) {
  const std::uint32_t assigned = players.all().assignments + players.size();
  const double cpu_before = cpu_microseconds(lobby);
  const auto pressed = std::chrono::steady_clock::now();
  for (std::uint32_t i = 0; i < players.size(); ++i) players.press(i);
  players.wait_until("assignments", [&] { return players.all().assignments >= assigned; });
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - pressed;
  bursts.milliseconds.push_back(took.count());
  bursts.cpu_per_ticket.push_back((cpu_microseconds(lobby) - cpu_before) / players.size());
}

void end_matches(Lobby& lobby, Players& players) {
  const std::uint32_t ended = players.all().ended + players.size();
  lobby.node().end_matches();
  players.wait_until("match ends", [&] { return players.all().ended >= ended; });
  wait_until_idle(lobby.pid());
}

void burst(Players& players, Lobby& lobby, Bursts& bursts) {
  const double before = cpu_microseconds(lobby.pid());
  lobby.node().hold_matches();
  burst(players, lobby.pid(), bursts);
  end_matches(lobby, players);
  bursts.whole_cpu_per_ticket.push_back((cpu_microseconds(lobby.pid()) - before) / players.size());
}

}  // namespace

std::vector<Row> bench_burst(const BenchOptions& options) {
  const std::uint32_t count = options.quick ? players_at_once / 4 : players_at_once;
  const int rounds = options.quick ? 3 : 9;
  FloorOptions floor_options;
  floor_options.transcript = sample_transcript();
  std::unique_ptr<Lobby> product;
  if (!options.muster.empty()) {
    product = std::make_unique<Lobby>(
        LobbyOptions{.muster = options.muster, .game_server = {}, .simulated = count / 2});
    Players recorded(product->port(), Dialect::native, 2);
    floor_options.transcript = record_match(recorded);
    end_matches(*product, recorded);
  }
  const FloorLobby floor(floor_options);
  Players on_floor(floor.port(), Dialect::native, count);
  std::unique_ptr<Players> on_product;
  if (product) on_product = std::make_unique<Players>(product->port(), Dialect::native, count);

  Bursts product_bursts, floor_bursts, warm_up;
  for (int i = 0; i <= rounds; ++i) {
    burst(on_floor, floor.pid(), i == 0 ? warm_up : floor_bursts);
    if (product) burst(*on_product, *product, i == 0 ? warm_up : product_bursts);
  }
  const std::string name = "burst of " + std::to_string(count);
  return {{name + ", all assigned", "ms", middle(product_bursts.milliseconds),
           middle(floor_bursts.milliseconds), "under 100 ms for 4000"},
          {name + ", lobby CPU per ticket", "us", middle(product_bursts.cpu_per_ticket),
           middle(floor_bursts.cpu_per_ticket), "under 10 us beyond the floor"},
          {name + ", CPU with all after it", "us", middle(product_bursts.whole_cpu_per_ticket),
           std::nullopt, ""}};
}

}  // namespace muster::bench
