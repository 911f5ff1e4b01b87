#pragma once
// What the node knows about one game server it runs.

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "node/cgroup.h"
#include "node/connection.h"
#include "node/log.h"
#include "node/output_rate.h"
#include "node/process_posix.h"
#include "proto/node.pb.h"

namespace muster::node {

using Executor = boost::asio::io_context::executor_type;
using Timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

class AgonesEndpoint;

struct GameServer {
  GameServer(boost::asio::io_context& io, ServerLog output_log)
      : exit_watch(io.get_executor()),
        output(io.get_executor()),
        output_timer(io.get_executor()),
        process_timer(io.get_executor()),
        log(std::move(output_log)),
        health_timer(io.get_executor()) {}
  ~GameServer() {
    if (exit_watch.is_open()) exit_watch.release();  // `process` owns it.
  }

  std::string id;  // The lobby's: "41.3".
  std::string fleet;
  std::string token;  // MUSTER_TOKEN
  std::uint16_t port = 0;
  std::uint32_t version = 0;  // Of its launch; for the lobby.
  std::chrono::milliseconds health_timeout{0};

  // The process: supervisor's.
  Process process;
  Descriptor exit_watch;
  Descriptor output;
  Timer output_timer;  // To the next read, while it prints more than is kept.
  OutputRate output_rate{std::chrono::steady_clock::now()};
  Timer process_timer;  // To SIGKILL; after its end, to the next look for what it left behind.
  ServerLog log;
  bool stopping = false;
  std::optional<ExitStatus> exit;
  std::string port_conflict;  // Ended before it was Ready, and somebody else has its port.
  std::chrono::steady_clock::time_point exited_at;
  Cgroup cgroup;                       // Empty unless its limits need one.
  std::uint64_t memory_bytes_max = 0;  // Of that; 0: no limit.

  // What its SDK said: sdk_server's.
  std::shared_ptr<Connection> sdk;
  Timer health_timer;
  std::chrono::steady_clock::time_point last_heard;
  bool ready = false;
  bool unhealthy = false;
  bool shutdown_requested = false;
  std::optional<wire::game_server::MatchStarted> match;
  bool match_ended_by_lobby = false;  // It may still say Ready or MatchOver.

  // sdk agones: its endpoint, and what it said there.
  std::shared_ptr<AgonesEndpoint> agones;
  bool agones_fixed_ports = false;
  bool reserved = false;
  bool allocated = false;  // By itself, without a match.

  // What the lobby has not been told yet, while there is none: lobby_link's.
  wire::node::Server as_lobby_knows;
  std::deque<wire::node::FromNode> untold;

  /// For NodeHello.
  wire::node::Server inventory_entry() const {
    wire::node::Server entry;
    entry.set_server_id(id);
    entry.set_fleet(fleet);
    entry.set_port(port);
    entry.set_pid(static_cast<std::uint32_t>(process.pid));
    entry.set_ready(ready);
    entry.set_reserved(reserved);
    entry.set_allocated(allocated);
    entry.set_version(version);
    if (match && !match_ended_by_lobby) entry.set_match_id(match->match_id());
    return entry;
  }
};

}  // namespace muster::node
