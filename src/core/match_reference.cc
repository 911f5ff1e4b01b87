#include "core/match_reference.h"

#include <algorithm>
#include <utility>

#include "core/match_regions.h"
#include "core/match_rules.h"

namespace muster::core {
namespace {

std::int64_t rating_distance(const QueueConfig& queue, const WaitingTicket& ticket, Time now) {
  if (!queue.rating_distance) return no_limit;
  return reference_limit(queue, "rating_distance", *queue.rating_distance, now - ticket.since);
}

std::int64_t team_rating_distance(const QueueConfig& queue, const WaitingTicket& ticket, Time now) {
  if (!queue.team_rating_distance) return no_limit;
  return reference_limit(queue, "team_rating_distance", *queue.team_rating_distance,
                         now - ticket.since);
}

bool values_fit(const QueueConfig& queue, std::span<const WaitingTicket> tickets, Time now) {
  for (std::size_t i = 0; i < queue.rules.size(); ++i) {
    const RuleConfig& rule = queue.rules[i];
    std::int64_t shared = -1;
    for (const WaitingTicket& a : tickets) {
      const std::int64_t limit = reference_limit(queue, rule.name, rule.limit, now - a.since);
      shared &= a.values[i];
      if (rule.kind == RuleKind::min && a.values[i] < limit) return false;
      if (rule.kind == RuleKind::max && a.values[i] > limit) return false;
      for (const WaitingTicket& b : tickets) {
        if (rule.kind == RuleKind::equal && a.values[i] != b.values[i]) return false;
        // The limit of each is one for the whole match, not only for whom it meets there.
        for (const WaitingTicket& c : tickets)
          if (rule.kind == RuleKind::distance && b.values[i] - c.values[i] > limit) return false;
      }
    }
    if (rule.kind == RuleKind::any_of && shared == 0) return false;
  }
  return true;
}

/// Whether all of them may play in that region.
bool region_fits(const QueueConfig& queue, std::span<const WaitingTicket> tickets,
                 std::size_t region, Time now) {
  for (const WaitingTicket& ticket : tickets) {
    const std::int64_t limit = reference_limit(
        queue, "latency_max", queue.latency_max ? std::int64_t{*queue.latency_max} : no_limit,
        now - ticket.since);
    if (ticket.latency[region] == latency_unknown || ticket.latency[region] > limit) return false;
  }
  return true;
}

bool some_region_fits(const QueueConfig& queue, std::span<const WaitingTicket> tickets, Time now) {
  bool fits = queue.region.empty();
  for (std::size_t region = 0; region < queue.region.size(); ++region)
    fits = fits || region_fits(queue, tickets, region, now);
  return fits;
}

bool company_fits(const QueueConfig& queue, std::span<const WaitingTicket> tickets, Time now) {
  for (const WaitingTicket& a : tickets) {
    const std::int64_t avoided =
        reference_limit(queue, "avoid_recent", queue.avoid_recent, now - a.since);
    for (const Shunned& shunned : a.shunned)
      for (const WaitingTicket& b : tickets)
        for (const PlayerKey& player : b.players)
          if (&a != &b && player == shunned.player && shunned.matches_ago <= avoided) return false;
  }
  return true;
}

bool ratings_fit(const QueueConfig& queue, std::span<const WaitingTicket> tickets, Time now) {
  for (const WaitingTicket& a : tickets)
    for (const WaitingTicket& b : tickets)
      for (const WaitingTicket& c : tickets)
        if (std::int64_t{b.rating} - c.rating > rating_distance(queue, a, now)) return false;
  return true;
}

/// Whether teams of so many players make a match, by the configuration's own words.
bool sizes_fit(const QueueConfig& queue, std::span<const std::int64_t> seats) {
  std::size_t at = 0;
  for (const TeamConfig& group : team_groups(queue)) {
    std::int64_t players = 0, teams = 0;  // Of those that have any.
    for (std::uint32_t i = 0; i < group.count; ++i, ++at) {
      if (seats[at] > group.players) return false;
      if (queue.bots || seats[at] == 0) continue;
      if (i > 0 && seats[at - 1] == 0) return false;  // Those that are left out are the last.
      if (players > 0 && seats[at] != players) return false;
      players = seats[at];
      ++teams;
    }
    if (!queue.bots && (teams < group.count_min.value_or(group.count) || teams == 0 ||
                        players < group.players_min.value_or(group.players)))
      return false;
  }
  return true;
}

bool teams_fit(const QueueConfig& queue, std::span<const WaitingTicket> tickets,
               std::span<const std::uint32_t> teams, Time now) {
  std::vector<std::int64_t> seats(team_sizes(queue).size()), sums(seats.size());
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    if (teams[i] >= seats.size()) return false;
    seats[teams[i]] += tickets[i].seats;
    sums[teams[i]] += std::int64_t{tickets[i].rating} * tickets[i].seats;
  }
  if (!sizes_fit(queue, seats)) return false;
  for (const WaitingTicket& ticket : tickets)
    for (std::size_t a = 0; a < seats.size(); ++a)
      for (std::size_t b = 0; b < seats.size(); ++b)
        if (seats[a] > 0 && seats[b] > 0 &&
            sums[a] * 1000 / seats[a] - sums[b] * 1000 / seats[b] >
                team_rating_distance(queue, ticket, now) * 1000)
          return false;
  return true;
}

/// Whether so many are enough for the one of them who has waited longest.
bool enough(const QueueConfig& queue, std::span<const WaitingTicket> tickets, Time now) {
  std::int64_t seats = 0;
  Duration longest{-1};
  for (const WaitingTicket& ticket : tickets) {
    seats += ticket.seats;
    longest = std::max(longest, now - ticket.since);
  }
  return seats == queue.players ||
         seats >= reference_limit(queue, "players_min", queue.players_min.value_or(queue.players),
                                  longest);
}

/// Every way to deal the tickets from `at` on; `left` are the seats of each team that are free.
bool can_be_dealt(const QueueConfig& queue, std::span<const WaitingTicket> tickets,
                  std::vector<std::uint32_t>& teams, std::vector<std::uint32_t>& left,
                  std::size_t at, Time now) {
  if (at == tickets.size()) return teams_fit(queue, tickets, teams, now);
  for (std::uint32_t team = 0; team < left.size(); ++team) {
    if (left[team] < tickets[at].seats) continue;
    teams[at] = team;
    left[team] -= tickets[at].seats;
    const bool can = can_be_dealt(queue, tickets, teams, left, at + 1, now);
    left[team] += tickets[at].seats;
    if (can) return true;
  }
  return false;
}

}  // namespace

std::int64_t reference_limit(const QueueConfig& queue, const std::string& limit, std::int64_t first,
                             Duration waited) {
  std::int64_t value = first;
  Duration latest{-1};
  for (const WidenConfig& widen : queue.widen)
    if (widen.limit == limit && widen.after <= waited && widen.after > latest)
      value = widen.to, latest = widen.after;
  return value;
}

std::optional<std::uint32_t> reference_region(const QueueConfig& queue,
                                              std::span<const WaitingTicket> tickets, Time now) {
  std::optional<std::uint32_t> best;
  std::int64_t best_worst = 0, best_sum = 0;
  for (std::uint32_t region = 0; region < queue.region.size(); ++region) {
    if (!region_fits(queue, tickets, region, now)) continue;
    std::int64_t worst = 0, sum = 0;
    for (const WaitingTicket& ticket : tickets) {
      worst = std::max<std::int64_t>(worst, ticket.latency[region]);
      for (std::uint32_t seat = 0; seat < ticket.seats; ++seat) sum += ticket.latency[region];
    }
    if (best && std::pair(best_worst, best_sum) <= std::pair(worst, sum)) continue;
    best = region, best_worst = worst, best_sum = sum;
  }
  return best;
}

bool reference_is_match(const QueueConfig& queue, std::span<const WaitingTicket> tickets,
                        std::span<const std::uint32_t> teams, Time now) {
  return values_fit(queue, tickets, now) && some_region_fits(queue, tickets, now) &&
         company_fits(queue, tickets, now) && ratings_fit(queue, tickets, now) &&
         enough(queue, tickets, now) && teams_fit(queue, tickets, teams, now);
}

std::vector<TicketId> reference_match(const QueueConfig& queue, std::vector<WaitingTicket> waiting,
                                      Time now, std::optional<TicketId> anchor) {
  std::sort(waiting.begin(), waiting.end(), [](const WaitingTicket& a, const WaitingTicket& b) {
    return std::pair(a.since, a.id) < std::pair(b.since, b.id);
  });
  std::vector<std::size_t> best, set;
  std::uint32_t most = 0;
  for (std::uint32_t bits = 1; bits < 1u << waiting.size(); ++bits) {
    set.clear();
    std::vector<WaitingTicket> tickets;
    std::uint32_t seats = 0;
    bool with_anchor = !anchor;
    for (std::size_t i = 0; i < waiting.size(); ++i) {
      if (!(bits >> i & 1)) continue;
      set.push_back(i);
      tickets.push_back(waiting[i]);
      seats += waiting[i].seats;
      with_anchor |= waiting[i].id == anchor;
    }
    if (!with_anchor || seats > queue.players || seats < most) continue;
    if (seats == most && best < set) continue;
    std::vector<std::uint32_t> teams(set.size()), left = team_sizes(queue);
    if (!enough(queue, tickets, now) || !values_fit(queue, tickets, now) ||
        !ratings_fit(queue, tickets, now) || !some_region_fits(queue, tickets, now) ||
        !company_fits(queue, tickets, now) || !can_be_dealt(queue, tickets, teams, left, 0, now))
      continue;
    best = set;
    most = seats;
  }
  std::vector<TicketId> ids;
  for (const std::size_t i : best) ids.push_back(waiting[i].id);
  return ids;
}

}  // namespace muster::core
