// Game servers that behave badly: each has a defined outcome, seen in `muster ctl` and in the game
// server's own log, and nobody else is harmed.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

using testing::HasSubstr;

std::string last_launch_error(const Lobby& lobby) {
  return text(lobby.ask("status"), "/fleets/0/lastLaunchError");
}

std::string logs(const Lobby& lobby) {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(lobby / "data/logs/game"))
    if (entry.is_regular_file()) all += read_file(entry.path());
  return all;
}

/// A program that says things to the node's endpoint as a game server's SDK would, and ends once it
/// has an answer. Its arguments: hello, garbage, or the number of a message without fields.
class Say {
 public:
  Say() { write_file(file_, script); }
  std::string operator()(const std::string& arguments) const {
    return "perl " + file_ + " " + arguments;
  }

 private:
  static constexpr const char* script = R"(
use Socket;
my ($host, $port) = split /:/, $ENV{MUSTER_SDK};
socket(S, PF_INET, SOCK_STREAM, 0) or die;
connect(S, sockaddr_in($port, inet_aton($host))) or die;
my $said = "";
my $request = 0;
for my $what (@ARGV) {
  my $body = "\x08" . chr(++$request);
  my $token = "\x0a" . chr(length $ENV{MUSTER_TOKEN}) . $ENV{MUSTER_TOKEN};
  if ($what eq "garbage") { $said .= "\xff" x 4000; next; }
  elsif ($what eq "hello") { $body .= "\x12" . chr(length $token) . $token; }
  else { $body .= chr($what * 8 + 2) . "\x00"; }
  $said .= pack("V", length $body) . $body;
}
syswrite(S, $said);
sysread(S, my $answer, 1000);
)";

  TempFolder folder_;
  std::string file_ = folder_ / "say.pl";
};
constexpr const char* ready = "3";
constexpr const char* shutdown_wish = "9";

TEST(BadDays, ReadyOnAnotherPortThanItsOwnIsSaid) {
  const std::string elsewhere = std::to_string(free_ports(1));
  Lobby lobby({.command = {programs::duel_server, elsewhere}, .players = 1});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  ann.assignment();
  wait_until("the note", [&] {
    return lobby.ctl({"servers"})
               .output.find("it says Ready, but it listens on TCP " + elsewhere +
                            ", not on TCP ") != std::string::npos;
  });
}

TEST(BadDays, OverItsMemoryLimitIsTheReason) {
  Lobby lobby({.command = shell("exec tail /dev/zero"),
               .players = 1,
               .fleet = "launch_attempts_max = 1\n[fleet.limits]\nmemory = \"32MiB\""});
  const std::string can = text(lobby.ask("status"), "/nodes/0/limits");
  if (can.find("memory by cgroup") == std::string::npos) GTEST_SKIP() << can;
  EXPECT_THAT(lobby.ctl({"status"}).output, HasSubstr("limits of game servers on "));
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.ticket(Ticket::FAILED).error().code(), "launch_failed");
  EXPECT_EQ(last_launch_error(lobby),
            "killed by signal 9: over its memory limit, 32MiB before it was Ready");
}

TEST(BadDays, ALimitThatCannotBeEnforcedFailsTheLaunchIfItIsRequired) {
  Lobby lobby({.players = 1,
               .fleet = "launch_attempts_max = 1\n[fleet.limits]\nopen_files = 1000000000\n"
                        "required = true"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.ticket(Ticket::FAILED).error().code(), "launch_failed");
  EXPECT_THAT(last_launch_error(lobby), HasSubstr("limits.required is set"));
}

TEST(BadDays, WhatItUsesIsShown) {
  Lobby lobby({.fleet = "ready_min = 1\n[fleet.limits]\nmemory = \"256MiB\"\nprocesses = 100"});
  lobby.server_in("ready");
  const Ran listed = lobby.ctl({"servers"});
  EXPECT_THAT(listed.output, HasSubstr(" MiB "));
  EXPECT_THAT(listed.output, testing::ContainsRegex(" [0-9]+\\.[0-9]s +[0-9]+ MiB"));
}

TEST(BadDays, AFloodOfOutputHarmsNobody) {
  Lobby lobby(
      {.command = shell("yes 'far too much' & exec " + programs::minimal_server + " {port}"),
       .players = 1});
  for (const char* name : {"ann", "bob"}) {  // The second while the first one's floods.
    Player player(lobby.port(), name);
    player.start_match();
    EXPECT_EQ(join(player.assignment()), name);
    EXPECT_EQ(player.match_ended().reason(), MatchEnded::OVER);
  }
  wait_until("the log to say what was dropped",
             [&] { return logs(lobby).find("bytes of output lost here]") != std::string::npos; });
}

TEST(BadDays, GarbageAtTheSdkPortCostsOnlyThatConnection) {
  const Say say;
  Lobby lobby({.command = shell(say("garbage") + "; exec " + programs::minimal_server + " {port}"),
               .players = 1});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(join(ann.assignment()), "ann");
}

TEST(BadDays, ShutdownBeforeReadyIsAFailedLaunch) {
  const Say say;
  Lobby lobby({.command = shell(say(std::string("hello ") + shutdown_wish) + "; exec sleep 1000"),
               .players = 1,
               .fleet = "launch_attempts_max = 1"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.ticket(Ticket::FAILED).error().code(), "launch_failed");
  EXPECT_THAT(last_launch_error(lobby), HasSubstr("it asked to be shut down"));
  wait_until("it to be gone", [&] { return lobby.list("servers").empty(); });
}

TEST(BadDays, ReadyTwiceIsOnce) {
  const Say say;
  Lobby lobby(
      {.command = shell(say(fmt::format("hello {} {}", ready, ready)) + "; exec sleep 1000"),
       .players = 1});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  ann.assignment();
  EXPECT_EQ(text(lobby.server(), "/state"), "allocated");
  EXPECT_EQ(lobby.list("matches").size(), 1u);
}

TEST(BadDays, ADataFolderTooDeepForASocketIsRefusedAtOnce) {
  const TempFolder folder;
  const std::string file = folder / "deep.toml";
  write_file(file, "[lobby]\ndata = \"" + std::string(120, 'd') + "\"\n");
  const Ran checked = run({programs::muster, "check", file});
  EXPECT_NE(checked.exit_code, 0);
  EXPECT_THAT(checked.output, HasSubstr("lobby.data"));
  EXPECT_THAT(checked.output, HasSubstr("use a folder with at most"));
}

}  // namespace
}  // namespace muster::e2e
