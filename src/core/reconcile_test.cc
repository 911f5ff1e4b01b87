// A node is back: every way in which what it runs can differ from what the core knows, and what
// comes of each. What was said while the lobby was away comes before the node's report, as it
// would.
#include <gtest/gtest.h>

#include "core/scenario_test.h"

namespace muster::core {
namespace {

using Lines = std::vector<std::string>;

/// What the core knows of the game server srv1 when the link is lost.
const Lines starting = {"start ann"};
const Lines allocated = {"start ann", "ready srv1"};
const Lines ready = {"start ann", "ready srv1", "match-over srv1"};
const Lines stopping = {"start ann", "ready srv1", "match-over srv1", "stop-server srv1"};
const Lines plain_ready = {"start ann walk", "ready srv1", "match-over srv1"};
const Lines plain_allocated = {"start ann walk", "ready srv1", "match-over srv1", "node-lost n1",
                               "start ann walk"};

struct Row {
  const char* name;
  Lines before;
  Lines meanwhile;   // Reports.
  Lines runs;        // The node's inventory.
  std::string want;  // Effects, then the game servers there are.
};

const Row rows[] = {
    // ---- Adopt: it runs what the core knows.
    {"it starts",
     starting,
     {},
     {"server srv1 fleet=duel port=7000 pid=9"},
     "server 0.1 duel starting port=7000 pid=9 for=0.1\n"},
    {"it has become Ready",
     starting,
     {"ready srv1"},
     {"server srv1 fleet=duel port=7000 pid=9 ready"},
     "n2 <- start-match 0.1 match=0.1 queue=duel [ann=0.1 team=0]\n"
     "ann <- assignment ticket=0.1 match=0.1 server=0.1 ann=0.1 team=0 queue=duel 127.0.0.1:7000 "
     "[ann]\n"
     "server 0.1 duel allocated port=7000 pid=9 match=0.1\n"},
    {"it has become Ready, and only the inventory says so",
     starting,
     {},
     {"server srv1 fleet=duel port=7000 pid=9 ready"},
     "n2 <- start-match 0.1 match=0.1 queue=duel [ann=0.1 team=0]\n"
     "ann <- assignment ticket=0.1 match=0.1 server=0.1 ann=0.1 team=0 queue=duel 127.0.0.1:7000 "
     "[ann]\n"
     "server 0.1 duel allocated port=7000 pid=9 match=0.1\n"},
    {"it plays",
     allocated,
     {},
     {"server srv1 fleet=duel port=7000 pid=9 ready match=0.1"},
     "server 0.1 duel allocated port=7000 pid=9 match=0.1\n"},
    {"it has not been told of its match",
     allocated,
     {},
     {"server srv1 fleet=duel port=7000 pid=9 ready"},
     "n2 <- start-match 0.1 match=0.1 queue=duel [ann=0.1 team=0]\n"
     "server 0.1 duel allocated port=7000 pid=9 match=0.1\n"},
    {"its match is over",
     allocated,
     {"match-over srv1 \"ann won\""},
     {"server srv1 fleet=duel port=7000 pid=9 ready"},
     "ann <- match-ended 0.1 over \"ann won\"\n"
     "server 0.1 duel ready port=7000 pid=9\n"},
    {"its player has left",
     allocated,
     {"left srv1 ann"},
     {"server srv1 fleet=duel port=7000 pid=9 ready match=0.1"},
     "ann <- match-ended 0.1 left\n"
     "n2 <- remove-player 0.1 match=0.1 0.1\n"
     "server 0.1 duel allocated port=7000 pid=9 match=0.1\n"},
    {"it is Ready",
     ready,
     {},
     {"server srv1 fleet=duel port=7000 pid=9 ready"},
     "server 0.1 duel ready port=7000 pid=9\n"},
    {"it is Ready, but has not been told of its match's end",
     plain_ready,
     {},
     {"server srv1 fleet=walk port=7100 pid=9 ready match=0.1"},
     "n2 <- end-match 0.1 match=0.1 over\n"
     "server 0.1 walk ready port=7100 pid=9\n"},
    {"it has missed its match's end and the next one's beginning",
     plain_allocated,
     {},
     {"server srv1 fleet=walk port=7100 pid=9 ready match=0.1"},
     "n2 <- end-match 0.1 match=0.1 over\n"
     "n2 <- start-match 0.1 match=0.2 queue=walk [ann=0.1 team=0]\n"
     "ann <- assignment ticket=0.2 match=0.2 server=0.1 ann=0.1 team=0 queue=walk 127.0.0.1:7100 "
     "[ann]\n"
     "server 0.1 walk allocated port=7100 pid=9 match=0.2\n"},
    {"it wants to be shut down",
     ready,
     {"shutdown-wish srv1"},
     {"server srv1 fleet=duel port=7000 pid=9 ready"},
     "no node <- stop 0.1 grace=10s\n"
     "n2 <- stop 0.1 grace=10s\n"
     "server 0.1 duel shutdown stopping port=7000 pid=9\n"},
    // ---- Stop what should not run.
    {"it has not been told to stop",
     stopping,
     {},
     {"server srv1 fleet=duel port=7000 pid=9 ready"},
     "n2 <- stop 0.1 grace=10s\n"
     "server 0.1 duel shutdown stopping port=7000 pid=9\n"},
    {"it is unhealthy",
     ready,
     {"unhealthy srv1"},
     {"server srv1 fleet=duel port=7000 pid=9 ready"},
     "no node <- stop 0.1 grace=0s\n"
     "n2 <- stop 0.1 grace=0s\n"
     "server 0.1 duel unhealthy stopping port=7000 pid=9\n"},
    {"one of a fleet that is not configured",
     {},
     {},
     {"server 4.1 fleet=gone port=7300 pid=9"},
     "n2 <- stop 4.1 grace=10s\n"
     "server 4.1 gone shutdown stopping outdated port=7300 pid=9\n"},
    {"one with the port of another",
     ready,
     {},
     {"server srv1 fleet=duel port=7000 pid=9 ready", "server 4.1 fleet=duel port=7000 pid=10"},
     "n2 <- stop 4.1 grace=10s\n"
     "server 0.1 duel ready port=7000 pid=9\n"},
    {"one with an id that is another's here",
     ready,
     {},
     {"server srv1 fleet=duel port=7001 pid=9 ready"},
     "n2 <- stop 0.1 grace=10s\n"
     "server 0.1 duel ready port=7000\n"},
    // ---- Take in what it runs and the core does not know.
    {"one that is Ready",
     {},
     {},
     {"server 4.1 fleet=duel port=7001 pid=9 ready"},
     "server 4.1 duel ready port=7001 pid=9\n"},
    {"one that plays",
     {},
     {},
     {"server 4.1 fleet=duel port=7001 pid=9 ready match=3.3"},
     "server 4.1 duel allocated port=7001 pid=9 match=0.1\n"},
    {"one that starts",
     {},
     {},
     {"server 4.1 fleet=duel port=7001 pid=9"},
     "server 4.1 duel starting port=7001 pid=9\n"},
    // ---- Declare lost what it does not run.
    {"its launch never arrived",
     starting,
     {},
     {},
     "n2 <- launch srv2=0.2 duel port=7001 match=0.1 queue=duel players=1\n"
     "server 0.2 duel starting port=7001 for=0.1\n"},
    {"its launch failed",
     starting,
     {"launch-failed srv1 command_failed \"no such file\""},
     {},
     "n2 <- launch srv2=0.2 duel port=7001 match=0.1 queue=duel players=1\n"
     "server 0.2 duel starting port=7001 for=0.1\n"},
    {"it has exited before it was Ready",
     starting,
     {"exited srv1 code=1"},
     {},
     "n2 <- launch srv2=0.2 duel port=7001 match=0.1 queue=duel players=1\n"
     "server 0.2 duel starting port=7001 for=0.1\n"},
    {"it has died in its match",
     allocated,
     {"exited srv1 signal=11"},
     {},
     "ann <- match-ended 0.1 server_lost\n"},
    {"its match is over, and it has exited",
     allocated,
     {"match-over srv1 \"ann won\"", "exited srv1 code=0"},
     {},
     "ann <- match-ended 0.1 over \"ann won\"\n"},
    {"it is gone from its match without a word",
     allocated,
     {},
     {},
     "ann <- match-ended 0.1 server_lost\n"},
    {"it is gone while Ready", ready, {}, {}, ""},
    {"it has ended while there was no node",
     allocated,
     {"exited srv1 unknown"},
     {},
     "ann <- match-ended 0.1 server_lost\n"},
    {"it has ended before it was Ready, while there was no node",
     starting,
     {"exited srv1 unknown"},
     {},
     "n2 <- launch srv2=0.2 duel port=7001 match=0.1 queue=duel players=1\n"
     "server 0.2 duel starting port=7001 for=0.1\n"},
    {"it has stopped", stopping, {"exited srv1 signal=15"}, {}, ""},
    {"it has stopped without a word", stopping, {}, {}, ""},
};

TEST(Reconcile, EveryCase) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Config config;
    configure(config, ScenarioLine("fleet duel ports=7000-7009 stop_grace=10s"));
    configure(config, ScenarioLine("fleet walk ports=7100-7109 sdk=none"));
    configure(config, ScenarioLine("queue duel players=1"));
    configure(config, ScenarioLine("queue walk players=1 fleet=walk"));
    Scenario scenario(std::move(config));
    scenario.play("node-connected n1", {});
    scenario.play("connect ann", {});
    for (const std::string& line : row.before) scenario.play(line, {});
    scenario.play("node-lost n1", {});
    std::string got;
    for (const std::string& line : row.meanwhile) got += scenario.play(line, {});
    got += scenario.play("node-connected n2", row.runs);
    got += scenario.play("servers", {});
    EXPECT_EQ(got, row.want);
    EXPECT_TRUE(scenario.replays());
  }
}

}  // namespace
}  // namespace muster::core
