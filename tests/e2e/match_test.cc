// A match from Match Start to its result, for players of every modern dialect.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include <ctime>

#include "lobby.h"
#include "players.h"
#include "wire/join_token.h"

namespace muster::e2e {
namespace {

using testing::HasSubstr;

LobbyOptions duel() { return {.command = {programs::duel_server, "{port}"}}; }

/// The public key that a game server was launched with.
wire::JoinPublicKey join_key_of(pid_t game_server) {
  const std::string text = environment_of(game_server, "MUSTER_JOIN_KEY");
  wire::JoinPublicKey key{};
  std::size_t bytes = 0;
  EXPECT_EQ(::sodium_base642bin(key.data(), key.size(), text.data(), text.size(), nullptr, &bytes,
                                nullptr, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
            0)
      << text;
  EXPECT_EQ(bytes, key.size());
  return key;
}

/// Plays the duel of two assignments with the example's own client, both as bots.
void play_duel(const Lobby& lobby, const Assignment& a, const Assignment& b) {
  std::vector<std::unique_ptr<Process>> bots;
  std::vector<std::string> outputs;
  for (const Assignment* assignment : {&a, &b}) {
    outputs.push_back(lobby / ("bot" + std::to_string(bots.size())));
    bots.push_back(std::make_unique<Process>(
        std::vector<std::string>{programs::duel_client, assignment->host(),
                                 std::to_string(assignment->port()), assignment->join_token(),
                                 "--bot"},
        ProcessOptions{.output = outputs.back()}));
  }
  for (std::size_t i = 0; i < bots.size(); ++i) {
    EXPECT_EQ(bots[i]->wait(), 0) << read_file(outputs[i]);
    EXPECT_THAT(read_file(outputs[i]), testing::ContainsRegex("You have won|You have lost|A draw"));
  }
}

TEST(Match, IsLaunchedOnDemandAndPlayedToItsResult) {
  Lobby lobby(duel());
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  EXPECT_TRUE(lobby.list("servers").empty()) << "nothing is launched before it is wanted";

  const Ticket first = ann.start_match();
  EXPECT_EQ(first.state(), Ticket::QUEUED);
  EXPECT_EQ(first.players(), 1u);
  EXPECT_EQ(first.players_needed(), 2u);
  bob.start_match();
  EXPECT_EQ(ann.ticket(Ticket::MATCHED).ticket_id(), first.ticket_id());

  const Assignment a = ann.assignment(), b = bob.assignment();
  EXPECT_EQ(a.server_id(), b.server_id());
  EXPECT_EQ(a.match_id(), b.match_id());
  EXPECT_EQ(a.host(), "127.0.0.1");
  EXPECT_EQ(a.port(), b.port());
  EXPECT_EQ(a.port(), lobby.first_port());
  EXPECT_EQ(a.queue(), "duel");
  EXPECT_EQ(a.ticket_id(), first.ticket_id());
  ASSERT_EQ(a.players_size(), 2);
  EXPECT_EQ(a.players(0).name(), "ann");
  EXPECT_EQ(a.players(1).name(), "bob");

  const auto server = lobby.server_in("allocated");
  const wire::JoinPublicKey key = join_key_of(pid_of(server));
  for (const auto& [player, assignment] : {std::pair{&ann, &a}, std::pair{&bob, &b}}) {
    const auto claims = wire::verify_join_token(assignment->join_token(), key, std::time(nullptr));
    ASSERT_TRUE(claims.has_value());
    EXPECT_EQ(claims->player, player->me().player_id());
    EXPECT_EQ(claims->name, player->me().name());
    EXPECT_EQ(claims->match, a.match_id());
    EXPECT_EQ(claims->server, a.server_id());
  }
  EXPECT_NE(a.join_token(), b.join_token());

  play_duel(lobby, a, b);
  for (Player* player : {&ann, &bob}) {
    const MatchEnded ended = player->match_ended();
    EXPECT_EQ(ended.match_id(), a.match_id());
    EXPECT_EQ(ended.reason(), MatchEnded::OVER);
    EXPECT_THAT(ended.result(), HasSubstr("\"winner\":"));
    EXPECT_THAT(ended.result(), HasSubstr("\"rounds\":"));
  }
}

TEST(Match, TheNextOneReusesTheServer) {
  Lobby lobby(duel());
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  Assignment before;
  for (int match = 0; match < 2; ++match) {
    ann.start_match();
    bob.start_match();
    const Assignment a = ann.assignment(), b = bob.assignment();
    if (match == 1) {
      EXPECT_EQ(a.server_id(), before.server_id());
      EXPECT_EQ(a.port(), before.port());
      EXPECT_NE(a.match_id(), before.match_id());
    }
    before = a;
    play_duel(lobby, a, b);
    EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);
    EXPECT_EQ(bob.match_ended().reason(), MatchEnded::OVER);
  }
  lobby.server_in("ready");
  EXPECT_EQ(number(lobby.ask("status"), "/totals/launches"), 1);
}

TEST(Match, AfterMatchExitFreesThePortAndTheNextGetsAnother) {
  Lobby lobby({.players = 1, .fleet = "after_match = \"exit\""});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  const Assignment first = ann.assignment();
  EXPECT_EQ(join(first), "ann");
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);
  wait_until("its game server to exit", [&] { return lobby.list("servers").empty(); });
  EXPECT_EQ(number(lobby.ask("status"), "/fleets/0/portsFree"), 4);

  ann.start_match();
  const Assignment second = ann.assignment();
  EXPECT_NE(second.port(), first.port()) << "a port just freed is not reused first";
  EXPECT_EQ(join(second), "ann");
}

TEST(Match, PlayersOfEveryDialectMeet) {
  Lobby lobby({.players = 3, .queue = "teams = 3"});
  Player ann(lobby.port(), "ann", Dialect::json), bob(lobby.port(), "bob", Dialect::binary),
      cat(lobby.port(), "cat", Dialect::native);
  ClientMessage start;  // What a player says of themselves travels to the others.
  start.mutable_start_match()->set_queue("duel");
  (*start.mutable_start_match()->mutable_attributes())["rank"].set_number(7);
  EXPECT_TRUE(ann.ask(start).has_ticket());
  bob.start_match();
  cat.start_match();
  std::set<std::uint32_t> teams;
  for (Player* player : {&ann, &bob, &cat}) {
    const Assignment assignment = player->assignment();
    teams.insert(assignment.team());
    EXPECT_EQ(assignment.port(), lobby.first_port());
    ASSERT_EQ(assignment.players_size(), 3);
    EXPECT_EQ(assignment.players(0).attributes().at("rank").number(), 7);
    EXPECT_EQ(join(assignment), player->me().name());
  }
  EXPECT_EQ(teams.size(), 3u);
  for (Player* player : {&ann, &bob, &cat})
    EXPECT_EQ(player->match_ended().reason(), MatchEnded::OVER);
}

TEST(Match, AWarmServerIsThereBeforeAnyPlayer) {
  Lobby lobby({.players = 1, .fleet = "ready_min = 1"});
  const auto warm = lobby.server_in("ready");
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.assignment().server_id(), text(warm, "/id"));
  // And another takes its place.
  wait_until("a second game server, Ready", [&] {
    const auto status = lobby.ask("status");
    return number(status, "/servers/ready") == 1 && number(status, "/servers/allocated") == 1;
  });
}

TEST(Match, WhoLeavesItsLaunchPutsTheOthersBack) {
  const TempFolder gate;
  Lobby lobby({.command = shell(fmt::format("while [ ! -e {0}/open ]; do sleep 0.05; done; "
                                            "exec {1} \"$MUSTER_PORT\"",
                                            gate.path(), programs::minimal_server))});
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob"), cat(lobby.port(), "cat");
  const Ticket first = ann.start_match();
  bob.start_match();
  ann.ticket(Ticket::MATCHED);
  EXPECT_EQ(bob.cancel_match().state(), Ticket::CANCELLED);
  EXPECT_EQ(ann.ticket(Ticket::QUEUED).ticket_id(), first.ticket_id());
  cat.start_match();
  write_file(gate / "open", "");
  const Assignment a = ann.assignment();
  EXPECT_EQ(a.server_id(), cat.assignment().server_id());
  EXPECT_EQ(number(lobby.ask("status"), "/totals/launches"), 1);
  ClientMessage cancel;
  cancel.mutable_cancel_match();
  EXPECT_EQ(bob.refusal(cancel), "not_queued");
}

}  // namespace
}  // namespace muster::e2e
