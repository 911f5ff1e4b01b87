#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "server/config_test_help.h"

namespace muster::server {
namespace {

namespace fs = std::filesystem;
using core::minutes;
using core::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ConfigFile, DefaultsAreThoseOfTheTypes) {
  const auto config = parse(good);
  ASSERT_TRUE(config) << shown(config.error());
  EXPECT_THAT(config->warnings, IsEmpty()) << shown(config->warnings);
  EXPECT_EQ(config->listen, "0.0.0.0:4100");
  EXPECT_EQ(config->admin, "127.0.0.1:4180");
  EXPECT_EQ(config->classic, AllowedFrom::loopback);
  EXPECT_EQ(config->data, "/srv/game/data");
  EXPECT_EQ(config->host, "192.0.2.10");
  ASSERT_EQ(config->core.fleets.size(), 1u);
  const core::FleetConfig& fleet = config->core.fleets[0];
  EXPECT_EQ(fleet.command, (std::vector<std::string>{"/srv/game/bin/duel", "{port}"}));
  EXPECT_EQ(fleet.working_directory, "/srv/game/");
  EXPECT_EQ(fleet.servers_max, 10u) << "the default gives way to the number of ports";
  EXPECT_EQ(fleet.launch_timeout, seconds{30});
  ASSERT_EQ(config->core.queues.size(), 1u);
  EXPECT_EQ(config->core.queues[0].fleet, 0u);
}

TEST(ConfigFile, AgonesFleets) {
  const auto config = parse(R"(
[[queue]]
name = "duel"
fleet = "duel"
[[fleet]]
name = "duel"
command = ["/opt/duel", "{port}", "{sdk_grpc_port}", "{sdk_http_port}"]
ports = "7000-7009"
sdk = "agones"
[fleet.agones]
health = false
health_period = "7s"
health_failures_max = 4
health_initial_delay = "1m"
player_capacity = 64
fixed_ports = true
[fleet.counters]
rooms = { count = 1, capacity = 10 }
doors = {}
[fleet.lists]
players = { values = ["a", "b"], capacity = 100 }
)");
  ASSERT_TRUE(config) << shown(config.error());
  const core::FleetConfig& fleet = config->core.fleets[0];
  EXPECT_EQ(fleet.sdk, core::SdkKind::agones);
  const core::AgonesConfig& agones = fleet.agones;
  EXPECT_FALSE(agones.health);
  EXPECT_EQ(agones.health_period, seconds{7});
  EXPECT_EQ(agones.health_failures_max, 4u);
  EXPECT_EQ(agones.health_initial_delay, minutes{1});
  EXPECT_EQ(agones.player_capacity, 64u);
  EXPECT_TRUE(agones.fixed_ports);
  ASSERT_EQ(agones.counters.size(), 2u);
  EXPECT_EQ(agones.counters[0].name, "doors");
  EXPECT_EQ(agones.counters[0].capacity, 1000);
  EXPECT_EQ(agones.counters[1].name, "rooms");
  EXPECT_EQ(agones.counters[1].count, 1);
  EXPECT_EQ(agones.counters[1].capacity, 10);
  ASSERT_EQ(agones.lists.size(), 1u);
  EXPECT_EQ(agones.lists[0].name, "players");
  EXPECT_EQ(agones.lists[0].values, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(agones.lists[0].capacity, 100);
}

TEST(ConfigFile, EveryKeyIsRead) {
  const auto config = parse(R"(
[lobby]
listen = "[::1]:4100"
admin = "localhost:4181"
classic = "any"
classic_guests = false
classic_queue = "small"
data = "/var/lib/muster"
host = "play.example.org"
resume_grace = "2m"
port_set_aside = "5s"
[limits]
players_max = 11
sessions_max = 12
attributes_max = 13
hello_timeout = "1s"
frame_timeout = "2s"
ping_interval = "3s"
silence_timeout = "4s"
message_bytes_max = "2KiB"
messages_per_second = 15
outbound_bytes_max = "8KiB"
[[queue]]
name = "small"
fleet = "second"
players = 4
teams = 2
ticket_timeout = "1m"
requeue_on_server_lost = true
map = "bridge"
[[fleet]]
name = "first"
command = ["/opt/first"]
ports = 7000
[[fleet]]
name = "second"
command = ["/opt/second", "--port={port}", "{\"json\": {}}"]
ports = "7100-7199"
working_directory = "run"
sdk = "classic"
ready_min = 2
ready_max = 7
scale_to_zero_after = "30m"
crash_loop_after = 9
servers_max = 20
launch_timeout = "1500ms"
launch_attempts_max = 5
after_match = "exit"
idle_timeout = "0s"
match_timeout = "1h"
stop_grace = "3s"
health_timeout = "0s"
log_bytes_max = "1MiB"
log_files_max = 4
[fleet.env]
MODE = "duel"
[fleet.limits]
memory = "512MiB"
cpu = 1.5
processes = 64
open_files = 1024
user = "me"
nice = -5
core_dumps = true
no_new_privileges = true
required = true
[[fleet]]
name = "plain"
command = ["/opt/plain", "--config={server_dir}/a.cfg", "{port.query}"]
ports = "7200-7299"
protocol = "udp"
sdk = "none"
[fleet.port.query]
ports = "27000-27009"
protocol = "tcp"
[fleet.port.rcon_2]
offset = 2
[fleet.ready]
udp = { send = '\xff\n{port}', expect_hex = "ff 4f6b", port = "rcon_2" }
repeat = "10s"
failures_max = 5
[fleet.end]
log = 'over: (\w+)'
idle = "45s"
first_player_timeout = "1m"
players_udp = { send_hex = "00ff", expect = 'n=(\d+)' }
players_interval = "2s"
[fleet.files]
"a.cfg" = { text = "port {port}", mode = "0644" }
)");
  ASSERT_TRUE(config) << shown(config.error());
  EXPECT_THAT(config->warnings, IsEmpty()) << shown(config->warnings);
  EXPECT_EQ(config->listen, "[::1]:4100");
  EXPECT_EQ(config->admin, "127.0.0.1:4181");
  EXPECT_EQ(config->classic, AllowedFrom::any);
  EXPECT_FALSE(config->classic_guests);
  EXPECT_EQ(config->core.classic_queue, "small");
  EXPECT_EQ(config->data, "/var/lib/muster");
  EXPECT_EQ(config->host, "play.example.org");
  EXPECT_EQ(config->core.resume_grace, minutes{2});
  EXPECT_EQ(config->core.port_set_aside, seconds{5});
  EXPECT_EQ(config->core.players_max, 11u);
  EXPECT_EQ(config->core.sessions_max, 12u);
  EXPECT_EQ(config->core.attributes_max, 13u);
  EXPECT_EQ(config->limits.hello_timeout, seconds{1});
  EXPECT_EQ(config->limits.frame_timeout, seconds{2});
  EXPECT_EQ(config->limits.ping_interval, seconds{3});
  EXPECT_EQ(config->limits.silence_timeout, seconds{4});
  EXPECT_EQ(config->limits.message_bytes_max, 2048u);
  EXPECT_EQ(config->limits.messages_per_second, 15u);
  EXPECT_EQ(config->limits.outbound_bytes_max, 8192u);
  ASSERT_EQ(config->core.queues.size(), 1u);
  const core::QueueConfig& queue = config->core.queues[0];
  EXPECT_EQ(queue.name, "small");
  EXPECT_EQ(queue.fleet, 1u) << "a fleet may come after the queue that names it";
  EXPECT_EQ(queue.players, 4u);
  EXPECT_EQ(queue.teams, 2u);
  EXPECT_EQ(queue.ticket_timeout, minutes{1});
  EXPECT_TRUE(queue.requeue_on_server_lost);
  EXPECT_EQ(queue.map, "bridge");
  ASSERT_EQ(config->core.fleets.size(), 3u);
  EXPECT_EQ(config->core.fleets[0].ports.last, 7000);
  EXPECT_EQ(config->core.fleets[0].servers_max, 1u);
  const core::FleetConfig& fleet = config->core.fleets[1];
  EXPECT_EQ(fleet.ports.first, 7100);
  EXPECT_EQ(fleet.ports.last, 7199);
  EXPECT_EQ(fleet.working_directory, "/srv/game/run");
  EXPECT_EQ(fleet.sdk, core::SdkKind::classic);
  EXPECT_EQ(fleet.ready_min, 2u);
  EXPECT_EQ(fleet.ready_max, 7u);
  EXPECT_EQ(fleet.scale_to_zero_after, minutes{30});
  EXPECT_EQ(fleet.crash_loop_after, 9u);
  EXPECT_EQ(fleet.servers_max, 20u);
  EXPECT_EQ(fleet.launch_timeout, std::chrono::milliseconds{1500});
  EXPECT_EQ(fleet.launch_attempts_max, 5u);
  EXPECT_EQ(fleet.after_match, core::AfterMatch::exit);
  EXPECT_EQ(fleet.idle_timeout, seconds{0});
  EXPECT_EQ(fleet.match_timeout, minutes{60});
  EXPECT_EQ(fleet.stop_grace, seconds{3});
  EXPECT_EQ(fleet.log_bytes_max, 1u << 20);
  EXPECT_EQ(fleet.log_files_max, 4u);
  EXPECT_EQ(fleet.limits.memory_bytes, 512u << 20);
  EXPECT_EQ(fleet.limits.cpu_thousandths, 1500u);
  EXPECT_EQ(fleet.limits.processes, 64u);
  EXPECT_EQ(fleet.limits.open_files, 1024u);
  EXPECT_EQ(fleet.limits.user, "me");
  EXPECT_EQ(fleet.limits.nice, -5);
  EXPECT_TRUE(fleet.limits.core_dumps);
  EXPECT_TRUE(fleet.limits.no_new_privileges);
  EXPECT_TRUE(fleet.limits.required);
  EXPECT_EQ(fleet.env, (std::vector<std::pair<std::string, std::string>>{{"MODE", "duel"}}));
  const core::FleetConfig& plain = config->core.fleets[2];
  EXPECT_EQ(plain.sdk, core::SdkKind::none);
  EXPECT_EQ(plain.protocol, core::Protocol::udp);
  EXPECT_EQ(plain.servers_max, 10u) << "there are as many query ports";
  ASSERT_EQ(plain.named_ports.size(), 2u);
  EXPECT_EQ(plain.named_ports[0].name, "query");
  EXPECT_EQ(plain.named_ports[0].ports.last, 27009);
  EXPECT_EQ(plain.named_ports[0].protocol, core::Protocol::tcp);
  EXPECT_EQ(plain.named_ports[1].name, "rcon_2");
  EXPECT_EQ(plain.named_ports[1].offset, 2);
  EXPECT_EQ(plain.ready.kind, core::ReadyKind::udp);
  EXPECT_EQ(plain.ready.query.send, "\xff\n{port}");
  EXPECT_TRUE(plain.ready.query.placeholders);
  EXPECT_EQ(plain.ready.query.expect, "^\\xff\\x4f\\x6b");
  EXPECT_EQ(plain.ready.query.port, "rcon_2");
  EXPECT_EQ(plain.ready.repeat, seconds{10});
  EXPECT_EQ(plain.ready.failures_max, 5u);
  EXPECT_EQ(plain.end.log, "over: (\\w+)");
  EXPECT_EQ(plain.end.idle, seconds{45});
  EXPECT_EQ(plain.end.first_player_timeout, minutes{1});
  EXPECT_EQ(plain.end.players.send, std::string("\0\xff", 2));
  EXPECT_FALSE(plain.end.players.placeholders);
  EXPECT_EQ(plain.end.players_interval, seconds{2});
  ASSERT_EQ(plain.files.size(), 1u);
  EXPECT_EQ(plain.files[0].path, "a.cfg");
  EXPECT_EQ(plain.files[0].text, "port {port}");
  EXPECT_EQ(plain.files[0].mode, 0644u);
}

TEST(ConfigFile, WhatIsWrongIsSaidWithItsLine) {
  struct Row {
    const char* name;
    std::string text;  // After `good`: its first line is line 11.
    int line;
    const char* key;
    const char* says;
  };
  const std::string second =
      "[[fleet]]\nname = \"second\"\ncommand = [\"/bin/true\"]\n";  // Lines 11 to 13.
  const Row rows[] = {
      {"syntax", "[lobby]\nlisten = \n", 12, "", ""},
      {"not UTF-8", "[lobby]\nhost = \"\xff\"\n", 12, "", ""},
      {"a key twice", "[lobby]\nhost = \"a\"\nhost = \"b\"\n", 13, "", "host"},
      {"an unknown table", "[loby]\n", 11, "loby", "did you mean \"lobby\"?"},
      {"an unknown key", "[lobby]\nlsiten = \"x\"\n", 12, "lobby.lsiten",
       "did you mean \"listen\"?"},
      {"an unknown key at the top", "[other]\nx = 1\n", 11, "other", "there are [lobby]"},
      {"[fleet] for [[fleet]]", "[lobby]\n[limits.more]\n", 12, "limits.more", "no such key"},
      {"a number for a duration", "[lobby]\nresume_grace = 30\n", 12, "lobby.resume_grace",
       "\"30s\""},
      {"a duration past its range", "[lobby]\nresume_grace = \"2h\"\n", 12, "lobby.resume_grace",
       "is 2h; must be 0s to 1h"},
      {"a count of zero", "[limits]\nplayers_max = 0\n", 12, "limits.players_max", "1 to 1000000"},
      {"a negative count", "[limits]\nplayers_max = -1\n", 12, "limits.players_max", "is -1"},
      {"a count with a fraction", "[limits]\nplayers_max = 1.0\n", 12, "limits.players_max",
       "a number"},
      {"a wrong choice", "[lobby]\nclassic = \"loopbak\"\n", 12, "lobby.classic",
       "did you mean \"loopback\"?"},
      {"a zero byte", "[lobby]\nhost = \"a\\u0000b\"\n", 12, "lobby.host", "zero byte"},
      {"a word for a boolean", "[lobby]\nclassic_guests = \"yes\"\n", 12, "lobby.classic_guests",
       "true or false"},
      {"an address without port", "[lobby]\nlisten = \"0.0.0.0\"\n", 12, "lobby.listen",
       "\"0.0.0.0:4100\""},
      {"admin for everybody", "[lobby]\nadmin = \"0.0.0.0:4180\"\n", 12, "lobby.admin",
       "does not ask who"},
      {"one port for both", "[lobby]\nadmin = \"127.0.0.1:4100\"\n", 12, "lobby.admin",
       "lobby.listen's"},
      {"listening among the fleet's ports", "[lobby]\nlisten = \"0.0.0.0:7005\"\n", 4,
       "fleet.ports", "contains port 7005, which is lobby.listen's"},
      {"classic_queue of no queue", "[lobby]\nclassic_queue = \"deul\"\n", 12,
       "lobby.classic_queue", "did you mean \"duel\"?"},
      {"ping after silence", "[limits]\nping_interval = \"60s\"\n", 12, "limits.ping_interval",
       "not below silence_timeout"},
      {"lobby twice as a list", "[[lobby]]\n", 11, "lobby", "[lobby]"},
      {"no ports", second, 11, "fleet.ports", "missing"},
      {"a name of two fleets",
       "[[fleet]]\nname = \"duel\"\ncommand = [\"/bin/true\"]\nports = \"7100\"\n", 12,
       "fleet.name", "in line 2 too"},
      {"a name with capitals", "[[queue]]\nname = \"Duel\"\nfleet = \"duel\"\n", 12, "queue.name",
       "a-z"},
      {"shared ports", second + "ports = \"7009-7020\"\n", 14, "fleet.ports",
       "7009 of 7009-7020 are also the ports of fleet \"duel\" (line 4)"},
      {"more servers than ports", second + "ports = \"7100-7101\"\nservers_max = 3\n", 15,
       "fleet.servers_max", "has 2"},
      {"fewer Ready than warm", second + "ports = \"7100-7109\"\nready_min = 3\nready_max = 2\n",
       16, "fleet.ready_max", "less than ready_min, 3"},
      {"asleep at once", second + "ports = \"7100-7109\"\nscale_to_zero_after = \"500ms\"\n", 15,
       "fleet.scale_to_zero_after", "at least 1s"},
      {"more warm than servers", second + "ports = \"7100-7101\"\nready_min = 3\n", 15,
       "fleet.ready_min", "more than servers_max, 2"},
      {"backward ports", second + "ports = \"7101-7100\"\n", 14, "fleet.ports", "\"7100-7101\""},
      {"an SDK there is not", second + "ports = 7100\nsdk = \"agons\"\n", 15, "fleet.sdk",
       "one of muster, classic, agones, none, did you mean \"agones\"?"},
      {"an Agones port without its SDK",
       "[[fleet]]\nname = \"second\"\ncommand = [\"/bin/true\", \"{sdk_http_port}\"]\nports = "
       "7100\n",
       13, "fleet.command", "needs sdk = \"agones\""},
      {"Agones settings without its SDK", second + "ports = 7100\n[fleet.agones]\nhealth = false\n",
       15, "fleet.agones", "is for sdk = \"agones\""},
      {"counters without its SDK", second + "ports = 7100\n[fleet.counters]\nrooms = {}\n", 15,
       "fleet.counters", "is for sdk = \"agones\""},
      {"Muster's health with Agones",
       second + "ports = 7100\nsdk = \"agones\"\nhealth_timeout = \"5s\"\n", 16,
       "fleet.health_timeout", "[fleet.agones]"},
      {"a key of [fleet.agones] that is none",
       second + "ports = 7100\nsdk = \"agones\"\n[fleet.agones]\nheath = true\n", 17,
       "fleet.agones.heath", "did you mean \"health\"?"},
      {"a health_period too short",
       second + "ports = 7100\nsdk = \"agones\"\n[fleet.agones]\nhealth_period = \"1ms\"\n", 17,
       "fleet.agones.health_period", "must be 1s to 1h"},
      {"[fleet.agones] that is no table",
       second + "ports = 7100\nsdk = \"agones\"\nagones = true\n", 16, "fleet.agones",
       "must be a table"},
      {"a counter over its capacity",
       second + "ports = 7100\nsdk = \"agones\"\ncounters = { rooms = { count = 2, capacity = 1 } "
                "}\n",
       16, "fleet.counters", "rooms has a count of 2, which is more than its capacity, 1"},
      {"a counter with another key",
       second + "ports = 7100\nsdk = \"agones\"\ncounters = { rooms = { size = 2 } }\n", 16,
       "fleet.counters", "rooms.size is no key of a counter"},
      {"a counter below 0",
       second + "ports = 7100\nsdk = \"agones\"\ncounters = { rooms = { count = -2 } }\n", 16,
       "fleet.counters", "rooms.count is -2"},
      {"a counter that is a number",
       second + "ports = 7100\nsdk = \"agones\"\ncounters = { rooms = 3 }\n", 16, "fleet.counters",
       "rooms is a number; must be a table"},
      {"a counter's name with a slash",
       second + "ports = 7100\nsdk = \"agones\"\ncounters = { \"a/b\" = {} }\n", 16,
       "fleet.counters", "\"a/b\" cannot be a name"},
      {"a list over its capacity",
       second + "ports = 7100\nsdk = \"agones\"\nlists = { l = { values = [\"a\", \"b\"], capacity "
                "= 1 } }\n",
       16, "fleet.lists", "l has 2 values, which is more than its capacity, 1"},
      {"a list with a value twice",
       second + "ports = 7100\nsdk = \"agones\"\nlists = { l = { values = [\"a\", \"a\"] } }\n", 16,
       "fleet.lists", "has \"a\" twice"},
      {"a list larger than Agones has them",
       second + "ports = 7100\nsdk = \"agones\"\nlists = { l = { capacity = 1001 } }\n", 16,
       "fleet.lists", "l.capacity is 1001; must be 0 to 1000"},
      {"an unknown placeholder",
       "[[fleet]]\nname = \"second\"\ncommand = [\"/bin/true\", \"-p\", \"{prot}\"]\nports = "
       "7100\n",
       13, "fleet.command", "did you mean \"port\"?"},
      {"a placeholder for a program",
       "[[fleet]]\nname = \"second\"\ncommand = [\"{map}\"]\nports = 7100\n", 13, "fleet.command",
       "cannot be a placeholder"},
      {"a command that is a string",
       "[[fleet]]\nname = \"second\"\ncommand = \"/bin/true\"\nports = 7100\n", 13, "fleet.command",
       "a list of strings"},
      {"an empty command", "[[fleet]]\nname = \"second\"\ncommand = []\nports = 7100\n", 13,
       "fleet.command", "must have 1 to"},
      {"a number among arguments",
       "[[fleet]]\nname = \"second\"\ncommand = [\"/bin/true\", 7]\nports = 7100\n", 13,
       "fleet.command", "element 2"},
      {"a variable of the launch's own", second + "ports = 7100\nenv = { MUSTER_TOKEN = \"x\" }\n",
       15, "fleet.env", "MUSTER_TOKEN"},
      {"a variable that is none", second + "ports = 7100\nenv = { \"A B\" = \"x\" }\n", 15,
       "fleet.env", "\"A B\""},
      {"classic servers without classic",
       second + "ports = 7100\nsdk = \"classic\"\n[lobby]\nclassic = \"off\"\n", 15, "fleet.sdk",
       "lobby.classic is \"off\""},
      {"health of a classic server",
       second + "ports = 7100\nsdk = \"classic\"\nhealth_timeout = \"5s\"\n", 16,
       "fleet.health_timeout", "no health message"},
      {"forks of a classic server", second + "ports = 7100\nsdk = \"classic\"\nfork = true\n", 16,
       "fleet.fork", "fork point of Muster's SDK"},
      {"memory without a unit", second + "ports = 7100\n[fleet.limits]\nmemory = 512\n", 16,
       "fleet.limits.memory", "a string with a unit"},
      {"too little memory", second + "ports = 7100\n[fleet.limits]\nmemory = \"1KiB\"\n", 16,
       "fleet.limits.memory", "must be 1MiB to 1024GiB"},
      {"a word for a number of cores", second + "ports = 7100\n[fleet.limits]\ncpu = \"2\"\n", 16,
       "fleet.limits.cpu", "a number of cores"},
      {"no core at all", second + "ports = 7100\n[fleet.limits]\ncpu = 0\n", 16, "fleet.limits.cpu",
       "must be 0.05 to 1024"},
      {"not a number of cores", second + "ports = 7100\n[fleet.limits]\ncpu = nan\n", 16,
       "fleet.limits.cpu", "must be 0.05 to 1024"},
      {"a limit there is not", second + "ports = 7100\n[fleet.limits]\nmemroy = \"1GiB\"\n", 16,
       "fleet.limits.memroy", "did you mean \"memory\"?"},
      {"limits that are no table", second + "ports = 7100\nlimits = 3\n", 15, "fleet.limits",
       "[fleet.limits]"},
      {"a user there is not", second + "ports = 7100\n[fleet.limits]\nuser = \"nobdy\"\n", 16,
       "fleet.limits.user", "no user \"nobdy\""},
      {"a user one may not become", second + "ports = 7100\n[fleet.limits]\nuser = \"games\"\n", 16,
       "fleet.limits.user", "runs as root"},
      {"a data folder too deep for a socket", "[lobby]\ndata = \"" + std::string(100, 'd') + "\"\n",
       12, "lobby.data", "use a folder with at most"},
      {"a queue of no fleet", "[[queue]]\nname = \"x\"\nfleet = \"dual\"\n", 13, "queue.fleet",
       "there is no fleet \"dual\", did you mean \"duel\"?"},
      {"a queue without fleet", "[[queue]]\nname = \"x\"\n", 11, "queue.fleet", "missing"},
      {"more teams than players", "[[queue]]\nname = \"x\"\nfleet = \"duel\"\nteams = 3\n", 14,
       "queue.teams", "3 teams for 2 players"},
      {"too many players", "[[queue]]\nname = \"x\"\nfleet = \"duel\"\nplayers = 257\n", 14,
       "queue.players", "1 to 256"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto config = parse(good + row.text);
    ASSERT_FALSE(config);
    const ConfigProblem* found = nullptr;
    for (const ConfigProblem& p : config.error())
      if (!p.warning && p.line == row.line && p.key == row.key) found = &p;
    ASSERT_TRUE(found) << shown(config.error());
    EXPECT_THAT(found->text, HasSubstr(row.says));
    EXPECT_EQ(found->file, "muster.toml");
    EXPECT_EQ(std::ranges::count(config.error(), false, &ConfigProblem::warning), 1)
        << "one slip, one problem:\n"
        << shown(config.error());
  }
}

TEST(ConfigFile, OneBracketTooFew) {
  const auto config = parse("[fleet]\nname = \"x\"\n");
  ASSERT_FALSE(config);
  EXPECT_THAT(shown(config.error()),
              HasSubstr("muster.toml:1: fleet: there can be several: write [[fleet]]"));
}

TEST(ConfigFile, EverythingWrongIsSaidAtOnceInTheOrderOfTheFile) {
  const auto config = parse(
      "[[queue]]\nname = \"q\"\nfleet = \"none\"\nplayers = 0\n"
      "[lobby]\nadmin = \"8.8.8.8:1\"\nbogus = 1\n");
  ASSERT_FALSE(config);
  std::vector<int> lines;
  for (const ConfigProblem& p : config.error()) lines.push_back(p.line);
  EXPECT_EQ(lines, (std::vector<int>{3, 4, 6, 7})) << shown(config.error());
}

TEST(ConfigFile, Warnings) {
  struct Row {
    const char* name;
    std::string text;
    const char* says;  // Empty: no warning.
  };
  const std::string second = "[[fleet]]\nname = \"second\"\ncommand = [\"/bin/true\"]\n";
  const Row rows[] = {
      {"nothing to play", second + "ports = 7100\n", "nothing to play"},
      {"ephemeral ports", good + second + "ports = \"32700-32799\"\n",
       "muster.toml:14: warning: fleet.ports: 32768-32799 of 32700-32799 are in "
       "net.ipv4.ip_local_port_range"},
      {"ephemeral but reserved", good + second + "ports = \"40000-40099\"\n", ""},
      {"half reserved", good + second + "ports = \"40000-40100\"\n", "ip_local_port_range"},
      {"low ports", good + second + "ports = \"80\"\n", "CAP_NET_BIND_SERVICE"},
      {"a classic server that is not told its port",
       good + second + "ports = 7100\nsdk = \"classic\"\n", "no {port}"},
      {"uneven teams", good + "[[queue]]\nname = \"x\"\nfleet = \"duel\"\nplayers = 3\nteams = 2\n",
       "the first ones get one more"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Machine machine = plain_machine();
    machine.reserved_ports = {{40000, 40049}, {40050, 40099}};
    const auto config = parse(row.text, machine);
    ASSERT_TRUE(config) << shown(config.error());
    if (*row.says == '\0') {
      EXPECT_THAT(config->warnings, IsEmpty()) << shown(config->warnings);
    } else {
      EXPECT_THAT(shown(config->warnings), HasSubstr(row.says));
      EXPECT_EQ(config->warnings.size(), 1u);
    }
  }
}

TEST(ConfigFile, HostIsWhatPlayersCanReach) {
  const std::pair<const char*, const char*> rows[] = {
      {"listen = \"127.0.0.1:4100\"", "127.0.0.1"},
      {"listen = \"[::1]:4100\"", "::1"},
      {"listen = \"0.0.0.0:4100\"", "192.0.2.10"},
      {"listen = \"[::]:4100\"", "192.0.2.10"},
      {"listen = \"198.51.100.4:4100\"", "198.51.100.4"},
      {"host = \"play.example.org\"", "play.example.org"},
  };
  for (const auto& [line, host] : rows) {
    const auto config = parse(good + "[lobby]\n" + line + "\n");
    ASSERT_TRUE(config) << shown(config.error());
    EXPECT_EQ(config->host, host) << line;
  }
}

TEST_F(ConfigOnDisk, CommandsAreLookedUp) {
  struct Row {
    const char* command;
    const char* says;  // Empty: found.
  };
  const Row rows[] = {
      {"./server", ""},
      {"sub/../server", ""},
      {"server", ""},
      {"./gone", "does not exist; build it"},
      {"gone", "in PATH"},
      {"./notes", "is not executable; chmod +x"},
      {"./sub", "not a file"},
      {"/", "not a file"},
      {"./server/x", "cannot be looked at"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.command);
    const auto config = load(row.command);
    if (*row.says == '\0') {
      ASSERT_TRUE(config) << shown(config.error());
      EXPECT_EQ(config->core.fleets[0].command[0], (folder_ / "server").string());
    } else {
      ASSERT_FALSE(config);
      EXPECT_THAT(shown(config.error()), HasSubstr(row.says));
    }
  }
}

TEST_F(ConfigOnDisk, WorkingDirectoryMustBeThere) {
  EXPECT_TRUE(load("./server", "working_directory = \"sub\"\n"));
  EXPECT_FALSE(load("./server", "working_directory = \"gone\"\n"));
}

TEST_F(ConfigOnDisk, FilesThatCannotBeRead) {
  const auto gone = load_config(folder_ / "gone.toml", machine_);
  ASSERT_FALSE(gone);
  EXPECT_THAT(shown(gone.error()), HasSubstr("gone.toml: cannot be read: No such file"));
  const auto directory = load_config(folder_, machine_);
  ASSERT_FALSE(directory);
  EXPECT_THAT(shown(directory.error()), HasSubstr("is a folder"));
  std::ofstream(folder_ / "large.toml") << std::string((256u << 10) + 1, '#');
  const auto large = load_config(folder_ / "large.toml", machine_);
  ASSERT_FALSE(large);
  EXPECT_THAT(shown(large.error()), HasSubstr("larger than 256KiB"));
}

TEST(ConfigFile, ThisMachineIsKnown) {
  const Machine machine = this_machine();
  EXPECT_FALSE(machine.address.empty());
  EXPECT_LE(machine.ephemeral_ports.first, machine.ephemeral_ports.last);
  EXPECT_FALSE(machine.search_path.empty());
}

TEST(ConfigFile, TheDocumentationHasEveryKeyWithItsDefaultAndRange) {
  EXPECT_GT(expect_documented(config_keys(), MUSTER_SOURCE_DIR "/docs/configuration.md", "## "),
            40u);
}

}  // namespace
}  // namespace muster::server
