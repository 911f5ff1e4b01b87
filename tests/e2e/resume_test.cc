// Players who lose their connection and come back, and those who come in their place.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

void wait_for_disconnected(const Lobby& lobby, int count) {
  wait_until("the lobby to notice that a player is gone",
             [&] { return number(lobby.ask("status"), "/players/disconnected") == count; });
}

TEST(Resume, AQueuedTicketKeepsItsPlaceButIsNotMatchedMeanwhile) {
  for (const Dialect dialect : dialects) {
    SCOPED_TRACE(to_string(dialect));
    Lobby lobby;
    Player ann(lobby.port(), "ann", dialect);
    const Ticket before = ann.start_match();
    ann.disconnect();
    wait_for_disconnected(lobby, 1);
    Player bob(lobby.port(), "bob");
    EXPECT_EQ(bob.start_match().players(), 1u);
    EXPECT_EQ(number(lobby.ask("status"), "/tickets/matched"), 0);

    Player back(lobby.port(), dialect);
    const LobbyMessage welcome = back.resume(ann.me().session_token());
    ASSERT_TRUE(welcome.has_welcome()) << welcome.ShortDebugString();
    EXPECT_TRUE(welcome.welcome().resumed());
    EXPECT_EQ(welcome.welcome().player_id(), ann.me().player_id());
    EXPECT_EQ(back.next(LobbyMessage::kTicket).ticket().ticket_id(), before.ticket_id());
    const Assignment assignment = back.assignment();
    EXPECT_EQ(assignment.players(0).name(), "ann") << "its place is before bob's";
    EXPECT_EQ(assignment.match_id(), bob.assignment().match_id());
  }
}

TEST(Resume, AnAssignmentComesAgain) {
  Lobby lobby({.players = 1});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  const Assignment before = ann.assignment();
  ann.disconnect();
  wait_for_disconnected(lobby, 1);

  Player back(lobby.port(), Dialect::json);
  EXPECT_TRUE(back.resume(ann.me().session_token()).has_welcome());
  const Assignment again = back.assignment();
  EXPECT_EQ(again.match_id(), before.match_id());
  EXPECT_EQ(again.server_id(), before.server_id());
  EXPECT_EQ(again.port(), before.port());
  EXPECT_EQ(join(again), "ann");
  EXPECT_EQ(back.match_ended().reason(), MatchEnded::OVER);
}

TEST(Resume, AnAssignmentThatCameMeanwhileIsSent) {
  Lobby lobby({.command = shell("while [ ! -e open ]; do sleep 0.02; done; exec " +
                                programs::minimal_server + " {port}"),
               .players = 1});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  ann.ticket(Ticket::MATCHED);
  ann.disconnect();
  wait_for_disconnected(lobby, 1);
  write_file(lobby / "open", "");
  lobby.server_in("allocated");

  Player back(lobby.port());
  EXPECT_TRUE(back.resume(ann.me().session_token()).has_welcome());
  EXPECT_EQ(join(back.assignment()), "ann");
}

TEST(Resume, TheOldConnectionIsClosedAndSaysWhy) {
  for (const Dialect dialect : dialects) {
    SCOPED_TRACE(to_string(dialect));
    Lobby lobby;
    Player ann(lobby.port(), "ann", dialect), back(lobby.port());
    EXPECT_TRUE(back.resume(ann.me().session_token()).has_welcome());
    EXPECT_EQ(ann.next(LobbyMessage::kError).error().code(), "resumed_elsewhere");
    EXPECT_FALSE(ann.next());
    EXPECT_TRUE(back.ping());
  }
}

TEST(Resume, StaleAndStolenTokensAreRefused) {
  Lobby lobby({.lobby = "resume_grace = \"200ms\""});
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  ann.start_match();
  std::string guessed = ann.me().session_token();
  guessed.back() = guessed.back() == 'A' ? 'B' : 'A';

  struct Row {
    const char* name;
    std::string token, want;
  };
  const Row rows[] = {
      {"one secret is guessed wrong", guessed, "session_token_invalid"},
      {"another player's secret",
       ann.me().session_token().substr(0, 11) + bob.me().session_token().substr(11),
       "session_token_invalid"},
      {"a player who never was", "zz" + guessed.substr(2), "session_expired"},
      {"no token's form", "let me in", "session_token_invalid"},
      {"none", "", "session_token_invalid"},
      {"a long one", std::string(10'000, 'A'), "session_token_invalid"},
  };
  for (const Row& row : rows)
    for (const Dialect dialect : dialects) {
      SCOPED_TRACE(fmt::format("{}, {}", row.name, to_string(dialect)));
      Player thief(lobby.port(), dialect);
      EXPECT_EQ(thief.resume(row.token).error().code(), row.want);
      EXPECT_EQ(thief.hello("thief").name(), "thief") << "may still be somebody else";
    }
  EXPECT_TRUE(ann.ping()) << "whom they wanted to be notices nothing";
  EXPECT_EQ(ann.cancel_match().state(), Ticket::CANCELLED);

  ann.disconnect();
  wait_until("the grace to be over", [&] {
    const auto status = lobby.ask("status");
    return number(status, "/players/connected") == 1 &&
           number(status, "/players/disconnected") == 0;
  });
  Player late(lobby.port());
  EXPECT_EQ(late.resume(ann.me().session_token()).error().code(), "session_expired");
}

TEST(Resume, WithoutAJournalSessionsDoNotOutliveTheLobby) {
  Lobby lobby({.limits = "[journal]\nenabled = false\n"});
  Player ann(lobby.port(), "ann");
  lobby.end(SIGTERM);
  lobby.start();
  Player back(lobby.port());
  EXPECT_EQ(back.resume(ann.me().session_token()).error().code(), "session_expired");
  EXPECT_EQ(back.hello("ann").name(), "ann");
}

}  // namespace
}  // namespace muster::e2e
