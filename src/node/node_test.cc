#include "node/node.h"

#include "node/node_harness.h"
#include "node/proc.h"

namespace muster::node::test {
namespace {

using wire::node::LaunchFailed;

TEST_F(NodeTest, SaysHello) {
  EXPECT_EQ(lobby_hello_.protocol(), 1u);
  EXPECT_EQ(lobby_hello_.name(), "here");
  EXPECT_EQ(lobby_hello_.pid(), static_cast<std::uint32_t>(node_.pid()));
  EXPECT_EQ(lobby_hello_.servers_size(), 0);
}

TEST_F(NodeTest, LaunchReadyExit) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = TestSdk::connect(server.sdk);
  const auto welcome = sdk.hello(server.token);
  ASSERT_TRUE(welcome && welcome->has_welcome());
  EXPECT_EQ(welcome->welcome().server_id(), "0.1");
  sdk.ready();
  const auto ready = lobby_.next();
  ASSERT_TRUE(ready && ready->has_ready());
  EXPECT_EQ(ready->ready().server_id(), "0.1");

  ::kill(server.pid, SIGKILL);
  const auto exited = lobby_.next_exit();
  EXPECT_EQ(exited.server_id(), "0.1");
  EXPECT_EQ(exited.exit_code(), -1);
  EXPECT_EQ(exited.signal(), SIGKILL);
  EXPECT_TRUE(sdk.is_closed_by_peer());
  EXPECT_FALSE(is_running(server.pid));
}

}  // namespace
}  // namespace muster::node::test
