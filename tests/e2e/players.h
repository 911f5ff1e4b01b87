#pragma once
// The other ends of the lobby's port: players of each dialect, and what speaks classic packets.
// What does not come within patience is thrown.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "proto/player.pb.h"
#include "sockets.h"
#include "wire/classic_packet.h"
#include "wire/frame.h"
#include "wire/websocket.h"

namespace muster::e2e {

using wire::player::Assignment;
using wire::player::ClientMessage;
using wire::player::LobbyMessage;
using wire::player::MatchEnded;
using wire::player::Ticket;
using wire::player::Welcome;

enum class Dialect { native, json, binary };
constexpr Dialect dialects[] = {Dialect::native, Dialect::json, Dialect::binary};
const char* to_string(Dialect dialect);

/// Answers pings by itself, while it waits for something else.
class Player {
 public:
  /// Connects; on WebSocket, upgrades.
  explicit Player(std::uint16_t port, Dialect dialect = Dialect::native,
                  int receive_buffer_bytes = 0);
  /// Connects and says hello.
  Player(std::uint16_t port, const std::string& name, Dialect dialect = Dialect::native);

  Welcome hello(const std::string& name);
  /// With the password "secret". What the lobby says: a welcome or an error.
  LobbyMessage log_in(const std::string& name, bool sign_up = false);
  /// What the lobby says: a welcome or an error.
  LobbyMessage resume(const std::string& session_token);
  Ticket start_match(const std::string& queue = "duel", std::uint32_t seats = 0);
  Ticket cancel_match();
  MatchEnded leave_match();
  /// True if the lobby still answers.
  bool ping();

  Ticket ticket(Ticket::State state);
  /// Throws also if the ticket has failed.
  Assignment assignment();
  MatchEnded match_ended();

  /// Sends with a number of its own, and returns what answers it.
  LobbyMessage ask(ClientMessage message);
  /// The code of the error that answers; empty if something else does.
  std::string refusal(ClientMessage message);
  /// The next of that kind; others are passed over.
  LobbyMessage next(LobbyMessage::BodyCase kind);
  /// The next message that is no ping; nothing once the connection has ended, or the time is over.
  std::optional<LobbyMessage> next(milliseconds wait = patience);
  /// What was said last is on its way; the answer is not waited for.
  bool say(const ClientMessage& message);

  /// The message, framed for this dialect.
  std::string framed(const ClientMessage& message) const;
  Socket& socket() { return socket_; }
  void disconnect() { socket_.close(); }
  /// The lobby has ended the connection, as far as has been read.
  bool closed() const { return closed_; }
  /// Of WebSocket's close frame; 0: none has come.
  int close_code() const { return close_code_; }
  const Welcome& me() const { return me_; }

 private:
  void upgrade();
  void feed(std::string bytes);
  [[noreturn]] void give_up(std::string_view what) const;

  Dialect dialect_;
  Socket socket_;
  wire::FrameReader frames_{1u << 20};
  wire::WsReader websocket_{wire::WsReader::Role::client, 1u << 20};
  std::deque<LobbyMessage> messages_;
  std::uint32_t request_ = 0;
  Welcome me_;
  std::string heard_;  // For give_up().
  bool closed_ = false;
  int close_code_ = 0;
};

/// A classic player or game server.
class ClassicPeer {
 public:
  explicit ClassicPeer(std::uint16_t port) : socket_(port) {}

  bool say(const wire::classic::ToLobby& packet);
  /// The next packet; nothing once the connection has ended.
  std::optional<wire::classic::FromLobby> next();
  /// The next packet of that type; others are passed over.
  template <class Packet>
  Packet next() {
    for (;;) {
      const auto packet = next();
      if (!packet) give_up();
      if (const auto* found = std::get_if<Packet>(&*packet)) return *found;
    }
  }
  wire::classic::LoginOk log_in(const std::string& name, const std::string& password = "");
  std::int8_t sign_up(const std::string& name, const std::string& password);
  Socket& socket() { return socket_; }

 private:
  [[noreturn]] static void give_up();

  Socket socket_;
  wire::classic::PeerReader reader_;
  std::deque<wire::classic::FromLobby> packets_;
};

/// In the duel example's game, by its lines. Who leaves has lost.
class Duelist {
 public:
  explicit Duelist(const Assignment& assignment);
  void say(const std::string& line);
  /// Reads to the next line that begins so.
  std::string hear(std::string_view beginning);
  void leave() { socket_.close(); }

 private:
  Socket socket_;
  std::string heard_;
};

/// Shows a join token to a minimal_server, as a game client would. Returns the name it answers
/// with.
std::string join(const Assignment& assignment);

}  // namespace muster::e2e
