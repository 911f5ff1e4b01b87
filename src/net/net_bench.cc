#include <benchmark/benchmark.h>
#include <malloc.h>

#include <memory>
#include <vector>

#include "net/net.h"
#include "net/test_world.h"

namespace muster::net {
namespace {

const std::string hello = R"({"request":1,"hello":{"guest":{"name":"ann"}}})";

// Not a time: the counter says how many bytes of user memory one idle, welcomed session takes, with
// asio's share. The kernel's is not in it.
void idle_session_bytes_bench(benchmark::State& state) {
  const bool websocket = state.range(0);
  constexpr int sessions = 2000;
  double bytes = 0;
  for (auto _ : state) {
    TestWorld world;
    world.welcome_all();
    std::vector<std::unique_ptr<TestClient>> clients;
    clients.reserve(sessions);
    const auto connect = [&] {
      clients.push_back(std::make_unique<TestClient>(world.io, world.net.port()));
      clients.back()->send(websocket ? ws_request() + ws_text(hello) : "MUST" + native(hello));
      world.until([&] { return world.events.size() == 2; });
      world.events.clear();
    };
    for (int i = 0; i < 64; ++i) connect();  // What is there for all comes first.
    const auto before = ::mallinfo2().uordblks;
    for (int i = 64; i < sessions; ++i) connect();
    const auto after = ::mallinfo2().uordblks;
    bytes = static_cast<double>(after - before) / (sessions - 64) - sizeof(TestClient) - 16;
  }
  state.counters["bytes"] = bytes;
}
BENCHMARK(idle_session_bytes_bench)->Arg(0)->Arg(1)->Iterations(1);

// One client, one message there and back, through the kernel, both ends on this thread.
void ping_bench(benchmark::State& state) {
  NetOptions options = test_options();
  options.messages_per_second = 1'000'000'000;
  options.messages_burst = 1'000'000;
  TestWorld world(options);
  TestClient client(world.io, world.net.port());
  client.send("MUST");
  const std::string ping = native(R"({"ping":{"number":"1"}})");
  for (auto _ : state) {
    client.received.clear();
    client.send(ping);
    while (client.received.empty()) {
      world.io.restart();
      world.io.poll();
      client.receive();
    }
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ping_bench);

}  // namespace
}  // namespace muster::net
