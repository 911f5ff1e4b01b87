#include "store/backup.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/core.h"
#include "store/database.h"
#include "store/journal.h"
#include "store/journal_reader.h"
#include "store/snapshot.h"
#include "store/test_folder.h"

namespace muster::store {
namespace {

core::Config config() {
  core::Config config;
  config.fleets.push_back({.name = "duel", .command = {"./duel"}, .ports = {7000, 7003}});
  config.queues.push_back({.name = "duel", .players = 2});
  return config;
}

constexpr Migration migrations[] = {{"things", "CREATE TABLE things(name TEXT)"}};

class BackupTest : public testing::Test {
 protected:
  BackupTest() {
    std::filesystem::create_directories(data());
    std::ofstream(data() + "/join.key") << "the key";
  }
  std::string data() const { return temp_.path + "/data"; }
  std::string copy() const { return temp_.path + "/copy"; }
  void snapshot(std::uint64_t number) {
    ASSERT_TRUE(write_snapshot(data() + "/journal", {.build = "test", .number = number},
                               core::Core(config()).state()));
  }
  std::unique_ptr<Journal> begin(std::uint64_t segment_bytes_max = 1 << 20) {
    auto journal = Journal::begin(
        {.folder = data() + "/journal", .build = "test", .segment_bytes_max = segment_bytes_max}, 1,
        Time{});
    EXPECT_TRUE(journal) << journal.error();
    return std::move(*journal);
  }
  static void turn(Journal& journal, std::uint64_t number) {
    journal.add(number, Time{}, core::SessionOpened{{static_cast<std::uint32_t>(number), 1}});
    ASSERT_TRUE(journal.commit());
  }
  static std::string text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  TempFolder temp_;
};

TEST_F(BackupTest, EverythingIsThereAndTheOwnersAlone) {
  const auto journal = begin();
  snapshot(0);
  for (std::uint64_t n = 1; n <= 5; ++n) turn(*journal, n);
  {
    auto accounts =
        Database::open(data() + "/accounts.db", migrations, std::chrono::milliseconds{100});
    ASSERT_TRUE(accounts) << accounts.error();
    Statement insert(*accounts, "INSERT INTO things VALUES('ann')");
    insert.step();
    // The lobby has it open, and its last write is only in the write-ahead log.
    const auto done = back_up(data(), copy());
    ASSERT_TRUE(done) << done.error();
    EXPECT_EQ(done->event, 5u);
    EXPECT_GT(done->journal_bytes, 0u);
    EXPECT_GT(done->accounts_bytes, 0u);
  }
  EXPECT_EQ(text(copy() + "/join.key"), "the key");
  auto accounts =
      Database::open(copy() + "/accounts.db", migrations, std::chrono::milliseconds{100});
  ASSERT_TRUE(accounts) << accounts.error();
  Statement select(*accounts, "SELECT name FROM things");
  select.step();
  EXPECT_EQ(select.text(0), "ann");
  const auto end = read_journal(copy() + "/journal", 0, [](auto&&...) { return true; });
  ASSERT_TRUE(end);
  EXPECT_EQ(end->number, 5u);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(copy())) {
    struct stat status{};
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 077, 0u) << entry.path();
  }
}

TEST_F(BackupTest, ATurnThatIsBeingWrittenIsLeftOut) {
  auto journal = begin();
  snapshot(0);
  turn(*journal, 1), turn(*journal, 2);
  const std::string segment = journal->path();
  journal.reset();
  std::filesystem::resize_file(segment, std::filesystem::file_size(segment) - 1);
  const auto done = back_up(data(), copy());
  ASSERT_TRUE(done) << done.error();
  EXPECT_EQ(done->event, 1u);
  const auto end = read_journal(copy() + "/journal", 0, [](auto&&...) { return true; });
  ASSERT_TRUE(end);
  EXPECT_FALSE(end->torn);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(copy()))
    EXPECT_NE(entry.path().extension(), ".torn") << entry.path();
}

// Segments fill, snapshots are made, and what is not needed any more is removed, all the time.
TEST_F(BackupTest, OfALobbyThatIsBusy) {
  const auto journal = begin(512);
  snapshot(0);
  turn(*journal, 1);
  std::atomic<bool> enough = false;
  std::atomic<std::uint64_t> written = 1;
  std::thread lobby([&] {
    for (std::uint64_t n = 2; !enough; ++n) {
      turn(*journal, n);
      written = n;
      if (n % 100 != 0) continue;
      snapshot(n);
      prune_journal(data() + "/journal", n, 1);
    }
  });
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t before = written;
    const std::string to = copy() + std::to_string(i);
    const auto done = back_up(data(), to);
    ASSERT_TRUE(done) << done.error();
    EXPECT_GE(done->event, before) << "what had happened before it began is in it";
    const auto snapshots = list_journal(to + "/journal", snapshot_suffix);
    ASSERT_TRUE(snapshots && snapshots->size() == 1);
    const auto end =
        read_journal(to + "/journal", snapshots->front().number, [](auto&&...) { return true; });
    ASSERT_TRUE(end) << to_string(end.error());
    EXPECT_EQ(end->number, done->event);
  }
  enough = true;
  lobby.join();
}

TEST_F(BackupTest, RefusalsSayWhatToDoAndLeaveNothing) {
  const auto refused = [&](const std::string& from, const std::string& to) {
    const auto done = back_up(from, to);
    EXPECT_FALSE(done);
    return done ? std::string() : done.error();
  };
  EXPECT_NE(refused(temp_.path + "/none", copy()).find("no lobby's data folder"),
            std::string::npos);
  std::filesystem::create_directories(copy());
  EXPECT_NE(refused(data(), copy()).find("is there already"), std::string::npos);
  std::filesystem::remove(copy());
  std::filesystem::create_directories(copy() + ".part");
  EXPECT_NE(refused(data(), copy()).find("copy.part is there"), std::string::npos);
  std::filesystem::remove(copy() + ".part");

  auto journal = begin();
  snapshot(0);
  for (std::uint64_t n = 1; n <= 3; ++n) turn(*journal, n);
  // Events 4 to 19 are gone.
  journal =
      std::move(*Journal::begin({.folder = data() + "/journal", .build = "test"}, 20, Time{}));
  const std::string why = refused(data(), copy());
  EXPECT_NE(why.find("its first event is 20, but 4 was to follow"), std::string::npos) << why;
  EXPECT_FALSE(std::filesystem::exists(copy()));
  EXPECT_FALSE(std::filesystem::exists(copy() + ".part"));
}

}  // namespace
}  // namespace muster::store
