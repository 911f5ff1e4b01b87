// What an operator does about fleets and their game servers, and sees of them.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Fleet, IsDrainedAndUndrained) {
  Lobby lobby({.players = 1, .fleet = "ready_min = 1"});
  lobby.server_in("ready");
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  ann.start_match();
  const Assignment assignment = ann.assignment();

  const Ran drain = lobby.ctl({"drain", "game"});
  EXPECT_EQ(drain.exit_code, 0);
  EXPECT_EQ(drain.output, "fleet game is drained: no new matches there\n");
  wait_until("the warm server to go", [&] { return lobby.list("servers").size() == 1; });
  EXPECT_EQ(text(lobby.server(), "/state"), "allocated");
  EXPECT_THAT(lobby.ctl({"status"}).output, HasSubstr("draining"));
  wire::player::ClientMessage start;
  start.mutable_start_match()->set_queue("duel");
  EXPECT_EQ(bob.refusal(start), "queue_draining");

  EXPECT_EQ(join(assignment), "ann");
  ann.match_ended();
  wait_until("no server to be left", [&] { return lobby.list("servers").empty(); });
  EXPECT_THAT(lobby.ctl({"servers", "--ended"}).output, HasSubstr("its fleet was drained"));

  EXPECT_EQ(lobby.ctl({"undrain", "game"}).output, "fleet game takes matches again\n");
  lobby.server_in("ready");
  bob.start_match();
  bob.assignment();
  EXPECT_EQ(lobby.ctl({"drain", "chess"}).exit_code, 1);
  EXPECT_THAT(lobby.ctl({"drain", "chess"}).output, HasSubstr("no fleet or node chess"));
}

TEST(Fleet, AServerAndANodeAreDrained) {
  Lobby lobby({.players = 1});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  const Assignment assignment = ann.assignment();
  EXPECT_EQ(lobby.ctl({"drain", assignment.server_id()}).exit_code, 0);
  EXPECT_EQ(text(lobby.server(), "/draining"), "true");
  EXPECT_EQ(join(assignment), "ann");
  ann.match_ended();
  wait_until("it to go", [&] { return lobby.list("servers").empty(); });

  const std::string node = text(lobby.ask("status"), "/nodes/0/name");
  EXPECT_EQ(lobby.ctl({"drain", "--node", node}).exit_code, 0);
  ann.start_match();
  ann.ticket(Ticket::MATCHED);
  EXPECT_TRUE(lobby.list("servers").empty()) << "nothing is launched there";
  EXPECT_EQ(lobby.ctl({"undrain", "--node", node}).exit_code, 0);
  ann.assignment();
}

TEST(Fleet, ACrashLoopIsShownAndCleared) {
  Lobby lobby({.command = shell("[ -e mended ] || { echo no map; exit 3; }; exec " +
                                programs::minimal_server + " {port}"),
               .players = 1,
               .fleet = "crash_loop_after = 2\nlaunch_attempts_max = 100"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  wait_until("the crash loop",
             [&] { return text(lobby.ask("status"), "/fleets/0/state") == "crash_loop"; });
  EXPECT_THAT(lobby.ctl({"status"}).output,
              AllOf(HasSubstr("fleet game has been in a crash loop for"),
                    HasSubstr("exit code 3: no map"), HasSubstr("muster ctl clear game")));
  EXPECT_THAT(lobby.ctl({"servers", "--ended"}).output,
              AllOf(HasSubstr("died before it was Ready"), HasSubstr("exit code 3: no map")));
  write_file(lobby / "mended", "");
  EXPECT_EQ(lobby.ctl({"clear", "game"}).exit_code, 0);
  ann.assignment();
  EXPECT_EQ(text(lobby.ask("status"), "/fleets/0/state"), "ok");
}

TEST(Fleet, ACrashLoopEndsTicketsWithItsOwnCode) {
  Lobby lobby({.command = shell("exit 3"),
               .players = 1,
               .fleet = "crash_loop_after = 1\nlaunch_attempts_max = 1"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.ticket(Ticket::FAILED).error().code(), "fleet_crash_loop");
}

TEST(Fleet, HowABadServerEndedIsRemembered) {
  Lobby lobby({.command = shell("trap '' TERM; exec " + programs::minimal_server + " {port}"),
               .players = 1,
               .fleet = "stop_grace = \"300ms\"\nready_min = 1"});
  const auto server = lobby.server_in("ready");
  EXPECT_EQ(lobby.ctl({"drain", "game"}).exit_code, 0);
  wait_until("it to be killed", [&] { return lobby.list("servers").empty(); });
  EXPECT_THAT(lobby.ctl({"servers", "--ended"}).output,
              AllOf(HasSubstr(text(server, "/id")), HasSubstr("its fleet was drained"),
                    HasSubstr("did not end within stop_grace: killed by signal 9")));
}

TEST(Fleet, SleepsWhenNobodyPlays) {
  Lobby lobby({.players = 2, .fleet = "ready_min = 1\nscale_to_zero_after = \"1s\""});
  wait_until("it to sleep", [&] {
    return text(lobby.ask("status"), "/fleets/0/state") == "asleep" &&
           lobby.list("servers").empty();
  });
  Player ann(lobby.port(), "ann");
  ann.start_match();
  lobby.server_in("ready");
}

}  // namespace
}  // namespace muster::e2e
