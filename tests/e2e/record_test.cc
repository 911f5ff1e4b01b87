// What players did, recorded by the lobby, is played again by the simulator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t lines_with(const std::string& text, std::string_view word) {
  std::istringstream lines(text);
  std::size_t found = 0;
  for (std::string line; std::getline(lines, line);) found += line.find(word) != std::string::npos;
  return found;
}

TEST(Record, WhatPlayersDidIsPlayedAgain) {
  Lobby lobby({.arguments = {"--record", "recording.jsonl"}});
  const std::string file = lobby / "recording.jsonl";
  {
    Player ann(lobby.port(), "annabel"), bob(lobby.port(), "bobby"), cid(lobby.port(), "cidney");
    ann.start_match();
    bob.start_match();
    const Assignment a = ann.assignment(), b = bob.assignment();
    cid.start_match();
    cid.cancel_match();
    EXPECT_EQ(join(a), "annabel");
    EXPECT_EQ(join(b), "bobby");
    EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);
  }
  EXPECT_EQ(lobby.end(SIGINT), 0);

  const std::string recorded = read_file(file);
  EXPECT_EQ(lines_with(recorded, R"("end":"assigned")"), 2u) << recorded;
  EXPECT_EQ(lines_with(recorded, R"("end":"cancelled")"), 1u) << recorded;
  EXPECT_EQ(lines_with(recorded, R"({"match":)"), 1u) << recorded;
  for (const char* name : {"annabel", "bobby", "cidney"})
    EXPECT_THAT(recorded, Not(HasSubstr(name)));

  const Ran again = run({programs::muster, "sim", lobby.config_file(), "--replay", file, "--json",
                         lobby / "report.json"});
  EXPECT_EQ(again.exit_code, 0) << again.output;
  const auto report = boost::json::parse(read_file(lobby / "report.json"));
  EXPECT_EQ(number(report, "/queues/0/waiting/0/players"), 3) << again.output;
  EXPECT_EQ(number(report, "/queues/0/waiting/0/gave_up"), 1) << again.output;
  EXPECT_EQ(number(report, "/queues/0/matches"), 1) << again.output;

  std::ofstream(file, std::ios::app) << "{\"ticket\":{}}\n";
  const Ran refused = run({programs::muster, "sim", lobby.config_file(), "--replay", file});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, HasSubstr("recording.jsonl:6: is a ticket that has no \"at\""));
}

/// The lobby goes on as if nobody recorded.
TEST(Record, AFullDiskStopsTheRecordingAlone) {
  Lobby lobby({.arguments = {"--record", "/dev/full"}});
  wait_until("it to be said", [&] {
    return lobby.output().find("recording to /dev/full has stopped: No space left") !=
           std::string::npos;
  });
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  ann.start_match();
  bob.start_match();
  EXPECT_EQ(join(ann.assignment()), "ann");
}

TEST(Record, AFileThatCannotBeWrittenStartsNothing) {
  const TempFolder folder;
  write_file(folder / "muster.toml",
             "[lobby]\ndata = \"data\"\n[[fleet]]\nname = \"game\"\ncommand = [\"/bin/true\"]\n"
             "ports = \"7000-7001\"\n[[queue]]\nname = \"duel\"\nfleet = \"game\"\n");
  const Ran ran = run({programs::muster, "serve", folder / "muster.toml", "--record", "/nowhere/r"},
                      folder.path());
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.output,
              HasSubstr("/nowhere/r: cannot be recorded to: No such file or directory"));
}

}  // namespace
}  // namespace muster::e2e
