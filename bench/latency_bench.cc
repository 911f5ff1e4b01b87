#include <thread>

#include "bench/benchmarks.h"
#include "bench/floor_lobby.h"
#include "bench/lobby.h"
#include "bench/players.h"
#include "bench/stats.h"

namespace muster::bench {
namespace {

/// Per block: its median and its 99th percentile, in microseconds.
struct Blocks {
  std::vector<double> medians, p99s;

  void add(const std::vector<double>& block) {
    medians.push_back(median(block));
    p99s.push_back(percentile(block, 0.99));
  }
};

struct Plan {
  std::uint32_t blocks;
  std::uint32_t rounds;             // Of each block.
  std::chrono::milliseconds pause;  // Between matches.
};

/// `ends`: this lobby tells its players when the match is over; the next begins after that.
void play_block(Players& players, const Plan& plan, bool ends, Blocks& blocks) {
  std::vector<double> times;
  for (std::uint32_t i = 0; i < plan.rounds; ++i) {
    const std::uint32_t ended = players.all().ended;
    times.push_back(play_match(players));
    if (ends) players.wait_until("match ends", [&] { return players.all().ended >= ended + 2; });
    std::this_thread::sleep_for(plan.pause);
  }
  blocks.add(times);
}

std::vector<Row> compare(const std::string& name, const BenchOptions& options, const Plan& plan,
                         const LobbyOptions& product_options, FloorOptions floor_options,
                         const std::string& median_aim, const std::string& p99_aim) {
  Blocks product_blocks, floor_blocks;
  std::unique_ptr<Lobby> product;
  std::unique_ptr<Players> on_product;
  floor_options.transcript = sample_transcript();
  if (!options.muster.empty()) {
    product = std::make_unique<Lobby>(product_options);
    Players recorded(product->port(), Dialect::native, 2);
    floor_options.transcript = record_match(recorded);
    recorded.wait_until("match ends", [&] { return recorded.all().ended >= 2; });
  }
  const FloorLobby floor(floor_options);  // Before the players: it is a copy of this process.
  Players on_floor(floor.port(), Dialect::native, 2);
  if (product) {
    on_product = std::make_unique<Players>(product->port(), Dialect::native, 2);
    wait_until_idle(product->pid());
  }

  Blocks warm_up;
  const Plan short_plan{1, plan.rounds / 10 + 1, plan.pause};
  if (on_product) play_block(*on_product, short_plan, true, warm_up);
  play_block(on_floor, short_plan, false, warm_up);
  for (std::uint32_t block = 0; block < plan.blocks; ++block) {
    if (on_product) play_block(*on_product, plan, true, product_blocks);
    play_block(on_floor, plan, false, floor_blocks);
  }
  const auto of_product = [&](const std::vector<double>& values) -> std::optional<double> {
    if (values.empty()) return std::nullopt;
    return median(values);
  };
  return {{name + ", median", "us", of_product(product_blocks.medians),
           median(floor_blocks.medians), median_aim},
          {name + ", 99th percentile", "us", of_product(product_blocks.p99s),
           median(floor_blocks.p99s), p99_aim}};
}

}  // namespace

std::vector<Row> bench_warm(const BenchOptions& options) {
  const Plan plan{options.quick ? 3u : 9u, options.quick ? 200u : 1000u, {}};
  LobbyOptions lobby{.muster = options.muster, .game_server = options.game_server};
  lobby.ready_min = 1;
  return compare("warm", options, plan, lobby, {}, "ratio 2.0", "ratio 3");
}

std::vector<Row> bench_journal(const BenchOptions& options) {
  if (options.muster.empty()) return {};
  const Plan plan{options.quick ? 3u : 15u, options.quick ? 200u : 1000u, {}};
  LobbyOptions lobby{.muster = options.muster, .game_server = options.game_server};
  lobby.ready_min = 1;
  const Lobby with(lobby);
  lobby.journal = false;
  const Lobby without(lobby);
  Players on_with(with.port(), Dialect::native, 2), on_without(without.port(), Dialect::native, 2);
  wait_until_idle(with.pid());
  wait_until_idle(without.pid());
  Blocks with_blocks, without_blocks;
  for (std::uint32_t block = 0; block < plan.blocks; ++block) {
    play_block(on_with, plan, true, with_blocks);
    play_block(on_without, plan, true, without_blocks);
  }
  return {{"warm, journal beside none", "us", median(with_blocks.medians),
           median(without_blocks.medians), "ratio 1.05"}};
}

std::vector<Row> bench_cold(const BenchOptions& options) {
  // The pause lets the last game server's end be over before the next begins.
  const Plan plan{options.quick ? 3u : 7u, options.quick ? 10u : 60u,
                  std::chrono::milliseconds(15)};
  LobbyOptions lobby{.muster = options.muster, .game_server = options.game_server};
  lobby.reuse = false;
  FloorOptions floor;
  floor.game_server = options.game_server;
  return compare("cold", options, plan, lobby, floor, "ratio 1.2", "");
}

}  // namespace muster::bench
