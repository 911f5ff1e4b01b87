// A node with game servers that have an Agones SDK. What they say comes from the test, which may:
// an endpoint believes whoever reaches its port.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "agones/test_grpc_client.h"
#include "node/node_harness.h"
#include "proto/agones.pb.h"

namespace muster::node::test {
namespace {

using testing::HasSubstr;
namespace json = boost::json;

UniqueFd connect_to(std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval limit{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0) << port;
  return fd;
}

void write_all(const UniqueFd& fd, std::string_view bytes) {
  ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
}

/// What comes until it has `end` in it, or the connection ends.
std::string read_until(const UniqueFd& fd, std::string_view end) {
  std::string all;
  while (all.find(end) == std::string::npos) {
    char buffer[4096];
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) break;
    all.append(buffer, static_cast<std::size_t>(n));
  }
  return all;
}

/// gRPC over a socket.
class GrpcSocket {
 public:
  explicit GrpcSocket(std::uint16_t port) : fd_(connect_to(port)) {}
  agones::GrpcClient& client() { return client_; }
  /// Sends and receives until that holds.
  template <class F>
  bool until(F&& holds) {
    while (!holds()) {
      const std::string out = client_.take();
      if (!out.empty()) write_all(fd_, out);
      char buffer[65536];
      const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
      if (n <= 0) return false;
      client_.feed({buffer, static_cast<std::size_t>(n)});
    }
    return true;
  }
  std::string call(std::string_view path, const google::protobuf::Message& request) {
    const auto id = client_.call(path, request.SerializeAsString());
    until([&] { return client_.reply(id).closed; });
    return client_.reply(id).status();
  }

 private:
  UniqueFd fd_;
  agones::GrpcClient client_;
};

class AgonesServerTest : public NodeTest {
 protected:
  struct Server {
    pid_t pid = 0;
    std::uint16_t grpc = 0, http = 0;
  };

  wire::node::Launch agones_launch(const std::string& id, const std::string& script) {
    auto launch = shell(id, script);
    launch.set_sdk(wire::node::SDK_AGONES);
    launch.mutable_agones()->set_health_disabled(true);
    (*launch.mutable_agones()->mutable_counters())["rooms"].set_capacity(10);
    return launch;
  }
  Server launch(const std::string& id, std::function<void(wire::node::AgonesSettings&)> with = {}) {
    const std::string file = data_ / (id + ".env");
    auto asked = agones_launch(
        id,
        "printf '%s %s %s %s\\n' $AGONES_SDK_GRPC_PORT $AGONES_SDK_HTTP_PORT {sdk_grpc_port} "
        "{sdk_http_port} > " +
            file + ".new && mv " + file + ".new " + file + " && exec sleep 1000");
    if (with) with(*asked.mutable_agones());
    Server server;
    server.pid = lobby_.launch(asked);
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(file); }));
    std::uint16_t grpc_again = 0, http_again = 0;
    std::ifstream(file) >> server.grpc >> server.http >> grpc_again >> http_again;
    EXPECT_NE(server.grpc, 0);
    EXPECT_EQ(server.grpc, grpc_again);
    EXPECT_EQ(server.http, http_again);
    return server;
  }

  /// The next message, which is of that kind.
  FromNode next(FromNode::BodyCase kind) {
    const auto message = lobby_.next();
    if (!message) return {};
    EXPECT_EQ(message->body_case(), kind) << message->ShortDebugString();
    return *message;
  }

  /// "200 {...}"
  static std::string rest(std::uint16_t port, const std::string& verb, const std::string& path,
                          const std::string& body = {}) {
    const UniqueFd fd = connect_to(port);
    write_all(fd, verb + " " + path + " HTTP/1.1\r\nConnection: close\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string said = read_until(fd, "\n\n\n");
    if (said.size() < 12) return said;
    return said.substr(9, 3) +
           said.substr(std::min(said.find("\r\n\r\n") + 3, said.size())).replace(0, 1, " ");
  }
  static std::string state(std::uint16_t http) {
    const std::string said = rest(http, "GET", "/gameserver");
    return std::string(json::parse(said.substr(4)).at("status").at("state").as_string());
  }
  static std::string annotation(std::uint16_t http, const std::string& key) {
    const json::value server = json::parse(rest(http, "GET", "/gameserver").substr(4));
    const auto& all = server.at("object_meta").at("annotations").as_object();
    return all.contains(key) ? std::string(all.at(key).as_string()) : "-";
  }
  void end_match(const std::string& id, const std::string& match, const std::string& reason) {
    ToNode message;
    message.mutable_end_match()->set_server_id(id);
    message.mutable_end_match()->set_match_id(match);
    message.mutable_end_match()->set_reason(reason);
    lobby_.send(message);
  }
};

TEST_F(AgonesServerTest, ReadyMatchResultReady) {
  const Server server = launch("1.1");
  EXPECT_EQ(state(server.http), "Scheduled");
  EXPECT_EQ(rest(server.http, "POST", "/ready"), "200 {}");
  EXPECT_EQ(next(FromNode::kReady).ready().server_id(), "1.1");
  EXPECT_EQ(rest(server.http, "POST", "/ready"), "200 {}");  // Twice is once.

  lobby_.start_match("1.1", "9.1", {"1.1", "2.1"});
  EXPECT_TRUE(eventually([&] { return state(server.http) == "Allocated"; }));
  EXPECT_EQ(annotation(server.http, "muster.dev/players"), "1.1,2.1");
  rest(server.http, "PUT", "/metadata/annotation", R"({"key":"muster-result","value":"3:1"})");
  EXPECT_EQ(rest(server.http, "POST", "/ready"), "200 {}");
  const auto over = next(FromNode::kMatchOver).match_over();
  EXPECT_EQ(over.match_id(), "9.1");
  EXPECT_EQ(over.result(), "3:1");
  EXPECT_EQ(annotation(server.http, "muster.dev/match-id"), "-");

  lobby_.start_match("1.1", "9.2", {"1.1"});
  EXPECT_TRUE(eventually([&] { return state(server.http) == "Allocated"; }));
  ::kill(server.pid, SIGKILL);
  EXPECT_EQ(next(FromNode::kExited).exited().signal(), SIGKILL);
}

TEST_F(AgonesServerTest, AResultComesWithTheLastWord) {
  const Server one = launch("1.1"), two = launch("2.1");
  for (const Server& server : {one, two}) {
    rest(server.http, "POST", "/ready");
    next(FromNode::kReady);
  }
  lobby_.start_match("1.1", "9.1", {"1.1"});
  lobby_.start_match("2.1", "9.2", {"2.1"});
  for (const Server& server : {one, two}) {
    EXPECT_TRUE(eventually([&] { return state(server.http) == "Allocated"; }));
    rest(server.http, "PUT", "/metadata/annotation", R"({"key":"muster-result","value":"3:1"})");
  }
  rest(one.http, "POST", "/shutdown");
  EXPECT_EQ(next(FromNode::kShutdownRequested).shutdown_requested().result(), "3:1");
  EXPECT_EQ(state(one.http), "Shutdown");
  lobby_.stop("2.1", milliseconds{10'000});
  EXPECT_EQ(lobby_.next_exit().result(), "3:1");
}

TEST_F(AgonesServerTest, AllocateAndReserve) {
  const Server server = launch("1.1");
  rest(server.http, "POST", "/allocate");
  EXPECT_EQ(next(FromNode::kAllocated).allocated().server_id(), "1.1");
  rest(server.http, "POST", "/ready");
  next(FromNode::kReady);
  lobby_.start_match("1.1", "9.1", {"1.1"});
  EXPECT_TRUE(eventually([&] { return state(server.http) == "Allocated"; }));
  rest(server.http, "POST", "/reserve", R"({"seconds":"1"})");
  EXPECT_EQ(next(FromNode::kReserved).reserved().match_id(), "9.1");
  EXPECT_EQ(next(FromNode::kReady).ready().server_id(), "1.1") << "by itself, after a second";
  EXPECT_EQ(state(server.http), "Ready");
}

TEST_F(AgonesServerTest, TheLobbyEndsAMatchOrTheServer) {
  const Server server = launch("1.1");
  rest(server.http, "POST", "/ready");
  next(FromNode::kReady);
  lobby_.start_match("1.1", "9.1", {"1.1"});
  end_match("1.1", "8.1", "cancelled");
  end_match("1.1", "9.1", "timed_out");
  EXPECT_TRUE(
      eventually([&] { return annotation(server.http, "muster.dev/match-ended") == "timed_out"; }));
  rest(server.http, "POST", "/ready");
  next(FromNode::kReady);

  // Told before the signal comes.
  const UniqueFd watch = connect_to(server.http);
  write_all(watch, "GET /watch/gameserver HTTP/1.1\r\n\r\n");
  EXPECT_THAT(read_until(watch, "\n\r\n"), HasSubstr(R"("state":"Ready")"));
  lobby_.stop("1.1", milliseconds{10'000});
  EXPECT_THAT(read_until(watch, R"("Shutdown")"), HasSubstr(R"("state":"Shutdown")"));
  EXPECT_EQ(lobby_.next_exit().signal(), SIGTERM);
}

TEST_F(AgonesServerTest, ASilentServerIsUnhealthyAndOneThatPingsIsNot) {
  const auto watched = [](wire::node::AgonesSettings& settings) {
    settings.set_health_disabled(false);
    settings.set_health_period_ms(500);
    settings.set_health_failures_max(3);
  };
  const Server pings = launch("1.1", watched), silent = launch("2.1", watched);
  GrpcSocket socket(pings.grpc);
  const auto health = socket.client().open("/agones.dev.sdk.SDK/Health");
  const auto began = steady_clock::now();
  rest(pings.http, "POST", "/ready");
  next(FromNode::kReady);
  rest(silent.http, "POST", "/ready");
  next(FromNode::kReady);
  std::optional<FromNode> message;
  while (!message && steady_clock::now() < began + patience) {
    socket.client().write(health, agones::GrpcClient::framed(""));
    socket.call("/agones.dev.sdk.SDK/GetGameServer", wire::agones::Empty());  // And it is sent.
    message = lobby_.next(milliseconds{100});
  }
  ASSERT_TRUE(message && message->has_unhealthy());
  EXPECT_EQ(message->unhealthy().server_id(), "2.1");
  EXPECT_GE(steady_clock::now() - began, milliseconds{1500});
  EXPECT_EQ(state(silent.http), "Unhealthy");
  EXPECT_EQ(state(pings.http), "Ready");
  ::kill(silent.pid, SIGKILL);
  next(FromNode::kExited);
}

TEST_F(AgonesServerTest, StreamsStayOpenWhileTheLobbyRestarts) {
  const Server server = launch("1.1"), other = launch("2.1"), third = launch("3.1");
  GrpcSocket socket(server.grpc);
  const auto watch = socket.client().call("/agones.dev.sdk.SDK/WatchGameServer", "");
  EXPECT_TRUE(socket.until([&] { return !socket.client().reply(watch).messages().empty(); }));
  EXPECT_EQ(socket.call("/agones.dev.sdk.SDK/Ready", wire::agones::Empty()), "0");
  next(FromNode::kReady);
  rest(other.http, "POST", "/reserve", R"({"seconds":0})");
  next(FromNode::kReserved);
  rest(third.http, "POST", "/allocate");
  next(FromNode::kAllocated);

  lobby_.close();
  EXPECT_EQ(socket.call("/agones.dev.sdk.SDK/Allocate", wire::agones::Empty()), "0");
  lobby_ = TestLobby::connect(data_.path());
  const auto hello = lobby_.hello();
  ASSERT_EQ(hello.servers_size(), 3);
  EXPECT_TRUE(hello.servers(1).reserved());
  EXPECT_FALSE(hello.servers(1).ready());
  EXPECT_TRUE(hello.servers(2).allocated());
  EXPECT_TRUE(hello.servers(0).allocated());
  EXPECT_TRUE(lobby_.late.back().has_allocated());
  EXPECT_EQ(socket.call("/agones.dev.sdk.SDK/Ready", wire::agones::Empty()), "0");
  next(FromNode::kReady);
  lobby_.start_match("1.1", "9.1", {"1.1"});
  wire::agones::GameServer seen;
  EXPECT_TRUE(socket.until([&] {
    seen.ParseFromString(socket.client().reply(watch).messages().back());
    return seen.object_meta().labels().contains("muster.dev/match-id");
  }));
  EXPECT_EQ(seen.status().state(), "Allocated");
  EXPECT_FALSE(socket.client().reply(watch).closed);
}

TEST_F(AgonesServerTest, GarbageAndCrowdsCostOnlyTheirOwnConnections) {
  const Server server = launch("1.1");
  GrpcSocket socket(server.grpc);
  const auto watch = socket.client().call("/agones.dev.sdk.SDK/WatchGameServer", "");
  EXPECT_TRUE(socket.until([&] { return !socket.client().reply(watch).messages().empty(); }));
  std::vector<UniqueFd> crowd;
  for (int i = 0; i < 40; ++i) crowd.push_back(connect_to(i % 2 ? server.grpc : server.http));
  for (const std::uint16_t port : {server.grpc, server.http}) {
    const UniqueFd fd = connect_to(port);
    write_all(fd, std::string(100, '\xff') + "\r\n\r\n");
    read_until(fd, "never");
    char byte;
    EXPECT_LE(::recv(fd.get(), &byte, 1, 0), 0) << "it is closed";
  }
  EXPECT_EQ(rest(server.http, "POST", "/ready"), "200 {}");
  next(FromNode::kReady);
  EXPECT_EQ(socket.call("/agones.dev.sdk.SDK/GetGameServer", wire::agones::Empty()), "0");
  EXPECT_FALSE(socket.client().reply(watch).closed) << "who is listened to stays";
}

TEST_F(AgonesServerTest, FixedPortsServeWhoIsCalling) {
  const std::string script =
      "exec 3<>/dev/tcp/127.0.0.1/9358; printf 'POST /ready HTTP/1.1\\r\\nContent-Length: "
      "0\\r\\n\\r\\n' >&3; read -r answer <&3; echo \"$answer\"; exec sleep 1000";
  const auto launch = [&](const std::string& id) {
    auto asked = agones_launch(id, script);
    asked.mutable_agones()->set_fixed_ports(true);
    *asked.mutable_command(0) = "/bin/bash";
    // The ports are the machine's: another run of this test may have them for a moment.
    for (const auto deadline = steady_clock::now() + seconds{60};;) {
      wire::node::LaunchFailed failure;
      if (lobby_.launch(asked, &failure) != 0) return;
      ASSERT_THAT(failure.detail(), HasSubstr("fixed_ports")) << id;
      ASSERT_LT(steady_clock::now(), deadline);
      std::this_thread::sleep_for(milliseconds{50});
    }
  };
  launch("1.1");
  EXPECT_EQ(next(FromNode::kReady).ready().server_id(), "1.1");
  launch("2.1");
  EXPECT_EQ(next(FromNode::kReady).ready().server_id(), "2.1");
  const UniqueFd stranger = connect_to(9358);
  EXPECT_EQ(read_until(stranger, "\n"), "") << "a process that is no game server is closed";
}

TEST_F(AgonesServerTest, ItsStatusHasEveryPort) {
  auto asked = agones_launch("1.1", "exec sleep 1000 {sdk_http_port}");
  auto& query = *asked.add_ports();
  query.set_name("query");
  query.set_port(free_port());
  const pid_t pid = lobby_.launch(asked);
  ASSERT_GT(pid, 0);
  const std::string mark = "1000 ";
  std::string arguments;
  ASSERT_TRUE(eventually([&] {
    arguments = read_file(fmt::format("/proc/{}/cmdline", pid));
    std::ranges::replace(arguments, '\0', ' ');
    return arguments.find(mark) != std::string::npos;
  }));
  const auto http = std::stoi(arguments.substr(arguments.find(mark) + mark.size()));
  const std::string said = rest(static_cast<std::uint16_t>(http), "GET", "/gameserver");
  EXPECT_THAT(said, HasSubstr(fmt::format(
                        R"("ports":[{{"name":"default","port":{}}},{{"name":"query","port":{}}}])",
                        asked.port(), query.port())));
}

TEST_F(AgonesServerTest, ReadyWithoutItsPortIsNoted) {
  const Server server = launch("1.1");
  EXPECT_EQ(rest(server.http, "POST", "/ready"), "200 {}");
  next(FromNode::kReady);
  for (const auto deadline = steady_clock::now() + milliseconds{patience};
       lobby_.port_note.empty() && steady_clock::now() < deadline;)
    lobby_.next(milliseconds{50});
  EXPECT_THAT(lobby_.port_note, testing::StartsWith("it says Ready, but it listens on no port"));
}

TEST_F(AgonesServerTest, OnlyAgonesServersHaveItsEnvironment) {
  auto asked = shell("1.1", "exec sleep {sdk_http_port}");
  wire::node::LaunchFailed failure;
  EXPECT_EQ(lobby_.launch(asked, &failure), 0);
  EXPECT_THAT(failure.detail(), HasSubstr("there is no placeholder {sdk_http_port}"));
  auto variable = agones_launch("2.1", "exec sleep 1000");
  auto& ours = *variable.add_env();
  ours.set_name("AGONES_SDK_HTTP_PORT");
  ours.set_value("1");
  EXPECT_EQ(lobby_.launch(variable, &failure), 0);
  EXPECT_THAT(failure.detail(), HasSubstr("is set by Muster itself"));
}

}  // namespace
}  // namespace muster::node::test
