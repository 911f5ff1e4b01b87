#include "node/agones_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "node/server_record.h"
#include "proto/node.pb.h"

namespace muster::node {
namespace asio = boost::asio;
using std::chrono::milliseconds;
using wire::node::FromNode;

namespace {

agones::Settings settings_of(const wire::node::Launch& launch) {
  const wire::node::AgonesSettings& given = launch.agones();
  agones::Settings settings;
  settings.name = fmt::format("{}-{}", launch.fleet(), launch.server_id());
  settings.uid = launch.server_id();
  settings.fleet = launch.fleet();
  settings.address = launch.host();
  settings.ports.push_back({"default", static_cast<std::uint16_t>(launch.port())});
  for (const wire::node::Port& port : launch.ports())
    settings.ports.push_back({port.name(), static_cast<std::uint16_t>(port.port())});
  settings.health.disabled = given.health_disabled();
  if (given.health_period_ms() > 0) settings.health.period = milliseconds{given.health_period_ms()};
  if (given.health_failures_max() > 0) settings.health.failures_max = given.health_failures_max();
  settings.health.initial_delay = milliseconds{given.health_initial_delay_ms()};
  for (const auto& [name, counter] : given.counters())
    settings.counters[name] = {counter.count(), counter.capacity()};
  for (const auto& [name, list] : given.lists())
    settings.lists[name] = {list.capacity(), {list.values().begin(), list.values().end()}};
  settings.player_capacity = given.player_capacity();
  return settings;
}

struct End {
  std::string address;
  std::uint16_t port = 0;
};

std::optional<End> end_of(int fd, int (*name)(int, sockaddr*, socklen_t*)) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (name(fd, reinterpret_cast<sockaddr*>(&address), &size) < 0 || address.sin_family != AF_INET)
    return std::nullopt;
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return End{text, ntohs(address.sin_port)};
}

}  // namespace

AgonesServer::AgonesServer(asio::io_context& io, Supervisor& servers, OwnerFinder& owners,
                           NodeRecord& record, Report report)
    : io_(io),
      servers_(servers),
      owners_(owners),
      record_(record),
      report_(std::move(report)),
      fixed_grpc_(io, [this](StreamSocket socket) { on_fixed(std::move(socket), true); }),
      fixed_http_(io, [this](StreamSocket socket) { on_fixed(std::move(socket), false); }) {}

std::expected<std::shared_ptr<AgonesEndpoint>, LaunchFailure> AgonesServer::open(
    const wire::node::Launch& launch) {
  if (launch.sdk() != wire::node::SDK_AGONES) return nullptr;
  if (launch.agones().fixed_ports())
    if (auto listening = listen_on_fixed_ports(); !listening)
      return std::unexpected(listening.error());
  auto endpoint = AgonesEndpoint::listen(io_, settings_of(launch));
  if (!endpoint)
    return std::unexpected(
        LaunchFailure{wire::node::LaunchFailed::LIMIT_REACHED, endpoint.error()});
  return std::move(*endpoint);
}

/// With the first server that wants them: another program's game servers may be there until then.
std::expected<void, LaunchFailure> AgonesServer::listen_on_fixed_ports() {
  const auto listen = [](LoopbackListener& listener,
                         std::uint16_t port) -> std::expected<void, LaunchFailure> {
    if (listener.listening()) return {};
    const auto error = listener.listen(port);
    if (!error) return {};
    return std::unexpected(LaunchFailure{
        wire::node::LaunchFailed::COMMAND_FAILED,
        fmt::format("fleet.agones.fixed_ports: cannot listen on 127.0.0.1:{}: {}. Another Agones "
                    "SDK server or another lobby's node has it: stop that, or leave fixed_ports "
                    "out and tell the game server {{sdk_http_port}}",
                    port, error.message())});
  };
  if (auto listening = listen(fixed_grpc_, fixed_grpc_port); !listening) return listening;
  return listen(fixed_http_, fixed_http_port);
}

void AgonesServer::attach(GameServer& server, const wire::node::Launch& launch,
                          std::shared_ptr<AgonesEndpoint> endpoint) {
  server.agones = std::move(endpoint);
  server.agones_fixed_ports = launch.agones().fixed_ports();
  server.agones->set_on_fact([this, id = server.id](agones::Fact&& fact) {
    if (GameServer* const known = servers_.find(id)) on_fact(*known, std::move(fact));
  });
  server.agones->set_on_change([this, id = server.id] {
    if (GameServer* const known = servers_.find(id)) record_state(record_, *known);
  });
}

void AgonesServer::take_over(GameServer& server, const wire::node::Launch& launch,
                             const wire::node_record::AgonesState& saved) {
  if (launch.agones().fixed_ports())
    if (const auto listening = listen_on_fixed_ports(); !listening)
      fmt::print(stderr, "node: {}\n", listening.error().detail);
  server.agones_on_record = saved.revision();
  attach(server, launch,
         AgonesEndpoint::listen_again(io_, settings_of(launch), saved, server.context.agones));
}

/// On ports that all share nobody says who they are; the kernel does.
void AgonesServer::on_fixed(StreamSocket socket, bool grpc) {
  const auto peer = end_of(socket.native_handle(), ::getpeername);
  const auto local = end_of(socket.native_handle(), ::getsockname);
  if (!peer || !local) return;
  const auto inode =
      owners_.inode_of_peer({peer->address, peer->port, local->address, local->port});
  if (!inode) return;  // It has gone again.
  GameServer* owner = nullptr;
  servers_.for_each([&](GameServer& server) {
    if (!owner && server.agones && server.agones_fixed_ports && !server.exit &&
        OwnerFinder::owns(server.process, *inode))
      owner = &server;
  });
  if (!owner) {
    if (std::exchange(refusal_said_, true)) return;
    fmt::print(stderr,
               "node: a connection to 127.0.0.1:{} was refused: it is no game server's of a fleet "
               "with agones.fixed_ports\n",
               local->port);
    return;
  }
  grpc ? owner->agones->adopt_grpc(std::move(socket))
       : owner->agones->adopt_http(std::move(socket));
}

void AgonesServer::on_fact(GameServer& server, agones::Fact&& fact) {
  using Kind = agones::Fact::Kind;
  FromNode report;
  server.match.reset();  // Whatever it says ends what it was playing.
  server.match_ended_by_lobby = false;
  server.ready = fact.kind == Kind::ready;
  server.reserved = fact.kind == Kind::reserved;
  server.allocated = fact.kind == Kind::allocated;
  switch (fact.kind) {
    case Kind::ready:
      if (fact.match_id.empty()) {
        report.mutable_ready()->set_server_id(server.id);
        break;
      }
      report.mutable_match_over()->set_server_id(server.id);
      report.mutable_match_over()->set_match_id(fact.match_id);
      report.mutable_match_over()->set_result(std::move(fact.result));
      break;
    case Kind::allocated:
      report.mutable_allocated()->set_server_id(server.id);
      break;
    case Kind::reserved:
      report.mutable_reserved()->set_server_id(server.id);
      report.mutable_reserved()->set_match_id(fact.match_id);
      report.mutable_reserved()->set_result(std::move(fact.result));
      break;
    case Kind::shutdown:
      report.mutable_shutdown_requested()->set_server_id(server.id);
      report.mutable_shutdown_requested()->set_result(std::move(fact.result));
      break;
    case Kind::unhealthy:
      report.mutable_unhealthy()->set_server_id(server.id);
      break;
  }
  report_(server, std::move(report));
}

void AgonesServer::start_match(GameServer& server, const wire::game_server::MatchStarted& match) {
  if (!server.agones) return;
  server.reserved = server.allocated = false;
  server.agones->change(
      [&](agones::Record& record) { record.start_match(match, AgonesEndpoint::now()); });
}

void AgonesServer::remove_player(GameServer& server, const std::string& match_id,
                                 const std::string& player_id) {
  if (server.agones)
    server.agones->change(
        [&](agones::Record& record) { record.remove_player(match_id, player_id); });
}

void AgonesServer::end_match(GameServer& server, const std::string& match_id,
                             const std::string& reason) {
  if (server.agones)
    server.agones->change([&](agones::Record& record) { record.end_match(match_id, reason); });
}

void AgonesServer::stop(GameServer& server) {
  if (server.agones) server.agones->change([](agones::Record& record) { record.stop(); });
}

void AgonesServer::forget(GameServer& server) {
  if (server.agones) server.agones->close();
}

}  // namespace muster::node
