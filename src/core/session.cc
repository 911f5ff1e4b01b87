// Players come, lose their connection, come back, and go.
#include "core/name.h"
#include "core/turn.h"

namespace muster::core {

void Turn::on(const SessionOpened& e) {
  Session* session = s_.sessions.emplace(e.session);
  CHECK(session, "net opens a session once");
  session->resumable = e.resumable;
}

void Turn::on(const SessionClosed& e) {
  const Session* session = s_.sessions.find(e.session);
  if (!session) return;
  const Session was = *session;
  s_.sessions.erase(e.session);
  if (was.player) player_disconnected(was.player, was.resumable);
  if (Server* server = s_.servers.find(was.server)) {
    // A classic game server that nobody can hear any more. If it is dying, how it exits says how
    // its match ended; if not, it is made to.
    server->session = SessionId{};
    if (server->state == ServerState::ready)
      server_failed(*server, "its connection closed while Ready");
    stop_server(
        was.server,
        server->state == ServerState::allocated ? ServerState::allocated : ServerState::shutdown,
        config_of(*server).stop_grace, "its connection closed");
    balance(server->fleet);
  }
}

void Turn::on(const Hello& e) {
  Session* session = s_.sessions.find(e.session);
  if (!session) return;
  if (session->player || session->server)
    return refuse(e.session, e.request, Error::already_identified);
  if (!name_valid(e.name)) return refuse(e.session, e.request, Error::name_invalid);
  if (const auto here = s_.accounts.find(e.account); here != s_.accounts.end()) {
    // Whoever had the place cannot take it back: their token is none any more.
    const PlayerId id = here->second;
    s_.players[id].secret = e.secret;
    take_ratings(id, e.ratings);
    return come_back(id, e.session, e.request);
  }
  if (s_.players.size() >= s_.config.players_max)
    return refuse(e.session, e.request, Error::lobby_full);
  // Who is away has a place to come back to: nobody else takes it, also when all are away at once.
  if (s_.sessions.size() + s_.away > s_.config.sessions_max)
    return refuse(e.session, e.request, Error::lobby_full);

  const PlayerId id = s_.players.emplace();
  Player& player = s_.players[id];
  player.name = e.name;
  player.secret = e.secret;
  player.session = e.session;
  session->player = id;
  if (e.account != 0) {
    player.account = e.account;
    s_.accounts.emplace(e.account, id);
    take_ratings(id, e.ratings);
  }
  welcome(id, e.request, false);
}

void Turn::on(const ResumeSession& e) {
  Session* session = s_.sessions.find(e.session);
  if (!session) return;
  if (session->player || session->server)
    return refuse(e.session, e.request, Error::already_identified);
  Player* player = s_.players.find(e.player);
  if (!player) return refuse(e.session, e.request, Error::session_expired);
  std::uint8_t difference = 0;  // All bytes, always: how long it takes tells nothing.
  for (std::size_t i = 0; i < e.secret.size(); ++i)
    difference = static_cast<std::uint8_t>(difference | (e.secret[i] ^ player->secret[i]));
  if (difference != 0) return refuse(e.session, e.request, Error::session_token_invalid);
  come_back(e.player, e.session, e.request);
}

void Turn::on(const AccountBanned& e) {
  const auto here = s_.accounts.find(e.account);
  if (here == s_.accounts.end()) return;
  const PlayerId id = here->second;
  const Player& player = s_.players[id];
  if (Session* session = s_.sessions.find(player.session)) {
    session->player = PlayerId{};
    emit(CloseSession{player.session, Error::banned});
  }
  if (const Match* match = s_.matches.find(player.match)) {
    const Server& server = s_.servers[match->server];
    emit(RemoveServerPlayer{s_.nodes[server.node]->link, match->server, player.match, id});
  }
  drop_player(id);
}

/// A player who is known goes on at another session: to the same ticket, or the same match.
void Turn::come_back(PlayerId id, SessionId session, std::uint32_t request) {
  Player* const player = &s_.players[id];
  if (Session* old = s_.sessions.find(player->session)) {
    old->player = PlayerId{};
    emit(CloseSession{player->session, Error::resumed_elsewhere});
  }
  s_.timers.cancel(player->grace);
  const bool was_away = !player->session;
  set_session(*player, session);
  s_.sessions.find(session)->player = id;
  welcome(id, request, true);
  if (player->party && was_away)
    send_party(player->party);
  else if (player->party)
    send_party_to(id);
  if (player->ticket) {
    const TicketId ticket = player->ticket;
    const bool queued_again = unhold(ticket);
    send_ticket_to(id);
    if (queued_again) {
      const QueueIndex queue = s_.tickets[ticket].queue;
      send_gathered(queue, {&ticket, 1});
      try_match(queue);
    }
  } else if (player->match) {
    send_assignment(player->match, id);
  }
}

PlayerId Turn::player_of(SessionId session, std::uint32_t request) {
  const Session* found = s_.sessions.find(session);
  if (!found) return {};
  if (!found->player) refuse(session, request, Error::not_identified);
  return found->player;
}

void Turn::welcome(PlayerId id, std::uint32_t request, bool resumed) {
  const Player& player = s_.players[id];
  emit(SendWelcome{player.session, request, id, player.name, player.secret, resumed});
}

void Turn::player_disconnected(PlayerId id, bool resumable) {
  Player& player = s_.players[id];
  set_session(player, {});
  if (!resumable) return drop_player(id);
  if (player.party) send_party(player.party);
  if (player.ticket) hold(player.ticket);
  if (!player.match) arm_grace(id);
}

void Turn::set_session(Player& player, SessionId session) {
  if (player.session && !session) ++s_.away;
  if (!player.session && session) --s_.away;
  player.session = session;
}

void Turn::arm_grace(PlayerId id) {
  s_.timers.set(s_.players[id].grace, now_ + s_.config.resume_grace,
                timer(TimerKind::player_grace, id));
}

/// Forgets a player. The game server of a running match is not told: a player may well be in the
/// game without a connection to the lobby.
void Turn::drop_player(PlayerId id) {
  Player& player = s_.players[id];
  set_session(player, {});
  if (player.party) leave_party(id);
  if (player.ticket) leave_ticket(id);
  if (player.match) remove_from_match(id, s_.matches[player.match]);
  s_.timers.cancel(player.grace);
  --s_.away;
  if (player.account != 0) s_.accounts.erase(player.account);
  s_.players.erase(id);
}

}  // namespace muster::core
