#include "sim/world.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <string>

#include "sim/crash_note.h"
#include "sim/shrink.h"

namespace muster::sim {
namespace {

constexpr std::uint64_t seeds_all = 200;

TEST(World, EveryLawHoldsOnEverySeedAndEveryRarePathIsTaken) {
  const char* only = std::getenv("SIM_SEED");
  const std::uint64_t first = only ? std::strtoull(only, nullptr, 10) : 1;
  const std::uint64_t last = only ? first : seeds_all;
  Report total;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    World world{seed, {}};
    const CrashNote note{world};
    ASSERT_NO_THROW(world.run()) << "repeat it: SIM_SEED=" << seed;
    total.add(world.report());
  }
  if (only) return;
  for (std::size_t i = 0; i < mark_count; ++i) {
    const Mark mark{static_cast<std::uint8_t>(i)};
    if (mark == Mark::machine_lost) continue;  // Needs a codec: cli/sim_restart_test has one.
    EXPECT_GT(total.marks[mark], 0u) << "no seed took the path " << to_string(mark);
  }
  EXPECT_GT(total.assigned, 1000u);
}

TEST(World, TheSameSeedHasTheSameHistory) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world{seed, {}};
    world.run();
    const auto again = world.replay();
    again->run();
    EXPECT_EQ(world.digest(), again->digest()) << "seed " << seed;
  }
}

TEST(World, AnotherSeedHasAnotherHistory) {
  World one{1, {}}, two{2, {}};
  one.run(), two.run();
  EXPECT_NE(one.digest(), two.digest());
}

/// A simulator that has stopped checking is noticed by this one.
TEST(World, ACanaryThatLosesAnAssignmentIsCaught) {
  std::uint32_t caught = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world{seed, {.canary_drops_assignment = 3}};
    try {
      world.run();
    } catch (const LawBroken& broken) {
      const std::string text = broken.what();
      EXPECT_NE(text.find("an assigned player is told so"), std::string::npos) << text;
      EXPECT_NE(text.find("repeat it: muster sim --seed " + std::to_string(seed)),
                std::string::npos);
      ++caught;
    }
  }
  EXPECT_GE(caught, 5u) << "some seeds have only classic fleets, but not so many";
}

/// The canary needs no fault at all, and few minutes and people.
TEST(World, ARunThatFailsIsShrunk) {
  const WorldOptions options{.minutes = 10, .canary_drops_assignment = 3};
  std::optional<Shrunk> shrunk;
  std::uint64_t seed = 0;
  while (!shrunk && seed < 10) shrunk = shrink(++seed, options);
  ASSERT_TRUE(shrunk);
  EXPECT_NE(shrunk->failure.find("an assigned player is told so"), std::string::npos);
  EXPECT_LT(shrunk->options.minutes, options.minutes);
  const World whole{seed, options}, least{seed, shrunk->options};
  EXPECT_LT(least.setting().crowd.people, whole.setting().crowd.people);
  std::size_t rates = 0, rates_left = 0;  // Without some, another assignment is the third.
  for (const NamedRate& named : named_rates()) {
    rates += whole.setting().faults.rates.*named.rate > 0;
    rates_left += least.setting().faults.rates.*named.rate > 0;
  }
  EXPECT_LT(rates_left, rates / 2);
  for (const NamedInterval& named : named_intervals())
    EXPECT_EQ(least.setting().faults.intervals.*named.interval, Duration::zero()) << named.name;
  try {
    World{seed, shrunk->options}.run();
    ADD_FAILURE() << "the shrunk run does not fail";
  } catch (const LawBroken& broken) {
    EXPECT_NE(std::string(broken.what()).find(command_of(seed, shrunk->options)),
              std::string::npos);
  }
}

TEST(World, ARunThatDoesNotFailIsNotShrunk) { EXPECT_FALSE(shrink(1, {.minutes = 1})); }

}  // namespace
}  // namespace muster::sim
