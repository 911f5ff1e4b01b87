#include "agones/grpc_connection.h"

#include <gtest/gtest.h>

#include "agones/test_grpc_client.h"
#include "agones/test_host.h"
#include "proto/agones.pb.h"

namespace muster::agones {
namespace {

class Grpc : public testing::Test {
 protected:
  /// Bytes to and fro until both are quiet. `step`: how many at a time.
  void exchange(std::size_t step = 1 << 16) {
    for (;;) {
      const std::string to_server = client_.take();
      for (std::size_t at = 0; at < to_server.size(); at += step) {
        const auto part = std::string_view(to_server).substr(at, step);
        server_.feed({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()});
      }
      std::string to_client;
      server_.produce(to_client, 1 << 16);
      if (to_server.empty() && to_client.empty()) return;
      client_.feed(to_client);
    }
  }
  void tell_watchers() {
    server_.changed();
    exchange();
  }

  TestHost host_;
  GrpcConnection server_{host_};
  GrpcClient client_;
};

TEST_F(Grpc, UnaryCallsHoweverTheBytesAreCut) {
  for (const std::size_t step : {1, 3, 1000}) {
    const auto ready = client_.call("/agones.dev.sdk.SDK/Ready", "");
    const auto get = client_.call("/agones.dev.sdk.SDK/GetGameServer", "");
    exchange(step);
    EXPECT_EQ(client_.reply(ready).status(), "0");
    EXPECT_EQ(client_.reply(ready).messages(), std::vector<std::string>{""});
    EXPECT_TRUE(client_.reply(ready).closed);
    ASSERT_EQ(client_.reply(get).messages().size(), 1u);
    wire::agones::GameServer server;
    EXPECT_TRUE(server.ParseFromString(client_.reply(get).messages()[0]));
    EXPECT_EQ(server.status().state(), "Ready");
  }
}

TEST_F(Grpc, EveryCallIsThere) {
  for (int i = 0; i <= static_cast<int>(Method::get_connected_players); ++i) {
    const auto method = static_cast<Method>(i);
    TestHost host;
    const std::unique_ptr<Message> request(request_of(method).New());
    const std::unique_ptr<Message> reply(reply_of(method).New());
    EXPECT_NE(agones::call(host.record, method, *request, *reply, host.now).code,
              Code::unimplemented);
  }
}

TEST_F(Grpc, RefusalsHaveCodeAndMessage) {
  struct Row {
    const char* name;
    std::string path, body;
    const char* status;
    const char* message;
  };
  wire::agones::GetCounterRequest counter;
  counter.set_name("dörs");
  const std::string head(1, '\0');
  const Row rows[] = {
      {"not found", "/agones.dev.sdk.beta.SDK/GetCounter",
       GrpcClient::framed(counter.SerializeAsString()), "5",
       "there is no counter \"d%C3%B6rs\": counters are declared in the fleet's configuration"},
      {"no such call", "/agones.dev.sdk.SDK/Dance", GrpcClient::framed(""), "12",
       "there is no call /agones.dev.sdk.SDK/Dance"},
      {"no message", "/agones.dev.sdk.SDK/Ready", "", "3", "the request has no message"},
      {"two messages", "/agones.dev.sdk.SDK/Ready", GrpcClient::framed("") + GrpcClient::framed(""),
       "3", "this call has one request message"},
      {"half a message", "/agones.dev.sdk.SDK/Ready", GrpcClient::framed("abc").substr(0, 6), "3",
       "the request ends within a message"},
      {"malformed", "/agones.dev.sdk.SDK/Reserve", GrpcClient::framed("\x0a"), "3",
       "the message is malformed"},
      {"compressed", "/agones.dev.sdk.SDK/Ready", '\1' + GrpcClient::framed("").substr(1), "12",
       "messages must not be compressed"},
      {"too large", "/agones.dev.sdk.SDK/Ready", std::string("\0\x7f\0\0\0", 5), "8",
       "a message may have at most 512 KiB"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto id = client_.open(row.path);
    client_.write(id, row.body);
    client_.end(id);
    exchange();
    EXPECT_EQ(client_.reply(id).status(), row.status);
    EXPECT_EQ(client_.reply(id).headers.at("grpc-message"), row.message);
    EXPECT_TRUE(client_.reply(id).closed);
    const auto after = client_.call("/agones.dev.sdk.SDK/Ready", "");
    exchange();
    EXPECT_EQ(client_.reply(after).status(), "0") << "the others notice nothing";
  }
}

TEST_F(Grpc, WhatIsNoGrpcIsRefusedAsHttp) {
  const auto html = client_.open("/agones.dev.sdk.SDK/Ready", "text/html");
  const auto get = client_.open("/agones.dev.sdk.SDK/Ready", "application/grpc", "GET");
  exchange();
  EXPECT_EQ(client_.reply(html).headers.at(":status"), "415");
  EXPECT_EQ(client_.reply(get).headers.at(":status"), "405");
}

TEST_F(Grpc, HealthIsAnsweredWhenItsStreamEnds) {
  const auto id = client_.open("/agones.dev.sdk.SDK/Health");
  for (int i = 0; i < 5; ++i) {
    client_.write(id, GrpcClient::framed(""));
    exchange();
  }
  EXPECT_EQ(host_.calls, 5);
  EXPECT_EQ(client_.reply(id).headers.size(), 0u);
  EXPECT_FALSE(client_.reply(id).closed);
  client_.end(id);
  exchange();
  EXPECT_EQ(client_.reply(id).status(), "0");
  EXPECT_EQ(client_.reply(id).messages(), std::vector<std::string>{""});
}

TEST_F(Grpc, WatchTellsTheFirstAtOnceAndThenEachChange) {
  const auto id = client_.call("/agones.dev.sdk.SDK/WatchGameServer", "");
  exchange();
  EXPECT_EQ(client_.reply(id).messages().size(), 1u);
  EXPECT_TRUE(server_.streaming());
  host_.record.ready(host_.now);
  tell_watchers();
  const auto messages = client_.reply(id).messages();
  ASSERT_EQ(messages.size(), 2u);
  wire::agones::GameServer server;
  EXPECT_TRUE(server.ParseFromString(messages[1]));
  EXPECT_EQ(server.status().state(), "Ready");
  EXPECT_FALSE(client_.reply(id).closed);
  client_.reset(id);
  exchange();
  EXPECT_FALSE(server_.streaming());
  tell_watchers();
}

TEST_F(Grpc, AWatcherThatDoesNotReadCostsABoundedBuffer) {
  const auto id = client_.call("/agones.dev.sdk.SDK/WatchGameServer", "");
  exchange();
  host_.record.set_annotation("big", std::string(50 << 10, 'x'));
  for (int i = 0; i < 1000; ++i) {
    host_.record.set_label("n", std::to_string(i));
    server_.changed();
    std::string out;
    server_.produce(out, 1);  // The socket takes hardly anything.
    if (!out.empty()) client_.feed(out);
  }
  exchange();
  const auto messages = client_.reply(id).messages();
  EXPECT_LT(messages.size(), 30u) << "those between were merged";
  wire::agones::GameServer last;
  EXPECT_TRUE(last.ParseFromString(messages.back()));
  EXPECT_EQ(last.object_meta().labels().at("agones.dev/sdk-n"), "999") << "the newest is told";
}

TEST_F(Grpc, PingsAreAnsweredHoweverMany) {
  for (int i = 0; i < 2000; ++i) {
    client_.ping();
    exchange();
  }
  EXPECT_EQ(client_.pings_answered(), 2000);
  EXPECT_FALSE(client_.told_to_go());
}

TEST_F(Grpc, GarbageEndsTheConnection) {
  for (const std::string_view garbage :
       {"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnot a frame at all, is it?"}) {
    GrpcConnection server(host_);
    server.feed({reinterpret_cast<const std::uint8_t*>(garbage.data()), garbage.size()});
    std::string out;
    server.produce(out, 1 << 16);
    EXPECT_FALSE(server.open());
  }
}

TEST_F(Grpc, MoreStreamsThanAllowedAreRefused) {
  exchange();
  std::vector<std::int32_t> ids;
  for (std::uint32_t i = 0; i < GrpcConnection::streams_max + 8; ++i)
    ids.push_back(client_.open("/agones.dev.sdk.SDK/Health"));
  exchange();
  for (std::size_t i = 0; i < GrpcConnection::streams_max; ++i)
    client_.write(ids[i], GrpcClient::framed(""));
  exchange();
  EXPECT_EQ(host_.calls, static_cast<int>(GrpcConnection::streams_max));
}

TEST_F(Grpc, UnfinishedRequestsCostABoundedBuffer) {
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 8; ++i) {
    ids.push_back(client_.open("/agones.dev.sdk.SDK/SetAnnotation"));
    client_.write(ids.back(), GrpcClient::framed(std::string(500 << 10, 'x')).substr(0, 400 << 10));
    exchange();
  }
  int refused = 0;
  for (const auto id : ids) refused += client_.reply(id).status() == "8";
  EXPECT_GE(refused, 5) << "1 MiB together";
  EXPECT_LT(refused, 8);
}

}  // namespace
}  // namespace muster::agones
