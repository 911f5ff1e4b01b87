#include "agones/rest_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "agones/test_host.h"

namespace muster::agones {
namespace {

using testing::HasSubstr;

class Rest : public testing::Test {
 protected:
  std::string say(std::string_view bytes, std::size_t step = 1 << 16) {
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      const auto part = bytes.substr(at, step);
      rest_.feed({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()});
      rest_.produce(out, 1 << 24);
    }
    return out;
  }
  static std::string request(std::string_view verb, std::string_view path, std::string_view body) {
    return fmt(verb, path) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string(body);
  }
  /// "200 {...}"
  std::string ask(std::string_view verb, std::string_view path, std::string_view body = {}) {
    const std::string out = say(request(verb, path, body));
    const auto space = out.find(' ');
    const auto end = out.find("\r\n\r\n");
    if (end == std::string::npos) return out;
    return out.substr(space + 1, 3) + " " + out.substr(end + 4);
  }
  static std::string fmt(std::string_view verb, std::string_view path) {
    return std::string(verb).append(" ").append(path).append(" HTTP/1.1\r\nHost: localhost\r\n");
  }

  TestHost host_;
  RestConnection rest_{host_};
};

TEST_F(Rest, Routes) {
  struct Row {
    const char* verb;
    const char* path;
    const char* body;
    const char* want;
  };
  const Row rows[] = {
      {"POST", "/ready", "{}", "200 {}"},
      {"POST", "/ready", "", "200 {}"},
      {"POST", "/allocate", "{}", "200 {}"},
      {"POST", "/health", "{}", "200 {}"},
      {"POST", "/health", "{}\n{}", "200 {}"},
      {"POST", "/health", "",
       R"(400 {"code":3,"message":"the body is not the JSON that this wants","details":[]})"},
      {"POST", "/reserve", R"({"seconds":"5"})", "200 {}"},
      {"POST", "/reserve", R"({"seconds":5,"unknown":[1]})", "200 {}"},
      {"PUT", "/metadata/label", R"({"key":"foo","value":"bar"})", "200 {}"},
      {"PUT", "/metadata/annotation", R"({"key":"foo","value":"b a r"})", "200 {}"},
      {"PUT", "/metadata/label", "{bad",
       R"(400 {"code":3,"message":"the body is not the JSON that this wants","details":[]})"},
      {"GET", "/v1beta1/counters/rooms", "", R"(200 {"name":"rooms","count":"1","capacity":"10"})"},
      {"PATCH", "/v1beta1/counters/rooms", R"({"count":"2"})",
       R"(200 {"name":"rooms","count":"2","capacity":"10"})"},
      {"PATCH", "/v1beta1/counters/rooms", R"({"countDiff":3})",
       R"(200 {"name":"rooms","count":"5","capacity":"10"})"},
      {"PATCH", "/v1beta1/counters/rooms", R"({"count":0,"capacity":7})",
       R"(200 {"name":"rooms","count":"0","capacity":"7"})"},
      {"PATCH", "/v1beta1/counters/rooms", R"({"countDiff":-100})",
       R"(400 {"code":11,"message":"counter \"rooms\" must stay within 0 and its capacity, 7","details":[]})"},
      {"GET", "/v1beta1/counters/doors", "",
       R"(404 {"code":5,"message":"there is no counter \"doors\": counters are declared in the fleet's configuration","details":[]})"},
      {"GET", "/v1beta1/lists/players", "",
       R"(200 {"name":"players","capacity":"100","values":["test0","test1","test2"]})"},
      {"PATCH", "/v1beta1/lists/players", R"({"capacity":"40"})",
       R"(200 {"name":"players","capacity":"40","values":["test0","test1","test2"]})"},
      {"PATCH", "/v1beta1/lists/players", R"({})",
       R"(200 {"name":"players","capacity":"40","values":["test0","test1","test2"]})"},
      {"PATCH", "/v1beta1/lists/players?update_mask=values", R"({"capacity":1,"values":["a b"]})",
       R"(200 {"name":"players","capacity":"40","values":["a b"]})"},
      {"PATCH", "/v1beta1/lists/players?update_mask=color", R"({})",
       R"(400 {"code":3,"message":"update_mask has \"color\"; it may have capacity and values","details":[]})"},
      {"PATCH", "/v1beta1/lists/players", R"({"values":[]})",
       R"(200 {"name":"players","capacity":"40","values":[]})"},
      {"POST", "/v1beta1/lists/players:addValue", R"({"value":"x"})",
       R"(200 {"name":"players","capacity":"40","values":["x"]})"},
      {"POST", "/v1beta1/lists/players:addValue", R"({"value":"x"})",
       R"(409 {"code":6,"message":"list \"players\" has that value already","details":[]})"},
      {"POST", "/v1beta1/lists/players:removeValue", R"({"value":"x"})",
       R"(200 {"name":"players","capacity":"40","values":[]})"},
      {"PUT", "/alpha/player/capacity", R"({"count":3})", "200 {}"},
      {"GET", "/alpha/player/capacity", "", R"(200 {"count":"3"})"},
      {"POST", "/alpha/player/connect", R"({"playerID":"steam:1 2"})", R"(200 {"bool":true})"},
      {"GET", "/alpha/player/connected/steam:1%202", "", R"(200 {"bool":true})"},
      {"GET", "/alpha/player/connected/nobody", "", R"(200 {"bool":false})"},
      {"GET", "/alpha/player/connected", "", R"(200 {"list":["steam:1 2"]})"},
      {"GET", "/alpha/player/count", "", R"(200 {"count":"1"})"},
      {"POST", "/alpha/player/disconnect", R"({"playerID":"steam:1 2"})", R"(200 {"bool":true})"},
      {"GET", "/no-such-route", "", R"(404 {"code":5,"message":"Not Found","details":[]})"},
      {"GET", "/v1beta1/counters/", "", R"(404 {"code":5,"message":"Not Found","details":[]})"},
      {"GET", "/ready", "", R"(501 {"code":12,"message":"Method Not Allowed","details":[]})"},
      {"POST", "/shutdown", "{}", "200 {}"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.verb) + ' ' + row.path + ' ' + row.body);
    EXPECT_EQ(ask(row.verb, row.path, row.body), row.want);
  }
  EXPECT_EQ(host_.record.state(), State::shutdown);
}

TEST_F(Rest, AGameServerAsAgonesShowsIt) {
  // Unity sends a body with GET.
  EXPECT_EQ(ask("GET", "/gameserver", "{}"),
            R"(200 {"object_meta":{"name":"duel-1.1","namespace":"default","uid":"1.1",)"
            R"("resource_version":"1","generation":"1","creation_timestamp":"1800000000",)"
            R"("deletion_timestamp":"0","annotations":{},"labels":{"agones.dev/fleet":"duel"}},)"
            R"("spec":{"health":{"disabled":false,"period_seconds":5,"failure_threshold":3,)"
            R"("initial_delay_seconds":5}},"status":{"state":"Scheduled","address":"127.0.0.1",)"
            R"("ports":[{"name":"default","port":7000}],"players":{"count":"0","capacity":"2",)"
            R"("ids":[]},"counters":{"rooms":{"count":"1","capacity":"10"}},"lists":{"players":)"
            R"({"capacity":"100","values":["test0","test1","test2"]}},"addresses":[]}})");
}

TEST_F(Rest, HoweverTheBytesAreCutAndHoweverManyAtOnce) {
  const std::string three = request("POST", "/ready", "{}") + request("GET", "/gameserver", "") +
                            request("POST", "/health", "{}");
  const std::string whole = say(three);
  EXPECT_THAT(whole, HasSubstr(R"("state":"Ready")"));
  for (const std::size_t step : {1, 7}) EXPECT_EQ(say(three, step), whole);
  EXPECT_TRUE(rest_.open());
}

TEST_F(Rest, ConnectionCloseIsDone) {
  EXPECT_THAT(say(fmt("GET", "/gameserver") + "Connection: close\r\n\r\n"),
              HasSubstr("Connection: close"));
  EXPECT_FALSE(rest_.open());
}

TEST_F(Rest, WhatIsNoHttpEndsTheConnection) {
  EXPECT_THAT(say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), HasSubstr("HTTP/1.1 400"));
  EXPECT_FALSE(rest_.open());
}

TEST_F(Rest, BodiesHaveALimit) {
  EXPECT_THAT(say(fmt("PUT", "/metadata/annotation") + "Content-Length: 600000\r\n\r\n"),
              HasSubstr("HTTP/1.1 413"));
  EXPECT_FALSE(rest_.open());
}

TEST_F(Rest, AnswersThatAreNotReadStopTheReading) {
  std::string many;
  for (int i = 0; i < 2000; ++i) many += request("GET", "/gameserver", "");
  rest_.feed({reinterpret_cast<const std::uint8_t*>(many.data()), many.size()});
  EXPECT_LT(host_.calls, 1000);
  std::string out;
  for (std::size_t before = 1; out.size() != before;) {
    before = out.size();
    rest_.produce(out, out.size() + 4096);
  }
  EXPECT_EQ(host_.calls, 2000) << "each is answered in the end";
}

TEST_F(Rest, WatchInChunks) {
  const std::string first = say(fmt("GET", "/watch/gameserver") + "\r\n");
  EXPECT_THAT(first, HasSubstr("Transfer-Encoding: chunked"));
  EXPECT_THAT(first, HasSubstr(R"({"result":{"object_meta")"));
  EXPECT_TRUE(rest_.streaming());
  EXPECT_EQ(say("whatever"), "");
  host_.record.ready(host_.now);
  rest_.changed();
  const std::string second = say("x");
  EXPECT_THAT(second, HasSubstr(R"("state":"Ready")"));
  EXPECT_TRUE(second.ends_with("}\n\r\n"));
}

TEST_F(Rest, WatchByWebSocket) {
  const std::string first = say(fmt("GET", "/watch/gameserver") +
                                "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                "Sec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  EXPECT_THAT(first, HasSubstr("101 Switching Protocols"));
  EXPECT_THAT(first, HasSubstr("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
  EXPECT_THAT(first, HasSubstr(R"({"result":{"object_meta")"));
  std::string ping, close;
  wire::append_ws_masked_frame(ping, wire::WsOpcode::ping, "hi", 0x12345678);
  EXPECT_EQ(say(ping), "\x8a\x02hi");
  host_.record.ready(host_.now);
  rest_.changed();
  wire::append_ws_masked_frame(close, wire::WsOpcode::close, "", 0x12345678);
  EXPECT_THAT(say(close), HasSubstr(R"("state":"Ready")"));
  EXPECT_FALSE(rest_.open());
}

TEST_F(Rest, AHandshakeThatIsNoneIsRefused) {
  EXPECT_THAT(say(fmt("GET", "/watch/gameserver") + "Upgrade: websocket\r\n\r\n"),
              HasSubstr("HTTP/1.1 400"));
}

TEST_F(Rest, AWatcherThatDoesNotReadCostsABoundedBuffer) {
  say(fmt("GET", "/watch/gameserver") + "\r\n");
  host_.record.set_annotation("big", std::string(50 << 10, 'x'));
  for (int i = 0; i < 1000; ++i) {
    host_.record.set_label("n", std::to_string(i));
    rest_.changed();
  }
  std::string out;
  rest_.produce(out, 1 << 24);
  EXPECT_LT(out.size(), 500u << 10);
  EXPECT_THAT(out, HasSubstr(R"("agones.dev/sdk-n":"999")"));
}

}  // namespace
}  // namespace muster::agones
