// The simulator's lobbies, with all they know, through what the journal's snapshots are made of.
#include <gtest/gtest.h>

#include "cli/sim_command.h"
#include "sim/crash_note.h"
#include "sim/world.h"

namespace muster::cli {
namespace {

TEST(SimRestart, ALobbyLoadedFromBytesKeepsEveryLaw) {
  sim::Report total;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    sim::World world{seed, {.through_bytes = through_bytes, .machines_lost = true}};
    const sim::CrashNote note{world};
    ASSERT_NO_THROW(world.run()) << "repeat it: muster sim --seed " << seed;
    total.add(world.report());
  }
  EXPECT_GT(total.marks[sim::Mark::lobby_returned], 5u);
  EXPECT_GT(total.marks[sim::Mark::machine_lost], 5u);
}

/// Histories of every kind of thing that the core remembers, saved and loaded at arbitrary points.
TEST(SimRestart, BytesMakeNoDifference) {
  sim::Report total;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    sim::World one{seed, {}};
    sim::World two{seed, {.through_bytes = through_bytes, .through_bytes_every = 7}};
    ASSERT_NO_THROW(one.run());
    ASSERT_NO_THROW(two.run());
    EXPECT_EQ(one.digest(), two.digest());
    total.add(two.report());
  }
  using enum sim::Mark;
  for (const sim::Mark mark : {named_port_taken, reserved_itself, allocated_itself, fleet_drained,
                               node_drained, server_drained, version_replaced, fleet_removed,
                               crash_loop_launch, fleet_asleep, resumed_playing, classic_reset})
    EXPECT_GT(total.marks[mark], 0u) << sim::to_string(mark) << " came by in none";
}

}  // namespace
}  // namespace muster::cli
