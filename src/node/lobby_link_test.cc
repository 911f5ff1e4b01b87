#include "node/lobby_link.h"

#include <algorithm>
#include <vector>

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
  /// As a lobby that has heard every report up to that number.
  wire::node::NodeHello come_back(std::uint64_t heard) {
    lobby_ = TestLobby::connect(data_.path());
    wire::node::ReportsHeard reports;
    reports.set_run(lobby_hello_.run());
    reports.set_number(heard);
    return lobby_.hello(std::string(32, 'k'), reports);
  }
  /// Kinds of the reports that came before the last hello, in order.
  std::vector<FromNode::BodyCase> late() const {
    std::vector<FromNode::BodyCase> kinds;
    std::uint64_t last = 0;
    for (const FromNode& message : lobby_.late) {
      EXPECT_GT(message.number(), last);
      last = message.number();
      kinds.push_back(message.body_case());
    }
    return kinds;
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
  const auto ready = lobby_.next();
  EXPECT_TRUE(ready->has_ready());
  lobby_.start_match("3.7", "5.1", {"1.1"});
  EXPECT_TRUE(sdk.next()->has_match_started());
  lose_lobby();
  const auto hello = come_back(ready->number());
  EXPECT_TRUE(late().empty());
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

// What the lobby has not heard, in order, and then what there is.
TEST_F(LobbyLinkTest, WhatHappenedMeanwhileIsTold) {
  const Launched a = launch_sleeper("0.1");
  const Launched b = launch_sleeper("0.2");
  TestSdk sdk_a = TestSdk::connect(a.sdk);
  sdk_a.hello(a.token);
  sdk_a.ready();
  const auto ready = lobby_.next();
  EXPECT_TRUE(ready->has_ready());
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

  using enum FromNode::BodyCase;
  const std::vector<FromNode::BodyCase> meanwhile = {kPlayerJoined, kMatchOver, kExited, kReady};
  const auto expect_what_there_is = [](const wire::node::NodeHello& hello) {
    ASSERT_EQ(hello.servers_size(), 1);
    EXPECT_EQ(hello.servers(0).server_id(), "0.2");
    EXPECT_TRUE(hello.servers(0).ready());
  };
  expect_what_there_is(come_back(ready->number()));
  EXPECT_EQ(late(), meanwhile);
  EXPECT_EQ(lobby_.late[0].player_joined().player_id(), "1.1");
  EXPECT_EQ(lobby_.late[1].match_over().match_id(), "5.1");
  EXPECT_EQ(lobby_.late[1].match_over().result(), "ann won");
  EXPECT_EQ(lobby_.late[2].exited().server_id(), "0.1");
  EXPECT_EQ(lobby_.late[3].ready().server_id(), "0.2");
  const std::uint64_t result = lobby_.late[1].number();

  // That lobby dies too before its journal has it: it is told again.
  lose_lobby();
  expect_what_there_is(come_back(ready->number()));
  EXPECT_EQ(late(), meanwhile);
  // Or when it has the first of it.
  lose_lobby();
  expect_what_there_is(come_back(result));
  EXPECT_EQ(late(), (std::vector{kExited, kReady}));
  // What is acknowledged is forgotten, also for a lobby that has forgotten it.
  lobby_.acknowledge("another run", 1000);
  lobby_.acknowledge(lobby_hello_.run(), result + 1);
  sdk_b.ask(match_over("no match", ""));  // Answered after the acknowledgement was read.
  lose_lobby();
  expect_what_there_is(come_back(0));
  EXPECT_EQ(late(), std::vector{kReady});
}

TEST_F(LobbyLinkTest, WhatIsSaidOverALinkThatDiesIsSaidAgain) {
  const Launched a = launch_sleeper("0.1");
  TestSdk sdk = TestSdk::connect(a.sdk);
  sdk.hello(a.token);
  sdk.ready();
  const auto ready = lobby_.next();  // Read, but this lobby's journal never has it.
  ASSERT_TRUE(ready->has_ready());
  lose_lobby();
  EXPECT_TRUE(come_back(ready->number() - 1).servers(0).ready());
  EXPECT_EQ(late(), std::vector{FromNode::kReady});
  EXPECT_EQ(lobby_.late[0].number(), ready->number());
}

TEST_F(LobbyLinkTest, ALaunchThatFailedIsToldToTheNextLobby) {
  auto launch = shell("0.1", "exit 1");
  launch.set_port(0);
  ToNode message;
  *message.mutable_launch() = launch;
  lobby_.send(message);
  const auto failed = lobby_.next();
  ASSERT_TRUE(failed && failed->has_launch_failed());
  lose_lobby();
  EXPECT_EQ(come_back(0).servers_size(), 0);
  EXPECT_EQ(late(), std::vector{FromNode::kLaunchFailed});
}

TEST_F(LobbyLinkTest, WhatIsKeptIsBounded) {
  const Launched a = launch_sleeper("0.1");
  TestSdk sdk = TestSdk::connect(a.sdk);
  sdk.hello(a.token);
  sdk.ready();
  const auto ready = lobby_.next();
  EXPECT_TRUE(ready->has_ready());
  lobby_.start_match("0.1", "5.1", {});
  EXPECT_TRUE(sdk.next()->has_match_started());
  lose_lobby();
  wire::game_server::ServerMessage joined;
  joined.mutable_player_joined()->set_player_id("1.1");
  for (std::size_t i = 0; i < 3 * LobbyLink::kept_max; ++i) sdk.send(joined);
  EXPECT_TRUE(sdk.ask(match_over("5.1", "over"))->has_ok());
  come_back(ready->number());
  const auto kinds = late();
  EXPECT_EQ(std::ranges::count(kinds, FromNode::kPlayerJoined) + 2,  // Launched, Ready.
            static_cast<std::ptrdiff_t>(LobbyLink::kept_max));
  ASSERT_FALSE(kinds.empty());
  EXPECT_EQ(kinds.back(), FromNode::kMatchOver) << "a result is not dropped for joins";
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
