#include "population/draw.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace muster::population {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(Draw, LogarithmsAndPowersAreThoseOfTheLibraryToFourDigits) {
  for (const std::uint64_t value : {1ull, 2ull, 3ull, 10ull, 1000ull, 123'456'789ull, 1ull << 63}) {
    const double want = std::log2(static_cast<double>(value)) * 65536;
    EXPECT_NEAR(static_cast<double>(log2_fixed(value)), want, 2) << value;
  }
  for (const std::int64_t exponent : {0, 1, 65535, 65536, -65536, -200'000, 300'000}) {
    const double want = 1e9 * std::exp2(static_cast<double>(exponent) / 65536);
    EXPECT_NEAR(static_cast<double>(exp2_fixed(1'000'000'000, exponent)), want, want * 1e-5 + 1);
  }
  EXPECT_EQ(exp2_fixed(1, 65536 * 70), std::int64_t{1} << 62) << "it ends somewhere";
  EXPECT_EQ(exp2_fixed(1000, -65536 * 70), 0);
}

TEST(Draw, WinChancesAreElos) {
  struct Row {
    std::int64_t difference;
    double want;
  };
  for (const Row& row : {Row{0, 0.5},
                         {100, 0.640065},
                         {200, 0.759747},
                         {400, 0.909091},
                         {800, 0.990099},
                         {100'000, 1.0}})
    EXPECT_NEAR(win_chance(row.difference) / 1e6, row.want, 1e-5) << row.difference;
  EXPECT_EQ(win_odds(0), 1u << 20);
  EXPECT_NEAR(win_odds(400), (1u << 20) / 10.0, 2);
  EXPECT_EQ(win_odds(1'000'000), 1u) << "nobody is without a chance";
}

TEST(Draw, ANormalHasItsMeanAndDeviation) {
  Stream stream(1);
  double sum = 0, squares = 0, within_one = 0;
  constexpr int draws = 200'000;
  for (int i = 0; i < draws; ++i) {
    const auto value = static_cast<double>(stream.normal(1500, 300));
    sum += value, squares += value * value;
    within_one += std::abs(value - 1500) <= 300;
  }
  const double mean = sum / draws;
  EXPECT_NEAR(mean, 1500, 3);
  EXPECT_NEAR(std::sqrt(squares / draws - mean * mean), 300, 3);
  EXPECT_NEAR(within_one / draws, 0.6827, 0.006);
}

TEST(Draw, AnExponentialHasItsMeanAndMedian) {
  Stream stream(2);
  double sum = 0, below = 0;
  constexpr int draws = 200'000;
  for (int i = 0; i < draws; ++i) {
    const Duration value = stream.exponential(seconds{10});
    sum += static_cast<double>(value.count()) / 1e9;
    below += value <= std::chrono::microseconds{6'931'472};
  }
  EXPECT_NEAR(sum / draws, 10, 0.1);
  EXPECT_NEAR(below / draws, 0.5, 0.006);
}

TEST(Draw, ASpreadHasItsMedianNinetiethPercentileAndMean) {
  const Spread spread{minutes{5}, minutes{15}};
  Stream stream(3);
  double sum = 0, below_median = 0, below_p90 = 0;
  constexpr int draws = 200'000;
  for (int i = 0; i < draws; ++i) {
    const Duration value = stream.spread(spread);
    sum += static_cast<double>(value.count()) / 1e9;
    below_median += value <= spread.median, below_p90 += value <= spread.p90;
  }
  EXPECT_NEAR(below_median / draws, 0.5, 0.006);
  EXPECT_NEAR(below_p90 / draws, 0.9, 0.006);
  const double mean = static_cast<double>(mean_of(spread).count()) / 1e9;
  EXPECT_NEAR(sum / draws, mean, mean * 0.02);
  EXPECT_EQ(stream.spread(Spread{seconds{7}, seconds{7}}), seconds{7})
      << "no spread, no difference";
  EXPECT_EQ(stream.spread(Spread{}), Duration::zero());
}

TEST(Draw, ACountIsAtLeastOne) {
  Stream stream(4);
  for (int i = 0; i < 1000; ++i) EXPECT_GE(stream.spread(CountSpread{1, 3}), 1u);
  EXPECT_EQ(stream.spread(CountSpread{5, 5}), 5u);
}

TEST(Draw, WeightsAreKept) {
  Stream stream(5);
  std::array<int, 4> seen{};
  for (int i = 0; i < 60'000; ++i)
    ++seen[stream.weighted(std::array<std::uint32_t, 4>{1, 0, 2, 3})];
  EXPECT_NEAR(seen[0], 10'000, 400);
  EXPECT_EQ(seen[1], 0);
  EXPECT_NEAR(seen[2], 20'000, 500);
}

/// Written down once: a change of any draw changes every simulated day, and shows here first.
TEST(Draw, TheFirstDrawsOfASeed) {
  Stream stream(7);
  EXPECT_EQ(stream.normal(), -44028);
  EXPECT_EQ(stream.exponential(seconds{1}).count(), 539'688'000);
  EXPECT_EQ(stream.spread(Spread{seconds{10}, seconds{20}}).count(), 9'678'670'000);
  EXPECT_EQ(seed_of(1, 2, 3), 15'020'427'595'393'229'491u);
}

}  // namespace
}  // namespace muster::population
