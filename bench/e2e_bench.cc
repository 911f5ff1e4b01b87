// The product, end to end, beside the least that could do the same: real processes and sockets, on
// loopback. Says what it measured; nothing here passes or fails. docs/performance.md explains each.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <map>

#include "bench/benchmarks.h"
#include "bench/process.h"
#include "bench/sockets.h"

namespace muster::bench {
namespace {

struct Benchmark {
  const char* name;
  std::vector<Row> (*run)(const BenchOptions&);
};
constexpr Benchmark benchmarks[] = {
    {"warm", bench_warm},   {"cold", bench_cold},       {"fork", bench_fork},
    {"ready", bench_ready}, {"fleet", bench_fleet},     {"burst", bench_burst},
    {"idle", bench_idle},   {"journal", bench_journal}, {"restart", bench_restart}};

int run(int argc, char** argv) {
  BenchOptions options{.muster = MUSTER_PROGRAM, .game_server = BENCH_SERVER_PROGRAM};
  std::vector<std::string> wanted;
  bool json = false, floors_only = false;
  CLI::App app("Measures the lobby end to end, beside the least that could do the same.");
  app.add_option("benchmark", wanted,
                 "warm, cold, fork, ready, fleet, burst, idle, journal, restart; none is all")
      ->check(CLI::IsMember(
          {"warm", "cold", "fork", "ready", "fleet", "burst", "idle", "journal", "restart"}));
  app.add_option("--muster", options.muster, "The lobby's executable")->check(CLI::ExistingFile);
  app.add_flag("--floors", floors_only, "Only the floors");
  app.add_flag("--quick", options.quick, "Fewer rounds and players: rough figures");
  app.add_flag("--json", json, "JSON instead of a table");
  CLI11_PARSE(app, argc, argv);
  if (floors_only) options.muster.clear();

  catch_interrupts();
  raise_file_limit();
  std::vector<Row> rows;
  int failures = 0;
  for (const Benchmark& benchmark : benchmarks) {
    if (!wanted.empty() && std::ranges::find(wanted, benchmark.name) == wanted.end()) continue;
    if (::isatty(STDERR_FILENO)) fmt::print(stderr, "{} ...\n", benchmark.name);
    try {
      std::ranges::move(benchmark.run(options), std::back_inserter(rows));
    } catch (const Interrupted&) {
      return 130;
    } catch (const std::exception& e) {  // The others may still be measured.
      fmt::print(stderr, "{}: {}\n", benchmark.name, e.what());
      ++failures;
    }
  }
  if (!rows.empty()) fmt::print("{}", json ? as_json(rows) : as_table(rows));
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) {
  try {
    return muster::bench::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "e2e_bench: %s\n", e.what());
    return 1;
  }
}
