#include "players.h"

#include <fmt/format.h>

#include <stdexcept>

#include "wire/player_message.h"

namespace muster::e2e {
namespace {

constexpr std::uint32_t mask = 0x5a17c3e9;
constexpr std::string_view key = "AAECAwQFBgcICQoLDA0ODw==";

wire::Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

const char* to_string(Dialect dialect) {
  switch (dialect) {
    case Dialect::native:
      return "native";
    case Dialect::json:
      return "WebSocket, JSON";
    case Dialect::binary:
      return "WebSocket, binary";
  }
  return "";
}

Player::Player(std::uint16_t port, Dialect dialect, int receive_buffer_bytes)
    : dialect_(dialect), socket_(port, receive_buffer_bytes) {
  if (dialect == Dialect::native)
    socket_.send("MUST");
  else
    upgrade();
}

Player::Player(std::uint16_t port, const std::string& name, Dialect dialect)
    : Player(port, dialect) {
  hello(name);
}

void Player::upgrade() {
  socket_.send(
      fmt::format("GET /v1/play HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n"
                  "Sec-WebSocket-Protocol: muster.v1.{}\r\n\r\n",
                  key, dialect_ == Dialect::json ? "json" : "proto"));
  std::string head;
  while (head.find("\r\n\r\n") == std::string::npos) {
    const auto bytes = socket_.receive();
    if (!bytes || bytes->empty()) throw std::runtime_error("no answer to the upgrade: " + head);
    head += *bytes;
  }
  if (!head.starts_with("HTTP/1.1 101 ") ||
      head.find(wire::ws_accept_key(key)) == std::string::npos)
    throw std::runtime_error("the upgrade was refused: " + head);
  feed(head.substr(head.find("\r\n\r\n") + 4));
}

Welcome Player::hello(const std::string& name) {
  ClientMessage message;
  message.mutable_hello()->mutable_guest()->set_name(name);
  const LobbyMessage answer = ask(message);
  if (!answer.has_welcome()) give_up("welcome");
  return me_ = answer.welcome();
}

LobbyMessage Player::log_in(const std::string& name, bool sign_up) {
  ClientMessage message;
  auto& account = *message.mutable_hello()->mutable_account();
  account.set_name(name);
  account.set_password("secret");
  account.set_sign_up(sign_up);
  LobbyMessage answer = ask(message);
  if (answer.has_welcome()) me_ = answer.welcome();
  return answer;
}

LobbyMessage Player::resume(const std::string& session_token) {
  ClientMessage message;
  message.mutable_hello()->mutable_resume()->set_session_token(session_token);
  LobbyMessage answer = ask(message);
  if (answer.has_welcome()) me_ = answer.welcome();
  return answer;
}

Ticket Player::start_match(const std::string& queue, std::uint32_t seats) {
  ClientMessage message;
  message.mutable_start_match()->set_queue(queue);
  message.mutable_start_match()->set_seats(seats);
  const LobbyMessage answer = ask(message);
  if (!answer.has_ticket()) give_up("a ticket");
  return answer.ticket();
}

Ticket Player::cancel_match() {
  ClientMessage message;
  message.mutable_cancel_match();
  const LobbyMessage answer = ask(message);
  if (!answer.has_ticket()) give_up("a ticket");
  return answer.ticket();
}

MatchEnded Player::leave_match() {
  ClientMessage message;
  message.mutable_leave_match();
  const LobbyMessage answer = ask(message);
  if (!answer.has_match_ended()) give_up("the match's end");
  return answer.match_ended();
}

bool Player::ping() {
  ClientMessage message;
  message.mutable_ping()->set_number(++request_);
  message.set_request(request_);
  if (!say(message)) return false;
  while (const auto answer = next())
    if (answer->has_pong() && answer->pong().number() == message.ping().number()) return true;
  return false;
}

Ticket Player::ticket(Ticket::State state) {
  for (;;) {
    const LobbyMessage message = next(LobbyMessage::kTicket);
    if (message.ticket().state() == state) return message.ticket();
  }
}

Assignment Player::assignment() {
  while (const auto message = next()) {
    if (message->has_assignment()) return message->assignment();
    if (message->has_ticket() && message->ticket().state() == Ticket::FAILED) break;
  }
  give_up("an assignment");
}

MatchEnded Player::match_ended() { return next(LobbyMessage::kMatchEnded).match_ended(); }

LobbyMessage Player::ask(ClientMessage message) {
  message.set_request(++request_);
  say(message);
  while (auto answer = next())
    if (answer->request() == message.request() || answer->has_error()) return *std::move(answer);
  give_up("an answer to " + message.ShortDebugString());
}

std::string Player::refusal(ClientMessage message) {
  const LobbyMessage answer = ask(std::move(message));
  return answer.has_error() ? answer.error().code() : "";
}

LobbyMessage Player::next(LobbyMessage::BodyCase kind) {
  while (auto message = next())
    if (message->body_case() == kind) return *std::move(message);
  give_up(fmt::format("message {}", static_cast<int>(kind)));
}

std::optional<LobbyMessage> Player::next(milliseconds wait) {
  const auto deadline = steady_clock::now() + wait;
  for (;;) {
    while (!messages_.empty()) {
      LobbyMessage message = std::move(messages_.front());
      messages_.pop_front();
      if (!message.has_ping()) return message;
      ClientMessage pong;
      pong.mutable_pong()->set_number(message.ping().number());
      say(pong);
    }
    if (closed_) return std::nullopt;
    const auto left = std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    auto bytes = socket_.receive(std::max(left, milliseconds{0}));
    if (!bytes) return std::nullopt;
    closed_ = bytes->empty();
    feed(std::move(*bytes));
  }
}

void Player::feed(std::string bytes) {
  const auto take = [&](wire::Encoding encoding, wire::Bytes payload) {
    LobbyMessage& message = messages_.emplace_back();
    if (const auto read = wire::decode(encoding, payload, message); !read)
      throw std::runtime_error("the lobby sent what cannot be read: " + read.error());
    heard_ += message.ShortDebugString() + '\n';
    return true;
  };
  if (dialect_ == Dialect::native) {
    if (!frames_.feed(as_bytes(bytes),
                      [&](wire::Bytes payload) { return take(wire::Encoding::binary, payload); }))
      throw std::runtime_error("the lobby sent a malformed frame");
    return;
  }
  std::span<std::uint8_t> rest(reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size());
  for (wire::WsMessage message;;) {
    const auto read = websocket_.next(rest, message);
    if (read == wire::WsRead::more) return;
    if (read == wire::WsRead::failed)
      throw std::runtime_error("the lobby sent a malformed WebSocket frame");
    switch (message.opcode) {
      case wire::WsOpcode::text:
      case wire::WsOpcode::binary: {
        const bool json = message.opcode == wire::WsOpcode::text;
        if (json != (dialect_ == Dialect::json))
          throw std::runtime_error("the lobby speaks the wrong subprotocol");
        take(json ? wire::Encoding::json : wire::Encoding::binary, message.payload);
        break;
      }
      case wire::WsOpcode::ping: {
        std::string pong;
        wire::append_ws_masked_frame(
            pong, wire::WsOpcode::pong,
            {reinterpret_cast<const char*>(message.payload.data()), message.payload.size()}, mask);
        socket_.send(pong);
        break;
      }
      case wire::WsOpcode::close:
        close_code_ = message.close_code;
        heard_ += fmt::format("close {}\n", message.close_code);
        break;
      default:
        break;
    }
  }
}

std::string Player::framed(const ClientMessage& message) const {
  std::string bytes;
  if (dialect_ == Dialect::native) {
    wire::append_frame(bytes, message);
    return bytes;
  }
  const bool json = dialect_ == Dialect::json;
  std::string payload;
  wire::append(json ? wire::Encoding::json : wire::Encoding::binary, payload, message);
  wire::append_ws_masked_frame(bytes, json ? wire::WsOpcode::text : wire::WsOpcode::binary, payload,
                               mask);
  return bytes;
}

bool Player::say(const ClientMessage& message) { return socket_.send(framed(message)); }

void Player::give_up(std::string_view what) const {
  throw std::runtime_error(fmt::format("{}: waited in vain for {}{}. What was heard:\n{}",
                                       me_.name(), what,
                                       closed_ ? ", and the connection has ended" : "", heard_));
}

bool ClassicPeer::say(const wire::classic::ToLobby& packet) {
  std::string bytes;
  wire::classic::append(bytes, packet);
  return socket_.send(bytes);
}

std::optional<wire::classic::FromLobby> ClassicPeer::next() {
  while (packets_.empty()) {
    const auto bytes = socket_.receive();
    if (!bytes) give_up();
    if (bytes->empty()) return std::nullopt;
    wire::Bytes rest = as_bytes(*bytes);
    for (;;) {
      wire::classic::FromLobby packet;
      const auto read = reader_.next(rest, packet);
      if (read == wire::classic::Read::malformed)
        throw std::runtime_error("the lobby sent a malformed classic packet");
      if (read == wire::classic::Read::more) break;
      packets_.push_back(packet);
    }
  }
  auto packet = std::move(packets_.front());
  packets_.pop_front();
  return packet;
}

wire::classic::LoginOk ClassicPeer::log_in(const std::string& name, const std::string& password) {
  say(wire::classic::Login{name, password});
  return next<wire::classic::LoginOk>();
}

std::int8_t ClassicPeer::sign_up(const std::string& name, const std::string& password) {
  say(wire::classic::SignUp{name, password});
  return next<wire::classic::SignUpOk>().success;
}

void ClassicPeer::give_up() {
  throw std::runtime_error("a classic peer waited in vain for a packet");
}

Duelist::Duelist(const Assignment& assignment)
    : socket_(static_cast<std::uint16_t>(assignment.port())) {
  say("join " + assignment.join_token());
}

void Duelist::say(const std::string& line) {
  if (!socket_.send(line + '\n')) throw std::runtime_error("the game does not listen");
}

std::string Duelist::hear(std::string_view beginning) {
  for (;;) {
    const std::size_t end = heard_.find('\n');
    if (end == std::string::npos) {
      const auto bytes = socket_.receive();
      if (!bytes || bytes->empty())
        throw std::runtime_error(
            fmt::format("the game has ended: no line begins with {}", beginning));
      heard_ += *bytes;
      continue;
    }
    const std::string line = heard_.substr(0, end);
    heard_.erase(0, end + 1);
    if (line.starts_with(beginning)) return line;
  }
}

std::string join(const Assignment& assignment) {
  Socket socket(static_cast<std::uint16_t>(assignment.port()));
  socket.send(assignment.join_token() + "\n");
  std::string answer;
  if (!socket.ended(&answer)) throw std::runtime_error("the game server does not answer");
  if (!answer.empty() && answer.back() == '\n') answer.pop_back();
  return answer;
}

}  // namespace muster::e2e
