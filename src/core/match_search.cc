#include "core/match_search.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "core/match_company.h"
#include "core/match_regions.h"

namespace muster::core {
namespace {

constexpr std::uint32_t kinds_max = 64;  // More are not looked for: each ticket is its own then.

std::int64_t distance(std::int64_t a, std::int64_t b) { return std::abs(a - b); }

std::int64_t rating_limit(const MatchRules& rules, const WaitingTicket& ticket, Time now) {
  return rules.rating_distance.at(now - ticket.since);
}

std::int64_t team_limit(const MatchRules& rules, const WaitingTicket& ticket, Time now) {
  return rules.team_rating_distance.at(now - ticket.since);
}

/// Calls f for every ticket of the anchor's pools whose rating is in its window, until it says
/// false. One that is in several of them is looked at in the first.
template <class F>
void for_each_in_window(const MatchRules& rules, const TicketIndex& index,
                        const WaitingTicket& anchor, Time now, F&& f) {
  const std::int64_t limit = rating_limit(rules, anchor, now);
  const std::int64_t low = std::max<std::int64_t>(anchor.rating - limit, INT32_MIN);
  const std::int64_t high = anchor.rating + limit;
  index.for_each_pool_of(anchor, [&](const TicketIndex::Pool& pool, std::uint32_t region) {
    const std::uint32_t before = (std::uint32_t{1} << region) - 1;
    for (auto at = pool.by_rating.lower_bound({static_cast<Rating>(low), {}});
         !at.at_end() && at->rating <= high; ++at) {
      const WaitingTicket& other = index[at->place];
      if ((other.regions & anchor.regions & before) != 0) continue;
      if (!f(other)) return false;
    }
    return true;
  });
}

}  // namespace

bool may_play(const MatchRules& rules, const WaitingTicket& ticket, Time now) {
  if (rules.regions > 0 && ticket.regions == 0) return false;
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    const MatchRules::Rule& rule = rules.rules[i];
    if (rule.kind == RuleKind::min && ticket.values[i] < rule.limit.at(now - ticket.since))
      return false;
    if (rule.kind == RuleKind::max && ticket.values[i] > rule.limit.at(now - ticket.since))
      return false;
  }
  return true;
}

bool accept(const MatchRules& rules, const WaitingTicket& a, const WaitingTicket& b, Time now) {
  const std::int64_t apart = distance(a.rating, b.rating);
  if (apart > rating_limit(rules, a, now) || apart > rating_limit(rules, b, now)) return false;
  if (rules.regions > 0 && (a.regions & b.regions) == 0) return false;
  if (shuns(rules, a, b, now) || shuns(rules, b, a, now)) return false;
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    const MatchRules::Rule& rule = rules.rules[i];
    switch (rule.kind) {
      case RuleKind::equal:
      case RuleKind::any_of:
        if ((a.values[i] & b.values[i]) == 0) return false;
        break;
      case RuleKind::distance: {
        const std::int64_t between = distance(a.values[i], b.values[i]);
        if (between > rule.limit.at(now - a.since) || between > rule.limit.at(now - b.since))
          return false;
        break;
      }
      case RuleKind::min:
      case RuleKind::max:
        break;
    }
  }
  return may_play(rules, a, now) && may_play(rules, b, now);
}

bool MatchSearch::find(const TicketIndex& index, TicketPlace place, Time now, FoundMatch& out) {
  const WaitingTicket& anchor = index[place];
  out.tickets.clear();
  out.teams.clear();
  if (!may_play(rules_, anchor, now)) return false;
  if (anchor.seats == rules_.players) {
    out.tickets.push_back(anchor.id);
    out.teams.push_back(0);
    choose_region({{&anchor}}, out);
    return true;
  }
  if (rules_.players == 2) return find_pair(index, anchor, now, out);

  effort_ = 0;
  cut_ = false;
  add_up_seats(index, anchor);
  if (!worth_searching(anchor)) return false;
  gather(index, anchor, now);
  const bool found = search_shapes(now);
  if (cut_) ++cuts_;
  if (found) take_best(out);
  return found;
}

/// Shape by shape, and among those with equally many players for the oldest tickets.
bool MatchSearch::search_shapes(Time now) {
  std::uint32_t seats = 0;
  for (const Candidate& candidate : candidates_) seats += candidate.ticket->seats;
  const MatchShape* best_shape = nullptr;
  std::vector<std::uint32_t> best, best_teams;
  for (const MatchShape& shape : rules_.shapes) {
    if (best_shape && shape.players < best_shape->players) break;
    if (shape.players < rules_.players && shape.players < players_min_) break;
    if (shape.players > seats || !seats_reachable_[shape.players]) continue;
    if (candidates_[anchor_].ticket->seats >
        *std::max_element(shape.team_sizes.begin(), shape.team_sizes.end()))
      continue;
    shape_ = &shape;
    best_.clear();
    search_frames();
    if (best_.empty()) continue;
    if (shape.players < rules_.players &&
        rules_.players_min.at(now - candidates_[best_.front()].since) > shape.players)
      continue;  // Its oldest wants more; and that of any other such match is no older.
    if (best_shape && best <= best_) continue;
    best_shape = &shape;
    best = best_;
    best_teams = best_teams_;
  }
  shape_ = best_shape;
  best_ = std::move(best);
  best_teams_ = std::move(best_teams);
  return best_shape != nullptr;
}

std::uint32_t MatchSearch::seats_in_reach(const TicketIndex& index, TicketPlace place, Time now,
                                          std::uint32_t seats_max) const {
  const WaitingTicket& ticket = index[place];
  std::uint32_t seats = ticket.seats;
  for_each_in_window(rules_, index, ticket, now, [&](const WaitingTicket& other) {
    if (other.id != ticket.id && accept(rules_, ticket, other, now)) seats += other.seats;
    return seats < seats_max;
  });
  return std::min(seats, seats_max);
}

/// A match of two players: of this ticket and another, or, if it has waited long enough for that,
/// of this ticket alone.
bool MatchSearch::find_pair(const TicketIndex& index, const WaitingTicket& anchor, Time now,
                            FoundMatch& out) {
  const WaitingTicket* oldest = nullptr;
  for_each_in_window(rules_, index, anchor, now, [&](const WaitingTicket& other) {
    if (other.id == anchor.id || other.seats != 1) return true;
    if (oldest && std::tie(oldest->since, oldest->id) < std::tie(other.since, other.id))
      return true;
    if (!accept(rules_, anchor, other, now)) return true;
    if (rules_.team_sizes.size() == 2) {
      const std::int64_t apart = distance(anchor.rating, other.rating);
      if (apart > team_limit(rules_, anchor, now) || apart > team_limit(rules_, other, now))
        return true;
    }
    oldest = &other;
    return true;
  });
  if (!oldest) {
    if (rules_.shapes.back().players > 1 || rules_.players_min.at(now - anchor.since) > 1)
      return false;
    out.tickets = {anchor.id};
    out.teams = {0};
    choose_region({{&anchor}}, out);
    return true;
  }
  const bool anchor_first = std::tie(anchor.since, anchor.id) < std::tie(oldest->since, oldest->id);
  out.tickets =
      anchor_first ? std::vector{anchor.id, oldest->id} : std::vector{oldest->id, anchor.id};
  out.teams = {0, rules_.team_sizes.size() == 2 ? 1u : 0u};
  choose_region({{&anchor, oldest}}, out);
  return true;
}

/// What some of the sizes that wait come to with the anchor's.
/// (In several regions some are counted more than once; then a search may find nothing.)
void MatchSearch::add_up_seats(const TicketIndex& index, const WaitingTicket& anchor) {
  std::vector<bool>& reachable = seats_reachable_;
  reachable.assign(rules_.players + 1, false);
  reachable[anchor.seats] = true;
  std::vector<std::uint32_t> used;  // Of this size, for each sum.
  const auto add = [&](std::uint32_t seats, std::uint32_t usable) {
    used.assign(rules_.players + 1, 0);
    for (std::uint32_t sum = seats; sum <= rules_.players; ++sum)
      if (!reachable[sum] && reachable[sum - seats] && used[sum - seats] < usable) {
        reachable[sum] = true;
        used[sum] = used[sum - seats] + 1;
      }
  };
  index.for_each_pool_of(anchor, [&](const TicketIndex::Pool& pool, std::uint32_t) {
    for (const auto& [seats, count] : pool.by_seats) add(seats, count - (seats == anchor.seats));
    return true;
  });
}

/// Whether the seats come to those of a match. Who would be content with one that is not full is
/// not known yet.
bool MatchSearch::worth_searching(const WaitingTicket& anchor) const {
  return std::any_of(rules_.shapes.begin(), rules_.shapes.end(), [&](const MatchShape& shape) {
    return seats_reachable_[shape.players] && shape.players >= anchor.seats;
  });
}

void MatchSearch::gather(const TicketIndex& index, const WaitingTicket& anchor, Time now) {
  candidates_.clear();
  now_ = now;
  players_min_ = rules_.players;
  for_each_in_window(rules_, index, anchor, now, [&](const WaitingTicket& ticket) {
    if (ticket.id != anchor.id && !accept(rules_, anchor, ticket, now)) return true;
    Candidate& candidate = candidates_.emplace_back();
    candidate.since = ticket.since;
    candidate.id = ticket.id;
    candidate.ticket = &ticket;
    candidate.rating_limit = rating_limit(rules_, ticket, now);
    candidate.team_limit = team_limit(rules_, ticket, now);
    players_min_ = std::min(players_min_,
                            static_cast<std::uint32_t>(rules_.players_min.at(now - ticket.since)));
    for (std::size_t i = 0; i < rules_.rules.size(); ++i)
      if (rules_.rules[i].kind == RuleKind::distance)
        candidate.limits[i] = rules_.rules[i].limit.at(now - ticket.since);
    return true;
  });
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.since, a.id) < std::tie(b.since, b.id);
  });
  for (std::uint32_t i = 0; i < candidates_.size(); ++i)
    if (candidates_[i].id == anchor.id) anchor_ = i;
  sort_into_kinds();
}

/// Whether anybody shuns somebody of it.
bool MatchSearch::shunned(const WaitingTicket& ticket) const {
  return std::any_of(ticket.players.begin(), ticket.players.end(), [&](const PlayerKey& player) {
    return std::binary_search(shunned_.begin(), shunned_.end(), player);
  });
}

/// Who shuns or is shunned stands for nobody else.
void MatchSearch::sort_into_kinds() {
  shunned_.clear();
  for (const Candidate& candidate : candidates_)
    for (const Shunned& shunned : candidate.ticket->shunned) shunned_.push_back(shunned.player);
  std::sort(shunned_.begin(), shunned_.end());
  std::vector<std::uint32_t> first_of_kind;
  kinds_ = 0;
  for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
    Candidate& candidate = candidates_[i];
    if (!shunned_.empty() && (!candidate.ticket->shunned.empty() || shunned(*candidate.ticket))) {
      candidate.kind = kinds_++;
      continue;
    }
    const auto alike = [&](std::uint32_t other_index) {
      const Candidate& other = candidates_[other_index];
      return other.ticket->seats == candidate.ticket->seats &&
             other.ticket->values == candidate.ticket->values && other.limits == candidate.limits &&
             other.ticket->regions == candidate.ticket->regions &&
             (!rules_.team_rating_limited || (other.ticket->rating == candidate.ticket->rating &&
                                              other.team_limit == candidate.team_limit));
    };
    const auto found = std::find_if(first_of_kind.begin(), first_of_kind.end(), alike);
    if (found != first_of_kind.end()) {
      candidate.kind = candidates_[*found].kind;
      continue;
    }
    candidate.kind = kinds_++;
    if (first_of_kind.size() < kinds_max) first_of_kind.push_back(i);
  }
}

void MatchSearch::search_frames() {
  const Candidate& anchor = candidates_[anchor_];
  std::int64_t seats = 0, lowest = INT64_MAX, highest = INT64_MIN, narrowest = INT64_MAX;
  std::vector<std::int64_t> limits, lows;
  std::vector<std::pair<std::int64_t, std::uint32_t>> seats_at;  // By rating; then, up to it.
  for (const Candidate& candidate : candidates_) {
    const std::int64_t rating = candidate.ticket->rating;
    seats += candidate.ticket->seats;
    lowest = std::min(lowest, rating);
    highest = std::max(highest, rating);
    narrowest = std::min(narrowest, candidate.rating_limit);
    seats_at.emplace_back(rating, candidate.ticket->seats);
    limits.push_back(std::min(candidate.rating_limit, anchor.rating_limit));
    if (rating <= anchor.ticket->rating) lows.push_back(rating);
  }
  if (seats < shape_->players) return;
  if (highest - lowest <= narrowest) return search_frame(lowest, narrowest);

  // Whether the sizes fit together at all, whatever the ratings; mostly that ends it, when many
  // wait whom no frame can help.
  search_frame(lowest, no_limit);
  if (best_.empty()) return;
  best_.clear();
  for (auto* values : {&limits, &lows}) {
    std::sort(values->begin(), values->end());
    values->erase(std::unique(values->begin(), values->end()), values->end());
  }
  std::sort(seats_at.begin(), seats_at.end());
  for (std::size_t i = 1; i < seats_at.size(); ++i) seats_at[i].second += seats_at[i - 1].second;
  const auto seats_below = [&](std::int64_t rating) {
    const auto at = std::lower_bound(seats_at.begin(), seats_at.end(), std::pair(rating, 0u));
    return at == seats_at.begin() ? 0 : std::prev(at)->second;
  };
  for (const std::int64_t limit : limits)
    for (const std::int64_t low : lows) {
      if (low + limit < anchor.ticket->rating || cut_) continue;
      if (seats_below(low + limit + 1) - seats_below(low) >= shape_->players)
        search_frame(low, limit);
    }
}

void MatchSearch::search_frame(std::int64_t low, std::int64_t limit) {
  if (!spend(candidates_.size())) return;
  const bool everybody = limit == no_limit;
  pool_.clear();
  passed_.assign(kinds_, 0);  // Here first: how many of the kind are in the pool.
  const Candidate& anchor = candidates_[anchor_];
  std::uint32_t seats = anchor.ticket->seats;
  for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
    const Candidate& candidate = candidates_[i];
    if (i == anchor_) continue;
    if (!everybody && (candidate.ticket->rating < low || candidate.ticket->rating > low + limit ||
                       candidate.rating_limit < limit))
      continue;
    if (++passed_[candidate.kind] * candidate.ticket->seats > shape_->players) continue;
    pool_.push_back(i);
    seats += candidate.ticket->seats;
  }
  if (seats < shape_->players) return;
  if (cannot_be_older()) return;
  seats_from_.assign(pool_.size() + 1, 0);
  for (std::size_t i = pool_.size(); i > 0; --i)
    seats_from_[i - 1] = seats_from_[i] + candidates_[pool_[i - 1]].ticket->seats;

  careful_ = false;
  patience_ = static_cast<std::uint32_t>(4 * pool_.size() + 16);
  if (!fill_frame()) {
    if (patience_ > 0 || cut_) return;
    careful_ = true;
    if (!fill_frame()) return;
  }
  const std::vector<std::uint32_t> teams = packing_.teams();
  std::vector<std::pair<std::uint32_t, std::uint32_t>> found;
  for (std::size_t i = 0; i < chosen_.size(); ++i) found.emplace_back(chosen_[i], teams[i]);
  std::sort(found.begin(), found.end());
  std::sort(chosen_.begin(), chosen_.end());
  if (!best_.empty() && best_ <= chosen_) return;
  best_ = chosen_;
  best_teams_.clear();
  for (const auto& [position, team] : found) best_teams_.push_back(team);
}

bool MatchSearch::fill_frame() {
  passed_.assign(kinds_, 0);
  chosen_.clear();
  common_.clear();
  missing_ = shape_->players;
  packing_ = TeamPacking(shape_->team_sizes);
  CHECK(include(anchor_), "a ticket's seats fit into one of the teams");
  return can_be_filled(0) && fill(0);
}

/// Whether even the oldest of the pool would be younger than the match already found.
bool MatchSearch::cannot_be_older() const {
  if (best_.empty()) return false;
  std::size_t at = 0;
  bool with_anchor = false;
  for (const std::uint32_t other : best_) {
    std::uint32_t position = at < pool_.size() ? pool_[at] : anchor_;
    if (!with_anchor && anchor_ < position) position = anchor_;
    if (position == anchor_)
      with_anchor = true;
    else
      ++at;
    if (position != other) return position > other;
    if (at == pool_.size() && with_anchor) return true;
  }
  return true;
}

/// Whether the sizes of what was chosen and of what may still be, from there on, fill the teams.
bool MatchSearch::can_be_filled(std::size_t from) {
  if (!careful_) return true;
  sizes_.assign(rules_.team_size_max + 1, {});
  for (const std::uint32_t i : chosen_) ++sizes_[candidates_[i].ticket->seats].must;
  for (std::size_t at = from; at < pool_.size(); ++at)
    if (passed_[candidates_[pool_[at]].kind] == 0)
      ++sizes_[candidates_[pool_[at]].ticket->seats].may;
  // The chosen are packed, and players who are alone fit anywhere.
  if (sizes_[1].may >= missing_) return true;
  if (!shape_->even_sizes.empty()) sizes_[1].must += rules_.players - shape_->players;  // Bots.
  std::uint64_t work = 0;
  const bool can = teams_can_be_filled(shape_->team_sizes, sizes_, work);
  spend(work / 8);
  return can;
}

bool MatchSearch::fill(std::size_t from) {
  if (missing_ == 0) return teams_are_even();
  const std::size_t end = pool_.size();
  std::size_t at = from;
  for (; at < end && seats_from_[at] >= missing_; ++at) {
    const std::uint32_t candidate = pool_[at];
    std::uint32_t& passed = passed_[candidates_[candidate].kind];
    if (!spend(1) || (!careful_ && patience_ == 0)) break;
    if (!careful_) --patience_;
    if (passed == 0 && include(candidate)) {
      if (can_be_filled(at + 1) && fill(at + 1)) return true;
      exclude();
    }
    ++passed;  // What did not work with this one will not work with a younger one like it.
  }
  while (at > from) {
    --at;
    --passed_[candidates_[pool_[at]].kind];
  }
  return false;
}

bool MatchSearch::include(std::uint32_t position) {
  const Candidate& candidate = candidates_[position];
  const WaitingTicket& ticket = *candidate.ticket;
  if (ticket.seats > missing_) return false;
  if (!shunned_.empty() && std::any_of(chosen_.begin(), chosen_.end(), [&](std::uint32_t other) {
        const WaitingTicket& chosen = *candidates_[other].ticket;
        return shuns(rules_, ticket, chosen, now_) || shuns(rules_, chosen, ticket, now_);
      }))
    return false;
  Common common;
  if (!common_.empty() && (!rules_.rules.empty() || rules_.regions > 0)) common = common_.back();
  common.regions &= ticket.regions;
  if (rules_.regions > 0 && common.regions == 0) return false;
  for (std::size_t i = 0; i < rules_.rules.size(); ++i) {
    const std::int64_t value = ticket.values[i];
    const bool first = common_.empty();
    switch (rules_.rules[i].kind) {
      case RuleKind::equal:
      case RuleKind::any_of:
        common.shared[i] = first ? value : common.shared[i] & value;
        if (common.shared[i] == 0) return false;
        break;
      case RuleKind::distance:
        common.low[i] = first ? value : std::min(common.low[i], value);
        common.high[i] = first ? value : std::max(common.high[i], value);
        common.limit[i] =
            first ? candidate.limits[i] : std::min(common.limit[i], candidate.limits[i]);
        if (common.high[i] - common.low[i] > common.limit[i]) return false;
        break;
      case RuleKind::min:
      case RuleKind::max:
        break;
    }
  }
  const std::uint64_t work = packing_.work();
  const bool fits = packing_.push(ticket.seats);
  spend((packing_.work() - work) / 8);  // A look at a team is far cheaper than one at a candidate.
  if (!fits) return false;
  common_.push_back(common);
  chosen_.push_back(position);
  missing_ -= ticket.seats;
  return true;
}

void MatchSearch::exclude() {
  missing_ += candidates_[chosen_.back()].ticket->seats;
  chosen_.pop_back();
  common_.pop_back();
  packing_.pop();
}

bool MatchSearch::teams_are_even() const {
  if (!rules_.team_rating_limited) return true;
  std::int64_t limit = no_limit;
  for (const std::uint32_t i : chosen_) limit = std::min(limit, candidates_[i].team_limit);
  if (limit == no_limit) return true;
  return deal(chosen_, packing_.teams(), limit).difference <= limit * 1000;
}

/// Deals tickets to the teams of the shape; `teams` is some way to do it. With bots, equally many
/// players to each team if the sizes of the tickets and that limit allow it.
Split MatchSearch::deal(const std::vector<std::uint32_t>& positions,
                        std::vector<std::uint32_t> teams, std::int64_t limit) const {
  std::vector<SplitTicket> tickets;
  for (const std::uint32_t i : positions)
    tickets.push_back({candidates_[i].ticket->seats, candidates_[i].ticket->rating});
  if (!shape_->even_sizes.empty()) {
    TeamPacking packing(shape_->even_sizes);
    const bool fits = std::all_of(tickets.begin(), tickets.end(), [&](const SplitTicket& ticket) {
      return packing.push(ticket.seats);
    });
    if (fits) {
      Split even{packing.teams(), 0, false};
      balance_teams(tickets, shape_->even_sizes, even);
      if (even.difference <= limit * 1000) return even;
    }
  }
  Split split{std::move(teams), 0, false};
  balance_teams(tickets, shape_->team_sizes, split);
  return split;
}

bool MatchSearch::spend(std::uint64_t effort) {
  effort_ += effort;
  if (effort_ > effort_max) cut_ = true;
  return !cut_;
}

void MatchSearch::choose_region(std::span<const WaitingTicket* const> tickets,
                                FoundMatch& out) const {
  if (rules_.regions > 0) out.region = best_region(tickets);
}

void MatchSearch::take_best(FoundMatch& out) const {
  std::int64_t limit = no_limit;
  std::vector<const WaitingTicket*> tickets;
  for (const std::uint32_t i : best_) {
    out.tickets.push_back(candidates_[i].id);
    tickets.push_back(candidates_[i].ticket);
    limit = std::min(limit, candidates_[i].team_limit);
  }
  out.teams = deal(best_, best_teams_, limit).team;
  choose_region(tickets, out);
}

}  // namespace muster::core
