#pragma once
// What the node knows about one game server it runs.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/child.h"
#include "node/connection.h"
#include "node/launch_contract.h"
#include "proto/node.pb.h"

namespace muster::node {

class AgonesEndpoint;

class PlainServer;

/// What the node's record has of a match, to know when it has to be told more.
struct MatchOnRecord {
  std::string match_id;
  std::uint64_t started_ms = 0;
  int players = -1;
};

struct GameServer : Child {
  GameServer(boost::asio::io_context& io, std::string launch_token, ServerLog output_log)
      : Child(io, std::move(launch_token), std::move(output_log)),
        health_timer(io.get_executor()) {}

  std::string id;  // The lobby's: "41.3".
  std::string fleet;
  std::uint16_t port = 0;
  wire::node::Protocol protocol = wire::node::PROTOCOL_BOTH;
  bool port_looked_at = false;          // After it said that it is Ready.
  std::vector<wire::node::Port> ports;  // Beside the main one.
  LaunchContext context;                // For what is filled in later.
  std::uint32_t version = 0;            // Of its launch; for the lobby.
  std::chrono::milliseconds health_timeout{0};
  std::string port_conflict;    // Ended before it was Ready, and somebody else has its port.
  std::uint64_t forked_by = 0;  // ForkParent::id(); 0: launched plainly.

  // What its SDK said: sdk_server's.
  std::shared_ptr<Connection> sdk;
  Timer health_timer;
  std::chrono::steady_clock::time_point last_heard;
  bool ready = false;
  bool was_ready = false;  // At some time.
  bool unhealthy = false;
  bool shutdown_requested = false;
  std::optional<wire::game_server::MatchStarted> match;
  bool match_ended_by_lobby = false;  // It may still say Ready or MatchOver.
  // Without an SDK: what is seen of it instead.
  std::shared_ptr<PlainServer> plain;
  std::uint32_t players = 0;

  // sdk agones: its endpoint, and what it said there.
  std::shared_ptr<AgonesEndpoint> agones;
  bool agones_fixed_ports = false;
  bool reserved = false;
  bool allocated = false;  // By itself, without a match.

  // What the node's record has already: server_record's.
  MatchOnRecord match_on_record;
  std::uint64_t agones_on_record = 0;

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
    for (const wire::node::Port& named : ports) *entry.add_ports() = named;
    entry.set_players(players);
    entry.set_version(version);
    entry.set_forked(forked_by != 0);
    if (match && !match_ended_by_lobby) entry.set_match_id(match->match_id());
    return entry;
  }
};

}  // namespace muster::node
