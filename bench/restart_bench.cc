// What a lobby's death costs its players: everything that was there comes back.
#include <fmt/format.h>
#include <sys/resource.h>

#include <optional>

#include "bench/benchmarks.h"
#include "bench/floor_lobby.h"
#include "bench/lobby.h"
#include "bench/players.h"
#include "bench/stats.h"

namespace muster::bench {
namespace {

struct Plan {
  std::uint32_t connected;  // At the death, and back at once.
  std::uint32_t waiting;    // Of them: in a queue.
  std::uint32_t playing;    // Of them: two in each match.
  std::uint32_t away;       // Known beside them, within their grace.
  int rounds;
};

struct Returns {
  std::vector<double> first, last;  // Milliseconds since the next lobby's start.

  void add(const Players& players) {
    first.push_back(players.first_back());
    last.push_back(players.last_back());
  }
};

/// Players who are away have a place among those there are descriptors for: so many at most.
std::uint32_t away_within_limit(const Plan& plan) {
  constexpr rlim_t own = 500;  // More than the lobby keeps for itself, and some connections to end.
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY) return plan.away;
  const rlim_t taken = plan.connected + own;
  const rlim_t left = limit.rlim_max > taken ? limit.rlim_max - taken : 0;
  return static_cast<std::uint32_t>(std::min<rlim_t>(plan.away, left));
}

/// Players who come and go; the lobby keeps them.
void let_some_go(std::uint16_t port, std::uint32_t count) {
  constexpr std::uint32_t at_once = 4000;
  for (std::uint32_t left = count; left > 0;) {
    const std::uint32_t these = std::min(left, at_once);
    const Players passing(port, Dialect::native, these);
    left -= these;
  }
}

Returns of_product(const BenchOptions& options, const Plan& plan) {
  Lobby lobby({.muster = options.muster,
               .game_server = {},
               .simulated = plan.playing / 2,
               .sessions_max = plan.connected + plan.away + 5000});
  lobby.node().keep_matches();
  let_some_go(lobby.port(), plan.away);
  Players players(lobby.port(), Dialect::native, plan.connected);
  for (std::uint32_t i = 0; i < plan.playing; ++i) players.press(i);
  players.wait_until("assignments", [&] { return players.all().assignments >= plan.playing; });
  for (std::uint32_t i = 0; i < plan.waiting; ++i) {
    players.wait_alone(plan.playing + i);
    const std::uint32_t tickets = players.of(plan.playing + i).tickets;
    if (i % 100 == 99)
      players.wait_until("ticket", [&] { return players.of(plan.playing + i).tickets > tickets; });
  }
  wait_until_idle(lobby.pid());
  Returns returns;
  for (int round = 0; round < plan.rounds; ++round) {
    lobby.kill();
    lobby.start();
    const Counts before = players.all();
    players.come_back();
    returns.add(players);
    players.wait_until("assignments again", [&] {
      return players.all().assignments >= before.assignments + plan.playing &&
             players.all().tickets >= before.tickets + plan.waiting;
    });
    wait_until_idle(lobby.pid());
  }
  return returns;
}

/// A floor lobby knows nobody, so that it has nothing to bring back.
Returns of_floor(const Plan& plan) {
  FloorOptions options;
  options.transcript = sample_transcript();
  Returns returns;
  for (int round = 0; round < plan.rounds; ++round) {
    const FloorLobby lobby(options);
    Players players(lobby.port(), Dialect::native, 1);
    players.add(plan.connected - 1);
    players.come_back();
    returns.add(players);
  }
  return returns;
}

}  // namespace

std::vector<Row> bench_restart(const BenchOptions& options) {
  Plan plan =
      options.quick ? Plan{3000, 2000, 200, 7000, 1} : Plan{15'000, 10'000, 1000, 85'000, 5};
  plan.away = away_within_limit(plan);
  const Returns floor = of_floor(plan);
  std::optional<Returns> product;
  if (!options.muster.empty()) product = of_product(options, plan);
  const auto of = [&](std::vector<double> Returns::* member) {
    return product ? std::optional<double>(median((*product).*member)) : std::nullopt;
  };
  const std::string name =
      fmt::format("restart, {} players, {} waiting, {} matches: ", plan.connected + plan.away,
                  plan.waiting, plan.playing / 2);
  return {{name + "first is back", "ms", of(&Returns::first), median(floor.first), "under 1000 ms"},
          {name + fmt::format("all {} at once", plan.connected), "ms", of(&Returns::last),
           median(floor.last), "none refused"}};
}

}  // namespace muster::bench
