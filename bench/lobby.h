#pragma once
// The product under test: `muster serve` on free loopback ports with a configuration made here, in
// a folder of its own that goes when it does.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/fake_node.h"
#include "bench/process.h"

namespace muster::bench {

struct LobbyOptions {
  std::string muster;                               // The executable.
  std::string game_server;                          // bench_server, for a fleet of real processes.
  std::vector<std::string> arguments = {"{port}"};  // Its own.
  bool fork = false;                                // Whether they are copies of a fork parent.
  std::uint32_t simulated = 0;      // Not 0: so many servers on a FakeNode, all Ready, instead.
  std::uint32_t ready_min = 0;      // Of real ones.
  std::uint32_t servers_max = 64;   // The same.
  bool hold = false;                // Their matches go on until they are stopped.
  std::uint32_t players = 2;        // Of a match.
  bool reuse = true;                // after_match
  std::uint32_t ping_seconds = 20;  // ping_interval; silence_timeout is three of them.
  bool journal = true;
  std::uint32_t sessions_max = 100'000;
};

class Lobby {
 public:
  /// Returns once it listens (and simulated servers are Ready). Throws with its log if it does not.
  explicit Lobby(const LobbyOptions& options);

  std::uint16_t port() const { return port_; }
  pid_t pid() const { return process_.pid(); }
  FakeNode& node() { return *node_; }

  /// kill -9: nothing of it is left but its data.
  void kill();
  /// Another, on the same data; returns at once.
  void start();

 private:
  std::string configuration(const LobbyOptions& options, std::uint16_t admin) const;

  std::string muster_;
  TempFolder folder_;
  std::uint16_t port_ = 0;
  std::unique_ptr<FakeNode> node_;
  Child process_;  // Last, so first to go.
};

}  // namespace muster::bench
