#pragma once
// The Agones SDK API for the node's game servers: an endpoint for each with sdk agones, what they
// say there told to the lobby, what the lobby says put where they see it. For engines that look at
// no environment, also the ports that Agones itself has.

#include <boost/asio/io_context.hpp>
#include <expected>
#include <functional>
#include <memory>
#include <string>

#include "node/agones_endpoint.h"
#include "node/loopback_listener.h"
#include "node/owner.h"
#include "node/supervisor.h"

namespace muster::node {

/// Single-threaded.
class AgonesServer {
 public:
  static constexpr std::uint16_t fixed_grpc_port = 9357;
  static constexpr std::uint16_t fixed_http_port = 9358;

  /// What a game server said that the lobby should know.
  using Report = std::function<void(GameServer&, wire::node::FromNode&&)>;

  AgonesServer(boost::asio::io_context& io, Supervisor& servers, OwnerFinder& owners,
               NodeRecord& record, Report report);

  /// For a server that is about to be launched. None if it has no Agones SDK.
  std::expected<std::shared_ptr<AgonesEndpoint>, LaunchFailure> open(
      const wire::node::Launch& launch);
  /// It has been launched.
  void attach(GameServer& server, const wire::node::Launch& launch,
              std::shared_ptr<AgonesEndpoint> endpoint);
  /// Another node has launched it, and its endpoint was this.
  void take_over(GameServer& server, const wire::node::Launch& launch,
                 const wire::node_record::AgonesState& saved);

  // From the lobby, after Muster's own SDK has heard it, which an Agones server may have as well
  // (to verify join tokens, say); nothing for a server without an endpoint.
  void start_match(GameServer& server, const wire::game_server::MatchStarted& match);
  void remove_player(GameServer& server, const std::string& match_id, const std::string& player_id);
  void end_match(GameServer& server, const std::string& match_id, const std::string& reason);
  /// It is about to be told to stop.
  void stop(GameServer& server);

  /// The process has ended.
  void forget(GameServer& server);

 private:
  std::expected<void, LaunchFailure> listen_on_fixed_ports();
  void on_fixed(StreamSocket socket, bool grpc);
  void on_fact(GameServer& server, agones::Fact&& fact);

  boost::asio::io_context& io_;
  Supervisor& servers_;
  OwnerFinder& owners_;
  NodeRecord& record_;
  Report report_;
  LoopbackListener fixed_grpc_, fixed_http_;
  bool refusal_said_ = false;  // Once is enough for the log.
};

}  // namespace muster::node
