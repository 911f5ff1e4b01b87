#include "core/rule_matcher.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/match_regions.h"

namespace muster::core {
namespace {

std::vector<std::size_t> equal_rules(const MatchRules& rules) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < rules.rules.size(); ++i)
    if (rules.rules[i].kind == RuleKind::equal) found.push_back(i);
  return found;
}

}  // namespace

RuleMatcher::RuleMatcher(MatchRules rules)
    : rules_(std::move(rules)), index_(equal_rules(rules_), rules_.regions > 0), search_(rules_) {}

TicketPlace RuleMatcher::add(WaitingTicket ticket, Time now) {
  const Time since = ticket.since;
  const TicketId id = ticket.id;
  ticket.regions = regions_at(ticket, now);
  const TicketPlace place = index_.add(std::move(ticket));
  to_try_.push_back({since, id, place});
  to_try_sorted_ = to_try_.size() == 1;
  for (const Duration after : rules_.widenings) {
    const Time due = since + after;
    if (due > now && (!next_widening_ || due < *next_widening_)) next_widening_ = due;
  }
  return place;
}

void RuleMatcher::remove(TicketPlace place) { index_.remove(place); }

SortedChunks<TicketIndex::Aged>::Cursor RuleMatcher::not_widened(Duration after) const {
  if (!widened_until_) return index_.by_age().begin();
  return index_.by_age().lower_bound({*widened_until_ - after + Duration{1}, {}, {}});
}

void RuleMatcher::widen(Time now) {
  for (const Duration after : rules_.widenings)
    for (auto at = not_widened(after); !at.at_end() && at->since + after <= now; ++at) {
      to_try_.push_back(*at);
      change_regions(at->place, now);
    }
  to_try_sorted_ = false;
  widened_until_ = now;
  next_widening_.reset();
  for (const Duration after : rules_.widenings)
    if (const auto at = not_widened(after); !at.at_end())
      if (const Time due = at->since + after; !next_widening_ || due < *next_widening_)
        next_widening_ = due;
}

std::uint32_t RuleMatcher::regions_at(const WaitingTicket& ticket, Time now) const {
  return regions_within(rules_, ticket, now) & open_;
}

/// True if it may be played elsewhere now.
bool RuleMatcher::change_regions(TicketPlace place, Time now) {
  if (rules_.regions == 0) return false;
  const std::uint32_t regions = regions_at(index_[place], now);
  if (regions == index_[place].regions) return false;
  index_.set_regions(place, regions);
  return true;
}

void RuleMatcher::open_regions(std::uint32_t regions, Time now) {
  if (regions == open_) return;
  open_ = regions;
  for (auto at = index_.by_age().begin(); !at.at_end(); ++at)
    if (change_regions(at->place, now)) to_try_.push_back(*at);
  to_try_sorted_ = false;
}

bool RuleMatcher::next_match(Time now, FoundMatch& out) {
  if (!to_try_sorted_) {
    std::sort(to_try_.begin(), to_try_.end(), std::greater<>{});
    to_try_.erase(std::unique(to_try_.begin(), to_try_.end()), to_try_.end());
    to_try_sorted_ = true;
  }
  while (!to_try_.empty()) {
    const TicketPlace place = to_try_.back().place;
    to_try_.pop_back();
    if (index_.find(place) && search_.find(index_, place, now, out)) return true;
  }
  return false;
}

std::uint32_t RuleMatcher::seats_in_reach(TicketPlace place, Time now,
                                          std::uint32_t seats_max) const {
  return search_.seats_in_reach(index_, place, now, seats_max);
}

}  // namespace muster::core
