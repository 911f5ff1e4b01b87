#pragma once
// The floor: the least a lobby can be. One epoll loop in a process of its own that takes the
// players' frames, pairs those who press, and sends the frames of a Transcript. It decodes, checks
// and remembers nothing else.

#include <cstdint>
#include <string>

#include "bench/player_messages.h"
#include "bench/process.h"
#include "bench/sockets.h"

namespace muster::bench {

/// The least possible clone and exec: no fork, since the child borrows this process's memory until
/// it is another program; no environment, no closing of descriptors (all are close-on-exec), no
/// log, no watching. `program` binds and listens on `port`, and registers on `register_port`.
pid_t launch_static_program(const std::string& program, std::uint16_t port,
                            std::uint16_t register_port);

struct FloorOptions {
  Transcript transcript;
  // Empty: the players are told at once. Else each match first launches this static program with
  // the least possible clone and exec, and waits for it to bind, listen, connect and register.
  std::string game_server;
  std::uint16_t game_port_first = 21000;
  // Zero, or every connection gets a ping so often and answers it.
  std::chrono::milliseconds ping_interval{0};
};

class FloorLobby {
 public:
  explicit FloorLobby(const FloorOptions& options);
  std::uint16_t port() const { return port_; }
  pid_t pid() const { return process_.pid(); }

 private:
  std::uint16_t port_ = 0;
  Child process_;
};

}  // namespace muster::bench
