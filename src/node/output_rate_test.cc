#include "node/output_rate.h"

#include <gtest/gtest.h>

namespace muster::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::int64_t chunk = 64 << 10;

TEST(OutputRate, ABurstIsKeptAndThenAMebibyteASecond) {
  OutputRate::Time now{};
  OutputRate rate(now);
  std::int64_t kept = 0;
  while (rate.keeps(chunk, now)) kept += chunk;
  EXPECT_EQ(kept, OutputRate::burst_bytes);
  EXPECT_TRUE(rate.flooded());
  EXPECT_FALSE(rate.keeps(1, now + milliseconds{1900})) << "not in scraps";
  now += seconds{2};
  EXPECT_TRUE(rate.keeps(chunk, now));
  EXPECT_FALSE(rate.flooded());

  kept = 0;
  for (int i = 0; i < 60'000; ++i) {  // A minute of 64 MB a second.
    now += milliseconds{1};
    if (rate.keeps(chunk, now)) kept += chunk;
  }
  EXPECT_NEAR(static_cast<double>(kept), 62.0 * OutputRate::bytes_per_second, 2 << 20);
}

TEST(OutputRate, WhoPrintsLittleLosesNothing) {
  OutputRate::Time now{};
  OutputRate rate(now);
  for (int i = 0; i < 100'000; ++i) {
    now += milliseconds{1};
    EXPECT_TRUE(rate.keeps(1000, now));
  }
}

TEST(OutputRate, SmallStepsOfTimeAddUp) {
  OutputRate::Time now{};
  OutputRate rate(now);
  while (rate.keeps(chunk, now)) continue;
  for (int i = 0; i < 3'000'000; ++i) {
    now += std::chrono::microseconds{1};
    if (rate.keeps(1, now)) break;
  }
  EXPECT_NEAR(std::chrono::duration<double>(now.time_since_epoch()).count(), 2.0, 0.1);
}

}  // namespace
}  // namespace muster::node
