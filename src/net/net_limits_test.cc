// What hostile, slow and dead clients cost: a bounded amount, and then their connection.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "net/net.h"
#include "net/test_world.h"

namespace muster::net {
namespace {

using namespace std::chrono_literals;

const std::string hello = R"({"request":1,"hello":{"guest":{"name":"ann"}}})";

std::string frame_header(std::uint32_t bytes) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(bytes >> shift));
  return out;
}

TEST(Limits, AnOversizedFrameIsAnsweredAndEndsTheConnection) {
  TestWorld world;
  TestClient client(world.io, world.net.port());
  client.send("MUST" + frame_header((64u << 10) + 1) + "whatever follows");
  ASSERT_TRUE(client.until_ended());
  EXPECT_NE(native_messages(client.received).find("message_invalid"), std::string::npos);
  ASSERT_TRUE(world.until_event<core::SessionClosed>());
  EXPECT_EQ(world.stats().refused_malformed, 1u);
}

TEST(Limits, AnOversizedWebSocketMessageIsAnsweredAndClosedWith1009) {
  TestWorld world;
  TestClient client(world.io, world.net.port());
  client.send(ws_request() + ws_text(std::string((64u << 10) + 1, ' ')).substr(0, 100));
  ASSERT_TRUE(client.until_ended());
  const std::string said = ws_messages(client.received);
  EXPECT_NE(said.find("message_invalid"), std::string::npos) << said;
  EXPECT_TRUE(said.ends_with("close 1009 \n")) << said;
}

TEST(Limits, WebSocketsOfTheWrongKindAreClosedWithTheirCode) {
  struct Row {
    const char* name;
    std::string sent;
    const char* said;
  };
  const Row rows[] = {
      {"unmasked", ws_request() + "\x81\x02hi", "close 1002 \n"},
      {"binary in JSON", ws_request() + ws_binary(hello), "close 1003 muster.v1.json is text\n"},
      {"text in protobuf", ws_request("muster.v1.proto") + ws_text("{}"),
       "close 1003 muster.v1.proto is binary\n"},
      {"no UTF-8", ws_request() + ws_text("\xff"), "close 1007 \n"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestWorld world;
    TestClient client(world.io, world.net.port());
    client.send(row.sent);
    ASSERT_TRUE(client.until_ended());
    EXPECT_EQ(ws_messages(client.received), row.said);
    EXPECT_TRUE(world.until_event<core::SessionClosed>());
  }
}

// The kernel buffers some megabytes of its own for it; beyond those only outbound_bytes_max.
TEST(Limits, AClientThatNeverReadsIsDroppedAtOutboundBytesMax) {
  TestWorld world;
  world.welcome_all();
  TestClient client(world.io, world.net.port(), 4096);
  client.send("MUST" + native(hello));
  ASSERT_TRUE(world.until_event<core::Hello>());
  const std::string result(16u << 10, 'r');
  int said = 0;
  while (world.count<core::SessionClosed>() == 0 && said < 10'000) {
    world.say(core::SendMatchEnded{world.last, 0, {1, 1}, {}, false, result});
    ++said;
    world.io.restart();
    world.io.poll();
  }
  EXPECT_LT(said, 10'000);
  EXPECT_EQ(world.stats().dropped_slow, 1u);
  EXPECT_EQ(world.stats().sessions_native, 0u);
}

TEST(Limits, AMessageLargerThanTheLimitStillReachesAClientThatReads) {
  TestWorld world;
  world.welcome_all();
  TestClient client(world.io, world.net.port(), 4096);
  client.send("MUST" + native(hello));
  ASSERT_TRUE(world.until_event<core::Hello>());
  core::Roster roster(100);
  for (auto& entry : roster) entry.attributes = {{"a", std::string(200, 'a')}};
  core::SendAssignment assignment{.session = world.last};
  assignment.roster = std::make_shared<const core::Roster>(roster);
  for (int i = 0; i < 11; ++i) world.net.apply(assignment);  // 24 KB each.
  world.net.flush();
  world.say(core::CloseSession{world.last, {}});
  ASSERT_TRUE(client.until_ended());
  const std::string messages = native_messages(client.received);
  EXPECT_EQ(std::count(messages.begin(), messages.end(), '\n'), 12);
  EXPECT_EQ(world.stats().dropped_slow, 0u);
}

TEST(Deadlines, BytesThatNobodyReads) {
  TestWorld world;
  world.welcome_all();
  TestClient client(world.io, world.net.port(), 4096);
  client.send("MUST" + native(hello));
  ASSERT_TRUE(world.until_event<core::Hello>());
  const std::string result(16u << 10, 'r');
  // Until the kernel takes no more, and a little beyond.
  std::uint64_t before = 0;
  int stuck = 0;
  while (stuck < 4) {
    world.say(core::SendMatchEnded{world.last, 0, {1, 1}, {}, false, result});
    world.io.restart();
    world.io.poll();
    stuck = world.stats().bytes_out == before ? stuck + 1 : 0;
    before = world.stats().bytes_out;
  }
  ASSERT_EQ(world.count<core::SessionClosed>(), 0u);
  world.now += 11s;
  ASSERT_TRUE(world.until_event<core::SessionClosed>());
  EXPECT_EQ(world.stats().dropped_slow, 1u);
}

TEST(Deadlines, OneByteASecondIsDropped) {
  struct Row {
    const char* name;
    std::string opening;
    std::string message;
  };
  const Row rows[] = {
      {"native", "MUST", native(hello)},
      {"WebSocket", ws_request(), ws_text(hello)},
      {"WebSocket fragments", ws_request(),
       [] {
         std::string out;
         for (int i = 0; i < 40; ++i)
           wire::append_ws_masked_frame(
               out, i == 0 ? wire::WsOpcode::text : wire::WsOpcode::continuation, "", 1, false);
         return out;
       }()},
      {"classic", {"\x04\x64\x59\x1b", 4}, std::string("\x2c\x0f") + std::string(42, 'n')},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    NetOptions options = test_options();
    options.hello_timeout = 1h;  // Not what is tested here.
    TestWorld world(options);
    TestClient client(world.io, world.net.port());
    client.send(row.opening);
    ASSERT_TRUE(world.until_event<core::SessionOpened>());
    std::size_t sent = 0;
    for (; sent < row.message.size() && world.count<core::SessionClosed>() == 0; ++sent) {
      client.send_some(row.message.substr(sent, 1));
      const auto in = row.opening.size() + sent + 1;
      ASSERT_TRUE(world.until(
          [&] { return world.stats().bytes_in >= in || world.count<core::SessionClosed>() > 0; }));
      world.now += 1s;
      world.io.restart();
      world.io.run_for(10ms);  // A few sweeps at this time.
    }
    EXPECT_GT(sent, 9u);
    EXPECT_LT(sent, 14u);
    EXPECT_EQ(world.stats().dropped_slow, 1u);
  }
}

TEST(Deadlines, ManyQuickMessagesAreNotOneSlowOne) {
  NetOptions options = test_options();
  TestWorld world(options);
  world.welcome_all();
  TestClient client(world.io, world.net.port());
  const std::string ping = native(R"({"ping":{"number":"1"}})");
  client.send("MUST" + native(hello));
  ASSERT_TRUE(world.until_event<core::Hello>());
  // Each send ends within a message, so there always is an unfinished one, but never an old one.
  client.send(ping.substr(0, 3));
  for (int i = 0; i < 30; ++i) {
    client.send(ping.substr(3) + ping.substr(0, 3));
    const auto want = i + 2u;
    ASSERT_TRUE(world.until([&] { return world.stats().messages_in >= want; }));
    world.now += 1s;
    world.io.restart();
    world.io.run_for(3ms);
  }
  EXPECT_EQ(world.count<core::SessionClosed>(), 0u);
}

TEST(Deadlines, HelloMustCome) {
  struct Row {
    const char* name;
    std::string sent;
  };
  const Row rows[] = {
      {"nothing at all", ""},
      {"half the magic", "MU"},
      {"half a head", "GET / HTTP/1.1\r\nHost:"},
      {"no hello", "MUST"},
      {"an upgrade and no hello", ws_request()},
      {"a game server that is not believed", {"\x04\x64\x59\x1b", 4}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestWorld world;
    TestClient client(world.io, world.net.port());
    client.send(row.sent);
    ASSERT_TRUE(world.until(
        [&] { return world.stats().accepted == 1 && world.stats().bytes_in == row.sent.size(); }));
    world.now += 9s;
    world.io.restart();
    world.io.run_for(10ms);
    EXPECT_EQ(world.stats().sessions_closing, 0u);
    world.now += 2s;
    ASSERT_TRUE(client.until_ended());
    EXPECT_EQ(world.count<core::SessionOpened>(), world.count<core::SessionClosed>());
    EXPECT_EQ(world.stats().dropped_slow, 1u);
  }
}

TEST(Deadlines, ASilentClientIsPingedAndAMuteOneClosed) {
  for (const bool websocket : {false, true}) {
    SCOPED_TRACE(websocket);
    TestWorld world;
    world.welcome_all();
    TestClient client(world.io, world.net.port());
    const auto said = [&] {
      return websocket ? ws_messages(client.received) : native_messages(client.received);
    };
    client.send(websocket ? ws_request() + ws_text(hello) : "MUST" + native(hello));
    ASSERT_TRUE(client.until([&] { return said().find("welcome") != std::string::npos; }));
    client.received.clear();

    world.now += 21s;
    const std::string ping = websocket ? "ping \n" : "{\"ping\":{\"number\":\"0\"}}\n";
    ASSERT_TRUE(client.until([&] { return said() == ping; })) << said();
    world.now += 30s;  // 51 s of silence: no second ping, not closed.
    world.io.restart();
    world.io.run_for(10ms);
    client.receive();
    EXPECT_EQ(said(), ping);

    std::string pong;
    wire::append_ws_masked_frame(pong, wire::WsOpcode::pong, "", 1);
    const auto before = world.stats().bytes_in;
    client.send(websocket ? pong : native(R"({"pong":{}})"));
    ASSERT_TRUE(world.until([&] { return world.stats().bytes_in > before; }));
    world.now += 21s;
    ASSERT_TRUE(client.until([&] { return said() == ping + ping; })) << said();
    EXPECT_EQ(world.count<core::SessionClosed>(), 0u);
    world.now += 40s;
    ASSERT_TRUE(client.until_ended());
    ASSERT_TRUE(world.until_event<core::SessionClosed>());
    EXPECT_EQ(world.stats().dropped_silent, 1u);
  }
}

TEST(Deadlines, PingsToManySpreadOverSweeps) {
  TestWorld world;
  world.welcome_all();
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 60; ++i) {
    clients.push_back(std::make_unique<TestClient>(world.io, world.net.port()));
    clients.back()->send("MUST" + native(hello));
  }
  ASSERT_TRUE(world.until_event<core::Hello>(60));
  const auto before = world.stats().messages_out;
  world.now += 21s;
  ASSERT_TRUE(world.until([&] { return world.stats().messages_out > before; }));
  EXPECT_LE(world.stats().messages_out - before, 20u);
  ASSERT_TRUE(world.until([&] { return world.stats().messages_out == before + 60; }));
}

TEST(RateLimit, OverItARefusalAndTenTimesOverItTheEnd) {
  TestWorld world;
  world.welcome_all();
  TestClient client(world.io, world.net.port());
  const std::string cancel = native(R"({"request":3,"cancelMatch":{}})");
  client.send("MUST" + native(hello));
  ASSERT_TRUE(world.until_event<core::Hello>());
  std::string many;
  for (int i = 0; i < 150; ++i) many += cancel;
  client.send(many);
  ASSERT_TRUE(world.until([&] { return world.stats().messages_in == 151; }));
  EXPECT_EQ(world.count<core::CancelMatch>(), 99u);  // The burst, less the hello.
  EXPECT_EQ(world.stats().refused_rate, 51u);
  ASSERT_TRUE(client.until_received("rate_limited"));

  world.now += 100ms;  // Five more by now.
  client.send(many.substr(0, cancel.size() * 10));
  ASSERT_TRUE(world.until([&] { return world.stats().messages_in == 161; }));
  EXPECT_EQ(world.count<core::CancelMatch>(), 104u);
  EXPECT_EQ(world.count<core::SessionClosed>(), 0u);

  for (int i = 0; i < 6; ++i) client.send(many);
  ASSERT_TRUE(client.until_ended());
  ASSERT_TRUE(world.until_event<core::SessionClosed>());
  EXPECT_EQ(world.count<core::CancelMatch>(), 104u);
}

TEST(Limits, SessionsMaxIsToldAndThenNotEvenThat) {
  NetOptions options = test_options();
  options.sessions_max = 2;
  TestWorld world(options);
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(std::make_unique<TestClient>(world.io, world.net.port()));
    clients.back()->send("MUST");
  }
  ASSERT_TRUE(world.until_event<core::SessionOpened>(2));
  TestClient native_one(world.io, world.net.port()), web_one(world.io, world.net.port()),
      http_one(world.io, world.net.port());
  native_one.send("MUST" + native(hello));
  web_one.send(ws_request());
  http_one.send("GET /live HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(native_one.until_ended());
  ASSERT_TRUE(web_one.until_ended());
  ASSERT_TRUE(http_one.until_ended());
  EXPECT_NE(native_messages(native_one.received).find("lobby_full"), std::string::npos);
  EXPECT_NE(ws_messages(web_one.received).find("lobby_full"), std::string::npos);
  EXPECT_NE(http_one.received.find("200 OK"), std::string::npos);
  EXPECT_EQ(world.count<core::SessionOpened>(), 2u);
  EXPECT_EQ(world.stats().refused_full, 3u);
  native_one.close();
  web_one.close();
  http_one.close();

  clients[0]->close();  // One goes, one may come.
  ASSERT_TRUE(world.until(
      [&] { return world.stats().sessions_native == 1 && world.stats().sessions_closing == 0; }));
  TestClient next(world.io, world.net.port());
  next.send("MUST");
  ASSERT_TRUE(world.until_event<core::SessionOpened>(3));
}

// Fills the descriptor table up to a lowered limit; gives it back when destroyed.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit lower = before_;
    lower.rlim_cur = 200;
    ::setrlimit(RLIMIT_NOFILE, &lower);
    for (int fd; (fd = ::dup(0)) >= 0;) held_.push_back(fd);
  }
  ~NoDescriptors() {
    for (const int fd : held_) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
  std::vector<int> held_;
};

TEST(Limits, OutOfDescriptorsConnectionsAreClosedAndOthersGoOn) {
  TestWorld world;
  world.welcome_all();
  TestClient first(world.io, world.net.port());
  const std::string cancel = native(R"({"request":2,"cancelMatch":{}})");
  first.send("MUST" + native(hello) + cancel);
  ASSERT_TRUE(world.until_event<core::CancelMatch>());
  std::vector<std::unique_ptr<TestClient>> clients;
  for (int i = 0; i < 40; ++i)
    clients.push_back(std::make_unique<TestClient>(world.io, world.net.port()));
  // UBSan needs a descriptor to look at a type it has not seen: nothing happens for the first time
  // in here, and nothing is printed.
  std::size_t ended = 0;
  bool others_go_on = false;
  {
    NoDescriptors none;
    for (auto& client : clients) ended += client->until_ended();
    first.send(cancel);
    others_go_on = world.until_event<core::CancelMatch>(2);
  }
  EXPECT_EQ(ended, 40u);
  EXPECT_EQ(world.stats().refused_no_descriptor, 40u);
  EXPECT_EQ(world.log.size(), 1u);  // Not one line each.
  EXPECT_TRUE(others_go_on);
  TestClient next(world.io, world.net.port());
  next.send("MUST");
  EXPECT_TRUE(world.until_event<core::SessionOpened>(2));
}

TEST(Listening, ErrorsSayWhereAndWhatToDo) {
  TestWorld world;
  struct Row {
    std::string listen;
    const char* says;
  };
  const Row rows[] = {
      {"127.0.0.1:" + std::to_string(world.net.port()), "another program listens there"},
      {"192.0.2.1:0", "no such address"},
      {"127.0.0.1", "host:port"},
      {"127.0.0.1:66000", "host:port"},
      {"::1:80", "host:port"},
      {"nowhere:80", "host:port"},
      {"", "host:port"},
  };
  for (const Row& row : rows) {
    NetOptions options;
    options.listen = row.listen;
    Net net(world.io, options, [](core::Event&&) {});
    const auto started = net.start();
    ASSERT_FALSE(started) << row.listen;
    EXPECT_NE(started.error().find(row.listen), std::string::npos) << started.error();
    EXPECT_NE(started.error().find(row.says), std::string::npos) << started.error();
  }
}

TEST(Listening, OnIpv6) {
  NetOptions options = test_options();
  options.listen = "[::]:0";  // Takes IPv4 too.
  TestWorld world(options);
  TestClient client(world.io, world.net.port());
  client.send(
      {"\x02\x65", 2});  // Classic is allowed on loopback, also when it is ::ffff:127.0.0.1.
  ASSERT_TRUE(world.until_event<core::ClassicServerReset>());
  EXPECT_EQ(world.net.ends_of(world.last).value().peer_address, "127.0.0.1");
}

TEST(Listening, StopsAndSessionsStay) {
  TestWorld world;
  world.welcome_all();
  TestClient client(world.io, world.net.port());
  client.send("MUST");
  ASSERT_TRUE(world.until_event<core::SessionOpened>());
  world.net.stop();
  client.send(native(hello));
  EXPECT_TRUE(world.until_event<core::Hello>());
}

}  // namespace
}  // namespace muster::net
