// What an Agones endpoint costs: memory of one server whose SDK holds its Health and its Watch
// stream open, and the time of a unary call beside a bare epoll echo of as many bytes.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <thread>
#include <vector>

#include "agones/test_grpc_client.h"
#include "base/check.h"
#include "node/agones_endpoint.h"
#include "node/unique_fd.h"

namespace muster::node {
namespace {

agones::Settings settings() {
  agones::Settings settings{.name = "duel-1.1", .uid = "1.1", .fleet = "duel"};
  settings.address = "127.0.0.1";
  settings.ports = {{"default", 7000}};
  settings.counters["rooms"] = {1, 10};
  settings.lists["players"] = {100, {}};
  return settings;
}

UniqueFd connect_to(std::uint16_t port) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  to.sin_port = htons(port);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0, "it listens");
  const int yes = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return fd;
}

void write_all(int fd, std::string_view bytes) {
  CHECK(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()),
        "small messages go at once");
}

/// Heap, of endpoint, listeners, connection and streams; the peers' part is a descriptor each.
void memory_per_server_bench(benchmark::State& state) {
  agones::GrpcClient client;
  const auto health = client.open("/agones.dev.sdk.SDK/Health");
  client.write(health, agones::GrpcClient::framed(""));
  client.call("/agones.dev.sdk.SDK/WatchGameServer", "");
  const std::string opening = client.take();

  boost::asio::io_context io{1};
  std::vector<std::shared_ptr<AgonesEndpoint>> servers;
  std::vector<UniqueFd> peers;
  servers.reserve(static_cast<std::size_t>(state.range(0)) + 1);
  const auto add = [&] {
    servers.push_back(*AgonesEndpoint::listen(io, settings()));
    peers.push_back(connect_to(servers.back()->ports().grpc));
    write_all(peers.back().get(), opening);
    while (io.poll() > 0) io.restart();
    io.restart();
  };
  add();  // What all share.
  const auto before = ::mallinfo2().uordblks;
  for (auto _ : state)
    for (int i = 0; i < state.range(0); ++i) add();
  const auto bytes = ::mallinfo2().uordblks - before;
  for (std::size_t i = 0; i < servers.size(); ++i) {
    char buffer[65536];
    const ssize_t n = ::recv(peers[i].get(), buffer, sizeof buffer, MSG_DONTWAIT);
    CHECK(n > 0 && std::string_view(buffer, static_cast<std::size_t>(n)).find("Scheduled") !=
                       std::string_view::npos,
          "each watches");
  }
  state.counters["bytes_per_server"] =
      static_cast<double>(bytes) / static_cast<double>(state.range(0));
  for (const auto& server : servers) server->close();
  io.poll();
}
BENCHMARK(memory_per_server_bench)->Arg(500)->Iterations(1)->Unit(benchmark::kMillisecond);

struct Exchange {
  std::string request, reply;
};

/// One call; what it sent and got.
Exchange call(int fd, agones::GrpcClient& client) {
  const auto id = client.call("/agones.dev.sdk.SDK/SetLabel", "\x0a\x01k\x12\x01v");
  Exchange exchange;
  while (!client.reply(id).closed) {
    const std::string out = client.take();
    if (!out.empty()) write_all(fd, out);
    exchange.request += out;
    char buffer[4096];
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    CHECK(n > 0, "the node answers");
    client.feed({buffer, static_cast<std::size_t>(n)});
    exchange.reply.append(buffer, static_cast<std::size_t>(n));
  }
  CHECK(client.reply(id).status() == "0", "it is accepted");
  return exchange;
}

void unary_call_bench(benchmark::State& state) {
  boost::asio::io_context io{1};
  const auto server = *AgonesEndpoint::listen(io, settings());
  const UniqueFd fd = connect_to(server->ports().grpc);
  auto work = boost::asio::make_work_guard(io);
  std::thread node([&] { io.run(); });
  {
    agones::GrpcClient client;
    for (int i = 0; i < 10; ++i) call(fd.get(), client);
    for (auto _ : state) call(fd.get(), client);
  }
  boost::asio::post(io, [&] { server->close(); });
  work.reset();
  io.stop();
  node.join();
}
BENCHMARK(unary_call_bench)->UseRealTime()->Unit(benchmark::kMicrosecond);

/// The floor: as many bytes to and fro, by epoll, nobody looking at them.
void bare_echo_bench(benchmark::State& state) {
  Exchange exchange;
  {
    boost::asio::io_context io{1};
    const auto server = *AgonesEndpoint::listen(io, settings());
    const UniqueFd fd = connect_to(server->ports().grpc);
    auto work = boost::asio::make_work_guard(io);
    std::thread node([&] { io.run(); });
    agones::GrpcClient client;
    for (int i = 0; i < 10; ++i) exchange = call(fd.get(), client);
    work.reset();
    io.stop();
    node.join();
  }
  int ends[2];
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  socklen_t size = sizeof at;
  CHECK(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 &&
            ::listen(listener.get(), 1) == 0 &&
            ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0,
        "a port is free");
  const UniqueFd client = connect_to(ntohs(at.sin_port));
  ends[0] = client.get();
  const UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ends[1] = accepted.get();
  const int yes = 1;
  ::setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  std::thread echo([&] {
    const UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{.events = EPOLLIN, .data = {.fd = ends[1]}};
    ::epoll_ctl(poll.get(), EPOLL_CTL_ADD, ends[1], &event);
    char buffer[4096];
    while (::epoll_wait(poll.get(), &event, 1, -1) == 1) {
      if (::recv(ends[1], buffer, sizeof buffer, 0) <= 0) return;
      write_all(ends[1], exchange.reply);
    }
  });
  char buffer[4096];
  for (auto _ : state) {
    write_all(ends[0], exchange.request);
    for (std::size_t got = 0; got < exchange.reply.size();)
      got += static_cast<std::size_t>(::recv(ends[0], buffer, sizeof buffer, 0));
  }
  state.counters["bytes_out"] = static_cast<double>(exchange.request.size());
  state.counters["bytes_back"] = static_cast<double>(exchange.reply.size());
  ::shutdown(ends[0], SHUT_RDWR);
  echo.join();
}
BENCHMARK(bare_echo_bench)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace muster::node
