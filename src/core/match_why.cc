#include "core/match_why.h"

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "core/match_company.h"
#include "core/match_regions.h"
#include "core/match_search.h"
#include "core/rule_matcher.h"

namespace muster::core {
namespace {

enum class Refusal : std::uint8_t { none, ours, theirs };

/// Whether one rule keeps two tickets apart at that time, and by whose limit.
Refusal refusal(const MatchRules& rules, std::size_t rule, const WaitingTicket& us,
                const WaitingTicket& them, Time now) {
  const MatchRules::Rule& r = rules.rules[rule];
  const std::int64_t ours = r.limit.at(now - us.since), theirs = r.limit.at(now - them.since);
  const std::int64_t our_value = us.values[rule], their_value = them.values[rule];
  const auto by = [](bool we_refuse, bool they_refuse) {
    return we_refuse ? Refusal::ours : they_refuse ? Refusal::theirs : Refusal::none;
  };
  switch (r.kind) {
    case RuleKind::equal:
    case RuleKind::any_of:
      return by((our_value & their_value) == 0, false);
    case RuleKind::distance: {
      const std::int64_t apart = std::abs(our_value - their_value);
      return by(apart > ours, apart > theirs);
    }
    case RuleKind::min:
      return by(our_value < ours, their_value < theirs);
    case RuleKind::max:
      return by(our_value > ours, their_value > theirs);
  }
  return Refusal::none;
}

Refusal rating_refusal(const MatchRules& rules, const WaitingTicket& us, const WaitingTicket& them,
                       Time now) {
  const std::int64_t apart = std::abs(std::int64_t{us.rating} - them.rating);
  if (apart > rules.rating_distance.at(now - us.since)) return Refusal::ours;
  if (apart > rules.rating_distance.at(now - them.since)) return Refusal::theirs;
  return Refusal::none;
}

/// There is no region where both may be played. Theirs: there would be, without their limit.
Refusal region_refusal(const WaitingTicket& us, const WaitingTicket& them) {
  if ((us.regions & them.regions) != 0) return Refusal::none;
  for (std::size_t region = 0; region < them.latency.size(); ++region)
    if ((us.regions >> region & 1) != 0 && them.latency[region] != latency_unknown)
      return Refusal::theirs;
  return Refusal::ours;
}

Refusal company_refusal(bool we_do, bool they_do) {
  return we_do ? Refusal::ours : they_do ? Refusal::theirs : Refusal::none;
}

/// As they will be then.
bool will_accept(const RuleMatcher& matcher, WaitingTicket us, WaitingTicket them, Time then) {
  us.regions = matcher.regions_at(us, then);
  them.regions = matcher.regions_at(them, then);
  return accept(matcher.rules(), us, them, then);
}

void look_at_regions(const QueueConfig& config, const WaitingTicket& us, TicketWhy& why) {
  for (std::size_t i = 0; i < config.region.size(); ++i) {
    TicketWhy::Region& region = why.regions.emplace_back();
    region.name = config.region[i].name;
    if (us.latency[i] != latency_unknown) region.ms = us.latency[i];
    region.within = (us.regions >> i & 1) != 0;
  }
}

template <class F>
void for_each_other(const State& state, TicketId id, F&& f) {
  const QueueIndex queue = state.tickets[id].queue;
  const RuleMatcher* matcher = state.queues[queue].matcher.get();
  state.tickets.for_each([&](TicketId other_id, const Ticket& other) {
    if (other_id == id || other.queue != queue || other.state != TicketState::queued || other.held)
      return;
    f(other, matcher ? matcher->find(other.place) : nullptr);
  });
}

void look_at_rules(const State& state, TicketId id, const RuleMatcher& matcher, TicketWhy& why) {
  const MatchRules& rules = matcher.rules();
  const QueueConfig& config = state.config.queues[state.tickets[id].queue];
  const WaitingTicket& us = *matcher.find(state.tickets[id].place);
  if (rules.rating_limited) why.rules.push_back({"rating_distance", 0, 0});
  if (rules.regions > 0) why.rules.push_back({"latency_max", 0, 0});
  if (config.avoid_recent > 0) why.rules.push_back({"avoid_recent", 0, 0});
  look_at_regions(config, us, why);
  for (const RuleConfig& rule : config.rules) why.rules.push_back({rule.name, 0, 0});
  why.rules.push_back({"blocked", 0, 0});
  std::optional<Time> widening;
  for (const Duration after : rules.widenings)
    if (const Time at = us.since + after; at > state.now && (!widening || at < *widening))
      widening = at;
  const auto needed = [&](Time at) {
    return static_cast<std::uint32_t>(rules.players_min.at(at - us.since));
  };
  why.seats_needed = needed(state.now);
  if (widening) why.next = TicketWhy::Widening{*widening - state.now, 0, needed(*widening)};

  std::tuple<std::int64_t, Time, TicketId> nearest;
  for_each_other(state, id, [&](const Ticket& ticket, const WaitingTicket* them) {
    std::vector<std::string> excluded_by;
    const auto count = [&](std::size_t at, Refusal refused) {
      if (refused == Refusal::none) return;
      ++why.rules[at].excludes;
      why.rules[at].by_theirs += refused == Refusal::theirs;
      excluded_by.push_back(why.rules[at].name);
    };
    std::size_t at = 0;
    if (rules.rating_limited) count(at++, rating_refusal(rules, us, *them, state.now));
    if (rules.regions > 0) count(at++, region_refusal(us, *them));
    const bool blocked = blocks(us, *them) || blocks(*them, us);
    if (config.avoid_recent > 0)
      count(at++, blocked ? Refusal::none
                          : company_refusal(shuns(rules, us, *them, state.now),
                                            shuns(rules, *them, us, state.now)));
    for (std::size_t i = 0; i < why.regions.size(); ++i)
      why.regions[i].others += them->regions >> i & 1;
    for (std::size_t rule = 0; rule < rules.rules.size(); ++rule)
      count(at++, refusal(rules, rule, us, *them, state.now));
    count(at, company_refusal(blocks(us, *them), blocks(*them, us)));
    if (excluded_by.empty()) {
      ++why.accepted;
      why.seats_accepted += ticket.seats;
    } else if (widening && will_accept(matcher, us, *them, *widening)) {
      ++why.next->admits;
    }
    const std::int64_t apart = std::abs(std::int64_t{us.rating} - them->rating);
    const std::tuple key{apart, them->since, them->id};
    if (why.nearest && nearest < key) return;
    nearest = key;
    why.nearest = TicketWhy::Nearest{them->id, apart, std::move(excluded_by)};
  });
  if (why.rules.back().excludes == 0) why.rules.pop_back();  // Mostly nobody is.
}

}  // namespace

std::optional<TicketWhy> why_waiting(const State& state, TicketId id) {
  const Ticket* ticket = state.tickets.find(id);
  if (!ticket || ticket->state != TicketState::queued || ticket->held) return std::nullopt;
  TicketWhy why;
  why.seats_needed = state.config.queues[ticket->queue].players;
  why.seats_accepted = ticket->seats;
  for_each_other(state, id, [&](const Ticket&, const WaitingTicket*) { ++why.others; });
  if (const RuleMatcher* matcher = state.queues[ticket->queue].matcher.get()) {
    look_at_rules(state, id, *matcher, why);
  } else {
    why.accepted = why.others;
    for_each_other(state, id, [&](const Ticket& other, const WaitingTicket*) {
      why.seats_accepted += other.seats;
    });
  }
  return why;
}

}  // namespace muster::core
