#include "base/slot_map.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/id.h"
#include "base/prng.h"
#include "base/slot_mirror.h"

namespace muster {
namespace {

using ThingId = Id<struct ThingTag>;

TEST(SlotMap, AStaleIdMisses) {
  SlotMap<ThingId, int> map;
  const ThingId first = map.emplace(1);
  EXPECT_EQ(first, (ThingId{0, 1}));
  EXPECT_TRUE(map.erase(first));
  EXPECT_FALSE(map.erase(first));
  const ThingId second = map.emplace(2);
  EXPECT_EQ(second, (ThingId{0, 2}));
  EXPECT_EQ(map.find(first), nullptr);
  ASSERT_NE(map.find(second), nullptr);
  EXPECT_EQ(*map.find(second), 2);
  EXPECT_EQ(map.find(ThingId{}), nullptr);
  EXPECT_EQ(map.find(ThingId{7, 1}), nullptr);
}

TEST(SlotMap, APointerStaysGoodWhileOthersComeAndGo) {
  SlotMap<ThingId, std::string> map;
  const ThingId id = map.emplace("stays");
  const std::string* value = map.find(id);
  std::vector<ThingId> others;
  for (int i = 0; i < 10'000; ++i) others.push_back(map.emplace("goes"));
  for (const ThingId other : others) map.erase(other);
  EXPECT_EQ(map.find(id), value);
  EXPECT_EQ(*value, "stays");
}

TEST(SlotMap, IteratesInSlotOrderAndTheOneAtHandMayGo) {
  SlotMap<ThingId, int> map;
  for (int i = 0; i < 200; ++i) map.emplace(i);
  std::uint32_t slot = 0;
  map.for_each([&](ThingId id, int value) {
    EXPECT_EQ(id.slot, slot++);
    if (value % 2 == 0) map.erase(id);
  });
  EXPECT_EQ(slot, 200u);
  EXPECT_EQ(map.size(), 100u);
  map.for_each([](ThingId, int value) { EXPECT_EQ(value % 2, 1); });
}

TEST(SlotMap, TakesIdsIssuedElsewhere) {
  SlotMap<ThingId, int> map;
  ASSERT_NE(map.emplace_at({70, 5}, 1), nullptr);
  EXPECT_EQ(map.emplace_at({70, 5}, 2), nullptr) << "the slot is in use";
  EXPECT_EQ(map.emplace_at({70, 6}, 2), nullptr) << "whatever the generation";
  EXPECT_EQ(map.size(), 1u);
  std::set<std::uint32_t> slots{70};
  for (int i = 0; i < 70; ++i) EXPECT_TRUE(slots.insert(map.emplace(i).slot).second);
  EXPECT_EQ(*slots.rbegin(), 70u) << "the slots below are used before new ones are made";
  EXPECT_TRUE(map.erase({70, 5}));
  EXPECT_EQ(map.emplace(3), (ThingId{70, 6}));
}

TEST(SlotMap, NeverIssuesAnIdTwiceAlsoAfterAnOldOneCameBack) {
  SlotMap<ThingId, int> map;
  for (int i = 0; i < 5; ++i) map.erase(map.emplace(i));  // 0.1 to 0.5 have been issued.
  ASSERT_NE(map.emplace_at({0, 3}, 3), nullptr);
  EXPECT_TRUE(map.erase({0, 3}));
  EXPECT_EQ(map.emplace(6), (ThingId{0, 6}));
}

// Against the obvious: a std::map by id, and the set of all ids ever issued.
TEST(SlotMap, AgreesWithAMap) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    Prng prng(seed);
    SlotMap<ThingId, int> map;
    std::map<ThingId, int> model;
    std::set<ThingId> issued;
    const auto any_id = [&]() -> ThingId {
      if (issued.empty() || prng.chance_ppm(50'000)) return {prng.below(80), prng.below(4)};
      return *std::next(issued.begin(), prng.below(static_cast<std::uint32_t>(issued.size())));
    };
    for (int i = 0; i < 400; ++i) {
      switch (prng.below(4)) {
        case 0: {
          const ThingId id = map.emplace(i);
          EXPECT_TRUE(issued.insert(id).second) << to_string(id) << " was issued twice";
          model[id] = i;
          break;
        }
        case 1: {
          const ThingId id = any_id();
          EXPECT_EQ(map.erase(id), model.erase(id) == 1);
          break;
        }
        case 2: {
          const ThingId id = any_id();
          if (!id) break;
          bool in_use = false;
          for (const auto& [other, value] : model) in_use |= other.slot == id.slot;
          EXPECT_EQ(map.emplace_at(id, i) == nullptr, in_use);
          if (in_use) break;
          model[id] = i;
          issued.insert(id);
          break;
        }
        default: {
          const ThingId id = any_id();
          const int* found = map.find(id);
          EXPECT_EQ(found != nullptr, model.contains(id));
          if (found && model.contains(id)) {
            EXPECT_EQ(*found, model[id]);
          }
        }
      }
    }
    EXPECT_EQ(map.size(), model.size());
    auto it = model.begin();
    map.for_each([&](ThingId id, int value) {
      ASSERT_NE(it, model.end());
      EXPECT_EQ(std::pair(id, value), std::pair(it->first, it->second));
      ++it;
    });
  }
}

TEST(SlotMirror, HoldsWhatOthersIssue) {
  SlotMirror<ThingId, int> mirror;
  ASSERT_NE(mirror.emplace({5, 2}, 52), nullptr);
  EXPECT_EQ(mirror.emplace({5, 2}, 0), nullptr);
  EXPECT_EQ(mirror.emplace({5, 3}, 0), nullptr) << "one value to a slot";
  EXPECT_EQ(mirror.find({5, 1}), nullptr);
  EXPECT_EQ(mirror.find({4, 2}), nullptr);
  EXPECT_EQ(mirror.find({6, 2}), nullptr);
  EXPECT_EQ(mirror.find(ThingId{}), nullptr);
  EXPECT_EQ(*mirror.find({5, 2}), 52);
  EXPECT_FALSE(mirror.erase({5, 3}));
  EXPECT_TRUE(mirror.erase({5, 2}));
  EXPECT_EQ(mirror.size(), 0u);
  ASSERT_NE(mirror.emplace({5, 3}, 53), nullptr);
  ASSERT_NE(mirror.emplace({1, 9}, 19), nullptr);
  std::vector<ThingId> seen;
  mirror.for_each([&](ThingId id, int) { seen.push_back(id); });
  EXPECT_EQ(seen, (std::vector<ThingId>{{1, 9}, {5, 3}}));
  EXPECT_EQ(mirror.size(), 2u);
}

}  // namespace
}  // namespace muster
