#include "node/record.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include "node/node_harness.h"
#include "node/proc.h"

namespace muster::node::test {
namespace {

namespace record = wire::node_record;
using record::Entry;

wire::Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Entry entered(const std::string& id) {
  Entry entry;
  entry.mutable_entered()->mutable_launch()->set_server_id(id);
  entry.mutable_entered()->mutable_launch()->set_fleet("duel");
  entry.mutable_entered()->set_token("token of " + id);
  return entry;
}
Entry born(const std::string& id, std::uint32_t pid) {
  Entry entry;
  entry.mutable_born()->set_server_id(id);
  entry.mutable_born()->set_pid(pid);
  entry.mutable_born()->set_alive_at(17);
  return entry;
}
Entry plays(const std::string& id, const std::string& match) {
  Entry entry;
  entry.mutable_state()->set_server_id(id);
  entry.mutable_state()->set_ready(true);
  entry.mutable_state()->set_in_match(!match.empty());
  if (!match.empty()) entry.mutable_state()->mutable_match()->set_match_id(match);
  return entry;
}
Entry reports(const std::string& id, std::uint64_t number) {
  Entry entry = plays(id, "");
  entry.mutable_report()->set_server_id(id);
  entry.mutable_report()->mutable_message()->set_number(number);
  entry.mutable_report()->mutable_message()->mutable_match_over()->set_server_id(id);
  return entry;
}
Entry heard(std::uint64_t number) {
  Entry entry;
  entry.set_heard(number);
  return entry;
}
Entry gone(const std::string& id) {
  Entry entry;
  entry.set_gone(id);
  return entry;
}
Entry unchanged_match(const std::string& id) {
  Entry entry = plays(id, "again");
  entry.mutable_state()->clear_match();
  return entry;
}
Entry replaces(std::uint64_t dropped, std::uint64_t number) {
  Entry entry = reports("0.1", number);
  entry.add_dropped(dropped);
  return entry;
}

std::string summary(const Recorded& recorded) {
  std::string text;
  for (const auto& [id, server] : recorded.servers) {
    text += id + " pid " + std::to_string(server.born.pid());
    if (server.state.in_match()) text += " plays " + server.state.match().match_id();
    text += "; ";
  }
  for (const auto& [number, report] : recorded.reports) text += std::to_string(number) + ' ';
  return text;
}

TEST(Record, WhatEntriesSayTogether) {
  struct Row {
    const char* name;
    std::vector<Entry> entries;
    const char* want;
  };
  const Row rows[] = {
      {"nothing", {}, ""},
      {"to be launched", {entered("0.1")}, "0.1 pid 0; "},
      {"launched", {entered("0.1"), born("0.1", 5)}, "0.1 pid 5; "},
      {"launched anew after a process that came to nothing",
       {entered("0.1"), born("0.1", 5), born("0.1", 6)},
       "0.1 pid 6; "},
      {"playing", {entered("0.1"), born("0.1", 5), plays("0.1", "3.1")}, "0.1 pid 5 plays 3.1; "},
      {"its match is as it was",
       {entered("0.1"), plays("0.1", "3.1"), unchanged_match("0.1")},
       "0.1 pid 0 plays 3.1; "},
      {"over, and its report is with it",
       {entered("0.1"), plays("0.1", "3.1"), reports("0.1", 7)},
       "0.1 pid 0; 7 "},
      {"heard", {entered("0.1"), reports("0.1", 7), reports("0.1", 8), heard(7)}, "0.1 pid 0; 8 "},
      {"replaced", {entered("0.1"), reports("0.1", 7), replaces(7, 9)}, "0.1 pid 0; 9 "},
      {"gone", {entered("0.1"), entered("0.2"), gone("0.1")}, "0.2 pid 0; "},
      {"gone, and its report stays", {entered("0.1"), reports("0.1", 7), gone("0.1")}, "7 "},
      {"of one that is not there", {born("0.1", 5), plays("0.1", "3.1"), gone("0.1")}, ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Recorded recorded;
    for (const Entry& entry : row.entries) apply(entry, recorded);
    EXPECT_EQ(summary(recorded), row.want);
    Recorded again;
    const std::string bytes = write_record(recorded);
    EXPECT_EQ(read_record(bytes_of(bytes), again), bytes.size());
    EXPECT_EQ(summary(again), row.want);
    EXPECT_EQ(write_record(again), bytes);
  }
}

TEST(Record, CutAtEveryByteItHasWhatWasWholeByThen) {
  const std::vector<Entry> entries = {entered("0.1"),      born("0.1", 5),    plays("0.1", "3.1"),
                                      entered("0.2"),      reports("0.1", 7), born("0.2", 6),
                                      reports("0.2", 8),   heard(7),          gone("0.2"),
                                      plays("0.1", "3.2"), reports("0.1", 9), gone("0.1")};
  std::string bytes;
  std::vector<std::size_t> ends;
  std::vector<std::string> wants{""};
  Recorded whole;
  for (const Entry& entry : entries) {
    wire::append_frame(bytes, entry);
    apply(entry, whole);
    ends.push_back(bytes.size());
    wants.push_back(summary(whole));
  }
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    std::size_t count = 0;
    while (count < ends.size() && ends[count] <= cut) ++count;
    Recorded recorded;
    EXPECT_EQ(read_record(bytes_of(bytes.substr(0, cut)), recorded),
              count == 0 ? 0 : ends[count - 1]);
    ASSERT_EQ(summary(recorded), wants[count]) << "cut at " << cut;
  }
}

class NodeRecordTest : public testing::Test {
 protected:
  NodeRecordTest() { EXPECT_GE(sodium_init(), 0); }
  std::string path() const { return folder_ / "node.record"; }

  TemporaryFolder folder_;
  boost::asio::io_context io_{1};
};

TEST_F(NodeRecordTest, GoesOnFromNodeToNode) {
  std::string run;
  std::uint64_t number = 0;
  {
    NodeRecord first(io_, path(), "/data");
    ASSERT_TRUE(first.open());
    EXPECT_EQ(first.earlier_pid(), 0u);
    run = first.recorded().begun.run();
    EXPECT_FALSE(run.empty());
    first.write(entered("0.1"));
    number = first.next_number();
    first.write(reports("0.1", number));
    number = first.next_number();  // Of a report that is not kept.
  }
  std::ofstream(path(), std::ios::app | std::ios::binary) << "\x09\x00";  // It was killed.
  NodeRecord second(io_, path(), "/data");
  ASSERT_TRUE(second.open());
  EXPECT_EQ(second.recorded().begun.run(), run);
  EXPECT_EQ(second.earlier_pid(), static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(summary(second.recorded()), "0.1 pid 0; 1 ");
  EXPECT_GT(second.next_number(), number);
  second.write(gone("0.1"));
  second.close();
  EXPECT_TRUE(std::filesystem::exists(path())) << "a lobby has yet to hear a report";
  second.write(heard(1));
  second.close();
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(NodeRecordTest, PidsOfAnotherBootAreNobodys) {
  std::string bytes;
  {
    NodeRecord record(io_, path(), "/data");
    ASSERT_TRUE(record.open());
    record.write(entered("0.1"));
    record.write(born("0.1", 5));
    Recorded changed = record.recorded();
    changed.begun.set_boot_id("another");
    bytes = write_record(changed);
  }
  std::ofstream(path(), std::ios::binary) << bytes;
  NodeRecord record(io_, path(), "/data");
  ASSERT_TRUE(record.open());
  EXPECT_EQ(record.recorded().servers.at("0.1").born.pid(), 5u);
  EXPECT_EQ(record.recorded().servers.at("0.1").born.alive_at(), 0u);
  EXPECT_FALSE(find_process(::getpid(), 0));
}

TEST_F(NodeRecordTest, ACopyInAnotherFolderIsNotBelieved) {
  {
    NodeRecord record(io_, path(), "/data");
    ASSERT_TRUE(record.open());
    record.write(entered("0.1"));
  }
  NodeRecord record(io_, path(), "/elsewhere");
  ASSERT_TRUE(record.open());
  EXPECT_TRUE(record.recorded().servers.empty());
}

TEST_F(NodeRecordTest, ItStaysSmall) {
  NodeRecord record(io_, path(), "/data");
  ASSERT_TRUE(record.open());
  record.write(entered("0.1"));
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t number = record.next_number();
    record.write(reports("0.1", number));
    record.write(heard(number));
    io_.restart();
    io_.poll();
  }
  EXPECT_LT(std::filesystem::file_size(path()), 2 * NodeRecord::slack_bytes);
  Recorded again;
  const std::string bytes = read_file(path());
  EXPECT_EQ(read_record(bytes_of(bytes), again), bytes.size());
  EXPECT_EQ(summary(again), "0.1 pid 0; ");
}

TEST_F(NodeRecordTest, AProcessGoesOnRecordOrNot) {
  NodeRecord record(io_, path(), "/data");
  ASSERT_TRUE(record.open());
  record.write(entered("0.1"));
  EXPECT_TRUE(put_on_record(record, "0.1", "a-fifo", ::getpid()));
  EXPECT_FALSE(put_on_record(record, "0.1", "", ::getpid())) << "nobody could read what it prints";
  Recorded again;
  const std::string bytes = read_file(path());
  EXPECT_EQ(read_record(bytes_of(bytes), again), bytes.size());
  const record::Born& born = again.servers.at("0.1").born;
  EXPECT_EQ(born.pid(), static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(born.output(), "a-fifo");
  EXPECT_EQ(born.SerializeAsString(), record.recorded().servers.at("0.1").born.SerializeAsString());
  EXPECT_TRUE(find_process(::getpid(), born.alive_at()));
  EXPECT_FALSE(find_process(::getpid(), *began_at(::getpid()) - 1));
}

TEST_F(NodeRecordTest, WhatCannotBeWrittenIsTriedAgain) {
  const std::string later = folder_ / "later";
  NodeRecord record(io_, later + "/node.record", "/data");
  testing::internal::CaptureStderr();
  ASSERT_TRUE(record.open());
  EXPECT_FALSE(record.note("0.1", "a-fifo")) << "it is to end with its node";
  record.write(entered("0.1"));
  std::filesystem::create_directory(later);
  const auto deadline = steady_clock::now() + patience;
  while (!record.note("0.1", "a-fifo") && steady_clock::now() < deadline)
    io_.run_one_for(milliseconds{100});
  EXPECT_TRUE(record.note("0.1", "a-fifo"));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, testing::HasSubstr("cannot write"));
  EXPECT_THAT(said, testing::HasSubstr("is written again"));
  Recorded again;
  const std::string bytes = read_file(later + "/node.record");
  EXPECT_EQ(read_record(bytes_of(bytes), again), bytes.size());
  EXPECT_EQ(summary(again), "0.1 pid 0; ");
}

}  // namespace
}  // namespace muster::node::test
