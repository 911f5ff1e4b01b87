#include "agones/rest_connection.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "agones/json.h"
#include "proto/agones.pb.h"

namespace muster::agones {
namespace pb = wire::agones;
namespace {

constexpr std::uint32_t websocket_message_bytes_max = 4096;  // A watcher has nothing to say.

struct Route {
  std::string_view verb;
  std::string_view path;  // "*" stands for one segment, or its part before a ':'.
  Method method;
};

constexpr std::string_view watch_path = "/watch/gameserver";
constexpr std::string_view add_value = ":addValue", remove_value = ":removeValue";

constexpr Route routes[] = {
    {"POST", "/ready", Method::ready},
    {"POST", "/allocate", Method::allocate},
    {"POST", "/shutdown", Method::shutdown},
    {"POST", "/health", Method::health},
    {"POST", "/reserve", Method::reserve},
    {"GET", "/gameserver", Method::get_game_server},
    {"GET", watch_path, Method::watch_game_server},
    {"PUT", "/metadata/label", Method::set_label},
    {"PUT", "/metadata/annotation", Method::set_annotation},
    {"GET", "/v1beta1/counters/*", Method::get_counter},
    {"PATCH", "/v1beta1/counters/*", Method::update_counter},
    {"GET", "/v1beta1/lists/*", Method::get_list},
    {"PATCH", "/v1beta1/lists/*", Method::update_list},
    {"POST", "/v1beta1/lists/*:addValue", Method::add_list_value},
    {"POST", "/v1beta1/lists/*:removeValue", Method::remove_list_value},
    {"PUT", "/alpha/player/capacity", Method::set_player_capacity},
    {"GET", "/alpha/player/capacity", Method::get_player_capacity},
    {"GET", "/alpha/player/count", Method::get_player_count},
    {"POST", "/alpha/player/connect", Method::player_connect},
    {"POST", "/alpha/player/disconnect", Method::player_disconnect},
    {"GET", "/alpha/player/connected", Method::get_connected_players},
    {"GET", "/alpha/player/connected/*", Method::is_player_connected},
};

/// What stands for the '*', "" if the pattern has none; nothing if the path is not of that form.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos)
    return pattern == path ? std::optional<std::string_view>("") : std::nullopt;
  const std::string_view before = pattern.substr(0, star), after = pattern.substr(star + 1);
  if (path.size() <= before.size() + after.size() || !path.starts_with(before) ||
      !path.ends_with(after))
    return std::nullopt;
  path.remove_prefix(before.size());
  path.remove_suffix(after.size());
  if (path.find('/') != std::string_view::npos) return std::nullopt;
  if (after.empty() && (path.ends_with(add_value) || path.ends_with(remove_value)))
    return std::nullopt;  // That is a list's name and what to do with it.
  return path;
}

int http_status(Code code) {
  switch (code) {
    case Code::ok:
      return 200;
    case Code::invalid_argument:
    case Code::out_of_range:
      return 400;
    case Code::not_found:
      return 404;
    case Code::already_exists:
      return 409;
    case Code::resource_exhausted:
      return 429;
    case Code::unimplemented:
      return 501;
    case Code::internal:
      break;
  }
  return 500;
}

Status bad_json() { return {Code::invalid_argument, "the body is not the JSON that this wants"}; }

// "a,b" of ?update_mask=a,b; else what the body has.
void set_mask(const wire::HttpRequest& http, pb::UpdateListRequest& request) {
  std::string given = http.query_value("update_mask");
  if (given.empty()) given = http.query_value("updateMask");
  if (given.empty()) {
    for (std::string& key : keys_of_json(http.body))
      if (key == "capacity" || key == "values")
        request.mutable_update_mask()->add_paths(std::move(key));
    if (request.update_mask().paths().empty()) request.mutable_update_mask()->add_paths("name");
    return;
  }
  for (std::string_view rest = given; !rest.empty();) {
    const std::string_view path = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), path.size() + 1));
    request.mutable_update_mask()->add_paths(std::string(path));
  }
}

/// Body, path and query make the message that gRPC would have brought.
Status read_request(const Route& route, const wire::HttpRequest& http, const std::string& name,
                    Message& request) {
  if (route.verb == "GET") {  // Unity's SDK sends a body with it, which says nothing.
    if (auto* counter = dynamic_cast<pb::GetCounterRequest*>(&request)) counter->set_name(name);
    if (auto* list = dynamic_cast<pb::GetListRequest*>(&request)) list->set_name(name);
    if (auto* player = dynamic_cast<pb::PlayerID*>(&request)) player->set_playerid(name);
    return {};
  }
  if (route.method == Method::health)  // A ping for each object; as good as one.
    return count_json_objects(http.body) > 0 ? Status{} : bad_json();
  Message* into = &request;
  auto* const counter = dynamic_cast<pb::UpdateCounterRequest*>(&request);
  auto* const list = dynamic_cast<pb::UpdateListRequest*>(&request);
  if (counter) into = counter->mutable_counterupdaterequest();
  if (list) into = list->mutable_list();
  if (!from_json(http.body, *into)) return bad_json();
  if (counter) counter->mutable_counterupdaterequest()->set_name(name);
  if (list) list->mutable_list()->set_name(name);
  if (list) set_mask(http, *list);
  if (auto* value = dynamic_cast<pb::ListValueRequest*>(&request)) value->set_name(name);
  return {};
}

wire::HttpResponse respond(const Status& status) {
  return {.status = http_status(status.code), .body = to_json(status), .headers = {}};
}

wire::HttpResponse answer(Host& host, const wire::HttpRequest& http) {
  bool path_known = false;
  for (const Route& route : routes) {
    const auto name = match(route.path, http.path);
    if (!name) continue;
    path_known = true;
    if (route.verb != http.method) continue;
    const std::unique_ptr<Message> request(request_of(route.method).New());
    const std::unique_ptr<Message> reply(reply_of(route.method).New());
    Status status = read_request(route, http, wire::resolve_escapes(*name), *request);
    if (status.ok()) status = host.call(route.method, *request, *reply);
    if (!status.ok()) return respond(status);
    return {.body = to_json(*reply), .headers = {}};
  }
  if (path_known) return respond({Code::unimplemented, "Method Not Allowed"});
  return respond({Code::not_found, "Not Found"});
}

bool has_token(std::string_view list, std::string_view token) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  std::string text(list);
  std::ranges::transform(text, text.begin(), lower);
  return text.find(token) != std::string::npos;
}

}  // namespace

RestConnection::RestConnection(Host& host)
    : host_(host), reader_(head_bytes_max, message_bytes_max) {}

bool RestConnection::feed(wire::Bytes bytes) {
  switch (mode_) {
    case Mode::requests:
      in_.append(bytes.begin(), bytes.end());
      read_requests();
      break;
    case Mode::chunked:  // Whatever it still says: nobody asked.
      break;
    case Mode::websocket:
      read_websocket(bytes);
      break;
    case Mode::closed:
      break;
  }
  return open();
}

void RestConnection::read_requests() {
  wire::Bytes rest(reinterpret_cast<const std::uint8_t*>(in_.data()), in_.size());
  while (mode_ == Mode::requests && out_.size() < pending_bytes_max / 4) {
    wire::HttpRequest request;
    const auto read = reader_.next(rest, request);
    if (read == wire::HttpReader::Read::request) {
      on_request(request, reader_.keep_alive());
      continue;
    }
    if (reader_.take_expects_continue()) out_ += "HTTP/1.1 100 Continue\r\n\r\n";
    if (read == wire::HttpReader::Read::failed) {
      Status status{Code::invalid_argument, std::string(wire::status_text(reader_.status()))};
      wire::append_response(
          out_, {.status = reader_.status(), .body = to_json(status), .headers = {}}, false, false);
      mode_ = Mode::closed;
    }
    break;
  }
  if (mode_ == Mode::websocket && !rest.empty()) {
    const std::string after(rest.begin(), rest.end());
    in_.clear();
    return read_websocket({reinterpret_cast<const std::uint8_t*>(after.data()), after.size()});
  }
  if (mode_ != Mode::requests) rest = {};
  in_.erase(0, in_.size() - rest.size());
  if (in_.empty()) in_.shrink_to_fit();
}

void RestConnection::on_request(const wire::HttpRequest& request, bool keep_alive) {
  if (request.method == "GET" && request.path == watch_path && begin_watch(request)) return;
  wire::append_response(out_, answer(host_, request), keep_alive, request.method == "HEAD");
  if (!keep_alive) mode_ = Mode::closed;
}

bool RestConnection::begin_watch(const wire::HttpRequest& request) {
  if (has_token(request.header("upgrade"), "websocket")) {
    const std::string_view key = request.header("sec-websocket-key");
    if (!wire::ws_key_valid(key) || request.header("sec-websocket-version") != "13") {
      wire::append_response(
          out_, respond({Code::invalid_argument, "not a WebSocket handshake of version 13"}), false,
          false);
      mode_ = Mode::closed;
      return true;
    }
    out_ +=
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: ";
    out_ += wire::ws_accept_key(key) + "\r\n\r\n";
    websocket_ =
        std::make_unique<wire::WsReader>(wire::WsReader::Role::server, websocket_message_bytes_max);
    mode_ = Mode::websocket;
  } else {
    wire::append_chunked_head(out_, "application/json");
    mode_ = Mode::chunked;
  }
  watch();
  return true;
}

void RestConnection::read_websocket(wire::Bytes bytes) {
  std::string unmasked(bytes.begin(), bytes.end());  // It is unmasked in place.
  std::span<std::uint8_t> rest(reinterpret_cast<std::uint8_t*>(unmasked.data()), unmasked.size());
  while (mode_ == Mode::websocket) {
    wire::WsMessage message;
    const wire::WsRead read = websocket_->next(rest, message);
    if (read == wire::WsRead::more) return;
    if (read == wire::WsRead::failed || message.opcode == wire::WsOpcode::close) {
      const bool asked = read != wire::WsRead::failed;
      wire::append_ws_close(out_, asked ? wire::ws_normal : websocket_->error(), {});
      mode_ = Mode::closed;
    } else if (message.opcode == wire::WsOpcode::ping) {
      if (out_.size() > pending_bytes_max) mode_ = Mode::closed;  // It asks and does not listen.
      wire::append_ws_frame(
          out_, wire::WsOpcode::pong,
          {reinterpret_cast<const char*>(message.payload.data()), message.payload.size()});
    }
  }
}

void RestConnection::changed() {
  if (!streaming()) return;
  stale_ = true;
  if (out_.size() < unsent_watch_bytes_max) watch();
}

/// Only the newest state counts: what came between is merged into it.
void RestConnection::watch() {
  stale_ = false;
  pb::GameServer now;
  if (!host_.call(Method::watch_game_server, pb::Empty::default_instance(), now).ok()) return;
  const std::string line = R"({"result":)" + to_json(now) + "}";
  if (mode_ == Mode::websocket)
    wire::append_ws_frame(out_, wire::WsOpcode::text, line);
  else
    wire::append_chunk(out_, line + "\n");
}

void RestConnection::produce(std::string& out, std::size_t bytes_max) {
  while (out.size() < bytes_max) {
    if (stale_ && streaming() && out_.size() < unsent_watch_bytes_max) watch();
    if (out_.empty() && mode_ == Mode::requests && !in_.empty()) {
      const std::size_t before = in_.size();
      read_requests();
      if (in_.size() == before) return;  // Nothing whole among it.
    }
    if (out_.empty()) return;
    const std::size_t n = std::min(out_.size(), bytes_max - out.size());
    out.append(out_, 0, n);
    out_.erase(0, n);
    if (out_.empty()) out_.shrink_to_fit();
  }
}

}  // namespace muster::agones
