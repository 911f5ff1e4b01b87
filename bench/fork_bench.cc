#include <dirent.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <thread>

#include "bench/benchmarks.h"
#include "bench/lobby.h"
#include "bench/players.h"
#include "bench/process.h"
#include "bench/sockets.h"
#include "bench/stats.h"

namespace muster::bench {
namespace {

constexpr std::size_t assets_megabytes = 200;

// ---- The floor: a process of the same size that forks itself.

struct FloorFigures {
  double median_us = 0, p99_us = 0;
  double child_bytes = 0;
};

/// Binds and listens, says so on the pipe, and stays until it is killed.
[[noreturn]] void be_floor_child(int said) {
  const Fd listener = listen_on_loopback();
  const char byte = 1;
  if (::write(said, &byte, 1) != 1) ::_exit(1);
  for (;;) ::pause();
}

FloorFigures measure_floor_here(bool huge_pages, std::size_t rounds) {
  const std::size_t bytes = assets_megabytes << 20;
  void* const assets =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (assets == MAP_FAILED) throw std::runtime_error("no memory for the floor");
  ::madvise(assets, bytes, huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  std::memset(assets, 0x5a, bytes);
  std::vector<double> times;
  FloorFigures figures;
  for (std::size_t i = 0; i < rounds; ++i) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
    const auto begun = std::chrono::steady_clock::now();
    const pid_t child = ::fork();
    if (child == 0) be_floor_child(ends[1]);
    char byte;
    const bool heard = ::read(ends[0], &byte, 1) == 1;
    times.push_back(
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begun)
            .count());
    if (child < 0 || !heard) throw std::runtime_error("the floor's child did not come");
    if (i == 0) figures.child_bytes = static_cast<double>(private_bytes(child));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  figures.median_us = median(times);
  figures.p99_us = percentile(times, 0.99);
  return figures;
}

/// In a process of its own, so that this one stays small.
FloorFigures measure_floor(bool huge_pages, std::size_t rounds) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  Child floor = fork_and_run([&] {
    const FloorFigures figures = measure_floor_here(huge_pages, rounds);
    if (::write(ends[1], &figures, sizeof figures) != sizeof figures) ::_exit(1);
  });
  ::close(ends[1]);
  FloorFigures figures;
  const bool whole = ::read(ends[0], &figures, sizeof figures) == sizeof figures;
  ::close(ends[0]);
  if (!whole) throw std::runtime_error("the floor was not measured");
  return figures;
}

// ---- The product.

struct Memory {
  pid_t pid = 0;
  double own_bytes = 0,
         share_bytes = 0;  // Private; and proportional: a page of n processes is 1/n.
};

double share_bytes(pid_t pid) {
  std::ifstream rollup(fmt::format("/proc/{}/smaps_rollup", pid));
  std::uint64_t kilobytes = 0;
  for (std::string line; std::getline(rollup, line);)
    if (std::sscanf(line.c_str(), "Pss: %lu", &kilobytes) == 1) break;
  return static_cast<double>(kilobytes << 10);
}

/// The processes of that command, the oldest (its fork parent) first.
std::vector<Memory> memory_of(const std::string& program) {
  std::vector<Memory> all;
  DIR* const folder = ::opendir("/proc");
  while (const dirent* entry = folder ? ::readdir(folder) : nullptr) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid <= 1) continue;
    std::ifstream in(fmt::format("/proc/{}/cmdline", pid), std::ios::binary);
    const std::string command{std::istreambuf_iterator<char>(in), {}};
    if (!command.starts_with(program + '\0' + "--assets")) continue;
    all.push_back({pid, static_cast<double>(private_bytes(pid)), share_bytes(pid)});
  }
  if (folder) ::closedir(folder);
  std::ranges::sort(all, {}, &Memory::pid);
  return all;
}

LobbyOptions lobby_options(const BenchOptions& options, bool fork) {
  LobbyOptions lobby{.muster = options.muster, .game_server = options.game_server};
  lobby.arguments = {"--assets", fmt::format("{}", assets_megabytes)};
  lobby.reuse = false;
  lobby.fork = fork;
  return lobby;
}

std::optional<double> in_kib(std::optional<double> bytes) {
  if (!bytes) return std::nullopt;
  return *bytes / 1024;
}

double play(Players& players, std::chrono::milliseconds pause) {
  const std::uint32_t ended = players.all().ended;
  const double time = play_match(players);
  players.wait_until("match ends", [&] { return players.all().ended >= ended + 2; });
  std::this_thread::sleep_for(pause);
  return time;
}

/// Plays until a match was not a plain launch: its fork parent is loaded then.
void wait_for_parent(Players& players) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  constexpr double plain_us = 20'000;
  for (int fast = 0; fast < 3;) {
    if (std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error("no launch became fast: the game server is not forked");
    fast = play(players, std::chrono::milliseconds(100)) < plain_us ? fast + 1 : 0;
  }
}

}  // namespace

std::vector<Row> bench_fork(const BenchOptions& options) {
  constexpr std::size_t parts = 3;  // In turns with the floor.
  const std::size_t rounds = options.quick ? 15 : 100;
  std::vector<FloorFigures> floors, in_small_pages;
  std::optional<double> forked, forked_p99, plain, own, share;
  if (!options.muster.empty()) {
    const Lobby lobby(lobby_options(options, true));
    Players players(lobby.port(), Dialect::native, 2);
    wait_for_parent(players);
    std::vector<double> times;
    for (std::size_t part = 0; part < parts; ++part) {
      floors.push_back(measure_floor(true, rounds));
      in_small_pages.push_back(measure_floor(false, rounds));
      for (std::size_t i = 0; i < rounds; ++i)
        times.push_back(play(players, std::chrono::milliseconds(40)));
    }
    forked = median(times);
    forked_p99 = percentile(times, 0.99);
    // The child in hand is as much a copy as a game server is.
    const std::vector<Memory> all = memory_of(options.game_server);
    if (all.size() < 2) throw std::runtime_error("no forked process is there to be measured");
    own = all.back().own_bytes;
    share = all.back().share_bytes;
  }
  for (std::size_t part = floors.size(); part < parts; ++part) {  // Without the product.
    floors.push_back(measure_floor(true, rounds));
    in_small_pages.push_back(measure_floor(false, rounds));
  }
  if (!options.muster.empty()) {
    const Lobby lobby(lobby_options(options, false));
    Players players(lobby.port(), Dialect::native, 2);
    std::vector<double> times;
    for (std::size_t i = 0; i < rounds / 7 + 3; ++i)
      times.push_back(play(players, std::chrono::milliseconds(20)));
    plain = median(times);
  }
  const auto middle = [](const std::vector<FloorFigures>& all, double FloorFigures::* figure) {
    std::vector<double> values;
    for (const FloorFigures& figures : all) values.push_back(figures.*figure);
    return median(values);
  };
  return {
      {"fork, 200 MB, median", "us", forked, middle(floors, &FloorFigures::median_us), "2000 us"},
      {"fork, 200 MB, 99th percentile", "us", forked_p99, middle(floors, &FloorFigures::p99_us),
       ""},
      {"the same in small pages: floor", "us", std::nullopt,
       middle(in_small_pages, &FloorFigures::median_us), ""},
      {"the same launched plainly, median", "us", plain, std::nullopt, ""},
      {"memory of a copy that is its own", "KiB", in_kib(own),
       middle(floors, &FloorFigures::child_bytes) / 1024, ""},
      {"its share of all (Pss)", "KiB", in_kib(share), std::nullopt, ""}};
}

}  // namespace muster::bench
