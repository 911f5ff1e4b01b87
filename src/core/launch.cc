// Launches: one for each match without a server and each warm server that is missing; and what
// becomes of a fleet whose servers fail one after the other.
#include <algorithm>

#include "core/turn.h"

namespace muster::core {
namespace {

/// How long a fleet waits after so many failures in a row: before it replaces a warm server, and in
/// a crash loop before it launches anything.
Duration backoff(std::uint32_t failures) {
  return seconds{std::min(30u, 1u << std::min(failures, 5u))};
}

/// A server that was Ready for so long shows that the fleet's command works.
constexpr Duration proven_after = seconds{10};

}  // namespace

/// How many Ready servers are wanted beyond those for matches.
std::uint32_t Turn::warm_wanted(FleetIndex index) const {
  const Fleet& fleet = s_.fleets[index];
  return fleet.removed || fleet.draining || fleet.asleep ? 0 : s_.config.fleets[index].ready_min;
}

void Turn::launch_missing(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  const FleetConfig& config = s_.config.fleets[index];
  if (fleet.removed || fleet.draining) return;
  for (;;) {
    // Outdated servers still serve the matches that wait, but count for no warm one.
    const std::size_t matches =
        fleet.waiting.size() - std::min<std::size_t>(fleet.waiting.size(), fleet.outdated_starting);
    if (fleet.starting + fleet.ready.size() >= matches + warm_wanted(index)) return;
    const bool warm = fleet.unserved.empty();
    if (backing_off(fleet, warm)) return;
    if (fleet.servers >= config.servers_max)
      return make_room(index);  // Or a server that ends makes room.
    const auto node = node_for_launch();
    if (!node) return;  // NodeConnected comes back here.
    const MatchId match = warm ? MatchId{} : fleet.unserved.begin()->second;
    auto ports = acquire_ports(config, fleet.ports, fleet.named_ports, now_);
    if (!ports) {
      const auto returns = ports_return(fleet.ports, fleet.named_ports, now_);
      if (returns) arm_retry(index, *returns);
      if (warm) return make_room(index);
      // Ports come back when servers end. If none has one, waiting would help nobody.
      const auto in_use = [](const NamedPool& kind) { return kind.pool.used_count() > 0; };
      if (fleet.ports.used_count() > 0 ||
          std::any_of(fleet.named_ports.begin(), fleet.named_ports.end(), in_use))
        return;
      fleet.last_error = message(Error::no_port_free);
      fail_match(match, Error::no_port_free);
      continue;
    }
    launch(index, match, *std::move(ports), *node);
  }
}

/// Matches launch at once, whatever happened to the launch before: each has few attempts. In a
/// crash loop they take turns: one launch, and a pause if it fails.
bool Turn::backing_off(const Fleet& fleet, bool warm) const {
  if (fleet.crash_loop) return fleet.retry || fleet.starting + fleet.outdated_starting > 0;
  return warm && fleet.failures > 0 && fleet.retry;
}

/// A new warm server has no place, because outdated ones hold them all: one of them goes first.
void Turn::make_room(FleetIndex index) {
  const Fleet& fleet = s_.fleets[index];
  if (fleet.outdated_ready.empty() || !fleet.waiting.empty()) return;
  for (const auto& [port, id] : fleet.by_port)
    if (s_.servers[id].stopping) return;  // It makes room already.
  const ServerId id = fleet.outdated_ready.front();
  stop_server(id, ServerState::shutdown, s_.config.fleets[index].stop_grace,
              why_unwanted(s_.servers[id]));
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
  server.sdk = config.sdk;
  server.version = fleet.version;
  server.launched = server.since = now_;
  ++fleet.starting;
  ++fleet.servers;
  fleet.by_port[ports.main] = id;
  ++s_.totals.launches;
  s_.timers.set(server.timer, now_ + config.launch_timeout, timer(TimerKind::server, id));

  LaunchServer effect;
  effect.node = s_.nodes[node]->link;
  effect.server = id;
  effect.fleet = index;
  effect.port = ports.main;
  effect.ports = std::move(ports.named);
  effect.match = match_id;
  effect.config = fleet.launch_config;
  effect.version = fleet.version;
  if (match_id) {
    bind(match_id, id);
    const Match& match = s_.matches[match_id];
    const QueueConfig& queue = s_.config.queues[*match.queue];
    effect.queue = queue.name;
    effect.map = queue.map;
    effect.players = match.seats;
  }
  emit(std::move(effect));
}

void Turn::on(const ServerLaunched& e) {
  Server* server = s_.servers.find(e.server);
  if (!server) return;
  server->pid = e.pid;
  server->forked = e.forked;
}

void Turn::on(const LaunchFailed& e) {
  Server* server = s_.servers.find(e.server);
  if (!server) return;
  // It did run, so it does no more.
  if (server->match || server->state == ServerState::ready || holds_itself(*server))
    return server_gone(e.server, false, e.detail, Blame::fleet);
  const FleetIndex index = server->fleet;
  Fleet& fleet = s_.fleets[index];
  if (server->reason.empty()) server->reason = "could not be launched";
  if (e.error == LaunchError::port_taken) {
    // Nobody's fault, and no attempt: the port rests, another is tried at once.
    const std::uint16_t port = e.port == 0 ? server->port : e.port;
    fleet.last_error = "port " + std::to_string(port) + " is taken: " + e.detail;
    free_server(e.server, fleet.last_error, port);
  } else {
    launch_failed(e.server, e.detail);
    free_server(e.server, e.detail);
  }
  balance(index);
}

/// A server that was Starting is not going to be Ready. The match it was launched for has one
/// attempt less; in a crash loop, where one launch is tried for all, each that waits has.
void Turn::launch_failed(ServerId id, const std::string& why, Blame blame) {
  Server& server = s_.servers[id];
  if (server.state != ServerState::starting) return;
  const FleetIndex index = server.fleet;
  Fleet& fleet = s_.fleets[index];
  ++s_.totals.launch_failures;
  server_failed(server, why, blame);
  std::vector<MatchId> disappointed;
  if (s_.matches.find(server.launched_for)) disappointed.push_back(server.launched_for);
  unbind(server.launched_for);
  if (fleet.crash_loop) {
    disappointed.clear();
    for (const auto& [since, match] : fleet.unserved) disappointed.push_back(match);
  }
  const std::uint32_t attempts_max = s_.config.fleets[index].launch_attempts_max;
  for (const MatchId match : disappointed)
    if (++s_.matches[match].attempts >= attempts_max)
      fail_match(match, fleet.crash_loop ? Error::fleet_crash_loop : Error::launch_failed);
}

/// launch_timeout has passed.
void Turn::launch_due(ServerId id) {
  const FleetIndex index = s_.servers[id].fleet;
  const std::string& note = s_.servers[id].note;
  const std::string why = "not Ready within launch_timeout" + (note.empty() ? "" : ": " + note);
  launch_failed(id, why);
  stop_server(id, ServerState::error, Duration::zero(), why);
  balance(index);
}

/// A launch failed, or a server ended that nobody asked to, even if in good order. Replaced at
/// once, it and those after it might do nothing else.
void Turn::server_failed(const Server& server, const std::string& why, Blame blame) {
  const FleetIndex index = server.fleet;
  Fleet& fleet = s_.fleets[index];
  fleet.last_error = why;
  if (blame != Blame::fleet || outdated(server)) return;  // That says nothing of the command.
  const std::uint32_t limit = s_.config.fleets[index].crash_loop_after;
  ++fleet.failures;
  if (!fleet.crash_loop && limit > 0 && fleet.failures >= limit) {
    fleet.crash_loop = true;
    fleet.crash_loop_since = now_;
    ++s_.totals.crash_loops;
  }
  arm_retry(index, now_ + backoff(fleet.failures));
}

/// Has been Ready for long enough, or ended a match in order.
void Turn::server_works(Server& server) {
  server.proven = true;
  if (!outdated(server)) fleet_works(server.fleet);
}

/// Its command works, or an operator says so. The caller balances the fleet.
void Turn::fleet_works(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  if (fleet.failures == 0) return;
  fleet.failures = 0;
  fleet.crash_loop = false;
  s_.timers.cancel(fleet.retry);
  s_.timers.cancel(fleet.proof);
}

void Turn::on(const ClearFleet& e) {
  const auto index = find_fleet(e.fleet);
  if (!index) return;
  fleet_works(*index);
  balance(*index);
}

void Turn::watch_for_proof(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  if (fleet.failures == 0 || fleet.proof) return;
  s_.timers.set(fleet.proof, now_ + proven_after, Timer{TimerKind::fleet_proof, index, 0});
}

/// Some server may have been Ready for long enough; if its like do not live so long, the fleet goes
/// on failing.
void Turn::proof_due(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  std::optional<Time> next;
  std::vector<ServerId> proven;
  for (const auto& [port, id] : fleet.by_port) {
    Server& server = s_.servers[id];
    const bool lives = !server.stopping && (server.state == ServerState::ready || server.match);
    if (!lives || server.proven) continue;
    const Time due = server.ready_at + proven_after;
    if (due <= now_)
      proven.push_back(id);
    else
      next = next ? std::min(*next, due) : due;
  }
  for (const ServerId id : proven) server_works(s_.servers[id]);
  balance(index);
  if (next && fleet.failures > 0)
    s_.timers.set(fleet.proof, *next, Timer{TimerKind::fleet_proof, index, 0});
}

void Turn::arm_retry(FleetIndex index, Time at) {
  Fleet& fleet = s_.fleets[index];
  fleet.retry_at = at;
  s_.timers.set(fleet.retry, at, Timer{TimerKind::fleet_retry, index, 0});
}

}  // namespace muster::core
