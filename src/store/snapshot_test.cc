#include "store/snapshot.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/core.h"
#include "store/journal.h"
#include "store/test_folder.h"

namespace muster::store {
namespace {

core::State state_of(std::uint16_t first_port) {
  core::Config config;
  config.fleets.push_back(
      {.name = "duel", .command = {"./duel"}, .ports = {first_port, first_port}});
  config.queues.push_back({.name = "duel"});
  return core::State(config);
}

class SnapshotTest : public testing::Test {
 protected:
  std::string path(std::uint64_t number) const {
    return temp_.path + "/" + journal_file_name(number, snapshot_suffix);
  }
  void write(std::uint64_t number) {
    const auto written = write_snapshot(temp_.path, {.build = "b", .number = number},
                                        state_of(static_cast<std::uint16_t>(7000 + number)));
    ASSERT_TRUE(written) << written.error();
  }
  TempFolder temp_;
};

TEST_F(SnapshotTest, TheNewestWholeOneIsTaken) {
  std::vector<std::string> passed_over;
  EXPECT_FALSE(newest_snapshot(temp_.path, passed_over)->has_value());
  write(5), write(20);
  auto newest = newest_snapshot(temp_.path, passed_over);
  ASSERT_TRUE(newest && *newest);
  EXPECT_EQ((*newest)->header.number, 20u);
  EXPECT_EQ((*newest)->state->config.fleets[0].ports.first, 7020);
  EXPECT_TRUE(passed_over.empty());

  std::filesystem::resize_file(path(20), std::filesystem::file_size(path(20)) - 1);
  newest = newest_snapshot(temp_.path, passed_over);
  ASSERT_TRUE(newest && *newest);
  EXPECT_EQ((*newest)->header.number, 5u);
  ASSERT_EQ(passed_over.size(), 1u);
  EXPECT_NE(passed_over[0].find(path(20)), std::string::npos);

  std::filesystem::resize_file(path(5), 3);
  EXPECT_FALSE(newest_snapshot(temp_.path, passed_over)) << "which is not the same as none";
}

TEST_F(SnapshotTest, EveryFlippedBitIsNoticed) {
  write(1);
  const std::string whole = read_whole(path(1)).value();
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    std::ofstream(path(1), std::ios::binary) << bytes;
    EXPECT_FALSE(load_snapshot(path(1))) << "byte " << at;
  }
}

TEST_F(SnapshotTest, AForkedOneHasTheStateOfItsMoment) {
  core::State state = state_of(7001);
  const auto process = fork_snapshot(temp_.path, {.number = 3}, state);
  state.config.fleets[0].name = "later";
  ASSERT_TRUE(process) << process.error();
  pollfd ended{process->pidfd, POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 60'000), 1);
  int status = -1;
  ASSERT_EQ(::waitpid(process->pid, &status, 0), process->pid);
  ::close(process->pidfd);
  EXPECT_EQ(status, 0);
  const auto loaded = load_snapshot(path(3));
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(loaded->state->config.fleets[0].name, "duel");
}

TEST_F(SnapshotTest, OneThatCannotBeWrittenLeavesNothing) {
  const std::string missing = temp_.path + "/missing";
  const auto written = write_snapshot(missing, {.number = 1}, state_of(7001));
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().find(missing), std::string::npos);
}

}  // namespace
}  // namespace muster::store
