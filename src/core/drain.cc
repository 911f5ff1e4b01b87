// What gets no more matches: drained fleets, nodes and game servers; and fleets that sleep because
// nobody plays.
#include <algorithm>
#include <utility>

#include "core/turn.h"

namespace muster::core {
namespace {

bool serves(const QueueConfig& queue, FleetIndex fleet) {
  return !queue.all_fleets([&](FleetIndex of_queue) { return of_queue != fleet; });
}

}  // namespace

void Turn::on(const DrainFleet& e) {
  const auto index = find_fleet(e.fleet);
  if (!index || s_.fleets[*index].draining == e.draining) return;
  s_.fleets[*index].draining = e.draining;
  if (e.draining)
    stop_unused([&](ServerId, const Server& server) { return server.fleet == *index; });
  balance(*index);
  if (!e.draining) match_queues_of(*index);
}

void Turn::on(const DrainNode& e) {
  for (NodeIndex index = 0; index < s_.nodes.size(); ++index) {
    Node& node = *s_.nodes[index];
    if (node.name != e.node || node.draining == e.draining) continue;
    node.draining = e.draining;
    if (e.draining)
      stop_unused([&](ServerId, const Server& server) { return server.node == index; });
    watch_for_nodes();
    for (FleetIndex fleet = 0; fleet < s_.fleets.size(); ++fleet) balance(fleet);
  }
}

void Turn::on(const DrainServer& e) {
  Server* server = s_.servers.find(e.server);
  if (!server || server->stopping || server->draining == e.draining) return;
  const FleetIndex index = server->fleet;
  server->draining = e.draining;
  if (e.draining) stop_unused([&](ServerId id, const Server&) { return id == e.server; });
  balance(index);
}

/// Stops those without a match: Ready, or Starting for nobody in particular. What is launched for a
/// match is waited for by its players, who were matched before.
template <class Predicate>
void Turn::stop_unused(Predicate&& concerned) {
  std::vector<ServerId> unused;
  s_.servers.for_each([&](ServerId id, const Server& server) {
    const bool waits = server.state == ServerState::ready ||
                       (server.state == ServerState::starting && !server.launched_for);
    if (waits && !server.stopping && concerned(id, server)) unused.push_back(id);
  });
  for (const ServerId id : unused) {
    const Server& server = s_.servers[id];
    stop_server(id, ServerState::shutdown, config_of(server).stop_grace, why_unwanted(server));
  }
}

void Turn::stop_unused_of_removed() {
  stop_unused([&](ServerId, const Server& server) { return s_.fleets[server.fleet].removed; });
}

void Turn::match_queues_of(FleetIndex fleet) {
  for (QueueIndex queue = 0; queue < s_.queues.size(); ++queue)
    if (serves(s_.config.queues[queue], fleet)) try_match(queue);
}

/// Somebody wants to play: the queue's fleets wake, those that sleep.
void Turn::use_fleets(QueueIndex queue) {
  fleets_used(queue);
  s_.config.queues[queue].all_fleets([&](FleetIndex index) {
    if (std::exchange(s_.fleets[index].asleep, false)) balance(index);
    return true;
  });
}

void Turn::fleets_used(QueueIndex queue) {
  s_.config.queues[queue].all_fleets([&](FleetIndex index) {
    s_.fleets[index].used_at = now_;
    return true;
  });
}

/// The deadline is only looked at when it comes, so that a ticket costs nothing.
void Turn::arm_sleep(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  const Duration after = s_.config.fleets[index].scale_to_zero_after;
  if (after == Duration::zero() || fleet.asleep || fleet.sleep || fleet.removed) return;
  fleet.used_at = now_;
  s_.timers.set(fleet.sleep, now_ + after, Timer{TimerKind::fleet_sleep, index, 0});
}

void Turn::sleep_due(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  bool in_use = !fleet.waiting.empty();
  for (const auto& [port, id] : fleet.by_port) in_use |= static_cast<bool>(s_.servers[id].match);
  s_.tickets.for_each([&](TicketId, const Ticket& ticket) {
    in_use |= serves(s_.config.queues[ticket.queue], index);
  });
  if (in_use) fleet.used_at = now_;
  const Time due = fleet.used_at + s_.config.fleets[index].scale_to_zero_after;
  if (due > now_) return s_.timers.set(fleet.sleep, due, Timer{TimerKind::fleet_sleep, index, 0});
  fleet.asleep = true;
  stop_unused([&](ServerId, const Server& server) { return server.fleet == index; });
}

}  // namespace muster::core
