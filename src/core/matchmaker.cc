#include "core/matchmaker.h"

#include <algorithm>

namespace muster::core {
namespace {

struct Candidate {
  Time since;
  TicketId id;
  std::uint32_t seats;
  auto operator<=>(const Candidate&) const = default;
};

std::vector<Candidate> candidates_by_age(const Queue& queue, std::uint32_t players) {
  std::vector<Candidate> candidates;
  for (const auto& [seats, line] : queue.waiting) {
    std::uint32_t left = players / seats;
    for (auto it = line.begin(); it != line.end() && left > 0; ++it, --left)
      candidates.push_back({it->first, it->second, seats});
  }
  std::sort(candidates.begin(), candidates.end());
  return candidates;
}

}  // namespace

std::vector<TicketId> find_match(const Queue& queue, std::uint32_t players) {
  std::vector<TicketId> match;
  if (queue.seats_waiting < players) return match;

  if (queue.waiting.size() == 1 && queue.waiting.begin()->first == 1) {
    const WaitingLine& line = queue.waiting.begin()->second;
    for (auto it = line.begin(); match.size() < players; ++it) match.push_back(it->second);
    return match;
  }

  // Subset sum over the tickets in order of age. taken[n] is the candidate with which a sum of n
  // seats was first reached: the sum without it was reached by older ones.
  const std::vector<Candidate> candidates = candidates_by_age(queue, players);
  constexpr std::size_t not_reached = SIZE_MAX;
  std::vector<std::size_t> taken(players + 1, not_reached);
  taken[0] = 0;
  for (std::size_t i = 0; i < candidates.size() && taken[players] == not_reached; ++i) {
    const std::uint32_t seats = candidates[i].seats;
    for (std::uint32_t sum = players; sum >= seats; --sum)
      if (taken[sum] == not_reached && taken[sum - seats] != not_reached) taken[sum] = i;
  }
  if (taken[players] == not_reached) return match;
  for (std::uint32_t sum = players; sum > 0; sum -= candidates[taken[sum]].seats)
    match.push_back(candidates[taken[sum]].id);
  std::reverse(match.begin(), match.end());
  return match;
}

}  // namespace muster::core
