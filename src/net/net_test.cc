// Every dialect from its first byte to a conversation.
#include "net/net.h"

#include <gtest/gtest.h>

#include "net/convert.h"
#include "net/test_world.h"

namespace muster::net {
namespace {

using namespace std::chrono_literals;

const std::string hello = R"({"request":1,"hello":{"guest":{"name":"ann"}}})";
const std::string start = R"({"request":2,"startMatch":{"queue":"duel","seats":2}})";

std::string welcome_of(const TestWorld& world) {
  return R"({"request":1,"welcome":{"playerId":"7.1","sessionToken":")" +
         session_token({7, 1}, world.find<core::Hello>()->secret) +
         R"(","name":"ann","resumed":false}})"
         "\n";
}

struct DialectRow {
  const char* name;
  std::string opening;
  std::string (*client)(const std::string& json);
  std::string (*lobby)(std::string stream);
};
const DialectRow dialects[] = {
    {"native", "MUST", [](const std::string& json) { return native(json); },
     [](std::string s) { return native_messages(s); }},
    {"WebSocket, JSON by default", ws_request(),
     [](const std::string& json) { return ws_text(json); },
     [](std::string s) { return ws_messages(s); }},
    {"WebSocket, JSON by name", ws_request("other, muster.v1.json"),
     [](const std::string& json) { return ws_text(json); },
     [](std::string s) { return ws_messages(s); }},
    {"WebSocket, binary", ws_request("muster.v1.proto, muster.v1.json"),
     [](const std::string& json) { return ws_binary(json); },
     [](std::string s) { return ws_messages(s); }},
};

TEST(Dialects, AConversationInEach) {
  for (const DialectRow& row : dialects) {
    SCOPED_TRACE(row.name);
    TestWorld world;
    world.welcome_all();
    TestClient client(world.io, world.net.port());
    client.send(row.opening + row.client(hello));
    ASSERT_TRUE(world.until_event<core::Hello>());
    EXPECT_EQ(world.names(), "SessionOpened Hello ");
    EXPECT_TRUE(world.find<core::SessionOpened>()->resumable);
    EXPECT_EQ(world.find<core::Hello>()->name, "ann");
    std::string want = welcome_of(world);
    ASSERT_TRUE(client.until([&] { return row.lobby(client.received) == want; }))
        << client.received;

    client.send(row.client(start));
    ASSERT_TRUE(world.until_event<core::StartMatch>());
    EXPECT_EQ(world.find<core::StartMatch>()->queue, "duel");
    EXPECT_EQ(world.find<core::StartMatch>()->seats, 2);
    world.say(core::SendTicket{world.last, 2, {3, 1}, "duel", core::TicketState::queued, 2, 4, {}});
    want +=
        R"({"request":2,"ticket":{"ticketId":"3.1","queue":"duel","state":"QUEUED","players":2,"playersNeeded":4,"accepted":0,"acceptsNeeded":0,"acceptLeftMs":0,"youAccepted":false}})"
        "\n";
    ASSERT_TRUE(client.until([&] { return row.lobby(client.received) == want; }))
        << row.lobby(client.received);

    client.send(row.client(R"({"request":9,"ping":{"number":"5"}})"));
    want += R"({"request":9,"pong":{"number":"5"}})"
            "\n";
    ASSERT_TRUE(client.until([&] { return row.lobby(client.received) == want; }));

    client.close();
    ASSERT_TRUE(world.until_event<core::SessionClosed>());
    EXPECT_EQ(world.names(), "SessionOpened Hello StartMatch SessionClosed ");
  }
}

TEST(Dialects, TheCutOfTheStreamDoesNotMatter) {
  for (const DialectRow& row : dialects) {
    const std::string stream = row.opening + row.client(hello) + row.client(start);
    for (const std::size_t step : {1u, 3u, 7u}) {
      SCOPED_TRACE(testing::Message() << row.name << ", cut every " << step);
      TestWorld world;
      TestClient client(world.io, world.net.port());
      for (std::size_t at = 0; at < stream.size(); at += step) {
        const std::size_t want = std::min(at + step, stream.size());
        client.send(stream.substr(at, step));
        ASSERT_TRUE(world.until([&] { return world.stats().bytes_in == want; }));
      }
      EXPECT_EQ(world.names(), "SessionOpened Hello StartMatch ");
    }
  }
}

TEST(Dialects, SeveralMessagesInOneReadAreAnsweredInOneWrite) {
  TestWorld world;
  world.welcome_all();
  TestClient client(world.io, world.net.port());
  client.send("MUST" + native(hello) + native(R"({"ping":{"number":"1"}})") +
              native(R"({"request":3,"cancelMatch":{}})"));
  ASSERT_TRUE(world.until_event<core::CancelMatch>());
  ASSERT_TRUE(client.until([&] {
    return native_messages(client.received) == welcome_of(world) + R"({"pong":{"number":"1"}})"
                                                                   "\n";
  }));
}

TEST(Http, PlainAnswers) {
  struct Row {
    const char* name;
    std::string request;
    const char* status;
    const char* says;
  };
  const Row rows[] = {
      {"a page for people", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK", "Muster"},
      {"live", "GET /live HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK", "live\n"},
      {"HTTP/1.0", "GET /live HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK", "live\n"},
      {"head", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK", "Content-Length"},
      {"elsewhere", "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404 Not Found", ""},
      {"post", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi",
       "HTTP/1.1 405 Method Not Allowed", ""},
      {"play without upgrade", "GET /v1/play HTTP/1.1\r\nHost: x\r\n\r\n",
       "HTTP/1.1 426 Upgrade Required", "Upgrade: websocket"},
      {"an old WebSocket",
       "GET /v1/play HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
       "Sec-WebSocket-Version: 8\r\n\r\n",
       "HTTP/1.1 426 Upgrade Required", "Sec-WebSocket-Version: 13"},
      {"a bad key",
       "GET /v1/play HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
       "HTTP/1.1 400 Bad Request", "Sec-WebSocket-Key"},
      {"an unknown subprotocol", ws_request("chat"), "HTTP/1.1 400 Bad Request", "muster.v1.json"},
      {"no HTTP", "GET \x01\x02\r\n\r\n", "HTTP/1.1 400 Bad Request", ""},
      {"a long head", "GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n",
       "HTTP/1.1 431", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestWorld world;
    TestClient client(world.io, world.net.port());
    client.send(row.request);
    ASSERT_TRUE(client.until_ended());
    EXPECT_TRUE(client.received.starts_with(row.status)) << client.received;
    EXPECT_NE(client.received.find(row.says), std::string::npos) << client.received;
    EXPECT_EQ(world.names(), "");  // No business of the core's.
    client.close();
    EXPECT_TRUE(world.until([&] { return world.stats().sessions_closing == 0; }));
  }
}

TEST(Http, TheUpgradeNamesTheSubprotocolChosen) {
  for (const auto& [asked, answered] :
       {std::pair<const char*, const char*>{"", ""},
        {"muster.v1.json", "Sec-WebSocket-Protocol: muster.v1.json\r\n"},
        {"x,muster.v1.proto", "Sec-WebSocket-Protocol: muster.v1.proto\r\n"}}) {
    TestWorld world;
    TestClient client(world.io, world.net.port());
    client.send(ws_request(asked));
    ASSERT_TRUE(client.until_received("\r\n\r\n"));
    EXPECT_EQ(client.received,
              "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" +
                  std::string(answered) + "\r\n");
  }
}

TEST(FirstBytes, TlsIsClosedAndSaidInTheLog) {
  TestWorld world;
  TestClient client(world.io, world.net.port());
  client.send("\x16\x03\x01\x02");
  ASSERT_TRUE(client.until_ended());
  ASSERT_EQ(world.log.size(), 1u);
  EXPECT_NE(world.log[0].find("TLS"), std::string::npos);
  EXPECT_EQ(world.stats().refused_dialect, 1u);
  EXPECT_EQ(world.names(), "");
}

TEST(WebSocket, ControlFrames) {
  TestWorld world;
  world.welcome_all();
  TestClient client(world.io, world.net.port());
  std::string ping, close;
  wire::append_ws_masked_frame(ping, wire::WsOpcode::ping, "are you there", 1);
  wire::append_ws_masked_frame(close, wire::WsOpcode::close,
                               "\x0b\xb8"
                               "bye",
                               1);  // 3000
  client.send(ws_request() + ping + close + ws_text(hello));
  ASSERT_TRUE(client.until_ended());
  EXPECT_EQ(ws_messages(client.received), "pong are you there\nclose 3000 \n");
  EXPECT_EQ(world.names(), "SessionOpened SessionClosed ");  // Nothing after the close counts.
  client.close();
  EXPECT_TRUE(world.until([&] { return world.stats().sessions_closing == 0; }));
}

TEST(Messages, WellFramedNonsenseIsRefusedAndTheSessionGoesOn) {
  struct Row {
    const char* name;
    std::string json;
    const char* code;
    const char* says;
  };
  const Row rows[] = {
      {"no JSON", "hello?", "message_invalid", ""},
      {"an unknown field", R"({"request":5,"helo":{}})", "message_invalid", "helo"},
      {"no command", R"({"request":5})", "message_invalid", "no command"},
      {"hello without an identity", R"({"request":5,"hello":{}})", "message_invalid", "guest"},
      {"a token that is none", R"({"request":5,"hello":{"resume":{"sessionToken":"x"}}})",
       "session_token_invalid", ""},
      {"a number that is none",
       R"({"request":5,"startMatch":{"attributes":{"elo":{"number":"NaN"}}}})",
       "attributes_invalid", "elo"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestWorld world;
    world.welcome_all();
    TestClient client(world.io, world.net.port());
    client.send(ws_request() + ws_text(row.json) + ws_text(hello));
    ASSERT_TRUE(client.until_received("welcome"));
    const std::string said = ws_messages(client.received);
    EXPECT_NE(said.find("\"code\":\"" + std::string(row.code)), std::string::npos) << said;
    EXPECT_NE(said.find(row.says), std::string::npos) << said;
    EXPECT_EQ(world.names(), "SessionOpened Hello ");
  }
}

TEST(Closing, TheCoreClosesAndTheClientLearnsWhy) {
  for (const DialectRow& row : dialects) {
    SCOPED_TRACE(row.name);
    TestWorld world;
    world.welcome_all();
    TestClient client(world.io, world.net.port());
    client.send(row.opening + row.client(hello));
    ASSERT_TRUE(world.until_event<core::Hello>());
    world.net.apply(core::SendTicket{world.last, 0, {3, 1}, "duel", {}, 1, 2, {}});
    world.net.apply(core::CloseSession{world.last, core::Error::resumed_elsewhere});
    world.net.apply(core::SendTicket{world.last, 0, {4, 1}, "late", {}, 1, 2, {}});
    world.net.flush();
    EXPECT_EQ(world.count<core::SessionClosed>(), 0u);  // Never from inside flush().
    ASSERT_TRUE(client.until_ended());
    const std::string said = row.lobby(client.received);
    EXPECT_NE(said.find("\"ticketId\":\"3.1\""), std::string::npos) << said;
    EXPECT_NE(said.find("resumed_elsewhere"), std::string::npos) << said;
    EXPECT_EQ(said.find("late"), std::string::npos) << said;
    ASSERT_TRUE(world.until_event<core::SessionClosed>());
    EXPECT_EQ(world.names(), "SessionOpened Hello SessionClosed ");
    // It stays away for as long as the client does not close, up to linger_timeout.
    EXPECT_EQ(world.stats().sessions_closing, 1u);
    world.now += 3s;
    EXPECT_TRUE(world.until([&] { return world.stats().sessions_closing == 0; }));
    EXPECT_EQ(world.count<core::SessionClosed>(), 1u);
  }
}

TEST(Closing, AbruptlyAtEachStage) {
  struct Row {
    const char* name;
    std::string sent;
    const char* events;
  };
  const Row rows[] = {
      {"before a byte", "", ""},
      {"within the first bytes", "MU", ""},
      {"within an HTTP head", "GET /v1/pl", ""},
      {"after the magic", "MUST", "SessionOpened SessionClosed "},
      {"within a frame", "MUST" + native(hello).substr(0, 6), "SessionOpened SessionClosed "},
      {"after hello", "MUST" + native(hello), "SessionOpened Hello SessionClosed "},
      {"after the upgrade", ws_request(), "SessionOpened SessionClosed "},
      {"within a WebSocket frame", ws_request() + ws_text(hello).substr(0, 9),
       "SessionOpened SessionClosed "},
      {"within a classic packet", std::string("\x04\x64", 2), ""},
      {"after a classic packet", std::string("\x04\x64\x59\x1b", 4),
       "SessionOpened ClassicServerLogin SessionClosed "},
  };
  for (const Row& row : rows) {
    for (const bool reset : {false, true}) {
      SCOPED_TRACE(testing::Message() << row.name << (reset ? ", reset" : ", closed"));
      TestWorld world;
      TestClient client(world.io, world.net.port());
      client.send(row.sent);
      ASSERT_TRUE(world.until([&] {
        return world.stats().accepted == 1 && world.stats().bytes_in == row.sent.size();
      }));
      reset ? client.reset() : client.close();
      ASSERT_TRUE(world.until([&] {
        const NetStats s = world.stats();
        return s.sessions_unknown + s.sessions_http + s.sessions_native + s.sessions_websocket +
                   s.sessions_classic + s.sessions_closing ==
               0;
      }));
      EXPECT_EQ(world.names(), row.events);
    }
  }
}

TEST(Closing, FromInsidePostWhileMoreBytesWait) {
  for (const DialectRow& row : dialects) {
    SCOPED_TRACE(row.name);
    TestWorld world;
    world.react = [&](const core::Event& event) {
      if (const auto* e = std::get_if<core::Hello>(&event))
        world.say(core::CloseSession{e->session, core::Error::lobby_full});
    };
    TestClient client(world.io, world.net.port());
    client.send(row.opening + row.client(hello) + row.client(start) + row.client(start));
    ASSERT_TRUE(client.until_ended());
    EXPECT_NE(row.lobby(client.received).find("lobby_full"), std::string::npos);
    EXPECT_EQ(world.names(), "SessionOpened Hello SessionClosed ");
  }
}

TEST(Closing, TheNetMayGoWhileSessionsAreOpen) {
  boost::asio::io_context io{1};
  auto net = std::make_unique<Net>(io, test_options(), [](core::Event&&) {});
  ASSERT_TRUE(net->start());
  TestClient client(io, net->port());
  client.send("MUST");
  ASSERT_TRUE(run_until(io, [&] { return net->stats().sessions_native == 1; }));
  net.reset();
  EXPECT_TRUE(client.until_ended());
}

TEST(Net, KnowsBothEndsOfASession) {
  TestWorld world;
  TestClient client(world.io, world.net.port());
  client.send("MUST");
  ASSERT_TRUE(world.until_event<core::SessionOpened>());
  const auto ends = world.net.ends_of(world.last);
  ASSERT_TRUE(ends);
  EXPECT_EQ(ends->peer_address, "127.0.0.1");
  EXPECT_EQ(ends->local_address, "127.0.0.1");
  EXPECT_EQ(ends->local_port, world.net.port());
  EXPECT_NE(ends->peer_port, 0);
  EXPECT_FALSE(world.net.ends_of({99, 1}));
}

TEST(Net, OtherEffectsAreNotItsOwn) {
  TestWorld world;
  EXPECT_FALSE(world.net.apply(core::StopServer{}));
  EXPECT_FALSE(world.net.apply(core::VerifyOwner{{0, 1}, {0, 1}, {0, 1}}));
  EXPECT_TRUE(world.net.apply(core::CloseSession{{5, 1}, {}}));  // Gone: dropped.
}

}  // namespace
}  // namespace muster::net
