#include "base/timer_heap.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <tuple>

#include "base/prng.h"

namespace muster {
namespace {

Time at(std::int64_t ns) { return Time{Duration{ns}}; }

TEST(TimerHeap, EqualTimesComeInTheOrderTheyWereSet) {
  TimerHeap<int> heap;
  TimerId a, b, c;
  heap.set(a, at(5), 1);
  heap.set(b, at(5), 2);
  heap.set(c, at(4), 3);
  heap.set(a, at(5), 4);  // Moved to where it was: it is the last set now.
  EXPECT_EQ(heap.next(), at(4));
  EXPECT_EQ(heap.take_due(at(3)), std::nullopt);
  EXPECT_EQ(heap.take_due(at(5)), 3);
  EXPECT_EQ(heap.take_due(at(5)), 2);
  EXPECT_EQ(heap.take_due(at(5)), 4);
  EXPECT_EQ(heap.take_due(at(5)), std::nullopt);
  EXPECT_FALSE(a || b || c) << "a timer that went off is none";
  EXPECT_EQ(heap.next(), std::nullopt);
}

TEST(TimerHeap, CancellingTwiceIsOnce) {
  TimerHeap<int> heap;
  TimerId timer;
  heap.cancel(timer);
  heap.set(timer, at(1), 1);
  EXPECT_TRUE(timer);
  heap.cancel(timer);
  heap.cancel(timer);
  EXPECT_FALSE(timer);
  EXPECT_EQ(heap.size(), 0u);
}

// Against the obvious: a list, sorted by time and then by when it was set.
TEST(TimerHeap, AgreesWithASortedList) {
  struct Entry {
    Time at;
    int sequence;
    std::size_t owner;
  };
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    Prng prng(seed);
    TimerHeap<std::size_t> heap;
    std::deque<TimerId> timers(40);
    std::vector<Entry> model;
    const auto forget = [&](std::size_t owner) {
      std::erase_if(model, [&](const Entry& e) { return e.owner == owner; });
    };
    Time now{};
    for (int i = 0; i < 2000; ++i) {
      const std::size_t owner = prng.below(40);
      switch (prng.below(4)) {
        case 0:
        case 1: {
          const Time when = now + Duration{prng.below(20)};
          heap.set(timers[owner], when, owner);
          forget(owner);
          model.push_back({when, i, owner});
          break;
        }
        case 2:
          heap.cancel(timers[owner]);
          forget(owner);
          break;
        default:
          now += Duration{prng.below(6)};
          std::sort(model.begin(), model.end(), [](const Entry& x, const Entry& y) {
            return std::tie(x.at, x.sequence) < std::tie(y.at, y.sequence);
          });
          while (!model.empty() && model.front().at <= now) {
            ASSERT_EQ(heap.next(), model.front().at);
            ASSERT_EQ(heap.take_due(now), model.front().owner);
            ASSERT_FALSE(timers[model.front().owner]);
            model.erase(model.begin());
          }
          ASSERT_EQ(heap.take_due(now), std::nullopt);
      }
      ASSERT_EQ(heap.size(), model.size());
    }
  }
}

}  // namespace
}  // namespace muster
