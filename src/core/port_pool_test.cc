#include "core/port_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "base/prng.h"

namespace muster::core {
namespace {

constexpr Time start{};

TEST(PortPool, GivesTheOneUnusedForLongest) {
  PortPool pool({7000, 7002});
  EXPECT_EQ(pool.acquire(start), 7000);
  pool.release(7000);
  EXPECT_EQ(pool.acquire(start), 7001) << "7000 was just used";
  EXPECT_EQ(pool.acquire(start), 7002);
  EXPECT_EQ(pool.acquire(start), 7000);
  EXPECT_EQ(pool.acquire(start), std::nullopt);
  pool.release(7002);
  pool.release(7000);
  EXPECT_EQ(pool.acquire(start), 7002);
}

TEST(PortPool, APortSetAsideComesBackInItsTime) {
  PortPool pool({7000, 7001});
  EXPECT_EQ(pool.next_return(), std::nullopt);
  pool.acquire(start);
  pool.acquire(start);
  pool.set_aside(7001, start + seconds{10});
  pool.set_aside(7000, start + seconds{20});
  EXPECT_EQ(pool.next_return(), start + seconds{10});
  EXPECT_EQ(pool.acquire(start + seconds{10} - Duration{1}), std::nullopt);
  EXPECT_EQ(pool.acquire(start + seconds{10}), 7001);
  EXPECT_EQ(pool.acquire(start + seconds{10}), std::nullopt);
  EXPECT_EQ(pool.next_return(), start + seconds{20});
}

TEST(PortPool, TakesOneInParticular) {
  PortPool pool({7000, 7002});
  EXPECT_TRUE(pool.acquire_exactly(7001));
  EXPECT_FALSE(pool.acquire_exactly(7001)) << "in use";
  EXPECT_FALSE(pool.acquire_exactly(6999));
  EXPECT_FALSE(pool.acquire_exactly(7003));
  EXPECT_EQ(pool.acquire(start), 7000);
  EXPECT_EQ(pool.acquire(start), 7002);
  pool.set_aside(7000, start + seconds{1});
  EXPECT_TRUE(pool.acquire_exactly(7000)) << "who is there has it, whoever was before";
  EXPECT_EQ(pool.next_return(), std::nullopt);
}

TEST(PortPool, HoldsTheWholeRange) {
  PortPool pool({65535, 65535});
  EXPECT_EQ(pool.acquire(start), 65535);
  EXPECT_EQ(PortPool({1, 65535}).free_count(), 65535u);
}

// No port is given out twice, and none is lost, whatever happens.
TEST(PortPool, EveryPortIsInOnePlace) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Prng prng(seed);
    PortPool pool({100, 115});
    std::set<std::uint16_t> used;
    Time now = start;
    for (int i = 0; i < 2000; ++i) {
      now += milliseconds{prng.below(100)};
      const auto port = static_cast<std::uint16_t>(99 + prng.below(18));
      switch (prng.below(4)) {
        case 0:
          if (const auto taken = pool.acquire(now)) {
            EXPECT_TRUE(used.insert(*taken).second);
          }
          break;
        case 1: {
          const bool valid = port >= 100 && port <= 115;
          EXPECT_EQ(pool.acquire_exactly(port), valid && !used.contains(port));
          if (valid) used.insert(port);
          break;
        }
        case 2:
          if (used.erase(port)) pool.release(port);
          break;
        default:
          if (used.erase(port)) pool.set_aside(port, now + milliseconds{prng.below(500)});
      }
      ASSERT_EQ(pool.free_count() + pool.aside().size() + used.size(), 16u);
    }
  }
}

}  // namespace
}  // namespace muster::core
