// Game servers: launched, Ready, Allocated, stopped, and their ports.
#include <algorithm>

#include "core/turn.h"

namespace muster::core {
namespace {

/// How long a fleet waits before it replaces a warm server after so many failures in a row.
Duration backoff(std::uint32_t failures) {
  return seconds{std::min(30u, 1u << std::min(failures, 5u))};
}

}  // namespace

/// Gives Ready servers to waiting matches, then launches what is still missing: one server for
/// each waiting match and each warm one.
void Turn::balance(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  const FleetConfig& config = s_.config.fleets[index];

  while (!fleet.waiting.empty() && !fleet.ready.empty()) {
    const MatchId match_id = fleet.waiting.begin()->second;
    const ServerId server_id = fleet.ready.back();
    if (!s_.nodes[s_.servers[server_id].node]->link) break;  // Nobody could tell it who comes.
    fleet.ready.pop_back();
    s_.timers.cancel(s_.servers[server_id].timer);
    const ServerId starting = s_.matches[match_id].launching;
    stop_waiting(match_id);
    // One that was starting for this match starts for the next that has none.
    if (starting && !fleet.unserved.empty()) bind(fleet.unserved.begin()->second, starting);
    assign(match_id, server_id);
  }
  if (s_.stopping) return;

  for (;;) {
    const std::size_t wanted = fleet.waiting.size() + config.ready_min;
    if (fleet.starting + fleet.ready.size() >= wanted) return;
    if (fleet.servers >= config.servers_max) return;  // A server that ends makes room.
    const auto node = node_for_launch();
    if (!node) return;  // NodeConnected comes back here.
    const bool warm = fleet.unserved.empty();
    const MatchId match = warm ? MatchId{} : fleet.unserved.begin()->second;
    if (warm && fleet.failures > 0 && fleet.retry) return;  // Backing off.
    auto ports = fleet.ports.acquire(now_);
    if (!ports) {
      const auto returns = fleet.ports.next_return(now_);
      if (returns) arm_retry(index, *returns);
      // Ports come back when servers end. If none runs, waiting would help nobody.
      if (fleet.servers > 0 || warm) return;
      fleet.last_error = message(Error::no_port_free);
      fail_match(match, Error::no_port_free);
      continue;
    }
    launch(index, match, *std::move(ports), *node);
  }
}

void Turn::launch(FleetIndex index, MatchId match_id, ServerPorts ports, NodeIndex node) {
  Fleet& fleet = s_.fleets[index];
  const FleetConfig& config = s_.config.fleets[index];
  const ServerId id = s_.servers.emplace();
  Server& server = s_.servers[id];
  server.fleet = index;
  server.node = node;
  server.port = ports.main;
  server.named_ports = ports.named;
  server.since = now_;
  ++fleet.starting;
  ++fleet.servers;
  fleet.by_port[ports.main] = id;
  ++s_.totals.launches;
  s_.timers.set(server.timer, now_ + config.launch_timeout, timer(TimerKind::server, id));

  LaunchServer effect{s_.nodes[node]->link,  id, index, ports.main, match_id, {}, {}, 0,
                      std::move(ports.named)};
  if (match_id) {
    bind(match_id, id);
    const QueueConfig& queue = s_.config.queues[*s_.matches[match_id].queue];
    effect.queue = queue.name;
    effect.map = queue.map;
    effect.players = queue.players;
  }
  emit(std::move(effect));
}

void Turn::on(const ServerLaunched& e) {
  if (Server* server = s_.servers.find(e.server)) server->pid = e.pid;
}

void Turn::on(const ServerReady& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || server->state != ServerState::starting || server->stopping) return;
  if (config_of(*server).sdk == SdkKind::classic) return;  // Its login alone makes it Ready.
  make_ready(e.server);
}

/// From Starting, or again after a match.
void Turn::make_ready(ServerId id) {
  Server& server = s_.servers[id];
  Fleet& fleet = s_.fleets[server.fleet];
  if (server.state == ServerState::starting) {
    --fleet.starting;
    fleet.failures = 0;
    unbind(server.launched_for);
  }
  set_state(server, ServerState::ready);
  server.note.clear();
  fleet.ready.push_back(id);
  if (const Duration idle = config_of(server).idle_timeout; idle > Duration::zero())
    s_.timers.set(server.timer, now_ + idle, timer(TimerKind::server, id));
  else
    s_.timers.cancel(server.timer);
  const FleetIndex index = server.fleet;
  balance(index);
}

void Turn::unready(ServerId id) { std::erase(s_.fleets[s_.servers[id].fleet].ready, id); }

void Turn::set_state(Server& server, ServerState state) {
  server.state = state;
  server.since = now_;
}

/// Asks a server to end. It keeps its port and counts for servers_max until it has exited.
/// `state` is what it is meanwhile: shutdown, unhealthy, or allocated if its match may still end.
void Turn::stop_server(ServerId id, ServerState state, Duration grace) {
  Server& server = s_.servers[id];
  if (server.state == ServerState::starting) {
    --s_.fleets[server.fleet].starting;
    unbind(server.launched_for);
  }
  if (server.state == ServerState::ready) unready(id);
  s_.timers.cancel(server.timer);
  if (server.state != state) set_state(server, state);
  if (server.stopping) return;
  server.stopping = true;
  emit(StopServer{s_.nodes[server.node]->link, id, grace});
}

void Turn::on(const LaunchFailed& e) {
  Server* server = s_.servers.find(e.server);
  if (!server) return;
  if (server->match || server->state == ServerState::ready)  // It did run, so it does no more.
    return server_gone(e.server, false, e.detail);
  const FleetIndex index = server->fleet;
  Fleet& fleet = s_.fleets[index];
  if (e.error == LaunchError::port_taken) {
    // Nobody's fault, and no attempt: the port rests, another is tried at once.
    fleet.last_error =
        "port " + std::to_string(e.port == 0 ? server->port : e.port) + " is taken: " + e.detail;
    free_server(e.server, e.port);
  } else {
    launch_failed(e.server, e.detail);
    free_server(e.server);
  }
  balance(index);
}

/// A server that was Starting is not going to be Ready. The match it was launched for has one
/// attempt less; warm launches back off.
void Turn::launch_failed(ServerId id, const std::string& why) {
  Server& server = s_.servers[id];
  if (server.state != ServerState::starting) return;
  ++s_.totals.launch_failures;
  replace_later(server.fleet, why);
  const MatchId match_id = server.launched_for;
  Match* match = s_.matches.find(match_id);
  if (!match) return;
  unbind(match_id);
  if (++match->attempts >= s_.config.fleets[server.fleet].launch_attempts_max)
    fail_match(match_id, Error::launch_failed);
}

/// A Ready server ends that nobody asked to, even if in good order. Replaced at once, it and those
/// after it might do nothing else.
void Turn::replace_later(FleetIndex index, const std::string& why) {
  Fleet& fleet = s_.fleets[index];
  fleet.last_error = why;
  ++fleet.failures;
  arm_retry(index, now_ + backoff(fleet.failures));
}

/// launch_timeout has passed.
void Turn::launch_due(ServerId id) {
  const Server& server = s_.servers[id];
  const FleetIndex index = server.fleet;
  launch_failed(id, server.note.empty() ? "not Ready within launch_timeout"
                                        : "not Ready within launch_timeout: " + server.note);
  stop_server(id, ServerState::error, Duration::zero());
  balance(index);
}

/// idle_timeout has passed for a Ready server.
void Turn::idle_due(ServerId id) {
  const Server& server = s_.servers[id];
  const FleetConfig& config = config_of(server);
  if (s_.fleets[server.fleet].ready.size() > config.ready_min)
    stop_server(id, ServerState::shutdown, config.stop_grace);
  else
    s_.timers.set(s_.servers[id].timer, now_ + config.idle_timeout, timer(TimerKind::server, id));
}

void Turn::on(const ServerExited& e) {
  if (!s_.servers.find(e.server)) return;
  const bool clean = e.signal == 0 && e.exit_code == 0;
  std::string why = e.signal != 0 ? "killed by signal " + std::to_string(e.signal)
                                  : "exit code " + std::to_string(e.exit_code);
  if (!e.detail.empty()) why += ": " + e.detail;
  server_gone(e.server, clean, why);
}

void Turn::server_gone(ServerId id, bool clean, const std::string& why) {
  const FleetIndex index = s_.servers[id].fleet;
  lose_server(id, clean, why);
  balance(index);
}

/// Its process is no more: whatever it was doing ends, its port is free. The fleet is left for the
/// caller to balance.
void Turn::lose_server(ServerId id, bool clean, const std::string& why) {
  Server& server = s_.servers[id];
  const FleetIndex index = server.fleet;
  if (server.state == ServerState::starting) {
    launch_failed(id, why + " before it was Ready");
  } else if (server.match) {
    if (!clean) {
      s_.fleets[index].last_error = why + " during a match";
      ++s_.totals.servers_lost;
    }
    end_match(server.match, clean ? MatchEnd::over : MatchEnd::server_lost, {});
  } else if (server.state == ServerState::ready) {
    replace_later(index, why + " while Ready");
  }
  free_server(id);
}

void Turn::free_server(ServerId id, std::optional<std::uint16_t> port_taken) {
  Server& server = s_.servers[id];
  Fleet& fleet = s_.fleets[server.fleet];
  if (server.state == ServerState::starting) --fleet.starting;
  if (server.state == ServerState::ready) unready(id);
  unbind(server.launched_for);
  if (Session* session = s_.sessions.find(server.session)) {
    session->server = ServerId{};
    emit(CloseSession{server.session, Error::none});
  }
  --fleet.servers;
  fleet.by_port.erase(server.port);
  if (port_taken)
    fleet.ports.release(server.ports(), *port_taken, now_ + s_.config.port_set_aside);
  else
    fleet.ports.release(server.ports());
  s_.timers.cancel(server.timer);
  s_.servers.erase(id);
}

void Turn::on(const ServerUnhealthy& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || server->stopping) return;
  const FleetIndex index = server->fleet;
  const std::string why = e.detail.empty() ? "silent for health_timeout" : e.detail;
  if (server->state == ServerState::starting) launch_failed(e.server, why);
  if (server->match) {
    ++s_.totals.servers_lost;
    end_match(server->match, MatchEnd::server_lost, {});
  }
  s_.fleets[index].last_error = why;
  stop_server(e.server, ServerState::unhealthy, Duration::zero());
  balance(index);
}

void Turn::on(const ServerNoted& e) {
  Server* server = s_.servers.find(e.server);
  if (server && server->state == ServerState::starting) server->note = e.note;
}

void Turn::on(const ShutdownRequested& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || server->stopping) return;
  const FleetIndex index = server->fleet;
  if (server->state == ServerState::starting) launch_failed(e.server, "it asked to be shut down");
  if (server->match) end_match(server->match, MatchEnd::over, {});
  if (server->state == ServerState::ready) replace_later(index, "it asked to be shut down");
  stop_server(e.server, ServerState::shutdown, config_of(*server).stop_grace);
  balance(index);
}

void Turn::on(const StopServerCommand& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || server->stopping) return;
  const FleetIndex index = server->fleet;
  if (server->match) {
    emit(EndServerMatch{s_.nodes[server->node]->link, e.server, match_at(*server),
                        MatchEnd::cancelled});
    end_match(server->match, MatchEnd::cancelled, {});
  }
  stop_server(e.server, ServerState::shutdown, config_of(*server).stop_grace);
  balance(index);
}

/// The match is over: Ready again, or made to exit.
void Turn::after_match(ServerId id) {
  const Server& server = s_.servers[id];
  const FleetIndex index = server.fleet;
  if (config_of(server).after_match == AfterMatch::reuse && !server.stopping) {
    make_ready(id);
  } else {
    stop_server(id, ServerState::shutdown, config_of(server).stop_grace);
    balance(index);
  }
}

void Turn::arm_retry(FleetIndex index, Time at) {
  s_.timers.set(s_.fleets[index].retry, at, Timer{TimerKind::fleet_retry, index, 0});
}

}  // namespace muster::core
