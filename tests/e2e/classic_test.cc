// Game servers and players that speak only the classic packets, and those who only pretend to.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

namespace classic = wire::classic;

LobbyOptions classic_fleet(std::uint32_t players) {
  return {.command = {programs::classic_server, "{port}", lobby_port_mark},
          .players = players,
          .fleet = "sdk = \"classic\""};
}

/// Somebody who is not the launched process claims a port. True if the lobby closes the connection
/// without a word.
bool is_refused(const Lobby& lobby, std::uint32_t port) {
  ClassicPeer imposter(lobby.port());
  imposter.say(classic::ServerLogin{static_cast<std::uint16_t>(port)});
  return !imposter.next();
}

/// Sends a game server of the example some bytes and leaves, as a player does.
void play(std::uint32_t port) {
  Socket socket(static_cast<std::uint16_t>(port));
  ASSERT_TRUE(socket.send("hello"));
  EXPECT_EQ(socket.receive(), "hello");
}

TEST(Classic, PlaysTheWholeFlowWithAModernPlayer) {
  Lobby lobby(classic_fleet(2));
  ClassicPeer old(lobby.port());
  const auto login = old.log_in("ann");
  EXPECT_EQ(login.success, 1);
  EXPECT_EQ(login.name, "ann");
  Player bob(lobby.port(), "bob", Dialect::json);

  std::string server;
  for (int match = 0; match < 2; ++match) {
    old.say(classic::MatchRequest{});
    EXPECT_EQ(old.next<classic::MatchUpdate>().players, 1);
    bob.start_match();
    const auto response = old.next<classic::MatchResponse>();
    const Assignment assignment = bob.assignment();
    EXPECT_EQ(response.port, assignment.port());
    EXPECT_EQ(response.player_type, 0);
    ASSERT_EQ(assignment.players_size(), 2);
    EXPECT_EQ(assignment.players(0).name(), "ann");
    if (match == 1) {
      EXPECT_EQ(assignment.server_id(), server) << "its reset made it Ready again";
    }
    server = assignment.server_id();
    lobby.server_in("allocated");
    play(response.port);
    EXPECT_EQ(bob.match_ended().reason(), MatchEnded::OVER);
    EXPECT_EQ(text(lobby.server_in("ready"), "/id"), server);
  }
  EXPECT_EQ(number(lobby.ask("status"), "/totals/launches"), 1);
}

TEST(Classic, ALoginFromADescendantIsBelieved) {
  LobbyOptions options = classic_fleet(1);
  // The shell does not become the server: it waits for it.
  options.command =
      shell("(" + programs::classic_server + " {port} " + lobby_port_mark + "; true); true");
  Lobby lobby(options);
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.assignment().port(), lobby.first_port());
}

TEST(Classic, NobodyElseMayClaimAnAssignedPort) {
  LobbyOptions options = classic_fleet(1);
  options.command = shell("while [ ! -e open ]; do sleep 0.02; done; exec " +
                          programs::classic_server + " {port} " + lobby_port_mark);
  Lobby lobby(options);
  EXPECT_TRUE(is_refused(lobby, lobby.first_port())) << "before it is assigned";

  ClassicPeer ann(lobby.port());
  ann.log_in("ann");
  ann.say(classic::MatchRequest{});
  lobby.server_in("starting");
  EXPECT_TRUE(is_refused(lobby, lobby.first_port())) << "while it is Starting";
  lobby.server_in("starting");

  write_file(lobby / "open", "");
  EXPECT_EQ(ann.next<classic::MatchResponse>().port, lobby.first_port());
  EXPECT_TRUE(is_refused(lobby, lobby.first_port())) << "once it has logged in";
  EXPECT_TRUE(is_refused(lobby, lobby.first_port() + 1u)) << "one that nobody was given";
  play(lobby.first_port());
  lobby.server_in("ready");
  EXPECT_TRUE(is_refused(lobby, lobby.first_port())) << "while it is Ready";
  EXPECT_EQ(number(lobby.ask("status"), "/totals/launches"), 1);
}

TEST(Classic, AResetFromSomebodyElseClosesTheirConnection) {
  Lobby lobby;
  ClassicPeer imposter(lobby.port());
  imposter.say(classic::ServerReset{});
  EXPECT_FALSE(imposter.next());
}

TEST(Classic, AnAmountOfTwoTakesTwoSeats) {
  Lobby lobby(classic_fleet(3));
  ClassicPeer two(lobby.port()), many(lobby.port());
  two.log_in("two");
  two.say(classic::MatchRequest{2});
  EXPECT_EQ(two.next<classic::MatchUpdate>().players, 2);
  many.log_in("many");
  many.say(classic::MatchRequest{4});
  EXPECT_EQ(many.next<classic::MatchUpdate>().players, 0) << "more than a match has";

  Player one(lobby.port(), "one");
  one.start_match();
  const Assignment assignment = one.assignment();
  ASSERT_EQ(assignment.players_size(), 2);
  EXPECT_EQ(assignment.players(0).seats(), 2u);
  EXPECT_EQ(assignment.players(1).seats(), 1u);
  EXPECT_EQ(two.next<classic::MatchResponse>().port, assignment.port());
}

TEST(Classic, AccountsAreSignedUpAndLoggedInto) {
  Lobby lobby({.lobby = "classic_guests = false"});
  {
    ClassicPeer ann(lobby.port());
    EXPECT_LE(ann.log_in("ann", "secret").success, 0) << "there is no account yet";
    EXPECT_EQ(ann.sign_up("ann", "secret"), 1);
    EXPECT_LE(ann.sign_up("ann", "another"), 0) << "the name is taken";
    EXPECT_LE(ann.log_in("ann", "wrong").success, 0);
    EXPECT_EQ(ann.log_in("ann", "secret").success, 1);
  }
  // The account outlives the lobby.
  EXPECT_EQ(lobby.end(SIGTERM), 0);
  lobby.start();
  ClassicPeer ann(lobby.port());
  EXPECT_LE(ann.log_in("ann", "another").success, 0);
  EXPECT_EQ(ann.log_in("ann", "secret").success, 1);
}

TEST(Classic, AnAccountsNameIsNoGuests) {
  Lobby lobby;
  ClassicPeer ann(lobby.port()), guest(lobby.port());
  EXPECT_EQ(ann.sign_up("ann", "secret"), 1);
  EXPECT_LE(guest.log_in("ann", "").success, 0);
  EXPECT_EQ(guest.log_in("bob", "").success, 1) << "an unknown name is a guest";
}

TEST(Classic, OffClosesTheConnection) {
  Lobby lobby({.lobby = "classic = \"off\""});
  ClassicPeer ann(lobby.port());
  ann.say(classic::Login{"ann", ""});
  EXPECT_FALSE(ann.next());
  EXPECT_TRUE(Player(lobby.port(), "bob").ping());
}

}  // namespace
}  // namespace muster::e2e
