#include "bench/lobby.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "bench/sockets.h"

namespace muster::bench {
namespace {

std::uint16_t free_port() { return port_of(listen_on_loopback()); }

std::string contents(const std::string& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

Lobby::Lobby(const LobbyOptions& options) : muster_(options.muster), port_(free_port()) {
  const std::string data = folder_.path() + "/data";
  ::mkdir(data.c_str(), 0700);
  if (options.simulated > 0) node_ = std::make_unique<FakeNode>(data + "/node.sock");
  std::ofstream(folder_.path() + "/bench.toml") << configuration(options, free_port());
  start();

  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (connect_to_loopback(port_).get() < 0 ||
         (node_ && node_->servers_ready() < options.simulated)) {
    check_interrupted();
    if (!process_.running() || std::chrono::steady_clock::now() > deadline)
      throw std::runtime_error(fmt::format("{} serve did not get ready. Its log:\n{}",
                                           options.muster, contents(folder_.path() + "/log")));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

void Lobby::start() {
  process_ =
      run_program({muster_, "serve", folder_.path() + "/bench.toml"}, folder_.path() + "/log");
}

void Lobby::kill() { process_.kill(); }

std::string Lobby::configuration(const LobbyOptions& options, std::uint16_t admin) const {
  const bool simulated = options.simulated > 0;
  std::string arguments;
  for (const std::string& argument : options.arguments)
    arguments += fmt::format(", \"{}\"", argument);
  if (options.hold) arguments += ", \"--hold\"";
  return fmt::format(
      R"([lobby]
listen = "127.0.0.1:{port}"
admin = "127.0.0.1:{admin}"
data = "data"
host = "127.0.0.1"
resume_grace = "1h"

[journal]
enabled = {journal}

[limits]
sessions_max = {sessions}
players_max = 200000
messages_per_second = 10000
ping_interval = "{ping}s"
silence_timeout = "{silence}s"

[[fleet]]
name = "bench"
command = ["{command}"{arguments}]
fork = {fork}
ports = "20000-29999"
ready_min = {ready}
servers_max = {servers_max}
after_match = "{after}"

[[queue]]
name = "bench"
fleet = "bench"
players = {players}

[[queue]]
name = "alone"
fleet = "bench"
ticket_timeout = "1h"
[[queue.rule]]
attribute = "number"
is = "distance"
limit = 0
)",
      fmt::arg("port", port_), fmt::arg("journal", options.journal),
      fmt::arg("sessions", options.sessions_max), fmt::arg("admin", admin),
      fmt::arg("ping", options.ping_seconds), fmt::arg("silence", 3 * options.ping_seconds),
      fmt::arg("command", simulated ? "/bin/true" : options.game_server),
      fmt::arg("arguments", arguments), fmt::arg("fork", options.fork),
      fmt::arg("ready", simulated ? options.simulated : options.ready_min),
      fmt::arg("servers_max", simulated ? options.simulated : options.servers_max),
      fmt::arg("players", options.players), fmt::arg("after", options.reuse ? "reuse" : "exit"));
}

}  // namespace muster::bench
