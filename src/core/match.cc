// Matches: from their players being found, through a game server, to their end.
#include <algorithm>
#include <map>

#include "core/match_company.h"
#include "core/turn.h"

namespace muster::core {
namespace {

const RosterEntry& entry_of(const Match& match, PlayerId player) {
  const auto entry = std::find_if(match.roster->begin(), match.roster->end(),
                                  [&](const RosterEntry& r) { return r.player == player; });
  CHECK(entry != match.roster->end(), "a player of a match is on its roster");
  return *entry;
}

}  // namespace

void Turn::on(const LeaveMatch& e) {
  const PlayerId id = player_of(e.session, e.request);
  if (!id) return;
  const MatchId match_id = s_.players[id].match;
  if (!match_id) return refuse(e.session, e.request, Error::not_in_match);
  Match& match = s_.matches[match_id];
  remove_from_match(id, match);
  const Server& server = s_.servers[match.server];
  emit(RemoveServerPlayer{s_.nodes[server.node]->link, match.server, match_id, id});
  emit(SendMatchEnded{e.session, e.request, match_id, MatchEnd::left, false, {}});
}

void Turn::on(const PlayerJoined& e) {
  const Server* server = s_.servers.find(e.server);
  Match* match = server ? s_.matches.find(server->match) : nullptr;
  if (!match) return;
  for (MatchPlayer& player : match->players)
    if (player.player == e.player) player.joined = true;
}

void Turn::on(const PlayerLeft& e) {
  const Server* server = s_.servers.find(e.server);
  Match* match = server ? s_.matches.find(server->match) : nullptr;
  const Player* player = s_.players.find(e.player);
  if (!match || !player || player->match != server->match) return;
  const MatchId match_id = server->match;
  remove_from_match(e.player, *match);
  if (player->session)
    emit(SendMatchEnded{player->session, 0, match_id, MatchEnd::left, false, {}});
  else
    arm_grace(e.player);
}

void Turn::on(const MatchOver& e) {
  const Server* server = s_.servers.find(e.server);
  if (!server || !server->match || match_at(*server) != e.match) return;  // Ended before that.
  end_match(server->match, MatchEnd::over, e.result, e.standings);
  after_match(e.server);
}

void Turn::on(const PlayersCounted& e) {
  Server* server = s_.servers.find(e.server);
  if (!server) return;
  server->players = e.players;
  if (server->match) watch_for_players(server->match);
}

/// A game server without an SDK says nothing of its match's end; that nobody is there any more
/// does.
void Turn::watch_for_players(MatchId id) {
  Match& match = s_.matches[id];
  const Server& server = s_.servers[match.server];
  const EndConfig& end = config_of(server).end;
  if (end.idle <= Duration::zero()) return;
  if (server.players > 0) {
    match.anybody_came = true;
    s_.timers.cancel(match.empty);
  } else if (!match.empty) {
    const Duration limit = match.anybody_came ? end.idle : end.first_player_timeout;
    if (limit > Duration::zero())
      s_.timers.set(match.empty, now_ + limit, timer(TimerKind::match_empty, id));
  }
}

void Turn::match_empty_due(MatchId match_id) {
  const ServerId server_id = s_.matches[match_id].server;
  const Server& server = s_.servers[server_id];
  emit(EndServerMatch{s_.nodes[server.node]->link, server_id, match_at(server), MatchEnd::over});
  end_match(match_id, MatchEnd::over, {});
  after_match(server_id);
}

/// The match has its game server: everyone is told where to go.
void Turn::assign(MatchId match_id, ServerId server_id) {
  Match& match = s_.matches[match_id];
  Server& server = s_.servers[server_id];
  const QueueConfig& config = s_.config.queues[*match.queue];
  const std::uint32_t teams = std::min(config.teams, match.seats);

  auto roster = std::make_shared<Roster>();
  std::uint32_t seat = 0;
  for (std::uint32_t i = 0; i < match.tickets.size(); ++i) {
    Ticket& ticket = s_.tickets[match.tickets[i]];
    for (TicketMember& member : ticket.members) {
      roster->push_back({member.player, s_.players[member.player].name,
                         match.by_rules ? ticket.team : seat * teams / match.seats, member.seats,
                         std::move(member.attributes), s_.players[member.player].account});
      match.players.push_back({member.player, ticket.since, false, i});
      seat += member.seats;
    }
  }
  std::vector<PlayerId> players;
  for (const RosterEntry& entry : *roster) players.push_back(entry.player);
  if (match.by_rules) remember_company(s_, *match.queue, players);
  match.roster = std::move(roster);
  match.state = MatchState::playing;
  match.server = server_id;
  match.since = now_;
  if (const Duration limit = config_of(server).match_timeout; limit > Duration::zero())
    s_.timers.set(match.timer, now_ + limit, timer(TimerKind::match, match_id));
  server.match = match_id;
  set_state(server, ServerState::allocated);
  watch_for_players(match_id);

  if (!server.session)  // A classic game server has no packet for it.
    emit(StartServerMatch{s_.nodes[server.node]->link, server_id, match_id, config.name, config.map,
                          match.roster, match.since, match.bots});
  for (const TicketId id : match.tickets) {
    Ticket& ticket = s_.tickets[id];
    s_.timers.cancel(ticket.expiry);
    for (const TicketMember& member : ticket.members) {
      Player& player = s_.players[member.player];
      player.ticket = TicketId{};
      player.match = match_id;
      s_.timers.cancel(player.grace);
      send_assignment(match_id, member.player, id);
    }
    s_.tickets.erase(id);
  }
  match.tickets.clear();
}

void Turn::send_assignment(MatchId match_id, PlayerId player_id, TicketId ticket) {
  const Player& player = s_.players[player_id];
  if (!player.session) return;  // Sent when they are back.
  const Match& match = s_.matches[match_id];
  const Server& server = s_.servers[match.server];
  const RosterEntry& entry = entry_of(match, player_id);
  emit(SendAssignment{player.session, 0, ticket, match_id, match.server, player_id, player.name,
                      entry.team, entry.seats,
                      match.queue ? s_.config.queues[*match.queue].name : std::string{},
                      s_.nodes[server.node]->host, server.port, match.roster, match.since,
                      server.named_ports, match.region});
}

/// A launching match has lost a ticket: the others go back to their places in the queue, and the
/// game server that was starting for it stays, for whoever is next.
void Turn::dissolve(MatchId match_id) {
  Match& match = s_.matches[match_id];
  CHECK(match.state != MatchState::playing, "a match that plays is not dissolved");
  if (match.state == MatchState::offered) ++s_.totals.offers_failed;
  stop_waiting(match_id);
  rebalance_.push_back(match.fleet);
  const QueueIndex queue = *match.queue;
  std::vector<TicketId> others = std::move(match.tickets);
  s_.matches.erase(match_id);
  std::erase_if(others, [&](TicketId id) {
    const Error error = misfit(queue, s_.tickets[id].members);
    if (error != Error::none) end_ticket(id, TicketState::failed, error);
    return error != Error::none;
  });
  for (const TicketId id : others) enqueue(id);
  for (const TicketId id : others) send_ticket(id);
  send_gathered(queue, others);
}

void Turn::fail_match(MatchId match_id, Error error, Asker asker) {
  Match& match = s_.matches[match_id];
  stop_waiting(match_id);
  rebalance_.push_back(match.fleet);
  const std::vector<TicketId> tickets = std::move(match.tickets);
  s_.matches.erase(match_id);
  for (const TicketId id : tickets) end_ticket(id, TicketState::failed, error, asker);
}

/// Those of a match who go back on one ticket: of a party all who are in it, the leader first; the
/// others alone.
std::vector<std::vector<MatchPlayer>> Turn::together(const Match& match) const {
  std::vector<std::vector<MatchPlayer>> groups;
  std::map<PartyId, std::size_t> party_group;
  for (const MatchPlayer& played : match.players) {
    const PartyId party = s_.players[played.player].party;
    const auto known = party_group.find(party);
    if (party && known != party_group.end()) {
      groups[known->second].push_back(played);
      continue;
    }
    if (party) party_group.emplace(party, groups.size());
    groups.push_back({played});
  }
  for (const auto& [party, group] : party_group)
    std::ranges::sort(groups[group], {}, [&members = s_.parties[party].members](const auto& p) {
      return std::ranges::find(members, p.player, &PartyMember::player) - members.begin();
    });
  return groups;
}

/// Ends a playing match and frees its players; those of a party go back on one ticket, unless
/// others of it wait already. The game server is left as it is, without a match: the caller says
/// what becomes of it.
void Turn::end_match(MatchId match_id, MatchEnd end, const std::string& result,
                     const std::vector<Standing>& standings) {
  if (end == MatchEnd::over) keep_result(match_id, standings);
  Match& match = s_.matches[match_id];
  Server& server = s_.servers[match.server];
  const bool may_requeue = end == MatchEnd::server_lost && match.queue && !s_.stopping &&
                           s_.config.queues[*match.queue].requeue_on_server_lost;
  std::vector<TicketId> requeued;
  for (const std::vector<MatchPlayer>& group : together(match)) {
    std::vector<TicketMember> members;
    Time since = group.front().since;
    for (const MatchPlayer& played : group) {
      const RosterEntry& entry = entry_of(match, played.player);
      members.push_back({entry.player, entry.seats, entry.attributes});
      since = std::min(since, played.since);
    }
    const Party* party = s_.parties.find(s_.players[group.front().player].party);
    const bool requeue = may_requeue && !(party && ticket_of(*party)) &&
                         misfit(*match.queue, members) == Error::none;
    for (const TicketMember& member : members) {
      Player& player = s_.players[member.player];
      player.match = MatchId{};
      if (player.session)
        emit(SendMatchEnded{player.session, 0, match_id, end, requeue, result});
      else
        arm_grace(member.player);
    }
    if (requeue)
      for (const TicketMember& member : members) forget_company(s_, *match.queue, member.player);
    if (requeue) requeued.push_back(begin_ticket(*match.queue, std::move(members), since));
  }
  const auto queue = match.queue;
  s_.fleets[match.fleet].used_at = now_;
  s_.timers.cancel(match.timer);
  s_.timers.cancel(match.empty);
  server.match = MatchId{};
  s_.matches.erase(match_id);
  for (const TicketId id : requeued) enqueue(id);
  for (const TicketId id : requeued) send_ticket(id);
  if (requeued.empty()) return;
  send_gathered(*queue, requeued);
  requeues_.push_back(*queue);
}

void Turn::match_due(MatchId match_id) {
  const ServerId server_id = s_.matches[match_id].server;
  const Server& server = s_.servers[server_id];
  emit(EndServerMatch{s_.nodes[server.node]->link, server_id, match_at(server),
                      MatchEnd::timed_out});
  end_match(match_id, MatchEnd::timed_out, {});
  // It did not end the match in time, so it is not trusted with another.
  stop_server(server_id, ServerState::shutdown, config_of(server).stop_grace,
              "its match lasted for match_timeout");
  balance(server.fleet);
}

void Turn::remove_from_match(PlayerId id, Match& match) {
  std::erase_if(match.players, [&](const MatchPlayer& p) { return p.player == id; });
  s_.players[id].match = MatchId{};
  if (match.players.empty()) abandoned_.push_back(match.server);
}

void Turn::wait_for_server(MatchId id) {
  const Match& match = s_.matches[id];
  Fleet& fleet = s_.fleets[match.fleet];
  fleet.waiting.emplace(match.since, id);
  fleet.unserved.emplace(match.since, id);
  watch_for_node(id);
}

void Turn::stop_waiting(MatchId id) {
  Match& match = s_.matches[id];
  unbind(id);
  Fleet& fleet = s_.fleets[match.fleet];
  fleet.waiting.erase({match.since, id});
  fleet.unserved.erase({match.since, id});
  s_.timers.cancel(match.timer);
}

/// The id under which a game server and its node know its match; none without one.
MatchId Turn::match_at(const Server& server) const {
  const Match* match = s_.matches.find(server.match);
  return match && match->known_as ? match->known_as : server.match;
}

/// This server is starting for this match: if it fails, that is an attempt of the match's.
void Turn::bind(MatchId id, ServerId starting) {
  Match& match = s_.matches[id];
  match.launching = starting;
  s_.servers[starting].launched_for = id;
  s_.fleets[match.fleet].unserved.erase({match.since, id});
  s_.timers.cancel(match.timer);
}

/// The waiting match has no server starting for it any more.
void Turn::unbind(MatchId id) {
  Match* match = s_.matches.find(id);
  if (!match || !match->launching) return;
  s_.servers[match->launching].launched_for = MatchId{};
  match->launching = ServerId{};
  s_.fleets[match->fleet].unserved.emplace(match->since, id);
  watch_for_node(id);
}

/// Without any node a launch cannot even be tried; a match that is unserved waits for one as long
/// as a launch may take.
void Turn::watch_for_node(MatchId id) {
  Match& match = s_.matches[id];
  if (match.timer || node_for_launch()) return;
  s_.timers.set(match.timer, now_ + s_.config.fleets[match.fleet].launch_timeout,
                timer(TimerKind::match, id));
}

}  // namespace muster::core
