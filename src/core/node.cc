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

/// The first connected one: there is one node per lobby so far.
std::optional<NodeIndex> Turn::node_for_launch() const {
  for (NodeIndex i = 0; i < s_.nodes.size(); ++i)
    if (s_.nodes[i]->link) return i;
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
  s_.timers.cancel(node.lost);

  // What it runs and we know, goes on; what it runs and we do not know, is taken in or stopped;
  // what we know and it does not run, is lost. All of that before anything is decided: a launch in
  // between could take the port of a server not yet looked at, a match be given to one that is
  // lost.
  std::set<ServerId> reported;
  std::vector<ServerId> ready;
  std::vector<MatchOver> over;
  for (const ServerReport& report : e.servers) {
    reported.insert(report.server);
    if (adopt(index, report)) ready.push_back(report.server);
    // A match from before this lobby that its server has no more: its end was lost on the way.
    const Server* server = s_.servers.find(report.server);
    if (server && server->match && !report.match && !s_.matches[server->match].queue)
      over.push_back({report.server, match_at(*server), {}});
  }
  std::vector<ServerId> missing;
  s_.servers.for_each([&](ServerId id, const Server& server) {
    if (server.node == index && !reported.contains(id)) missing.push_back(id);
  });
  for (const ServerId id : missing) lose_server(id, false, "gone when its node came back");
  for (const ServerId id : ready) on(ServerReady{id});
  for (const MatchOver& end : over) on(end);
  for (FleetIndex fleet = 0; fleet < s_.fleets.size(); ++fleet) {
    for (const auto& [since, match] : s_.fleets[fleet].unserved)
      s_.timers.cancel(s_.matches[match].timer);
    balance(fleet);
  }
}

/// Enters one server that a node runs. True if it is Starting here and has said that it is Ready.
bool Turn::adopt(NodeIndex index, const ServerReport& report) {
  const NodeId link = s_.nodes[index]->link;
  if (Server* server = s_.servers.find(report.server); server && server->port == report.port) {
    server->pid = report.pid;
    if (server->players != report.players) on(PlayersCounted{report.server, report.players});
    if (server->stopping) {
      server->stopping = false;  // The wish may have been lost with the link.
      const bool hangs =
          server->state == ServerState::error || server->state == ServerState::unhealthy;
      stop_server(report.server, server->state,
                  hangs ? Duration::zero() : config_of(*server).stop_grace);
    } else if (server->match && !server->session && report.match != match_at(*server)) {
      // Whoever lost the link had not told it of its match yet.
      const Match& match = s_.matches[server->match];
      if (match.queue)
        emit(StartServerMatch{link, report.server, server->match,
                              s_.config.queues[*match.queue].name,
                              s_.config.queues[*match.queue].map, match.roster});
    }
    return report.ready;
  }

  // Even one that nobody wants here keeps its id and its port until it has exited.
  const auto& fleets = s_.config.fleets;
  const auto named = [&](const FleetConfig& config) { return config.name == report.fleet; };
  const auto has_port = [&](const FleetConfig& config) {
    return config.ports.first <= report.port && report.port <= config.ports.last;
  };
  auto fleet = std::find_if(fleets.begin(), fleets.end(), named);
  bool wanted = fleet != fleets.end() && fleet->sdk != SdkKind::classic;
  if (fleet == fleets.end()) fleet = std::find_if(fleets.begin(), fleets.end(), has_port);
  const auto index_of_fleet = static_cast<FleetIndex>(fleet - fleets.begin());
  std::optional<ServerPorts> ports;
  if (fleet != fleets.end() && report.server && report.server.slot <= slot_max)
    ports = s_.fleets[index_of_fleet].ports.acquire_exactly({report.port, report.ports});
  if (!ports) {
    emit(StopServer{link, report.server, seconds{10}});  // No port of ours, so in nobody's way.
    return false;
  }
  Server* server = s_.servers.emplace_at(report.server);
  if (!server) {
    s_.fleets[index_of_fleet].ports.set_aside(*ports, now_ + s_.config.port_set_aside);
    emit(StopServer{link, report.server, fleet->stop_grace});
    return false;
  }
  server->fleet = index_of_fleet;
  server->node = index;
  server->port = report.port;
  server->named_ports = std::move(ports->named);
  // Launched by another configuration: players could not be told of all its ports.
  wanted = wanted && server->named_ports.size() == fleet->named_ports.size();
  server->pid = report.pid;
  server->players = report.players;
  server->since = now_;
  ++s_.fleets[index_of_fleet].servers;
  s_.fleets[index_of_fleet].by_port[report.port] = report.server;
  if (!wanted) {
    server->state = ServerState::shutdown;
    stop_server(report.server, ServerState::shutdown, fleet->stop_grace);
    return false;
  }
  if (report.match) {
    // Its players are strangers to this lobby; when it is over, the server is Ready again. It has
    // an id of its own here, since another match may have been given the one it was made under.
    const MatchId id = s_.matches.emplace();
    Match& match = s_.matches[id];
    match.known_as = report.match;
    match.fleet = index_of_fleet;
    match.state = MatchState::playing;
    match.server = report.server;
    match.since = now_;
    match.roster = std::make_shared<const Roster>();
    if (fleet->match_timeout > Duration::zero())
      s_.timers.set(match.timer, now_ + fleet->match_timeout, timer(TimerKind::match, id));
    server->match = id;
    server->state = ServerState::allocated;
    watch_for_players(id);
    return false;
  }
  ++s_.fleets[index_of_fleet].starting;
  s_.timers.set(server->timer, now_ + fleet->launch_timeout,
                timer(TimerKind::server, report.server));
  return report.ready;
}

void Turn::on(const NodeLost& e) {
  for (NodeIndex index = 0; index < s_.nodes.size(); ++index) {
    Node& node = *s_.nodes[index];
    if (node.link != e.node) continue;
    node.link = NodeId{};
    s_.timers.set(node.lost, now_ + node_grace, Timer{TimerKind::node_lost, index, 0});
    for (const Fleet& fleet : s_.fleets)
      for (const auto& [since, match] : fleet.unserved) watch_for_node(match);
  }
}

void Turn::node_lost_for_good(NodeIndex index) {
  std::vector<ServerId> servers;
  s_.servers.for_each([&](ServerId id, const Server& server) {
    if (server.node == index) servers.push_back(id);
  });
  for (const ServerId id : servers) lose_server(id, false, "its node was lost");
  for (FleetIndex fleet = 0; fleet < s_.fleets.size(); ++fleet) balance(fleet);
}

}  // namespace muster::core
