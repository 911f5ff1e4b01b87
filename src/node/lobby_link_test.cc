#include "node/lobby_link.h"

#include "node/node_harness.h"

namespace muster::node::test {
namespace {

wire::game_server::ServerMessage match_over(const std::string& match, const std::string& result) {
  wire::game_server::ServerMessage message;
  message.mutable_match_over()->set_match_id(match);
  message.mutable_match_over()->set_result(result);
  return message;
}

class LobbyLinkTest : public NodeTest {
 protected:
  /// As after a crash of the lobby: the node has noticed when this returns.
  void lose_lobby() {
    lobby_.close();
    // A new connection is accepted after the old one's end was seen, for it was there before.
    TestLobby stranger = TestLobby::connect(data_.path());
    stranger.send_bytes(std::string("\x01\x00\x00\x00\xff", 5));  // Malformed: closed.
    EXPECT_TRUE(stranger.is_closed_by_peer());
  }
  wire::node::NodeHello come_back() {
    lobby_ = TestLobby::connect(data_.path());
    return lobby_.hello();
  }
};

TEST_F(LobbyLinkTest, OnlyItsUserMayConnect) {
  struct stat status{};
  ASSERT_EQ(::stat((data_ / "node.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(LobbyLinkTest, ServersAreFoundAgain) {
  const Launched a = launch_sleeper("0.1");
  const Launched b = launch_sleeper("3.7");
  TestSdk sdk = TestSdk::connect(b.sdk);
  sdk.hello(b.token);
  sdk.ready();
  EXPECT_TRUE(lobby_.next()->has_ready());
  lobby_.start_match("3.7", "5.1", {"1.1"});
  EXPECT_TRUE(sdk.next()->has_match_started());
  lose_lobby();
  const auto hello = come_back();
  ASSERT_EQ(hello.servers_size(), 2);
  EXPECT_EQ(hello.servers(0).server_id(), "0.1");
  EXPECT_EQ(hello.servers(0).fleet(), "duel");
  EXPECT_EQ(hello.servers(0).pid(), static_cast<std::uint32_t>(a.pid));
  EXPECT_FALSE(hello.servers(0).ready());
  EXPECT_EQ(hello.servers(1).server_id(), "3.7");
  EXPECT_TRUE(hello.servers(1).ready());
  EXPECT_EQ(hello.servers(1).match_id(), "5.1");
  // And they are the same to the new lobby as to the old one.
  lobby_.stop("0.1", milliseconds{0});
  EXPECT_EQ(lobby_.next_exit().server_id(), "0.1");
  wire::game_server::ServerMessage joined;
  joined.mutable_player_joined()->set_player_id("1.1");
  sdk.ask(joined);
  EXPECT_EQ(lobby_.next()->player_joined().player_id(), "1.1");
}

// Inventory as it was, then what happened since, in order.
TEST_F(LobbyLinkTest, WhatHappenedMeanwhileIsTold) {
  const Launched a = launch_sleeper("0.1");
  const Launched b = launch_sleeper("0.2");
  TestSdk sdk_a = TestSdk::connect(a.sdk);
  sdk_a.hello(a.token);
  sdk_a.ready();
  EXPECT_TRUE(lobby_.next()->has_ready());
  lobby_.start_match("0.1", "5.1", {"1.1", "2.1"});
  EXPECT_TRUE(sdk_a.next()->has_match_started());
  TestSdk sdk_b = TestSdk::connect(b.sdk);
  sdk_b.hello(b.token);
  lose_lobby();

  wire::game_server::ServerMessage joined;
  joined.mutable_player_joined()->set_player_id("1.1");
  EXPECT_TRUE(sdk_a.ask(joined)->has_ok());
  EXPECT_TRUE(sdk_a.ask(match_over("5.1", "ann won"))->has_ok());
  ::kill(a.pid, SIGKILL);
  EXPECT_TRUE(sdk_a.is_closed_by_peer());  // Which says that its end has been seen to.
  sdk_b.ready();

  const auto hello = come_back();
  ASSERT_EQ(hello.servers_size(), 2);
  EXPECT_EQ(hello.servers(0).server_id(), "0.1");
  EXPECT_EQ(hello.servers(0).match_id(), "5.1");
  EXPECT_EQ(hello.servers(1).server_id(), "0.2");
  EXPECT_FALSE(hello.servers(1).ready());
  EXPECT_EQ(lobby_.next()->player_joined().player_id(), "1.1");
  const auto over = lobby_.next();
  EXPECT_EQ(over->match_over().match_id(), "5.1");
  EXPECT_EQ(over->match_over().result(), "ann won");
  EXPECT_EQ(lobby_.next_exit().server_id(), "0.1");
  EXPECT_EQ(lobby_.next()->ready().server_id(), "0.2");

  lose_lobby();
  const auto again = come_back();  // Told once.
  ASSERT_EQ(again.servers_size(), 1);
  EXPECT_EQ(again.servers(0).server_id(), "0.2");
  EXPECT_TRUE(again.servers(0).ready());
  EXPECT_FALSE(lobby_.next(milliseconds{100}));
}

TEST_F(LobbyLinkTest, WhatIsKeptIsBounded) {
  const Launched a = launch_sleeper("0.1");
  TestSdk sdk = TestSdk::connect(a.sdk);
  sdk.hello(a.token);
  sdk.ready();
  EXPECT_TRUE(lobby_.next()->has_ready());
  lobby_.start_match("0.1", "5.1", {});
  EXPECT_TRUE(sdk.next()->has_match_started());
  lose_lobby();
  wire::game_server::ServerMessage joined;
  joined.mutable_player_joined()->set_player_id("1.1");
  for (std::size_t i = 0; i < 3 * LobbyLink::untold_max; ++i) sdk.send(joined);
  EXPECT_TRUE(sdk.ask(match_over("5.1", "over"))->has_ok());
  come_back();
  std::size_t joins = 0;
  auto message = lobby_.next();
  for (; message && message->has_player_joined(); message = lobby_.next()) ++joins;
  EXPECT_EQ(joins, LobbyLink::untold_max);
  ASSERT_TRUE(message && message->has_match_over()) << "a result is not dropped for joins";
}

TEST_F(LobbyLinkTest, TheNewerLobbyTakesTheLink) {
  ASSERT_GT(lobby_.launch(shell("0.1", "exec sleep 1000")), 0);
  TestLobby newer = TestLobby::connect(data_.path());
  EXPECT_FALSE(newer.next(milliseconds{50})) << "nothing is said before hello";
  EXPECT_EQ(newer.hello().servers_size(), 1);
  EXPECT_TRUE(lobby_.is_closed_by_peer());
  newer.stop("0.1", milliseconds{0});
  EXPECT_EQ(newer.next_exit().server_id(), "0.1");
}

TEST_F(LobbyLinkTest, LobbiesThatAreNone) {
  struct Row {
    const char* name;
    std::string bytes;
    const char* error;  // nullptr: closed without a word.
  };
  ToNode old_protocol, no_key, no_hello;
  old_protocol.mutable_hello()->set_protocol(2);
  old_protocol.mutable_hello()->set_join_public_key(std::string(32, 'k'));
  no_key.mutable_hello()->set_protocol(1);
  no_hello.mutable_stop()->set_server_id("0.1");
  const auto framed = [](const ToNode& message) {
    std::string bytes;
    wire::append_frame(bytes, message);
    return bytes;
  };
  const Row rows[] = {
      {"another protocol", framed(old_protocol), "speaks protocol 1, the lobby 2"},
      {"no key", framed(no_key), "join_public_key must be 32 bytes"},
      {"something before hello", framed(no_hello), nullptr},
      {"garbage", std::string("GET / HTTP/1.1\r\n\r\n"), nullptr},
      {"a frame too large", std::string("\x00\x00\x00\x7f", 4), nullptr},
      {"an empty message", std::string(4, '\0'), nullptr},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestLobby lobby = TestLobby::connect(data_.path());
    lobby.send_bytes(row.bytes);
    if (row.error) {
      const auto answer = lobby.next();
      ASSERT_TRUE(answer && answer->has_hello());
      EXPECT_NE(answer->hello().error().find(row.error), std::string::npos);
      EXPECT_EQ(answer->hello().protocol(), 1u);
    }
    EXPECT_TRUE(lobby.is_closed_by_peer());
  }
  EXPECT_GT(lobby_.launch(shell("0.1", "exec sleep 1000")), 0) << "the lobby noticed nothing";
}

TEST_F(LobbyLinkTest, MessagesAboutServersThatAreGoneAreNoHarm) {
  lobby_.stop("9.9", milliseconds{0});
  lobby_.start_match("9.9", "1.1", {});
  ToNode message;
  message.mutable_remove_player()->set_server_id("9.9");
  lobby_.send(message);
  message.mutable_end_match()->set_server_id("9.9");
  lobby_.send(message);
  lobby_.send(ToNode());
  message.mutable_verify_owner()->set_server_id("9.9");
  message.mutable_verify_owner()->set_query(77);
  lobby_.send(message);
  const auto answer = lobby_.next();
  ASSERT_TRUE(answer && answer->has_owner_verified());
  EXPECT_EQ(answer->owner_verified().query(), 77u);
  EXPECT_FALSE(answer->owner_verified().verified());
  EXPECT_EQ(answer->owner_verified().detail(), "server 9.9 is not running");
}

}  // namespace
}  // namespace muster::node::test
