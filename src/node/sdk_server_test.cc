#include "node/sdk_server.h"

#include <ctime>

#include "node/node_harness.h"

namespace muster::node::test {
namespace {

using wire::game_server::NodeMessage;
using wire::game_server::ServerMessage;

class SdkServerTest : public NodeTest {
 protected:
  SdkServerTest() {
    lobby_.close();
    connect_with_key();
  }
  void connect_with_key() {
    const auto& key = key_.public_key();
    lobby_ = TestLobby::connect(data_.path());
    lobby_.hello(std::string(key.begin(), key.end()));
  }
  TestSdk ready_sdk(const Launched& server) {
    TestSdk sdk = TestSdk::connect(server.sdk);
    EXPECT_TRUE(sdk.hello(server.token)->has_welcome());
    sdk.ready();
    EXPECT_TRUE(lobby_.next()->has_ready());
    return sdk;
  }
  static std::string error_of(const std::optional<NodeMessage>& reply) {
    return reply && reply->has_error() ? reply->error().code() : "no error";
  }
  static ServerMessage ready() {
    ServerMessage message;
    message.mutable_ready();
    return message;
  }
  static ServerMessage over(const std::string& match, const std::string& result = "") {
    ServerMessage message;
    message.mutable_match_over()->set_match_id(match);
    message.mutable_match_over()->set_result(result);
    return message;
  }
  static ServerMessage joined(const std::string& player) {
    ServerMessage message;
    message.mutable_player_joined()->set_player_id(player);
    return message;
  }
  static ServerMessage left(const std::string& player) {
    ServerMessage message;
    message.mutable_player_left()->set_player_id(player);
    return message;
  }
  static ServerMessage verify(const std::string& token) {
    ServerMessage message;
    message.mutable_verify_join()->set_join_token(token);
    return message;
  }
  void expect_silence() { EXPECT_FALSE(lobby_.next(milliseconds{100})); }

  wire::JoinKey key_{{7}};
};

TEST_F(SdkServerTest, TheSameThroughAUnixSocket) {
  const Launched server = launch_sleeper("0.1");
  TestSdk garbage = TestSdk::connect_locally(data_.path());
  garbage.send_bytes(std::string(4000, '\xff'));
  EXPECT_TRUE(garbage.is_closed_by_peer());
  TestSdk sdk = TestSdk::connect_locally(data_.path());
  const auto welcome = sdk.hello(server.token);
  ASSERT_TRUE(welcome && welcome->has_welcome());
  EXPECT_EQ(welcome->welcome().server_id(), "0.1");
  sdk.ready();
  EXPECT_TRUE(lobby_.next()->has_ready());
}

TEST_F(SdkServerTest, ReadyTwiceIsOnce) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = ready_sdk(server);
  sdk.ready();
  expect_silence();
}

TEST_F(SdkServerTest, BeforeHelloEverythingIsRefused) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = TestSdk::connect(server.sdk);
  for (const ServerMessage& message :
       {ready(), over("1.1"), joined("1.1"), verify("x"), ServerMessage()})
    EXPECT_EQ(error_of(sdk.ask(message)), "message_invalid") << message.ShortDebugString();
  EXPECT_TRUE(sdk.hello(server.token)->has_welcome()) << "it may still say who it is";
}

TEST_F(SdkServerTest, WrongTokens) {
  const Launched server = launch_sleeper("0.1");
  std::string almost = server.token;
  almost.back() = almost.back() == '0' ? '1' : '0';
  for (const std::string& token : {std::string(), std::string("x"), almost, server.token + "0",
                                   server.token.substr(1), std::string(40000, 'x')}) {
    TestSdk sdk = TestSdk::connect(server.sdk);
    EXPECT_EQ(error_of(sdk.hello(token)), "token_invalid");
    EXPECT_TRUE(sdk.is_closed_by_peer());
  }
}

TEST_F(SdkServerTest, ATokenIsOfOneServerAndOneLife) {
  const Launched a = launch_sleeper("0.1");
  const Launched b = launch_sleeper("0.2");
  EXPECT_NE(a.token, b.token);
  EXPECT_EQ(a.token.size(), 32u);
  TestSdk sdk = TestSdk::connect(a.sdk);
  EXPECT_EQ(sdk.hello(a.token)->welcome().server_id(), "0.1");
  EXPECT_EQ(error_of(sdk.hello(b.token)), "token_invalid") << "a connection is one server's";
  EXPECT_TRUE(sdk.is_closed_by_peer());
  lobby_.stop("0.1", milliseconds{0});
  lobby_.next_exit();
  TestSdk late = TestSdk::connect(a.sdk);
  EXPECT_EQ(error_of(late.hello(a.token)), "token_invalid");
}

TEST_F(SdkServerTest, ANewConnectionTakesTheOldOnesPlace) {
  const Launched server = launch_sleeper("0.1");
  TestSdk first = ready_sdk(server);
  lobby_.start_match("0.1", "5.1", {"1.1"});
  EXPECT_TRUE(first.next()->has_match_started());
  TestSdk second = TestSdk::connect(server.sdk);
  const auto welcome = second.hello(server.token);
  ASSERT_TRUE(welcome && welcome->has_welcome());
  EXPECT_EQ(welcome->welcome().match().match_id(), "5.1");
  EXPECT_EQ(welcome->welcome().match().players(0).player_id(), "1.1");
  EXPECT_TRUE(first.is_closed_by_peer());
  EXPECT_TRUE(second.ask(over("5.1"))->has_ok()) << "the old one's end did not end the new one";
  EXPECT_TRUE(lobby_.next()->has_match_over());
}

TEST_F(SdkServerTest, GarbageCostsOnlyItsConnection) {
  const Launched server = launch_sleeper("0.1");
  TestSdk good = ready_sdk(server);
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), std::string("\xff\xff\xff\xff", 4),
        std::string("\x01\x00\x01\x00", 4),  // One byte more than 64 KiB.
        std::string("\x02\x00\x00\x00\xff\xff", 6),
        std::string("\x16\x03\x01\x02\x00\x01\x00", 7)}) {
    TestSdk bad = TestSdk::connect(server.sdk);
    bad.send_bytes(bytes);
    EXPECT_TRUE(bad.is_closed_by_peer());
  }
  good.ready();  // Still answered.
  std::string half;
  wire::append_frame(half, ready());
  TestSdk cut = TestSdk::connect(server.sdk);
  cut.send_bytes(half.substr(0, 3));
  cut.close();
  good.ready();
}

TEST_F(SdkServerTest, AMatchFromStartToEnd) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = ready_sdk(server);
  EXPECT_EQ(error_of(sdk.ask(joined("1.1"))), "no_match");
  EXPECT_EQ(error_of(sdk.ask(over("5.1"))), "no_match");

  lobby_.start_match("0.1", "5.1", {"1.1", "2.1"});
  const auto started = sdk.next();
  ASSERT_TRUE(started && started->has_match_started());
  EXPECT_EQ(started->match_started().players_size(), 2);
  EXPECT_TRUE(sdk.ask(joined("1.1"))->has_ok());
  EXPECT_EQ(lobby_.next()->player_joined().player_id(), "1.1");
  EXPECT_EQ(error_of(sdk.ask(joined(""))), "message_invalid");
  EXPECT_EQ(error_of(sdk.ask(joined(std::string(65, '1')))), "message_invalid");
  EXPECT_TRUE(sdk.ask(left("1.1"))->has_ok());
  EXPECT_EQ(lobby_.next()->player_left().player_id(), "1.1");

  ToNode remove;
  remove.mutable_remove_player()->set_server_id("0.1");
  remove.mutable_remove_player()->set_match_id("5.1");
  remove.mutable_remove_player()->set_player_id("2.1");
  lobby_.send(remove);
  EXPECT_EQ(sdk.next()->player_removed().player_id(), "2.1");
  lobby_.send(remove);  // As one does whose link was lost.
  EXPECT_FALSE(sdk.next(milliseconds{100})) << "the server knows";

  EXPECT_EQ(error_of(sdk.ask(over("4.1"))), "no_match") << "of another match";
  EXPECT_EQ(error_of(sdk.ask(over("5.1", std::string((16 << 10) + 1, 'x')))), "message_invalid");
  EXPECT_TRUE(sdk.ask(over("5.1", std::string(16 << 10, 'x')))->has_ok());
  const auto told = lobby_.next();
  EXPECT_EQ(told->match_over().match_id(), "5.1");
  EXPECT_EQ(told->match_over().result().size(), 16u << 10);
  EXPECT_EQ(error_of(sdk.ask(over("5.1"))), "no_match") << "twice is once";
  sdk.ready();  // It is already.
  expect_silence();
}

TEST_F(SdkServerTest, StandingsGoAlongUnlessTheyAreNone) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = ready_sdk(server);
  lobby_.start_match("0.1", "5.1", {"1.1", "2.1"});
  ASSERT_TRUE(sdk.next()->has_match_started());
  auto message = over("5.1");
  auto* standing = message.mutable_match_over()->add_standings();
  standing->set_player_id("1.1");
  EXPECT_EQ(error_of(sdk.ask(message)), "message_invalid") << "no rank; the match goes on";
  standing->set_rank(1);
  EXPECT_TRUE(sdk.ask(message)->has_ok());
  const auto told = lobby_.next();
  ASSERT_EQ(told->match_over().standings_size(), 1);
  EXPECT_EQ(told->match_over().standings(0).player_id(), "1.1");
  EXPECT_EQ(told->match_over().standings(0).rank(), 1u);
}

TEST_F(SdkServerTest, ReadyEndsAMatchWithoutAResult) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = ready_sdk(server);
  lobby_.start_match("0.1", "5.1", {"1.1"});
  EXPECT_TRUE(sdk.next()->has_match_started());
  sdk.ready();
  const auto told = lobby_.next();
  ASSERT_TRUE(told && told->has_match_over());
  EXPECT_EQ(told->match_over().match_id(), "5.1");
  EXPECT_EQ(told->match_over().result(), "");
}

TEST_F(SdkServerTest, AMatchEndedByTheLobby) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = ready_sdk(server);
  for (const bool by_ready : {true, false}) {
    lobby_.start_match("0.1", "5.1", {"1.1"});
    EXPECT_TRUE(sdk.next()->has_match_started());
    ToNode end;
    end.mutable_end_match()->set_server_id("0.1");
    end.mutable_end_match()->set_match_id("5.1");
    end.mutable_end_match()->set_reason("timed_out");
    lobby_.send(end);
    EXPECT_EQ(sdk.next()->match_ended().reason(), "timed_out");
    EXPECT_EQ(error_of(sdk.ask(joined("1.1"))), "no_match");
    EXPECT_TRUE(sdk.ask(by_ready ? ready() : over("5.1", "late"))->has_ok());
    EXPECT_TRUE(lobby_.next()->has_ready()) << "it has wound up";
  }
}

TEST_F(SdkServerTest, ShutdownIsAskedForOnce) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = ready_sdk(server);
  ServerMessage message;
  message.mutable_shutdown();
  EXPECT_TRUE(sdk.ask(message)->has_ok());
  EXPECT_TRUE(lobby_.next()->has_shutdown_requested());
  EXPECT_TRUE(sdk.ask(message)->has_ok());
  expect_silence();
}

TEST_F(SdkServerTest, SilenceIsUnhealthyOnce) {
  const Launched server = launch_sleeper("0.1", 300);
  TestSdk sdk = TestSdk::connect(server.sdk);
  EXPECT_EQ(sdk.hello(server.token)->welcome().health_interval_ms(), 100u);
  expect_silence();  // Not watched until Ready; then, while it speaks, all is well.
  sdk.ready();
  EXPECT_TRUE(lobby_.next()->has_ready());
  ServerMessage health;
  health.mutable_health();
  const auto until = steady_clock::now() + seconds{1};
  auto longest = milliseconds{0};
  for (auto last = steady_clock::now(); last < until;) {
    EXPECT_TRUE(sdk.ask(health)->has_ok());
    std::this_thread::sleep_for(milliseconds{20});
    const auto now = steady_clock::now();
    longest = std::max(longest, std::chrono::duration_cast<milliseconds>(now - last));
    last = now;
  }
  if (longest < milliseconds{250}) {  // Else this machine was the silent one.
    EXPECT_FALSE(lobby_.next(milliseconds{1}));
  }
  const auto told = lobby_.next();
  ASSERT_TRUE(told && told->has_unhealthy());
  EXPECT_EQ(told->unhealthy().server_id(), "0.1");
  EXPECT_FALSE(lobby_.next(milliseconds{700}));
}

TEST_F(SdkServerTest, JoinTokens) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = ready_sdk(server);
  const std::int64_t now = std::time(nullptr);
  const wire::JoinClaims good{"1.1", "ann", "5.1", "0.1", 1, 2, now, now + 600, match_started_ms};
  EXPECT_EQ(error_of(sdk.ask(verify(key_.sign(good)))), "no_match") << "none is running";
  lobby_.start_match("0.1", "5.1", {"1.1", "2.1"});
  EXPECT_TRUE(sdk.next()->has_match_started());

  const auto reply = sdk.ask(verify(key_.sign(good)));
  ASSERT_TRUE(reply && reply->has_join_verified());
  EXPECT_EQ(reply->join_verified().player_id(), "1.1");
  EXPECT_EQ(reply->join_verified().name(), "ann");
  EXPECT_EQ(reply->join_verified().match_id(), "5.1");
  EXPECT_EQ(reply->join_verified().team(), 1u);
  EXPECT_EQ(reply->join_verified().seats(), 2u);

  const auto with = [&](auto change) {
    wire::JoinClaims claims = good;
    change(claims);
    return key_.sign(claims);
  };
  wire::JoinKey other({8});
  struct Row {
    const char* name;
    std::string token;
    const char* code;
  };
  const Row rows[] = {
      {"empty", "", "join_token_invalid"},
      {"garbage", "a.b.c", "join_token_invalid"},
      {"of another lobby", other.sign(good), "join_token_invalid"},
      {"for another server", with([](auto& c) { c.server = "0.2"; }), "join_token_invalid"},
      {"for a server of another life", with([](auto& c) { c.server = "0.11"; }),
       "join_token_invalid"},
      {"for another match", with([](auto& c) { c.match = "4.1"; }), "no_match"},
      {"for a match of that id before the lobby was restarted",
       with([](auto& c) { c.match_started_ms -= 1; }), "no_match"},
      {"for a player not in it", with([](auto& c) { c.player = "3.1"; }), "join_token_invalid"},
      {"expired", with([&](auto& c) { c.expires_at = now - 1; }), "join_token_expired"},
  };
  for (const Row& row : rows) EXPECT_EQ(error_of(sdk.ask(verify(row.token))), row.code) << row.name;

  // Who has left may not come again.
  EXPECT_TRUE(sdk.ask(left("1.1"))->has_ok());
  EXPECT_EQ(error_of(sdk.ask(verify(key_.sign(good)))), "join_token_invalid");
}

TEST_F(SdkServerTest, TheLobbyMayBeAway) {
  const Launched server = launch_sleeper("0.1");
  TestSdk sdk = ready_sdk(server);
  lobby_.start_match("0.1", "5.1", {"1.1"});
  EXPECT_TRUE(sdk.next()->has_match_started());
  lobby_.close();
  const std::int64_t now = std::time(nullptr);
  EXPECT_TRUE(sdk.ask(verify(key_.sign(
                          {"1.1", "ann", "5.1", "0.1", 0, 1, now, now + 600, match_started_ms})))
                  ->has_join_verified());
  connect_with_key();
  EXPECT_TRUE(sdk.ask(over("5.1"))->has_ok());
  EXPECT_TRUE(lobby_.next()->has_match_over());
}

TEST_F(SdkServerTest, WhoDoesNotReadIsDropped) {
  const Launched server = launch_sleeper("0.1");
  TestSdk deaf = ready_sdk(server);
  // Answers pile up until the bound; the questions are 4 bytes of answer each, so many are needed.
  std::string questions;
  for (int i = 0; i < 4000; ++i) {
    ServerMessage message = verify("x");
    message.set_request(1);
    wire::append_frame(questions, message);
  }
  const auto deadline = steady_clock::now() + patience;
  ssize_t sent = 0;
  while (sent >= 0 && steady_clock::now() < deadline)
    sent = ::send(deaf.fd(), questions.data(), questions.size(), MSG_NOSIGNAL);
  EXPECT_LT(sent, 0) << "the node did not close";
  TestSdk again = TestSdk::connect(server.sdk);
  EXPECT_TRUE(again.hello(server.token)->has_welcome());
}

}  // namespace
}  // namespace muster::node::test
