#include "server/process_use.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace muster::server {
namespace {

TEST(ProcessUse, OfThisOneAndOfNone) {
  const auto before = process_use(static_cast<std::uint32_t>(::getpid()));
  ASSERT_TRUE(before);
  EXPECT_GT(before->memory_bytes, 1u << 20);
  EXPECT_LT(before->memory_bytes, std::uint64_t{1} << 40);
  volatile unsigned work = 0;
  auto after = before;
  while (after->cpu_seconds < before->cpu_seconds + 0.05) {
    for (int i = 0; i < 1'000'000; ++i) work = work + 1;
    after = process_use(static_cast<std::uint32_t>(::getpid()));
    ASSERT_TRUE(after);
  }
  EXPECT_FALSE(process_use(0));
  EXPECT_FALSE(process_use(~0u));
}

}  // namespace
}  // namespace muster::server
