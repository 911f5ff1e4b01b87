// The configuration is changed while the lobby runs, or between two of its lives.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "lobby.h"
#include "players.h"

namespace muster::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;

namespace json = boost::json;

/// The one game server for which it holds; throws if it does not come.
json::value server_that(const Lobby& lobby, std::string_view what,
                        const std::function<bool(const json::value&)>& holds) {
  json::value found;
  wait_until(what, [&] {
    for (const json::value& server : lobby.list("servers"))
      if (holds(server)) return found = server, true;
    return false;
  });
  return found;
}

bool is(const json::value& server, std::string_view state, bool outdated) {
  return text(server, "/state") == state && server.at("outdated").as_bool() == outdated;
}

void set_mode(LobbyOptions& options, const std::string& mode) {
  options.fleet = fmt::format("ready_min = 1\n[fleet.env]\nMODE = \"{}\"", mode);
}

TEST(Reload, MatchesFinishOnTheOldVersionAndReadyServersAreReplaced) {
  Lobby lobby({.players = 1, .fleet = "ready_min = 1\n[fleet.env]\nMODE = \"old\""});
  lobby.server_in("ready");
  Player ann(lobby.port(), "ann");
  ann.start_match();
  const Assignment assignment = ann.assignment();
  const json::value ready = server_that(
      lobby, "another warm server", [](const auto& server) { return is(server, "ready", false); });

  lobby.change([](LobbyOptions& options) { set_mode(options, "new"); });
  lobby.signal(SIGHUP);
  const json::value fresh = server_that(lobby, "a server of the new version", [&](const auto& s) {
    return is(s, "ready", false) && text(s, "/id") != text(ready, "/id");
  });
  EXPECT_EQ(environment_of(pid_of(fresh), "MODE"), "new");
  EXPECT_NE(text(fresh, "/version"), text(ready, "/version"));
  wait_until("the old warm one to go", [&] { return lobby.list("servers").size() == 2; });
  const json::value playing = server_that(lobby, "the match to go on", [](const auto& server) {
    return is(server, "allocated", true);
  });
  EXPECT_EQ(text(playing, "/id"), assignment.server_id());
  EXPECT_THAT(lobby.ctl({"servers"}).output, HasSubstr(text(ready, "/version") + " (old)"));
  EXPECT_THAT(lobby.ctl({"status"}).output,
              HasSubstr("fleet game: 1 game servers are of an older version"));

  EXPECT_EQ(join(assignment), "ann");  // Which ends it.
  ann.match_ended();
  EXPECT_EQ(text(lobby.server_in("ready"), "/id"), text(fresh, "/id"));
  EXPECT_THAT(lobby.ctl({"servers", "--ended"}).output,
              HasSubstr("replaced by version " + text(fresh, "/version")));
}

TEST(Reload, ABrokenFileChangesNothing) {
  Lobby lobby({.players = 1, .fleet = "ready_min = 1"});
  const json::value before = lobby.server_in("ready");
  lobby.change([](LobbyOptions& options) {
    options.fleet = "ready_min = 1\nlaunch_timout = \"3s\"";
    options.players = 0;
  });
  const Ran check = run({programs::muster, "check", lobby.config_file()});
  EXPECT_EQ(check.exit_code, 1);
  const Ran reload = lobby.ctl({"reload"});
  EXPECT_EQ(reload.exit_code, 1);
  for (const std::string key :
       {"fleet.launch_timout: there is no such key", "queue.players: is 0"}) {
    EXPECT_THAT(check.output, HasSubstr(key));
    EXPECT_THAT(reload.output, HasSubstr(key));
  }
  const std::string first_line = check.output.substr(0, check.output.find('\n'));
  EXPECT_THAT(reload.output, HasSubstr(first_line)) << "in the same words";
  EXPECT_THAT(reload.output, HasSubstr("nothing has changed"));

  const std::size_t said = lobby.output().size();
  lobby.signal(SIGHUP);
  wait_until("it to be refused", [&] {
    return lobby.output().find("was not accepted; nothing has changed", said) != std::string::npos;
  });
  EXPECT_THAT(lobby.output().substr(said), HasSubstr("launch_timout"));
  EXPECT_EQ(number(lobby.ask("status"), "/totals/reloads"), 0);
  EXPECT_EQ(text(lobby.server_in("ready"), "/id"), text(before, "/id"));
  Player ann(lobby.port(), "ann");
  ann.start_match();
  EXPECT_EQ(ann.assignment().server_id(), text(before, "/id"));
}

TEST(Reload, WhatNeedsARestartIsNamed) {
  Lobby lobby({.players = 1});
  lobby.change([](LobbyOptions& options) {
    options.lobby = "classic = \"off\"";
    options.limits = "ping_interval = \"7s\"";
    options.players = 2;
  });
  const Ran reload = lobby.ctl({"reload"});
  EXPECT_EQ(reload.exit_code, 0);
  EXPECT_THAT(reload.output, AllOf(HasSubstr("lobby.classic: has changed"),
                                   HasSubstr("limits.ping_interval: has changed"),
                                   HasSubstr("when the lobby is started again")));
  Player ann(lobby.port(), "ann");
  EXPECT_EQ(ann.start_match().players_needed(), 2u) << "the rest is taken";
}

TEST(Reload, AWaitingPlayerIsToldOfTheNewRules) {
  Lobby lobby({.players = 3});
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  ann.start_match();
  bob.start_match();
  lobby.change([](LobbyOptions& options) { options.players = 2; });
  EXPECT_EQ(lobby.ctl({"reload"}).exit_code, 0);
  EXPECT_EQ(ann.assignment().match_id(), bob.assignment().match_id());
}

TEST(Reload, AStartWithAnotherFileIsTheSame) {
  Lobby lobby({.players = 1, .fleet = "ready_min = 1\n[fleet.env]\nMODE = \"old\""});
  Player ann(lobby.port(), "ann");
  ann.start_match();
  const Assignment assignment = ann.assignment();
  server_that(lobby, "a warm server",
              [](const auto& server) { return is(server, "ready", false); });
  EXPECT_EQ(lobby.end(SIGTERM), 0);
  lobby.change([](LobbyOptions& options) { set_mode(options, "new"); });
  lobby.start();
  const json::value fresh =
      server_that(lobby, "a server of the new version",
                  [](const auto& server) { return is(server, "ready", false); });
  EXPECT_EQ(environment_of(pid_of(fresh), "MODE"), "new");
  const json::value playing = server_that(lobby, "the match to go on", [](const auto& server) {
    return is(server, "allocated", true);
  });
  EXPECT_EQ(text(playing, "/id"), assignment.server_id());
  EXPECT_EQ(join(assignment), "ann");
  EXPECT_EQ(text(lobby.server_in("ready"), "/id"), text(fresh, "/id"));
}

}  // namespace
}  // namespace muster::e2e
