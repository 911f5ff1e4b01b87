#include "cli/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "cli/test_http_server.h"

namespace muster::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

std::string reply_with(const std::string& head, const std::string& body) {
  return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TEST(HttpCall, SendsARequestThatSaysWhatItIs) {
  TestHttpServer server(reply_with("HTTP/1.1 200 OK\r\n", "{}"));
  const auto reply = http_call(server.address(), "POST", "/v1/stop", "{\"a\":1}", seconds{20});
  ASSERT_TRUE(reply) << reply.error();
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(reply->body, "{}");
  const std::string request = server.request();
  EXPECT_THAT(request, testing::StartsWith("POST /v1/stop HTTP/1.1\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nHost: " + server.address() + "\r\n"));
  EXPECT_THAT(request, HasSubstr("\r\nContent-Type: application/json\r\n"));
  EXPECT_THAT(request, testing::EndsWith("\r\nContent-Length: 7\r\n\r\n{\"a\":1}"));
}

TEST(HttpCall, ReadsAnswers) {
  struct Row {
    const char* name;
    std::string sent;
    int status;  // 0: refused.
    std::string body;
  };
  const Row rows[] = {
      {"with a length", reply_with("HTTP/1.1 200 OK\r\n", "hello"), 200, "hello"},
      {"an error", reply_with("HTTP/1.1 404 Not Found\r\n", "{}"), 404, "{}"},
      {"until the end", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it"},
      {"in chunks",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200,
       "abc"},
      {"large", reply_with("HTTP/1.1 200 OK\r\n", std::string(1u << 20, 'x')), 200,
       std::string(1u << 20, 'x')},
      {"nothing", "", 0, ""},
      {"cut in the head", "HTTP/1.1 200 OK\r\nConte", 0, ""},
      {"cut in the body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 0, ""},
      {"another protocol", "SSH-2.0-OpenSSH_9.2p1\r\n", 0, ""},
      {"longer than is read", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc", 0, ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestHttpServer server(row.sent);
    const auto reply = http_call(server.address(), "GET", "/", "", seconds{20});
    ASSERT_EQ(reply.has_value(), row.status != 0);
    if (reply) {
      EXPECT_EQ(reply->status, row.status);
      EXPECT_EQ(reply->body, row.body);
    } else {
      EXPECT_THAT(reply.error(), HasSubstr(server.address()));
      EXPECT_THAT(reply.error(), HasSubstr("admin API"));
    }
  }
}

TEST(HttpCall, NobodyThere) {
  std::string address;
  {
    TestHttpServer server("");  // Its port is free again behind the brace.
    address = server.address();
  }
  const auto reply = http_call(address, "GET", "/", "", seconds{20});
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error(), HasSubstr("is a lobby running"));
}

TEST(HttpCall, SilenceEndsWithTheTime) {
  TestHttpServer server(TestHttpServer::silent);
  const auto reply = http_call(server.address(), "GET", "/", "", milliseconds{50});
  ASSERT_FALSE(reply);
  EXPECT_THAT(reply.error(), HasSubstr("no answer in time"));
}

TEST(HttpCall, RefusesWhatIsNoAddress) {
  EXPECT_FALSE(http_call("4180", "GET", "/", "", seconds{1}));
  EXPECT_FALSE(http_call("example.org:4180", "GET", "/", "", seconds{1}));
}

}  // namespace
}  // namespace muster::cli
