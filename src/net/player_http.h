#pragma once
// What the player port says to HTTP: a page for people, /live, and the upgrade to WebSocket.

#include <string>
#include <variant>

#include "net/http.h"
#include "wire/player_message.h"  // Encoding

namespace muster::net {

/// The client may speak WebSocket from here on; `head` is the 101 to send first.
struct WebSocketUpgrade {
  std::string head;
  wire::Encoding encoding = wire::Encoding::json;
};

/// Answers one request.
std::variant<HttpResponse, WebSocketUpgrade> answer_player_http(const HttpRequest& request);

}  // namespace muster::net
