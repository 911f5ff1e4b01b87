// What must hold after every step, whatever happened.
#include "core/invariants.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/check.h"
#include "core/rule_matcher.h"
#include "core/state.h"

namespace muster::core {
namespace {

void check_sessions_and_players(const State& s) {
  s.sessions.for_each([&](SessionId id, const Session& session) {
    CHECK(!(session.player && session.server), "a session has one role");
    if (session.player) {
      const Player* player = s.players.find(session.player);
      CHECK(player && player->session == id, "a session's player knows it");
    }
    if (session.server) {
      const Server* server = s.servers.find(session.server);
      CHECK(server && server->session == id, "a session's game server knows it");
    }
  });
  std::uint32_t away = 0;
  s.players.for_each([&](PlayerId, const Player& player) { away += player.session ? 0 : 1; });
  CHECK(away == s.away, "who is away is counted");
  std::size_t accounts = 0;
  s.players.for_each([&](PlayerId id, const Player& player) {
    if (player.account == 0) return;
    ++accounts;
    const auto known = s.accounts.find(player.account);
    CHECK(known != s.accounts.end() && known->second == id, "an account has one player");
  });
  CHECK(accounts == s.accounts.size(), "an account without a player is forgotten");
  s.players.for_each([&](PlayerId id, const Player& player) {
    CHECK(!(player.ticket && player.match), "a player waits or plays, not both");
    if (player.session) {
      const Session* session = s.sessions.find(player.session);
      CHECK(session && session->player == id, "a player's session is open and theirs");
      CHECK(!player.grace, "grace runs only while disconnected");
    } else {
      CHECK(player.grace || player.match, "a disconnected player is forgotten in time");
    }
    if (player.ticket) {
      const Ticket* ticket = s.tickets.find(player.ticket);
      CHECK(ticket && std::ranges::count(ticket->members, id, &TicketMember::player) == 1,
            "a player is on their ticket once");
      CHECK(ticket->held || player.session, "a ticket is held while a player is disconnected");
    }
    if (player.match) {
      const Match* match = s.matches.find(player.match);
      CHECK(match && match->state == MatchState::playing, "a player's match is being played");
      int times = 0;
      for (const MatchPlayer& played : match->players) times += played.player == id;
      CHECK(times == 1, "a player is in their match once");
    }
  });
}

void check_parties(const State& s) {
  std::size_t codes = 0;
  s.parties.for_each([&](PartyId id, const Party& party) {
    const auto code = s.party_codes.find(party.code);
    CHECK(code != s.party_codes.end() && code->second == id, "a party is found by its code");
    ++codes;
    CHECK(!party.members.empty(), "a party has somebody in it");
    TicketId ticket;
    for (const PartyMember& member : party.members) {
      const Player* player = s.players.find(member.player);
      CHECK(player && player->party == id, "a party's players know it");
      CHECK(std::ranges::count(party.members, member.player, &PartyMember::player) == 1,
            "a player is in their party once");
      CHECK(!player->ticket || !ticket || player->ticket == ticket, "a party waits on one ticket");
      if (player->ticket) ticket = player->ticket;
    }
  });
  CHECK(codes == s.party_codes.size(), "no code is of a party that is gone");
  s.players.for_each([&](PlayerId id, const Player& player) {
    if (!player.party) return;
    const Party* party = s.parties.find(player.party);
    CHECK(party && std::ranges::count(party->members, id, &PartyMember::player) == 1,
          "a player's party has them");
  });
}

bool stands_in_line(const Queue& queue, const Ticket& ticket, TicketId id) {
  if (queue.matcher) {
    const WaitingTicket* waiting = queue.matcher->find(ticket.place);
    return waiting && waiting->id == id && waiting->since == ticket.since &&
           waiting->seats == ticket.seats;
  }
  const auto line = queue.waiting.find(ticket.seats);
  return line != queue.waiting.end() && line->second.contains({ticket.since, id});
}

void check_tickets(const State& s) {
  std::vector<std::uint32_t> seats(s.queues.size()), waiting_in(s.queues.size());
  s.tickets.for_each([&](TicketId id, const Ticket& ticket) {
    CHECK(ticket.expiry, "every ticket ends in time");
    CHECK(!ticket.members.empty(), "a ticket has somebody's wish");
    bool anybody_away = false;
    std::uint32_t seats_of_members = 0;
    for (const TicketMember& member : ticket.members) {
      const Player* player = s.players.find(member.player);
      CHECK(player && player->ticket == id, "a ticket has its players");
      anybody_away = anybody_away || !player->session;
      seats_of_members += member.seats;
    }
    const PartyId party = s.players[ticket.members.front().player].party;
    for (const TicketMember& member : ticket.members)
      CHECK(ticket.members.size() == 1 || (party && s.players[member.player].party == party),
            "who waits together is of one party");
    CHECK(ticket.held == anybody_away, "a ticket is held only while somebody is away");
    CHECK(ticket.seats == seats_of_members, "a ticket has the seats of its members");
    const Queue& queue = s.queues[ticket.queue];
    const bool waiting = stands_in_line(queue, ticket, id);
    if (ticket.state == TicketState::queued) {
      CHECK(waiting == !ticket.held, "a queued ticket stands in its line unless held");
      CHECK(!ticket.match, "a queued ticket has no match");
      CHECK(!queue.removed && ticket.seats <= s.config.queues[ticket.queue].players,
            "a ticket waits where it may be matched");
      if (waiting) seats[ticket.queue] += ticket.seats, ++waiting_in[ticket.queue];
    } else {
      const bool offered = ticket.state == TicketState::offered;
      CHECK(offered || ticket.state == TicketState::matched, "ended tickets are gone");
      CHECK(!waiting, "a matched ticket has left its line");
      const Match* match = s.matches.find(ticket.match);
      CHECK(match && match->state == (offered ? MatchState::offered : MatchState::launching),
            "a matched ticket's match is launching, or offered as it is");
      CHECK(std::count(match->tickets.begin(), match->tickets.end(), id) == 1,
            "a ticket is in its match once");
    }
  });
  for (QueueIndex i = 0; i < s.queues.size(); ++i) {
    CHECK(s.queues[i].seats_waiting == seats[i], "seats are counted right");
    for (const auto& [size, line] : s.queues[i].waiting) CHECK(!line.empty(), "no empty lines");
    if (const RuleMatcher* matcher = s.queues[i].matcher.get()) {
      CHECK(matcher->size() == waiting_in[i], "nobody else waits in a matcher");
      CHECK(matcher->settled() || s.queues[i].removed || draining(s, i),
            "what an event made possible has been tried");
      const auto next = matcher->next_widening();
      CHECK(!next || (s.queues[i].widening && s.queues[i].widening_at <= *next),
            "limits grow when they are due");
    }
  }
}

void check_offered(const State& s, MatchId id, const Match& match) {
  const Fleet& fleet = s.fleets[match.fleet];
  CHECK(!fleet.waiting.contains({match.since, id}), "nothing is launched for a match on offer");
  CHECK(match.timer && !match.launching && !match.server, "an offer ends in time");
  std::size_t players = 0;
  std::uint32_t seats = 0;
  for (const TicketId ticket : match.tickets)
    players += s.tickets[ticket].members.size(), seats += s.tickets[ticket].seats;
  CHECK(seats == match.seats, "a match on offer is full");
  CHECK(match.accepted.size() < players, "what all have accepted is no offer any more");
  for (const PlayerId player : match.accepted) {
    const Ticket* ticket = s.tickets.find(s.players[player].ticket);
    CHECK(ticket && ticket->match == id, "who has accepted is of the match");
    CHECK(std::ranges::count(match.accepted, player) == 1, "a player accepts once");
  }
}

void check_matches(const State& s) {
  const bool any_node = std::any_of(s.nodes.begin(), s.nodes.end(),
                                    [](const auto& node) { return node->link && !node->draining; });
  s.matches.for_each([&](MatchId id, const Match& match) {
    const Fleet& fleet = s.fleets[match.fleet];
    const bool waits = fleet.waiting.contains({match.since, id});
    const bool unserved = fleet.unserved.contains({match.since, id});
    if (match.state == MatchState::offered) return check_offered(s, id, match);
    if (match.state == MatchState::launching) {
      CHECK(waits, "a launching match waits for a server");
      CHECK(unserved == !match.launching, "unserved is: none is starting for it");
      CHECK(match.players.empty() && !match.server, "nobody plays before there is a server");
      CHECK(!unserved || any_node || match.timer, "no match waits for ever for a node");
      CHECK(!unserved || !fleet.removed || s.stopping, "no match waits for a fleet that is gone");
      std::uint32_t seats = 0;
      for (const TicketId ticket : match.tickets) seats += s.tickets[ticket].seats;
      CHECK(seats == match.seats, "a match is full");
      if (match.launching) {
        const Server* server = s.servers.find(match.launching);
        CHECK(server && server->launched_for == id && server->state == ServerState::starting,
              "the server launched for a match is Starting and knows it");
      }
    } else {
      CHECK(!waits && !unserved && match.tickets.empty(), "a playing match waits for nothing");
      const Server* server = s.servers.find(match.server);
      CHECK(server && server->match == id && server->state == ServerState::allocated,
            "a playing match has an Allocated server");
      for (const MatchPlayer& played : match.players)
        CHECK(s.players.find(played.player) && s.players.find(played.player)->match == id,
              "a match's players are in it");
      const EndConfig& end = s.config.fleets[match.fleet].end;
      const Duration limit = match.anybody_came ? end.idle : end.first_player_timeout;
      CHECK(static_cast<bool>(match.empty) ==
                (end.idle > Duration::zero() && limit > Duration::zero() && server->players == 0),
            "a match that nobody is at ends in time, and no other for that reason");
    }
  });
}

void check_ports(const State& s) {
  std::set<std::uint16_t> used;
  s.servers.for_each([&](ServerId, const Server& server) {
    CHECK(used.insert(server.port).second, "no port is given to two live servers");
    for (const NamedPort& port : server.named_ports)
      CHECK(used.insert(port.port).second, "no port is given to two live servers");
  });
  const auto check_pool = [&](const PortPool& pool) {
    for (const std::uint16_t port : pool.free())
      CHECK(!used.contains(port), "a port in use is not free");
    const bool any_used =
        std::any_of(used.begin(), used.end(), [&](std::uint16_t port) { return pool.holds(port); });
    CHECK(any_used == (pool.used_count() > 0), "every port is free, set aside or in use");
  };
  for (const Fleet& fleet : s.fleets) {
    check_pool(fleet.ports);
    for (const NamedPool& kind : fleet.named_ports) check_pool(kind.pool);
  }
}

/// Counted anew, by fleet.
struct FleetCount {
  std::uint32_t starting = 0, outdated_starting = 0, all = 0;
  std::size_t ready = 0;
};

FleetCount count_fleet(const State& s, FleetIndex index) {
  FleetCount count;
  const Fleet& fleet = s.fleets[index];
  s.servers.for_each([&](ServerId id, const Server& server) {
    if (server.fleet != index) return;
    ++count.all;
    const auto by_port = fleet.by_port.find(server.port);
    CHECK(by_port != fleet.by_port.end() && by_port->second == id, "a server is found by its port");
    const bool outdated = server.version != fleet.version;
    if (server.state == ServerState::starting)
      ++(outdated ? count.outdated_starting : count.starting);
    if (server.state != ServerState::ready) return;
    ++count.ready;
    const auto& listed = outdated ? fleet.outdated_ready : fleet.ready;
    CHECK(std::count(listed.begin(), listed.end(), id) == 1,
          "Ready servers are listed, by their version");
  });
  return count;
}

void check_fleet(const State& s, FleetIndex index) {
  const Fleet& fleet = s.fleets[index];
  const FleetConfig& config = s.config.fleets[index];
  const FleetCount count = count_fleet(s, index);
  CHECK(fleet.starting == count.starting && fleet.outdated_starting == count.outdated_starting,
        "Starting servers are counted right");
  const std::size_t ready = fleet.ready.size() + fleet.outdated_ready.size();
  CHECK(ready == count.ready, "only Ready servers are listed as such");
  CHECK(fleet.servers == count.all, "servers are counted right");
  CHECK(fleet.by_port.size() == count.all, "no port leads to a server that is gone");
  for (const auto& [since, id] : fleet.waiting)
    CHECK(s.matches.find(id) && s.matches.find(id)->since == since, "waiting matches exist");
  if (!fleet.waiting.empty() && ready > 0) {
    const ServerId next = fleet.ready.empty() ? fleet.outdated_ready.back() : fleet.ready.back();
    CHECK(!s.nodes[s.servers.find(next)->node]->link, "no match waits while a server is Ready");
  }
  CHECK(!fleet.removed || (config.ports.first == 0 && !fleet.draining && !fleet.asleep),
        "a fleet that is no longer configured has nothing but its game servers");
  CHECK(fleet.removed || fleet.version == launch_version(config), "a fleet knows its version");
  CHECK(!fleet.crash_loop || fleet.failures > 0, "a crash loop has failures");
  if (s.stopping || !fleet.waiting.empty()) return;
  CHECK(ready <= config.ready_max, "no more are Ready than ready_max");
  CHECK(!(fleet.removed || fleet.draining || fleet.asleep) || ready == 0,
        "where nobody is to play, no server waits for players");
  CHECK(fleet.outdated_ready.empty() || fleet.ready.size() < config.ready_min,
        "outdated servers wait only in the place of new ones");
}

void check_servers(const State& s) {
  s.servers.for_each([&](ServerId id, const Server& server) {
    CHECK(!server.match || server.state == ServerState::allocated,
          "a server with a match is Allocated");
    CHECK(!holds_itself(server) || server.sdk != SdkKind::classic,
          "a classic server is neither Reserved nor Allocated without a match");
    if (server.match) {
      const Match* match = s.matches.find(server.match);
      CHECK(match && match->server == id, "a server's match is at it");
    }
    if (server.state == ServerState::starting)
      CHECK(server.timer && !server.stopping, "a Starting server has a deadline");
    if (server.launched_for)
      CHECK(s.matches.find(server.launched_for) &&
                s.matches.find(server.launched_for)->launching == id,
            "the match a server was launched for knows it");
    CHECK(!server.stopping || !server.reason.empty(),
          "a server that is stopped is stopped for a reason");
    if (server.state == ServerState::ready) {
      CHECK(!server.stopping, "a Ready server is not being stopped");
      CHECK(s.stopping || (!server.draining && !s.nodes[server.node]->draining) ||
                !s.fleets[server.fleet].waiting.empty(),
            "a drained server does not wait for players");
    }
  });
  check_ports(s);
  for (FleetIndex i = 0; i < s.fleets.size(); ++i) check_fleet(s, i);
}

void check_results(const State& s) {
  CHECK(s.results.empty() || s.results.rbegin()->first <= s.results_numbered,
        "results are numbered in order");
  CHECK(s.totals.results - s.totals.results_recorded == s.results.size(),
        "a result is kept until it is recorded");
}

}  // namespace

void check_invariants(const State& state) {
  check_sessions_and_players(state);
  check_parties(state);
  check_tickets(state);
  check_matches(state);
  check_servers(state);
  check_results(state);
}

}  // namespace muster::core
