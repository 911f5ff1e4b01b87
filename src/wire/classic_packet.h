#pragma once
// The classic packets: little-endian, packed, first byte the size of the whole packet, second the
// type. A packet may come split anywhere, or several in one read. docs/protocol.md lists them.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <variant>

#include "wire/frame.h"  // Bytes

namespace muster::wire::classic {

/// Names and passwords travel as char[21]: at most 20 bytes and a NUL. A longer one is cut when
/// encoded; one without NUL is taken whole when decoded.
constexpr std::size_t text_bytes = 21;
constexpr std::size_t packet_bytes_max = 55;

// ---- To the lobby.

/// GL_PACKET_LOGIN: "I am the game server that listens on this port".
struct ServerLogin {
  std::uint16_t port = 0;  // Travels as i16; 40000 is -25536 there.
  bool operator==(const ServerLogin&) const = default;
};
/// GL_PACKET_SERVER_RESET: the match is over.
struct ServerReset {
  bool operator==(const ServerReset&) const = default;
};
/// CL_PACKET_LOGIN.
struct Login {
  std::string name;
  std::string password;
  bool operator==(const Login&) const = default;
};
/// CL_PACKET_SIGNUP.
struct SignUp {
  std::string name;
  std::string password;
  bool operator==(const SignUp&) const = default;
};
/// CL_PACKET_MATCH_REQUEST.
struct MatchRequest {
  std::int16_t amount = -1;  // Seats; -1 is one.
  bool operator==(const MatchRequest&) const = default;
};
using ToLobby = std::variant<ServerLogin, ServerReset, Login, SignUp, MatchRequest>;

// ---- From the lobby.

/// LG_PACKET_LOGIN_OK, to a game server. Shares its type with LC_PACKET_LOGIN_OK; the size tells.
struct ServerLoginOk {
  bool operator==(const ServerLoginOk&) const = default;
};
/// LC_PACKET_LOGIN_OK, to a player.
struct LoginOk {
  std::int32_t id = 0;
  std::string name;
  std::int8_t success = 0;  // 1 ok, 0 or less refused.
  std::int32_t coin = 0;
  std::int16_t skin = 0;
  std::int8_t items = 0;
  std::array<std::uint8_t, 20> item{};
  bool operator==(const LoginOk&) const = default;
};
/// LC_PACKET_SIGNUP_OK.
struct SignUpOk {
  std::int8_t success = 0;
  bool operator==(const SignUpOk&) const = default;
};
/// LC_PACKET_MATCH_UPDATE.
struct MatchUpdate {
  std::int32_t players = 0;
  bool operator==(const MatchUpdate&) const = default;
};
/// LC_PACKET_MATCH_RESPONSE: connect to this port on the lobby's host.
struct MatchResponse {
  std::uint16_t port = 0;
  std::int16_t player_type = 0;  // 0 player, 1 AI.
  bool operator==(const MatchResponse&) const = default;
};
using FromLobby = std::variant<ServerLoginOk, LoginOk, SignUpOk, MatchUpdate, MatchResponse>;

/// Appends one packet.
void append(std::string& out, const ToLobby& packet);
void append(std::string& out, const FromLobby& packet);

enum class Read : std::uint8_t {
  packet,     ///< One packet is there; ask again.
  more,       ///< All bytes are taken; more are needed.
  malformed,  ///< No such size and type: the stream is of no further use.
};

namespace detail {
template <class Packet>
Read next(Bytes& bytes, std::unique_ptr<std::array<std::uint8_t, packet_bytes_max>>& held,
          std::uint8_t& held_bytes, Packet& packet);
}  // namespace detail

/// Takes packets off a byte stream. `Packet` is what the other side sends: ToLobby or FromLobby.
/// Holds memory only while a packet is unfinished. Not thread-safe.
template <class Packet>
class Reader {
 public:
  /// Takes bytes off the front of `bytes` until one packet is whole.
  Read next(Bytes& bytes, Packet& packet) {
    return detail::next(bytes, held_, held_bytes_, packet);
  }
  bool unfinished() const { return held_bytes_ != 0; }

 private:
  std::unique_ptr<std::array<std::uint8_t, packet_bytes_max>> held_;
  std::uint8_t held_bytes_ = 0;
};
using LobbyReader = Reader<ToLobby>;   // What the lobby reads.
using PeerReader = Reader<FromLobby>;  // What a player or game server reads.

}  // namespace muster::wire::classic
