#include "core/matchmaker.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/prng.h"

namespace muster::core {
namespace {

struct Waiting {
  Time since;
  TicketId id;
  std::uint32_t seats;
};

void add(Queue& queue, const Waiting& w) {
  queue.waiting[w.seats].emplace(w.since, w.id);
  queue.seats_waiting += w.seats;
}

/// Seats of tickets in order of age; the match as their positions.
std::vector<std::uint32_t> match_of(std::vector<std::uint32_t> seats, std::uint32_t players) {
  Queue queue;
  for (std::uint32_t i = 0; i < seats.size(); ++i) add(queue, {Time{seconds{i}}, {i, 1}, seats[i]});
  std::vector<std::uint32_t> match;
  for (const TicketId id : find_match(queue, players)) match.push_back(id.slot);
  return match;
}

TEST(FindMatch, OldestFirstAndExactlyFull) {
  using List = std::vector<std::uint32_t>;
  struct Row {
    const char* name;
    List seats;
    std::uint32_t players;
    List want;
  };
  const Row rows[] = {
      {"nobody", {}, 2, {}},
      {"one is not two", {1}, 2, {}},
      {"the two oldest", {1, 1, 1}, 2, {0, 1}},
      {"a match of one", {1, 1}, 1, {0}},
      {"one ticket fills it", {1, 2, 1}, 2, {1}},
      {"3+3 are no five", {3, 3}, 5, {}},
      {"a younger one makes it, for the oldest that it can", {3, 3, 2}, 5, {0, 2}},
      {"a later pair does not wait for an older one that fits nobody", {4, 3, 3, 2}, 5, {1, 3}},
      {"as early as possible comes before as old as possible", {1, 4, 4, 3, 1}, 5, {0, 1}},
      {"the oldest of a size", {2, 2, 2, 1}, 5, {0, 1, 3}},
      {"big and small", {1, 1, 1, 4, 1}, 4, {3}},
      {"by age, whatever the size", {1, 2, 1, 1}, 4, {0, 1, 2}},
      {"more than enough seats, but no sum", {2, 2, 2, 2}, 3, {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(match_of(row.seats, row.players), row.want);
  }
}

/// All subsets, the obvious way. Of those that are exactly full, the one whose youngest ticket is
/// oldest; of those, whose second youngest is oldest, and so on.
std::vector<TicketId> best_by_trying_all(std::vector<Waiting> all, std::uint32_t players) {
  std::sort(all.begin(), all.end(), [](const Waiting& a, const Waiting& b) {
    return std::pair(a.since, a.id) < std::pair(b.since, b.id);
  });
  std::optional<std::uint32_t> best;  // As a set of bits; the younger, the higher.
  for (std::uint32_t set = 1; set < 1u << all.size(); ++set) {
    std::uint32_t seats = 0;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (set >> i & 1) seats += all[i].seats;
    if (seats == players && (!best || set < *best)) best = set;
  }
  std::vector<TicketId> ids;
  for (std::size_t i = 0; best && i < all.size(); ++i)
    if (*best >> i & 1) ids.push_back(all[i].id);
  return ids;
}

TEST(FindMatch, AgreesWithTryingAll) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    SCOPED_TRACE(seed);
    Prng prng(seed);
    const std::uint32_t players = 1 + prng.below(9);
    const std::uint32_t seats_max = 1 + prng.below(players);
    std::vector<Waiting> all;
    Queue queue;
    const std::uint32_t tickets = prng.below(11);
    for (std::uint32_t i = 0; i < tickets; ++i) {
      // Equal times happen; slots are not in order of age.
      const Waiting w{Time{seconds{prng.below(6)}},
                      {(i * 7) % 11, 1 + prng.below(3)},
                      1 + prng.below(seats_max)};
      all.push_back(w);
      add(queue, w);
    }
    const auto want = best_by_trying_all(all, players);
    ASSERT_EQ(find_match(queue, players), want);
    found += !want.empty();
  }
  EXPECT_GT(found, 1000) << "a test that finds nothing tests nothing";
}

}  // namespace
}  // namespace muster::core
