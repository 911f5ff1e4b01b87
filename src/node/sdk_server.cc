#include "node/sdk_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>

#include "node/text_file.h"
#include "proto/game_server.pb.h"
#include "wire/standings.h"

namespace muster::node {
namespace asio = boost::asio;
namespace sdk = wire::game_server;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

namespace {

// Who is not in the match any more may not come in with an old join token. False if they were not
// in it.
bool erase_player(sdk::MatchStarted& match, const std::string& player_id) {
  auto& players = *match.mutable_players();
  const int before = players.size();
  for (int i = before - 1; i >= 0; --i)
    if (players[i].player_id() == player_id) players.DeleteSubrange(i, 1);
  return players.size() < before;
}

// 0, or errno.
int listen_on_loopback(std::uint16_t port, UniqueFd& socket) {
  socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return errno;
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool good =
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(socket.get(), SOMAXCONN) == 0;
  return good ? 0 : errno;
}

constexpr auto hello_timeout = seconds{10};
constexpr std::size_t player_id_bytes_max = 64;
// A match may be larger than what a server may say: 256 players with their attributes.
constexpr Connection::Limits connection_limits{SdkServer::frame_bytes_max, 4u << 20};

void send_ok(Connection& connection, std::uint32_t request) {
  if (request == 0) return;
  sdk::NodeMessage reply;
  reply.set_request(request);
  reply.mutable_ok();
  connection.send(reply);
}

void send_error(Connection& connection, std::uint32_t request, std::string_view code,
                std::string_view message) {
  if (request == 0) return;
  sdk::NodeMessage reply;
  reply.set_request(request);
  reply.mutable_error()->set_code(std::string(code));
  reply.mutable_error()->set_message(std::string(message));
  connection.send(reply);
}

bool has_running_match(const GameServer& server) {
  return server.match && !server.match_ended_by_lobby;
}

}  // namespace

struct SdkServer::Peer {
  Peer(asio::io_context& io, std::shared_ptr<Connection> its_connection)
      : connection(std::move(its_connection)), hello_timer(io.get_executor()) {}

  std::shared_ptr<Connection> connection;
  Timer hello_timer;
  std::string server_id;  // Empty until its hello.
  std::optional<Unidentified::iterator> waiting;
};

SdkServer::SdkServer(asio::io_context& io, Supervisor& servers, Report report)
    : io_(io), servers_(servers), report_(std::move(report)), by_port_(io), by_path_(io) {}

SdkServer::~SdkServer() {  // A connection and its handlers hold each other until it is closed.
  for (const auto& peer : unidentified_) peer->connection->close();
  servers_.for_each([this](GameServer& server) { forget(server); });
}

std::expected<void, std::string> SdkServer::listen(const std::string& port_file) {
  const auto remembered = read_number(port_file);
  UniqueFd socket;
  int error = EADDRINUSE;
  if (remembered && *remembered > 0 && *remembered <= 65535)
    error = listen_on_loopback(static_cast<std::uint16_t>(*remembered), socket);
  if (error != 0) error = listen_on_loopback(0, socket);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  if (error == 0 && ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) < 0)
    error = errno;
  if (error != 0)
    return std::unexpected(
        fmt::format("cannot listen on 127.0.0.1 for game servers: {}", ::strerrordesc_np(error)));
  const std::uint16_t port = ntohs(bound.sin_port);
  address_ = fmt::format("127.0.0.1:{}", port);
  if (remembered != port)
    if (const auto written = write_text(port_file, fmt::format("{}\n", port)); !written)
      fmt::print(stderr, "node: {}; after a restart game servers may not find the node\n",
                 written.error());
  by_port_.tcp = true;
  return listen(by_port_, std::move(socket));
}

std::expected<void, std::string> SdkServer::listen_locally(const std::string& path) {
  auto socket = listen_on_unix(path, 0666);
  if (!socket) return std::unexpected(socket.error());
  return listen(by_path_, std::move(*socket));
}

std::expected<void, std::string> SdkServer::listen(Listener& listener, UniqueFd socket) {
  error_code error;
  listener.socket.assign(socket.get(), error);
  if (error)
    return std::unexpected(fmt::format("cannot listen for game servers: {}", error.message()));
  socket.release();
  wait_to_accept(listener);
  return {};
}

void SdkServer::wait_to_accept(Listener& listener) {
  listener.socket.async_wait(Descriptor::wait_read, [this, &listener](error_code error) {
    if (!error) accept(listener);
  });
}

// One per turn, and what it has said is read at once: players wait for it.
void SdkServer::accept(Listener& listener) {
  const int fd =
      ::accept4(listener.socket.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    const int why = errno;
    if (why != EMFILE && why != ENFILE && why != ENOBUFS && why != ENOMEM)
      return wait_to_accept(listener);                // It has gone again.
    listener.pause.expires_after(milliseconds{100});  // Somebody has to leave first.
    listener.pause.async_wait([this, &listener](error_code error) {
      if (!error) wait_to_accept(listener);
    });
    return;
  }
  const int yes = 1;
  if (listener.tcp) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  StreamSocket stream(io_.get_executor());
  error_code error;
  stream.assign(asio::generic::stream_protocol(listener.tcp ? AF_INET : AF_UNIX,
                                               listener.tcp ? IPPROTO_TCP : 0),
                fd, error);
  if (error)
    ::close(fd);
  else
    adopt(std::move(stream));
  wait_to_accept(listener);
}

void SdkServer::adopt(StreamSocket socket) {
  const auto peer = std::make_shared<Peer>(
      io_, std::make_shared<Connection>(std::move(socket), connection_limits));
  if (unidentified_.size() >= unidentified_max) {
    const auto oldest = unidentified_.front();
    oldest->connection->close();
    on_closed(*oldest);
  }
  peer->waiting = unidentified_.insert(unidentified_.end(), peer);
  peer->hello_timer.expires_after(hello_timeout);
  peer->hello_timer.async_wait([this, weak = std::weak_ptr(peer)](error_code error) {
    const auto late = weak.lock();
    if (error || !late) return;
    late->connection->close();
    on_closed(*late);
  });
  peer->connection->start_reading(
      {[this, peer](wire::Bytes frame) { return on_frame(*peer, frame); },
       [this, peer] { on_closed(*peer); }});
}

void SdkServer::on_closed(Peer& peer) {
  peer.hello_timer.cancel();
  GameServer* const server = servers_.find(peer.server_id);
  if (server && server->sdk == peer.connection) server->sdk = nullptr;
  if (const auto waiting = std::exchange(peer.waiting, {})) unidentified_.erase(*waiting);
}

bool SdkServer::on_frame(Peer& peer, wire::Bytes frame) {
  sdk::ServerMessage message;
  if (!message.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return false;
  const std::uint32_t request = message.request();
  if (message.has_hello()) return on_hello(peer, message);

  GameServer* const server = servers_.find(peer.server_id);
  if (!server) {  // Also: its process has ended, and this was still on the way.
    send_error(*peer.connection, request, "message_invalid", "the first message must be hello");
    return true;
  }
  server->last_heard = steady_clock::now();
  switch (message.body_case()) {
    case sdk::ServerMessage::kReady:
      on_ready(peer, *server, request);
      break;
    case sdk::ServerMessage::kHealth:
      send_ok(*peer.connection, request);
      break;
    case sdk::ServerMessage::kVerifyJoin:
      on_verify_join(peer, *server, request, message.verify_join().join_token());
      break;
    case sdk::ServerMessage::kPlayerJoined:
    case sdk::ServerMessage::kPlayerLeft:
      on_player(peer, *server, message);
      break;
    case sdk::ServerMessage::kMatchOver:
      on_match_over(peer, *server, message);
      break;
    case sdk::ServerMessage::kShutdown:
      if (!std::exchange(server->shutdown_requested, true)) {
        wire::node::FromNode report;
        report.mutable_shutdown_requested()->set_server_id(server->id);
        report_(*server, std::move(report));
      }
      send_ok(*peer.connection, request);
      break;
    case sdk::ServerMessage::kHello:
    case sdk::ServerMessage::BODY_NOT_SET:
      send_error(*peer.connection, request, "message_invalid", "a message without a known body");
      break;
  }
  return true;
}

bool SdkServer::on_hello(Peer& peer, const sdk::ServerMessage& message) {
  // Every server is compared with, and each in constant time: the time taken tells nothing.
  const std::string& token = message.hello().token();
  GameServer* server = nullptr;
  servers_.for_each([&](GameServer& candidate) {
    if (candidate.token.size() == token.size() && !candidate.exit &&
        sodium_memcmp(candidate.token.data(), token.data(), token.size()) == 0)
      server = &candidate;
  });
  if (!server || (!peer.server_id.empty() && peer.server_id != server->id)) {
    sdk::NodeMessage reply;
    reply.set_request(message.request());
    reply.mutable_error()->set_code("token_invalid");
    reply.mutable_error()->set_message(
        "no running game server has this token: pass MUSTER_TOKEN as it is in the environment");
    peer.connection->send(reply);
    peer.connection->close_after_send();
    on_closed(peer);
    return true;
  }
  peer.server_id = server->id;
  peer.hello_timer.cancel();
  if (const auto waiting = std::exchange(peer.waiting, {})) unidentified_.erase(*waiting);
  if (server->sdk && server->sdk != peer.connection) server->sdk->close();
  server->sdk = peer.connection;
  server->last_heard = steady_clock::now();

  sdk::NodeMessage reply;
  reply.set_request(message.request());
  sdk::Welcome& welcome = *reply.mutable_welcome();
  welcome.set_server_id(server->id);
  welcome.set_port(server->port);
  // Two may be lost or late before the third is missed.
  if (server->health_timeout.count() > 0)
    welcome.set_health_interval_ms(
        static_cast<std::uint32_t>(std::max<std::int64_t>(server->health_timeout.count() / 3, 1)));
  if (has_running_match(*server)) *welcome.mutable_match() = *server->match;
  peer.connection->send(reply);
  return true;
}

void SdkServer::on_ready(Peer& peer, GameServer& server, std::uint32_t request) {
  if (has_running_match(server)) {
    // Over without a result. Said with the match's id, so that it cannot end another one.
    wire::node::FromNode report;
    report.mutable_match_over()->set_server_id(server.id);
    report.mutable_match_over()->set_match_id(server.match->match_id());
    server.match.reset();
    report_(server, std::move(report));
  } else if (!server.ready) {
    report_ready(server);
  }
  send_ok(*peer.connection, request);
}

void SdkServer::report_ready(GameServer& server) {
  server.match.reset();
  server.match_ended_by_lobby = false;
  server.ready = true;
  wire::node::FromNode report;
  report.mutable_ready()->set_server_id(server.id);
  report_(server, std::move(report));
  watch_health(server);
}

void SdkServer::on_verify_join(Peer& peer, GameServer& server, std::uint32_t request,
                               const std::string& token) {
  if (!join_key_)  // A lobby says its key before it can launch anything.
    return send_error(*peer.connection, request, "join_token_invalid",
                      "no lobby has connected yet");
  const auto claims = wire::verify_join_token(token, *join_key_, std::time(nullptr));
  if (!claims) {
    if (claims.error() == wire::JoinTokenError::expired)
      return send_error(*peer.connection, request, "join_token_expired",
                        "the join token has expired");
    return send_error(*peer.connection, request, "join_token_invalid",
                      "not a join token signed by this lobby");
  }
  if (claims->server != server.id)
    return send_error(*peer.connection, request, "join_token_invalid",
                      "the join token is for another game server");
  if (!has_running_match(server) || claims->match != server.match->match_id() ||
      claims->match_started_ms != server.match->started_ms())
    return send_error(*peer.connection, request, "no_match",
                      "the join token is not for the match that is running here");
  const auto& players = server.match->players();
  if (std::ranges::none_of(players, [&](const auto& p) { return p.player_id() == claims->player; }))
    return send_error(*peer.connection, request, "join_token_invalid",
                      "that player is not, or no longer, in this match");
  sdk::NodeMessage reply;
  reply.set_request(request);
  sdk::JoinVerified& verified = *reply.mutable_join_verified();
  verified.set_player_id(claims->player);
  verified.set_name(claims->name);
  verified.set_match_id(claims->match);
  verified.set_team(claims->team);
  verified.set_seats(claims->seats);
  peer.connection->send(reply);
}

void SdkServer::on_player(Peer& peer, GameServer& server, const sdk::ServerMessage& message) {
  const bool joined = message.has_player_joined();
  const std::string& player =
      joined ? message.player_joined().player_id() : message.player_left().player_id();
  if (player.empty() || player.size() > player_id_bytes_max)
    return send_error(*peer.connection, message.request(), "message_invalid",
                      "player_id must be 1 to 64 bytes");
  if (!has_running_match(server))
    return send_error(*peer.connection, message.request(), "no_match", "no match is running here");
  wire::node::FromNode report;
  if (joined) {
    report.mutable_player_joined()->set_server_id(server.id);
    report.mutable_player_joined()->set_player_id(player);
  } else {
    erase_player(*server.match, player);
    report.mutable_player_left()->set_server_id(server.id);
    report.mutable_player_left()->set_player_id(player);
  }
  report_(server, std::move(report));
  send_ok(*peer.connection, message.request());
}

void SdkServer::on_match_over(Peer& peer, GameServer& server, const sdk::ServerMessage& message) {
  const sdk::MatchOver& over = message.match_over();
  if (over.result().size() > result_bytes_max)
    return send_error(*peer.connection, message.request(), "message_invalid",
                      "the result is longer than 16 KiB");
  if (const std::string problem = wire::standings_problem(over.standings()); !problem.empty())
    return send_error(*peer.connection, message.request(), "message_invalid", problem);
  if (!server.match || (!over.match_id().empty() && over.match_id() != server.match->match_id()))
    return send_error(*peer.connection, message.request(), "no_match",
                      "that match is not running here");
  if (server.match_ended_by_lobby) {
    report_ready(server);  // The lobby knows of the end; that it has wound up is news.
  } else {
    wire::node::FromNode report;
    report.mutable_match_over()->set_server_id(server.id);
    report.mutable_match_over()->set_match_id(server.match->match_id());
    report.mutable_match_over()->set_result(over.result());
    *report.mutable_match_over()->mutable_standings() = over.standings();
    server.match.reset();
    report_(server, std::move(report));
  }
  send_ok(*peer.connection, message.request());
}

void SdkServer::start_match(GameServer& server, const sdk::MatchStarted& match) {
  server.match = match;
  server.match_ended_by_lobby = false;
  if (!server.sdk) return;
  sdk::NodeMessage news;
  *news.mutable_match_started() = match;
  server.sdk->send(news);
}

void SdkServer::remove_player(GameServer& server, const std::string& match_id,
                              const std::string& player_id) {
  if (!has_running_match(server) || server.match->match_id() != match_id) return;
  if (!erase_player(*server.match, player_id) || !server.sdk) return;  // A lobby may repeat it.
  sdk::NodeMessage news;
  news.mutable_player_removed()->set_match_id(match_id);
  news.mutable_player_removed()->set_player_id(player_id);
  server.sdk->send(news);
}

void SdkServer::end_match(GameServer& server, const std::string& match_id,
                          const std::string& reason) {
  if (!has_running_match(server) || server.match->match_id() != match_id) return;
  server.match_ended_by_lobby = true;
  server.ready = false;  // Until it says so.
  if (!server.sdk) return;
  sdk::NodeMessage news;
  news.mutable_match_ended()->set_match_id(match_id);
  news.mutable_match_ended()->set_reason(reason);
  server.sdk->send(news);
}

void SdkServer::take_over(GameServer& server) {
  server.last_heard = steady_clock::now() + return_time;
  if (server.was_ready) watch_health(server);
}

void SdkServer::forget(GameServer& server) {
  server.health_timer.cancel();
  if (server.sdk) server.sdk->close();
  server.sdk = nullptr;
}

// From its first Ready on: until then the lobby's launch_timeout watches it. Any message is a sign
// of life. The timer goes off once per timeout, not per message.
void SdkServer::watch_health(GameServer& server) {
  if (server.health_timeout.count() == 0 || server.unhealthy ||
      server.health_timer.expiry() > steady_clock::now())
    return;
  server.health_timer.expires_at(server.last_heard + server.health_timeout);
  server.health_timer.async_wait([this, id = server.id](error_code error) {
    GameServer* const watched = error ? nullptr : servers_.find(id);
    if (!watched || watched->exit || watched->stopping) return;
    if (steady_clock::now() < watched->last_heard + watched->health_timeout)
      return watch_health(*watched);
    watched->unhealthy = true;
    wire::node::FromNode report;
    report.mutable_unhealthy()->set_server_id(watched->id);
    report_(*watched, std::move(report));
  });
}

}  // namespace muster::node
