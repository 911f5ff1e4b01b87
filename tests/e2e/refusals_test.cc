// Commands that are refused: each with its stable code, in each dialect, and the session goes on.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <limits>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

ClientMessage hello(const std::string& name) {
  ClientMessage message;
  message.mutable_hello()->mutable_guest()->set_name(name);
  return message;
}
ClientMessage start(const std::string& queue, std::uint32_t seats = 0) {
  ClientMessage message;
  message.mutable_start_match()->set_queue(queue);
  message.mutable_start_match()->set_seats(seats);
  return message;
}
ClientMessage start_with(const std::string& name, double value) {
  ClientMessage message = start("duel");
  (*message.mutable_start_match()->mutable_attributes())[name].set_number(value);
  return message;
}
ClientMessage start_with_many_attributes() {
  ClientMessage message = start("duel");
  for (int i = 0; i < 17; ++i)
    (*message.mutable_start_match()->mutable_attributes())[std::to_string(i)].set_number(i);
  return message;
}
ClientMessage cancel() {
  ClientMessage message;
  message.mutable_cancel_match();
  return message;
}
ClientMessage leave() {
  ClientMessage message;
  message.mutable_leave_match();
  return message;
}
ClientMessage hello_without_identity() {
  ClientMessage message;
  message.mutable_hello();
  return message;
}

struct Row {
  const char* name;
  ClientMessage message;
  const char* code;
};

void expect_refusals(Player& player, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const LobbyMessage answer = player.ask(row.message);
    ASSERT_TRUE(answer.has_error()) << answer.ShortDebugString();
    EXPECT_EQ(answer.error().code(), row.code);
    EXPECT_FALSE(answer.error().message().empty());
    EXPECT_NE(answer.request(), 0u) << "it says what it answers";
    EXPECT_TRUE(player.ping());
  }
}

TEST(Refusals, InEachDialect) {
  const std::vector<Row> strangers = {
      {"start before hello", start("duel"), "not_identified"},
      {"cancel before hello", cancel(), "not_identified"},
      {"leave before hello", leave(), "not_identified"},
      {"no name", hello(""), "name_invalid"},
      {"a long name", hello(std::string(33, 'a')), "name_invalid"},
      {"a name with a control character", hello("a\nb"), "name_invalid"},
      {"a hello without identity", hello_without_identity(), "message_invalid"},
      {"nothing at all", ClientMessage(), "message_invalid"},
  };
  const std::vector<Row> players = {
      {"a second hello", hello("ann"), "already_identified"},
      {"no such queue", start("nowhere"), "queue_not_found"},
      {"a queue's name that is very long", start(std::string(5000, 'x')), "queue_not_found"},
      {"more seats than a match has", start("duel", 3), "seats_invalid"},
      {"very many seats", start("duel", 0xffffffff), "seats_invalid"},
      {"an attribute that is no number", start_with("x", std::numeric_limits<double>::quiet_NaN()),
       "attributes_invalid"},
      {"an endless attribute", start_with("x", std::numeric_limits<double>::infinity()),
       "attributes_invalid"},
      {"too many attributes", start_with_many_attributes(), "attributes_invalid"},
      {"cancel without a ticket", cancel(), "not_queued"},
      {"leave without a match", leave(), "not_in_match"},
  };
  Lobby lobby({.limits = "messages_per_second = 1000"});
  for (const Dialect dialect : dialects) {
    SCOPED_TRACE(to_string(dialect));
    Player ann(lobby.port(), dialect), bob(lobby.port(), "bob", dialect);
    expect_refusals(ann, strangers);
    ann.hello("ann");
    expect_refusals(ann, players);

    ann.start_match();
    expect_refusals(ann, {{"start while queued", start("duel"), "already_queued"},
                          {"leave while queued", leave(), "not_in_match"}});
    bob.start_match();
    ann.assignment();
    bob.assignment();
    expect_refusals(ann, {{"start in a match", start("duel"), "already_in_match"},
                          {"cancel in a match", cancel(), "not_queued"}});
    EXPECT_EQ(ann.leave_match().reason(), MatchEnded::LEFT);
    EXPECT_EQ(bob.leave_match().reason(), MatchEnded::LEFT);
    expect_refusals(ann, {{"leave twice", leave(), "not_in_match"}});
  }
}

TEST(Refusals, OfAFullLobby) {
  Lobby lobby({.players = 1,
               .lobby = "resume_grace = \"0s\"",
               .limits = "players_max = 1\nsessions_max = 2"});
  for (const Dialect dialect : dialects) {
    SCOPED_TRACE(to_string(dialect));
    Player ann(lobby.port(), "ann"), bob(lobby.port(), dialect);
    expect_refusals(bob, {{"one player more than there may be", hello("bob"), "lobby_full"}});
    Player cat(lobby.port(), dialect);  // One connection more than there may be.
    EXPECT_EQ(cat.next(LobbyMessage::kError).error().code(), "lobby_full");
    EXPECT_FALSE(cat.next()) << "and it is closed";
    EXPECT_TRUE(ann.ping());
    ann.disconnect();
    bob.disconnect();
    cat.disconnect();
    wait_until("ann to be forgotten: her place is for whom comes next", [&] {
      const auto status = lobby.ask("status");
      return number(status, "/players/connected") + number(status, "/players/disconnected") == 0;
    });
  }
}

TEST(Refusals, OfWhoSaysTooMuch) {
  Lobby lobby({.limits = "messages_per_second = 1"});
  Player bystander(lobby.port(), "bystander");
  ClientMessage ping;
  ping.mutable_ping()->set_number(1);
  for (const Dialect dialect : dialects) {
    SCOPED_TRACE(to_string(dialect));
    Player ann(lobby.port(), "ann", dialect);
    for (int i = 0; i < 4; ++i) ann.say(ping);
    EXPECT_EQ(ann.next(LobbyMessage::kError).error().code(), "rate_limited");
    for (int i = 0; i < 200 && ann.say(ping); ++i) {
    }
    while (const auto message = ann.next()) {  // Ten times too much closes the connection.
      if (!message->has_error()) continue;
      EXPECT_EQ(message->error().code(), "rate_limited");
    }
  }
  EXPECT_TRUE(bystander.ping());
}

TEST(Refusals, WhileTheLobbyIsStopping) {
  // A game server that is slow to leave holds the lobby up.
  Lobby lobby({.command = shell("trap 'sleep 2; exit 0' TERM; " + programs::minimal_server +
                                " {port} & wait $!"),
               .fleet = "ready_min = 1"});
  lobby.server_in("ready");
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  bob.start_match();
  ::kill(lobby.pid(), SIGINT);
  EXPECT_EQ(bob.ticket(Ticket::FAILED).error().code(), "lobby_stopping");
  expect_refusals(ann, {{"start", start("duel"), "lobby_stopping"}});
}

TEST(Refusals, InClassicPackets) {
  namespace classic = wire::classic;
  Lobby lobby;
  ClassicPeer ann(lobby.port());
  ann.say(classic::MatchRequest{});
  EXPECT_EQ(ann.next<classic::MatchUpdate>().players, 0) << "a match request before a login";
  EXPECT_LE(ann.log_in("").success, 0) << "no name";
  EXPECT_LE(ann.log_in("a\x01").success, 0) << "a name with a control character";
  EXPECT_EQ(ann.log_in("ann").success, 1);
  EXPECT_LE(ann.log_in("bob").success, 0) << "a second login";
  ann.say(classic::MatchRequest{0});
  EXPECT_EQ(ann.next<classic::MatchUpdate>().players, 0) << "no seats";
  ann.say(classic::MatchRequest{-2});
  EXPECT_EQ(ann.next<classic::MatchUpdate>().players, 0) << "fewer";
  ann.say(classic::MatchRequest{});
  EXPECT_EQ(ann.next<classic::MatchUpdate>().players, 1) << "and the session goes on";
}

}  // namespace
}  // namespace muster::e2e
