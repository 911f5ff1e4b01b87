// Game servers that speak the classic packets on the lobby's own port.
#include "core/turn.h"

namespace muster::core {

namespace {

/// One that is starting; or one whose match goes on and whose connection ended with the lobby.
bool may_log_in(const Server& server) {
  if (server.stopping || server.session) return false;
  return server.state == ServerState::starting || server.state == ServerState::allocated;
}

}  // namespace

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
    if (server.sdk != SdkKind::classic || !may_log_in(server)) break;
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
  if (!server || !may_log_in(*server))
    return emit(CloseSession{e.session, Error::port_not_assigned});
  if (!e.verified) return emit(CloseSession{e.session, Error::owner_not_verified});
  session->server = e.server;
  server->session = e.session;
  emit(SendServerLoginOk{e.session});
  if (server->state == ServerState::starting) make_ready(e.server);
}

/// One whose connection ended with the lobby's last life, and whose players have all left: nobody
/// would ever say that its match is over.
void Turn::end_if_silent(ServerId id) {
  const Server* server = s_.servers.find(id);
  if (!server || !server->match || server->session || server->stopping) return;
  if (server->sdk != SdkKind::classic) return;
  if (!s_.matches[server->match].players.empty()) return;
  end_match(server->match, MatchEnd::over, {});
  stop_server(id, ServerState::shutdown, config_of(*server).stop_grace,
              "its connection ended with the lobby's last life, and its players have left");
  balance(server->fleet);
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
