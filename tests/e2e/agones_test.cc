// Game servers with Agones' own npm client in them, or beside them.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <filesystem>
#include <stdexcept>

#include "lobby.h"
#include "players.h"
#include "sockets.h"

namespace muster::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

/// npm's own time, on a busy machine with an empty cache.
constexpr auto install_patience = std::chrono::minutes{4};

const std::string scripts = E2E_SOURCE_DIR "/tests/agones";

/// A folder with the client in it, in the build folder; installed by the first test that asks.
const std::string& client_folder() {
  static const std::string folder = [] {
    const std::string at = E2E_BINARY_DIR "/tests/agones";
    const std::string lock = read_file(scripts + "/package-lock.json");
    std::filesystem::create_directories(at);
    // These tests run as several processes at once.
    const struct Alone {
      int fd;
      ~Alone() { ::close(fd); }
    } alone{::open((at + "/alone").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)};
    if (::flock(alone.fd, LOCK_EX) != 0) throw std::runtime_error("cannot lock " + at + "/alone");
    if (read_file(at + "/installed") == lock) return at;
    for (const char* const name : {"package.json", "package-lock.json"})
      std::filesystem::copy_file(scripts + '/' + name, at + '/' + name,
                                 std::filesystem::copy_options::overwrite_existing);
    const std::string output = at + "/npm.log";
    write_file(output, "");
    Process npm({"/usr/bin/env", "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"},
                {.folder = at, .output = output});
    const auto deadline = steady_clock::now() + install_patience;
    while (npm.running() && steady_clock::now() < deadline)
      eventually([&] { return !npm.running(); });
    if (npm.running() || npm.wait() != 0)
      throw std::runtime_error(
          "npm (package npm, with nodejs) could not install tests/agones/package.json, which these "
          "tests need: " +
          read_file(output));
    write_file(at + "/installed", lock);
    return at;
  }();
  return folder;
}

std::string agones_fleet(const std::string& agones = "health = false") {
  return fmt::format(R"(sdk = "agones"
launch_timeout = "60s"
[fleet.env]
AGONES_CHECK_FOLDER = "{}"
[fleet.agones]
{}
[fleet.counters]
rooms = {{ count = 1, capacity = 10 }}
[fleet.lists]
players = {{ values = ["test0", "test1", "test2"], capacity = 100 }})",
                     client_folder(), agones);
}

std::string logs(const Lobby& lobby) {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(lobby / "data/logs/game"))
    all += read_file(entry.path());
  return all;
}

TEST(Agones, TheWholeApiOnALaunchedServersPorts) {
  // It is told to stop in the end, and is to stay until the check has seen that.
  Lobby lobby({.command = shell("echo $AGONES_SDK_GRPC_PORT $AGONES_SDK_HTTP_PORT > ports.new; mv "
                                "ports.new ports; trap '' TERM; sleep 1000"),
               .fleet = "ready_min = 1\nservers_max = 1\nstop_grace = \"2s\"\n" + agones_fleet()});
  wait_until("it to be launched", [&] { return std::filesystem::exists(lobby / "ports"); });
  const std::string ports = read_file(lobby / "ports");
  const auto space = ports.find(' ');
  const Ran ran = run({"/usr/bin/env", "AGONES_CHECK_FOLDER=" + client_folder(),
                       "AGONES_SDK_GRPC_PORT=" + ports.substr(0, space),
                       "AGONES_SDK_HTTP_PORT=" + ports.substr(space + 1, ports.size() - space - 2),
                       "node", scripts + "/check.mjs"});
  EXPECT_EQ(ran.exit_code, 0) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("rules hold"));
  EXPECT_EQ(text(lobby.server(), "/state"), "shutdown");
}

TEST(Agones, TheCheckItselfAsTheGameServer) {
  Lobby lobby(
      {.command = {"node", scripts + "/check.mjs"}, .fleet = "ready_min = 1\n" + agones_fleet()});
  wait_until("it to start",
             [&] { return logs(lobby).find("holds: it connects") != std::string::npos; });
  wait_until("its last line", [&] { return logs(lobby).find(" rules ") != std::string::npos; });
  const std::string said = logs(lobby);
  EXPECT_THAT(said, HasSubstr("rules hold")) << said;
  EXPECT_THAT(said, Not(HasSubstr("BROKEN")));
}

/// What the game server of tests/agones/server.mjs says to who connects, which ends its match.
boost::json::value end_match_at(const Assignment& assignment) {
  Socket socket(static_cast<std::uint16_t>(assignment.port()));
  std::string said;
  if (!socket.ended(&said)) throw std::runtime_error("the game server does not end the connection");
  return boost::json::parse(said);
}

TEST(Agones, MatchesOneAfterAnotherAlsoWithAnotherLobby) {
  Lobby lobby(
      {.command = {"node", scripts + "/server.mjs"}, .players = 1, .fleet = agones_fleet()});
  pid_t server = 0;
  for (const char* const name : {"ann", "bob", "cat"}) {
    SCOPED_TRACE(name);
    if (name == std::string_view("cat")) {
      EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
      lobby.start();
      lobby.server_in("ready");
    }
    Player player(lobby.port(), name);
    player.start_match();
    const Assignment assignment = player.assignment();
    // It is told by a watch, which may come after the player.
    boost::json::value match;
    wait_until("it to know of its match", [&] {
      match = end_match_at(assignment);
      return !match.is_null();
    });
    EXPECT_EQ(text(match, "/id"), assignment.match_id());
    EXPECT_EQ(text(match, "/queue"), "duel");
    EXPECT_EQ(text(match, "/players"), player.me().player_id());
    EXPECT_EQ(text(match, "/roster/0/name"), name);
    const MatchEnded ended = player.match_ended();
    EXPECT_EQ(ended.reason(), MatchEnded::OVER);
    EXPECT_EQ(ended.result(), "winner of " + assignment.match_id());
    const pid_t now = pid_of(lobby.server_in("ready"));
    if (server == 0) server = now;
    EXPECT_EQ(now, server) << "one server for all of them";
  }
  EXPECT_THAT(logs(lobby), Not(HasSubstr("watch:"))) << "its streams stayed open";
  EXPECT_THAT(logs(lobby), Not(HasSubstr("health:")));
}

TEST(Agones, AMatchOutlivesItsNode) {
  Lobby lobby(
      {.command = {"node", scripts + "/server.mjs"}, .players = 1, .fleet = agones_fleet()});
  pid_t server = 0;
  for (const char* const name : {"ann", "bob"}) {
    SCOPED_TRACE(name);
    Player player(lobby.port(), name);
    player.start_match();
    const Assignment assignment = player.assignment();
    if (server == 0) server = pid_of(lobby.server_in("allocated"));
    if (name == std::string_view("ann")) {
      ASSERT_EQ(::kill(lobby.node_pid(), SIGKILL), 0);
    }
    // On the same ports; the end is said again until there is somebody who answers.
    wait_until("it to know of its match", [&] { return !end_match_at(assignment).is_null(); });
    const MatchEnded ended = player.match_ended();
    EXPECT_EQ(ended.reason(), MatchEnded::OVER);
    EXPECT_EQ(ended.result(), "winner of " + assignment.match_id());
    EXPECT_EQ(pid_of(lobby.server_in("ready")), server);
  }
}

TEST(Agones, AServerThatHangsIsFoundOut) {
  Lobby lobby({.command = {"node", scripts + "/server.mjs"},
               .players = 1,
               .fleet = agones_fleet("health_period = \"2s\"\nhealth_failures_max = 2")});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  ann.assignment();
  const pid_t server = pid_of(lobby.server());
  ::kill(server, SIGSTOP);
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::SERVER_LOST);
  wait_until("it to be gone", [&] { return ::kill(server, 0) != 0; });
}

}  // namespace
}  // namespace muster::e2e
