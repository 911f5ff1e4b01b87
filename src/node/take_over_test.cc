// The node is killed, and another goes on with its game servers.
#include <chrono>

#include "node/node_harness.h"
#include "node/proc.h"
#include "node/record.h"

namespace muster::node::test {
namespace {

using testing::HasSubstr;
using wire::game_server::ServerMessage;

ServerMessage match_over(const std::string& match, const std::string& result) {
  ServerMessage message;
  message.mutable_match_over()->set_match_id(match);
  message.mutable_match_over()->set_result(result);
  return message;
}

/// Of what a killed node has left to the test: a zombie is nobody's but the test's.
bool lives(pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) != pid && is_running(pid); }

class TakeOver : public NodeTest {
 protected:
  std::string log_text() {
    std::string text;
    for (const auto& entry : std::filesystem::directory_iterator(data_ / "logs/duel"))
      text += read_file(entry.path());
    return text;
  }
  /// Without what the node itself has written there.
  std::string printed() {
    std::string text;
    std::istringstream lines(log_text());
    for (std::string line; std::getline(lines, line);)
      if (!line.starts_with("[muster: ")) text += line + '\n';
    return text;
  }
  std::vector<pid_t> processes() {
    std::vector<pid_t> found;
    for (const pid_t pid : all_processes())
      if (environment_value(pid, "MUSTER_SDK_LOCAL") == "unix:" + data_.path() + "/sdk.sock")
        found.push_back(pid);
    return found;
  }
  wire::node::Launch plain(const std::string& script) {
    auto launch = shell("0.1", script);
    launch.set_sdk(wire::node::SDK_NONE);
    launch.mutable_ready()->set_kind(wire::node::Ready::LOG);
    launch.mutable_ready()->set_log("^ready$");
    launch.mutable_ready()->set_launch_timeout_ms(60'000);
    launch.mutable_end()->set_log("^over (.*)$");
    return launch;
  }
  void finish(const std::string& server_id = "0.1") {
    lobby_.stop(server_id, milliseconds{0});
    const auto exited = lobby_.next_exit();
    EXPECT_EQ(exited.server_id(), server_id);
    EXPECT_TRUE(exited.status_unknown());
  }
};

TEST_F(TakeOver, AMatchGoesOnAndIsReportedOnce) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = TestSdk::connect(server.sdk);
  ASSERT_TRUE(sdk.hello(server.token)->has_welcome());
  sdk.ready();
  const auto ready = lobby_.next();
  ASSERT_TRUE(ready && ready->has_ready());
  lobby_.start_match("0.1", "3.1", {"ann", "bob", "cat"});
  const auto started = sdk.next();
  ASSERT_TRUE(started && started->has_match_started());
  ServerMessage left;
  left.mutable_player_left()->set_player_id("bob");
  ASSERT_TRUE(sdk.ask(left)->has_ok());
  const auto heard = lobby_.next();
  ASSERT_TRUE(heard && heard->has_player_left());

  const std::string run = lobby_hello_.run();
  node_.kill();
  EXPECT_TRUE(lives(server.pid));
  start_node(heard->number());
  EXPECT_EQ(lobby_hello_.run(), run);
  EXPECT_TRUE(lobby_.late.empty()) << "all of it was heard";
  ASSERT_EQ(lobby_hello_.servers_size(), 1);
  const auto& again = lobby_hello_.servers(0);
  EXPECT_EQ(again.server_id(), "0.1");
  EXPECT_EQ(again.pid(), static_cast<std::uint32_t>(server.pid));
  EXPECT_EQ(again.match_id(), "3.1");
  EXPECT_TRUE(again.ready());

  TestSdk back = TestSdk::connect(server.sdk);  // The same port.
  const auto welcome = back.hello(server.token);
  ASSERT_TRUE(welcome && welcome->has_welcome());
  EXPECT_EQ(welcome->welcome().match().match_id(), "3.1");
  ASSERT_EQ(welcome->welcome().match().players_size(), 2);
  EXPECT_EQ(welcome->welcome().match().players(1).player_id(), "cat");
  EXPECT_TRUE(back.ask(match_over("3.1", "ann won"))->has_ok());
  EXPECT_EQ(back.ask(match_over("3.1", "ann won"))->error().code(), "no_match");
  const auto over = lobby_.next();
  ASSERT_TRUE(over && over->has_match_over());
  EXPECT_EQ(over->match_over().result(), "ann won");
  EXPECT_GT(over->number(), heard->number());
  finish();
}

TEST_F(TakeOver, WhatNoLobbyHasHeardIsToldByTheNextNodeOnce) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = TestSdk::connect(server.sdk);
  ASSERT_TRUE(sdk.hello(server.token)->has_welcome());
  sdk.ready();
  const auto ready = lobby_.next();
  lobby_.start_match("0.1", "3.1", {"ann"});
  ASSERT_TRUE(sdk.next()->has_match_started());
  lobby_.close();
  ASSERT_TRUE(sdk.ask(match_over("3.1", "ann won"))->has_ok());
  node_.kill();

  start_node(ready->number());
  ASSERT_EQ(lobby_.late.size(), 1u);
  ASSERT_TRUE(lobby_.late[0].has_match_over());
  EXPECT_EQ(lobby_.late[0].match_over().result(), "ann won");
  EXPECT_EQ(lobby_hello_.servers(0).match_id(), "");
  const std::uint64_t number = lobby_.late[0].number();
  node_.kill();  // It was not acknowledged.
  start_node(ready->number());
  ASSERT_EQ(lobby_.late.size(), 1u);
  EXPECT_EQ(lobby_.late[0].number(), number);
  lobby_.acknowledge(lobby_hello_.run(), number);
  TestSdk back = TestSdk::connect(server.sdk);
  ASSERT_TRUE(back.hello(server.token)->has_welcome());  // The acknowledgement is heard by then.
  back.ready();
  node_.kill();
  start_node(0);
  for (const FromNode& late : lobby_.late) EXPECT_FALSE(late.has_match_over());
  finish();
}

TEST_F(TakeOver, OneThatEndedMeanwhileIsReportedAndNothingOfItIsLeft) {
  const std::string helper = data_ / "helper";
  const pid_t pid =
      lobby_.launch(shell("0.1", "echo 'last words'; setsid sh -c 'echo $$ > " + helper +
                                     "; exec sleep 1000' & while [ ! -s " + helper +
                                     " ]; do sleep 0.01; done; exec sleep 1000"));
  pid_t left = 0;
  ASSERT_TRUE(eventually([&] { return std::ifstream(helper) >> left && left > 0; }));
  ASSERT_TRUE(eventually([&] { return printed() == "last words\n"; }));
  node_.kill();
  ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return !lives(pid); }));
  EXPECT_TRUE(lives(left));

  start_node(2);
  EXPECT_EQ(lobby_hello_.servers_size(), 0);
  ASSERT_EQ(lobby_.late.size(), 1u);
  const auto& exited = lobby_.late[0].exited();
  EXPECT_EQ(exited.server_id(), "0.1");
  EXPECT_TRUE(exited.status_unknown());
  EXPECT_EQ(exited.exit_code(), -1);
  EXPECT_EQ(exited.detail(), "last words");
  EXPECT_TRUE(eventually([&] { return !lives(left); }));
  EXPECT_TRUE(eventually([&] { return processes().empty(); }));
}

TEST_F(TakeOver, WhatItLeavesBehindIsClearedAlsoByTheNextNode) {
  const std::string helper = data_ / "helper";
  const pid_t pid = lobby_.launch(
      shell("0.1", "setsid sh -c 'echo $$ > " + helper + "; exec sleep 1000' & exec sleep 1000"));
  pid_t left = 0;
  ASSERT_TRUE(eventually([&] { return std::ifstream(helper) >> left && left > 0; }));
  node_.kill();
  start_node(1);
  ::kill(pid, SIGTERM);
  EXPECT_TRUE(lobby_.next_exit().status_unknown());
  EXPECT_TRUE(eventually([&] { return !lives(left); }));
}

TEST_F(TakeOver, NothingPrintedIsLostAndNobodyGetsSigpipe) {
  constexpr int lines = 30'000;  // 170 KB: more than the pipe holds.
  const std::string go = data_ / "go", half = data_ / "half";
  const pid_t pid = lobby_.launch(shell(
      "0.1", "i=0; while [ $i -lt " + std::to_string(lines) +
                 " ]; do echo $i; i=$((i+1)); [ $i -eq 100 ] && { touch " + half +
                 "; while [ ! -e " + go + " ]; do sleep 0.01; done; }; done; exec sleep 1000"));
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(half); }));
  ASSERT_TRUE(eventually([&] { return printed().ends_with("\n99\n"); }));
  node_.kill();
  std::ofstream(go).close();
  // It fills its pipe, and then it waits.
  ASSERT_TRUE(eventually([&] {
    return read_file("/proc/" + std::to_string(pid) + "/wchan").find("pipe") != std::string::npos;
  }));
  start_node(1);
  std::string want;
  for (int i = 0; i < lines; ++i) want += std::to_string(i) + '\n';
  EXPECT_TRUE(eventually([&] { return printed() == want; })) << printed().size();
  finish();
}

TEST_F(TakeOver, ALineThatEndsAMatchIsReadByTheNextNode) {
  const std::string go = data_ / "go", done = data_ / "done";
  lobby_.launch(plain("echo ready; printf 'over a'; while [ ! -e " + go +
                      " ]; do sleep 0.01; done; echo nn won; touch " + done + "; exec sleep 1000"));
  const auto ready = lobby_.next();
  ASSERT_TRUE(ready && ready->has_ready());
  lobby_.start_match("0.1", "3.1", {"ann"});
  const Launched other = launch_sleeper("0.2");  // The match has been heard of by then.
  ASSERT_TRUE(eventually([&] { return printed().find("over a") != std::string::npos; }));
  node_.kill();
  std::ofstream(go).close();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(done); }));
  start_node(ready->number() + 1);
  EXPECT_TRUE(lives(other.pid));
  const auto over = lobby_.late.empty() ? lobby_.next() : lobby_.late[0];
  ASSERT_TRUE(over && over->has_match_over());
  EXPECT_EQ(over->match_over().match_id(), "3.1");
  EXPECT_EQ(over->match_over().result(), "ann won");
  finish();
}

TEST_F(TakeOver, AReadyLineToo) {
  const std::string go = data_ / "go";
  lobby_.launch(plain("while [ ! -e " + go + " ]; do sleep 0.01; done; echo ready; touch " + go +
                      "2; exec sleep 1000"));
  node_.kill();
  std::ofstream(go).close();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(go + "2"); }));
  start_node(1);
  const auto ready = lobby_.late.empty() ? lobby_.next() : lobby_.late[0];
  ASSERT_TRUE(ready && ready->has_ready());
  finish();
}

TEST_F(TakeOver, AStopIsCarriedToItsEnd) {
  const std::string trapped = data_ / "trapped";
  lobby_.launch(shell("0.1", "trap '' TERM; touch " + trapped + "; while :; do sleep 0.01; done"));
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(trapped); }));
  lobby_.stop("0.1", milliseconds{500});
  const Launched other = launch_sleeper("0.2");  // The stop has been heard by then.
  node_.kill();
  start_node(2);
  EXPECT_EQ(lobby_.next_exit().server_id(), "0.1");
  EXPECT_TRUE(lives(other.pid));
  finish("0.2");
}

TEST_F(TakeOver, SilenceCountsFromTheTakeOver) {
  const Launched server = launch_sleeper("0.1", 300);
  TestSdk sdk = TestSdk::connect(server.sdk);
  ASSERT_TRUE(sdk.hello(server.token)->has_welcome());
  sdk.ready();
  ASSERT_TRUE(lobby_.next()->has_ready());
  node_.kill();
  const auto before = steady_clock::now();
  start_node(2);
  const auto unhealthy = lobby_.next();
  ASSERT_TRUE(unhealthy && unhealthy->has_unhealthy());
  EXPECT_GT(steady_clock::now() - before, seconds{3}) << "an SDK needs time to come back";
  finish();
}

TEST_F(TakeOver, StoppedInGoodOrderNothingIsLeft) {
  launch_sleeper("0.1");
  node_.kill();
  start_node(1);
  launch_sleeper("0.2");
  lobby_.stop_node(seconds{10});
  for (int i = 0; i < 2; ++i) {
    const auto exited = lobby_.next_exit();
    EXPECT_EQ(exited.status_unknown(), exited.server_id() == "0.1");
    EXPECT_EQ(exited.signal(), exited.server_id() == "0.1" ? 0 : SIGTERM);
  }
  EXPECT_EQ(node_.wait(), 0);
  EXPECT_TRUE(processes().empty());
  EXPECT_FALSE(std::filesystem::exists(data_ / "output"));
}

TEST_F(TakeOver, APidThatIsSomebodyElsesByNowIsLeftAlone) {
  const Launched server = launch_sleeper("0.1");
  node_.kill();
  ::kill(server.pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return !lives(server.pid); }));
  const std::string path = data_ / "node.record";
  const std::string bytes = read_file(path);
  Recorded recorded;
  ASSERT_EQ(
      read_record({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, recorded),
      bytes.size());
  auto& born = recorded.servers.at("0.1").born;
  EXPECT_EQ(born.pid(), static_cast<std::uint32_t>(server.pid));
  // As if somebody had been given the pid: who began later than the game server was seen alive, by
  // more than the kernel rounds.
  Command command;
  command.program = "/bin/sleep";
  command.arguments = {"sleep", "1000"};
  std::optional<Process> stranger;
  ASSERT_TRUE(eventually([&] {
    if (stranger) signal_group(*stranger, SIGKILL), reap(*stranger);
    stranger = start_process(command).value();
    return *began_at(stranger->pid) > born.alive_at();
  }));
  born.set_pid(static_cast<std::uint32_t>(stranger->pid));
  std::ofstream(path, std::ios::binary) << write_record(recorded);

  start_node(1);
  EXPECT_EQ(lobby_hello_.servers_size(), 0);
  ASSERT_EQ(lobby_.late.size(), 1u);
  EXPECT_TRUE(lobby_.late[0].exited().status_unknown());
  EXPECT_FALSE(exit_status(*stranger));
  signal_group(*stranger, SIGKILL);
  reap(*stranger);
}

TEST_F(TakeOver, OneThatIsNotOnRecordIsEnded) {
  const Launched server = launch_sleeper("0.1");
  node_.kill();
  std::filesystem::remove(data_ / "node.record");
  start_node();
  EXPECT_EQ(lobby_hello_.servers_size(), 0);
  EXPECT_TRUE(eventually([&] { return !lives(server.pid); }));
}

TEST_F(TakeOver, AnotherFoldersAreLeftAlone) {
  const Launched server = launch_sleeper("0.1");
  node_.kill();
  {
    TemporaryFolder elsewhere;
    std::filesystem::copy(data_ / "node.record", elsewhere / "node.record");
    NodeProcess other(options(elsewhere.path()));
    TestLobby lobby = TestLobby::connect(elsewhere.path());
    EXPECT_EQ(lobby.hello().servers_size(), 0);
  }
  EXPECT_TRUE(lives(server.pid));
  start_node(1);
  EXPECT_EQ(lobby_hello_.servers_size(), 1);
  finish();
}

// At whatever instant it is killed: what runs is known to the next node.
TEST_F(TakeOver, KilledInTheMiddleOfLaunches) {
  for (int round = 0; round < 25; ++round) {
    const auto id = [&](int i) { return std::to_string(i) + '.' + std::to_string(round + 1); };
    for (int i = 0; i < 4; ++i) {
      ToNode message;
      *message.mutable_launch() = shell(id(i), "exec sleep 1000");
      lobby_.send(message);
    }
    std::this_thread::sleep_for(std::chrono::microseconds{round * 97});
    node_.kill();
    start_node();
    std::set<pid_t> known;
    for (const auto& server : lobby_hello_.servers())
      known.insert(static_cast<pid_t>(server.pid()));
    for (const pid_t pid : processes()) EXPECT_TRUE(known.contains(pid)) << pid;
    for (const pid_t pid : known) EXPECT_TRUE(lives(pid)) << pid;
    for (const auto& server : lobby_hello_.servers()) lobby_.stop(server.server_id(), {});
    for (int i = 0; i < lobby_hello_.servers_size(); ++i) lobby_.next_exit();
  }
}

}  // namespace
}  // namespace muster::node::test
