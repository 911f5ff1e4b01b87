// Game servers that do not start, do not stop, or whose port is taken; and what one is started
// with.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "lobby.h"
#include "players.h"
#include "sockets.h"

namespace muster::e2e {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

/// Everything in a fleet's logs.
std::string logs(const Lobby& lobby) {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(lobby / "data/logs/game"))
    all += read_file(entry.path());
  return all;
}

std::string last_launch_error(const Lobby& lobby) {
  return text(lobby.ask("status"), "/fleets/0/lastLaunchError");
}

TEST(Launch, AFailureIsTriedAgainAndThenTold) {
  struct Row {
    const char* name;
    std::string script;  // Of the shell.
    const char* why;
    const char* launch_timeout = "20s";
  };
  const Row rows[] = {
      {"exits at once", "echo no such map; exit 3", "exit code 3: no such map before it was Ready"},
      {"exits in good order", "exit 0", "exit code 0 before it was Ready"},
      {"crashes", "echo boom; kill -SEGV $$", "killed by signal 11: boom before it was Ready"},
      {"is never Ready", "exec sleep 100", "not Ready within launch_timeout", "300ms"},
      {"is never Ready, with children of its own", "setsid sleep 100 & sleep 100 & wait",
       "not Ready within launch_timeout", "300ms"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Lobby lobby({.command = shell(row.script),
                 .players = 1,
                 .fleet = fmt::format("launch_timeout = \"{}\"", row.launch_timeout)});
    Player ann(lobby.port(), "ann");
    ann.start_match();
    const Ticket failed = ann.ticket(Ticket::FAILED);
    EXPECT_EQ(failed.error().code(), "launch_failed");
    EXPECT_FALSE(failed.error().message().empty());
    const auto status = lobby.ask("status");
    EXPECT_EQ(number(status, "/totals/launches"), 3);
    EXPECT_EQ(number(status, "/totals/launchFailures"), 3);
    EXPECT_EQ(text(status, "/fleets/0/lastLaunchError"), row.why);
    EXPECT_THAT(lobby.ctl({"status"}).output, HasSubstr(row.why));
    wait_until("all attempts to be gone", [&] { return lobby.list("servers").empty(); });
    const auto after = lobby.ask("status");
    EXPECT_EQ(number(after, "/fleets/0/portsFree"), 4);
    EXPECT_TRUE(ann.ping());
  }
}

TEST(Launch, AnAttemptLaterSucceeds) {
  Lobby lobby(
      {.command = shell(fmt::format(
           "echo attempt >> attempts; [ $(wc -l < attempts) -ge 3 ] || exit 1; exec {} {{port}}",
           programs::minimal_server)),
       .players = 1});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(join(ann.assignment()), "ann");
  EXPECT_EQ(number(lobby.ask("status"), "/totals/launches"), 3);
}

TEST(Launch, ACommandThatIsGoneByNowIsSaidToBe) {
  const TempFolder folder;
  const std::string program = folder / "server";
  write_file(program, "#!/bin/sh\nexec sleep 100\n", 0755);
  Lobby lobby({.command = {program}, .players = 1});
  std::filesystem::remove(program);
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.ticket(Ticket::FAILED).error().code(), "launch_failed");
  EXPECT_THAT(last_launch_error(lobby), HasSubstr("No such file"));
  EXPECT_THAT(last_launch_error(lobby), HasSubstr(program));
}

TEST(Launch, AFleetWhoseStopIsIgnoredIsKilledAfterItsGrace) {
  Lobby lobby({.command = shell("trap '' TERM; exec " + programs::minimal_server + " {port}"),
               .players = 1,
               .fleet = "stop_grace = \"700ms\"\nready_min = 1"});
  Player ann(lobby.port(), "ann");
  const auto server = lobby.server_in("ready");
  const auto asked = steady_clock::now();
  const std::string id = text(server, "/id");
  EXPECT_EQ(lobby.ctl({"stop", id}).exit_code, 0);
  const auto pid = pid_of(server);
  wait_until("it to be killed", [&] { return ::kill(pid, 0) != 0; });
  EXPECT_GE(steady_clock::now() - asked, milliseconds{700}) << "it has its grace";
  wait_until("the next warm one", [&] {
    const auto servers = lobby.list("servers");
    return servers.size() == 1 && text(servers[0], "/id") != id &&
           text(servers[0], "/state") == "ready";
  });
}

TEST(Launch, ATakenPortCostsNoAttempt) {
  Lobby lobby({.players = 1, .fleet = "launch_attempts_max = 1"});
  const TakenPorts taken(lobby.first_port(), 2);
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.assignment().port(), lobby.first_port() + 2u);
  const auto status = lobby.ask("status");
  EXPECT_EQ(number(status, "/fleets/0/portsSetAside"), 2);
  EXPECT_EQ(number(status, "/totals/launchFailures"), 0);
  EXPECT_THAT(text(status, "/fleets/0/lastLaunchError"),
              HasSubstr(fmt::format("port {} is taken", lobby.first_port() + 1)));
}

TEST(Launch, WithoutAFreePortTicketsFailUntilThereIsOne) {
  Lobby lobby({.players = 1, .lobby = "port_set_aside = \"300ms\""});
  Player ann(lobby.port(), "ann", Dialect::json);
  {
    const TakenPorts taken(lobby.first_port(), 4);
    ann.start_match();
    EXPECT_EQ(ann.ticket(Ticket::FAILED).error().code(), "no_port_free");
    EXPECT_TRUE(lobby.list("servers").empty());
  }
  // The ports rest for a moment; who tries until then hears the same.
  std::optional<Assignment> assignment;
  wait_until("a port to be free again", [&] {
    ann.start_match();
    while (const auto message = ann.next()) {
      if (message->has_assignment()) assignment = message->assignment();
      if (assignment || message->ticket().state() == Ticket::FAILED) break;
    }
    return assignment.has_value();
  });
  EXPECT_EQ(join(*assignment), "ann");
}

TEST(Launch, ItsOutputIsKept) {
  Lobby lobby({.command = shell("echo to stdout; echo to stderr >&2; exec " +
                                programs::minimal_server + " {port}"),
               .fleet = "ready_min = 1"});
  lobby.server_in("ready");
  wait_until("its output to be written", [&] {
    const std::string all = logs(lobby);
    return all.find("to stdout\n") != std::string::npos &&
           all.find("to stderr\n") != std::string::npos;
  });
}

TEST(Launch, NothingOfTheLobbysLeaksIn) {
  ::setenv("E2E_SECRET", "of the lobby", 1);
  Lobby lobby({.command = shell("ls -l /proc/self/fd > fds; env > env; echo {port} {host} "
                                "{server_id} [{match_id}] {queue} {map} {players} > arguments; "
                                "exec " +
                                programs::minimal_server + " {port}"),
               .players = 1,
               .fleet = "[fleet.env]\nGAME_MODE = \"hard\"",
               .queue = "map = \"dust\""});
  ::unsetenv("E2E_SECRET");
  Player ann(lobby.port(), "ann");
  ann.start_match();
  const Assignment assignment = ann.assignment();

  const std::string env = read_file(lobby / "env");
  const std::string port = std::to_string(lobby.first_port());
  for (const std::string& want :
       {"PORT=" + port, "MUSTER_PORT=" + port, "MUSTER_SERVER_ID=" + assignment.server_id(),
        "MUSTER_FLEET=game"s, "GAME_MODE=hard"s, "MUSTER_SDK=127.0.0.1:"s, "MUSTER_TOKEN="s,
        "MUSTER_JOIN_KEY="s, "MUSTER_MATCH_ID="s})
    EXPECT_THAT("\n" + env, HasSubstr("\n" + want));
  EXPECT_THAT(env, testing::Not(HasSubstr("E2E_SECRET")));
  EXPECT_EQ(environment_of(lobby.pid(), "E2E_SECRET"), "of the lobby") << "the test can fail";

  EXPECT_EQ(read_file(lobby / "arguments"),
            fmt::format("{} 127.0.0.1 {} [{}] duel dust 1\n", port, assignment.server_id(),
                        assignment.match_id()));
  // stdin, the redirected stdout, stderr, and what ls itself has open.
  const std::string fds = read_file(lobby / "fds");
  EXPECT_THAT(fds, HasSubstr(" 0 -> /dev/null"));
  EXPECT_THAT(fds, testing::Not(HasSubstr("socket:")));
  EXPECT_THAT(fds, testing::Not(HasSubstr("eventpoll")));
}

TEST(Launch, WithoutANodeTicketsFailAndTheReasonIsSaid) {
  // As if another node had the data folder: the lobby starts none of its own.
  const TempFolder data;
  const int lock = ::open((data / "node.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::flock(lock, LOCK_EX | LOCK_NB), 0);
  Lobby lobby({.players = 1,
               .fleet = "launch_timeout = \"300ms\"",
               .data = data.path(),
               .has_node = false});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.ticket(Ticket::FAILED).error().code(), "node_unavailable");
  EXPECT_THAT(lobby.ctl({"status"}).output, HasSubstr("nothing can be launched"));
  wait_until("the lobby to say who is in the way", [&] {
    const std::string said = lobby.output();
    return said.find("node.lock") != std::string::npos && said.find("kill it") != std::string::npos;
  });
  ::close(lock);
}

TEST(Launch, ServersMaxLetsOthersWait) {
  Lobby lobby({.players = 1, .fleet = "servers_max = 1"});
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  ann.start_match();
  const Assignment first = ann.assignment();
  bob.start_match();
  bob.ticket(Ticket::MATCHED);
  EXPECT_EQ(lobby.list("servers").size(), 1u);
  EXPECT_EQ(join(first), "ann");
  const Assignment second = bob.assignment();
  EXPECT_EQ(second.server_id(), first.server_id()) << "once it is Ready again";
  EXPECT_EQ(join(second), "bob");
}

TEST(Launch, AMatchThatTakesTooLongIsEnded) {
  Lobby lobby({.players = 1, .fleet = "match_timeout = \"300ms\""});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  ann.assignment();
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::TIMED_OUT);
  wait_until("its game server to go", [&] { return lobby.list("servers").empty(); });
}

TEST(Launch, AGameServerThatHangsIsFoundOut) {
  Lobby lobby({.players = 1, .fleet = "health_timeout = \"1s\""});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  ann.assignment();
  ::kill(pid_of(lobby.server()), SIGSTOP);
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::SERVER_LOST);
  EXPECT_EQ(last_launch_error(lobby), "silent for health_timeout");
  wait_until("it to be gone", [&] { return lobby.list("servers").empty(); });
}

}  // namespace
}  // namespace muster::e2e
