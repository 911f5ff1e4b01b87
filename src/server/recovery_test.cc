#include "server/recovery.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "store/journal.h"
#include "store/snapshot.h"
#include "store/test_folder.h"

namespace muster::server {
namespace {

using namespace std::chrono_literals;

core::Config config() {
  core::Config config;
  config.fleets.push_back({.name = "duel", .command = {"./duel"}, .ports = {7000, 7003}});
  config.queues.push_back({.name = "duel", .players = 2});
  return config;
}

/// A lobby without a loop: it steps, and its journal has what it stepped.
class RecoveryTest : public testing::Test {
 protected:
  std::string folder() const { return temp_.path + "/journal"; }
  std::expected<Recovered, std::string> recovered() const { return recover(folder(), config()); }
  void snapshot() {
    ASSERT_TRUE(store::write_snapshot(
        folder(), {.build = "test", .number = number_, .time = now_, .digest = core_.digest()},
        core_.state()));
  }
  void begin() {
    auto journal = store::Journal::begin({.folder = folder(), .build = "test"}, number_ + 1, now_);
    ASSERT_TRUE(journal) << journal.error();
    journal_ = std::move(*journal);
  }
  void turn(const std::vector<core::Event>& events, std::uint64_t wrong_by = 0) {
    now_ += 1ms;
    core::Effects effects;
    for (const core::Event& event : events) {
      journal_->add(++number_, now_, event);
      core_.step(event, now_, effects);
    }
    ASSERT_TRUE(journal_->commit(core_.digest() + wrong_by));
  }
  void a_player(std::uint32_t slot) {
    turn({core::SessionOpened{{slot, 1}},
          core::Hello{{slot, 1}, 1, "player" + std::to_string(slot), {}},
          core::StartMatch{{slot, 1}, 2, "duel", 1, {}}});
  }

  store::TempFolder temp_;
  core::Core core_{config()};
  std::uint64_t number_ = 0;
  Time now_{};
  std::unique_ptr<store::Journal> journal_;
};

TEST_F(RecoveryTest, AFolderThatIsNotThereIsANewLobby) {
  const auto found = recovered();
  ASSERT_TRUE(found) << found.error();
  EXPECT_EQ(found->number, 0u);
  EXPECT_EQ(found->core.digest(), core_.digest());
}

TEST_F(RecoveryTest, TheSnapshotAndThenTheRestLeadToTheSameState) {
  begin();
  snapshot();
  turn({core::NodeConnected{{0, 1}, "n", "127.0.0.1", {}}});
  a_player(0);
  snapshot();
  a_player(1);
  turn({core::ServerReady{{0, 1}}, core::NodeReported{{0, 1}, 5}});
  journal_.reset();
  const auto found = recovered();
  ASSERT_TRUE(found) << found.error();
  EXPECT_EQ(found->core.digest(), core_.digest());
  EXPECT_EQ(found->number, number_);
  EXPECT_EQ(found->time, now_);
  EXPECT_EQ(found->events, 5u);
  EXPECT_EQ(found->turns_compared, 2u);
  EXPECT_TRUE(found->notes.empty());
}

TEST_F(RecoveryTest, AnotherStateThanItWasStopsTheStartAndSaysAfterWhichEvent) {
  begin();
  snapshot();
  a_player(0);
  turn({core::SessionOpened{{5, 1}}}, 1);
  turn({core::SessionOpened{{6, 1}}});
  journal_.reset();
  const auto found = recovered();
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().find("event 4 led to another state"), std::string::npos) << found.error();
}

TEST_F(RecoveryTest, ATornTurnIsCutAndSaid) {
  begin();
  snapshot();
  a_player(0);
  const std::uint64_t digest = core_.digest();
  a_player(1);
  const std::string path = journal_->path();
  journal_.reset();
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  for (const bool again : {false, true}) {
    const auto found = recovered();
    ASSERT_TRUE(found) << found.error();
    EXPECT_EQ(found->number, 3u) << "all of a turn or nothing";
    EXPECT_EQ(found->core.digest(), digest);
    EXPECT_EQ(found->notes.size(), again ? 0u : 1u);
  }
}

TEST_F(RecoveryTest, EventsWithoutASnapshotBeforeThemAreNotGuessedAt) {
  begin();
  a_player(0);
  journal_.reset();
  const auto found = recovered();
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().find("no snapshot to begin with"), std::string::npos) << found.error();
}

}  // namespace
}  // namespace muster::server
