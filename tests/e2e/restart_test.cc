// The lobby is killed and comes back: players, tickets and matches are where they were.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <filesystem>
#include <optional>
#include <thread>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

LobbyMessage come_back(Player& player, const Player& before) {
  return player.resume(before.me().session_token());
}

TEST(Restart, AKilledLobbyHasItsPlayersTicketsAndMatchesAgain) {
  Lobby lobby({.command = {programs::minimal_server, "{port}"}, .players = 2});
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob"), cid(lobby.port(), "cid");
  ann.start_match(), bob.start_match();
  const Assignment before = ann.assignment();
  const Assignment bobs = bob.assignment();
  const Ticket waiting = cid.start_match();
  const auto waited = [&] {
    const Player visitor(lobby.port(), "visitor");  // Ages are as of the last event.
    return lobby.list("tickets")[0].at("waitingSeconds").to_number<double>();
  };
  wait_until("it to have waited for a while", [&] { return waited() > 0.2; });
  const pid_t server = pid_of(lobby.server_in("allocated"));

  const double waited_before = waited();
  EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
  lobby.start();
  EXPECT_GE(waited(), waited_before) << "it has waited since it began";

  Player ann_again(lobby.port(), Dialect::json), cid_again(lobby.port(), Dialect::native);
  const LobbyMessage welcome = come_back(ann_again, ann);
  ASSERT_TRUE(welcome.has_welcome()) << welcome.ShortDebugString();
  EXPECT_EQ(welcome.welcome().player_id(), ann.me().player_id());
  const Assignment after = ann_again.assignment();
  EXPECT_EQ(after.match_id(), before.match_id());
  EXPECT_EQ(after.server_id(), before.server_id());
  EXPECT_EQ(after.port(), before.port());
  EXPECT_EQ(pid_of(lobby.server_in("allocated")), server) << "the same process";

  ASSERT_TRUE(come_back(cid_again, cid).has_welcome());
  EXPECT_EQ(cid_again.next(LobbyMessage::kTicket).ticket().ticket_id(), waiting.ticket_id());
  Player dan(lobby.port(), "dan");
  dan.start_match();
  EXPECT_EQ(cid_again.assignment().players(0).name(), "cid") << "its place is before dan's";

  EXPECT_EQ(join(after), "ann") << "the game server believes the token of the lobby's new life";
  EXPECT_EQ(join(bobs), "bob") << "and that of its last life";
  EXPECT_EQ(ann_again.match_ended().reason(), MatchEnded::OVER);
}

// The two who play keep their connection to the game server; that the lobby dies, is away for a
// while and comes back, their game does not notice.
TEST(Restart, InTheMiddleOfADuelIsNotNoticedByTheGame) {
  Lobby lobby({.command = {programs::duel_server, "{port}"}});
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  ann.start_match(), bob.start_match();
  const Assignment a = ann.assignment(), b = bob.assignment();
  const pid_t server = pid_of(lobby.server_in("allocated"));
  Duelist anns(a), bobs(b);
  const auto play_round = [&](int number) {
    for (Duelist* duelist : {&anns, &bobs}) {
      EXPECT_TRUE(duelist->hear("round ").starts_with("round " + std::to_string(number) + ' '));
      duelist->say("guard");
    }
    for (Duelist* duelist : {&anns, &bobs}) duelist->hear("moves ");
  };
  play_round(1);
  EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
  play_round(2);
  lobby.start();
  Player ann_again(lobby.port()), bob_again(lobby.port());
  ASSERT_TRUE(come_back(ann_again, ann).has_welcome());
  ASSERT_TRUE(come_back(bob_again, bob).has_welcome());
  EXPECT_EQ(ann_again.assignment().match_id(), a.match_id());
  play_round(3);
  EXPECT_EQ(pid_of(lobby.server_in("allocated")), server);
  anns.say("attack"), bobs.say("feint");  // Until one of them has won.
  for (std::string line = anns.hear(""); !line.starts_with("end "); line = anns.hear(""))
    if (line.starts_with("round ") && !line.starts_with("round 4 "))
      anns.say("attack"), bobs.say("feint");
  bobs.hear("end ");
  for (Player* player : {&ann_again, &bob_again}) {
    const MatchEnded ended = player->match_ended();
    EXPECT_EQ(ended.match_id(), a.match_id());
    EXPECT_EQ(ended.reason(), MatchEnded::OVER);
    EXPECT_THAT(ended.result(), testing::HasSubstr("\"winner\":"));
  }
  EXPECT_EQ(pid_of(lobby.server_in("ready")), server);
}

// A storm: everybody comes back in the same moment, and somebody new is among them. The lobby takes
// connections a few at a time, in their order, and keeps a place for everybody who was there.
TEST(Restart, EverybodyComesBackAtOnce) {
  constexpr int count = 1000;
  Lobby lobby({.limits = fmt::format("sessions_max = {}", count + 1)});
  std::deque<Player> before, after;
  for (int i = 0; i < count; ++i) before.emplace_back(lobby.port(), fmt::format("p{}", i));
  EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
  lobby.start();
  const auto begun = steady_clock::now();
  std::optional<Player> late;
  for (const Player& player : before) {
    if (after.size() == count / 2) late.emplace(lobby.port(), "late");
    ClientMessage message;
    message.mutable_hello()->mutable_resume()->set_session_token(player.me().session_token());
    after.emplace_back(lobby.port(), Dialect::native);
    ASSERT_TRUE(after.back().say(message));
  }
  for (std::size_t i = 0; i < after.size(); ++i) {
    const Welcome welcome = after[i].next(LobbyMessage::kWelcome).welcome();
    EXPECT_TRUE(welcome.resumed());
    EXPECT_EQ(welcome.player_id(), before[i].me().player_id());
  }
  fmt::print("[ figure   ] {} players back after the lobby was killed: {} ms\n", count,
             std::chrono::duration_cast<milliseconds>(steady_clock::now() - begun).count());
  EXPECT_TRUE(late->ping());
}

TEST(Restart, OneThatEndsInGoodOrderToo) {
  Lobby lobby;
  Player ann(lobby.port(), "ann");
  const Ticket waiting = ann.start_match();
  EXPECT_EQ(lobby.end(SIGTERM), 0);
  lobby.start();
  Player again(lobby.port());
  ASSERT_TRUE(come_back(again, ann).has_welcome());
  EXPECT_EQ(again.next(LobbyMessage::kTicket).ticket().ticket_id(), waiting.ticket_id());
}

TEST(Takeover, AnotherProcessGoesOnAndNobodyIsRefused) {
  Lobby lobby({.fleet = "ready_min = 1"});
  Player ann(lobby.port(), "ann");
  const Ticket waiting = ann.start_match();
  const pid_t server = pid_of(lobby.server_in("ready"));
  const pid_t before = lobby.pid();
  std::atomic<bool> over = false;
  std::atomic<int> connected = 0;
  std::string refused;
  std::thread strangers([&] {
    while (!over) try {
        const Socket stranger(lobby.port());
        ++connected;
      } catch (const std::exception& error) {
        refused = error.what();
      }
  });
  EXPECT_EQ(lobby.take_over(), 0);
  EXPECT_NE(lobby.pid(), before);
  EXPECT_EQ(ann.next(LobbyMessage::kError).error().code(), "lobby_stopping");
  Player again(lobby.port());
  ASSERT_TRUE(come_back(again, ann).has_welcome());
  EXPECT_EQ(again.next(LobbyMessage::kTicket).ticket().ticket_id(), waiting.ticket_id());
  over = true;
  strangers.join();
  EXPECT_EQ(refused, "");
  EXPECT_GT(connected, 0);
  EXPECT_EQ(pid_of(lobby.server_in("ready")), server);
  EXPECT_EQ(lobby.take_over(), 0) << "and another in its place";
  EXPECT_TRUE(lobby.ask("status").is_object());
}

TEST(Takeover, OneThatCannotGoOnChangesNothing) {
  Lobby lobby;
  Player ann(lobby.port(), "ann");
  write_file(lobby / "bad.toml", "[lobby]\nlistne = 1\n");
  EXPECT_NE(run({programs::muster, "serve", "--takeover", lobby / "bad.toml"}).exit_code, 0);
  // A newer program's snapshot, say.
  write_file(lobby / "data/journal/09999999999999999999.snapshot", "what is this");
  const Ran ran = run({programs::muster, "serve", "--takeover", lobby.config_file()});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.output.find("that one goes on"), std::string::npos) << ran.output;
  EXPECT_TRUE(ann.ping()) << "the one that runs has noticed nothing";
}

TEST(Takeover, WithoutALobbyItJustStarts) {
  Lobby lobby;
  EXPECT_EQ(lobby.end(SIGTERM), 0);
  Process alone({programs::muster, "serve", "--takeover", lobby.config_file()}, {});
  wait_until("it to listen", [&] { return lobby.ctl({"status"}).exit_code == 0; });
  alone.signal(SIGTERM);
  EXPECT_EQ(alone.wait(), 0);
}

TEST(Restart, FromABackupThatWasMadeWhileItRan) {
  Lobby lobby;
  Player ann(lobby.port(), "ann");
  const Ticket waiting = ann.start_match();
  const Ran ran = run({programs::muster, "backup", lobby / "data", lobby / "copy"});
  ASSERT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_EQ(ann.cancel_match().state(), Ticket::CANCELLED);
  EXPECT_EQ(lobby.end(SIGINT), 0);
  std::filesystem::remove_all(lobby / "data");
  std::filesystem::rename(lobby / "copy", lobby / "data");
  lobby.start();
  Player again(lobby.port());
  ASSERT_TRUE(come_back(again, ann).has_welcome());
  EXPECT_EQ(again.next(LobbyMessage::kTicket).ticket().ticket_id(), waiting.ticket_id())
      << "as it was when the backup was made";
}

TEST(Restart, AJournalThatIsDamagedStopsTheStartWithFileAndOffset) {
  Lobby lobby({.limits = "[journal]\nsync_interval = \"0s\"\n"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
  const std::string folder = lobby / "data/journal";
  std::string file;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".journal") file = std::max(file, entry.path().string());
  std::string bytes = read_file(file);
  const std::size_t at = bytes.find("ann");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'A';
  write_file(file, bytes);
  const Ran ran = run({programs::muster, "serve", lobby.config_file()});
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_NE(ran.output.find(file + ": offset "), std::string::npos) << ran.output;
}

}  // namespace
}  // namespace muster::e2e
