// What simulated game servers do from their launch to their end.
#include <algorithm>
#include <utility>

#include "sim/machine_inl.h"
#include "sim/world.h"

namespace muster::sim {

using core::milliseconds;
using core::seconds;
using core::ServerId;

/// Launch has arrived: the port is tried, the command executed.
void Machine::launched(const core::LaunchServer& e) {
  const FaultRates& rates = world_.rates();
  Marks& marks = world_.marks();
  const auto fail = [&](core::LaunchError error, Mark mark, const char* detail) {
    marks.hit(mark);
    world_.laws().process_gone(e.server);
    tell(core::LaunchFailed{e.server, error, detail});
  };
  if (prng_.chance_ppm(rates.port_taken)) {
    const std::uint32_t which = prng_.below(static_cast<std::uint32_t>(e.ports.size()) + 1);
    if (which == 0)
      return fail(core::LaunchError::port_taken, Mark::port_taken, "somebody listens on it");
    marks.hit(Mark::named_port_taken);
    world_.laws().process_gone(e.server);
    return tell(core::LaunchFailed{e.server, core::LaunchError::port_taken, "somebody has it",
                                   e.ports[which - 1].port});
  }
  if (prng_.chance_ppm(rates.command_failed))
    return fail(
        prng_.below(2) == 0 ? core::LaunchError::command_failed : core::LaunchError::limit_reached,
        Mark::command_failed, "exec: no such file");

  const core::FleetConfig& fleet = *e.config;
  Process process;
  process.fleet = fleet.name;
  process.version = e.version;
  process.port = e.port;
  process.ports = e.ports;
  process.pid = next_pid_++;
  process.classic = fleet.sdk == core::SdkKind::classic;
  process.agones = fleet.sdk == core::SdkKind::agones;
  process.plain = fleet.sdk == core::SdkKind::none;
  process.watched_for_players = fleet.end.idle > Duration::zero();
  tell(core::ServerLaunched{e.server, process.pid});
  processes_[e.server] = process;

  Duration ready = between(milliseconds{1}, std::min<Duration>(world_.setting().machine.ready_max,
                                                               fleet.launch_timeout / 2));
  if (prng_.chance_ppm(rates.exits_before_ready)) {
    marks.hit(Mark::exited_before_ready);
    return planned(e.server, ready,
                   [this](ServerId id, Process&) { exit(id, prng_.below(3) == 0 ? 0 : 1, 0); });
  }
  if (prng_.chance_ppm(rates.never_ready)) {
    processes_[e.server].hung = true;
    return;
  }
  if (prng_.chance_ppm(rates.slow_ready))
    ready = between(fleet.launch_timeout / 2, 2 * fleet.launch_timeout);
  planned(e.server, ready, [this](ServerId id, Process& started) {
    if (started.classic) return start_classic(id, started);
    if (started.stopping) world_.marks().hit(Mark::ready_after_deadline);
    became_ready(id, started);
    if (started.agones && prng_.chance_ppm(world_.rates().holds_itself / 8))
      return hold_itself(id, started);
    tell(core::ServerReady{id});
    hold_itself_perhaps(id, started);
  });
}

/// Soon, or in the middle of a match.
void Machine::hold_itself_perhaps(ServerId id, Process& process) {
  if (!process.agones || !prng_.chance_ppm(world_.rates().holds_itself)) return;
  later(id, between({}, seconds{10}), [this](ServerId server, Process& ready) {
    if (!ready.hung && !ready.given_up && ready.held == core::ServerState::ready)
      hold_itself(server, ready);
  });
}

void Machine::hold_itself(ServerId id, Process& process) {
  const core::MatchId match = std::exchange(process.match, {});
  ++process.plan;
  if (match || prng_.below(2) == 0) {
    world_.marks().hit(match ? Mark::reserve_ended_match : Mark::reserved_itself);
    process.held = core::ServerState::reserved;
    tell(core::ServerReserved{id, match, match ? R"({"winner":2})" : ""});
  } else {
    world_.marks().hit(Mark::allocated_itself);
    process.held = core::ServerState::allocated;
    tell(core::ServerAllocated{id});
  }
  planned(id, between(milliseconds{1}, seconds{20}), [this](ServerId server, Process& held) {
    world_.marks().hit(Mark::ready_by_its_own_word);
    held.held = core::ServerState::ready;
    tell(core::ServerReady{server});
    hold_itself_perhaps(server, held);
  });
}

/// It listens; now it connects to the lobby and says on which port.
void Machine::start_classic(ServerId id, Process& process) {
  process.session =
      world_.open_session({SessionOwner::Kind::game_server, 0, id}, /*resumable=*/false);
  std::uint16_t port = process.port;
  if (prng_.chance_ppm(world_.rates().wrong_login))
    port = static_cast<std::uint16_t>(port + prng_.between(-1, 1));
  world_.say(process.session, core::ClassicServerLogin{{}, port});
}

void Machine::login_ok(ServerId id) {
  const auto found = processes_.find(id);
  if (found != processes_.end()) became_ready(id, found->second);
}

void Machine::session_closed(ServerId id, core::SessionId session) {
  const auto found = processes_.find(id);
  if (found == processes_.end() || found->second.session != session) return;
  found->second.session = {};
  later(id, between({}, milliseconds{100}), [this](ServerId server, Process& process) {
    if (!process.hung) exit(server, 1, 0);
  });
}

void Machine::became_ready(ServerId id, Process& process) {
  process.ready = true;
  if (!prng_.chance_ppm(world_.rates().ready_crash)) return;
  later(id, between({}, seconds{60}), [this](ServerId server, Process&) {
    const bool clean = prng_.below(3) == 0;
    exit(server, clean ? 0 : -1, clean ? 0 : 11);
  });
}

void Machine::look_for_classic_matches() {
  for (auto& [id, process] : processes_) {
    if (!process.classic || !process.ready || !process.session || process.hung) continue;
    const core::Server* server = world_.state().servers.find(id);
    const core::MatchId match = server ? server->match : core::MatchId{};
    if (match == process.match) continue;
    process.match = match;
    ++process.plan;
    if (match) play(id, process, match, nullptr);
  }
}

/// Players come and some go; then, unless something worse happens, the match is over.
void Machine::play(ServerId id, Process& process, core::MatchId match,
                   std::shared_ptr<const core::Roster> roster) {
  const FaultRates& rates = world_.rates();
  const MachineSetting& setting = world_.setting().machine;
  process.match = match;
  process.match_lobby = lobbies_;
  process.held = core::ServerState::ready;  // The lobby did not know.
  ++process.plan;
  if (process.hung) return;
  process.standings.clear();
  if (roster)
    for (const core::RosterEntry& entry : *roster)
      process.standings.push_back({entry.player, 0, entry.team + 1, {}, core::Standing::whole});
  if (match.generation % 16 == 0 && !process.standings.empty())
    process.standings.pop_back();  // A server that forgets somebody.
  const Duration length = between(setting.match_min, setting.match_max);
  if (roster && !process.classic && !process.plain)
    for (const core::RosterEntry& entry : *roster) {
      if (prng_.below(10) == 0) continue;  // Never comes.
      const Duration comes = between({}, length);
      planned(id, comes, [this, player = entry.player](ServerId server, Process&) {
        tell(core::PlayerJoined{server, player});
      });
      if (prng_.chance_ppm(rates.leave))
        planned(id, between(comes, length),
                [this, player = entry.player](ServerId server, Process&) {
                  tell(core::PlayerLeft{server, player});
                });
    }

  const auto at_some_point = [&](auto f) { planned(id, between({}, length), std::move(f)); };
  if (prng_.chance_ppm(rates.crash))
    return at_some_point([this](ServerId server, Process&) { exit(server, -1, 11); });
  if (prng_.chance_ppm(rates.clean_exit))
    return at_some_point([this](ServerId server, Process&) { exit(server, 0, 0); });
  if (prng_.chance_ppm(rates.hang))
    return at_some_point([this, match](ServerId server, Process& p) {
      if (world_.rates().hang == 0) return finish(server, p, match);  // Healed meanwhile.
      p.hung = true;
      if (!p.classic && prng_.below(2) == 0) tell(core::ServerUnhealthy{server});
    });
  if (process.classic && prng_.chance_ppm(rates.session_lost))
    return at_some_point([this](ServerId server, Process& p) {
      world_.marks().hit(Mark::classic_session_lost);
      world_.hang_up(std::exchange(p.session, {}));
      // It may leave by itself; else it is told to.
      if (prng_.below(2) == 0)
        later(server, between({}, milliseconds{50}),
              [this](ServerId dying, Process&) { exit(dying, prng_.below(2) == 0 ? 0 : 1, 0); });
    });
  if (!process.classic && !process.plain && prng_.chance_ppm(rates.shutdown_wish))
    return at_some_point([this](ServerId server, Process& p) {
      p.given_up = true;
      tell(core::ShutdownRequested{server});
    });
  if (!process.classic && prng_.chance_ppm(rates.unhealthy))
    return at_some_point([this](ServerId server, Process& p) {
      p.given_up = true;
      tell(core::ServerUnhealthy{server});
    });
  if (process.plain) play_plain(id, process, length);
  planned(id, length, [this, match](ServerId server, Process& p) { finish(server, p, match); });
}

/// Somebody comes, and perhaps all go before the match's end: where end.idle is set, the lobby may
/// end it before the server says so.
void Machine::play_plain(ServerId id, Process& process, Duration length) {
  if (!process.watched_for_players) return;
  const Duration comes = between({}, length);
  planned(id, comes, [this](ServerId server, Process& p) { count_players(server, p, 1); });
  planned(id, between(comes, length),
          [this](ServerId server, Process& p) { count_players(server, p, 0); });
}

void Machine::count_players(ServerId id, Process& process, std::uint32_t players) {
  if (process.players == players) return;
  process.players = players;
  tell(core::PlayersCounted{id, players});
}

void Machine::finish(ServerId id, Process& process, core::MatchId match) {
  if (process.classic) {
    // `match` stays until the lobby gives it another, or none.
    return world_.say(process.session, core::ClassicServerReset{});
  }
  process.match = {};
  if (process.plain && process.players > 0 && prng_.below(2) == 0) count_players(id, process, 0);
  const core::MatchOver over{id, match, R"({"winner":1})", process.standings};
  tell(over);
  hold_itself_perhaps(id, process);
  if (process.match_lobby == lobbies_ && !no_node_ && prng_.chance_ppm(world_.rates().over_twice)) {
    world_.marks().hit(Mark::match_over_twice);
    tell(over);
    tell(core::ServerReady{id});
  }
}

/// Its process is no more, its port is free, its connection to the lobby closes.
void Machine::exit(ServerId id, std::int32_t code, std::int32_t signal) {
  const core::SessionId session = processes_.at(id).session;
  processes_.erase(id);
  gone_.push_back(id);
  world_.laws().process_gone(id);
  if (no_node_)
    ended_unseen(id);
  else
    tell(core::ServerExited{id, code, signal, code == 0 ? "" : "its last words"});
  if (session) world_.hang_up(session);
}

}  // namespace muster::sim
