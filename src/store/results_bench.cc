// What a recorded result costs, beside the same bytes written and synced by hand; and how long a
// leaderboard takes. In the folder for temporary files, so say TMPDIR=… for the disk that matters.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/check.h"
#include "core/effect.h"
#include "store/database.h"
#include "store/ratings.h"
#include "store/results.h"
#include "store/tables.h"
#include "store/test_folder.h"

namespace muster::store {
namespace {

/// With so many accounts, each rated.
Database database_of(const TempFolder& folder, std::int64_t accounts) {
  auto database =
      Database::open(folder.path + "/accounts.db", account_tables, std::chrono::milliseconds{100});
  CHECK(database.has_value(), "the folder for temporary files can be written to");
  const std::string numbers =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT " +
      std::to_string(accounts) + ") ";
  // Ratings in no order: a multiplication by a prime modulo another.
  for (const std::string& sql :
       {"INSERT INTO accounts " + numbers + "SELECT i, 'player ' || i, '', 0 FROM n",
        "INSERT INTO ratings " + numbers +
            "SELECT 'ranked', i, 1500 + i * 7919 % 1009, 50, 0.06, 1350 + i * 7919 % 1009, 1 FROM "
            "n"})
    CHECK(database->run(sql.c_str()) == 0, "there is space");
  return std::move(*database);
}

core::RecordResult duel(std::uint64_t number, std::int64_t accounts) {
  core::MatchResult result;
  result.match = {static_cast<std::uint32_t>(number), 1};
  result.queue = "ranked";
  result.rating_default = 1500;
  result.rating = {.system = core::RatingSystem::openskill, .deviation = 500, .tau = 5'000};
  const auto winner = static_cast<std::int64_t>(number * 7919) % accounts + 1;
  result.players = {{"ann", winner, 0, 1, {}, 1000},
                    {"bob", winner % accounts + 1, 1, 2, {}, 1000}};
  return {number, std::make_shared<const core::MatchResult>(std::move(result))};
}

/// Matches of two, so many in one commit, among 100,000 accounts.
void record_results_bench(benchmark::State& state) {
  constexpr std::int64_t accounts = 100'000;
  const TempFolder folder;
  const Database database = database_of(folder, accounts);
  std::uint64_t number = 0;
  for (auto _ : state) {
    std::vector<core::RecordResult> batch;
    for (std::int64_t i = 0; i < state.range(0); ++i) batch.push_back(duel(++number, accounts));
    const auto recorded = record_results(database, batch);
    CHECK(recorded.has_value() && recorded->front().ratings.size() == 2, "there is space");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(number));
}
BENCHMARK(record_results_bench)->Arg(1)->Arg(16)->Arg(256)->ArgName("results")->UseRealTime();

/// The floor: pages of 4 KiB at the end of a file, and the disk asked for them. A result alone is
/// about ten pages of SQLite's log.
void synced_write_bench(benchmark::State& state) {
  const TempFolder folder;
  const int fd = ::open((folder.path + "/floor").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  CHECK(fd >= 0, "the folder for temporary files can be written to");
  const std::string bytes(static_cast<std::size_t>(state.range(0)) * 4096, 'x');
  for (auto _ : state) {
    CHECK(::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()),
          "there is space");
    CHECK(::fdatasync(fd) == 0, "the disk works");
  }
  ::close(fd);
}
BENCHMARK(synced_write_bench)->Arg(1)->Arg(10)->ArgName("pages")->UseRealTime();

/// The first hundred of so many.
void leaderboard_bench(benchmark::State& state) {
  const TempFolder folder;
  const Database database = database_of(folder, state.range(0));
  for (auto _ : state) {
    const auto board = leaderboard(database, "ranked", 0, 100);
    CHECK(board.has_value() && board->entries.size() == 100, "there are so many");
  }
}
BENCHMARK(leaderboard_bench)
    ->Arg(1'000)
    ->Arg(1'000'000)
    ->ArgName("players")
    ->Unit(benchmark::kMillisecond);

/// Where one in the middle stands.
void place_bench(benchmark::State& state) {
  const TempFolder folder;
  const Database database = database_of(folder, state.range(0));
  for (auto _ : state) {
    const auto board = place_of(database, "ranked", "player " + std::to_string(state.range(0) / 2));
    CHECK(board.has_value() && board->entries.size() == 1, "everybody has a place");
  }
}
BENCHMARK(place_bench)
    ->Arg(1'000)
    ->Arg(1'000'000)
    ->ArgName("players")
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace muster::store
