#pragma once
// The player protocol's bytes, and what a player and a lobby say to each other in one match.

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::bench {

enum class Dialect : std::uint8_t { native, websocket };

/// What a LobbyMessage carries: its body's field number. Found without decoding the rest, so that a
/// client's own work does not hide the difference between the product and its floor.
enum class Kind : std::uint8_t {
  none = 0,
  welcome = 2,
  ticket = 3,
  assignment = 4,
  match_ended = 5,
  error = 6,
  ping = 7,
  pong = 8
};
Kind kind_of(std::string_view lobby_message);

/// What a client sends before its hello: the four bytes, or the WebSocket request.
std::string opening(Dialect dialect);
std::string hello(Dialect dialect, const std::string& name);
std::string resume(Dialect dialect, const std::string& session_token);
std::string start_match(Dialect dialect, const std::string& queue);
/// In queue "alone", in which no two tickets of different numbers are matched.
std::string start_alone(Dialect dialect, std::uint32_t number);
/// The answer to a Ping.
std::string pong(Dialect dialect, std::string_view ping);
/// The answer to a ping of the WebSocket protocol's own.
std::string websocket_pong(std::string_view payload);
/// Of a welcome.
std::string session_token(std::string_view lobby_message);
/// "queue_not_found: …"
std::string error_text(std::string_view lobby_message);

/// The lobby's frames in a match of two, in the native dialect: what the floors send. Taken from a
/// match the product served where there was one, so that both move the same bytes.
struct Transcript {
  std::string welcome;
  std::string first_ticket;  // To the first player, on pressing Match Start.
  std::string first_rest;    // To the first player, when the second presses: ticket, assignment.
  std::string second_all;    // To the second player.
};
/// One like the product's, for when there is no product to take it from.
Transcript sample_transcript();

}  // namespace muster::bench
