// The programs a person starts, against each other: `muster play`, a browser, the duel.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "lobby.h"
#include "players.h"
#include "sockets.h"

namespace muster::e2e {
namespace {

using testing::HasSubstr;

std::string address(const Lobby& lobby) { return fmt::format("127.0.0.1:{}", lobby.port()); }

TEST(Play, TwoBotsPlayTheDuelFromTheTerminal) {
  Lobby lobby({.command = {programs::duel_server, "{port}"}});
  const Ran play =
      run({programs::muster, "play", "--lobby", address(lobby), "--queue", "duel", "-n", "2", "--",
           programs::duel_client, "{host}", "{port}", "{token}", "--bot"});
  EXPECT_EQ(play.exit_code, 0) << play.output;
  EXPECT_THAT(play.output, HasSubstr("winner"));
  lobby.server_in("ready");
}

TEST(Play, ManyPlayersAreAllAssigned) {
  Lobby lobby({.ports = 20});
  const Ran play = run({programs::muster, "play", "--lobby", address(lobby), "--queue", "duel",
                        "-n", "40", "--once", "--timeout", "20"});
  EXPECT_EQ(play.exit_code, 0) << play.output;
  EXPECT_EQ(number(lobby.ask("status"), "/totals/matches"), 20);
}

TEST(Play, ARefusalIsAnExitCode) {
  Lobby lobby;
  const Ran play = run({programs::muster, "play", "--lobby", address(lobby), "--queue", "nowhere"});
  EXPECT_EQ(play.exit_code, 1);
  EXPECT_THAT(play.output, HasSubstr("nowhere"));
}

TEST(Play, CtrlCTakesTheTicketBack) {
  Lobby lobby;
  Process play({programs::muster, "play", "--lobby", address(lobby), "--queue", "duel"}, {});
  wait_until("its ticket", [&] { return lobby.list("tickets").size() == 1; });
  play.signal(SIGINT);
  EXPECT_EQ(play.wait(), 130);
  EXPECT_TRUE(lobby.list("tickets").empty());
}

TEST(Play, ABrowserIsToldWhatThisIs) {
  Lobby lobby;
  struct Row {
    const char* request;
    const char* want;
  };
  for (const Row& row : {Row{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "},
                         Row{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "<h1>Muster</h1>"},
                         Row{"GET /live HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\nlive\n"},
                         Row{"HEAD /live HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 "}}) {
    SCOPED_TRACE(row.request);
    Socket socket(lobby.port());
    socket.send(row.request);
    std::string answer;
    EXPECT_TRUE(socket.ended(&answer));
    EXPECT_THAT(answer, HasSubstr(row.want));
  }
}

}  // namespace
}  // namespace muster::e2e
