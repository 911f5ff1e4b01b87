#include "server/admin.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>

#include "server/admin_reply.h"
#include "server/admin_view.h"
#include "server/config_values.h"
#include "server/process_use.h"
#include "server/version.h"

namespace muster::server {
namespace {

namespace json = boost::json;
using net::HttpRequest;
using net::HttpResponse;

constexpr Range page_limit{1, 10'000};
constexpr Range last_events{1, Loop::records_max};

/// A list by pages: ?limit=N, and ?after=ID, the last id of the page before.
template <class IdType, class View>
HttpResponse page(const HttpRequest& request, const core::State& state, View&& view) {
  const auto limit = number(request, "limit", Page{}.limit, page_limit);
  if (!limit) return out_of_range("limit", page_limit);
  Page wanted{.limit = *limit};
  if (const std::string after = request.query_value("after"); !after.empty()) {
    const auto id = parse_id<IdType>(after);
    if (!id) return refuse(400, "query_invalid", "after must be an id, such as 41.3.");
    wanted.after_slot = id->slot;
    wanted.has_after = true;
  }
  return reply(200, view(state, wanted));
}

bool is_json(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.pop_back();
  std::ranges::transform(type, type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  return type == "application/json";
}

/// "cpuSeconds" and "memoryBytes" of a game server that runs here; null if it does not.
void add_use(json::object& server) {
  const json::value* const pid = server.if_contains("pid");
  const std::uint64_t* const unsigned_pid = pid ? pid->if_uint64() : nullptr;
  const auto use = unsigned_pid ? process_use(static_cast<std::uint32_t>(*unsigned_pid))
                                : std::optional<ProcessUse>();
  server["cpuSeconds"] = use ? json::value(use->cpu_seconds) : json::value(nullptr);
  server["memoryBytes"] = use ? json::value(use->memory_bytes) : json::value(nullptr);
}

constexpr std::string_view servers_path = "/v1/servers/";
constexpr std::string_view stop_suffix = "/stop";
constexpr std::string_view tickets_path = "/v1/tickets/";
constexpr std::string_view why_suffix = "/why";
constexpr std::string_view players_path = "/v1/players/";
constexpr std::string_view rating_suffix = "/rating";
constexpr std::string_view fleets_path = "/v1/fleets/";
constexpr std::string_view clear_suffix = "/clear";

json::array lines_of(const std::vector<ConfigProblem>& problems) {
  json::array lines;
  for (const ConfigProblem& problem : problems) lines.emplace_back(to_string(problem));
  return lines;
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && !host.ends_with(']');
  std::string name(has_port ? host.substr(0, colon) : host);
  if (has_port && colon + 1 == host.size()) return false;
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
  });
  const auto address = parse_address(name + (has_port ? std::string(host.substr(colon)) : ":0"));
  return address && address->loopback;
}

void Admin::handle(const HttpRequest& request, net::HttpAnswer answer) {
  if (auto refusal = check(request)) return answer(*std::move(refusal));
  if (ledger_ && ledger_->handle(request, answer)) return;
  answer(request.method == "GET" ? get(request) : post(request));
}

/// What is refused whatever it is about.
std::optional<HttpResponse> Admin::check(const HttpRequest& request) {
  if (!is_loopback_host(request.header("host")))
    return refuse(403, "host_not_allowed",
                  "The admin API answers to localhost and loopback addresses only.");
  if (request.method == "GET") return std::nullopt;
  if (request.method == "POST") {
    if (is_json(request.header("content-type"))) return std::nullopt;
    return refuse(415, "content_type_invalid", "An order needs Content-Type: application/json.");
  }
  HttpResponse response = refuse(405, "method_not_allowed", "Use GET, or POST for an order.");
  response.headers.emplace_back("Allow", "GET, POST");
  return response;
}

HttpResponse Admin::get(const HttpRequest& request) {
  const core::State& state = loop_.core().state();
  const std::string_view path = request.path;
  if (path == "/v1/status") return reply(200, status_view(loop_, journal_, storage_));
  if (path == "/v1/servers" && request.query_value("ended") == "1")
    return reply(200, ended_view(state));
  if (path == "/v1/servers") return servers(request);
  if (path == "/v1/parties") return page<core::PartyId>(request, state, parties_view);
  if (path == "/v1/tickets") return page<core::TicketId>(request, state, tickets_view);
  if (path == "/v1/matches") return page<core::MatchId>(request, state, matches_view);
  if (const auto id = between(path, tickets_path, why_suffix)) return why(*id);
  if (path.starts_with(servers_path)) return server(path.substr(servers_path.size()));
  if (path == "/live") return reply(200, {{"live", true}});
  if (path == "/ready") return ready();
  if (path == "/metrics")
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics_view(loop_, journal_, storage_)};
  if (path == "/debug/events") {
    const auto last = number(request, "last", 100, last_events);
    if (!last) return out_of_range("last", last_events);
    return reply(200, events_view(loop_.recent(), *last));
  }
  if (path == "/") {
    json::array paths = {"/v1/status", "/v1/servers", "/v1/tickets", "/v1/matches",
                         "/live",      "/ready",      "/metrics",    "/debug/events"};
    if (ledger_) paths.emplace_back("/v1/bans");
    return reply(200, {{"muster", version}, {"paths", std::move(paths)}});
  }
  if (path == "/v1/stop" || path == "/v1/reload" || path == "/v1/drain" || path == "/v1/undrain")
    return refuse(405, "method_not_allowed", "This is an order: POST it.");
  return not_found(path);
}

HttpResponse Admin::post(const HttpRequest& request) {
  const std::string_view path = request.path;
  if (path == "/v1/stop") return stop(request);
  if (path == "/v1/drain") return drain(request, true);
  if (path == "/v1/undrain") return drain(request, false);
  const auto server = between(path, servers_path, stop_suffix);
  const auto fleet = between(path, fleets_path, clear_suffix);
  if (server || fleet || path == "/v1/reload") {
    if (!body_of(request)) return refuse(400, "body_invalid", "The body must be a JSON object.");
    return server ? stop_server(*server) : fleet ? clear(*fleet) : reload();
  }
  if (const auto id = between(path, players_path, rating_suffix)) return set_rating(*id, request);
  return not_found(fmt::format("POST {}", path));
}

/// Whether players can be served: somebody could launch, and nobody is leaving.
HttpResponse Admin::ready() const {
  const core::State& state = loop_.core().state();
  if (state.stopping) return reply(503, {{"ready", false}, {"reason", "the lobby is stopping"}});
  const bool connected =
      std::ranges::any_of(state.nodes, [](const auto& node) { return bool{node->link}; });
  if (!connected) return reply(503, {{"ready", false}, {"reason", "no node is connected"}});
  if (std::ranges::all_of(state.nodes, [](const auto& node) { return node->draining; }))
    return reply(503, {{"ready", false}, {"reason", "every node is drained"}});
  return reply(200, {{"ready", true}});
}

HttpResponse Admin::server(std::string_view id_text) const {
  const auto id = parse_id<core::ServerId>(id_text);
  const core::State& state = loop_.core().state();
  const core::Server* server = id ? state.servers.find(*id) : nullptr;
  if (!server) return not_found(fmt::format("game server {}", id_text));
  json::object view = server_view(state, *id, *server, true);
  add_use(view);
  return reply(200, view);
}

// Asked for, since it is a look at each process: the lobby does nothing else meanwhile.
HttpResponse Admin::servers(const HttpRequest& request) const {
  const std::string use = request.query_value("use");
  if (!use.empty() && use != "true" && use != "false")
    return refuse(400, "query_invalid", "use must be true or false.");
  return page<core::ServerId>(request, loop_.core().state(),
                              [&](const core::State& state, const Page& wanted) {
                                json::object body = servers_view(state, wanted);
                                if (use == "true")
                                  for (json::value& server : body["servers"].as_array())
                                    add_use(server.as_object());
                                return body;
                              });
}

HttpResponse Admin::why(std::string_view id_text) const {
  const auto id = parse_id<core::TicketId>(id_text);
  const core::State& state = loop_.core().state();
  if (!id || !state.tickets.find(*id)) return not_found(fmt::format("ticket {}", id_text));
  return reply(200, why_view(state, *id));
}

HttpResponse Admin::stop_server(std::string_view id_text) {
  const auto id = parse_id<core::ServerId>(id_text);
  if (!id || !loop_.core().state().servers.find(*id))
    return not_found(fmt::format("game server {}", id_text));
  loop_.post(core::StopServerCommand{*id});
  return reply(202, {{"stopping", to_string(*id)}});
}

HttpResponse Admin::set_rating(std::string_view id_text, const HttpRequest& request) {
  const auto body = body_of(request);
  const json::value* const queue = body ? body->if_contains("queue") : nullptr;
  const json::value* const rating = body ? body->if_contains("rating") : nullptr;
  if (!queue || !queue->is_string() || !rating || !rating->is_int64() || body->size() != 2 ||
      rating->get_int64() < -core::rating_max || rating->get_int64() > core::rating_max)
    return refuse(
        400, "body_invalid",
        fmt::format("The body must be {{\"queue\": \"NAME\", \"rating\": NUMBER}}, a whole "
                    "number from -{0} to {0}.",
                    core::rating_max));
  const core::State& state = loop_.core().state();
  const auto id = parse_id<core::PlayerId>(id_text);
  if (!id || !state.players.find(*id)) return not_found(fmt::format("player {}", id_text));
  const std::string name(queue->get_string());
  bool known = false;
  for (std::size_t i = 0; i < state.queues.size(); ++i)
    known = known || (state.config.queues[i].name == name && !state.queues[i].removed);
  if (!known) return not_found(fmt::format("queue {}", name));
  loop_.post(core::SetRating{*id, name, static_cast<core::Rating>(rating->get_int64())});
  return reply(202, {{"player", to_string(*id)}, {"queue", name}, {"rating", *rating}});
}

HttpResponse Admin::stop(const HttpRequest& request) {
  const auto body = body_of(request);
  bool keep_servers = false;
  bool known = body.has_value();
  for (std::size_t i = 0; known && i < body->size(); ++i) {
    const json::key_value_pair& entry = *(body->begin() + static_cast<std::ptrdiff_t>(i));
    known = entry.key() == "keepServers" && entry.value().is_bool();
    if (known) keep_servers = entry.value().get_bool();
  }
  if (!known)
    return refuse(400, "body_invalid", "The body must be {\"keepServers\": true} or false, or {}.");
  orders_.stop(keep_servers);
  return reply(202, {{"stopping", true}, {"keepServers", keep_servers}});
}

bool Admin::has_fleet(std::string_view name) const {
  const core::State& state = loop_.core().state();
  for (std::size_t i = 0; i < state.fleets.size(); ++i)
    if (!state.fleets[i].removed && state.config.fleets[i].name == name) return true;
  return false;
}

bool Admin::has_node(std::string_view name) const {
  return std::ranges::any_of(loop_.core().state().nodes,
                             [&](const auto& node) { return node->name == name; });
}

HttpResponse Admin::clear(std::string_view fleet) {
  if (!has_fleet(fleet)) return not_found(fmt::format("fleet {}", fleet));
  loop_.post(core::ClearFleet{std::string(fleet)});
  return reply(202, {{"cleared", fleet}});
}

/// One of "fleet", "node", "server" says what; "name" is that of a fleet or a node.
HttpResponse Admin::drain(const HttpRequest& request, bool draining) {
  const auto body = body_of(request);
  const json::key_value_pair* const only = body && body->size() == 1 ? body->begin() : nullptr;
  if (!only || !only->value().is_string())
    return refuse(400, "body_invalid",
                  "The body must be {\"fleet\": NAME}, {\"node\": NAME} or {\"server\": ID}.");
  std::string what(only->key());
  const std::string name(only->value().get_string());
  if (what == "name") {
    if (has_fleet(name) && has_node(name))
      return refuse(409, "name_ambiguous",
                    fmt::format("There are a fleet and a node {:.100}: say which.", name));
    what = has_fleet(name) ? "fleet" : "node";
    if (what == "node" && !has_node(name)) return not_found(fmt::format("fleet or node {}", name));
  }
  if (what == "fleet") {
    if (!has_fleet(name)) return not_found(fmt::format("fleet {}", name));
    loop_.post(core::DrainFleet{name, draining});
  } else if (what == "node") {
    if (!has_node(name)) return not_found(fmt::format("node {}", name));
    loop_.post(core::DrainNode{name, draining});
  } else if (what == "server") {
    const auto id = parse_id<core::ServerId>(name);
    if (!id || !loop_.core().state().servers.find(*id))
      return not_found(fmt::format("game server {}", name));
    loop_.post(core::DrainServer{*id, draining});
  } else {
    return refuse(400, "body_invalid", fmt::format("There is no {:.100} to drain.", what));
  }
  return reply(202, {{"draining", draining}, {what, name}});
}

HttpResponse Admin::reload() {
  const ReloadResult reloaded = orders_.reload();
  if (reloaded) return reply(200, {{"reloaded", true}, {"warnings", lines_of(*reloaded)}});
  return reply(422, {{"error",
                      {{"code", "config_invalid"},
                       {"message", "The configuration was not accepted; nothing has changed."},
                       {"problems", lines_of(reloaded.error())}}}});
}

}  // namespace muster::server
