#pragma once
// The end-to-end benchmarks. Each measures the product and its floor in turns, in the same run, and
// gives rows for the report. Throws std::runtime_error if it cannot.

#include <string>
#include <vector>

#include "bench/report.h"

namespace muster::bench {

struct BenchOptions {
  std::string muster;       // The executable; empty: floors only.
  std::string game_server;  // bench_server.
  bool quick = false;       // A tenth of the rounds, a third of the players.
};

/// Two players, a server Ready: second press to both assignments.
std::vector<Row> bench_warm(const BenchOptions& options);
/// Two players, no server: the same, with a launch in it.
std::vector<Row> bench_cold(const BenchOptions& options);
/// The same with a game server that has 200 MB loaded and is a copy of one loaded process.
std::vector<Row> bench_fork(const BenchOptions& options);
/// From a launch to Ready, by each way.
std::vector<Row> bench_ready(const BenchOptions& options);
/// 200 players, each of whom needs a game server of their own, press at once.
std::vector<Row> bench_fleet(const BenchOptions& options);
/// 4000 players press at once, 2000 servers simulated Ready.
std::vector<Row> bench_burst(const BenchOptions& options);
/// The warm match, with the journal on and off.
std::vector<Row> bench_journal(const BenchOptions& options);
/// kill -9 of a lobby that knows 100,000 players, and its restart; 15,000 come back at once.
std::vector<Row> bench_restart(const BenchOptions& options);
/// 15,000 players who do nothing: memory and CPU.
std::vector<Row> bench_idle(const BenchOptions& options);

}  // namespace muster::bench
