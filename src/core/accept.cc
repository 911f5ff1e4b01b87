// A match whose players are asked whether they are there, before a game server is had for it.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "core/turn.h"

namespace muster::core {
namespace {

constexpr std::uint32_t accepted_steps_max = 16;

}  // namespace

/// Everybody is asked. A classic player has no packet for the answer, and is taken at their wish.
void Turn::offer(MatchId match_id) {
  Match& match = s_.matches[match_id];
  const Duration limit = s_.config.queues[*match.queue].accept_timeout;
  match.state = MatchState::offered;
  match.accept_until = now_ + limit;
  s_.timers.set(match.timer, match.accept_until, timer(TimerKind::match, match_id));
  ++s_.totals.offers;
  for (const TicketId id : match.tickets) {
    s_.tickets[id].state = TicketState::offered;
    for (const TicketMember& member : s_.tickets[id].members) {
      const Session* session = s_.sessions.find(s_.players[member.player].session);
      if (session && !session->resumable) match.accepted.push_back(member.player);
    }
  }
  if (everybody_accepted(match)) return offer_accepted(match_id);
  for (const TicketId id : match.tickets) send_ticket(id);
}

bool Turn::is_offered(TicketId id) const {
  const Ticket* ticket = s_.tickets.find(id);
  return ticket && ticket->state == TicketState::offered;
}

bool Turn::has_accepted(PlayerId id) const {
  const Ticket* ticket = s_.tickets.find(s_.players[id].ticket);
  const Match* match = ticket ? s_.matches.find(ticket->match) : nullptr;
  return match && std::ranges::find(match->accepted, id) != match->accepted.end();
}

std::uint32_t Turn::accepts_needed(const Match& match) const {
  std::size_t players = 0;
  for (const TicketId id : match.tickets) players += s_.tickets[id].members.size();
  return static_cast<std::uint32_t>(players);
}

bool Turn::everybody_accepted(const Match& match) const {
  return match.accepted.size() == accepts_needed(match);
}

void Turn::on(const AcceptMatch& e) {
  const PlayerId id = player_of(e.session, e.request);
  if (!id) return;
  const TicketId ticket_id = s_.players[id].ticket;
  if (!is_offered(ticket_id)) return refuse(e.session, e.request, Error::no_match_offered);
  const MatchId match_id = s_.tickets[ticket_id].match;
  Match& match = s_.matches[match_id];
  if (has_accepted(id)) return send_ticket_to(id, e.request);
  match.accepted.push_back(id);
  if (everybody_accepted(match)) return offer_accepted(match_id, {id, e.request});
  // In steps, as those who gather are told.
  const std::uint32_t needed = accepts_needed(match);
  const auto step = [&](std::size_t n) {
    return n * std::min(needed, accepted_steps_max) / needed;
  };
  const bool news = step(match.accepted.size()) != step(match.accepted.size() - 1);
  if (!news) return send_ticket_to(id, e.request);
  for (const TicketId ticket : match.tickets) send_ticket(ticket, {id, e.request});
}

/// A game server may be had now, of the fleet that the queue has by now.
void Turn::offer_accepted(MatchId match_id, Asker asker) {
  Match& match = s_.matches[match_id];
  s_.timers.cancel(match.timer);
  ++s_.totals.offers_accepted;
  if (s_.queues[*match.queue].removed) return fail_match(match_id, Error::queue_removed, asker);
  match.state = MatchState::launching;
  match.since = now_;
  const QueueConfig& config = s_.config.queues[*match.queue];
  match.fleet = config.fleet;
  for (const RegionConfig& region : config.region)
    if (region.name == match.region) match.fleet = region.fleet;
  for (const TicketId id : match.tickets) {
    s_.tickets[id].state = TicketState::matched;
    send_ticket(id, asker);
  }
  const FleetIndex fleet = match.fleet;
  wait_for_server(match_id);
  rebalance_.push_back(fleet);
}

void Turn::on(const DeclineMatch& e) {
  const PlayerId id = player_of(e.session, e.request);
  if (!id) return;
  if (!is_offered(s_.players[id].ticket))
    return refuse(e.session, e.request, Error::no_match_offered);
  if (has_accepted(id)) return refuse(e.session, e.request, Error::match_accepted);
  decline(id, {id, e.request});
}

/// One no is enough: their ticket ends, and the others need not wait for the rest of the time.
void Turn::decline(PlayerId id, Asker asker) {
  const TicketId ticket = s_.players[id].ticket;
  penalize(id, s_.tickets[ticket].queue);
  ++s_.totals.offers_failed;
  withdraw_ticket(ticket, TicketState::cancelled, Error::match_declined, asker);
}

/// Whoever goes away instead of answering has declined.
void Turn::decline_if_offered(PlayerId id) {
  if (is_offered(s_.players[id].ticket) && !has_accepted(id)) decline(id, {});
}

/// The time is over: who was silent leaves, with those on the same ticket.
void Turn::offer_due(MatchId match_id) {
  Match& match = s_.matches[match_id];
  const QueueIndex queue = *match.queue;
  ++s_.totals.offers_failed;
  std::vector<TicketId> silent;
  for (const TicketId id : match.tickets) {
    bool all = true;
    for (const TicketMember& member : s_.tickets[id].members) {
      if (has_accepted(member.player)) continue;
      all = false;
      penalize(member.player, queue);
    }
    if (!all) silent.push_back(id);
  }
  CHECK(!silent.empty(), "an offer that all have accepted is none any more");
  std::erase_if(match.tickets, [&](TicketId id) { return std::ranges::count(silent, id) > 0; });
  for (const TicketId id : silent)
    end_ticket(id, TicketState::cancelled, Error::match_not_accepted);
  dissolve(match_id);
  try_match(queue);
}

/// Twice as long as the last time, if that was not long ago: up to decline_penalty_max.
void Turn::penalize(PlayerId id, QueueIndex queue) {
  const QueueConfig& config = s_.config.queues[queue];
  if (config.decline_penalty <= Duration::zero()) return;
  auto& penalties = s_.players[id].penalties;
  std::erase_if(penalties, [&](const QueuePenalty& p) {
    return p.until + s_.config.queues[p.queue].decline_penalty_max <= now_;
  });
  auto known = std::ranges::find(penalties, queue, &QueuePenalty::queue);
  if (known == penalties.end()) known = penalties.insert(known, {queue, {}, Duration::zero()});
  known->length = known->length > Duration::zero()
                      ? std::min(known->length * 2,
                                 std::max(config.decline_penalty_max, config.decline_penalty))
                      : config.decline_penalty;
  known->until = now_ + known->length;
  ++s_.totals.penalties;
}

/// How long a player may not start in a queue; zero if they may.
Duration Turn::penalty_left(PlayerId id, QueueIndex queue) const {
  for (const QueuePenalty& penalty : s_.players[id].penalties)
    if (penalty.queue == queue && penalty.until > now_) return penalty.until - now_;
  return Duration::zero();
}

}  // namespace muster::core
