// The duel as it is built: the real server and clients as processes, under a node that this test
// plays with the real protobuf library.
#include "duel.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proto/game_server.pb.h"
#include "test/peer.h"

namespace {

namespace pb = muster::wire::game_server;
using muster::test::Connection;
using muster::test::Listener;
using testing::HasSubstr;

constexpr std::chrono::seconds patience{20};

TEST(Rules, EachPairOfMoves) {
  using duel::Move;
  struct Row {
    Move a, b;
    int a_loses, b_loses;
  };
  const Row rows[] = {
      {Move::attack, Move::attack, 2, 2}, {Move::attack, Move::guard, 1, 0},
      {Move::attack, Move::feint, 0, 3},  {Move::guard, Move::guard, 0, 0},
      {Move::guard, Move::feint, 2, 0},   {Move::feint, Move::feint, 1, 1},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(duel::damage(row.a, row.b), row.a_loses);
    EXPECT_EQ(duel::damage(row.b, row.a), row.b_loses);
  }
  EXPECT_EQ(duel::move_from("feint"), Move::feint);
  EXPECT_EQ(duel::move_from("g"), Move::guard);
  EXPECT_FALSE(duel::move_from(""));
  EXPECT_FALSE(duel::move_from("attack "));
}

/// A child process, ended at the latest with this object.
class Process {
 public:
  explicit Process(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
    std::vector<char*> argv, envp;
    for (std::string& a : arguments) argv.push_back(a.data());
    for (std::string& e : environment) envp.push_back(e.data());
    argv.push_back(nullptr);
    envp.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    EXPECT_EQ(posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), envp.data()), 0);
    posix_spawn_file_actions_destroy(&actions);
  }
  Process(const Process&) = delete;
  ~Process() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  int exit_code() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = 0;
};

/// The node: believes the token "t-NAME" for the player NAME of the running match.
class Node {
 public:
  explicit Node(std::vector<std::string> settings = {}) {
    {
      const Listener free;
      port_ = free.port();
    }
    std::vector<std::string> environment = {"MUSTER_SDK=" + listener_.address(),
                                            "MUSTER_TOKEN=secret"};
    environment.insert(environment.end(), settings.begin(), settings.end());
    server_.emplace(std::vector<std::string>{DUEL_SERVER, std::to_string(port_)}, environment);
    connection_ = listener_.accept();
    thread_ = std::thread([this] { serve(); });
    EXPECT_EQ(next().body_case(), pb::ServerMessage::kReady);
  }
  ~Node() {
    server_.reset();
    thread_.join();
  }

  int port() const { return port_; }

  void start(const std::string& match_id, std::initializer_list<const char*> players) {
    pb::NodeMessage m;
    m.mutable_match_started()->set_match_id(match_id);
    for (const char* player : players) {
      auto& p = *m.mutable_match_started()->add_players();
      p.set_player_id(player);
      p.set_name(player);
    }
    const std::lock_guard lock(mutex_);
    match_ = m.match_started();
    connection_.send(m);
  }
  void send(const pb::NodeMessage& m) {
    const std::lock_guard lock(mutex_);
    connection_.send(m);
  }

  /// The next of what the server said: Ready, PlayerJoined, PlayerLeft, MatchOver.
  pb::ServerMessage next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, patience, [&] { return !heard_.empty(); })) {
      ADD_FAILURE() << "the server said nothing";
      return {};
    }
    const auto m = heard_.front();
    heard_.pop_front();
    return m;
  }
  std::string result() {
    for (;;) {
      const auto m = next();
      if (m.body_case() == pb::ServerMessage::BODY_NOT_SET) return "";
      if (m.has_match_over()) return m.match_over().result();
    }
  }

 private:
  void serve() {
    while (const auto m = connection_.receive<pb::ServerMessage>()) {
      const std::lock_guard lock(mutex_);
      pb::NodeMessage answer;
      answer.set_request(m->request());
      if (m->has_hello()) {
        answer.mutable_welcome();
      } else if (m->has_verify_join()) {
        verify(m->verify_join().join_token(), answer);
      } else {
        answer.mutable_ok();
        heard_.push_back(*m);
        changed_.notify_all();
      }
      if (m->request() != 0) connection_.send(answer);
    }
  }

  void verify(const std::string& token, pb::NodeMessage& answer) {
    for (const auto& player : match_.players()) {
      if (token != "t-" + player.player_id()) continue;
      answer.mutable_join_verified()->set_player_id(player.player_id());
      answer.mutable_join_verified()->set_match_id(match_.match_id());
      return;
    }
    answer.mutable_error()->set_code("join_token_invalid");
  }

  Listener listener_;
  std::uint16_t port_ = 0;
  std::optional<Process> server_;
  Connection connection_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<pb::ServerMessage> heard_;
  pb::MatchStarted match_;
  std::thread thread_;
};

/// A player whose lines the test says itself.
class Player {
 public:
  explicit Player(const Node& node) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(node.port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    connection_ = Connection(fd);
  }
  Player(const Node& node, const std::string& token) : Player(node) { say("join " + token); }

  void say(const std::string& line) { connection_.send_raw(line + '\n'); }
  void say_raw(const std::string& bytes) { connection_.send_raw(bytes); }
  void leave() { connection_.close(); }
  /// The next line; empty if the server closed.
  std::string line() {
    std::string out;
    while (const auto byte = connection_.receive_raw(1)) {
      if (*byte == "\n") return out;
      out += *byte;
    }
    return "";
  }

 private:
  Connection connection_;
};

std::vector<std::string> bot(const Node& node, const std::string& token) {
  return {DUEL_CLIENT, "127.0.0.1", std::to_string(node.port()), token, "--bot"};
}

TEST(Duel, BotsPlayMatchAfterMatchOnOneServer) {
  Node node;
  std::string first;
  for (const char* id : {"9.1", "9.2", "9.3"}) {
    node.start(id, {"ann", "bob"});
    Process ann(bot(node, "t-ann"));
    Process bob(bot(node, "t-bob"));
    const std::string result = node.result();
    EXPECT_THAT(result, HasSubstr("\"winner\":"));
    EXPECT_THAT(result, HasSubstr("\"rounds\":"));
    if (first.empty()) first = result;
    EXPECT_EQ(result, first) << "the same bots play the same game";
    EXPECT_EQ(ann.exit_code(), 0);
    EXPECT_EQ(bob.exit_code(), 0);
  }
}

TEST(Duel, TheServerDecides) {
  Node node;
  node.start("9.1", {"ann", "bob"});
  Player ann(node, "t-ann");
  EXPECT_EQ(ann.line(), "hello ann, you fight bob");
  EXPECT_EQ(node.next().player_joined().player_id(), "ann");
  ann.say("attack");
  EXPECT_EQ(ann.line(), "error wait for the next round") << "bob is not here";
  Player bob(node, "t-bob");
  EXPECT_EQ(bob.line(), "hello bob, you fight ann");
  for (int round = 1; round <= 4; ++round) {
    const std::string n = std::to_string(round);
    const std::string bobs = std::to_string(10 - 3 * (round - 1));
    EXPECT_EQ(ann.line(), "round " + n + " you 10 they " + bobs);
    EXPECT_EQ(bob.line(), "round " + n + " you " + bobs + " they 10");
    bob.say("win");
    EXPECT_EQ(bob.line(), "error say: attack, guard or feint");
    bob.say("feint");
    bob.say("guard");
    EXPECT_EQ(bob.line(), "error wait for the next round") << "a move is a move";
    ann.say("attack\r");
    EXPECT_EQ(ann.line(), "moves attack feint");
    EXPECT_EQ(bob.line(), "moves feint attack");
  }
  EXPECT_EQ(ann.line(), "end won");
  EXPECT_EQ(bob.line(), "end lost");
  EXPECT_EQ(node.result(), "{\"winner\":\"ann\",\"rounds\":4}");
}

TEST(Duel, WhoLeavesHasLost) {
  Node node;
  node.start("9.1", {"ann", "bob"});
  Player ann(node, "t-ann");
  Player bob(node, "t-bob");
  EXPECT_THAT(bob.line(), HasSubstr("hello"));
  EXPECT_THAT(bob.line(), HasSubstr("round 1"));
  ann.leave();
  EXPECT_EQ(bob.line(), "end won");
  EXPECT_EQ(node.result(), "{\"winner\":\"bob\",\"rounds\":1}");
}

TEST(Duel, WhoNeverComesOrNeverMovesHasLost) {
  Node node({"DUEL_JOIN_SECONDS=1", "DUEL_MOVE_SECONDS=1"});
  node.start("9.1", {"ann", "bob"});
  Player ann(node, "t-ann");
  EXPECT_THAT(ann.line(), HasSubstr("hello"));
  EXPECT_EQ(ann.line(), "end won");
  EXPECT_EQ(node.result(), "{\"winner\":\"ann\",\"rounds\":0}");
  node.start("9.2", {"ann", "bob"});
  EXPECT_EQ(node.result(), "{\"winner\":null,\"rounds\":0}") << "nobody came";
  node.start("9.3", {"ann", "bob"});
  Player again(node, "t-ann");
  Player bob(node, "t-bob");
  EXPECT_THAT(bob.line(), HasSubstr("hello"));
  EXPECT_THAT(bob.line(), HasSubstr("round 1"));
  bob.say("guard");
  EXPECT_EQ(bob.line(), "end won");
  EXPECT_EQ(node.result(), "{\"winner\":\"bob\",\"rounds\":1}");
}

TEST(Duel, TheLobbyMayTakeAPlayerOutOrEndIt) {
  Node node;
  node.start("9.1", {"ann", "bob"});
  Player ann(node, "t-ann");
  EXPECT_THAT(ann.line(), HasSubstr("hello"));
  pb::NodeMessage m;
  m.mutable_player_removed()->set_match_id("9.1");
  m.mutable_player_removed()->set_player_id("bob");
  node.send(m);
  EXPECT_EQ(ann.line(), "end won");
  EXPECT_EQ(node.result(), "{\"winner\":\"ann\",\"rounds\":0}");
  node.start("9.2", {"ann", "bob"});
  Player again(node, "t-ann");
  EXPECT_THAT(again.line(), HasSubstr("hello"));
  m.mutable_match_ended()->set_match_id("9.2");
  m.mutable_match_ended()->set_reason("cancelled");
  node.send(m);
  EXPECT_EQ(again.line(), "end stopped");
  for (auto said = node.next(); !said.has_ready(); said = node.next())
    ASSERT_NE(said.body_case(), pb::ServerMessage::BODY_NOT_SET);
}

TEST(Duel, GarbageIsItsSendersTroubleAlone) {
  Node node;
  node.start("9.1", {"ann", "bob"});
  Player ann(node, "t-ann");
  EXPECT_THAT(ann.line(), HasSubstr("hello"));
  const std::string rows[] = {
      "join t-mallory\n",                  // A token nobody signed.
      "join \n",                           // None.
      "GET / HTTP/1.1\r\n",                // Another protocol.
      "join " + std::string(10'000, 'x'),  // A line without end.
      std::string("\xff\xfe\0\x01\n", 5),  // No text at all.
      "join t-ann\n",                      // Somebody who is here already.
  };
  for (const std::string& row : rows) {
    SCOPED_TRACE(row.substr(0, 40));
    Player stranger(node);
    stranger.say_raw(row);
    EXPECT_THAT(stranger.line(), HasSubstr("error"));
    EXPECT_EQ(stranger.line(), "");
  }
  std::vector<Player> crowd;
  for (int i = 0; i < 40; ++i) crowd.emplace_back(node);  // More than it takes.
  crowd.clear();
  // Who was turned away for the crowd comes again until there is room.
  std::string hello;
  std::optional<Player> bob;
  for (int i = 0; i < 1000 && hello.empty(); ++i) hello = bob.emplace(node, "t-bob").line();
  EXPECT_EQ(hello, "hello bob, you fight ann");
  EXPECT_THAT(ann.line(), HasSubstr("round 1"));
}

TEST(Duel, AMatchOfAnotherSizeIsReported) {
  Node node;
  node.start("9.1", {"ann"});
  EXPECT_THAT(node.result(), HasSubstr("error"));
  node.start("9.2", {"ann", "bob"});
  Player ann(node, "t-ann");
  EXPECT_THAT(ann.line(), HasSubstr("hello"));
}

TEST(Duel, WithoutMusterItSaysSo) {
  EXPECT_EQ(Process({DUEL_SERVER, "7000"}).exit_code(), 2);
  EXPECT_EQ(Process({DUEL_SERVER}).exit_code(), 2);
  EXPECT_EQ(Process({DUEL_CLIENT}).exit_code(), 2);
  EXPECT_EQ(Process({DUEL_CLIENT, "127.0.0.1", "1", "t"}).exit_code(), 1);
}

}  // namespace
