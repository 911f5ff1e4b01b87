#include "net/player_http.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "wire/websocket.h"

namespace muster::net {
namespace {

constexpr std::string_view page = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Muster</title></head>
<body>
<h1>Muster</h1>
<p>This is the lobby of a multiplayer game: it finds who plays together and sends them to a game
server. It is running. There is nothing to see here for a browser; games connect like this:</p>
<ul>
<li>WebSocket at <code>/v1/play</code>, subprotocol <code>muster.v1.json</code> (text, the default)
or <code>muster.v1.proto</code> (binary)</li>
<li>TCP on this port: the four bytes <code>MUST</code>, then frames</li>
</ul>
<p>The first message over WebSocket:
<code>{"request":1,"hello":{"guest":{"name":"ann"}}}</code></p>
</body></html>
)";

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Calls f(element) for each element of a comma-separated header.
template <class F>
void for_each_element(std::string_view list, F&& f) {
  while (!list.empty()) {
    std::string_view element = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), element.size() + 1));
    const auto first = element.find_first_not_of(" \t");
    if (first == std::string_view::npos) continue;
    const auto last = element.find_last_not_of(" \t");
    f(element.substr(first, last - first + 1));
  }
}

bool lists(std::string_view list, std::string_view wanted) {
  bool found = false;
  for_each_element(list,
                   [&](std::string_view e) { found = found || equal_ignoring_case(e, wanted); });
  return found;
}

HttpResponse text(int status, std::string_view body) {
  return {.status = status,
          .content_type = "text/plain; charset=utf-8",
          .body = std::string(body) + "\n"};
}

std::variant<HttpResponse, WebSocketUpgrade> upgrade(const HttpRequest& request) {
  if (request.method != "GET") return text(405, "A WebSocket begins with GET.");
  if (!lists(request.header("upgrade"), "websocket") ||
      !lists(request.header("connection"), "upgrade")) {
    HttpResponse refusal = text(426, "This is where games connect, by WebSocket.");
    refusal.headers = {{"Upgrade", "websocket"}};
    return refusal;
  }
  if (request.header("sec-websocket-version") != "13") {
    HttpResponse refusal = text(426, "Only WebSocket version 13 is spoken here.");
    refusal.headers = {{"Sec-WebSocket-Version", "13"}};
    return refusal;
  }
  const std::string_view key = request.header("sec-websocket-key");
  if (!wire::ws_key_valid(key)) return text(400, "Sec-WebSocket-Key must be 16 bytes in base64.");

  // The client's order is its preference. The header may come several times.
  bool named = false;
  std::optional<wire::Encoding> encoding;
  for (const auto& [name, value] : request.headers) {
    if (name != "sec-websocket-protocol") continue;
    for_each_element(value, [&](std::string_view e) {
      named = true;
      if (!encoding && e == "muster.v1.proto") encoding = wire::Encoding::binary;
      if (!encoding && e == "muster.v1.json") encoding = wire::Encoding::json;
    });
  }
  if (named && !encoding)
    return text(400, "Subprotocols spoken here are muster.v1.proto and muster.v1.json.");

  WebSocketUpgrade out{.head = fmt::format("HTTP/1.1 101 Switching Protocols\r\n"
                                           "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                           "Sec-WebSocket-Accept: {}\r\n",
                                           wire::ws_accept_key(key)),
                       .encoding = encoding.value_or(wire::Encoding::json)};
  if (encoding)
    out.head += fmt::format("Sec-WebSocket-Protocol: muster.v1.{}\r\n",
                            *encoding == wire::Encoding::binary ? "proto" : "json");
  out.head += "\r\n";
  return out;
}

}  // namespace

std::variant<HttpResponse, WebSocketUpgrade> answer_player_http(const HttpRequest& request) {
  if (request.path == "/v1/play") return upgrade(request);
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (request.path != "/" && request.path != "/live") return text(404, "There is nothing here.");
  if (!reads) return text(405, "Only GET and HEAD are understood here.");
  if (request.path == "/live") return text(200, "live");
  return HttpResponse{
      .status = 200, .content_type = "text/html; charset=utf-8", .body = std::string(page)};
}

}  // namespace muster::net
