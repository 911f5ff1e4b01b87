#include "net/node_link_convert.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "proto/node.pb.h"

namespace muster::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::node::FromNode;
using wire::node::ToNode;

constexpr core::NodeId node{0, 4};
constexpr core::ServerId server{12, 9};
constexpr core::MatchId match{5, 1};
constexpr core::PlayerId player{41, 3};

std::shared_ptr<const core::FleetConfig> fleet_config(const std::string& name, core::SdkKind sdk) {
  core::FleetConfig fleet;
  fleet.name = name;
  fleet.sdk = sdk;
  fleet.command = {"build/duel", "{port}"};
  fleet.env = {{"MODE", "duel"}, {"MAP", "{map}"}};
  fleet.working_directory = "/srv";
  fleet.health_timeout = milliseconds{1500};
  fleet.log_bytes_max = 70'000;
  fleet.log_files_max = 3;
  if (sdk == core::SdkKind::none) {
    fleet.env.clear();
    fleet.protocol = core::Protocol::udp;
    fleet.named_ports = {{"query", {27000, 27009}, 0, core::Protocol::udp},
                         {"rcon", {}, 1, core::Protocol::tcp}};
    fleet.ready.kind = core::ReadyKind::udp;
    fleet.ready.query = {"query", "\xff{port}", true, "^ok"};
    fleet.ready.repeat = seconds{10};
    fleet.end.log = "over";
    fleet.end.players = {"", "info", true, "n=(\\d+)"};
    fleet.files = {{"server.cfg", "port {port}\n", "", 0640}};
  }
  return std::make_shared<const core::FleetConfig>(std::move(fleet));
}

TEST(NodeLinkConvert, EffectsBecomeMessages) {
  const auto roster = std::make_shared<const core::Roster>(core::Roster{
      {player, "ann", 1, 2, {{"skill", 12.5}, {"rank", std::string("gold")}}},
      {{7, 1},
       "bob",
       0,
       1,
       {{"tags", std::vector<std::string>{"a", "b"}}, {"none", std::vector<std::string>{}}}}});
  struct Row {
    core::Effect effect;
    const char* want;  // Text format.
  };
  const Row rows[] = {
      {core::LaunchServer{node, server, 0, 7001, match, "ranked", "arena", 2,
                          fleet_config("duel", core::SdkKind::muster), 77},
       R"(launch { server_id: "12.9" fleet: "duel" command: "build/duel" command: "{port}"
                   env { name: "MODE" value: "duel" } env { name: "MAP" value: "{map}" }
                   working_directory: "/srv" port: 7001 host: "play.example" match_id: "5.1"
                   queue: "ranked" map: "arena" players: 2 log_bytes_max: 70000 log_files_max: 3
                   health_timeout_ms: 1500 version: 77 limits { servers_max: 64 } })"},
      {core::LaunchServer{
           node, server, 1, 7002, {}, "", "", 0, fleet_config("old", core::SdkKind::classic), 0},
       R"(launch { server_id: "12.9" fleet: "old" command: "build/duel" command: "{port}"
                   env { name: "MODE" value: "duel" } env { name: "MAP" value: "{map}" }
                   working_directory: "/srv" port: 7002 sdk: SDK_CLASSIC host: "play.example"
                   log_bytes_max: 70000 log_files_max: 3 limits { servers_max: 64 } })"},
      {core::LaunchServer{node,
                          server,
                          2,
                          7003,
                          {},
                          "",
                          "",
                          0,
                          fleet_config("plain", core::SdkKind::none),
                          0,
                          {{"query", 27001}, {"rcon", 7004}}},
       R"x(launch { server_id: "12.9" fleet: "plain" command: "build/duel" command: "{port}"
                   working_directory: "/srv" port: 7003 sdk: SDK_NONE host: "play.example"
                   log_bytes_max: 70000 log_files_max: 3 protocol: PROTOCOL_UDP
                   ports { name: "query" port: 27001 protocol: PROTOCOL_UDP }
                   ports { name: "rcon" port: 7004 protocol: PROTOCOL_TCP }
                   ready { kind: UDP query { port: "query" send: "\377{port}" placeholders: true
                                             expect: "^ok" }
                           repeat_ms: 10000 failures_max: 3 launch_timeout_ms: 30000 }
                   end { log: "over"
                         players { send: "info" placeholders: true expect: "n=(\\d+)" }
                         players_interval_ms: 5000 }
                   files { path: "server.cfg" text: "port {port}\n" mode: 416 }
                   limits { servers_max: 64 } })x"},
      {core::StopServer{node, server, std::chrono::microseconds{1500}},
       R"(stop { server_id: "12.9" grace_ms: 2 })"},
      {core::StopServer{node, server, std::chrono::hours{2000}},
       R"(stop { server_id: "12.9" grace_ms: 4294967295 })"},
      {core::StartServerMatch{node, server, match, "ranked", "arena", roster},
       R"(start_match { server_id: "12.9" match { match_id: "5.1" queue: "ranked" map: "arena"
            players { player_id: "41.3" name: "ann" team: 1 seats: 2
                      attributes { name: "skill" number: 12.5 }
                      attributes { name: "rank" text: "gold" } }
            players { player_id: "7.1" name: "bob" seats: 1
                      attributes { name: "tags" texts { values: "a" values: "b" } }
                      attributes { name: "none" texts { } } } } })"},
      {core::StartServerMatch{node, server, match, "q", "", nullptr},
       R"(start_match { server_id: "12.9" match { match_id: "5.1" queue: "q" } })"},
      {core::StartServerMatch{node, server, match, "q", "", nullptr, {}, {{0, 2}, {1, 3}}},
       R"(start_match { server_id: "12.9" match { match_id: "5.1" queue: "q"
            bots { count: 2 } bots { team: 1 count: 3 } } })"},
      {core::RemoveServerPlayer{node, server, match, player},
       R"(remove_player { server_id: "12.9" match_id: "5.1" player_id: "41.3" })"},
      {core::EndServerMatch{node, server, match, core::MatchEnd::timed_out},
       R"(end_match { server_id: "12.9" match_id: "5.1" reason: "timed_out" })"},
      {core::EndServerMatch{node, server, match, core::MatchEnd::cancelled},
       R"(end_match { server_id: "12.9" match_id: "5.1" reason: "cancelled" })"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(core::name_of(row.effect));
    ToNode want, got;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(row.want, &want));
    ASSERT_TRUE(to_node(row.effect, "play.example", got));
    EXPECT_EQ(got.DebugString(), want.DebugString());
    EXPECT_EQ(node_of(row.effect), node);
  }
  ToNode unused;
  EXPECT_FALSE(to_node(core::SendServerLoginOk{}, "", unused));
  EXPECT_FALSE(node_of(core::SendServerLoginOk{}));
}

TEST(NodeLinkConvert, AnAgonesFleetsSettingsAreLaunchedWith) {
  core::FleetConfig fleet;
  fleet.name = "duel";
  fleet.sdk = core::SdkKind::agones;
  fleet.agones.health = false;
  fleet.agones.health_initial_delay = std::chrono::seconds{60};
  fleet.agones.player_capacity = 8;
  fleet.agones.fixed_ports = true;
  fleet.agones.counters = {{"rooms", 1, 10}};
  fleet.agones.lists = {{"players", {"a"}, 100}};
  ToNode want, got;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(health_disabled: true health_period_ms: 5000 health_failures_max: 3
         health_initial_delay_ms: 60000 player_capacity: 8 fixed_ports: true
         counters { key: "rooms" value { count: 1 capacity: 10 } }
         lists { key: "players" value { capacity: 100 values: "a" } })",
      want.mutable_launch()->mutable_agones()));
  core::LaunchServer launch;
  launch.node = node;
  launch.server = server;
  launch.port = 7000;
  launch.config = std::make_shared<const core::FleetConfig>(fleet);
  ASSERT_TRUE(to_node(launch, "", got));
  EXPECT_EQ(got.launch().sdk(), wire::node::SDK_AGONES);
  EXPECT_EQ(got.launch().agones().DebugString(), want.launch().agones().DebugString());
}

TEST(NodeLinkConvert, AForkParentIsWhatAllLaunchesOfItsFleetHaveInCommon) {
  const auto fleet = fleet_config("duel", core::SdkKind::muster);
  core::Config config;
  config.fleets = {*fleet, *fleet};
  config.fleets[1].fork = true;
  ToNode prepare, launch;
  to_prepare_forks(config, prepare);
  ASSERT_EQ(prepare.prepare_forks().parents_size(), 1);
  ASSERT_TRUE(to_node(core::LaunchServer{node, server, 1, 7001, match, "ranked", "arena", 2, fleet,
                                         core::launch_version(*fleet)},
                      "play.example", launch));
  wire::node::Launch common = launch.launch();
  common.clear_server_id();
  common.clear_port();
  common.clear_host();
  common.clear_match_id();
  common.clear_queue();
  common.clear_map();
  common.clear_players();
  EXPECT_EQ(prepare.prepare_forks().parents(0).DebugString(), common.DebugString());
}

// An event as text, for comparing.
std::string text(const std::optional<core::Event>& event) {
  if (!event) return "nothing";
  return std::visit(
      [](const auto& e) {
        std::string out(core::name_of(core::Event(e)));
        if constexpr (requires { e.server; }) out += ' ' + to_string(e.server);
        if constexpr (requires { e.match; }) out += ' ' + to_string(e.match);
        if constexpr (requires { e.player; }) out += ' ' + to_string(e.player);
        if constexpr (requires { e.fleet; }) out += ' ' + e.fleet;
        if constexpr (std::is_same_v<std::decay_t<decltype(e)>, core::ForkParentChanged>)
          out += ' ' + std::string(core::to_string(e.state));
        if constexpr (requires { e.pid; }) out += ' ' + std::to_string(e.pid);
        if constexpr (requires { e.forked; }) out += e.forked ? " forked" : "";
        if constexpr (requires { e.exit_code; })
          out += ' ' + std::to_string(e.exit_code) + ' ' + std::to_string(e.signal);
        if constexpr (requires { static_cast<core::LaunchError>(e.error); } &&
                      std::is_same_v<std::decay_t<decltype(e)>, core::LaunchFailed>)
          out += ' ' + std::to_string(static_cast<int>(e.error));
        if constexpr (requires { e.detail; }) out += ' ' + e.detail;
        if constexpr (std::is_same_v<std::decay_t<decltype(e)>, core::LaunchFailed>)
          if (e.port != 0) out += ' ' + std::to_string(e.port);
        if constexpr (requires { e.note; }) out += ' ' + e.note;
        if constexpr (requires { e.players; }) out += ' ' + std::to_string(e.players);
        if constexpr (requires { e.result.size(); }) out += ' ' + e.result;
        return out;
      },
      *event);
}

TEST(NodeLinkConvert, MessagesBecomeEvents) {
  struct Row {
    const char* message;
    const char* want;
  };
  const Row rows[] = {
      {R"(launched { server_id: "12.9" pid: 77 })", "ServerLaunched 12.9 77"},
      {R"(launch_failed { server_id: "12.9" reason: PORT_TAKEN detail: "x" })",
       "LaunchFailed 12.9 0 x"},
      {R"(launch_failed { server_id: "12.9" reason: PORT_TAKEN port: 27015 })",
       "LaunchFailed 12.9 0  27015"},
      {R"(launch_failed { server_id: "12.9" detail: "x" })", "LaunchFailed 12.9 1 x"},
      {R"(launch_failed { server_id: "12.9" reason: LIMIT_REACHED })", "LaunchFailed 12.9 2 "},
      {R"(ready { server_id: "12.9" })", "ServerReady 12.9"},
      {R"(exited { server_id: "12.9" exit_code: -1 signal: 9 detail: "bye" })",
       "ServerExited 12.9 -1 9 bye "},
      {R"(exited { server_id: "12.9" result: "r" })", "ServerExited 12.9 0 0  r"},
      {R"(unhealthy { server_id: "12.9" })", "ServerUnhealthy 12.9 "},
      {R"(unhealthy { server_id: "12.9" detail: "mute" })", "ServerUnhealthy 12.9 mute"},
      {R"(noted { server_id: "12.9" note: "it waits" })", "ServerNoted 12.9 it waits"},
      {R"(players_counted { server_id: "12.9" players: 3 })", "PlayersCounted 12.9 3"},
      {R"(player_joined { server_id: "12.9" player_id: "41.3" })", "PlayerJoined 12.9 41.3"},
      {R"(player_left { server_id: "12.9" player_id: "41.3" })", "PlayerLeft 12.9 41.3"},
      {R"(match_over { server_id: "12.9" match_id: "5.1" result: "r" })", "MatchOver 12.9 5.1 r"},
      {R"(shutdown_requested { server_id: "12.9" })", "ShutdownRequested 12.9 "},
      {R"(shutdown_requested { server_id: "12.9" result: "r" })", "ShutdownRequested 12.9 r"},
      {R"(allocated { server_id: "12.9" })", "ServerAllocated 12.9"},
      {R"(reserved { server_id: "12.9" })", "ServerReserved 12.9 0.0 "},
      {R"(reserved { server_id: "12.9" match_id: "5.1" result: "r" })",
       "ServerReserved 12.9 5.1 r"},
      {R"(reserved { server_id: "12" match_id: "5.1" })", "nothing"},
      {R"(fork_parent { fleet: "duel" state: LOADED pid: 7 detail: "x" })",
       "ForkParentChanged duel loaded 7 x"},
      {R"(fork_parent { fleet: "duel" })", "ForkParentChanged duel loading 0 "},
      {R"(fork_parent { fleet: "duel" state: 9 })", "ForkParentChanged duel failed 0 "},
      {R"(launched { server_id: "12.9" pid: 77 forked: true })", "ServerLaunched 12.9 77 forked"},
      {"", "nothing"},
      {R"(ready { server_id: "12" })", "nothing"},
      {R"(ready { server_id: "" })", "nothing"},
      {R"(exited { server_id: "12.0" })", "nothing"},
      {R"(player_joined { server_id: "12.9" player_id: "ann" })", "nothing"},
      {R"(player_left { server_id: "x" player_id: "41.3" })", "nothing"},
      {R"(match_over { server_id: "12.9" match_id: "" })", "nothing"},
      {R"(owner_verified { query: 1 })", "nothing"},
  };
  for (const Row& row : rows) {
    FromNode message;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(row.message, &message));
    EXPECT_EQ(text(to_event(message)), row.want) << row.message;
  }
}

TEST(NodeLinkConvert, Standings) {
  using core::Standing;
  const auto standings = [](const char* message) {
    FromNode from;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(message, &from));
    const auto event = to_event(from);
    std::vector<Standing> out;
    if (event)
      std::visit(
          [&](const auto& e) {
            if constexpr (requires { e.standings; }) out = e.standings;
          },
          *event);
    return out;
  };
  const std::vector<Standing> two = {{{4, 1}, 0, 2, -7, 750}, {{}, 1, 1, {}, 1000}};
  EXPECT_EQ(standings(R"(match_over { server_id: "12.9" match_id: "5.1"
                            standings { player_id: "4.1" rank: 2 score: -7 missed: 0.25 }
                            standings { team: 1 rank: 1 } })"),
            two);
  // What is no player's id is nobody's; what is no part of a match, is none.
  EXPECT_EQ(standings(R"(match_over { server_id: "12.9" match_id: "5.1"
                            standings { player_id: "ann" rank: 1 missed: nan } })"),
            (std::vector<Standing>{{{~0u, ~0u}, 0, 1, {}, 1001}}));
#define STANDINGS "{\\\"standings\\\":[{\\\"team\\\":0,\\\"rank\\\":3}]}"
  const std::vector<Standing> one = {{{}, 0, 3, {}, 1000}};
  for (const char* in_text :
       {"match_over { server_id: '12.9' match_id: '5.1' result: \"" STANDINGS "\" }",
        "exited { server_id: '12.9' result: \"" STANDINGS "\" }",
        "shutdown_requested { server_id: '12.9' result: \"" STANDINGS "\" }",
        "reserved { server_id: '12.9' match_id: '5.1' result: \"" STANDINGS "\" }"})
    EXPECT_EQ(standings(in_text), one) << in_text;
#undef STANDINGS
  EXPECT_TRUE(standings("match_over { server_id: '12.9' match_id: '5.1' result: '{}' }").empty());
}

TEST(NodeLinkConvert, Inventory) {
  wire::node::NodeHello hello;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"(name: "here" run: "one" servers { server_id: "12.9" fleet: "duel" port: 7001 pid: 5 ready: true
                                match_id: "5.1" forked: true version: 77 players: 2
                                ports { name: "query" port: 27001 } }
         servers { server_id: "13.1" fleet: "old" port: 7002 reserved: true }
         servers { server_id: "nonsense" port: 7003 } servers { server_id: "14.1" port: 70000 })",
      &hello));
  const core::NodeConnected event = to_event(hello, node, "play.example");
  EXPECT_EQ(event.node, node);
  EXPECT_EQ(event.name, "here");
  EXPECT_EQ(event.host, "play.example");
  EXPECT_EQ(event.run, "one");
  ASSERT_EQ(event.servers.size(), 2u);
  EXPECT_EQ(event.servers[0].server, server);
  EXPECT_EQ(event.servers[0].fleet, "duel");
  EXPECT_EQ(event.servers[0].port, 7001);
  EXPECT_EQ(event.servers[0].pid, 5u);
  EXPECT_TRUE(event.servers[0].ready);
  EXPECT_TRUE(event.servers[0].forked);
  EXPECT_FALSE(event.servers[1].forked);
  EXPECT_EQ(event.servers[0].version, 77u);
  EXPECT_EQ(event.servers[0].match, match);
  EXPECT_EQ(event.servers[0].players, 2u);
  EXPECT_EQ(event.servers[0].ports, (core::NamedPorts{{"query", 27001}}));
  EXPECT_EQ(event.servers[1].server, (core::ServerId{13, 1}));
  EXPECT_FALSE(event.servers[1].match);
  EXPECT_FALSE(event.servers[0].reserved);
  EXPECT_TRUE(event.servers[1].reserved);
  EXPECT_FALSE(event.servers[1].allocated);
}

}  // namespace
}  // namespace muster::net
