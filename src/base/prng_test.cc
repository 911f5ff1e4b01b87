#include "base/prng.h"

#include <gtest/gtest.h>

#include <array>

namespace muster {
namespace {

// The published SplitMix64 sequences: a seed means the same wherever it is replayed.
TEST(Prng, ReferenceValues) {
  struct Row {
    std::uint64_t seed;
    std::array<std::uint64_t, 5> want;
  };
  const Row rows[] = {
      {0,
       {0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f, 0xf88bb8a8724c81ec,
        0x1b39896a51a8749b}},
      {1234567,
       {6457827717110365317u, 3203168211198807973u, 9817491932198370423u, 4593380528125082431u,
        16408922859458223821u}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.seed);
    Prng prng(row.seed);
    for (const std::uint64_t want : row.want) EXPECT_EQ(prng.next(), want);
  }
}

TEST(Prng, BelowStaysBelowAndReachesAll) {
  Prng prng(1);
  std::array<int, 7> hits{};
  for (int i = 0; i < 7000; ++i) ++hits.at(prng.below(7));
  for (const int n : hits) EXPECT_NEAR(n, 1000, 200);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(prng.below(1), 0u);
}

TEST(Prng, BetweenIncludesBothEnds) {
  Prng prng(2);
  bool low = false, high = false;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t value = prng.between(-2, 2);
    ASSERT_TRUE(value >= -2 && value <= 2) << value;
    low |= value == -2;
    high |= value == 2;
  }
  EXPECT_TRUE(low && high);
  EXPECT_EQ(prng.between(5, 5), 5);
  bool negative = false, positive = false;
  for (int i = 0; i < 100; ++i) {
    const std::int64_t value = prng.between(INT64_MIN, INT64_MAX);
    negative |= value < 0;
    positive |= value > 0;
  }
  EXPECT_TRUE(negative && positive);
}

TEST(Prng, ChanceIsPerMillion) {
  Prng prng(3);
  int hits = 0;
  for (int i = 0; i < 100'000; ++i) hits += prng.chance_ppm(250'000);
  EXPECT_NEAR(hits, 25'000, 1000);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(prng.chance_ppm(0));
    EXPECT_TRUE(prng.chance_ppm(1'000'000));
  }
}

}  // namespace
}  // namespace muster
