#include "population/game_servers.h"

#include <algorithm>

#include "base/check.h"
#include "population/simulation.h"

namespace muster::population {
namespace {

// Purposes of streams, beside those of regions.
constexpr std::uint64_t launch_stream = 3u << 20;
constexpr std::uint64_t length_stream = 1, crash_stream = 2;

constexpr core::NodeId node{0, 1};
constexpr Duration exit_after = std::chrono::milliseconds{200};  // SIGTERM to exit.

}  // namespace

GameServers::GameServers(Simulation& simulation) : s_(simulation) {
  fleets_.resize(s_.config().fleets.size());
}

void GameServers::connect() {
  s_.step(core::NodeConnected{.node = node, .name = "node", .host = "127.0.0.1", .servers = {}});
}

GameServers::GameServer& GameServers::at(core::ServerId id) {
  GameServer& server = servers_[id.slot];
  CHECK(server.id == id, "the lobby asks for game servers that there are");
  return server;
}

void GameServers::add_up(core::FleetIndex index) {
  Fleet& fleet = fleets_[index];
  const Time from = std::max(fleet.since, midnight);
  if (s_.now() > from)
    for (std::size_t i = 0; i < states; ++i)
      fleet.spent_us[i] += fleet.now[i] * ((s_.now() - from) / std::chrono::microseconds{1});
  fleet.since = s_.now();
}

void GameServers::become(GameServer& server, State state) {
  ++server.plan;
  add_up(server.fleet);
  Fleet& fleet = fleets_[server.fleet];
  if (server.state != State::gone) --fleet.now[static_cast<std::size_t>(server.state)];
  if (state != State::gone) ++fleet.now[static_cast<std::size_t>(state)];
  server.state = state;
  if (!s_.counted(s_.now())) return;
  std::uint32_t processes = 0;
  for (const std::uint32_t count : fleet.now) processes += count;
  FleetReport& report = s_.report().fleets[server.fleet];
  report.servers_peak = std::max(report.servers_peak, processes);
  std::uint32_t& peak = report.peak_by_hour[s_.hour_of(s_.now())];
  peak = std::max(peak, processes);
}

void GameServers::launch(const core::LaunchServer& e) {
  if (e.server.slot >= servers_.size()) servers_.resize(e.server.slot + 1);
  GameServer& server = servers_[e.server.slot];
  server.id = e.server;
  server.fleet = e.fleet;
  become(server, State::starting);
  Stream stream = s_.stream(launch_stream, ++launches_);
  const bool fails = stream.chance(s_.population().launch_failures);
  const Duration boot = stream.spread(s_.population().boot);
  s_.plan(boot, {fails ? Plan::What::not_ready : Plan::What::ready, e.server.slot, server.plan});
  if (!s_.counted(s_.now())) return;
  FleetReport& report = s_.report().fleets[e.fleet];
  ++report.launches;
  if (fails) ++report.launch_failures;
}

void GameServers::ready(std::uint32_t slot, std::uint32_t plan) {
  if (!current(slot, plan)) return;
  GameServer& server = servers_[slot];
  become(server, State::ready);
  s_.step(core::ServerLaunched{server.id, 1000 + slot});
  s_.step(core::ServerReady{server.id});
}

void GameServers::not_ready(std::uint32_t slot, std::uint32_t plan) {
  if (!current(slot, plan)) return;
  GameServer& server = servers_[slot];
  become(server, State::gone);
  s_.step(core::LaunchFailed{server.id, core::LaunchError::command_failed, "as simulated"});
}

void GameServers::start_match(const core::StartServerMatch& e) {
  GameServer& server = at(e.server);
  become(server, State::playing);
  server.match = e.match;
  server.roster = e.roster;
  const auto& queues = s_.config().queues;
  const auto queue = static_cast<core::QueueIndex>(
      std::ranges::find(queues, e.queue, &core::QueueConfig::name) - queues.begin());
  server.queue = queue;
  server.luck = s_.visitors().seed_of_player(e.roster->front().player);
  const Duration length =
      s_.arrivals().match_length(queue, Stream(seed_of(server.luck, length_stream)));
  Stream stream(seed_of(server.luck, crash_stream));
  if (stream.chance(s_.population().crashes))
    s_.plan(length / 1000 * stream.below(1000), {Plan::What::crash, e.server.slot, server.plan});
  else
    s_.plan(length, {Plan::What::match_over, e.server.slot, server.plan});
}

void GameServers::match_over(std::uint32_t slot, std::uint32_t plan) {
  if (!current(slot, plan)) return;
  GameServer& server = servers_[slot];
  become(server, State::ready);
  const auto roster = std::move(server.roster);
  s_.visitors().match_decided(*roster, server.luck);
  s_.step(core::MatchOver{server.id, server.match, {}});
}

void GameServers::crash(std::uint32_t slot, std::uint32_t plan) {
  if (!current(slot, plan)) return;
  GameServer& server = servers_[slot];
  if (s_.counted(s_.now())) {
    ++s_.report().fleets[server.fleet].crashes;
    ++s_.report().queues[server.queue].lost;
  }
  become(server, State::gone);
  server.roster.reset();
  s_.step(core::ServerExited{.server = server.id, .exit_code = -1, .signal = 11});
}

/// It was told to wind up; the lobby stops it then.
void GameServers::end_match(const core::EndServerMatch& e) {
  GameServer& server = at(e.server);
  server.roster.reset();
  become(server, State::ready);
}

void GameServers::stop(const core::StopServer& e) {
  GameServer& server = at(e.server);
  become(server, State::stopping);
  s_.plan(exit_after, {Plan::What::exit, e.server.slot, server.plan});
}

void GameServers::exit(std::uint32_t slot, std::uint32_t plan) {
  if (!current(slot, plan)) return;
  GameServer& server = servers_[slot];
  become(server, State::gone);
  s_.step(core::ServerExited{.server = server.id});
}

void GameServers::finish() {
  for (core::FleetIndex i = 0; i < fleets_.size(); ++i) {
    add_up(i);
    FleetReport& report = s_.report().fleets[i];
    const auto seconds = [&](State state) {
      return static_cast<std::uint64_t>(fleets_[i].spent_us[static_cast<std::size_t>(state)]) /
             1'000'000;
    };
    report.starting_s = seconds(State::starting);
    report.ready_s = seconds(State::ready);
    report.playing_s = seconds(State::playing);
    report.stopping_s = seconds(State::stopping);
  }
}

}  // namespace muster::population
