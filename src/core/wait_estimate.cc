#include "core/wait_estimate.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "core/rule_matcher.h"
#include "core/state.h"

namespace muster::core {

void Waits::add(const WaitNeighbourhood& where, MatchedWait wait) {
  if (by_place_.size() >= neighbourhoods_max && !by_place_.contains(where))
    by_place_.erase(std::min_element(
        by_place_.begin(), by_place_.end(),
        [](const auto& a, const auto& b) { return a.second.back().at < b.second.back().at; }));
  std::deque<MatchedWait>& waits = by_place_[where];
  waits.push_back(wait);
  while (waits.size() > waits_max) waits.pop_front();
}

std::optional<WaitEstimate> Waits::estimate(const WaitNeighbourhood& where, Time now) const {
  const auto found = by_place_.find(where);
  if (found == by_place_.end()) return std::nullopt;
  std::array<Duration, waits_max> recent{};
  std::size_t count = 0;
  for (const MatchedWait& wait : found->second)
    if (count < waits_max && now - wait.at <= age_max) recent[count++] = wait.waited;
  if (count < waits_min) return std::nullopt;
  std::sort(recent.begin(), recent.begin() + static_cast<std::ptrdiff_t>(count));
  return WaitEstimate{recent[(count - 1) / 2], recent[(count - 1) / 4],
                      recent[(count - 1) * 3 / 4]};
}

WaitNeighbourhood neighbourhood_of(const State& state, const Ticket& ticket) {
  WaitNeighbourhood where{{}, ticket.seats, 0};
  const RuleMatcher* const matcher = state.queues[ticket.queue].matcher.get();
  if (!matcher) return where;
  const WaitingTicket* const waiting = matcher->find(ticket.place);
  CHECK(waiting, "a queued ticket stands in its line");
  if (matcher->rules().rating_limited) where.band = band_of(waiting->rating);
  const auto& regions = state.config.queues[ticket.queue].region;
  const auto nearest = std::min_element(waiting->latency.begin(), waiting->latency.end());
  if (nearest != waiting->latency.end())
    where.region = regions[static_cast<std::size_t>(nearest - waiting->latency.begin())].name;
  return where;
}

std::optional<WaitEstimate> estimate_wait(const State& state, const Ticket& ticket) {
  if (ticket.state != TicketState::queued || ticket.held) return std::nullopt;
  return state.queues[ticket.queue].waits.estimate(neighbourhood_of(state, ticket), state.now);
}

}  // namespace muster::core
