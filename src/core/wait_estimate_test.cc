#include "core/wait_estimate.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

const WaitNeighbourhood here{"eu", 1, 6};

TEST(Waits, TooFewSayNothing) {
  Waits waits;
  for (std::size_t i = 1; i <= Waits::waits_min; ++i) {
    EXPECT_EQ(waits.estimate(here, Time{}), std::nullopt);
    waits.add(here, {Time{}, seconds{i}});
  }
  EXPECT_EQ(waits.estimate(here, Time{}), (WaitEstimate{seconds{4}, seconds{2}, seconds{6}}));
}

TEST(Waits, NeighboursAreThoseOfTheSameSizeRegionAndBand) {
  Waits waits;
  for (int i = 0; i < 20; ++i) waits.add(here, {Time{}, seconds{3}});
  EXPECT_TRUE(waits.estimate(here, Time{}));
  EXPECT_FALSE(waits.estimate({"us", 1, 6}, Time{}));
  EXPECT_FALSE(waits.estimate({"eu", 2, 6}, Time{}));
  EXPECT_FALSE(waits.estimate({"eu", 1, 7}, Time{}));
}

TEST(Waits, BandsAreOfOneWidthOnBothSidesOfZero) {
  struct Row {
    Rating rating;
    std::int32_t band;
  };
  for (const Row& row : {Row{0, 0}, Row{249, 0}, Row{250, 1}, Row{-1, -1}, Row{-250, -1},
                         Row{-251, -2}, Row{1500, 6}})
    EXPECT_EQ(band_of(row.rating), row.band) << row.rating;
}

TEST(Waits, TheLastOnesCountAndNoneAnHourOld) {
  Waits waits;
  for (int i = 0; i < 40; ++i) waits.add(here, {Time{}, seconds{100}});
  for (std::size_t i = 0; i < Waits::waits_max; ++i)
    waits.add(here, {Time{seconds{9}}, seconds{5}});
  EXPECT_EQ(waits.estimate(here, Time{hours{1}})->high, seconds{5});
  EXPECT_FALSE(waits.estimate(here, Time{hours{1} + seconds{10}}));
}

TEST(Waits, ANewNeighbourhoodTakesTheRoomOfTheOneThatWasQuietForLongest) {
  Waits waits;
  for (std::size_t place = 0; place <= Waits::neighbourhoods_max; ++place)
    for (std::size_t i = 0; i < Waits::waits_min; ++i)
      waits.add({"", 1, static_cast<std::int32_t>(place)}, {Time{seconds{place}}, seconds{1}});
  EXPECT_FALSE(waits.estimate({"", 1, 0}, Time{}));
  for (std::size_t place = 1; place <= Waits::neighbourhoods_max; ++place)
    EXPECT_TRUE(waits.estimate({"", 1, static_cast<std::int32_t>(place)}, Time{seconds{300}}));
}

}  // namespace
}  // namespace muster::core
