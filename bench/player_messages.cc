#include "bench/player_messages.h"

#include <fmt/format.h>

#include "proto/player.pb.h"
#include "wire/frame.h"

namespace muster::bench {
namespace {

using wire::player::ClientMessage;
using wire::player::LobbyMessage;

/// A WebSocket message from a client: final, binary unless said otherwise, masked as the protocol
/// asks, with a mask of zeros so that masking changes nothing.
std::string masked(std::string_view payload, char first_byte = '\x82') {
  std::string out(1, first_byte);
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else {
    out += static_cast<char>(0x80 | 126);
    out += static_cast<char>(payload.size() >> 8);
    out += static_cast<char>(payload.size() & 0xff);
  }
  out.append(4, '\0');
  return out.append(payload);
}

std::string encode(Dialect dialect, const ClientMessage& message) {
  if (dialect == Dialect::websocket) return masked(message.SerializeAsString());
  std::string out;
  wire::append_frame(out, message);
  return out;
}

}  // namespace

Kind kind_of(std::string_view message) {
  std::size_t at = 0;
  if (!message.empty() && message[0] == 0x08) {  // Field 1, the request: a varint to step over.
    at = 1;
    while (at < message.size() && (message[at] & 0x80) != 0) ++at;
    ++at;
  }
  if (at >= message.size()) return Kind::none;
  return static_cast<Kind>(static_cast<std::uint8_t>(message[at]) >> 3);
}

std::string opening(Dialect dialect) {
  if (dialect == Dialect::native) return "MUST";
  return "GET /v1/play HTTP/1.1\r\n"
         "Host: 127.0.0.1\r\n"
         "Upgrade: websocket\r\n"
         "Connection: Upgrade\r\n"
         "Sec-WebSocket-Key: bXVzdGVyIGJlbmNobWFyaw==\r\n"
         "Sec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Protocol: muster.v1.proto\r\n\r\n";
}

std::string hello(Dialect dialect, const std::string& name) {
  ClientMessage message;
  message.set_request(1);
  message.mutable_hello()->mutable_guest()->set_name(name);
  return encode(dialect, message);
}

std::string start_match(Dialect dialect, const std::string& queue) {
  ClientMessage message;
  message.set_request(2);
  message.mutable_start_match()->set_queue(queue);
  return encode(dialect, message);
}

std::string resume(Dialect dialect, const std::string& session_token) {
  ClientMessage message;
  message.set_request(1);
  message.mutable_hello()->mutable_resume()->set_session_token(session_token);
  return encode(dialect, message);
}

std::string start_alone(Dialect dialect, std::uint32_t number) {
  ClientMessage message;
  message.set_request(2);
  message.mutable_start_match()->set_queue("alone");
  (*message.mutable_start_match()->mutable_attributes())["number"].set_number(number);
  return encode(dialect, message);
}

std::string pong(Dialect dialect, std::string_view ping) {
  LobbyMessage asked;
  asked.ParseFromArray(ping.data(), static_cast<int>(ping.size()));
  ClientMessage message;
  message.mutable_pong()->set_number(asked.ping().number());
  return encode(dialect, message);
}

std::string websocket_pong(std::string_view payload) { return masked(payload, '\x8a'); }

std::string session_token(std::string_view lobby_message) {
  LobbyMessage message;
  message.ParseFromArray(lobby_message.data(), static_cast<int>(lobby_message.size()));
  return message.welcome().session_token();
}

std::string error_text(std::string_view lobby_message) {
  LobbyMessage message;
  message.ParseFromArray(lobby_message.data(), static_cast<int>(lobby_message.size()));
  return fmt::format("{}: {}", message.error().code(), message.error().message());
}

Transcript sample_transcript() {
  const auto framed = [](const LobbyMessage& message) {
    std::string out;
    wire::append_frame(out, message);
    return out;
  };
  LobbyMessage welcome;
  welcome.set_request(1);
  welcome.mutable_welcome()->set_player_id("41.3");
  welcome.mutable_welcome()->set_session_token("41.3." + std::string(32, 'f'));
  welcome.mutable_welcome()->set_name("player-0");

  LobbyMessage ticket;
  ticket.set_request(2);
  ticket.mutable_ticket()->set_ticket_id("41.7");
  ticket.mutable_ticket()->set_queue("bench");
  ticket.mutable_ticket()->set_state(wire::player::Ticket::QUEUED);
  ticket.mutable_ticket()->set_players(1);
  ticket.mutable_ticket()->set_players_needed(2);

  LobbyMessage assignment;
  auto& a = *assignment.mutable_assignment();
  a.set_match_id("3.120");
  a.set_server_id("3.1");
  a.set_host("127.0.0.1");
  a.set_port(7001);
  a.set_join_token(std::string(330, 'e'));  // A JWT: header, claims and signature in base64url.
  a.set_queue("bench");
  a.set_ticket_id("41.7");
  for (const char* id : {"41.3", "42.3"}) {
    auto& player = *a.add_players();
    player.set_player_id(id);
    player.set_name("player-0");
    player.set_seats(1);
  }
  return {framed(welcome), framed(ticket), framed(ticket) + framed(assignment),
          framed(ticket) + framed(assignment)};
}

}  // namespace muster::bench
