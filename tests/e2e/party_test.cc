// Players who come together and stay so, matches that are accepted first, and many who come or go
// at once.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

using wire::player::Party;

Party ask_party(Player& player, const std::function<void(ClientMessage&)>& fill) {
  ClientMessage message;
  fill(message);
  const LobbyMessage answer = player.ask(message);
  EXPECT_TRUE(answer.has_party()) << answer.ShortDebugString();
  return answer.party();
}

/// The first creates it, the others join by its code.
Party together(const std::vector<Player*>& players) {
  Party party = ask_party(*players.front(), [](ClientMessage& m) { m.mutable_create_party(); });
  for (std::size_t i = 1; i < players.size(); ++i) {
    const std::string code = party.code();
    party =
        ask_party(*players[i], [&](ClientMessage& m) { m.mutable_join_party()->set_code(code); });
  }
  EXPECT_EQ(party.members_size(), static_cast<int>(players.size()));
  return party;
}

Ticket accept(Player& player) {
  ClientMessage message;
  message.mutable_accept_match();
  const LobbyMessage answer = player.ask(message);
  EXPECT_TRUE(answer.has_ticket()) << answer.ShortDebugString();
  return answer.ticket();
}

LobbyMessage decline(Player& player) {
  ClientMessage message;
  message.mutable_decline_match();
  return player.ask(message);
}

std::uint32_t team_of(const Assignment& assignment, const std::string& name) {
  for (const auto& player : assignment.players())
    if (player.name() == name) return player.team();
  ADD_FAILURE() << name << " is not in " << assignment.ShortDebugString();
  return 0;
}

// The lobby is killed while half of them have accepted: it comes back with both parties, the offer,
// and who has accepted.
TEST(Party, TwoPartiesOfTwoMeetAndTheOfferOutlivesTheLobby) {
  Lobby lobby({.players = 4, .queue = "teams = 2\naccept_timeout = \"2m\"\n"});
  std::deque<Player> players;
  const char* const names[] = {"ann", "bob", "cid", "dan"};
  const Dialect speaks[] = {Dialect::native, Dialect::json, Dialect::binary, Dialect::native};
  for (int i = 0; i < 4; ++i) players.emplace_back(lobby.port(), names[i], speaks[i]);
  const Party red = together({&players[0], &players[1]});
  const Party blue = together({&players[2], &players[3]});
  EXPECT_NE(red.code(), blue.code());

  const Ticket reds = players[0].start_match();
  players[2].start_match();
  for (Player& player : players) {
    const Ticket offered = player.ticket(Ticket::OFFERED);
    EXPECT_EQ(offered.accepts_needed(), 4u);
    EXPECT_GT(offered.accept_left_ms(), 0u);
  }
  EXPECT_TRUE(lobby.list("servers").empty()) << "nothing is launched before all have accepted";
  EXPECT_TRUE(accept(players[0]).you_accepted());
  EXPECT_EQ(accept(players[2]).accepted(), 2u);

  EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
  lobby.start();
  std::deque<Player> again;
  for (int i = 0; i < 4; ++i) {
    Player& player = again.emplace_back(lobby.port(), speaks[3 - i]);
    ASSERT_TRUE(
        player.resume(players[static_cast<std::size_t>(i)].me().session_token()).has_welcome());
    const Party party = player.next(LobbyMessage::kParty).party();
    EXPECT_EQ(party.party_id(), (i < 2 ? red : blue).party_id());
    EXPECT_EQ(party.code(), (i < 2 ? red : blue).code());
    EXPECT_EQ(party.members(0).name(), i < 2 ? "ann" : "cid") << "who led, leads";
    const Ticket ticket = player.ticket(Ticket::OFFERED);
    EXPECT_EQ(ticket.accepted(), 2u);
    EXPECT_EQ(ticket.you_accepted(), i % 2 == 0);
    if (i < 2) {
      EXPECT_EQ(ticket.ticket_id(), reds.ticket_id());
    }
  }
  accept(again[1]);
  EXPECT_EQ(accept(again[3]).state(), Ticket::MATCHED);
  for (Player& player : again) {
    const Assignment assignment = player.assignment();
    EXPECT_EQ(assignment.players_size(), 4);
    EXPECT_EQ(team_of(assignment, "ann"), team_of(assignment, "bob"));
    EXPECT_EQ(team_of(assignment, "cid"), team_of(assignment, "dan"));
    EXPECT_NE(team_of(assignment, "ann"), team_of(assignment, "cid"));
  }
}

TEST(Party, WhoDeclinesWaitsAndTheOthersGoOn) {
  Lobby lobby({.queue = "accept_timeout = \"2m\"\ndecline_penalty = \"5m\"\n"});
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob", Dialect::json);
  const Ticket anns = ann.start_match();
  bob.start_match();
  ann.ticket(Ticket::OFFERED), bob.ticket(Ticket::OFFERED);
  accept(ann);
  const LobbyMessage declined = decline(bob);
  EXPECT_EQ(declined.ticket().state(), Ticket::CANCELLED) << declined.ShortDebugString();
  EXPECT_EQ(declined.ticket().error().code(), "match_declined");
  EXPECT_EQ(ann.ticket(Ticket::QUEUED).ticket_id(), anns.ticket_id());

  ClientMessage start;
  start.mutable_start_match()->set_queue("duel");
  const LobbyMessage refused = bob.ask(start);
  EXPECT_EQ(refused.error().code(), "queue_penalty") << refused.ShortDebugString();
  EXPECT_GT(refused.error().retry_after_ms(), 200'000u);

  Player cid(lobby.port(), "cid", Dialect::binary);
  cid.start_match();
  ann.ticket(Ticket::OFFERED), cid.ticket(Ticket::OFFERED);
  accept(ann), accept(cid);
  EXPECT_EQ(ann.assignment().match_id(), cid.assignment().match_id());
}

/// As many as 1000 (after every event all invariants are checked in these builds, of all of them),
/// or as the open files of this process and the lobby allow: in whole matches.
std::size_t burst_players(std::size_t match) {
  rlimit files{};
  EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &files), 0);
  const std::size_t room = files.rlim_cur > 600 ? files.rlim_cur - 500 : 100;
  return std::min<std::size_t>(1000, room) / match * match;
}

TEST(Burst, AThousandStartsAtOnceDropNobody) {
  constexpr std::size_t match = 100;
  const std::size_t count = burst_players(match);
  const auto matches = static_cast<std::uint16_t>(count / match);
  Lobby lobby({.ports = matches,
               .players = match,
               .fleet = fmt::format("servers_max = {}\nlaunch_timeout = \"2m\"\n", matches)});
  std::deque<Player> players;
  for (std::size_t i = 0; i < count; ++i) players.emplace_back(lobby.port(), fmt::format("p{}", i));
  ClientMessage start;
  start.set_request(77);
  start.mutable_start_match()->set_queue("duel");
  for (Player& player : players) ASSERT_TRUE(player.say(start));  // All, before anybody listens.
  std::map<std::string, std::size_t> met;
  for (Player& player : players) {
    const Assignment assignment = player.assignment();
    EXPECT_EQ(assignment.players_size(), static_cast<int>(match));
    ++met[assignment.match_id()];
  }
  EXPECT_EQ(met.size(), count / match);
  for (const auto& [id, here] : met) EXPECT_EQ(here, match) << "of match " << id;
}

// Forty are matched, and no game server is ready yet; half of them leave, each in their way. Those
// who stay meet one another.
TEST(Burst, TwentyWhoLeaveTheirMatchesStrandNobody) {
  Lobby lobby({.command = shell("while [ ! -e go ]; do sleep 0.05; done; exec " +
                                programs::minimal_server + " {port}"),
               .ports = 10,
               .players = 4,
               .fleet = "servers_max = 10\nlaunch_timeout = \"2m\"\n",
               .lobby = "resume_grace = \"0s\"\n"});
  std::deque<Player> players;
  for (int i = 0; i < 40; ++i) players.emplace_back(lobby.port(), fmt::format("p{}", i));
  for (Player& player : players) player.start_match();
  for (Player& player : players) player.ticket(Ticket::MATCHED);
  std::set<std::string> gone;
  for (std::size_t i = 0; i < players.size(); i += 2) {
    gone.insert(players[i].me().name());
    if (i % 4 == 0)
      EXPECT_EQ(players[i].cancel_match().state(), Ticket::CANCELLED);
    else
      players[i].disconnect();
  }
  wait_until("the lobby to have seen everybody go",
             [&] { return lobby.list("tickets").size() == 20; });
  std::ofstream(lobby / "go").close();
  for (std::size_t i = 1; i < players.size(); i += 2) {
    const Assignment assignment = players[i].assignment();
    EXPECT_EQ(assignment.players_size(), 4);
    for (const auto& player : assignment.players())
      EXPECT_FALSE(gone.contains(player.name())) << player.name() << " had left";
  }
}

}  // namespace
}  // namespace muster::e2e
