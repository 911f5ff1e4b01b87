#include "population/histogram.h"

#include <gtest/gtest.h>

namespace muster::population {
namespace {

TEST(Histogram, PercentilesOfASmallCase) {
  Histogram h;
  for (const std::int64_t value : {4, 1, 3, 2}) h.add(value);
  EXPECT_EQ(h.count(), 4u);
  EXPECT_EQ(h.mean(), 2);
  EXPECT_EQ(h.percentile(0), 1);
  EXPECT_EQ(h.percentile(500), 2) << "of an even number the lower one";
  EXPECT_EQ(h.percentile(501), 3);
  EXPECT_EQ(h.percentile(900), 4);
  EXPECT_EQ(h.percentile(1000), 4);
  EXPECT_EQ(h.max(), 4);
  EXPECT_EQ(h.at_most(2), 2u);
  EXPECT_EQ(h.at_most(0), 0u);
  EXPECT_EQ(h.at_most(1000), 4u);
}

TEST(Histogram, NothingAdded) {
  const Histogram h;
  EXPECT_EQ(h.percentile(500), 0);
  EXPECT_EQ(h.mean(), 0);
  EXPECT_EQ(h.at_most(5), 0u);
}

TEST(Histogram, LargeValuesAreWithinAThirtySecond) {
  for (std::int64_t value = 1; value < std::int64_t{1} << 40; value = value * 7 / 5 + 1) {
    Histogram h;
    h.add(0), h.add(value), h.add(value * 4);
    const std::int64_t found = h.percentile(500);
    EXPECT_LE(std::abs(found - value), value / 32) << value;
  }
}

TEST(Histogram, OneValueIsExactHoweverLarge) {
  Histogram h;
  h.add(123'456'789, 5);
  EXPECT_EQ(h.percentile(500), 123'456'789);
  EXPECT_EQ(h.count(), 5u);
  EXPECT_EQ(h.mean(), 123'456'789);
}

TEST(Histogram, AddedTogetherIsAsIfAddedToOne) {
  Histogram a, b, both;
  for (std::int64_t i = 0; i < 1000; ++i) {
    (i % 3 == 0 ? a : b).add(i * i);
    both.add(i * i);
  }
  a.add(b);
  for (const std::uint32_t p : {0u, 100u, 500u, 900u, 990u, 1000u})
    EXPECT_EQ(a.percentile(p), both.percentile(p)) << p;
  EXPECT_EQ(a.count(), both.count());
  EXPECT_EQ(a.mean(), both.mean());
}

}  // namespace
}  // namespace muster::population
