// Game servers: Ready, Allocated, stopped, and their ports. How they come about is in launch.cc.
#include <fmt/format.h>

#include <algorithm>

#include "core/turn.h"

namespace muster::core {

/// Gives Ready servers to waiting matches, launches what is still missing (one server for each
/// waiting match and each warm one), and stops what is too much.
void Turn::balance(FleetIndex index) {
  allocate_ready(index);
  if (s_.stopping) return;
  if (s_.fleets[index].removed) leave_removed_fleet(index);
  arm_sleep(index);
  launch_missing(index);
  stop_surplus(index);
}

void Turn::allocate_ready(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  while (!fleet.waiting.empty()) {
    // Nobody waits because the configuration was changed: an old one will do.
    std::vector<ServerId>& ready = fleet.ready.empty() ? fleet.outdated_ready : fleet.ready;
    if (ready.empty()) return;
    const MatchId match_id = fleet.waiting.begin()->second;
    const ServerId server_id = ready.back();
    if (!s_.nodes[s_.servers[server_id].node]->link) return;  // Nobody could tell it who comes.
    ready.pop_back();
    s_.timers.cancel(s_.servers[server_id].timer);
    const ServerId starting = s_.matches[match_id].launching;
    stop_waiting(match_id);
    // One that was starting for this match starts for the next that has none.
    if (starting && !fleet.unserved.empty()) bind(fleet.unserved.begin()->second, starting);
    assign(match_id, server_id);
  }
}

/// Outdated servers go as soon as new ones are Ready in their place; and nobody keeps more than
/// ready_max.
void Turn::stop_surplus(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  if (!fleet.waiting.empty()) return;
  const FleetConfig& config = s_.config.fleets[index];
  const std::size_t warm = warm_wanted(index);
  const bool none = fleet.removed || fleet.draining || fleet.asleep;
  const auto stop_first = [&](const std::vector<ServerId>& ready) {
    const ServerId id = ready.front();  // Ready for longest.
    stop_server(id, ServerState::shutdown, config.stop_grace, why_unwanted(s_.servers[id]));
  };
  const std::size_t outdated_wanted = warm > fleet.ready.size() ? warm - fleet.ready.size() : 0;
  while (fleet.outdated_ready.size() > outdated_wanted) stop_first(fleet.outdated_ready);
  while (none && !fleet.ready.empty()) stop_first(fleet.ready);
  while (fleet.ready.size() + fleet.outdated_ready.size() > config.ready_max)
    stop_first(fleet.outdated_ready.empty() ? fleet.ready : fleet.outdated_ready);
}

void Turn::on(const ServerReady& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || server->stopping) return;
  if (server->state != ServerState::starting && !holds_itself(*server)) return;
  if (server->sdk == SdkKind::classic) return;  // Its login alone makes it Ready.
  make_ready(e.server);
}

/// From Starting, or again after a match or after it was its own.
void Turn::make_ready(ServerId id) {
  Server& server = s_.servers[id];
  const FleetIndex index = server.fleet;
  Fleet& fleet = s_.fleets[index];
  if (server.state == ServerState::starting) {
    const bool for_a_match = static_cast<bool>(server.launched_for);
    starting_ends(server);
    unbind(server.launched_for);
    server.ready_at = now_;
    watch_for_proof(index);
    // Where no more matches are to go, those that were formed before still may.
    if (std::string leaves = must_leave(server); !leaves.empty() && !for_a_match) {
      set_state(server, ServerState::shutdown);
      stop_server(id, ServerState::shutdown, config_of(server).stop_grace, std::move(leaves));
      return balance(index);
    }
  }
  set_state(server, ServerState::ready);
  server.note.clear();
  (outdated(server) ? fleet.outdated_ready : fleet.ready).push_back(id);
  arm_idle(id);
  balance(index);
  if (server.state != ServerState::ready) return;
  if (std::string leaves = must_leave(server); !leaves.empty())
    stop_server(id, ServerState::shutdown, config_of(server).stop_grace, std::move(leaves));
}

void Turn::on(const ServerAllocated& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || server->stopping || server->sdk == SdkKind::classic) return;
  if (server->match) return;  // What it said crossed the match on its way: it is the match's.
  hold_server(e.server, ServerState::allocated);
}

void Turn::on(const ServerReserved& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || server->sdk == SdkKind::classic) return;
  if (server->match) {
    if (match_at(*server) != e.match) return;  // As above.
    end_match(server->match, MatchEnd::over, e.result, e.standings);
    if (server->stopping || config_of(*server).after_match == AfterMatch::exit ||
        outdated(*server) || !must_leave(*server).empty())
      return after_match(e.server);
    server_works(s_.servers[e.server]);
  }
  if (!server->stopping) hold_server(e.server, ServerState::reserved);
}

/// No more Ready, nor waited for as Starting: another takes its place if one is needed.
void Turn::hold_server(ServerId id, ServerState state) {
  Server& server = s_.servers[id];
  const FleetIndex index = server.fleet;
  if (server.state == ServerState::starting) {
    starting_ends(server);
    unbind(server.launched_for);
    server.ready_at = now_;
    watch_for_proof(index);
  }
  if (server.state == ServerState::ready) unready(id);
  s_.timers.cancel(server.timer);
  set_state(server, state);
  balance(index);
}

void Turn::arm_idle(ServerId id) {
  Server& server = s_.servers[id];
  if (const Duration idle = config_of(server).idle_timeout; idle > Duration::zero())
    s_.timers.set(server.timer, std::max(now_, server.since + idle), timer(TimerKind::server, id));
  else
    s_.timers.cancel(server.timer);
}

void Turn::unready(ServerId id) {
  Fleet& fleet = s_.fleets[s_.servers[id].fleet];
  std::erase(fleet.ready, id);
  std::erase(fleet.outdated_ready, id);
}

/// It was Starting, and is not any more.
void Turn::starting_ends(const Server& server) {
  Fleet& fleet = s_.fleets[server.fleet];
  --(outdated(server) ? fleet.outdated_starting : fleet.starting);
}

bool Turn::outdated(const Server& server) const {
  return server.version != s_.fleets[server.fleet].version;
}

/// Why a server gets no further match, whatever becomes of its fleet; empty if it may.
std::string Turn::must_leave(const Server& server) const {
  const Fleet& fleet = s_.fleets[server.fleet];
  if (fleet.removed) return "its fleet is no longer configured";
  if (server.draining) return "it was drained";
  if (fleet.draining) return "its fleet was drained";
  if (s_.nodes[server.node]->draining) return "its node was drained";
  return {};
}

/// Why it is stopped while it waits for players: the first that holds of these.
std::string Turn::why_unwanted(const Server& server) const {
  const Fleet& fleet = s_.fleets[server.fleet];
  if (std::string leaves = must_leave(server); !leaves.empty()) return leaves;
  if (outdated(server)) return "replaced by version " + version_text(fleet.version);
  if (fleet.asleep) return "nobody has played for scale_to_zero_after";
  return fmt::format("more than ready_max ({}) were Ready",
                     s_.config.fleets[server.fleet].ready_max);
}

void Turn::set_state(Server& server, ServerState state) {
  server.state = state;
  server.since = now_;
}

/// Asks a server to end. It keeps its port and counts for servers_max until it has exited.
/// `state` is what it is meanwhile: shutdown, unhealthy, or allocated if its match may still end.
void Turn::stop_server(ServerId id, ServerState state, Duration grace, std::string reason) {
  Server& server = s_.servers[id];
  if (server.state == ServerState::starting) {
    starting_ends(server);
    unbind(server.launched_for);
  }
  if (server.state == ServerState::ready) unready(id);
  s_.timers.cancel(server.timer);
  if (server.state != state) set_state(server, state);
  if (server.stopping) return;
  server.stopping = true;
  server.killed_at = grace > Duration::zero() ? now_ + grace : Time::max();
  server.reason = std::move(reason);
  emit(StopServer{s_.nodes[server.node]->link, id, grace});
}

/// idle_timeout has passed for a Ready server.
void Turn::idle_due(ServerId id) {
  const Server& server = s_.servers[id];
  const FleetConfig& config = config_of(server);
  const Fleet& fleet = s_.fleets[server.fleet];
  if (fleet.ready.size() + fleet.outdated_ready.size() > config.ready_min)
    stop_server(id, ServerState::shutdown, config.stop_grace, "idle for idle_timeout");
  else
    s_.timers.set(s_.servers[id].timer, now_ + config.idle_timeout, timer(TimerKind::server, id));
}

void Turn::on(const ForkParentChanged& e) {
  for (FleetIndex index = 0; index < s_.fleets.size(); ++index) {
    if (s_.fleets[index].removed || s_.config.fleets[index].name != e.fleet) continue;
    std::optional<ForkParent>& parent = s_.fleets[index].fork_parent;
    const bool same = parent && parent->state == e.state;
    parent = ForkParent{e.state, e.pid, e.detail, same ? parent->since : now_};
  }
}

void Turn::on(const ServerExited& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server) return;
  const bool clean = !e.unknown && e.signal == 0 && e.exit_code == 0;
  constexpr std::int32_t sigkill = 9;
  std::string why = e.signal != 0 ? fmt::format("killed by signal {}", e.signal)
                                  : fmt::format("exit code {}", e.exit_code);
  // After its grace nobody but the node sends it.
  if (server->stopping && e.signal == sigkill && now_ >= server->killed_at)
    why = "did not end within stop_grace: " + why;
  if (e.unknown) why = "ended; exit code unknown, since it was launched by an earlier node process";
  if (!e.detail.empty()) why += ": " + e.detail;
  server_gone(e.server, clean, why, e.unknown ? Blame::nobody : Blame::fleet, e.result,
              e.standings);
}

void Turn::server_gone(ServerId id, bool clean, const std::string& why, Blame blame,
                       const std::string& result, const std::vector<Standing>& standings) {
  const FleetIndex index = s_.servers[id].fleet;
  lose_server(id, clean, why, blame, result, standings);
  balance(index);
}

/// Its process is no more: whatever it was doing ends, its port is free. The fleet is left for the
/// caller to balance.
void Turn::lose_server(ServerId id, bool clean, const std::string& why, Blame blame,
                       const std::string& result, const std::vector<Standing>& standings) {
  Server& server = s_.servers[id];
  const auto because = [&](const char* reason) {
    if (server.reason.empty()) server.reason = reason;
  };
  if (server.state == ServerState::starting) {
    because("died before it was Ready");
    launch_failed(id, why + " before it was Ready", blame);
  } else if (server.match) {
    if (clean) {
      because("left after its match");
      server_works(server);
    } else {
      because("died during a match");
      ++s_.totals.servers_lost;
      server_failed(server, why + " during a match", server.proven ? Blame::nobody : blame);
    }
    end_match(server.match, clean ? MatchEnd::over : MatchEnd::server_lost,
              clean ? result : std::string{}, standings);
  } else if (server.state == ServerState::ready) {
    because("died while Ready");
    server_failed(server, why + " while Ready", blame);
  } else if (holds_itself(server)) {
    because(clean ? "left by itself" : "died while it was its own");
  }
  free_server(id, why);
}

void Turn::free_server(ServerId id, const std::string& exit, std::uint16_t port_taken) {
  Server& server = s_.servers[id];
  Fleet& fleet = s_.fleets[server.fleet];
  if (s_.ended.size() == ended_max) s_.ended.pop_front();
  s_.ended.push_back({id, s_.config.fleets[server.fleet].name, s_.nodes[server.node]->name,
                      server.port, server.pid, server.version, server.state, server.launched, now_,
                      server.reason, exit});
  if (server.state == ServerState::starting) starting_ends(server);
  if (server.state == ServerState::ready) unready(id);
  unbind(server.launched_for);
  if (Session* session = s_.sessions.find(server.session)) {
    session->server = ServerId{};
    emit(CloseSession{server.session, Error::none});
  }
  --fleet.servers;
  fleet.by_port.erase(server.port);
  give_back_port(server, server.port, server.port == port_taken);
  for (const NamedPort& port : server.named_ports)
    give_back_port(server, port.port, port.port == port_taken);
  s_.timers.cancel(server.timer);
  s_.servers.erase(id);
}

void Turn::on(const ServerUnhealthy& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || server->stopping) return;
  const FleetIndex index = server->fleet;
  const std::string why = e.detail.empty() ? "silent for health_timeout" : e.detail;
  if (server->state == ServerState::starting) {
    launch_failed(e.server, why);
  } else {
    const bool in_doubt = server->state == ServerState::ready || !server->proven;
    server_failed(*server, why, in_doubt ? Blame::fleet : Blame::nobody);
  }
  if (server->match) {
    ++s_.totals.servers_lost;
    end_match(server->match, MatchEnd::server_lost, {});
  }
  stop_server(e.server, ServerState::unhealthy, Duration::zero(), why);
  balance(index);
}

void Turn::on(const ServerNoted& e) {
  Server* server = s_.servers.find(e.server);
  if (server && !server->stopping) server->note = e.note;
}

void Turn::on(const ShutdownRequested& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || server->stopping) return;
  const FleetIndex index = server->fleet;
  const bool was_starting = server->state == ServerState::starting;
  const std::string why = "it asked to be shut down";
  if (was_starting) launch_failed(e.server, why + " before it was Ready");
  if (server->match) end_match(server->match, MatchEnd::over, e.result, e.standings);
  if (server->state == ServerState::ready)
    server_failed(*server, why, server->proven ? Blame::nobody : Blame::fleet);
  stop_server(e.server, ServerState::shutdown, config_of(*server).stop_grace,
              was_starting ? why + " before it was Ready" : why);
  balance(index);
}

void Turn::on(const StopServerCommand& e) { stop_by_order(e.server, "stopped by an operator"); }

void Turn::stop_by_order(ServerId id, const std::string& reason) {
  const Server* server = s_.servers.find(id);
  if (!server || server->stopping) return;
  const FleetIndex index = server->fleet;
  if (server->match) {
    emit(EndServerMatch{s_.nodes[server->node]->link, id, match_at(*server), MatchEnd::cancelled});
    end_match(server->match, MatchEnd::cancelled, {});
  }
  stop_server(id, ServerState::shutdown, config_of(*server).stop_grace, reason);
  balance(index);
}

/// The match is over, in order: Ready again, or made to exit.
void Turn::after_match(ServerId id) {
  Server& server = s_.servers[id];
  const FleetIndex index = server.fleet;
  server_works(server);
  const Fleet& fleet = s_.fleets[index];
  const bool reuse = config_of(server).after_match == AfterMatch::reuse;
  // While the new version fails, the old one keeps the fleet warm.
  const bool stands_in = outdated(server) && fleet.failures > 0 &&
                         fleet.ready.size() + fleet.outdated_ready.size() < warm_wanted(index);
  if (reuse && !server.stopping && must_leave(server).empty() && (!outdated(server) || stands_in))
    return make_ready(id);
  const bool wanted = must_leave(server).empty() && !outdated(server);
  stop_server(id, ServerState::shutdown, config_of(server).stop_grace,
              wanted ? "its match is over (after_match)" : why_unwanted(server));
  balance(index);
}

}  // namespace muster::core
