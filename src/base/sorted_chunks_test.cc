#include "base/sorted_chunks.h"

#include <gtest/gtest.h>

#include <set>

#include "base/prng.h"

namespace muster {
namespace {

TEST(SortedChunks, IsASet) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    Prng prng(seed);
    SortedChunks<int, 8> chunks;
    std::set<int> set;
    // Grows, shrinks to nothing, grows again: chunks are split, joined and dropped.
    for (int step = 0; step < 4000; ++step) {
      const int value = static_cast<int>(prng.below(400));
      const bool growing = step / 1000 % 2 == 0;
      if (prng.below(10) < (growing ? 8u : 1u))
        ASSERT_EQ(chunks.insert(value), set.insert(value).second);
      else
        ASSERT_EQ(chunks.erase(value), set.erase(value) == 1);
      ASSERT_EQ(chunks.size(), set.size());
      const int from = static_cast<int>(prng.below(420));
      auto it = set.lower_bound(from);
      auto cursor = chunks.lower_bound(from);
      for (; it != set.end(); ++it, ++cursor) {
        ASSERT_FALSE(cursor.at_end());
        ASSERT_EQ(*cursor, *it);
      }
      ASSERT_TRUE(cursor.at_end());
    }
  }
}

TEST(SortedChunks, FromTheBeginning) {
  SortedChunks<int, 8> chunks;
  EXPECT_TRUE(chunks.begin().at_end());
  for (int i = 0; i < 100; ++i) chunks.insert(i);
  int next = 0;
  for (auto cursor = chunks.begin(); !cursor.at_end(); ++cursor) EXPECT_EQ(*cursor, next++);
  EXPECT_EQ(next, 100);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(chunks.erase(i));
  EXPECT_TRUE(chunks.empty());
  EXPECT_TRUE(chunks.lower_bound(0).at_end());
}

}  // namespace
}  // namespace muster
