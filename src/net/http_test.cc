#include "net/http.h"

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "net/test_world.h"

namespace muster::net {
namespace {

using namespace std::chrono_literals;

struct HttpWorld {
  explicit HttpWorld(HttpLimits limits = {})
      : server(io, "127.0.0.1:0", at_once([](const HttpRequest& request) -> HttpResponse {
                 if (request.path == "/throw") throw std::runtime_error("oops");
                 if (request.path == "/large") return {.body = std::string(8u << 20, 'x')};
                 if (request.path == "/none") return {.status = 404};
                 return {.body = "{\"path\":\"" + request.path + "\",\"body\":\"" + request.body +
                                 "\"}"};
               }),
               limits) {
    EXPECT_TRUE(server.start());
  }
  std::string exchange(const std::string& request) {
    TestClient client(io, server.port());
    client.send(request);
    EXPECT_TRUE(client.until_ended());
    return client.received;
  }
  boost::asio::io_context io{1};
  HttpServer server;
};

TEST(HttpServer, Answers) {
  struct Row {
    const char* name;
    std::string request;
    std::string response;
  };
  const Row rows[] = {
      {"a request", "GET /a HTTP/1.1\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 23\r\n"
       "Connection: close\r\n\r\n{\"path\":\"/a\",\"body\":\"\"}"},
      {"two on one connection",
       "POST /a HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
       "GET /none HTTP/1.1\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 25\r\n"
       "Connection: keep-alive\r\n\r\n{\"path\":\"/a\",\"body\":\"hi\"}"
       "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
      {"head", "HEAD /a HTTP/1.1\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 23\r\n"
       "Connection: close\r\n\r\n"},
      {"a handler that throws", "GET /throw HTTP/1.1\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain; charset=utf-8\r\n"
       "Content-Length: 22\r\nConnection: close\r\n\r\nInternal Server Error\n"},
      {"nonsense", "what?\r\n\r\n",
       "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
       "Content-Length: 12\r\nConnection: close\r\n\r\nBad Request\n"},
  };
  HttpWorld world;
  for (const Row& row : rows) EXPECT_EQ(world.exchange(row.request), row.response) << row.name;
}

TEST(HttpServer, ALargeResponseArrivesWhole) {
  HttpWorld world;
  const std::string response = world.exchange("GET /large HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(response.ends_with("\r\n\r\n" + std::string(8u << 20, 'x')));
}

TEST(HttpServer, AResponseIsTakenBeforeTheNextRequestIsLookedAt) {
  int asked = 0;
  boost::asio::io_context io{1};
  HttpServer server(io, "127.0.0.1:0", at_once([&](const HttpRequest&) -> HttpResponse {
                      ++asked;
                      return {.body = std::string(8u << 20, 'x')};
                    }));
  ASSERT_TRUE(server.start());
  TestClient client(io, server.port(), 4096);
  const std::string request = "GET /large HTTP/1.1\r\n\r\n";
  std::string many;
  for (int i = 0; i < 4; ++i) many += request;
  client.send(many + "GET /last HTTP/1.1\r\nConnection: close\r\n\r\n");
  ASSERT_TRUE(run_until(io, [&] { return asked == 1; }));
  io.restart();
  io.run_for(20ms);
  EXPECT_EQ(asked, 1);
  ASSERT_TRUE(client.until_ended());
  EXPECT_EQ(asked, 5);
  EXPECT_GT(client.received.size(), 40u << 20);
}

TEST(HttpServer, AnAnswerMayComeLater) {
  boost::asio::io_context io{1};
  std::vector<std::pair<std::string, HttpAnswer>> asked;
  auto server = std::make_unique<HttpServer>(
      io, "127.0.0.1:0",
      [&](const HttpRequest& request, HttpAnswer answer) {
        asked.emplace_back(request.path, std::move(answer));
        if (request.path == "/throw") throw std::runtime_error("oops");
      },
      HttpLimits{.answer_timeout = 10s, .sweep_interval = 5ms});
  ASSERT_TRUE(server->start());
  TestClient client(io, server->port()), other(io, server->port());
  client.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(run_until(io, [&] { return asked.size() == 1; }));
  other.send("GET /other HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(run_until(io, [&] { return asked.size() == 2; })) << "nobody waits for another";
  EXPECT_EQ(asked[1].first, "/other");
  const HttpAnswer first = asked[0].second;
  first({.body = "one"});
  ASSERT_TRUE(client.until_received("one"));
  ASSERT_TRUE(run_until(io, [&] { return asked.size() == 3; }));
  EXPECT_EQ(asked[2].first, "/2") << "in order";
  first({.body = "again"});  // Is to nobody.
  asked[2].second({.body = "two"});
  ASSERT_TRUE(client.until_received("two"));
  EXPECT_EQ(client.received.find("again"), std::string::npos);
  client.send("GET /throw HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(client.until_received("500 Internal Server Error"));
  asked[3].second({.body = "late"});

  other.close();
  asked[1].second({.body = "nobody hears it"});
  client.send("GET /last HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(run_until(io, [&] { return asked.size() == 5; }));
  EXPECT_EQ(client.received.find("late"), std::string::npos);
  server.reset();
  asked[4].second({.body = "nor this"});
}

TEST(HttpServer, WhoIsNeverAnsweredIsDropped) {
  boost::asio::io_context io{1};
  HttpServer server(io, "127.0.0.1:0", [](const HttpRequest&, const HttpAnswer&) {},
                    {.answer_timeout = 20ms, .sweep_interval = 5ms});
  ASSERT_TRUE(server.start());
  TestClient client(io, server.port());
  client.send("GET /1 HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(client.until_ended());
}

TEST(HttpServer, KeepsAConnectionForTheNextRequest) {
  HttpWorld world;
  TestClient client(world.io, world.server.port());
  for (const char* path : {"/one", "/two"}) {
    client.received.clear();
    client.send("GET " + std::string(path) + " HTTP/1.1\r\n\r\n");
    ASSERT_TRUE(client.until_received(path));
  }
}

TEST(HttpServer, SaysContinueToWhoWaitsForIt) {
  HttpWorld world;
  TestClient client(world.io, world.server.port());
  client.send("POST /c HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(client.until_received("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send("hi");
  ASSERT_TRUE(client.until_received("\"body\":\"hi\""));
}

TEST(HttpServer, SlowAndIdleAndUnreadingClientsAreDropped) {
  struct Row {
    const char* name;
    const char* sent;
  };
  const Row rows[] = {
      {"half a request", "GET / HT"},
      {"idle", "GET / HTTP/1.1\r\n\r\n"},
      {"nothing", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    HttpWorld world({.request_timeout = 50ms, .idle_timeout = 50ms, .sweep_interval = 5ms});
    TestClient client(world.io, world.server.port());
    client.send(row.sent);
    EXPECT_TRUE(client.until_ended());
  }
  HttpWorld world({.connections_max = 1, .write_timeout = 50ms, .sweep_interval = 5ms});
  TestClient unreading(world.io, world.server.port(), 4096);
  unreading.send("GET /large HTTP/1.1\r\n\r\n");
  // While it is there nobody else gets in; dropped, it makes room.
  EXPECT_TRUE(run_until(world.io, [&] {
    TestClient next(world.io, world.server.port());
    next.send("GET /next HTTP/1.1\r\nConnection: close\r\n\r\n");
    next.until_ended();
    return next.received.find("/next") != std::string::npos;
  }));
}

TEST(HttpServer, TooManyConnectionsAreClosed) {
  HttpWorld world({.connections_max = 2});
  TestClient one(world.io, world.server.port()), two(world.io, world.server.port());
  one.send("GET /1 HTTP/1.1\r\n\r\n");
  two.send("GET /2 HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(one.until_received("/1"));
  ASSERT_TRUE(two.until_received("/2"));
  TestClient three(world.io, world.server.port());
  EXPECT_TRUE(three.until_ended());
  one.send("GET /again HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(one.until_received("/again"));
}

TEST(HttpServer, StopsAndMayBeDestroyedWithClientsConnected) {
  auto world = std::make_unique<HttpWorld>();
  TestClient client(world->io, world->server.port());
  client.send("GET /1 HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(client.until_received("/1"));
  world->server.stop();
  EXPECT_TRUE(client.until_ended());
  client.close();
  world.reset();
}

TEST(HttpServer, SaysWhyItCannotListen) {
  HttpWorld world;
  HttpServer other(world.io, "127.0.0.1:" + std::to_string(world.server.port()),
                   at_once([](const HttpRequest&) { return HttpResponse{}; }));
  const auto started = other.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().find("another program listens there"), std::string::npos);
}

}  // namespace
}  // namespace muster::net
