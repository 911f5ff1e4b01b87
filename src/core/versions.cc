// A configuration that changes while the lobby runs. Fleets and queues keep their positions, since
// everything refers to them by these; what is no longer configured stays, marked as removed, until
// nothing refers to it, and then its position may be another's.
//
// What is played goes on. A fleet whose launch template changed has another version: its game
// servers of the old one get no further match once those of the new one are Ready (fleet.cc).
#include <algorithm>
#include <limits>

#include "core/rule_matcher.h"
#include "core/turn.h"

namespace muster::core {

void Turn::on(const ConfigReloaded& e) {
  const Config& next = *e.config;
  ++s_.totals.reloads;
  s_.config.players_max = next.players_max;
  s_.config.sessions_max = next.sessions_max;
  s_.config.resume_grace = next.resume_grace;
  s_.config.attributes_max = next.attributes_max;
  s_.config.party_size_max = next.party_size_max;
  s_.config.port_set_aside = next.port_set_aside;
  s_.config.classic_queue = next.classic_queue;
  s_.config.results_outstanding_max = next.results_outstanding_max;
  // The first of the file need not be the first here.
  if (next.classic_queue.empty() && !next.queues.empty())
    s_.config.classic_queue = next.queues.front().name;

  std::vector<FleetIndex> slots;
  change_fleets(next.fleets, slots);
  change_ports();
  for (FleetIndex fleet = 0; fleet < s_.fleets.size(); ++fleet) sort_by_version(fleet);
  change_queues(next.queues, slots);
  stop_unused_of_removed();
  for (FleetIndex fleet = 0; fleet < s_.fleets.size(); ++fleet) balance(fleet);
  for (QueueIndex queue = 0; queue < s_.queues.size(); ++queue) try_match(queue);
}

void Turn::change_fleets(const std::vector<FleetConfig>& fleets, std::vector<FleetIndex>& slots) {
  std::set<std::string> kept;
  for (const FleetConfig& config : fleets) kept.insert(config.name);
  for (const FleetConfig& config : fleets) {
    const FleetIndex index = fleet_slot(config, kept);
    slots.push_back(index);
    Fleet& fleet = s_.fleets[index];
    FleetConfig& current = s_.config.fleets[index];
    const bool end_changed = config.end != current.end;
    const bool idle_changed = config.idle_timeout != current.idle_timeout;
    const bool sleep_changed = config.scale_to_zero_after != current.scale_to_zero_after;
    fleet.removed = false;
    if (!config.fork) fleet.fork_parent.reset();
    current = config;
    fleet.launch_config = std::make_shared<const FleetConfig>(config);
    if (const std::uint32_t version = launch_version(config); version != fleet.version) {
      fleet.version = version;
      fleet_works(index);  // A new command has not failed yet.
    }
    if (fleet.failures < config.crash_loop_after || config.crash_loop_after == 0)
      fleet.crash_loop = false;
    if (sleep_changed) {
      s_.timers.cancel(fleet.sleep);
      fleet.asleep = fleet.asleep && config.scale_to_zero_after > Duration::zero();
    }
    if (end_changed) watch_matches_anew(index);
    if (!idle_changed) continue;
    for (const auto* ready : {&fleet.ready, &fleet.outdated_ready})
      for (const ServerId id : *ready) arm_idle(id);
  }
  for (FleetIndex index = 0; index < s_.fleets.size(); ++index) {
    Fleet& fleet = s_.fleets[index];
    if (fleet.removed || std::find(slots.begin(), slots.end(), index) != slots.end()) continue;
    fleet.removed = true;
    fleet.fork_parent.reset();
    fleet.draining = fleet.asleep = false;
    s_.config.fleets[index].ports = {};
    s_.config.fleets[index].named_ports.clear();
    fleet_works(index);
    s_.timers.cancel(fleet.sleep);
  }
}

/// When the matches of a fleet without an SDK end because nobody is there has changed.
void Turn::watch_matches_anew(FleetIndex fleet) {
  s_.matches.for_each([&](MatchId id, Match& match) {
    if (match.fleet != fleet || match.state != MatchState::playing) return;
    s_.timers.cancel(match.empty);
    watch_for_players(id);
  });
}

/// Where it stands already, or may stand. `kept` are the names of all that will be configured.
FleetIndex Turn::fleet_slot(const FleetConfig& config, const std::set<std::string>& kept) {
  auto& configs = s_.config.fleets;
  for (FleetIndex i = 0; i < configs.size(); ++i)
    if (configs[i].name == config.name) return i;
  for (FleetIndex i = 0; i < configs.size(); ++i) {
    Fleet& fleet = s_.fleets[i];
    if (!fleet.removed || fleet.servers > 0 || !fleet.waiting.empty()) continue;
    if (kept.contains(configs[i].name)) continue;
    for (TimerId* timer : {&fleet.retry, &fleet.proof, &fleet.sleep}) s_.timers.cancel(*timer);
    configs[i] = config;
    fleet = new_fleet(config);
    return i;
  }
  configs.push_back(config);
  s_.fleets.push_back(new_fleet(config));
  return static_cast<FleetIndex>(configs.size() - 1);
}

void Turn::change_queues(const std::vector<QueueConfig>& queues,
                         const std::vector<FleetIndex>& slots) {
  std::set<std::string> kept;
  for (const QueueConfig& config : queues) kept.insert(config.name);
  std::set<QueueIndex> configured;
  std::vector<QueueIndex> resized;
  for (const QueueConfig& config : queues) {
    const QueueIndex index = queue_slot(config, kept);
    configured.insert(index);
    s_.queues[index].removed = false;
    if (s_.config.queues[index].players != config.players) resized.push_back(index);
    s_.config.queues[index] = config;
    s_.config.queues[index].fleet = slots[config.fleet];
    for (RegionConfig& region : s_.config.queues[index].region) region.fleet = slots[region.fleet];
  }
  for (QueueIndex index = 0; index < s_.queues.size(); ++index)
    if (!configured.contains(index)) s_.queues[index].removed = true;
  fail_misfits();
  for (QueueIndex index = 0; index < s_.queues.size(); ++index)
    if (!s_.queues[index].removed) change_rules(index);
  for (const QueueIndex index : resized) {
    s_.queues[index].gathered_told = std::numeric_limits<std::uint32_t>::max();
    send_gathered(index);
  }
}

QueueIndex Turn::queue_slot(const QueueConfig& config, const std::set<std::string>& kept) {
  auto& configs = s_.config.queues;
  for (QueueIndex i = 0; i < configs.size(); ++i)
    if (configs[i].name == config.name) return i;
  std::set<QueueIndex> in_use;
  s_.matches.for_each([&](MatchId, const Match& match) {
    if (match.queue) in_use.insert(*match.queue);
  });
  for (QueueIndex i = 0; i < configs.size(); ++i) {
    if (!s_.queues[i].removed || in_use.contains(i) || kept.contains(configs[i].name)) continue;
    configs[i] = config;
    s_.queues[i].waits.clear();
    s_.players.for_each([i](PlayerId, Player& player) {  // They were about another queue.
      std::erase_if(player.ratings, [i](const auto& rating) { return rating.queue == i; });
      std::erase_if(player.recent, [i](const auto& match) { return match.queue == i; });
      std::erase_if(player.penalties, [i](const auto& penalty) { return penalty.queue == i; });
    });
    return i;
  }
  configs.push_back(config);
  s_.queues.emplace_back();
  return static_cast<QueueIndex>(configs.size() - 1);
}

/// Tickets that wait where they cannot any more. Those already matched are played.
void Turn::fail_misfits() {
  std::vector<std::pair<TicketId, Error>> misfits;
  s_.tickets.for_each([&](TicketId id, const Ticket& ticket) {
    if (ticket.state != TicketState::queued) return;
    if (const Error error = misfit(ticket.queue, ticket.members); error != Error::none)
      misfits.emplace_back(id, error);
  });
  for (const auto& [id, error] : misfits) {
    dequeue(s_.tickets[id], id);
    end_ticket(id, TicketState::failed, error);
  }
}

/// Who waits goes on waiting by the rules that the queue has now, or by none.
void Turn::change_rules(QueueIndex index) {
  Queue& queue = s_.queues[index];
  const QueueConfig& config = s_.config.queues[index];
  if (!queue.matcher && !config.ruled()) return;
  std::vector<TicketId> waiting;
  s_.tickets.for_each([&](TicketId id, const Ticket& ticket) {
    if (ticket.queue == index && ticket.state == TicketState::queued && !ticket.held)
      waiting.push_back(id);
  });
  for (const TicketId id : waiting) dequeue(s_.tickets[id], id);
  s_.timers.cancel(queue.widening);
  queue.matcher = MatcherSlot(config);
  for (const TicketId id : waiting) enqueue(id);
}

/// Each fleet has the ports of its range that no game server has, of whichever fleet; those come
/// when it has exited.
void Turn::change_ports() {
  std::set<std::uint16_t> used;
  std::multimap<Time, std::uint16_t> aside;
  for (const Fleet& fleet : s_.fleets) {
    aside.insert(fleet.ports.aside().begin(), fleet.ports.aside().end());
    for (const NamedPool& kind : fleet.named_ports)
      aside.insert(kind.pool.aside().begin(), kind.pool.aside().end());
  }
  s_.servers.for_each([&](ServerId, const Server& server) {
    used.insert(server.port);
    for (const NamedPort& port : server.named_ports) used.insert(port.port);
  });
  for (FleetIndex i = 0; i < s_.fleets.size(); ++i) {
    Fleet& fleet = s_.fleets[i];
    const FleetConfig& config = s_.config.fleets[i];
    fleet.ports.change_range(config.ports, port_offsets(config), used, aside);
    std::vector<NamedPool> pools = named_pools(config);
    for (NamedPool& kind : pools) {
      const PortRange range{kind.pool.free().front(), kind.pool.free().back()};
      for (NamedPool& old : fleet.named_ports)
        if (old.name == kind.name) kind.pool = std::move(old.pool);
      kind.pool.change_range(range, {}, used, aside);
    }
    fleet.named_ports = std::move(pools);
  }
}

/// Which of its servers are of its version.
void Turn::sort_by_version(FleetIndex index) {
  Fleet& fleet = s_.fleets[index];
  fleet.ready.clear(), fleet.outdated_ready.clear();
  fleet.starting = fleet.outdated_starting = 0;
  std::vector<std::pair<Time, ServerId>> ready;
  for (const auto& [port, id] : fleet.by_port) {
    const Server& server = s_.servers[id];
    if (server.state == ServerState::ready) ready.emplace_back(server.since, id);
    if (server.state == ServerState::starting)
      ++(outdated(server) ? fleet.outdated_starting : fleet.starting);
  }
  std::sort(ready.begin(), ready.end());
  for (const auto& [since, id] : ready)
    (outdated(s_.servers[id]) ? fleet.outdated_ready : fleet.ready).push_back(id);
}

/// Matches that wait for a server which the fleet can launch no more are served by the fleet that
/// their queue has now, for their region if that is still there; without a queue there is none.
void Turn::leave_removed_fleet(FleetIndex index) {
  const MatchLine unserved = s_.fleets[index].unserved;
  for (const auto& [since, id] : unserved) {
    Match& match = s_.matches[id];
    if (s_.queues[*match.queue].removed) {
      fail_match(id, Error::queue_removed);
      continue;
    }
    stop_waiting(id);
    const QueueConfig& config = s_.config.queues[*match.queue];
    match.fleet = config.fleet;
    for (const RegionConfig& region : config.region)
      if (region.name == match.region) match.fleet = region.fleet;
    wait_for_server(id);
    rebalance_.push_back(match.fleet);
  }
}

std::optional<FleetIndex> Turn::find_fleet(const std::string& name) const {
  for (FleetIndex i = 0; i < s_.fleets.size(); ++i)
    if (!s_.fleets[i].removed && s_.config.fleets[i].name == name) return i;
  return std::nullopt;
}

/// The fleet whose range a port is in: it may be another's than the game server's that has it.
std::optional<FleetIndex> Turn::home_of(std::uint16_t port) const {
  for (FleetIndex i = 0; i < s_.fleets.size(); ++i) {
    if (s_.fleets[i].ports.holds(port)) return i;
    for (const NamedPool& kind : s_.fleets[i].named_ports)
      if (kind.pool.holds(port)) return i;
  }
  return std::nullopt;
}

PortPool* Turn::pool_of(std::uint16_t port) {
  for (Fleet& fleet : s_.fleets) {
    if (fleet.ports.holds(port)) return &fleet.ports;
    for (NamedPool& kind : fleet.named_ports)
      if (kind.pool.holds(port)) return &kind.pool;
  }
  return nullptr;
}

/// For a game server that was found running. False if another has the port.
bool Turn::take_port(std::uint16_t port) {
  if (PortPool* pool = pool_of(port)) return pool->acquire_exactly(port);
  bool free = port != 0;
  s_.servers.for_each([&](ServerId, const Server& server) {
    free = free && server.port != port;
    for (const NamedPort& named : server.named_ports) free = free && named.port != port;
  });
  return free;
}

void Turn::give_back_port(const Server& server, std::uint16_t port, bool taken) {
  PortPool* const pool = pool_of(port);
  if (!pool) return;
  if (taken)
    pool->set_aside(port, now_ + s_.config.port_set_aside);
  else
    pool->release(port);
  if (const FleetIndex home = *home_of(port); home != server.fleet) rebalance_.push_back(home);
}

}  // namespace muster::core
