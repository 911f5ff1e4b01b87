// The whole state folded into one number.
#include "base/digest.h"

#include <bit>

#include "core/core.h"
#include "core/state.h"

namespace muster::core {
namespace {

void fold(Digest& d, const std::vector<Attribute>& attributes) {
  d.add(attributes.size());
  for (const Attribute& a : attributes) {
    d.add(a.name);
    d.add(a.value.index());
    if (const auto* text = std::get_if<std::string>(&a.value)) d.add(*text);
    if (const auto* number = std::get_if<double>(&a.value))
      d.add(std::bit_cast<std::uint64_t>(*number));
    if (const auto* texts = std::get_if<std::vector<std::string>>(&a.value))
      for (const std::string& text : *texts) d.add(text);
  }
}

void fold(Digest& d, const MatchResult& result) {
  d.add(result.match), d.add(result.started), d.add(result.ended), d.add(result.queue);
  d.add(result.rating_default), d.add(static_cast<int>(result.rating.system));
  for (const ResultPlayer& player : result.players) {
    d.add(player.name), d.add(player.account), d.add(player.team), d.add(player.rank);
    d.add(player.score.has_value()), d.add(player.score.value_or(0)), d.add(player.played);
  }
}

}  // namespace

std::uint64_t Core::digest() const {
  const State& s = *state_;
  Digest d;
  d.add(s.stopping);
  d.add(s.now);
  s.sessions.for_each([&](SessionId id, const Session& session) {
    d.add(id), d.add(session.resumable), d.add(session.player), d.add(session.server);
  });
  s.players.for_each([&](PlayerId id, const Player& player) {
    d.add(id), d.add(player.name), d.add(player.session), d.add(player.ticket), d.add(player.match);
    for (const std::uint8_t byte : player.secret) d.add(byte);
    for (const PlayerRating& rating : player.ratings)
      d.add(rating.queue), d.add(rating.mean), d.add(rating.deviation);
    for (const Blocked& blocked : player.blocked) d.add(blocked.player), d.add(blocked.account);
    for (const RecentMatch& match : player.recent) {
      d.add(match.queue);
      for (const PlayerKey& other : match.others) d.add(other.account), d.add(other.guest);
    }
    for (const RegionLatency& measured : player.latency) d.add(measured.region), d.add(measured.ms);
    d.add(player.account), d.add(player.party), d.add(player.wrong_codes);
    d.add(player.wrong_codes_since);
    for (const QueuePenalty& penalty : player.penalties)
      d.add(penalty.queue), d.add(penalty.until), d.add(penalty.length.count());
  });
  d.add(s.away);
  s.parties.for_each([&](PartyId id, const Party& party) {
    d.add(id), d.add(party.code);
    for (const PartyMember& member : party.members)
      d.add(member.player), fold(d, member.attributes);
  });
  s.tickets.for_each([&](TicketId id, const Ticket& ticket) {
    d.add(id), d.add(ticket.queue), d.add(ticket.seats);
    d.add(static_cast<int>(ticket.state)), d.add(ticket.held), d.add(ticket.since);
    d.add(ticket.match), d.add(ticket.team);
    for (const TicketMember& member : ticket.members)
      d.add(member.player), d.add(member.seats), fold(d, member.attributes);
  });
  s.matches.for_each([&](MatchId id, const Match& match) {
    d.add(id), d.add(match.queue.has_value()), d.add(match.queue.value_or(0)), d.add(match.fleet);
    d.add(match.known_as);
    d.add(static_cast<int>(match.state)), d.add(match.server), d.add(match.attempts);
    d.add(match.seats), d.add(match.by_rules);
    for (const TeamBots& bots : match.bots) d.add(bots.team), d.add(bots.count);
    d.add(match.launching), d.add(match.since);
    d.add(match.region);
    d.add(match.anybody_came), d.add(match.accept_until);
    for (const PlayerId player : match.accepted) d.add(player);
    for (const TicketId ticket : match.tickets) d.add(ticket);
    for (const MatchPlayer& player : match.players)
      d.add(player.player), d.add(player.since), d.add(player.joined), d.add(player.ticket);
    if (match.roster)
      for (const RosterEntry& entry : *match.roster)
        d.add(entry.player), d.add(entry.name), d.add(entry.team), d.add(entry.account),
            fold(d, entry.attributes);
  });
  s.servers.for_each([&](ServerId id, const Server& server) {
    d.add(id), d.add(server.fleet), d.add(server.node), d.add(server.port);
    d.add(static_cast<int>(server.state)), d.add(server.stopping), d.add(server.pid);
    d.add(server.forked);
    d.add(server.match), d.add(server.launched_for), d.add(server.session), d.add(server.since);
    for (const NamedPort& port : server.named_ports) d.add(port.name), d.add(port.port);
    d.add(server.note), d.add(server.players);
    d.add(server.version), d.add(static_cast<int>(server.sdk)), d.add(server.draining);
    d.add(server.proven), d.add(server.killed_at), d.add(server.reason);
    d.add(server.launched), d.add(server.ready_at);
  });
  for (const auto& node : s.nodes)
    d.add(node->link), d.add(node->name), d.add(node->host), d.add(node->draining),
        d.add(node->limits), d.add(node->run), d.add(node->reported);
  for (const Queue& queue : s.queues) {
    d.add(queue.removed), d.add(queue.gathered_told);
    queue.waits.for_each([&](const WaitNeighbourhood& where, const MatchedWait& wait) {
      d.add(where.region), d.add(where.seats), d.add(where.band), d.add(wait.at);
      d.add(wait.waited.count());
    });
  }
  for (const Fleet& fleet : s.fleets) {
    for (const std::uint16_t port : fleet.ports.free()) d.add(port);
    for (const auto& [until, port] : fleet.ports.aside()) d.add(until), d.add(port);
    for (const NamedPool& kind : fleet.named_ports) {
      for (const std::uint16_t port : kind.pool.free()) d.add(port);
      for (const auto& [until, port] : kind.pool.aside()) d.add(until), d.add(port);
    }
    for (const ServerId id : fleet.ready) d.add(id);
    for (const ServerId id : fleet.outdated_ready) d.add(id);
    d.add(fleet.failures), d.add(fleet.last_error), d.add(fleet.crash_loop);
    d.add(fleet.version), d.add(fleet.removed), d.add(fleet.draining), d.add(fleet.asleep);
    d.add(fleet.used_at), d.add(fleet.crash_loop_since), d.add(fleet.retry_at);
    if (const auto& parent = fleet.fork_parent; parent)
      d.add(static_cast<int>(parent->state)), d.add(parent->pid), d.add(parent->detail),
          d.add(parent->since);
  }
  for (const EndedServer& ended : s.ended)
    d.add(ended.server), d.add(ended.ended), d.add(ended.reason), d.add(ended.exit);
  for (const auto& [number, result] : s.results) d.add(number), fold(d, result);
  d.add(s.results_numbered), d.add(s.result_refused.match), d.add(s.result_refused.detail);
  for (const auto& [account, player] : s.accounts) d.add(account), d.add(player);
  return d.value();
}

}  // namespace muster::core
