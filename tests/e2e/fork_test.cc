// Fork servers: launches that are copies of one loaded process, and what is launched plainly when
// there is none.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>

#include "lobby.h"
#include "players.h"
#include "sockets.h"

namespace muster::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

#ifdef __SANITIZE_THREAD__
#define NEEDS_ONE_THREAD GTEST_SKIP() << "ThreadSanitizer has a thread of its own"
#else
#define NEEDS_ONE_THREAD (void)0
#endif

LobbyOptions bad_day(const std::string& day) {
  return {.command = {programs::fork_days_server, day}, .players = 1, .fleet = "fork = true"};
}

boost::json::value parent_of(const Lobby& lobby) {
  return lobby.ask("status").at_pointer("/fleets/0/forkParent");
}

/// Waits until the fleet's fork parent is in that state; its pid, or 0.
pid_t parent_in(const Lobby& lobby, std::string_view state) {
  boost::json::value parent;
  wait_until(fmt::format("a fork parent, {}", state), [&] {
    parent = parent_of(lobby);
    return parent.is_object() && text(parent, "/state") == state;
  });
  return parent.at("pid").is_null() ? 0 : static_cast<pid_t>(number(parent, "/pid"));
}

/// Waits until it has a child in hand, so that the next launch does not wait for it.
pid_t parent_with_child_in_hand(const Lobby& lobby, std::size_t servers) {
  const pid_t parent = parent_in(lobby, "loaded");
  wait_until("a child in hand", [&] {
    const auto all = processes_in(lobby.folder());
    return std::ranges::count_if(all, [&](pid_t pid) {
             return arguments_of(pid) == arguments_of(parent);
           }) == static_cast<std::ptrdiff_t>(servers + 2);
  });
  return parent;
}

struct Played {
  Assignment assignment;
  boost::json::value server;
};
/// One player's match on a game server of its own, begun and not yet joined.
Played start_match(const Lobby& lobby, Player& player) {
  player.start_match();
  Played played{player.assignment(), {}};
  for (const auto& server : lobby.list("servers"))
    if (text(server, "/id") == played.assignment.server_id()) played.server = server;
  if (played.server.is_null()) throw std::runtime_error("the assigned game server is not listed");
  return played;
}

bool forked(const Played& played) { return played.server.at("forked").as_bool(); }

/// By the beginning of its name.
std::map<std::string, std::string> logs(const Lobby& lobby) {
  std::map<std::string, std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(lobby / "data/logs/game")) {
    const std::string name = entry.path().filename().string();
    all[name.substr(0, name.find('-'))] += read_file(entry.path());
  }
  return all;
}

TEST(Fork, LaunchesAreCopiesOfOneLoadedProcess) {
  NEEDS_ONE_THREAD;
  Lobby lobby({.command = {programs::fork_server, "8"}, .players = 1, .fleet = "fork = true"});
  const pid_t parent = parent_in(lobby, "loaded");
  EXPECT_THAT(lobby.ctl({"status"}).output, HasSubstr("FORK PARENT OF"));
  EXPECT_TRUE(lobby.list("servers").empty()) << "it is no game server";

  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob"), eve(lobby.port(), "eve");
  std::vector<Played> all;
  std::set<std::string> ids, tokens;
  std::set<std::int64_t> ports, pids;
  for (Player* player : {&ann, &bob, &eve}) {
    all.push_back(start_match(lobby, *player));
    const Played& played = all.back();
    EXPECT_TRUE(forked(played)) << boost::json::serialize(parent_of(lobby));
    const pid_t pid = pid_of(played.server);
    ids.insert(played.assignment.server_id());
    ports.insert(played.assignment.port());
    pids.insert(pid);
    tokens.insert(environment_of(pid, "MUSTER_TOKEN"));
    EXPECT_EQ(arguments_of(pid), arguments_of(parent));
    EXPECT_EQ(::getsid(pid), pid);
    EXPECT_EQ(::getpgid(pid), pid);
  }
  tokens.insert(environment_of(parent, "MUSTER_TOKEN"));
  pids.insert(parent);
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_EQ(ports.size(), 3u);
  EXPECT_EQ(pids.size(), 4u);
  EXPECT_EQ(tokens.size(), 4u) << "each has a launch token of its own";
  EXPECT_THAT(lobby.ctl({"servers"}).output, HasSubstr("(forked)"));
  const char* const names[] = {"ann", "bob", "eve"};
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_THAT(join(all[i].assignment), StartsWith(fmt::format("{} stands at height ", names[i])));

  wait_until("each game server's output in its own log", [&] {
    auto found = logs(lobby);
    return std::ranges::all_of(ids, [&](const auto& id) { return found[id] == "serving\n"; }) &&
           found["parent"] == "loaded\n";
  });
}

TEST(Fork, WithoutAParentLaunchesArePlainUntilThereIsOneAgain) {
  NEEDS_ONE_THREAD;
  // Only the first parent loads, until `once` is gone. A shell between is no hindrance.
  LobbyOptions options = bad_day("none");
  options.command = shell(
      "if [ \"$MUSTER_FORK\" ]; then [ ! -e once ] || { echo no more; exit 3; }; touch once; fi; "
      "exec " +
      programs::fork_days_server + " none");
  Lobby lobby(options);
  const pid_t parent = parent_in(lobby, "loaded");
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob"), eve(lobby.port(), "eve");
  ::kill(parent, SIGKILL);
  wait_until("the next to have failed", [&] {
    return text(parent_of(lobby), "/lastError").find("exit code 3: no more") != std::string::npos;
  });
  const Played first = start_match(lobby, ann);  // It may get the child in hand.
  const Played second = start_match(lobby, bob);
  EXPECT_FALSE(forked(second));
  EXPECT_EQ(join(first.assignment), "ann");
  EXPECT_EQ(join(second.assignment), "bob");

  std::filesystem::remove(lobby / "once");
  EXPECT_NE(parent_in(lobby, "loaded"), parent);
  for (const Played* played : {&first, &second})
    lobby.ctl({"stop", played->assignment.server_id()});
  wait_until("those two to be gone", [&] { return lobby.list("servers").empty(); });
  EXPECT_TRUE(forked(start_match(lobby, eve)));
}

TEST(Fork, AParentThatHangsIsReplaced) {
  NEEDS_ONE_THREAD;
  Lobby lobby(bad_day("none"));
  const pid_t parent = parent_with_child_in_hand(lobby, 0);
  ::kill(parent, SIGSTOP);
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob"), eve(lobby.port(), "eve");
  const Played in_hand = start_match(lobby, ann);
  EXPECT_TRUE(forked(in_hand));
  const Played asked_for = start_match(lobby, bob);
  EXPECT_FALSE(forked(asked_for));
  EXPECT_EQ(join(asked_for.assignment), "bob");
  const pid_t next = parent_in(lobby, "loaded");
  EXPECT_NE(next, parent);
  EXPECT_NE(::kill(parent, 0), 0);
  EXPECT_EQ(join(in_hand.assignment), "ann") << "what it made before plays on";
}

TEST(Fork, AParentThatIsKilledWhileAskedCostsNoLaunch) {
  NEEDS_ONE_THREAD;
  Lobby lobby(bad_day("none"));
  const pid_t parent = parent_with_child_in_hand(lobby, 0);
  ::kill(parent, SIGSTOP);
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  start_match(lobby, ann);
  bob.start_match();
  bob.ticket(Ticket::MATCHED);  // It is launched, and the parent asked.
  ::kill(parent, SIGKILL);
  const Assignment assignment = bob.assignment();
  EXPECT_EQ(join(assignment), "bob");
  EXPECT_EQ(number(lobby.ask("status"), "/totals/launchFailures"), 0);
}

TEST(Fork, ANodeToldToStopWhileItWaitsForAChildLeavesNothing) {
  NEEDS_ONE_THREAD;
  Lobby lobby(bad_day("none"));
  ::kill(parent_with_child_in_hand(lobby, 0), SIGSTOP);
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  start_match(lobby, ann);
  bob.start_match();
  bob.ticket(Ticket::MATCHED);
  EXPECT_EQ(lobby.end(SIGINT), 0);
}

TEST(Fork, WhatCannotBeForkedIsLaunchedPlainly) {
  NEEDS_ONE_THREAD;
  struct Row {
    const char* day;
    const char* state;
    const char* why;
  };
  const Row rows[] = {
      {"threads", "failed", "2 threads run at the fork point"},
      {"never", "loading", ""},
      {"refused", "loaded", "cannot fork: Resource temporarily unavailable"},
      {"exits", "failed", "exit code 3: no such map"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.day);
    Lobby lobby(bad_day(row.day));
    wait_until("it to be known", [&] {
      const auto parent = parent_of(lobby);
      return parent.is_object() && text(parent, "/state") == row.state &&
             text(parent, "/lastError").find(row.why) != std::string::npos;
    });
    Player ann(lobby.port(), "ann");
    const Played played = start_match(lobby, ann);
    EXPECT_FALSE(forked(played));
    EXPECT_EQ(join(played.assignment), "ann");
    EXPECT_EQ(number(lobby.ask("status"), "/totals/launchFailures"), 0);
    EXPECT_THAT(lobby.ctl({"status"}).output, HasSubstr(row.why));
  }
}

TEST(Fork, ChildrenThatCrashGiveWayToPlainLaunches) {
  NEEDS_ONE_THREAD;
  Lobby lobby(bad_day("crashes"));
  parent_in(lobby, "loaded");
  Player ann(lobby.port(), "ann");
  const Played played = start_match(lobby, ann);
  EXPECT_FALSE(forked(played)) << "the third attempt";
  EXPECT_EQ(join(played.assignment), "ann");
  EXPECT_EQ(number(lobby.ask("status"), "/totals/launchFailures"), 2);
  EXPECT_EQ(text(parent_of(lobby), "/state"), "loaded");
  EXPECT_THAT(text(parent_of(lobby), "/lastError"),
              HasSubstr("2 forked game servers in a row ended before they were Ready: boom"));
}

TEST(Fork, NothingOfAForkedServerIsLeft) {
  NEEDS_ONE_THREAD;
  Lobby lobby(bad_day("leaves"));
  parent_in(lobby, "loaded");
  Player ann(lobby.port(), "ann"), bob(lobby.port(), "bob");
  const Played first = start_match(lobby, ann);
  const Played other = start_match(lobby, bob);
  ASSERT_TRUE(forked(first) && forked(other));
  const auto count = [&](const std::string& token) {
    const auto all = processes_in(lobby.folder());
    return std::ranges::count_if(
        all, [&](pid_t pid) { return environment_of(pid, "MUSTER_TOKEN") == token; });
  };
  const std::string of_first = environment_of(pid_of(first.server), "MUSTER_TOKEN");
  const std::string of_other = environment_of(pid_of(other.server), "MUSTER_TOKEN");
  wait_until("both to have left a process behind",
             [&] { return count(of_first) == 2 && count(of_other) == 2; });
  ::kill(pid_of(first.server), SIGKILL);
  wait_until("it to be gone with what it left", [&] { return count(of_first) == 0; });
  EXPECT_EQ(count(of_other), 2) << "the other's is not touched";
}

TEST(Fork, ServersOutliveTheLobbyAndTheNode) {
  NEEDS_ONE_THREAD;
  Lobby lobby(bad_day("none"));
  const pid_t parent = parent_in(lobby, "loaded");
  {
    Player ann(lobby.port(), "ann");
    EXPECT_TRUE(forked(start_match(lobby, ann)));
  }
  const pid_t server = pid_of(lobby.server());
  EXPECT_EQ(lobby.end(SIGTERM), 0);
  lobby.start();
  EXPECT_EQ(parent_in(lobby, "loaded"), parent);
  EXPECT_EQ(pid_of(lobby.server()), server);
  EXPECT_TRUE(lobby.server().at("forked").as_bool());

  ::kill(lobby.node_pid(), SIGKILL);
  wait_until("the next node's parent", [&] {
    const auto next = parent_of(lobby);
    return next.is_object() && text(next, "/state") == "loaded" && number(next, "/pid") != parent;
  });
  wait_until("the old parent to be gone", [&] { return ::kill(parent, 0) != 0; });
  const auto kept = lobby.server();
  EXPECT_EQ(pid_of(kept), server);
  EXPECT_TRUE(kept.at("forked").as_bool());
  EXPECT_EQ(text(kept, "/state"), "allocated");
  // Without a lobby, the node is told by a signal; the test's end sees that no process is left.
  EXPECT_EQ(lobby.end(SIGKILL), -SIGKILL);
}

TEST(Fork, ManyAtOnce) {
  NEEDS_ONE_THREAD;
  LobbyOptions options = bad_day("none");
  options.ports = 24;
  Lobby lobby(options);
  parent_in(lobby, "loaded");
  std::vector<std::unique_ptr<Player>> players;
  for (int i = 0; i < 20; ++i)
    players.push_back(std::make_unique<Player>(lobby.port(), fmt::format("p{}", i)));
  for (const auto& player : players) player->start_match();
  for (std::size_t i = 0; i < players.size(); ++i)
    EXPECT_EQ(join(players[i]->assignment()), fmt::format("p{}", i));
  EXPECT_EQ(number(lobby.ask("status"), "/totals/launchFailures"), 0);
}

}  // namespace
}  // namespace muster::e2e
