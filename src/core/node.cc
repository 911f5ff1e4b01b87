// Nodes: their link comes and goes; what they run is taken back.
#include <algorithm>

#include "core/turn.h"

namespace muster::core {
namespace {

/// How long a node may be away before its game servers count as lost.
constexpr Duration node_grace = seconds{10};

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
  // what we know and it does not run, is lost.
  std::set<ServerId> reported;
  for (const ServerReport& report : e.servers) {
    reported.insert(report.server);
    adopt(index, report);
  }
  std::vector<ServerId> missing;
  s_.servers.for_each([&](ServerId id, const Server& server) {
    if (server.node == index && !reported.contains(id)) missing.push_back(id);
  });
  for (const ServerId id : missing) server_gone(id, false, "gone when its node came back");
  for (FleetIndex fleet = 0; fleet < s_.fleets.size(); ++fleet) {
    for (const auto& [since, match] : s_.fleets[fleet].unserved)
      s_.timers.cancel(s_.matches[match].timer);
    balance(fleet);
  }
}

void Turn::adopt(NodeIndex index, const ServerReport& report) {
  const NodeId link = s_.nodes[index]->link;
  if (Server* server = s_.servers.find(report.server); server && server->port == report.port) {
    server->pid = report.pid;
    if (server->stopping) {
      server->stopping = false;  // The wish may have been lost with the link.
      stop_server(report.server, server->state, config_of(*server).stop_grace);
    } else if (server->match && !report.match) {
      const Match& match = s_.matches[server->match];
      if (!server->session)
        emit(StartServerMatch{link, report.server, server->match,
                              match.queue ? s_.config.queues[*match.queue].name : std::string{},
                              match.queue ? s_.config.queues[*match.queue].map : std::string{},
                              match.roster});
    } else if (report.ready) {
      on(ServerReady{report.server});
    }
    return;
  }

  const auto& fleets = s_.config.fleets;
  const auto fleet = std::find_if(fleets.begin(), fleets.end(), [&](const FleetConfig& config) {
    return config.name == report.fleet && config.sdk == SdkKind::muster;
  });
  const auto index_of_fleet = static_cast<FleetIndex>(fleet - fleets.begin());
  if (fleet == fleets.end() || !s_.fleets[index_of_fleet].ports.acquire_exactly(report.port)) {
    emit(StopServer{link, report.server, seconds{10}});  // No fleet of ours would have it.
    return;
  }
  Server* server = s_.servers.emplace_at(report.server);
  if (!server) {
    s_.fleets[index_of_fleet].ports.release(report.port);
    emit(StopServer{link, report.server, fleet->stop_grace});
    return;
  }
  server->fleet = index_of_fleet;
  server->node = index;
  server->port = report.port;
  server->pid = report.pid;
  server->since = now_;
  ++s_.fleets[index_of_fleet].servers;
  if (Match* match = report.match ? s_.matches.emplace_at(report.match) : nullptr) {
    // Its players are strangers to this lobby; when it is over, the server is Ready again.
    match->fleet = index_of_fleet;
    match->state = MatchState::playing;
    match->server = report.server;
    match->since = now_;
    match->roster = std::make_shared<const Roster>();
    server->match = report.match;
    server->state = ServerState::allocated;
    return;
  }
  ++s_.fleets[index_of_fleet].starting;
  s_.timers.set(server->timer, now_ + fleet->launch_timeout,
                timer(TimerKind::server, report.server));
  if (report.ready) make_ready(report.server);
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
  for (const ServerId id : servers) server_gone(id, false, "its node was lost");
}

}  // namespace muster::core
