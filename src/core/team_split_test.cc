#include "core/team_split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "base/prng.h"

namespace muster::core {
namespace {

using Sizes = std::vector<std::uint32_t>;

/// The smallest difference over every way to deal the tickets; nothing: there is no way.
std::optional<std::int64_t> best_by_trying_all(const std::vector<SplitTicket>& tickets,
                                               const Sizes& sizes) {
  std::optional<std::int64_t> best;
  std::vector<std::size_t> team(tickets.size());
  for (;;) {
    std::vector<std::int64_t> seats(sizes.size()), sums(sizes.size());
    for (std::size_t i = 0; i < tickets.size(); ++i) {
      seats[team[i]] += tickets[i].seats;
      sums[team[i]] += std::int64_t{tickets[i].rating} * tickets[i].seats;
    }
    bool fits = true;
    std::int64_t low = INT64_MAX, high = INT64_MIN;
    for (std::size_t t = 0; t < sizes.size(); ++t) {
      fits &= seats[t] <= sizes[t];
      if (seats[t] == 0) continue;
      low = std::min(low, sums[t] * 1000 / seats[t]);
      high = std::max(high, sums[t] * 1000 / seats[t]);
    }
    if (fits && (!best || high - low < *best)) best = high - low;
    std::size_t i = 0;
    while (i < team.size() && ++team[i] == sizes.size()) team[i++] = 0;
    if (i == team.size()) return best;
  }
}

bool split_teams(const std::vector<SplitTicket>& tickets, const Sizes& sizes, Split& split) {
  TeamPacking packing(sizes);
  for (const SplitTicket& ticket : tickets)
    if (!packing.push(ticket.seats)) return false;
  split.team = packing.teams();
  balance_teams(tickets, sizes, split);
  return true;
}

TEST(SplitTeams, AgreesWithTryingAll) {
  int packed = 0, refused = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    Prng prng(seed);
    Sizes sizes(1 + prng.below(3));
    for (std::uint32_t& size : sizes) size = 1 + prng.below(4);
    std::vector<SplitTicket> tickets(1 + prng.below(7));
    for (SplitTicket& ticket : tickets)
      ticket = {prng.below(3) == 0 ? 1 + prng.below(3) : 1, static_cast<Rating>(prng.below(3000))};
    const auto want = best_by_trying_all(tickets, sizes);
    Split split;
    ASSERT_EQ(split_teams(tickets, sizes, split), want.has_value());
    ++(want ? packed : refused);
    if (!want) continue;
    EXPECT_TRUE(split.optimal);
    EXPECT_EQ(split.difference, *want);
  }
  EXPECT_GT(packed, 100);
  EXPECT_GT(refused, 50);
}

TEST(SplitTeams, LargeOnesAreNearlyEven) {
  Prng prng(1);
  for (const std::uint32_t teams : {2u, 4u, 15u}) {
    SCOPED_TRACE(teams);
    const Sizes sizes(teams, 60 / teams);
    std::vector<SplitTicket> tickets(60);
    for (SplitTicket& ticket : tickets) ticket.rating = static_cast<Rating>(prng.below(1000));
    Split split;
    ASSERT_TRUE(split_teams(tickets, sizes, split));
    EXPECT_LT(split.difference, 20'000)
        << "20 of 1000 points, where dealing by chance has hundreds";
  }
}

TEST(TeamPacking, MovesOthersToMakeRoom) {
  const Sizes sizes{5, 5};
  TeamPacking packing(sizes);
  EXPECT_TRUE(packing.push(2));
  EXPECT_TRUE(packing.push(2));  // Beside the first, where there is least room.
  EXPECT_TRUE(packing.push(3));
  EXPECT_TRUE(packing.push(3)) << "the two go apart";
  EXPECT_FALSE(packing.push(1)) << "full";
  packing.pop();
  EXPECT_TRUE(packing.push(1));
  EXPECT_TRUE(packing.push(2));
  for (int i = 0; i < 5; ++i) packing.pop();
  EXPECT_TRUE(packing.push(5));
  EXPECT_FALSE(packing.push(6));
  EXPECT_TRUE(packing.push(5));
}

}  // namespace
}  // namespace muster::core
