// Game servers that know nothing of Muster: sdk = "none".
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

using testing::HasSubstr;

/// What a plain server answers on that port; throws if it does not.
std::string ask(std::uint32_t port, std::string_view question) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  ::send(fd, question.data(), question.size(), 0);
  pollfd ready{fd, POLLIN, 0};
  char answer[256];
  const bool came = ::poll(&ready, 1, static_cast<int>(milliseconds{patience}.count())) == 1;
  const ssize_t n = came ? ::recv(fd, answer, sizeof answer, 0) : -1;
  ::close(fd);
  if (n < 0) throw std::runtime_error(fmt::format("nobody answers on UDP port {}", port));
  return {answer, static_cast<std::size_t>(n)};
}

std::string last_launch_error(const Lobby& lobby) {
  return text(lobby.ask("status"), "/fleets/0/lastLaunchError");
}

const std::string answers = "[fleet.ready]\nudp = { send = 'info', expect = '^info ' }\n";

TEST(Plain, FromMatchStartToItsEnd) {
  Lobby lobby({.command = {programs::plain_server, "{server_dir}/server.cfg"},
               .fleet = "sdk = \"none\"\nprotocol = \"udp\"\nafter_match = \"exit\"\n" + answers +
                        "[fleet.files]\n\"server.cfg\" = { text = \"port {port}\\nmap {map}\" }\n"
                        "[fleet.end]\nlog = 'match over, winner: (\\w+)'\n",
               .queue = "map = \"dust\""});
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  ann.start_match();
  bob.start_match();
  const Assignment assignment = ann.assignment();
  bob.assignment();
  const auto server = lobby.server();
  EXPECT_EQ(ask(assignment.port(), "info"), "info map=dust players=0");
  const std::string folder = lobby / "data/servers/" + assignment.server_id();
  EXPECT_TRUE(std::filesystem::exists(folder + "/server.cfg"));
  ask(assignment.port(), "win ann");
  for (Player* player : {&ann, &bob}) {
    const MatchEnded ended = player->match_ended();
    EXPECT_EQ(ended.reason(), MatchEnded::OVER);
    EXPECT_EQ(ended.result(), "ann");
  }
  wait_until("it to be stopped", [&] { return lobby.list("servers").empty(); });
  EXPECT_FALSE(std::filesystem::exists(folder));
  EXPECT_EQ(number(lobby.ask("status"), "/fleets/0/portsFree"), 4);
}

TEST(Plain, ALineThatIsPrintedWhileNobodyReadsEndsItsMatch) {
  Lobby lobby({.command = {programs::plain_server, "--port", "{port}"},
               .players = 1,
               .fleet = "sdk = \"none\"\nprotocol = \"udp\"\nafter_match = \"exit\"\n" + answers +
                        "[fleet.end]\nlog = 'match over, winner: (\\w+)'\n"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  const Assignment assignment = ann.assignment();
  const pid_t node = lobby.node_pid(), server = pid_of(lobby.server_in("allocated"));
  lobby.end(SIGKILL);
  ASSERT_EQ(::kill(node, SIGKILL), 0);
  ask(assignment.port(), "win ann");
  EXPECT_EQ(::kill(server, 0), 0);
  lobby.start();
  wait_until("it to be stopped", [&] { return lobby.list("servers").empty(); });
  EXPECT_THAT(lobby.ask("status").at("totals").at("serversLost").as_int64(), 0);
  EXPECT_TRUE(lobby.list("matches").empty());
  Player again(lobby.port());
  ASSERT_TRUE(again.resume(ann.me().session_token()).has_welcome());
  again.start_match();
  EXPECT_NE(again.assignment().match_id(), assignment.match_id());
}

TEST(Plain, TheOtherWaysToBeReady) {
  for (const char* const way :
       {"tcp = true", "udp = true", "delay = \"150ms\"", "log = '^listening on port'"}) {
    SCOPED_TRACE(way);
    Lobby lobby({.command = {programs::plain_server, "--port", "{port}", "--tcp"},
                 .players = 1,
                 .fleet = "sdk = \"none\"\nafter_match = \"exit\"\n[fleet.ready]\n" +
                          std::string(way) + "\n[fleet.end]\nlog = 'match over'\n"});
    Player ann(lobby.port(), "ann");
    ann.start_match();
    const Assignment assignment = ann.assignment();
    EXPECT_EQ(ask(assignment.port(), "info"), "info map=arena players=0");
    ask(assignment.port(), "win ann");
    EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);
    wait_until("it to be stopped", [&] { return lobby.list("servers").empty(); });
  }
}

TEST(Plain, IsReadyAgainAfterAMatchAndALobbyTakesItBack) {
  Lobby lobby({.command = {programs::plain_server, "--port", "{port}"},
               .players = 1,
               .fleet = "sdk = \"none\"\n" + answers + "[fleet.end]\nlog = 'match over'\n"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  const Assignment first = ann.assignment();
  ask(first.port(), "win ann");
  EXPECT_EQ(ann.match_ended().result(), "");
  lobby.server_in("ready");
  lobby.end(SIGTERM);
  lobby.start();
  lobby.server_in("ready");
  Player bob(lobby.port(), "bob");
  bob.start_match();
  EXPECT_EQ(bob.assignment().server_id(), first.server_id());
}

TEST(Plain, NobodyThereEndsTheMatch) {
  const char* const counts[] = {
      "joined = 'player \\w+ joined'\nleft = 'player \\w+ left'\n",
      "players_udp = { send = 'info', expect = 'players=(\\d+)' }\nplayers_interval = \"100ms\"\n"};
  for (const char* count : counts) {
    SCOPED_TRACE(count);
    Lobby lobby(
        {.command = {programs::plain_server, "--port", "{port}"},
         .players = 1,
         .fleet = "sdk = \"none\"\n" + answers + "[fleet.end]\nidle = \"300ms\"\n" + count});
    Player ann(lobby.port(), "ann");
    ann.start_match();
    const Assignment assignment = ann.assignment();
    ask(assignment.port(), "join ann");
    wait_until("the player to be counted",
               [&] { return number(lobby.server(), "/playersCounted") == 1; });
    ask(assignment.port(), "leave ann");
    EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);
    lobby.server_in("ready");
  }
}

TEST(Plain, NamedPortsReachTheServerAndThePlayers) {
  Lobby lobby({.command = shell("echo {port} {port.query} $MUSTER_PORT_QUERY {port.rcon} > ports; "
                                "exec " +
                                programs::plain_server + " --port {port.query}"),
               .ports = 8,
               .players = 1,
               .fleet = "servers_max = 2\nsdk = \"none\"\n[fleet.port.query]\noffset = 1\n"
                        "[fleet.port.rcon]\noffset = 3\n"
                        "[fleet.ready]\nudp = { send = 'info', port = 'query' }\n"});
  Player ann(lobby.port(), "ann", Dialect::json);
  ann.start_match();
  const Assignment assignment = ann.assignment();
  const std::uint32_t port = lobby.first_port();
  EXPECT_EQ(assignment.port(), port);
  EXPECT_EQ(assignment.ports().at("query"), port + 1);
  EXPECT_EQ(assignment.ports().at("rcon"), port + 3);
  EXPECT_EQ(read_file(lobby / "ports"),
            fmt::format("{} {} {} {}\n", port, port + 1, port + 1, port + 3));
  EXPECT_THAT(lobby.ctl({"servers"}).output, HasSubstr(fmt::format("query:{}", port + 1)));
  EXPECT_EQ(number(lobby.server(), "/ports/rcon"), port + 3);
}

TEST(Plain, ALaunchThatFailsSaysWhy) {
  const std::string server = programs::plain_server;
  const std::string tcp = "[fleet.ready]\ntcp = true\n";
  struct Row {
    const char* name;
    std::string script;
    std::string ready;
    std::string why;
    const char* launch_timeout = "2s";
  };
  const Row rows[] = {
      {"binds another port", "exec " + server + " --tcp --port $(({port} + 3))", tcp,
       "not Ready within launch_timeout: it listens on TCP", "3s"},
      {"binds UDP only", "exec " + server + " --port {port}", tcp,
       "not Ready within launch_timeout: it listens on UDP"},
      {"binds nothing", "exec sleep 100", tcp,
       "not Ready within launch_timeout: it listens on no port; TCP"},
      {"answers something else", "exec " + server + " --port {port}",
       "[fleet.ready]\nudp = { send = 'hello', expect = '^info' }\n", "it answers \"what?\""},
      {"never says so", "echo loading; exec sleep 100", "[fleet.ready]\nlog = 'ready'\n",
       "the last is \"loading\""},
      {"goes into the background", "setsid " + server + " --port {port} & echo started", answers,
       "exit code 0: started before it was Ready", "20s"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Lobby lobby({.command = shell(row.script),
                 .players = 1,
                 .fleet = fmt::format("sdk = \"none\"\nlaunch_attempts_max = 1\n"
                                      "launch_timeout = \"{}\"\n{}",
                                      row.launch_timeout, row.ready)});
    Player ann(lobby.port(), "ann");
    ann.start_match();
    EXPECT_EQ(ann.ticket(Ticket::FAILED).error().code(), "launch_failed");
    EXPECT_THAT(last_launch_error(lobby), HasSubstr(row.why));
    EXPECT_THAT(lobby.ctl({"status"}).output, HasSubstr(row.why));
    wait_until("it to be gone", [&] { return lobby.list("servers").empty(); });
  }
}

TEST(Plain, WhatItLacksIsShownWhileItStarts) {
  Lobby lobby({.command = shell("exec sleep 100"),
               .players = 1,
               .fleet = "sdk = \"none\"\n[fleet.ready]\ntcp = true\n"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  wait_until("the note", [&] {
    return lobby.ctl({"servers"}).output.find("it listens on no port") != std::string::npos;
  });
}

TEST(Plain, OneThatDiesAfterItWasReady) {
  Lobby lobby({.command = shell("mkfifo wait; echo ready; read word < wait; exit 3"),
               .players = 1,
               .fleet = "sdk = \"none\"\n[fleet.ready]\nlog = 'ready'\n"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  ann.assignment();
  write_file(lobby / "wait", "go\n");
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::SERVER_LOST);
  EXPECT_THAT(last_launch_error(lobby), HasSubstr("during a match"));
}

TEST(Plain, OneThatHangsIsFoundOut) {
  Lobby lobby({.command = {programs::plain_server, "--port", "{port}"},
               .players = 1,
               .fleet = "sdk = \"none\"\n" + answers + "repeat = \"500ms\"\nfailures_max = 2\n"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  ann.assignment();
  ::kill(pid_of(lobby.server()), SIGSTOP);
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::SERVER_LOST);
  EXPECT_EQ(last_launch_error(lobby), "it has not answered ready.udp 2 times in a row");
  wait_until("it to be gone", [&] { return lobby.list("servers").empty(); });
}

TEST(Plain, OneThatPrintsWithoutEndIsStillHeard) {
  Lobby lobby({.command = shell("head -c 30000000 /dev/zero | tr '\\0' x; echo; echo ready; "
                                "echo ready; exec sleep 100"),
               .players = 1,
               .fleet = "sdk = \"none\"\n[fleet.ready]\nlog = '^ready$'\n"});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  ann.assignment();
  EXPECT_EQ(number(lobby.ask("status"), "/servers/allocated"), 1) << "Ready twice is Ready";
}

}  // namespace
}  // namespace muster::e2e
