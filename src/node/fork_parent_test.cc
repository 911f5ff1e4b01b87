// What the lobby may say about fork parents, and when. Their bad days are in
// tests/e2e/fork_test.cc.
#include "node/fork_parent.h"

#include "node/node_harness.h"

namespace muster::node::test {
namespace {

class ForkParentTest : public NodeTest {
 protected:
  static wire::node::Launch fleet(const std::string& mode) {
    wire::node::Launch launch;
    launch.set_fleet("duel");
    launch.add_command(MUSTER_BINARY_DIR "/tests/e2e/fork_days_server");
    launch.add_command("none");
    wire::node::Variable& variable = *launch.add_env();
    variable.set_name("MODE");
    variable.set_value(mode);
    return launch;
  }
  static wire::node::Launch launch_of(wire::node::Launch launch, const std::string& server_id) {
    launch.set_server_id(server_id);
    launch.set_port(free_port());
    launch.set_host("127.0.0.1");
    return launch;
  }
  void prepare(const std::vector<wire::node::Launch>& parents) {
    ToNode message;
    for (const wire::node::Launch& parent : parents)
      *message.mutable_prepare_forks()->add_parents() = parent;
    message.mutable_prepare_forks();
    lobby_.send(message);
  }
  /// The next message that is none about a fork parent.
  FromNode next() {
    for (;;) {
      const auto message = lobby_.next();
      if (!message) return {};
      if (!message->has_fork_parent()) return *message;
    }
  }
  /// Its pid.
  pid_t loaded() {
    for (;;) {
      const auto message = lobby_.next();
      if (!message) return 0;
      if (message->has_fork_parent() &&
          message->fork_parent().state() == wire::node::ForkParent::LOADED)
        return static_cast<pid_t>(message->fork_parent().pid());
    }
  }
  /// Sends it and says whether it was forked.
  bool launched_by_fork(const wire::node::Launch& launch) {
    ToNode message;
    *message.mutable_launch() = launch;
    lobby_.send(message);
    const FromNode answer = next();
    EXPECT_EQ(answer.launched().server_id(), launch.server_id()) << answer.ShortDebugString();
    EXPECT_EQ(next().ready().server_id(), launch.server_id());
    return answer.launched().forked();
  }
  std::vector<pid_t> copies_of(pid_t parent) const {
    std::vector<pid_t> found;
    const std::string command = read_file("/proc/" + std::to_string(parent) + "/cmdline");
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      if (pid > 1 && pid != parent && parent_is_node(pid) &&
          read_file(entry.path().string() + "/cmdline") == command)
        found.push_back(pid);
    }
    return found;
  }
  bool parent_is_node(pid_t pid) const {
    return read_file("/proc/" + std::to_string(pid) + "/status")
               .find("\nPPid:\t" + std::to_string(node_.pid()) + "\n") != std::string::npos;
  }
};

#ifdef __SANITIZE_THREAD__
#define NEEDS_ONE_THREAD GTEST_SKIP() << "ThreadSanitizer has a thread of its own"
#else
#define NEEDS_ONE_THREAD (void)0
#endif

TEST_F(ForkParentTest, AnotherCommandIsAnotherParent) {
  NEEDS_ONE_THREAD;
  prepare({fleet("old")});
  const pid_t old_one = loaded();
  prepare({fleet("old")});
  EXPECT_EQ(loaded(), old_one) << "the same again is told about, and stays";
  EXPECT_TRUE(launched_by_fork(launch_of(fleet("old"), "0.1")));

  prepare({fleet("new")});
  const pid_t new_one = loaded();
  EXPECT_NE(new_one, old_one);
  EXPECT_TRUE(eventually([&] { return !is_running(old_one); }));
  EXPECT_FALSE(launched_by_fork(launch_of(fleet("old"), "0.2"))) << "no copy of another program";
  EXPECT_TRUE(launched_by_fork(launch_of(fleet("new"), "0.3")));
}

TEST_F(ForkParentTest, AFleetThatWantsNoneAnyMoreHasNone) {
  NEEDS_ONE_THREAD;
  prepare({fleet("old")});
  const pid_t parent = loaded();
  std::vector<pid_t> in_hand;
  EXPECT_TRUE(eventually([&] { return (in_hand = copies_of(parent)).size() == 1; }));
  prepare({});
  EXPECT_TRUE(eventually([&] { return !is_running(parent) && !is_running(in_hand[0]); }));
  EXPECT_FALSE(launched_by_fork(launch_of(fleet("old"), "0.1")));
}

TEST_F(ForkParentTest, AServerStoppedWhileItWaitsForAChildIsNotLaunched) {
  NEEDS_ONE_THREAD;
  prepare({fleet("old")});
  const pid_t parent = loaded();
  EXPECT_TRUE(eventually([&] { return copies_of(parent).size() == 1; }));
  ::kill(parent, SIGSTOP);
  EXPECT_TRUE(launched_by_fork(launch_of(fleet("old"), "0.1"))) << "the child in hand";
  ToNode message;
  *message.mutable_launch() = launch_of(fleet("old"), "0.2");
  lobby_.send(message);
  lobby_.stop("0.2", milliseconds{5000});
  const FromNode answer = next();
  EXPECT_EQ(answer.launch_failed().server_id(), "0.2") << answer.ShortDebugString();
  EXPECT_EQ(answer.launch_failed().detail(), "it was stopped before it had a process");
}

TEST_F(ForkParentTest, AServerThatWaitsForAChildIsInTheInventory) {
  NEEDS_ONE_THREAD;
  prepare({fleet("old")});
  const pid_t parent = loaded();
  EXPECT_TRUE(eventually([&] { return copies_of(parent).size() == 1; }));
  ::kill(parent, SIGSTOP);
  EXPECT_TRUE(launched_by_fork(launch_of(fleet("old"), "0.1")));
  ToNode message;
  *message.mutable_launch() = launch_of(fleet("old"), "0.2");
  lobby_.send(message);
  lobby_ = TestLobby::connect(data_.path());  // The old one is gone meanwhile.
  const auto hello = lobby_.hello();
  ASSERT_EQ(hello.servers_size(), 2);
  EXPECT_TRUE(hello.servers(0).forked());
  EXPECT_EQ(hello.servers(1).server_id(), "0.2");
  // Launched plainly in the end, it tells whoever is there then.
  FromNode news = next();
  EXPECT_EQ(news.launched().server_id(), "0.2") << news.ShortDebugString();
  EXPECT_FALSE(news.launched().forked());
  EXPECT_EQ(next().ready().server_id(), "0.2");
}

TEST_F(ForkParentTest, ANameThatIsNoFileNameIsRefused) {
  wire::node::Launch escaping = fleet("old");
  escaping.set_fleet("../../etc");
  prepare({escaping});
  const auto message = lobby_.next();
  ASSERT_TRUE(message && message->has_fork_parent());
  EXPECT_EQ(message->fork_parent().state(), wire::node::ForkParent::FAILED);
  EXPECT_THAT(message->fork_parent().detail(), testing::HasSubstr("cannot be a file name"));
}

}  // namespace
}  // namespace muster::node::test
