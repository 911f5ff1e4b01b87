// The lobby is back, with the state that its journal brought it to.
#include "core/turn.h"

namespace muster::core {

/// Connections ended with the process that held them; what they stood for goes on. Deadlines have
/// been moved already: the time in which nobody could answer counts against nobody.
void Turn::on(const LobbyStarted& e) {
  s_.stopping = false;
  record_outstanding();
  for (Fleet& fleet : s_.fleets)
    if (fleet.retry) fleet.retry_at += e.down;
  s_.matches.for_each([&](MatchId, Match& match) { match.accept_until += e.down; });
  for (NodeIndex index = 0; index < s_.nodes.size(); ++index)
    if (const NodeId link = s_.nodes[index]->link) on(NodeLost{link});

  // Nobody can be told anything any more, and nobody is matched who has gone: all of that before
  // the first one goes, for whoever leaves a match lets others match.
  std::vector<SessionId> sessions;
  s_.sessions.for_each([&](SessionId id, const Session& session) {
    sessions.push_back(id);
    if (session.player) set_session(s_.players[session.player], {});
  });
  s_.players.for_each([&](PlayerId, const Player& player) {
    if (player.ticket) put_aside(player.ticket);
  });
  for (const SessionId id : sessions) {
    Session& session = *s_.sessions.find(id);
    const ServerId server_id = session.server;
    Server* const server = s_.servers.find(server_id);
    if (server && server->state == ServerState::allocated && !server->stopping) {
      // A classic game server with a match plays it to its end, and may log in again.
      server->session = SessionId{};
      session.server = ServerId{};
      abandoned_.push_back(server_id);
    }
    on(SessionClosed{id});
  }
  // Limits grow with all the time that has passed, and their deadlines have moved.
  for (QueueIndex queue = 0; queue < s_.queues.size(); ++queue) {
    if (!s_.queues[queue].matcher) continue;
    s_.timers.cancel(s_.queues[queue].widening);
    widen(queue);
  }
}

}  // namespace muster::core
