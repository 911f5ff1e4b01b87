// What `muster check` and `muster serve` say of a configuration or a machine that will not do.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "lobby.h"
#include "players.h"
#include "sockets.h"

namespace muster::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A configuration with nothing wrong, one table a line group, so that a row can add to each.
struct Text {
  std::string lobby, fleet, queue, more;
  std::string command = "[\"/bin/true\", \"{port}\"]";
  std::string listen = "127.0.0.1:0", admin = "127.0.0.1:0", data = "data";

  std::string toml() const {
    return fmt::format(
        "[lobby]\nlisten = \"{}\"\nadmin = \"{}\"\ndata = \"{}\"\n{}\n"
        "[[fleet]]\nname = \"game\"\nports = \"7000-7001\"\ncommand = {}\n{}\n"
        "[[queue]]\nname = \"duel\"\nfleet = \"game\"\n{}\n{}\n",
        listen, admin, data, lobby, command, fleet, queue, more);
  }
};

struct Row {
  const char* name;
  Text text;
  std::vector<std::string> want;  // All of these are said.
};

TEST(Config, AGoodOneIsGood) {
  const TempFolder folder;
  write_file(folder / "muster.toml", Text{}.toml());
  const Ran check = run({programs::muster, "check", folder / "muster.toml"});
  EXPECT_EQ(check.exit_code, 0);
  EXPECT_THAT(check.output, HasSubstr("ok\n"));
  EXPECT_EQ(std::filesystem::exists(folder / "data"), false) << "check changes nothing";
}

TEST(Config, WhatIsWrongIsSaidByCheckAndServeAlike) {
  const TempFolder folder;
  write_file(folder / "not_executable", "#!/bin/sh\n", 0644);
  const Row rows[] = {
      {"an unknown key",
       {.lobby = "lisen = \"127.0.0.1:1\""},
       {"muster.toml:5: ", "lisen", "listen"}},
      {"an unknown key of a fleet",
       {.fleet = "launch_timout = \"3s\""},
       {"muster.toml:10: ", "launch_timout", "launch_timeout"}},
      {"an unknown table",
       {.more = "[matchmaker]\nfast = true"},
       {"muster.toml:15: ", "matchmaker"}},
      {"a command that does not exist",
       {.command = "[\"./nowhere\"]"},
       {"muster.toml:9: ", "fleet.command", "/nowhere", "does not exist"}},
      {"a command that is not executable",
       {.command = "[\"./not_executable\"]"},
       {"muster.toml:9: ", "fleet.command", "is not executable", "chmod +x"}},
      {"a command that is a folder",
       {.command = "[\"/tmp\"]"},
       {"muster.toml:9: ", "is not a file"}},
      {"a command that is nowhere in PATH",
       {.command = "[\"no-such-program-here\"]"},
       {"muster.toml:9: ", "no program \"no-such-program-here\" in PATH"}},
      {"a placeholder that is none",
       {.command = "[\"/bin/true\", \"{prot}\"]"},
       {"muster.toml:9: ", "{prot}", "{port}"}},
      {"admin for everybody",
       {.admin = "0.0.0.0:0"},
       {"muster.toml:3: ", "lobby.admin", "can be reached from other machines", "127.0.0.1"}},
      {"a queue without a fleet",
       {.more = "[[queue]]\nname = \"b\"\nfleet = \"gmae\""},
       {"muster.toml:17: ", "no fleet \"gmae\"", "game"}},
      {"two things at once",
       {.lobby = "resume_grace = \"2 weeks\"", .queue = "players = 0"},
       {"muster.toml:5: ", "resume_grace", "muster.toml:14: ", "queue.players"}},
      {"no TOML", {.lobby = "= ="}, {"muster.toml:5"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    write_file(folder / "muster.toml", row.text.toml());
    const Ran check = run({programs::muster, "check", "muster.toml"}, folder.path());
    const Ran serve = run({programs::muster, "serve", "muster.toml"}, folder.path());
    EXPECT_EQ(check.exit_code, 1);
    EXPECT_EQ(serve.exit_code, 1);
    for (const std::string& want : row.want) {
      EXPECT_THAT(check.output, HasSubstr(want));
      EXPECT_THAT(serve.output, HasSubstr(want));
    }
    EXPECT_THAT(serve.output, HasSubstr("nothing was started"));
    EXPECT_THAT(processes_in(folder.path()), testing::IsEmpty());
  }
}

TEST(Config, WhatTheMachineRefusesIsSaidByServe) {
  const std::uint16_t port = free_ports(1);
  const TakenPorts taken(port, 1);
  const std::string taken_address = fmt::format("127.0.0.1:{}", port);
  const TempFolder folder;
  write_file(folder / "file", "");
  const Row rows[] = {
      {"listen is in use",
       {.listen = taken_address},
       {"cannot listen on " + taken_address, "another program listens there"}},
      {"admin is in use",
       {.admin = taken_address},
       {"cannot listen on " + taken_address, "another program listens there"}},
      {"an address of another machine",
       {.listen = "192.0.2.1:0"},
       {"cannot listen on 192.0.2.1:0", "no such address"}},
      {"data is a file", {.data = "file"}, {"/file is not a folder"}},
      {"data cannot be made",
       {.data = "file/data"},
       {"/file/data cannot be made", "Not a directory"}},
      // Nobody may write there, not even root.
      {"data is not writable", {.data = "/proc"}, {"data folder /proc is not writable"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    write_file(folder / "muster.toml", row.text.toml());
    const Ran serve = run({programs::muster, "serve", "muster.toml"}, folder.path());
    EXPECT_EQ(serve.exit_code, 1);
    for (const std::string& want : row.want) EXPECT_THAT(serve.output, HasSubstr(want));
    EXPECT_THAT(serve.output, Not(HasSubstr("players on")));
    wait_until("nothing to be left running", [&] { return processes_in(folder.path()).empty(); });
  }
}

TEST(Config, ADataFolderServesOneLobby) {
  Lobby lobby;
  write_file(lobby / "second.toml", Text{}.toml());
  const Ran second = run({programs::muster, "serve", lobby / "second.toml"}, "/");
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.output, AllOf(HasSubstr("is in use by another lobby"),
                                   HasSubstr(fmt::format("(process {})", lobby.pid()))));
  EXPECT_TRUE(Player(lobby.port(), "ann").ping()) << "the first does not notice";
  // After a kill the folder is free: it is the lock that counts, not the file.
  lobby.end(SIGKILL);
  lobby.start();
  EXPECT_TRUE(Player(lobby.port(), "ann").ping());
}

TEST(Config, AJoinKeyThatOthersCouldReadIsRefused) {
  Lobby lobby;
  EXPECT_EQ(lobby.end(SIGINT), 0);
  const std::string key = lobby / "data/join.key";
  EXPECT_EQ(std::filesystem::status(key).permissions(), std::filesystem::perms(0600));
  std::filesystem::permissions(key, std::filesystem::perms(0644));
  const Ran serve = run({programs::muster, "serve", lobby.config_file()}, "/");
  EXPECT_EQ(serve.exit_code, 1);
  EXPECT_THAT(serve.output, HasSubstr("join.key"));
}

TEST(Config, NoSuchFile) {
  for (const char* command : {"check", "serve"}) {
    const Ran ran = run({programs::muster, command, "/nowhere/muster.toml"});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.output, HasSubstr("/nowhere/muster.toml"));
    EXPECT_THAT(ran.output, HasSubstr("No such file"));
  }
}

TEST(Config, WrongArguments) {
  EXPECT_EQ(run({programs::muster}).exit_code, 2);
  EXPECT_EQ(run({programs::muster, "serve"}).exit_code, 2);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"dance"}, std::vector<std::string>{"ctl", "dance"}}) {
    std::vector<std::string> command{programs::muster};
    command.insert(command.end(), words.begin(), words.end());
    const Ran ran = run(command);
    EXPECT_EQ(ran.exit_code, 2);
    EXPECT_NE(ran.output.find("no command \"dance\""), std::string::npos) << ran.output;
  }
  EXPECT_EQ(run({programs::muster, "--help"}).exit_code, 0);
}

}  // namespace
}  // namespace muster::e2e
