// Windows game servers, launched by a fleet's command under wine.
#include <dirent.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

const std::string wine_run = WINE_RUN;
const std::string windows_examples = WINDOWS_EXAMPLES;

// Made by the first launch that finds none, and kept from run to run: 700 MB.
const std::string base = windows_examples + "/wine";

LobbyOptions fleet_of(const std::string& program, std::vector<std::string> arguments,
                      const std::string& sdk) {
  LobbyOptions options{.ports = 2, .players = 1};
  options.command = {wine_run, windows_examples + '/' + program};
  options.command.insert(options.command.end(), arguments.begin(), arguments.end());
  options.fleet = fmt::format(
      "sdk = \"{}\"\n"
      "launch_timeout = \"5m\"\n"
      "[fleet.env]\n"
      "WINE_BASE = \"{}\"\n"
      "WINEPREFIX = \"{{server_dir}}/wine\"\n"
      "WINEDEBUG = \"-all\"\n",
      sdk, base);
  return options;
}

LobbyOptions classic_fleet() {
  return fleet_of("classic_server.exe", {"{port}", lobby_port_mark}, "classic");
}
LobbyOptions sdk_fleet() { return fleet_of("minimal_server.exe", {"{port}"}, "muster"); }

/// All that runs under wine for the lobby: games, wineservers, services.
std::vector<pid_t> processes_of_wine() {
  std::vector<pid_t> found;
  DIR* const folder = ::opendir("/proc");
  while (const dirent* const entry = ::readdir(folder)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid > 0 && environment_of(pid, "WINE_BASE") == base) found.push_back(pid);
  }
  ::closedir(folder);
  return found;
}

void echo(std::uint32_t port) {
  Socket socket(static_cast<std::uint16_t>(port));
  ASSERT_TRUE(socket.send("hello"));
  EXPECT_EQ(socket.receive(), "hello");
}

/// Presses Match Start, with the patience that the making of a wine prefix takes.
Assignment assigned(Player& player) {
  player.start_match();
  for (const auto deadline = steady_clock::now() + std::chrono::minutes{5};
       steady_clock::now() < deadline;)
    if (const auto message = player.next(); message && message->has_assignment())
      return message->assignment();
  throw std::runtime_error("no assignment");
}

TEST(Wine, AClassicServerPlaysMatchAfterMatch) {
  {
    Lobby lobby(classic_fleet());
    Player ann(lobby.port(), "ann");
    for (int match = 0; match < 2; ++match) {
      const Assignment assignment = assigned(ann);
      EXPECT_EQ(assignment.port(), lobby.first_port());
      echo(assignment.port());
      EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);
      lobby.server_in("ready");
    }
    EXPECT_EQ(number(lobby.ask("status"), "/totals/launches"), 1);
    EXPECT_FALSE(processes_of_wine().empty());
  }
  EXPECT_THAT(processes_of_wine(), testing::IsEmpty()) << "the lobby's end is theirs";
}

TEST(Wine, AServerWithTheSdkChecksWhoComes) {
  Lobby lobby(sdk_fleet());
  Player ann(lobby.port(), "ann");
  Assignment assignment = assigned(ann);
  EXPECT_EQ(join(assignment), "ann");
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);
  lobby.server_in("ready");

  assignment = assigned(ann);
  Assignment forged = assignment;
  forged.set_join_token("nonsense");
  EXPECT_EQ(join(forged), "no");
  EXPECT_EQ(join(assignment), "ann");
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);
}

TEST(Wine, OneServersEndIsNotTheOthers) {
  {
    Lobby lobby(sdk_fleet());
    Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
    const Assignment first = assigned(ann);
    const Assignment second = assigned(bob);
    ASSERT_NE(first.server_id(), second.server_id());
    EXPECT_EQ(lobby.ctl({"stop", first.server_id()}).exit_code, 0);
    ann.match_ended();
    wait_until("the first to be gone", [&] { return lobby.list("servers").size() == 1; });
    const std::string gone = lobby / ("data/servers/" + first.server_id());
    for (const pid_t pid : processes_of_wine())
      EXPECT_NE(environment_of(pid, "WINEPREFIX"), gone + "/wine") << pid;
    EXPECT_FALSE(std::filesystem::exists(gone));
    EXPECT_TRUE(std::filesystem::exists(base + "/drive_c/windows")) << "what all share stays";

    EXPECT_EQ(join(second), "bob");
    EXPECT_EQ(bob.match_ended().reason(), MatchEnded::OVER);
    const Assignment third = assigned(ann);  // The second, Ready again.
    EXPECT_EQ(third.server_id(), second.server_id());
    const Assignment fourth = assigned(bob);
    EXPECT_EQ(fourth.port(), first.port()) << "launched on the port that is free again";
    EXPECT_EQ(join(fourth), "bob");
    EXPECT_EQ(join(third), "ann");

    for (const auto& server : lobby.list("servers"))
      EXPECT_EQ(lobby.ctl({"stop", text(server, "/id")}).exit_code, 0);
    wait_until("all to be gone", [&] { return lobby.list("servers").empty(); });
    EXPECT_THAT(processes_of_wine(), testing::IsEmpty());
  }
  EXPECT_THAT(processes_of_wine(), testing::IsEmpty());
}

}  // namespace
}  // namespace muster::e2e
