// replay, trace and backup, on the journal of a lobby that lived for a match.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <cstdio>
#include <filesystem>

#include "cli/backup.h"
#include "cli/replay.h"
#include "cli/trace.h"
#include "core/core.h"
#include "store/journal.h"
#include "store/snapshot.h"
#include "store/test_folder.h"

namespace muster::cli {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class JournalCommands : public testing::Test {
 protected:
  JournalCommands() {
    core::Config config;
    config.fleets.push_back({.name = "duel", .command = {"./duel"}, .ports = {7000, 7003}});
    config.queues.push_back({.name = "duel", .players = 1});
    core_ = core::Core(config);
    auto journal = store::Journal::begin({.folder = journal_, .build = "test"}, 1, Time{});
    EXPECT_TRUE(journal);
    EXPECT_TRUE(store::write_snapshot(journal_, {.build = "test"}, core_.state()));
    core::Effects effects;
    std::uint64_t number = 0;
    for (const core::Event& event : std::initializer_list<core::Event>{
             core::NodeConnected{{0, 1}, "box", "127.0.0.1", {}},
             core::SessionOpened{{0, 1}},
             core::Hello{{0, 1}, 1, "ann", {}},
             core::StartMatch{{0, 1}, 2, "duel", 1, {}},
             core::ServerReady{{0, 1}},
             core::MatchOver{{0, 1}, {0, 1}, "ann won"},
         }) {
      const Time now{250ms * ++number};
      (*journal)->add(number, now, event);
      EXPECT_TRUE((*journal)->commit());
      core_.step(event, now, effects);
    }
  }

  struct Said {
    int exit_code;
    std::string out, err;
  };
  template <class F>
  static Said run(F&& f) {
    std::FILE* const out = std::tmpfile();
    std::FILE* const err = std::tmpfile();
    Said said{f(out, err), {}, {}};
    for (const auto& [file, text] : {std::pair{out, &said.out}, std::pair{err, &said.err}}) {
      std::rewind(file);
      for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file))
        text->push_back(static_cast<char>(c));
      std::fclose(file);
    }
    return said;
  }
  Said replay(const ReplayOptions& options) const {
    return run([&](std::FILE* out, std::FILE* err) { return run_replay(options, out, err); });
  }
  Said trace(const std::string& kind, const std::string& id, bool perfetto = false) const {
    const TraceOptions options{.kind = kind, .id = id, .data = temp_.path, .perfetto = perfetto};
    return run([&](std::FILE* out, std::FILE* err) { return run_trace(options, out, err); });
  }

  store::TempFolder temp_;
  std::string journal_ = temp_.path + "/journal";
  core::Core core_{core::Config{}};
};

TEST_F(JournalCommands, ReplayStepsEverythingAgain) {
  const Said said = replay({.folder = temp_.path, .state = true});
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_THAT(said.out, HasSubstr("1      0.250000s  NodeConnected"));
  EXPECT_THAT(said.out, HasSubstr("-> LaunchServer node=0.1 server=0.1"));
  EXPECT_THAT(said.out, HasSubstr("from the snapshot of event 0, 6 events to event 6; digest "));
  char digest[17];
  std::snprintf(digest, sizeof digest, "%016llx", static_cast<unsigned long long>(core_.digest()));
  EXPECT_THAT(said.out, HasSubstr(digest)) << "it comes to the state that it was";
  EXPECT_THAT(said.out, HasSubstr("server 0.1: ready"));
}

TEST_F(JournalCommands, ReplayUntilAnEventShowsTheStateThen) {
  const Said said = replay({.folder = journal_, .until = 4, .last = 1, .state = true});
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_THAT(said.out, testing::StartsWith("4  "));
  EXPECT_THAT(said.out, HasSubstr("4 events to event 4"));
  EXPECT_THAT(said.out, HasSubstr("server 0.1: starting"));
  EXPECT_THAT(said.out, Not(HasSubstr("MatchOver")));
}

TEST_F(JournalCommands, ReplayBeginsAtTheNewestSnapshotUnlessToldOtherwise) {
  {
    const core::Core core(core::Config{});
    ASSERT_TRUE(store::write_snapshot(journal_, {.build = "test", .number = 6, .time = Time{2s}},
                                      core.state()));
  }
  EXPECT_THAT(replay({.folder = temp_.path}).out, HasSubstr("snapshot of event 6, 0 events"));
  const Said said = replay({.folder = temp_.path, .from = 0});
  EXPECT_THAT(said.out, HasSubstr("1      0.250000s  NodeConnected"));
  EXPECT_THAT(said.out, HasSubstr("snapshot of event 0, 6 events to event 6"));
}

TEST_F(JournalCommands, TraceFollowsATicketToItsMatchAndGameServer) {
  const Said said = trace("ticket", "0.1");
  EXPECT_EQ(said.exit_code, 0) << said.err;
  const std::vector<std::string> in_order = {
      "4  +0.000s  ticket 0.1   matched in queue duel",
      "match 0.1    launching, server 0.1 starts",
      "server 0.1   starting on port 7000",
      "5  +0.250s  ticket 0.1   Ended",
      "match 0.1    playing on server 0.1",
      "server 0.1   allocated on port 7000, match 0.1",
      "6  +0.500s  match 0.1    Ended",
      "server 0.1   ready on port 7000",
  };
  std::size_t at = 0;
  for (const std::string& line : in_order) {
    const std::size_t found = said.out.find(line, at);
    EXPECT_NE(found, std::string::npos) << line << "\nis not, or not in that order, in\n"
                                        << said.out;
    if (found != std::string::npos) at = found;
  }
  EXPECT_THAT(said.out, HasSubstr("StartMatch session=0.1")) << "the cause";
}

TEST_F(JournalCommands, TraceForAViewerIsOneJsonWithATrackForEach) {
  const Said said = trace("match", "0.1", true);
  EXPECT_EQ(said.exit_code, 0) << said.err;
  const boost::json::value trace = boost::json::parse(said.out);
  std::vector<std::string> tracks;
  std::int64_t playing_us = 0;
  for (const boost::json::value& event : trace.at("traceEvents").as_array()) {
    if (event.at("ph") == "M") tracks.emplace_back(event.at("args").at("name").as_string());
    if (event.at("ph") == "X" && event.at("name") == "playing on server 0.1")
      playing_us = event.at("dur").to_number<std::int64_t>();
  }
  EXPECT_THAT(tracks, testing::UnorderedElementsAre("match 0.1", "server 0.1"));
  EXPECT_EQ(playing_us, 250'000);
}

TEST_F(JournalCommands, BothGoOnAfterEventsThatWereNotWritten) {
  core::Effects effects;
  const auto step = [&](std::uint64_t number, const core::Event& event) {
    core_.step(event, Time{250ms * number}, effects);
  };
  step(7, core::StartMatch{{0, 1}, 3, "duel", 1, {}});
  step(8, core::SessionOpened{{1, 1}});
  ASSERT_TRUE(store::write_snapshot(journal_, {.build = "test", .number = 8, .time = Time{2s}},
                                    core_.state()));
  auto journal =
      store::Journal::begin({.folder = journal_, .build = "test", .after_gap = true}, 9, Time{2s});
  ASSERT_TRUE(journal);
  const core::Event over = core::MatchOver{{0, 1}, {0, 2}, "ann won again"};
  (*journal)->add(9, Time{2250ms}, over);
  ASSERT_TRUE((*journal)->commit());
  step(9, over);

  const Said replayed = replay({.folder = temp_.path, .from = 0});
  EXPECT_EQ(replayed.exit_code, 0) << replayed.err;
  EXPECT_THAT(replayed.out, HasSubstr("8      2.000000s  (a snapshot: what led to it was not"));
  EXPECT_THAT(replayed.out, HasSubstr("7 events to event 9; digest "));
  EXPECT_THAT(replayed.out, HasSubstr(fmt::format("{:016x}", core_.digest())));
  EXPECT_THAT(replayed.out, HasSubstr("events 7 to 8 were not written"));
  const Said before = replay({.folder = temp_.path, .until = 6, .from = 0});
  EXPECT_THAT(before.out, HasSubstr("6 events to event 6"));
  EXPECT_THAT(before.out, Not(HasSubstr("not written")));

  const Said traced = trace("match", "0.2");
  EXPECT_EQ(traced.exit_code, 0) << traced.err;
  EXPECT_THAT(traced.out, HasSubstr("8  +0.000s  match 0.2    playing on server 0.1"));
  EXPECT_THAT(traced.out, HasSubstr("9  +0.250s  match 0.2    Ended"));
  EXPECT_THAT(traced.err, HasSubstr("events 7 to 8 were not written"));
}

TEST_F(JournalCommands, WhatIsNotThereIsSaid) {
  EXPECT_EQ(trace("ticket", "9.9").exit_code, 1);
  EXPECT_THAT(trace("ticket", "9.9").err, HasSubstr("no ticket 9.9 in events 1 to 6"));
  EXPECT_THAT(trace("ticket", "ann").err, HasSubstr("\"ann\" is no id, such as 41.3"));
  const Said nowhere = replay({.folder = temp_.path + "/nowhere"});
  EXPECT_EQ(nowhere.exit_code, 1);
  EXPECT_THAT(nowhere.err, HasSubstr("nowhere"));
}

TEST_F(JournalCommands, ABackupCanBeReplayed) {
  const std::string to = temp_.path + "/copy";
  const Said done =
      run([&](std::FILE* out, std::FILE* err) { return run_backup(temp_.path, to, out, err); });
  EXPECT_EQ(done.exit_code, 0) << done.err;
  EXPECT_THAT(done.out, HasSubstr("copy holds events up to 6 ("));
  EXPECT_EQ(replay({.folder = to}).out, replay({.folder = temp_.path}).out);
  const Said again =
      run([&](std::FILE* out, std::FILE* err) { return run_backup(temp_.path, to, out, err); });
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("muster backup: "));
}

}  // namespace
}  // namespace muster::cli
