#include "sim/match_laws.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/match_company.h"
#include "core/match_reference.h"
#include "core/match_regions.h"
#include "core/match_rules.h"

namespace muster::sim {
namespace {

using core::QueueIndex;
using core::State;
using core::Ticket;
using core::TicketId;
using core::TicketMember;
using core::TicketState;
using core::WaitingTicket;

constexpr std::size_t subsets_of_max = 7;  // Tickets whose every subset is tried, after every step.

core::Rating rating_of(const State& state, core::PlayerId player, QueueIndex queue) {
  const core::QueueConfig& config = state.config.queues[queue];
  if (const core::Player* known = state.players.find(player))
    for (const core::PlayerRating& rating : known->ratings)
      if (rating.queue == queue) return core::usable(config.rating, rating.mean, rating.deviation);
  return core::usable(config.rating, config.rating_default, config.rating.deviation);
}

core::Rating rating_of(const State& state, const std::vector<TicketMember>& members,
                       QueueIndex queue) {
  std::vector<core::Rating> ratings;
  for (const TicketMember& member : members)
    ratings.push_back(rating_of(state, member.player, queue));
  return core::rating_together(state.config.queues[queue], ratings);
}

WaitingTicket described(const State& state, QueueIndex queue, TicketId id,
                        const std::vector<TicketMember>& members, Time since) {
  WaitingTicket out{id, since, 0, rating_of(state, members, queue), {}};
  for (const TicketMember& member : members) out.seats += member.seats;
  if (auto values = core::rule_values(state.config.queues[queue], members))
    out.values = *std::move(values);
  else
    out.values.assign(state.config.queues[queue].rules.size(), 0);  // Fits nobody.
  std::vector<const std::vector<core::RegionLatency>*> measured;
  static const std::vector<core::RegionLatency> gone;
  for (const TicketMember& member : members) {
    const core::Player* const player = state.players.find(member.player);
    measured.push_back(player ? &player->latency : &gone);
  }
  if (auto latency = core::region_latencies(state.config.queues[queue], measured))
    out.latency = *std::move(latency);
  else
    out.latency.assign(state.config.queues[queue].region.size(), core::latency_unknown);
  core::add_company(state, queue, members, out);
  return out;
}

/// Of a match that has just begun, which is remembered by now: as it was before.
void forget_last_match(WaitingTicket& ticket) {
  std::erase_if(ticket.shunned, [](const core::Shunned& s) { return s.matches_ago == 1; });
  for (core::Shunned& shunned : ticket.shunned)
    if (shunned.matches_ago > 0) --shunned.matches_ago;
}

bool enough_by_rules(const State& state, QueueIndex queue) {
  const core::QueueConfig& config = state.config.queues[queue];
  std::vector<WaitingTicket> waiting;
  state.tickets.for_each([&](TicketId id, const Ticket& ticket) {
    if (ticket.queue == queue && ticket.state == TicketState::queued && !ticket.held)
      waiting.push_back(described(state, queue, id, ticket.members, ticket.since));
  });
  for (std::size_t i = 0; i < config.region.size(); ++i)
    if (state.fleets[config.region[i].fleet].draining)  // Nobody is sent there.
      for (WaitingTicket& ticket : waiting) ticket.latency[i] = core::latency_unknown;
  if (waiting.size() <= subsets_of_max)
    return !core::reference_match(config, waiting, state.now).empty();
  for (std::size_t a = 0; config.players == 2 && a < waiting.size(); ++a)
    for (std::size_t b = a + 1; b < waiting.size(); ++b)
      if (!core::reference_match(config, {waiting[a], waiting[b]}, state.now).empty()) return true;
  return false;
}

bool enough_by_seats(const State& state, QueueIndex queue) {
  const std::uint32_t needed = state.config.queues[queue].players;
  std::vector<bool> reachable(needed + 1);
  reachable[0] = true;
  state.tickets.for_each([&](TicketId, const Ticket& ticket) {
    if (ticket.queue != queue || ticket.state != TicketState::queued || ticket.held) return;
    for (std::uint32_t sum = needed; sum >= ticket.seats; --sum)
      if (reachable[sum - ticket.seats]) reachable[sum] = true;
  });
  return reachable[needed];
}

}  // namespace

bool enough_partners(const State& state, QueueIndex queue) {
  if (state.queues[queue].removed || core::draining(state, queue)) return false;
  return state.config.queues[queue].ruled() ? enough_by_rules(state, queue)
                                            : enough_by_seats(state, queue);
}

std::optional<std::string> rule_broken(const State& state) {
  std::optional<std::string> broken;
  state.matches.for_each([&](core::MatchId id, const core::Match& match) {
    if (!match.queue || match.since != state.now || !state.config.queues[*match.queue].ruled())
      return;
    // Formed by other rules, maybe: those hold that it was formed by.
    if (match.state == core::MatchState::playing && state.totals.reloads > 0) return;
    // What all have accepted was formed earlier, and looked at then.
    if (!match.accepted.empty() && match.state != core::MatchState::offered) return;
    if (match.roster && match.players.size() < match.roster->size()) return;  // Left at once.
    std::vector<WaitingTicket> tickets;
    std::vector<std::uint32_t> teams;
    for (const TicketId ticket_id : match.tickets) {
      const Ticket& ticket = state.tickets[ticket_id];
      tickets.push_back(described(state, *match.queue, ticket_id, ticket.members, ticket.since));
      teams.push_back(ticket.team);
    }
    std::vector<TicketMember> members;  // Of one ticket.
    for (std::size_t i = 0; i < match.players.size(); ++i) {
      const core::RosterEntry& entry = (*match.roster)[i];
      members.push_back({entry.player, entry.seats, entry.attributes});
      const bool last =
          i + 1 == match.players.size() || match.players[i + 1].ticket != match.players[i].ticket;
      if (!last) continue;
      tickets.push_back(described(state, *match.queue, {}, members, match.players[i].since));
      if (state.config.queues[*match.queue].avoid_recent > 0) forget_last_match(tickets.back());
      teams.push_back(entry.team);
      members.clear();
    }
    if (!core::reference_is_match(state.config.queues[*match.queue], tickets, teams, state.now))
      broken = fmt::format("a match is one by every rule of its queue: {} is not", to_string(id));
  });
  return broken;
}

}  // namespace muster::sim
