#include "sim/faults.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "core/state.h"
#include "sim/world.h"

namespace muster::sim {
namespace {

using core::milliseconds;
using core::minutes;
using core::seconds;

constexpr NamedRate rates[] = {
    {"port_taken", &FaultRates::port_taken},
    {"command_failed", &FaultRates::command_failed},
    {"exits_before_ready", &FaultRates::exits_before_ready},
    {"never_ready", &FaultRates::never_ready},
    {"slow_ready", &FaultRates::slow_ready},
    {"wrong_login", &FaultRates::wrong_login},
    {"crash", &FaultRates::crash},
    {"clean_exit", &FaultRates::clean_exit},
    {"shutdown_wish", &FaultRates::shutdown_wish},
    {"unhealthy", &FaultRates::unhealthy},
    {"hang", &FaultRates::hang},
    {"session_lost", &FaultRates::session_lost},
    {"over_twice", &FaultRates::over_twice},
    {"ignores_sigterm", &FaultRates::ignores_sigterm},
    {"ready_crash", &FaultRates::ready_crash},
    {"disconnect", &FaultRates::disconnect},
    {"nonsense", &FaultRates::nonsense},
    {"cancel", &FaultRates::cancel},
    {"leave", &FaultRates::leave},
    {"stolen_token", &FaultRates::stolen_token},
    {"second_device", &FaultRates::second_device},
    {"holds_itself", &FaultRates::holds_itself},
};

constexpr NamedInterval intervals[] = {
    {"link_lost", &FaultIntervals::link_lost},
    {"link_replaced", &FaultIntervals::link_replaced},
    {"node_killed", &FaultIntervals::node_killed},
    {"lobby_restart", &FaultIntervals::lobby_restart},
    {"operator_stop", &FaultIntervals::operator_stop},
    {"stale_event", &FaultIntervals::stale_event},
    {"intruder", &FaultIntervals::intruder},
    {"reload", &FaultIntervals::reload},
    {"drain", &FaultIntervals::drain},
    {"clear", &FaultIntervals::clear},
    {"machine_lost", &FaultIntervals::machine_lost},
};

}  // namespace

std::span<const NamedRate> named_rates() { return rates; }

std::span<const NamedInterval> named_intervals() { return intervals; }

bool switch_off(Faults& faults, std::string_view name) {
  if (const auto found = std::ranges::find(rates, name, &NamedRate::name);
      found != std::end(rates)) {
    faults.rates.*found->rate = 0;
    return true;
  }
  if (const auto found = std::ranges::find(intervals, name, &NamedInterval::name);
      found != std::end(intervals)) {
    faults.intervals.*found->interval = Duration::zero();
    return true;
  }
  return false;
}

Faults draw_faults(Prng& prng) {
  Faults faults;
  const auto rate = [&](std::uint32_t percent_max) -> std::uint32_t {
    if (prng.below(5) < 2) return 0;
    return static_cast<std::uint32_t>(prng.between(1'000, percent_max * 10'000));
  };
  FaultRates& r = faults.rates;
  r.port_taken = rate(30);
  r.command_failed = rate(40);
  r.exits_before_ready = rate(40);
  r.never_ready = rate(30);
  r.slow_ready = rate(30);
  r.wrong_login = rate(50);
  r.crash = rate(30);
  r.clean_exit = rate(30);
  r.shutdown_wish = rate(20);
  r.unhealthy = rate(20);
  r.hang = rate(10);
  r.session_lost = rate(20);
  r.over_twice = rate(50);
  r.ignores_sigterm = rate(50);
  r.ready_crash = rate(20);
  r.disconnect = rate(20);
  r.nonsense = rate(20);
  r.cancel = rate(20);
  r.leave = rate(20);
  r.stolen_token = rate(30);
  r.second_device = rate(10);
  const auto interval = [&](Duration low, Duration high) {
    if (prng.below(5) < 3) return Duration::zero();
    return Duration{prng.between(low.count(), high.count())};
  };
  FaultIntervals& i = faults.intervals;
  i.link_lost = interval(seconds{10}, minutes{3});
  i.link_replaced = interval(seconds{10}, minutes{3});
  i.node_killed = interval(seconds{40}, minutes{5});
  i.lobby_restart = interval(minutes{1}, minutes{5});
  i.operator_stop = interval(seconds{5}, minutes{1});
  i.stale_event = interval(milliseconds{500}, seconds{20});
  i.intruder = interval(seconds{1}, seconds{30});
  i.reload = interval(seconds{5}, minutes{2});
  i.drain = interval(seconds{5}, minutes{2});
  i.clear = interval(seconds{5}, minutes{2});
  faults.events_kept = prng.below(2) == 0;
  faults.deadlines_late = prng.below(3) == 0;
  faults.journal = prng.below(2) == 0;
  r.holds_itself = rate(60);
  i.machine_lost = interval(minutes{1}, minutes{5});
  return faults;
}

FaultSource::FaultSource(World& world, std::uint64_t seed) : world_(world), prng_(seed) {}

template <class F>
void FaultSource::every(Duration mean, F f) {
  if (mean == Duration::zero() || healed_) return;
  world_.after(Duration{prng_.between(0, 2 * mean.count())}, [this, mean, f] {
    if (healed_) return;
    f();
    every(mean, f);
  });
}

void FaultSource::start() {
  const FaultIntervals& i = world_.setting().faults.intervals;
  // On both sides of the ten seconds for which a node's game servers are not given up.
  const auto down = [this] {
    return Duration{prng_.below(2) == 0 ? Duration{prng_.between(0, 3'000'000'000)}
                                        : Duration{prng_.between(0, 40'000'000'000)}};
  };
  every(i.link_lost, [this, down] {
    const Duration time = down();
    if (world_.machine().linked())
      world_.marks().hit(time < seconds{10} ? Mark::node_back_in_time : Mark::node_back_too_late);
    world_.machine().lose_link(time);
  });
  every(i.link_replaced, [this] { world_.machine().replace_link(); });
  every(i.node_killed, [this, down] {
    const bool alone = prng_.below(3) != 0;
    alone ? world_.machine().kill_node(down()) : world_.machine().kill(down());
  });
  every(i.lobby_restart, [this, down] {
    using enum World::Death;
    const World::Death death = std::array{none, before_journal, before_effects}[prng_.below(3)];
    if (death == none) return world_.restart_lobby(down());
    world_.die_of_next(death, down());
  });
  every(i.operator_stop, [this] { operator_stop(); });
  every(i.stale_event, [this] { stale_event(); });
  every(i.intruder, [this] { intruder(); });
  every(i.reload, [this] { world_.reload(draw_reload(world_.setting().config, prng_)); });
  every(i.drain, [this] { drain(); });
  every(i.clear, [this] { clear(); });
  every(i.machine_lost, [this, down] {
    world_.sync_disk();
    world_.after(Duration{prng_.between(0, 1'000'000'000)}, [this, down] {
      if (!healed_) world_.lose_machine(down());
    });
  });
}

/// What is drained takes matches again after a while, or when faults stop.
void FaultSource::drain() {
  const auto for_a_while = [this](auto event) {
    world_.step(event);
    if (prng_.below(4) == 0) return;
    event.draining = false;
    world_.after(Duration{prng_.between(0, 40'000'000'000)}, [this, event] { world_.step(event); });
  };
  const core::State& state = world_.state();
  switch (prng_.below(3)) {
    case 0: {
      const auto& fleets = world_.setting().config.fleets;
      return for_a_while(core::DrainFleet{
          fleets[prng_.below(static_cast<std::uint32_t>(fleets.size()))].name, true});
    }
    case 1:
      return for_a_while(core::DrainNode{"node", true});
    default: {
      std::vector<core::ServerId> servers;
      state.servers.for_each(
          [&](core::ServerId id, const core::Server&) { servers.push_back(id); });
      if (servers.empty()) return;
      return for_a_while(core::DrainServer{
          servers[prng_.below(static_cast<std::uint32_t>(servers.size()))], true});
    }
  }
}

void FaultSource::clear() {
  const core::State& state = world_.state();
  for (std::size_t i = 0; i < state.fleets.size(); ++i)
    if (state.fleets[i].crash_loop) {
      world_.marks().hit(Mark::crash_loop_cleared);
      return world_.step(core::ClearFleet{state.config.fleets[i].name});
    }
}

void FaultSource::operator_stop() {
  std::vector<core::ServerId> servers;
  world_.state().servers.for_each(
      [&](core::ServerId id, const core::Server&) { servers.push_back(id); });
  if (servers.empty()) return;
  const auto chosen = prng_.below(static_cast<std::uint32_t>(servers.size()));
  world_.step(core::StopServerCommand{servers[chosen]});
}

/// About a game server that is gone, or a match that is not the server's.
void FaultSource::stale_event() {
  const std::vector<core::ServerId>& gone = world_.machine().gone();
  if (gone.empty()) return;
  const core::ServerId server = gone[prng_.below(static_cast<std::uint32_t>(gone.size()))];
  const core::State& state = world_.state();
  const core::MatchId no_match{1'000'000, 1};
  core::ServerId allocated;
  state.servers.for_each([&](core::ServerId id, const core::Server& s) {
    if (s.match) allocated = id;
  });
  if (allocated && prng_.below(3) == 0) {
    world_.marks().hit(Mark::stale_event);
    return prng_.below(2) == 0 ? world_.step(core::MatchOver{allocated, no_match, "{}"}, true)
                               : world_.step(core::ServerReady{allocated}, true);
  }
  if (state.servers.find(server))
    return;  // Its end has not been told yet, or its id is used again.
  world_.marks().hit(Mark::stale_event);
  switch (prng_.below(10)) {
    case 0:
      return world_.step(core::ServerReady{server}, true);
    case 1:
      return world_.step(core::ServerExited{server, 0, 0, {}}, true);
    case 2:
      return world_.step(core::MatchOver{server, no_match, "{}"}, true);
    case 3:
      return world_.step(core::ServerLaunched{server, 1}, true);
    case 4:
      return world_.step(core::LaunchFailed{server, core::LaunchError::port_taken, {}}, true);
    case 5:
      return world_.step(core::ServerUnhealthy{server}, true);
    case 6:
      return world_.step(core::ShutdownRequested{server}, true);
    case 7:
      return world_.step(core::PlayerLeft{server, core::PlayerId{0, 1}}, true);
    case 8:
      return world_.step(core::StopServerCommand{server}, true);
    default:
      return world_.step(core::NodeLost{core::NodeId{7, 7}}, true);
  }
}

/// Knows the ports (anybody can see them) but is not the launched process.
void FaultSource::intruder() {
  std::vector<std::uint16_t> ports{4000};
  world_.state().servers.for_each([&](core::ServerId, const core::Server& server) {
    ports.push_back(server.port);
    if (server.state == core::ServerState::starting) ports.assign(3, server.port);
  });
  const core::SessionId session = world_.open_session({}, /*resumable=*/false);
  world_.say(session, core::ClassicServerLogin{
                          {}, ports[prng_.below(static_cast<std::uint32_t>(ports.size()))]});
  if (prng_.below(4) == 0) world_.say(session, core::ClassicServerReset{});
  // At the latest when net gives up on those who do not say who they are.
  world_.after(Duration{prng_.between(0, 10'000'000'000)},
               [this, session] { world_.hang_up(session); });
}

}  // namespace muster::sim
