#include "store/journal.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "store/journal_reader.h"
#include "store/test_folder.h"

namespace muster::store {
namespace {

using namespace std::chrono_literals;

core::Event hello(std::uint32_t n) {
  return core::Hello{{n, 1}, n, "player" + std::to_string(n), {}};
}
Time at(std::uint64_t number) { return Time{std::chrono::milliseconds{number}}; }

struct Read {
  std::uint64_t number;
  Time time;
  std::string name;
  bool operator==(const Read&) const = default;
};

class JournalTest : public testing::Test {
 protected:
  std::string folder() const { return temp_.path + "/journal"; }
  JournalOptions options() const {
    return {.folder = folder(), .build = "test", .config_digest = 7, .sync_interval = interval_};
  }
  std::unique_ptr<Journal> begin(std::uint64_t first = 1) {
    auto journal = Journal::begin(options(), first, at(first));
    EXPECT_TRUE(journal) << journal.error();
    return std::move(*journal);
  }
  /// Turns of one event each.
  void write(Journal& journal, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t n = first; n <= last; ++n) {
      journal.add(n, at(n), hello(static_cast<std::uint32_t>(n)));
      ASSERT_TRUE(journal.commit());
    }
  }
  std::expected<JournalEnd, JournalDamage> read(std::uint64_t after = 0,
                                                std::uint64_t until = UINT64_MAX) {
    read_.clear();
    return read_journal(folder(), after, [&](std::uint64_t number, Time time, core::Event&& event) {
      read_.push_back({number, time, std::get<core::Hello>(event).name});
      return number < until;
    });
  }
  void expect_read(std::uint64_t first, std::uint64_t last) {
    ASSERT_EQ(read_.size(), last + 1 - first);
    for (std::uint64_t n = first; n <= last; ++n)
      EXPECT_EQ(read_[n - first], (Read{n, at(n), "player" + std::to_string(n)}));
  }
  std::string segment(std::uint64_t number) const {
    return folder() + "/" + journal_file_name(number, segment_suffix);
  }
  static std::string load(const std::string& path) { return read_whole(path).value(); }
  static void save(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::chrono::milliseconds interval_{1000};
  TempFolder temp_;
  std::vector<Read> read_;
};

TEST_F(JournalTest, WhatIsCommittedIsRead) {
  {
    const auto journal = begin();
    write(*journal, 1, 20);
    journal->add(21, at(21), hello(21));
    journal->add(22, at(21), hello(22));
    ASSERT_TRUE(journal->commit());
    journal->add(23, at(23), hello(23));  // Not committed: its effects have not left.
    EXPECT_EQ(journal->next_number(), 23u);
  }
  const auto end = read();
  ASSERT_TRUE(end) << to_string(end.error());
  ASSERT_EQ(read_.size(), 22u);
  EXPECT_EQ(read_.back(), (Read{22, at(21), "player22"}));
  EXPECT_EQ(end->number, 22u);
  EXPECT_EQ(end->records, 21u);
  EXPECT_EQ(end->config_digest, 7u);
  EXPECT_EQ(end->build, "test");
  EXPECT_FALSE(end->torn);
}

TEST_F(JournalTest, SegmentsFollowEachOther) {
  {
    const auto journal = begin();
    write(*journal, 1, 10);
    ASSERT_TRUE(journal->roll(at(10)));
    write(*journal, 11, 15);
  }
  {
    const auto journal = begin(16);  // The next life of the lobby.
    write(*journal, 16, 20);
  }
  for (const std::uint64_t after : {0, 5, 10, 11, 15, 19, 20}) {
    SCOPED_TRACE(after);
    const auto end = read(after);
    ASSERT_TRUE(end) << to_string(end.error());
    expect_read(after + 1, 20);
    EXPECT_EQ(end->number, 20u);
  }
  ASSERT_TRUE(read(0, 12));
  expect_read(1, 12);
}

TEST_F(JournalTest, AFullSegmentIsFollowedByAnother) {
  {
    auto o = options();
    o.segment_bytes_max = 200;
    auto journal = Journal::begin(o, 1, at(1));
    ASSERT_TRUE(journal);
    write(**journal, 1, 50);
  }
  EXPECT_GT(list_journal(folder(), segment_suffix)->size(), 5u);
  ASSERT_TRUE(read());
  expect_read(1, 50);
}

TEST_F(JournalTest, FilesAreTheOwnersAlone) {
  begin();
  struct stat status{};
  ASSERT_EQ(::stat(segment(1).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(folder().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST_F(JournalTest, ATornTailIsCutAtEveryByte) {
  {
    const auto journal = begin();
    write(*journal, 1, 3);
  }
  const std::string whole = load(segment(1));
  std::uint64_t events_before = UINT64_MAX;
  for (std::size_t size = whole.size(); size-- > 0;) {
    SCOPED_TRACE(size);
    save(segment(1), whole.substr(0, size));
    auto end = read();
    ASSERT_TRUE(end) << to_string(end.error());
    EXPECT_LE(end->number, events_before);  // Less and less, and never anything else.
    expect_read(1, end->number);
    events_before = end->number;
    if (!end->torn) continue;  // Exactly at the end of a record.
    EXPECT_EQ(end->torn->bytes, size - end->torn->offset);
    ASSERT_TRUE(cut_torn_tail(folder(), *end->torn));
    const auto next = begin(end->number + 1);
    next->add(end->number + 1, at(9), hello(99));
    ASSERT_TRUE(next->commit());
    const auto again = read();
    ASSERT_TRUE(again) << to_string(again.error());
    EXPECT_EQ(again->number, end->number + 1);
    for (const auto& file : std::filesystem::directory_iterator(folder()))
      std::filesystem::remove(file);
  }
  EXPECT_EQ(events_before, 0u);
}

TEST_F(JournalTest, ATailOfZeroesIsTorn) {
  {
    const auto journal = begin();
    write(*journal, 1, 3);
  }
  save(segment(1), load(segment(1)) + std::string(4096, '\0'));
  const auto end = read();
  ASSERT_TRUE(end) << to_string(end.error());
  expect_read(1, 3);
  ASSERT_TRUE(end->torn);
  EXPECT_EQ(end->torn->bytes, 4096u);
}

TEST_F(JournalTest, WhatHadBeenSyncedAndIsNotWholeIsDamage) {
  interval_ = 0ms;  // Each record is synced, and the next one says so.
  {
    const auto journal = begin();
    write(*journal, 1, 5);
  }
  const std::string whole = load(segment(1));
  const std::string name = "player2";
  std::string bytes = whole;
  bytes[whole.find(name)] ^= 1;
  save(segment(1), bytes);
  const auto end = read();
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().file, segment(1));
  EXPECT_LT(end.error().offset, whole.find(name));
  EXPECT_GT(end.error().offset, whole.find("player1"));
  EXPECT_NE(to_string(end.error()).find("not whole"), std::string::npos);
}

TEST_F(JournalTest, WhatHadNotBeenSyncedMayBeLostAnywhere) {
  interval_ = 1h;  // A disk may keep later blocks and lose earlier ones.
  {
    const auto journal = begin();
    write(*journal, 1, 5);
  }
  std::string bytes = load(segment(1));
  bytes[bytes.find("player3")] ^= 1;
  save(segment(1), bytes);
  const auto end = read();
  ASSERT_TRUE(end) << to_string(end.error());
  expect_read(1, 2);
  EXPECT_TRUE(end->torn);
}

TEST_F(JournalTest, ALaterSegmentTellsThatAnEarlierOneWasSynced) {
  interval_ = 0ms;
  {
    const auto journal = begin();
    write(*journal, 1, 5);
    ASSERT_TRUE(journal->roll(at(5)));
    write(*journal, 6, 8);
  }
  const std::string bytes = load(segment(1));
  save(segment(1), bytes.substr(0, bytes.size() - 1));
  EXPECT_FALSE(read());
  std::filesystem::remove(segment(6));
  const auto end = read();  // Without it, the same is a torn tail.
  ASSERT_TRUE(end) << to_string(end.error());
  expect_read(1, 4);
}

TEST_F(JournalTest, GapsAndStrangersAreDamage) {
  interval_ = 0ms;
  {
    const auto journal = begin();
    write(*journal, 1, 5);
    ASSERT_TRUE(journal->roll(at(5)));
    write(*journal, 6, 8);
    ASSERT_TRUE(journal->roll(at(8)));
    write(*journal, 9, 10);
  }
  const std::string second = load(segment(6)), third = load(segment(9));
  struct Row {
    const char* name;
    std::function<void()> act;
    const char* found;
  };
  const Row rows[] = {
      {"a segment is missing", [&] { std::filesystem::remove(segment(6)); }, "6 was to follow"},
      {"a segment under another's name", [&] { save(segment(6), third); }, "first event is 9"},
      {"no journal at all", [&] { save(segment(6), "#!/bin/sh\nexit 0\n"); }, "header"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    row.act();
    const auto end = read();
    ASSERT_FALSE(end);
    EXPECT_NE(end.error().found.find(row.found), std::string::npos) << end.error().found;
    save(segment(6), second);
  }
  const auto end = read_journal(folder(), 0, [](auto, auto, auto&&) { return true; });
  EXPECT_TRUE(end);
  std::filesystem::remove(segment(1));
  EXPECT_FALSE(read(4));  // The snapshot ends at 4, so 5 is missing.
  EXPECT_TRUE(read(5));
}

TEST_F(JournalTest, RecordsAreGoodInTheirOwnSegmentOnly) {
  {
    const auto journal = begin();
    write(*journal, 1, 2);
  }
  const std::string first = load(segment(1));
  {
    auto other = options();
    other.build = "another build";
    const auto journal = Journal::begin(other, 1, at(1));
    ASSERT_TRUE(journal);
  }
  // As a file system may give a file blocks that were another's.
  const std::string header = load(segment(1));
  save(segment(1), header + first.substr(first.size() - 60));
  const auto end = read();
  ASSERT_TRUE(end) << to_string(end.error());
  EXPECT_EQ(end->number, 0u);
}

TEST_F(JournalTest, AFullDiskBreaksItWhollyAndCleanly) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full here";
  std::filesystem::create_directories(folder());
  std::filesystem::create_symlink("/dev/full", segment(1));
  const auto journal = Journal::begin(options(), 1, at(1));
  ASSERT_FALSE(journal);
  EXPECT_NE(journal.error().find("No space left on device"), std::string::npos) << journal.error();
}

TEST_F(JournalTest, PruningKeepsWhatASnapshotNeeds) {
  {
    const auto journal = begin();
    for (std::uint64_t n = 1; n <= 30; ++n) {
      write(*journal, n, n);
      if (n % 10 == 0) {
        ASSERT_TRUE(journal->roll(at(n)));
      }
    }
  }
  for (const std::uint64_t n : {5, 10, 20})
    save(folder() + "/" + journal_file_name(n, snapshot_suffix), "x");
  prune_journal(folder(), 20, 2);
  const auto numbers = [&](std::string_view suffix) {
    std::vector<std::uint64_t> all;
    const auto listed = list_journal(folder(), suffix);
    if (!listed) return all;
    for (const JournalFile& file : *listed) all.push_back(file.number);
    return all;
  };
  EXPECT_EQ(numbers(snapshot_suffix), (std::vector<std::uint64_t>{10, 20}));
  EXPECT_EQ(numbers(segment_suffix), (std::vector<std::uint64_t>{11, 21, 31}));
}

}  // namespace
}  // namespace muster::store
