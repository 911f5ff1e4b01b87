#include "node/launch_contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/node.pb.h"

namespace muster::node {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

wire::node::Launch launch_of(const std::vector<std::string>& command) {
  wire::node::Launch launch;
  launch.set_server_id("12.9");
  launch.set_fleet("duel");
  launch.set_port(7001);
  launch.set_host("game.example");
  launch.set_match_id("5.1");
  launch.set_queue("ranked");
  launch.set_map("arena");
  launch.set_players(8);
  for (const std::string& word : command) launch.add_command(word);
  auto& query = *launch.add_ports();
  query.set_name("query2");
  query.set_port(27015);
  return launch;
}
const LaunchContext context{"secret", "127.0.0.1:9",         "key", "/data/logs/duel",
                            0,        "unix:/data/sdk.sock", "",    "",
                            {},       "/data/servers/12.9"};

TEST(LaunchContract, Placeholders) {
  struct Row {
    const char* text;
    const char* want;  // nullptr: refused.
  };
  const Row rows[] = {
      {"", ""},
      {"plain", "plain"},
      {"{port}", "7001"},
      {"--port={port},{port}", "--port=7001,7001"},
      {"{host}:{port}", "game.example:7001"},
      {"{server_id} {match_id} {queue} {map} {players} {log_dir}",
       "12.9 5.1 ranked arena 8 /data/logs/duel"},
      {"{port.query2}/{server_dir}", "27015//data/servers/12.9"},
      {"{port.rcon}", nullptr},
      {"{port.}", "{port.}"},
      {"{a.b}", "{a.b}"},
      {"{{port}", "{port}"},
      {"{{{{", "{{"},
      {"{", "{"},
      {"{}", "{}"},
      {"}", "}"},
      {"{port", "{port"},
      {"{\"port\":{port},\"a\":{\"b\":1}}", "{\"port\":7001,\"a\":{\"b\":1}}"},
      {"{ port }", "{ port }"},
      {"{1}", "{1}"},
      {"a{", "a{"},
      {"{prot}", nullptr},
      {"{Port}", nullptr},
      {"x {port} {sdk_port}", nullptr},
      {"{_}", nullptr},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const auto got = expand(row.text, launch_of({}), context);
    ASSERT_EQ(got.has_value(), row.want != nullptr);
    if (got) {
      EXPECT_EQ(*got, row.want);
    }
  }
  EXPECT_THAT(expand("{prot}", launch_of({}), context).error(),
              StartsWith("there is no placeholder {prot}; there are {port} {host} "));
  EXPECT_FALSE(expand(std::string("a\0b", 3), launch_of({}), context));
}

TEST(LaunchContract, ValuesAreNotExpandedAgain) {
  auto launch = launch_of({});
  launch.set_map("{port}");
  EXPECT_EQ(*expand("{map}", launch, context), "{port}");
}

TEST(LaunchContract, ProgramsAreLookedUp) {
  EXPECT_EQ(make_command(launch_of({"sh", "-c", "x"}), context)->program.substr(0, 1), "/");
  EXPECT_EQ(make_command(launch_of({"./server"}), context)->program, "./server");
  EXPECT_EQ(make_command(launch_of({"bin/server"}), context)->program, "bin/server");
  EXPECT_THAT(make_command(launch_of({"no-such"}), context).error(),
              HasSubstr("cannot execute no-such: No such file or directory in PATH"));
  auto with_path = launch_of({"sh"});
  auto& path = *with_path.add_env();
  path.set_name("PATH");
  path.set_value("/no/such/folder:.");
  EXPECT_THAT(make_command(with_path, context).error(), HasSubstr("(/no/such/folder:.)"));
}

TEST(LaunchContract, Environment) {
  ::setenv("MUSTER_TEST_SECRET", "of the node", 1);
  ::setenv("LANG", "C.UTF-8", 1);
  auto launch = launch_of({"sh"});
  launch.clear_match_id();
  const auto add = [&](const char* name, const char* value) {
    auto& variable = *launch.add_env();
    variable.set_name(name);
    variable.set_value(value);
  };
  add("LANG", "de_DE.UTF-8");
  add("MODE", "first");
  add("MODE", "{queue}");
  const auto command = make_command(launch, context);
  ASSERT_TRUE(command) << command.error();
  EXPECT_THAT(command->environment, Contains("LANG=de_DE.UTF-8"));
  EXPECT_THAT(command->environment, Not(Contains("LANG=C.UTF-8")));
  EXPECT_THAT(command->environment, Contains("MODE=ranked").Times(1));
  EXPECT_THAT(command->environment, Not(Contains("MODE=first")));
  EXPECT_THAT(command->environment, Contains("PORT=7001"));
  EXPECT_THAT(command->environment, Contains("MUSTER_PORT_QUERY2=27015"));
  EXPECT_THAT(command->environment, Contains("MUSTER_SERVER_DIR=/data/servers/12.9"));
  EXPECT_THAT(command->environment, Contains("MUSTER_TOKEN=secret"));
  EXPECT_THAT(command->environment, Contains("MUSTER_SDK_LOCAL=unix:/data/sdk.sock"));
  EXPECT_THAT(command->environment, Not(Contains(StartsWith("MUSTER_MATCH_ID"))));
  EXPECT_THAT(command->environment, Not(Contains(StartsWith("MUSTER_TEST_SECRET"))));
}

TEST(LaunchContract, EnvironmentRefusals) {
  struct Row {
    const char* name;
    const char* value;
    const char* want;
  };
  const Row rows[] = {
      {"", "x", "is not a name"},
      {"A=B", "x", "is not a name"},
      {"PORT", "1", "PORT is set by Muster itself"},
      {"MUSTER_ANYTHING", "1", "MUSTER_ANYTHING is set by Muster itself"},
      {"GOOD", "{bad}", "environment variable GOOD: there is no placeholder {bad}"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    auto launch = launch_of({"sh"});
    auto& variable = *launch.add_env();
    variable.set_name(row.name);
    variable.set_value(row.value);
    const auto command = make_command(launch, context);
    ASSERT_FALSE(command);
    EXPECT_THAT(command.error(), HasSubstr(row.want));
    EXPECT_THAT(command.error(), StartsWith("fleet duel: "));
  }
}

}  // namespace
}  // namespace muster::node
