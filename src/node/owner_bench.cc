// Whose is a connection: the whole answer, for a process with a given number of descriptors and of
// descendants before the one that has it open.
#include <arpa/inet.h>
#include <benchmark/benchmark.h>
#include <signal.h>
#include <sys/socket.h>

#include <string>

#include "base/check.h"
#include "node/owner.h"

namespace muster::node {
namespace {

void verify_owner_bench(benchmark::State& state) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  CHECK(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) == 0, "any port");
  CHECK(::listen(listener.get(), 1) == 0, "it is bound");
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  const std::string port = std::to_string(ntohs(address.sin_port));

  std::string script = "for ((i = 10; i < 10 + " + std::to_string(state.range(0)) +
                       "; i++)); do eval \"exec $i</dev/null\"; done; ";
  std::string connect = "exec 3<>/dev/tcp/127.0.0.1/" + port + "; exec sleep 1000";
  for (std::int64_t depth = 0; depth < state.range(1); ++depth)
    connect = "( " + connect + " ) & wait";
  auto process =
      start_process({"/bin/bash", {"bash", "-c", script + connect}, {"PATH=/usr/bin:/bin"}, "", 0});
  CHECK(process, "bash is installed");
  size = sizeof address;
  const UniqueFd accepted(::accept(listener.get(), reinterpret_cast<sockaddr*>(&address), &size));
  CHECK(accepted, "it connects");
  const ConnectionAddresses connection{"127.0.0.1", ntohs(address.sin_port), "127.0.0.1",
                                       static_cast<std::uint16_t>(std::stoi(port))};
  OwnerFinder finder;
  for (auto _ : state) {
    const auto owned = finder.verify(connection, *process);
    CHECK(owned, "it is its own");
  }
  state.SetItemsProcessed(state.iterations());  // Answers.
  signal_group(*process, SIGKILL);
  reap(*process);
}
BENCHMARK(verify_owner_bench)
    ->ArgNames({"descriptors", "depth"})
    ->Args({10, 0})
    ->Args({10, 1})
    ->Args({100, 0})
    ->Args({1000, 0});

}  // namespace
}  // namespace muster::node
