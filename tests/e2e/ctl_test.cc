// `muster ctl` tells the truth: at each stage of a match's life, of the lobby's, and without one.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// What `ctl status` says, in a few numbers.
struct Counts {
  std::int64_t connected = 0, queued = 0, matched = 0, launching = 0, playing = 0, starting = 0,
               ready = 0, allocated = 0, stopping = 0, ports_free = 4;
  bool operator==(const Counts&) const = default;
};

void PrintTo(const Counts& c, std::ostream* out) {
  *out << fmt::format(
      "players {}, tickets {} queued {} matched, matches {} launching {} playing, servers {} "
      "starting {} ready {} allocated {} stopping, ports free {}",
      c.connected, c.queued, c.matched, c.launching, c.playing, c.starting, c.ready, c.allocated,
      c.stopping, c.ports_free);
}

Counts counts(const Lobby& lobby) {
  const auto s = lobby.ask("status");
  return {number(s, "/players/connected"), number(s, "/tickets/queued"),
          number(s, "/tickets/matched"),   number(s, "/matches/launching"),
          number(s, "/matches/playing"),   number(s, "/servers/starting"),
          number(s, "/servers/ready"),     number(s, "/servers/allocated"),
          number(s, "/servers/stopping"),  number(s, "/fleets/0/portsFree")};
}

TEST(Ctl, TellsTheTruthThroughoutAMatch) {
  Lobby lobby({.command = shell("while [ ! -e open ]; do sleep 0.02; done; exec " +
                                programs::minimal_server + " {port}")});
  wait_until("the node to be there", [&] {
    const auto status = lobby.ask("status");
    return status.at("nodes").as_array().size() == 1 &&
           status.at_pointer("/nodes/0/connected").as_bool();
  });
  EXPECT_EQ(counts(lobby), Counts{});
  EXPECT_EQ(lobby.ctl({"servers"}).output, "no game servers\n");
  EXPECT_EQ(lobby.ctl({"tickets"}).output, "no tickets\n");
  EXPECT_EQ(lobby.ctl({"matches"}).output, "no matches\n");

  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob", Dialect::json);
  EXPECT_EQ(counts(lobby), Counts{.connected = 2});

  const Ticket ticket = ann.start_match();
  EXPECT_EQ(counts(lobby), (Counts{.connected = 2, .queued = 1}));
  EXPECT_EQ(number(lobby.ask("status"), "/queues/0/seatsWaiting"), 1);
  const auto tickets = lobby.list("tickets");
  ASSERT_EQ(tickets.size(), 1u);
  EXPECT_EQ(text(tickets[0], "/id"), ticket.ticket_id());
  EXPECT_EQ(text(tickets[0], "/state"), "queued");
  EXPECT_EQ(text(tickets[0], "/players/0/name"), "ann");
  EXPECT_EQ(text(tickets[0], "/players/0/id"), ann.me().player_id());
  EXPECT_THAT(lobby.ctl({"tickets"}).output, AllOf(HasSubstr("queued"), HasSubstr("ann")));

  bob.start_match();
  const auto starting = lobby.server_in("starting");
  EXPECT_EQ(counts(lobby),
            (Counts{.connected = 2, .matched = 2, .launching = 1, .starting = 1, .ports_free = 3}));
  EXPECT_EQ(number(starting, "/port"), lobby.first_port());
  const auto match = lobby.list("matches").at(0);
  EXPECT_EQ(text(match, "/state"), "launching");
  EXPECT_EQ(text(match, "/serverId"), text(starting, "/id"));
  EXPECT_EQ(text(starting, "/launchedForMatchId"), text(match, "/id"));
  wait_until("its process to be known", [&] { return text(lobby.server(), "/pid") != "null"; });
  const auto pid = pid_of(lobby.server());
  EXPECT_EQ(::kill(pid, 0), 0);
  EXPECT_EQ(environment_of(pid, "MUSTER_SERVER_ID"), text(starting, "/id"));

  write_file(lobby / "open", "");
  const Assignment a = ann.assignment(), b = bob.assignment();
  EXPECT_EQ(counts(lobby), (Counts{.connected = 2, .playing = 1, .allocated = 1, .ports_free = 3}));
  EXPECT_TRUE(lobby.list("tickets").empty());
  const auto allocated = lobby.server();
  EXPECT_EQ(text(allocated, "/id"), a.server_id());
  EXPECT_EQ(text(allocated, "/state"), "allocated");
  EXPECT_EQ(text(allocated, "/matchId"), a.match_id());
  EXPECT_EQ(text(lobby.list("matches").at(0), "/state"), "playing");
  EXPECT_THAT(lobby.ctl({"servers"}).output,
              AllOf(HasSubstr(a.server_id()), HasSubstr("allocated"), HasSubstr(a.match_id()),
                    HasSubstr(std::to_string(a.port())), HasSubstr(std::to_string(pid))));

  EXPECT_EQ(join(a), "ann");
  EXPECT_EQ(join(b), "bob");
  ann.match_ended();
  bob.match_ended();
  EXPECT_EQ(counts(lobby), (Counts{.connected = 2, .ready = 1, .ports_free = 3}));
  EXPECT_EQ(text(lobby.server(), "/matchId"), "null");
  EXPECT_TRUE(lobby.list("matches").empty());

  // One game server is stopped in its match: its players are told.
  ann.start_match();
  bob.start_match();
  ann.assignment();
  bob.assignment();
  const Ran stop = lobby.ctl({"stop", a.server_id()});
  EXPECT_EQ(stop.exit_code, 0);
  EXPECT_EQ(stop.output, fmt::format("game server {} is stopping\n", a.server_id()));
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::MATCH_CANCELLED);
  EXPECT_EQ(bob.match_ended().reason(), MatchEnded::MATCH_CANCELLED);
  wait_until("the game server to be gone", [&] { return counts(lobby) == Counts{.connected = 2}; });
  EXPECT_NE(::kill(pid, 0), 0);
  const auto totals = lobby.ask("status");
  EXPECT_EQ(number(totals, "/totals/launches"), 1);
  EXPECT_EQ(number(totals, "/totals/matches"), 2);
  EXPECT_EQ(number(totals, "/totals/tickets"), 4);
  EXPECT_EQ(number(totals, "/totals/serversLost"), 0);

  const Ran again = lobby.ctl({"stop", a.server_id()});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.output, HasSubstr("muster ctl: "));
}

TEST(Ctl, StopEndsTheLobbyAndItsGameServers) {
  Lobby lobby({.fleet = "ready_min = 2"});
  wait_until("two warm servers", [&] { return counts(lobby).ready == 2; });
  EXPECT_EQ(lobby.ctl({"stop"}).output, "the lobby and its game servers are stopping\n");
  wait_until("the lobby to end", [&] { return !lobby.running(); });
  wait_until("nothing to be left", [&] { return processes_in(lobby.folder()).empty(); });

  const Ran nobody = lobby.ctl({"status"});
  EXPECT_EQ(nobody.exit_code, 1);
  EXPECT_THAT(nobody.output, HasSubstr(std::to_string(lobby.admin_port())));
}

TEST(Ctl, StopKeepServersEndsTheLobbyAlone) {
  Lobby lobby({.fleet = "ready_min = 1"});
  const auto before = lobby.server_in("ready");
  EXPECT_EQ(lobby.ctl({"stop", "--keep-servers"}).output,
            "the lobby is stopping; its game servers go on\n");
  wait_until("the lobby to end", [&] { return !lobby.running(); });
  EXPECT_EQ(::kill(pid_of(before), 0), 0);
  lobby.start();
  EXPECT_EQ(text(lobby.server_in("ready"), "/id"), text(before, "/id"));
}

}  // namespace
}  // namespace muster::e2e
