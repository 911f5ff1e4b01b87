#include "net/node_link_convert.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/check.h"
#include "proto/game_server.pb.h"
#include "proto/node.pb.h"
#include "wire/standings.h"

namespace muster::net {
namespace {

using wire::node::FromNode;
using wire::node::ToNode;

std::string text_or_none(core::MatchId match) { return match ? to_string(match) : std::string(); }

wire::node::Sdk to_sdk(core::SdkKind kind) {
  switch (kind) {
    case core::SdkKind::muster:
      return wire::node::SDK_MUSTER;
    case core::SdkKind::classic:
      return wire::node::SDK_CLASSIC;
    case core::SdkKind::agones:
      return wire::node::SDK_AGONES;
    case core::SdkKind::none:
      return wire::node::SDK_NONE;
  }
  CHECK(false, "every kind has its word on the wire");
}

void write_agones(const core::AgonesConfig& config, wire::node::AgonesSettings& out) {
  out.set_health_disabled(!config.health);
  out.set_health_period_ms(to_milliseconds(config.health_period));
  out.set_health_failures_max(config.health_failures_max);
  out.set_health_initial_delay_ms(to_milliseconds(config.health_initial_delay));
  out.set_player_capacity(config.player_capacity);
  out.set_fixed_ports(config.fixed_ports);
  for (const core::AgonesCounter& counter : config.counters) {
    auto& written = (*out.mutable_counters())[counter.name];
    written.set_count(counter.count);
    written.set_capacity(counter.capacity);
  }
  for (const core::AgonesList& list : config.lists) {
    auto& written = (*out.mutable_lists())[list.name];
    written.set_capacity(list.capacity);
    written.mutable_values()->Assign(list.values.begin(), list.values.end());
  }
}

wire::node::Protocol to_wire(core::Protocol protocol) {
  return protocol == core::Protocol::tcp   ? wire::node::PROTOCOL_TCP
         : protocol == core::Protocol::udp ? wire::node::PROTOCOL_UDP
                                           : wire::node::PROTOCOL_BOTH;
}

void write_query(const core::UdpQuery& query, wire::node::UdpQuery& out) {
  out.set_port(query.port);
  out.set_send(query.send);
  out.set_placeholders(query.placeholders);
  out.set_expect(query.expect);
}

// How a game server without any SDK is watched.
void write_watch(const core::FleetConfig& fleet, wire::node::Launch& out) {
  wire::node::Ready& ready = *out.mutable_ready();
  ready.set_kind(static_cast<wire::node::Ready::Kind>(fleet.ready.kind));
  ready.set_port(fleet.ready.port);
  if (!fleet.ready.query.send.empty()) write_query(fleet.ready.query, *ready.mutable_query());
  ready.set_log(fleet.ready.log);
  if (fleet.ready.kind == core::ReadyKind::delay)
    ready.set_delay_ms(to_milliseconds(fleet.ready.delay));
  ready.set_repeat_ms(to_milliseconds(fleet.ready.repeat));
  ready.set_failures_max(fleet.ready.failures_max);
  ready.set_launch_timeout_ms(to_milliseconds(fleet.launch_timeout));
  wire::node::End& end = *out.mutable_end();
  end.set_log(fleet.end.log);
  end.set_joined(fleet.end.joined);
  end.set_left(fleet.end.left);
  if (!fleet.end.players.send.empty()) {
    write_query(fleet.end.players, *end.mutable_players());
    end.set_players_interval_ms(to_milliseconds(fleet.end.players_interval));
  }
}

void write_limits(const core::FleetConfig& fleet, wire::node::ProcessLimits& out) {
  const core::ProcessLimits& limits = fleet.limits;
  out.set_memory_bytes(limits.memory_bytes);
  out.set_cpu_thousandths(limits.cpu_thousandths);
  out.set_processes(limits.processes);
  out.set_open_files(limits.open_files);
  out.set_user(limits.user);
  out.set_nice(limits.nice);
  out.set_core_dumps(limits.core_dumps);
  out.set_no_new_privileges(limits.no_new_privileges);
  out.set_required(limits.required);
  out.set_servers_max(fleet.servers_max);
}

/// What all launches of a fleet have in common.
void write_fleet(const core::FleetConfig& fleet, std::uint32_t version, wire::node::Launch& out) {
  out.set_fleet(fleet.name);
  for (const std::string& argument : fleet.command) out.add_command(argument);
  for (const auto& [name, value] : fleet.env) {
    wire::node::Variable& variable = *out.add_env();
    variable.set_name(name);
    variable.set_value(value);
  }
  out.set_working_directory(fleet.working_directory);
  out.set_sdk(to_sdk(fleet.sdk));
  out.set_log_bytes_max(fleet.log_bytes_max);
  out.set_log_files_max(fleet.log_files_max);
  if (fleet.sdk == core::SdkKind::muster)
    out.set_health_timeout_ms(to_milliseconds(fleet.health_timeout));
  if (fleet.sdk == core::SdkKind::agones) write_agones(fleet.agones, *out.mutable_agones());
  out.set_version(version);
  write_limits(fleet, *out.mutable_limits());
  out.set_protocol(to_wire(fleet.protocol));
  for (const core::FileConfig& file : fleet.files) {
    wire::node::File& to = *out.add_files();
    to.set_path(file.path);
    to.set_text(file.text);
    to.set_mode(file.mode);
  }
  if (fleet.sdk == core::SdkKind::none) write_watch(fleet, out);
}

void write_launch(const core::LaunchServer& effect, const std::string& host,
                  wire::node::Launch& out) {
  CHECK(effect.config, "a launch says how");
  const core::FleetConfig& fleet = *effect.config;
  write_fleet(fleet, effect.version, out);
  out.set_server_id(to_string(effect.server));
  out.set_port(effect.port);
  for (std::size_t i = 0; i < effect.ports.size(); ++i) {
    wire::node::Port& port = *out.add_ports();
    port.set_name(effect.ports[i].name);
    port.set_port(effect.ports[i].port);
    if (i < fleet.named_ports.size()) port.set_protocol(to_wire(fleet.named_ports[i].protocol));
  }
  out.set_host(host);
  out.set_match_id(text_or_none(effect.match));
  out.set_queue(effect.queue);
  out.set_map(effect.map);
  out.set_players(effect.players);
}

void write_attribute(const core::Attribute& attribute, wire::game_server::Attribute& out) {
  out.set_name(attribute.name);
  if (const double* number = std::get_if<double>(&attribute.value)) {
    out.set_number(*number);
  } else if (const std::string* text = std::get_if<std::string>(&attribute.value)) {
    out.set_text(*text);
  } else {
    for (const std::string& one : std::get<std::vector<std::string>>(attribute.value))
      out.mutable_texts()->add_values(one);
    out.mutable_texts();  // Also when empty.
  }
}

void write_start_match(const core::StartServerMatch& effect, wire::node::StartMatch& out) {
  out.set_server_id(to_string(effect.server));
  wire::game_server::MatchStarted& match = *out.mutable_match();
  match.set_match_id(to_string(effect.match));
  match.set_queue(effect.queue);
  match.set_map(effect.map);
  match.set_started_ms(to_unix_milliseconds(effect.started));
  for (const core::TeamBots& team : effect.bots) {
    wire::game_server::Bots& bots = *match.add_bots();
    bots.set_team(team.team);
    bots.set_count(team.count);
  }
  if (!effect.roster) return;
  for (const core::RosterEntry& entry : *effect.roster) {
    wire::game_server::Player& player = *match.add_players();
    player.set_player_id(to_string(entry.player));
    player.set_name(entry.name);
    player.set_team(entry.team);
    player.set_seats(entry.seats);
    for (const core::Attribute& attribute : entry.attributes)
      write_attribute(attribute, *player.add_attributes());
  }
}

core::LaunchError to_launch_error(wire::node::LaunchFailed::Reason reason) {
  switch (reason) {
    case wire::node::LaunchFailed::PORT_TAKEN:
      return core::LaunchError::port_taken;
    case wire::node::LaunchFailed::LIMIT_REACHED:
      return core::LaunchError::limit_reached;
    default:  // Also one that a newer node has.
      return core::LaunchError::command_failed;
  }
}

core::ForkParentState to_fork_parent_state(wire::node::ForkParent::State state) {
  switch (state) {
    case wire::node::ForkParent::LOADING:
      return core::ForkParentState::loading;
    case wire::node::ForkParent::LOADED:
      return core::ForkParentState::loaded;
    default:  // Also one that a newer node has.
      return core::ForkParentState::failed;
  }
}

// Fills in the server's id; nothing if it is no id.
template <class Event, class Message>
std::optional<Event> about(const Message& message) {
  const auto server = parse_id<core::ServerId>(message.server_id());
  if (!server) return std::nullopt;
  Event event;
  event.server = *server;
  return event;
}

template <class Event, class Message>
std::optional<core::Event> about_player(const Message& message) {
  auto event = about<Event>(message);
  const auto player = parse_id<core::PlayerId>(message.player_id());
  if (!event || !player) return std::nullopt;  // A game server may say anything.
  event->player = *player;
  return *event;
}

/// Anything a game server may say; what is none, is refused by the core.
std::vector<core::Standing> to_standings(
    const google::protobuf::RepeatedPtrField<wire::game_server::Standing>& standings) {
  constexpr core::PlayerId nobody{~0u, ~0u};
  std::vector<core::Standing> out;
  for (const wire::game_server::Standing& standing : standings) {
    if (out.size() > core::standings_max) break;
    core::Standing& to = out.emplace_back();
    if (!standing.player_id().empty())
      to.player = parse_id<core::PlayerId>(standing.player_id()).value_or(nobody);
    to.team = standing.team();
    to.rank = standing.rank();
    if (standing.has_score()) to.score = standing.score();
    const double played = 1 - standing.missed();
    to.played = played >= 0 && played <= 1
                    ? static_cast<std::uint32_t>(std::lround(played * core::Standing::whole))
                    : core::Standing::whole + 1;
  }
  return out;
}

/// Of a game server that can only say a text.
std::vector<core::Standing> standings_in(const std::string& result) {
  wire::game_server::Standings standings;
  if (!wire::read_standings(result, standings)) return {};
  return to_standings(standings.standings());
}

std::optional<core::Event> to_match_over(const wire::node::MatchOver& over) {
  auto event = about<core::MatchOver>(over);
  const auto match = parse_id<core::MatchId>(over.match_id());
  if (!event || !match) return std::nullopt;
  event->match = *match;
  event->result = over.result();
  event->standings =
      over.standings().empty() ? standings_in(over.result()) : to_standings(over.standings());
  return std::move(*event);
}

}  // namespace

bool to_node(const core::Effect& effect, const std::string& host, ToNode& out) {
  if (const auto* launch = std::get_if<core::LaunchServer>(&effect)) {
    write_launch(*launch, host, *out.mutable_launch());
  } else if (const auto* stop = std::get_if<core::StopServer>(&effect)) {
    out.mutable_stop()->set_server_id(to_string(stop->server));
    out.mutable_stop()->set_grace_ms(to_milliseconds(stop->grace));
  } else if (const auto* start = std::get_if<core::StartServerMatch>(&effect)) {
    write_start_match(*start, *out.mutable_start_match());
  } else if (const auto* remove = std::get_if<core::RemoveServerPlayer>(&effect)) {
    out.mutable_remove_player()->set_server_id(to_string(remove->server));
    out.mutable_remove_player()->set_match_id(to_string(remove->match));
    out.mutable_remove_player()->set_player_id(to_string(remove->player));
  } else if (const auto* end = std::get_if<core::EndServerMatch>(&effect)) {
    out.mutable_end_match()->set_server_id(to_string(end->server));
    out.mutable_end_match()->set_match_id(to_string(end->match));
    out.mutable_end_match()->set_reason(std::string(core::to_string(end->end)));
  } else if (const auto* heard = std::get_if<core::AcknowledgeReports>(&effect)) {
    out.mutable_reports_heard()->set_run(heard->run);
    out.mutable_reports_heard()->set_number(heard->number);
  } else {
    return false;
  }
  return true;
}

void to_prepare_forks(const core::Config& config, ToNode& out) {
  wire::node::PrepareForks& prepare = *out.mutable_prepare_forks();
  for (const core::FleetConfig& fleet : config.fleets)
    if (fleet.fork) write_fleet(fleet, core::launch_version(fleet), *prepare.add_parents());
}

std::uint32_t to_milliseconds(Duration duration) {
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(ms, 0, std::numeric_limits<std::uint32_t>::max()));
}

core::NodeId node_of(const core::Effect& effect) {
  return std::visit(
      [](const auto& e) -> core::NodeId {
        if constexpr (requires { e.node; })
          return e.node;
        else
          return {};
      },
      effect);
}

std::optional<core::Event> to_event(const FromNode& message) {
  switch (message.body_case()) {
    case FromNode::kLaunched: {
      auto event = about<core::ServerLaunched>(message.launched());
      if (event) {
        event->pid = message.launched().pid();
        event->forked = message.launched().forked();
      }
      return event;
    }
    case FromNode::kLaunchFailed: {
      auto event = about<core::LaunchFailed>(message.launch_failed());
      if (event) {
        event->error = to_launch_error(message.launch_failed().reason());
        event->detail = message.launch_failed().detail();
        if (message.launch_failed().port() <= 65535)
          event->port = static_cast<std::uint16_t>(message.launch_failed().port());
      }
      return event;
    }
    case FromNode::kReady:
      return about<core::ServerReady>(message.ready());
    case FromNode::kExited: {
      auto event = about<core::ServerExited>(message.exited());
      if (event) {
        event->exit_code = message.exited().exit_code();
        event->signal = message.exited().signal();
        event->detail = message.exited().detail();
        event->result = message.exited().result();
        event->standings = standings_in(event->result);
        event->unknown = message.exited().status_unknown();
      }
      return event;
    }
    case FromNode::kUnhealthy: {
      auto event = about<core::ServerUnhealthy>(message.unhealthy());
      if (event) event->detail = message.unhealthy().detail();
      return event;
    }
    case FromNode::kNoted: {
      auto event = about<core::ServerNoted>(message.noted());
      if (event) event->note = message.noted().note();
      return event;
    }
    case FromNode::kPlayersCounted: {
      auto event = about<core::PlayersCounted>(message.players_counted());
      if (event) event->players = message.players_counted().players();
      return event;
    }
    case FromNode::kPlayerJoined:
      return about_player<core::PlayerJoined>(message.player_joined());
    case FromNode::kPlayerLeft:
      return about_player<core::PlayerLeft>(message.player_left());
    case FromNode::kMatchOver:
      return to_match_over(message.match_over());
    case FromNode::kShutdownRequested: {
      auto event = about<core::ShutdownRequested>(message.shutdown_requested());
      if (event) {
        event->result = message.shutdown_requested().result();
        event->standings = standings_in(event->result);
      }
      return event;
    }
    case FromNode::kAllocated:
      return about<core::ServerAllocated>(message.allocated());
    case FromNode::kReserved: {
      auto event = about<core::ServerReserved>(message.reserved());
      if (!event) break;
      if (const auto match = parse_id<core::MatchId>(message.reserved().match_id()))
        event->match = *match;
      event->result = message.reserved().result();
      event->standings = standings_in(event->result);
      return event;
    }
    case FromNode::kForkParent:
      return core::ForkParentChanged{message.fork_parent().fleet(),
                                     to_fork_parent_state(message.fork_parent().state()),
                                     message.fork_parent().pid(), message.fork_parent().detail()};
    case FromNode::kHello:
    case FromNode::kOwnerVerified:
    case FromNode::BODY_NOT_SET:
      break;
  }
  return std::nullopt;
}

core::NodeConnected to_event(const wire::node::NodeHello& hello, core::NodeId node,
                             const std::string& host) {
  core::NodeConnected event{node, hello.name(), host, {}, hello.limits(), hello.run()};
  for (const wire::node::Server& server : hello.servers()) {
    const auto id = parse_id<core::ServerId>(server.server_id());
    if (!id || server.port() > 65535) continue;
    core::ServerReport report{*id,
                              server.fleet(),
                              static_cast<std::uint16_t>(server.port()),
                              server.pid(),
                              server.ready(),
                              {},
                              server.version(),
                              server.reserved(),
                              server.allocated(),
                              server.forked(),
                              {},
                              server.players()};
    for (const wire::node::Port& port : server.ports())
      if (port.port() <= 65535)
        report.ports.push_back({port.name(), static_cast<std::uint16_t>(port.port())});
    if (const auto match = parse_id<core::MatchId>(server.match_id())) report.match = *match;
    event.servers.push_back(std::move(report));
  }
  return event;
}

}  // namespace muster::net
