// Nodes: their link comes and goes; what they run is taken back.
#include <algorithm>

#include "core/turn.h"

namespace muster::core {
namespace {

/// How long a node may be away before its game servers count as lost.
constexpr Duration node_grace = seconds{10};

/// The highest slot of a game server that is taken back. A pool has room for every slot below its
/// highest, so an id made up by somebody else could claim all memory.
constexpr std::uint32_t slot_max = 100'000;

}  // namespace

/// The first connected one that is not drained: there is one node per lobby so far.
std::optional<NodeIndex> Turn::node_for_launch() const {
  for (NodeIndex i = 0; i < s_.nodes.size(); ++i)
    if (s_.nodes[i]->link && !s_.nodes[i]->draining) return i;
  return std::nullopt;
}

void Turn::on(const NodeConnected& e) {
  NodeIndex index = 0;
  while (index < s_.nodes.size() && s_.nodes[index]->name != e.name) ++index;
  if (index == s_.nodes.size()) s_.nodes.push_back(std::make_unique<Node>());
  Node& node = *s_.nodes[index];
  node.link = e.node;
  node.name = e.name;
  node.host = e.host;
  node.limits = e.limits;
  s_.timers.cancel(node.lost);
  if (node.run != e.run) node.reported = 0;
  node.run = e.run;
  reported(node, e.reported);

  // What it runs and we know, goes on; what it runs and we do not know, is taken in or stopped;
  // what we know and it does not run, is lost. All of that before anything is decided: a launch in
  // between could take the port of a server not yet looked at, a match be given to one that is
  // lost.
  std::set<ServerId> reported;
  std::vector<ServerId> ready, reserved, allocated;
  std::vector<MatchOver> over;
  for (const ServerReport& report : e.servers) {
    reported.insert(report.server);
    if (adopt(index, report)) ready.push_back(report.server);
    if (report.reserved) reserved.push_back(report.server);
    if (report.allocated) allocated.push_back(report.server);
    // A match from before this lobby that its server has no more: its end was lost on the way.
    const Server* server = s_.servers.find(report.server);
    if (server && server->match && !report.match && !s_.matches[server->match].queue)
      over.push_back({report.server, match_at(*server), {}});
  }
  std::vector<ServerId> missing;
  s_.servers.for_each([&](ServerId id, const Server& server) {
    if (server.node == index && !reported.contains(id)) missing.push_back(id);
  });
  for (const ServerId id : missing)
    lose_server(id, false, "gone when its node came back", Blame::nobody);
  for (const ServerId id : reserved) on(ServerReserved{id, {}, {}});
  for (const ServerId id : allocated) on(ServerAllocated{id});
  for (const ServerId id : ready) on(ServerReady{id});
  for (const MatchOver& end : over) on(end);
  watch_for_nodes();
  for (FleetIndex fleet = 0; fleet < s_.fleets.size(); ++fleet) balance(fleet);
}

/// Whether there is a node for launches has changed.
void Turn::watch_for_nodes() {
  const bool any = node_for_launch().has_value();
  for (const Fleet& fleet : s_.fleets)
    for (const auto& [since, match] : fleet.unserved) {
      if (any)
        s_.timers.cancel(s_.matches[match].timer);
      else
        watch_for_node(match);
    }
}

/// Enters one server that a node runs. True if it is Starting here and has said that it is Ready.
bool Turn::adopt(NodeIndex index, const ServerReport& report) {
  const NodeId link = s_.nodes[index]->link;
  if (Server* server = s_.servers.find(report.server); server && server->port == report.port) {
    server->pid = report.pid;
    server->forked = report.forked;
    if (server->players != report.players) on(PlayersCounted{report.server, report.players});
    if (server->stopping) {
      server->stopping = false;  // The wish may have been lost with the link.
      const bool hangs =
          server->state == ServerState::error || server->state == ServerState::unhealthy;
      stop_server(report.server, server->state,
                  hangs ? Duration::zero() : config_of(*server).stop_grace,
                  std::move(server->reason));
    } else if (server->match && server->sdk != SdkKind::classic &&
               s_.matches[server->match].queue) {
      tell_match_again(link, report);
    } else if (!server->match && report.match && !server->session) {
      // That it is over was told over a link that is no more.
      emit(EndServerMatch{link, report.server, report.match, MatchEnd::over});
    }
    return report.ready;
  }

  // Even one that nobody wants here keeps its id and its port until it has exited.
  const auto fleet_index = fleet_of(report);
  if (!fleet_index) {
    emit(StopServer{link, report.server, seconds{10}});  // No port of ours, so in nobody's way.
    return false;
  }
  const FleetConfig& config = s_.config.fleets[*fleet_index];
  Fleet& fleet = s_.fleets[*fleet_index];
  Server* server = s_.servers.emplace_at(report.server);
  if (!server) {
    if (PortPool* pool = pool_of(report.port))
      pool->set_aside(report.port, now_ + s_.config.port_set_aside);
    emit(StopServer{link, report.server, config.stop_grace});
    return false;
  }
  server->fleet = *fleet_index;
  server->node = index;
  server->port = report.port;
  for (const NamedPort& port : report.ports)
    if (take_port(port.port)) server->named_ports.push_back(port);
  server->players = report.players;
  server->pid = report.pid;
  server->forked = report.forked;
  server->version = report.version;
  // An outdated one may have been of another kind than its fleet is now.
  if (config.sdk != SdkKind::classic) server->sdk = config.sdk;
  server->launched = server->since = server->ready_at = now_;
  ++fleet.servers;
  fleet.by_port[report.port] = report.server;
  // A classic one has said nothing to its node, and its connection to a lobby is gone.
  const bool speaks =
      config.sdk != SdkKind::classic || (outdated(*server) && (report.ready || report.match));
  // Players could not be told of all its ports.
  const bool whole = server->named_ports.size() == config.named_ports.size() || outdated(*server);
  if (!speaks || ((fleet.removed || !whole) && !report.match)) {
    server->state = ServerState::shutdown;
    std::string why = "its ports are not those of its fleet";
    if (whole) why = "it is classic, and its lobby is gone";
    if (fleet.removed) why = must_leave(*server);
    stop_server(report.server, ServerState::shutdown, config.stop_grace, std::move(why));
    return false;
  }
  if (!whole) server->draining = true;  // Once its match is over.
  if (report.match) {
    // Its players are strangers to this lobby; when it is over, the server is Ready again. It has
    // an id of its own here, since another match may have been given the one it was made under.
    const MatchId id = s_.matches.emplace();
    Match& match = s_.matches[id];
    match.known_as = report.match;
    match.fleet = *fleet_index;
    match.state = MatchState::playing;
    match.server = report.server;
    match.since = now_;
    match.roster = std::make_shared<const Roster>();
    if (config.match_timeout > Duration::zero())
      s_.timers.set(match.timer, now_ + config.match_timeout, timer(TimerKind::match, id));
    server->match = id;
    server->state = ServerState::allocated;
    watch_for_players(id);
    return false;
  }
  ++(outdated(*server) ? fleet.outdated_starting : fleet.starting);
  s_.timers.set(server->timer, now_ + config.launch_timeout,
                timer(TimerKind::server, report.server));
  return report.ready;
}

/// A server is back with a match of this lobby: what it may not have heard while the link was gone.
void Turn::tell_match_again(NodeId link, const ServerReport& report) {
  const MatchId id = s_.servers[report.server].match;
  const Match& match = s_.matches[id];
  const QueueConfig& queue = s_.config.queues[*match.queue];
  // One that says nothing itself may have missed the end of its last.
  if (report.match && report.match != id && s_.servers[report.server].sdk == SdkKind::none)
    emit(EndServerMatch{link, report.server, report.match, MatchEnd::over});
  if (report.match != id)
    emit(StartServerMatch{link, report.server, id, queue.name, queue.map, match.roster,
                          match.since});
  // Both lists have the same order.
  auto here = match.players.begin();
  for (const RosterEntry& entry : *match.roster) {
    if (here != match.players.end() && here->player == entry.player)
      ++here;
    else
      emit(RemoveServerPlayer{link, report.server, id, entry.player});
  }
}

/// The fleet of a game server that this lobby did not launch. One that is not configured (any more)
/// is entered as removed. Takes the port; nothing if another has it, or an id is out of all bounds.
std::optional<FleetIndex> Turn::fleet_of(const ServerReport& report) {
  if (!report.server || report.server.slot > slot_max || report.port == 0) return std::nullopt;
  if (!take_port(report.port)) return std::nullopt;
  for (FleetIndex i = 0; i < s_.fleets.size(); ++i)
    if (s_.config.fleets[i].name == report.fleet) return i;
  FleetConfig config;
  config.name = report.fleet;
  const FleetIndex index = fleet_slot(config, {});
  s_.fleets[index].removed = true;
  return index;
}

void Turn::on(const NodeLost& e) {
  for (NodeIndex index = 0; index < s_.nodes.size(); ++index) {
    Node& node = *s_.nodes[index];
    if (node.link != e.node) continue;
    node.link = NodeId{};
    s_.timers.set(node.lost, now_ + node_grace, Timer{TimerKind::node_lost, index, 0});
    for (Fleet& fleet : s_.fleets) fleet.fork_parent.reset();  // It says it again when it is back.
    watch_for_nodes();
  }
}

void Turn::on(const NodeReported& e) {
  for (const auto& node : s_.nodes)
    if (node->link == e.node) reported(*node, e.number);
}

void Turn::reported(Node& node, std::uint64_t number) {
  if (number <= node.reported) return;
  node.reported = number;
  emit(AcknowledgeReports{node.link, node.run, number});
}

void Turn::node_lost_for_good(NodeIndex index) {
  std::vector<ServerId> servers;
  s_.servers.for_each([&](ServerId id, const Server& server) {
    if (server.node == index) servers.push_back(id);
  });
  for (const ServerId id : servers) lose_server(id, false, "its node was lost", Blame::nobody);
  for (FleetIndex fleet = 0; fleet < s_.fleets.size(); ++fleet) balance(fleet);
}

}  // namespace muster::core
