// Game servers that speak the classic packets on the lobby's own port.
#include "core/turn.h"

namespace muster::core {

/// A port number proves nothing. It only says which process to ask the kernel about.
void Turn::on(const ClassicServerLogin& e) {
  const Session* session = s_.sessions.find(e.session);
  if (!session) return;
  if (session->player || session->server)
    return emit(CloseSession{e.session, Error::already_identified});
  for (const Fleet& fleet : s_.fleets) {
    const auto found = fleet.by_port.find(e.port);
    if (found == fleet.by_port.end()) continue;  // No port is in two fleets.
    const Server& server = s_.servers[found->second];
    if (server.state != ServerState::starting || server.sdk != SdkKind::classic) break;
    const NodeId link = s_.nodes[server.node]->link;
    if (!link) return emit(CloseSession{e.session, Error::node_unavailable});  // Nobody to ask.
    return emit(VerifyOwner{link, e.session, found->second});
  }
  emit(CloseSession{e.session, Error::port_not_assigned});
}

void Turn::on(const OwnerVerified& e) {
  Session* session = s_.sessions.find(e.session);
  if (!session || session->player || session->server) return;
  Server* server = s_.servers.find(e.server);
  if (!server || server->state != ServerState::starting || server->stopping)
    return emit(CloseSession{e.session, Error::port_not_assigned});
  if (!e.verified) return emit(CloseSession{e.session, Error::owner_not_verified});
  session->server = e.server;
  server->session = e.session;
  emit(SendServerLoginOk{e.session});
  make_ready(e.server);
}

void Turn::on(const ClassicServerReset& e) {
  const Session* session = s_.sessions.find(e.session);
  if (!session) return;
  if (!session->server) return emit(CloseSession{e.session, Error::not_a_server});
  const ServerId id = session->server;
  const Server& server = s_.servers[id];
  if (!server.match) return;  // Ready already.
  end_match(server.match, MatchEnd::over, {});
  after_match(id);
}

}  // namespace muster::core
