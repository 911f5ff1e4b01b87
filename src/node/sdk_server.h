#pragma once
// The game servers' side of the node: listens on 127.0.0.1, and on a unix socket, for their SDKs
// (proto/game_server.proto).

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "node/connection.h"
#include "node/supervisor.h"
#include "wire/join_token.h"

namespace muster::node {

/// Believes a connection to be a game server's once it has said the token that server was launched
/// with; it has 10 s for that. The newest connection of a server counts. Garbage, frames above
/// 64 KiB, and not reading what it is sent (256 KiB and a whole match) cost a connection its life
/// and nobody else anything. Single-threaded.
class SdkServer {
 public:
  static constexpr std::uint32_t frame_bytes_max = 64 << 10;
  static constexpr std::size_t unidentified_max = 256;  // Above it the oldest is closed.
  static constexpr std::size_t result_bytes_max = 16 << 10;
  /// An SDK that has lost its node tries again every 2 s or sooner: silence counts from then on.
  static constexpr std::chrono::seconds return_time{3};

  /// What a game server said that the lobby should know.
  using Report = std::function<void(GameServer&, wire::node::FromNode&&)>;

  SdkServer(boost::asio::io_context& io, Supervisor& servers, Report report);
  ~SdkServer();

  /// Listens on the port remembered in the file, so that SDKs find a restarted node; if that is
  /// taken or there is none, on another, which is remembered then.
  std::expected<void, std::string> listen(const std::string& port_file);
  /// And on a unix socket, which costs an SDK half of that. Anybody who gets to the folder may
  /// connect: it is the token that counts, as on the port.
  std::expected<void, std::string> listen_locally(const std::string& path);
  /// host:port
  const std::string& address() const { return address_; }

  /// Of the lobby, for VerifyJoin.
  void set_join_key(const wire::JoinPublicKey& key) { join_key_ = key; }

  // From the lobby, passed on to the server's SDK, if connected; a match is told again to an SDK
  // that comes back.
  void start_match(GameServer& server, const wire::game_server::MatchStarted& match);
  void remove_player(GameServer& server, const std::string& match_id, const std::string& player_id);
  void end_match(GameServer& server, const std::string& match_id, const std::string& reason);

  /// One that another node has launched. Its SDK comes back by itself.
  void take_over(GameServer& server);

  /// The process has ended.
  void forget(GameServer& server);

 private:
  struct Peer;
  using Unidentified = std::list<std::shared_ptr<Peer>>;
  struct Listener {
    explicit Listener(boost::asio::io_context& io)
        : socket(io.get_executor()), pause(io.get_executor()) {}
    Descriptor socket;
    Timer pause;
    bool tcp = false;
  };

  std::expected<void, std::string> listen(Listener& listener, UniqueFd socket);
  void wait_to_accept(Listener& listener);
  void accept(Listener& listener);
  void adopt(StreamSocket socket);
  bool on_frame(Peer& peer, wire::Bytes frame);
  bool on_hello(Peer& peer, const wire::game_server::ServerMessage& message);
  void on_ready(Peer& peer, GameServer& server, std::uint32_t request);
  void on_verify_join(Peer& peer, GameServer& server, std::uint32_t request,
                      const std::string& token);
  void on_player(Peer& peer, GameServer& server, const wire::game_server::ServerMessage& message);
  void on_match_over(Peer& peer, GameServer& server,
                     const wire::game_server::ServerMessage& message);
  void on_closed(Peer& peer);
  void watch_health(GameServer& server);
  void report_ready(GameServer& server);

  boost::asio::io_context& io_;
  Supervisor& servers_;
  Report report_;
  Listener by_port_, by_path_;
  std::string address_;
  std::optional<wire::JoinPublicKey> join_key_;
  Unidentified unidentified_;
};

}  // namespace muster::node
