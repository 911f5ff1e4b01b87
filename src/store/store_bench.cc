// What durability costs: a turn written to the journal, a state made a snapshot, and the way back
// at a start. In the folder for temporary files, so say TMPDIR=… for the disk that matters.
#include <benchmark/benchmark.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/check.h"
#include "core/core.h"
#include "core/state.h"
#include "store/journal.h"
#include "store/journal_reader.h"
#include "store/snapshot.h"
#include "store/test_folder.h"

namespace muster::store {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::uint32_t servers = 500;

core::Config config() {
  core::Config config;
  core::FleetConfig fleet;
  fleet.name = "duel";
  fleet.command = {"./duel", "{port}"};
  fleet.ports = {7000, 7999};
  fleet.servers_max = 1000;
  fleet.idle_timeout = {};
  config.fleets.push_back(fleet);
  core::QueueConfig queue;
  queue.name = "duel";
  queue.players = 2;
  config.queues.push_back(queue);
  queue.name = "crowd";  // Nobody has enough partners here: all wait.
  queue.players = 20'000;
  config.queues.push_back(queue);
  return config;
}

/// A lobby that lives, and tells each event to whom it may concern before it is stepped.
class Lobby {
 public:
  using Hear = std::function<void(std::uint64_t number, Time time, const core::Event& event)>;
  explicit Lobby(Hear hear) : hear_(std::move(hear)) {
    step(core::NodeConnected{{0, 1}, "box", "127.0.0.1", {}, {}});
  }

  void step(const core::Event& event) {
    now_ += microseconds{7};
    hear_(++number_, now_, event);
    effects_.clear();
    core_.step(event, now_, effects_);
    for (const core::Effect& effect : effects_)
      if (const auto* launch = std::get_if<core::LaunchServer>(&effect)) launched_ = launch->server;
  }
  void arrive(std::uint32_t slot) {
    step(core::SessionOpened{{slot, 1}});
    step(core::Hello{{slot, 1}, 1, "player " + std::to_string(slot), {}});
  }
  /// Two who have arrived play; their game server is launched if none is Ready.
  void begin_match(std::uint32_t slot) {
    launched_ = {};
    for (const std::uint32_t player : {slot, slot + 1})
      step(core::StartMatch{{player, 1}, 2, "duel", 1, {{"elo", 1200.0}}});
    if (!launched_) return;
    step(core::ServerLaunched{launched_, 4242});
    step(core::ServerReady{launched_});
  }
  void end_match(std::uint32_t slot) {
    const core::State& s = core_.state();
    const core::PlayerId player = s.sessions.find({slot, 1})->player;
    const core::MatchId match = s.players[player].match;
    const core::ServerId server = s.matches[match].server;
    for (const core::MatchPlayer& played : std::vector(s.matches[match].players))
      step(core::PlayerJoined{server, played.player});
    step(core::MatchOver{server, match, R"({"winner":"ann","rounds":7})"});
  }

  const core::Core& core() const { return core_; }
  std::uint64_t number() const { return number_; }
  Time now() const { return now_; }

 private:
  Hear hear_;
  core::Core core_{config()};
  core::Effects effects_;
  core::ServerId launched_;
  std::uint64_t number_ = 0;
  Time now_{};
};

std::unique_ptr<Journal> begin(const TempFolder& folder, std::uint64_t first) {
  auto journal = Journal::begin({.folder = folder.path, .build = "bench"}, first, Time{});
  CHECK(journal.has_value(), "the folder for temporary files can be written to");
  return std::move(*journal);
}

/// What each turn of a lobby waits for: a StartMatch is recorded and written.
void journal_turn_bench(benchmark::State& state) {
  const TempFolder folder;
  const auto journal = begin(folder, 1);
  std::uint64_t number = 0;
  const core::Event event = core::StartMatch{{41, 3}, 2, "duel", 1, {{"elo", 1200.0}}};
  Time now{};
  for (auto _ : state) {
    now += microseconds{7};
    for (std::int64_t i = 0; i < state.range(0); ++i) journal->add(++number, now, event);
    CHECK(journal->commit().has_value(), "there is space");
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(number));
  state.counters["bytes per event"] =
      static_cast<double>(journal->bytes_written()) / static_cast<double>(number);
}
BENCHMARK(journal_turn_bench)->Arg(1)->Arg(8)->Arg(64)->ArgName("events");

/// A start that steps through the events of matches, from Match Start to result.
void replay_bench(benchmark::State& state) {
  const TempFolder folder;
  auto journal = begin(folder, 1);
  CHECK(write_snapshot(folder.path, {.build = "bench"}, core::Core(config()).state()).has_value(),
        "there is space");
  Lobby lobby([&](std::uint64_t number, Time time, const core::Event& event) {
    journal->add(number, time, event);
    CHECK(journal->commit().has_value(), "there is space");
  });
  for (std::uint32_t slot = 0; slot < 200; ++slot) lobby.arrive(slot);
  std::uint64_t matches = 0;
  const std::uint64_t bytes = journal->bytes_written();
  while (lobby.number() < 500'000)
    for (std::uint32_t slot = 0; slot < 200; slot += 2, ++matches) {
      lobby.begin_match(slot);
      lobby.end_match(slot);
    }
  state.counters["bytes per match"] =
      static_cast<double>(journal->bytes_written() - bytes) / static_cast<double>(matches);
  journal.reset();
  std::int64_t events = 0;
  for (auto _ : state) {
    auto snapshot = load_snapshot(list_journal(folder.path, snapshot_suffix)->front().path);
    CHECK(snapshot.has_value(), "what was written can be loaded");
    core::Core core(std::move(snapshot->state));
    core::Effects effects;
    const auto end =
        read_journal(folder.path, 0, [&](std::uint64_t, Time time, core::Event&& event) {
          core.step(event, time, effects);
          effects.clear();
          ++events;
          return true;
        });
    CHECK(end.has_value() && core.digest() == lobby.core().digest(), "the same state");
  }
  state.SetItemsProcessed(events);
}
BENCHMARK(replay_bench)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime();

/// A large lobby: 100,000 players, 10,000 waiting tickets, 500 game servers with their matches.
Lobby large_lobby() {
  Lobby lobby([](std::uint64_t, Time, const core::Event&) {});
  constexpr std::uint32_t players = 100'000, waiting = 10'000;
  for (std::uint32_t slot = 0; slot < players; ++slot) lobby.arrive(slot);
  for (std::uint32_t server = 0; server < servers; ++server) lobby.begin_match(2 * server);
  for (std::uint32_t i = 0; i < waiting; ++i)
    lobby.step(core::StartMatch{{2 * servers + i, 1}, 2, "crowd", 1, {{"elo", 1200.0}}});
  return lobby;
}

/// From the snapshot of a large lobby to one that may listen: loaded, checked, and told that it is
/// back, with which every connection of its last life ends.
void restart_bench(benchmark::State& state) {
  const TempFolder folder;
  const Lobby lobby = large_lobby();
  CHECK(
      write_snapshot(folder.path, {.build = "bench", .number = lobby.number(), .time = lobby.now()},
                     lobby.core().state())
          .has_value(),
      "there is space");
  const std::string path = list_journal(folder.path, snapshot_suffix)->front().path;
  for (auto _ : state) {
    auto snapshot = load_snapshot(path);
    CHECK(snapshot.has_value(), "what was written can be loaded");
    core::Core core(std::move(snapshot->state));
    core::Effects effects;
    core.step(core::LobbyStarted{milliseconds{300}}, lobby.now() + milliseconds{300}, effects);
    benchmark::DoNotOptimize(effects);
  }
  const core::State& s = lobby.core().state();
  state.counters["players"] = static_cast<double>(s.players.size());
  state.counters["tickets"] = static_cast<double>(s.tickets.size());
  state.counters["servers"] = static_cast<double>(s.servers.size());
  state.counters["snapshot bytes"] = static_cast<double>(std::filesystem::file_size(path));
}
BENCHMARK(restart_bench)->Unit(benchmark::kMillisecond);

/// How long a running lobby of that size stands still for a snapshot: until the process that writes
/// it has been forked.
void snapshot_pause_bench(benchmark::State& state) {
  const TempFolder folder;
  const Lobby lobby = large_lobby();
  for (auto _ : state) {
    const auto process =
        fork_snapshot(folder.path, {.build = "bench", .number = 1}, lobby.core().state());
    state.PauseTiming();
    CHECK(process.has_value(), "a process can be forked");
    int status = -1;
    ::waitpid(process->pid, &status, 0);
    CHECK(status == 0, "it writes the snapshot");
    if (process->pidfd >= 0) ::close(process->pidfd);
    state.ResumeTiming();
  }
}
BENCHMARK(snapshot_pause_bench)->Unit(benchmark::kMicrosecond)->Iterations(20)->UseRealTime();

}  // namespace
}  // namespace muster::store
