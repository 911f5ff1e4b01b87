// Rated matches of players with accounts, by real processes: ratings change once, whoever is
// killed.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

LobbyOptions rated() {
  return {.command = {programs::duel_server, "{port}"},
          .queue = "rating = \"elo\"\naccounts_only = true"};
}

/// Two who are assigned to a duel and have come to it. Who leaves it has lost.
struct Duel {
  Duel(Player& ann, Player& bob) {
    ann.start_match(), bob.start_match();
    anns.emplace(ann.assignment()), bobs.emplace(bob.assignment());
    anns->hear("round "), bobs->hear("round ");
  }
  std::optional<Duelist> anns, bobs;
};

/// "ann 1516 1": name, rating and matches, the best first.
std::vector<std::string> leaderboard(const Lobby& lobby) {
  std::vector<std::string> lines;
  const auto board = boost::json::parse(lobby.ctl({"leaderboard", "duel", "--json"}).output);
  for (const auto& e : board.at("entries").as_array())
    lines.push_back(text(e, "/name") + " " + text(e, "/rating") + " " + text(e, "/matches"));
  return lines;
}

wire::player::RatingChanged rating_changed(Player& player) {
  return player.next(LobbyMessage::kRatingChanged).rating_changed();
}

TEST(Rated, ADuelChangesRatingsForGood) {
  Lobby lobby(rated());
  {
    Player guest(lobby.port(), "guest");
    ClientMessage start;
    start.mutable_start_match()->set_queue("duel");
    EXPECT_EQ(guest.refusal(start), "account_required");
  }
  {
    Player ann(lobby.port()), bob(lobby.port(), Dialect::json);
    ASSERT_TRUE(ann.log_in("ann", true).has_welcome());
    ASSERT_TRUE(bob.log_in("bob", true).has_welcome());
    Duel duel(ann, bob);
    duel.bobs->leave();
    EXPECT_EQ(duel.anns->hear("end "), "end won");
    EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);
    const auto anns = rating_changed(ann), bobs = rating_changed(bob);
    EXPECT_EQ(anns.queue(), "duel");
    EXPECT_EQ(anns.rating(), 1516);
    EXPECT_EQ(anns.change(), 16);
    EXPECT_EQ(bobs.rating(), 1484);
    EXPECT_EQ(bobs.change(), -16);
  }
  EXPECT_THAT(leaderboard(lobby), ElementsAre("ann 1516 1", "bob 1484 1"));
  EXPECT_THAT(lobby.ctl({"ratings", "bob"}).output, HasSubstr("duel       2"));

  EXPECT_EQ(lobby.end(SIGTERM), 0);
  std::filesystem::remove_all(lobby / "data/journal");  // Ratings are not kept there.
  lobby.start();
  EXPECT_THAT(leaderboard(lobby), ElementsAre("ann 1516 1", "bob 1484 1"));
  Player ann(lobby.port()), bob(lobby.port());
  ASSERT_TRUE(ann.log_in("ann").has_welcome());
  ASSERT_TRUE(bob.log_in("bob").has_welcome());
  Duel duel(ann, bob);
  duel.anns->leave();
  EXPECT_EQ(rating_changed(bob).change(), 17) << "against somebody stronger";

  const Ran ended = lobby.ctl({"season-reset", "duel", "--keep", "0"});
  EXPECT_EQ(ended.output, "season 1 of queue duel has ended; 2 ratings begin season 2\n");
  EXPECT_THAT(leaderboard(lobby), ElementsAre("ann 1500 0", "bob 1500 0"));
  EXPECT_EQ(rating_changed(bob).rating(), 1500);
}

TEST(Rated, FromTheTerminal) {
  Lobby lobby(rated());
  const auto play = [&](const char* how) {
    return run({"/usr/bin/env", "MUSTER_PASSWORD=secret", programs::muster, "play", "--lobby",
                fmt::format("127.0.0.1:{}", lobby.port()), "--queue", "duel", "--name", "bot", how,
                "-n", "2", "--", programs::duel_client, "{host}", "{port}", "{token}", "--bot"});
  };
  EXPECT_EQ(play("--sign-up").exit_code, 0);
  wait_until("its result", [&] { return number(lobby.ask("status"), "/results/recorded") == 1; });
  EXPECT_EQ(leaderboard(lobby).size(), 2u);
  const Ran again = play("--sign-up");
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.output, HasSubstr("name_taken"));
  EXPECT_EQ(play("--account").exit_code, 0);
  wait_until("its result", [&] { return number(lobby.ask("status"), "/results/recorded") == 2; });
}

enum class Killed { before_the_end, at_the_end, once_told, node_before_the_end, both };

class RatedThoughKilled : public testing::TestWithParam<Killed> {};

TEST_P(RatedThoughKilled, AResultIsRecordedOnce) {
  Lobby lobby(rated());
  Player ann(lobby.port()), bob(lobby.port());
  ASSERT_TRUE(ann.log_in("ann", true).has_welcome());
  ASSERT_TRUE(bob.log_in("bob", true).has_welcome());
  {
    Duel duel(ann, bob);
    const pid_t node = lobby.node_pid();
    const bool both = GetParam() == Killed::both;
    if (both || GetParam() == Killed::before_the_end) {
      EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
    }
    if (both || GetParam() == Killed::node_before_the_end) {
      EXPECT_EQ(::kill(node, SIGKILL), 0);
    }
    duel.bobs->leave();
    EXPECT_EQ(duel.anns->hear("end "), "end won");
  }
  if (GetParam() == Killed::once_told) rating_changed(ann);
  if (lobby.running()) {
    EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
  }
  lobby.start();
  wait_until("the result to be recorded", [&] {
    const auto results = lobby.ask("status").at("results");
    return number(results, "/recorded") == 1 && number(results, "/outstanding") == 0;
  });
  EXPECT_THAT(leaderboard(lobby), ElementsAre("ann 1516 1", "bob 1484 1"));

  // What comes next counts from there.
  Player ann_again(lobby.port()), bob_again(lobby.port());
  ASSERT_TRUE(ann_again.log_in("ann").has_welcome());
  ASSERT_TRUE(bob_again.log_in("bob").has_welcome());
  Duel duel(ann_again, bob_again);
  duel.bobs->leave();
  EXPECT_EQ(rating_changed(ann_again).rating(), 1531);
  EXPECT_THAT(leaderboard(lobby), ElementsAre("ann 1531 2", "bob 1469 2"));
}

INSTANTIATE_TEST_SUITE_P(Lobby, RatedThoughKilled,
                         testing::Values(Killed::before_the_end, Killed::at_the_end,
                                         Killed::once_told, Killed::node_before_the_end,
                                         Killed::both),
                         [](const auto& killed) {
                           return killed.param == Killed::before_the_end ? "BeforeTheEnd"
                                  : killed.param == Killed::at_the_end   ? "AtTheEnd"
                                  : killed.param == Killed::once_told    ? "OnceTold"
                                  : killed.param == Killed::both         ? "LobbyAndNode"
                                                                         : "NodeBeforeTheEnd";
                         });

TEST(Banned, IsOutAndStaysOut) {
  Lobby lobby;
  Player ann(lobby.port()), bob(lobby.port(), "bob");
  ASSERT_TRUE(ann.log_in("ann", true).has_welcome());
  ann.start_match();
  EXPECT_THAT(lobby.ctl({"ban", "ann", "--for", "7d", "--reason", "cheating"}).output,
              HasSubstr("ann is banned until 20"));
  EXPECT_EQ(ann.next(LobbyMessage::kError).error().code(), "banned");
  EXPECT_FALSE(ann.next());
  EXPECT_TRUE(ann.closed());
  EXPECT_TRUE(lobby.list("tickets").empty());
  Player resumed(lobby.port());
  EXPECT_EQ(resumed.resume(ann.me().session_token()).error().code(), "session_expired");
  const auto refused = [&] {
    Player again(lobby.port());
    return again.log_in("ann").error();
  };
  EXPECT_EQ(refused().code(), "banned");
  EXPECT_THAT(refused().message(), HasSubstr("cheating; until 20"));

  EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
  lobby.start();
  EXPECT_EQ(refused().code(), "banned");
  EXPECT_THAT(lobby.ctl({"bans"}).output, HasSubstr("cheating"));
  EXPECT_EQ(lobby.ctl({"unban", "ann"}).exit_code, 0);
  EXPECT_EQ(lobby.ctl({"bans"}).output, "nobody is banned\n");
  Player again(lobby.port());
  EXPECT_TRUE(again.log_in("ann").has_welcome());
}

}  // namespace
}  // namespace muster::e2e
