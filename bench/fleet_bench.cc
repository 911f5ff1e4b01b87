#include <sys/socket.h>
#include <sys/wait.h>

#include <optional>

#include "bench/benchmarks.h"
#include "bench/floor_lobby.h"
#include "bench/lobby.h"
#include "bench/players.h"
#include "bench/stats.h"

namespace muster::bench {
namespace {

constexpr std::uint32_t servers_at_once = 200;

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

/// Each player needs a game server: until all have one, launched for them, that is Ready.
double launch_by_product(const BenchOptions& options, std::uint32_t count) {
  LobbyOptions lobby_options{.muster = options.muster, .game_server = options.game_server};
  lobby_options.players = 1;
  lobby_options.servers_max = count;
  lobby_options.hold = true;
  Lobby lobby(lobby_options);
  Players players(lobby.port(), Dialect::native, count);
  wait_until_idle(lobby.pid());
  const auto pressed = Clock::now();
  for (std::uint32_t i = 0; i < count; ++i) players.press(i);
  players.wait_until("assignments", [&] { return players.all().assignments >= count; });
  return Milliseconds(Clock::now() - pressed).count();
}

/// A bare loop that launches the same program so often, and waits until each has registered.
double launch_by_floor(const BenchOptions& options, std::uint32_t count) {
  constexpr std::uint16_t port_first = 21000;
  const Fd listening = listen_on_loopback();
  Epoll epoll;
  epoll.add(listening.get(), 0);
  std::vector<pid_t> launched;
  std::vector<Fd> connected;
  const auto begun = Clock::now();
  for (std::uint32_t i = 0; i < count; ++i)
    launched.push_back(launch_static_program(
        options.game_server, static_cast<std::uint16_t>(port_first + i), port_of(listening)));
  std::uint32_t registered = 0;
  const auto readable = [&](std::uint64_t tag) {
    if (tag != 0) {
      char packet[4];
      if (::recv(static_cast<int>(tag), packet, sizeof packet, 0) == sizeof packet) ++registered;
      return;
    }
    for (Fd fd = accept_from(listening); fd.get() >= 0; fd = accept_from(listening)) {
      epoll.add(fd.get(), static_cast<std::uint64_t>(fd.get()));
      connected.push_back(std::move(fd));
    }
  };
  while (registered < count) {
    check_interrupted();
    epoll.wait(std::chrono::milliseconds(100), readable);
  }
  const double took = Milliseconds(Clock::now() - begun).count();
  connected.clear();  // Which ends them.
  for (const pid_t pid : launched) ::waitpid(pid, nullptr, 0);
  return took;
}

}  // namespace

std::vector<Row> bench_fleet(const BenchOptions& options) {
  const std::uint32_t count = options.quick ? servers_at_once / 4 : servers_at_once;
  const int rounds = options.quick ? 3 : 7;
  std::vector<double> product, floor;
  for (int i = 0; i < rounds; ++i) {
    floor.push_back(launch_by_floor(options, count));
    if (!options.muster.empty()) product.push_back(launch_by_product(options, count));
  }
  return {{std::to_string(count) + " launched at once, all Ready", "ms",
           product.empty() ? std::nullopt : std::optional(median(product)), median(floor),
           "ratio 1.2"}};
}

}  // namespace muster::bench
