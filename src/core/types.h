#pragma once
// Small values that events and effects share.

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"
#include "core/ids.h"

namespace muster::core {

/// 128 random bits, drawn outside the core. With the player's id it is the session token.
using Secret = std::array<std::uint8_t, 16>;

/// A fact about a player that the game server is told: number, text, or set of texts.
struct Attribute {
  std::string name;  // 1 to 64 bytes.
  std::variant<double, std::string, std::vector<std::string>> value;
  bool operator==(const Attribute&) const = default;
};

/// One player of a ticket.
struct TicketMember {
  PlayerId player;
  std::uint32_t seats = 1;
  std::vector<Attribute> attributes;
};

/// One player of a party, as all of it are told.
struct PartyView {
  PlayerId player;
  std::string name;
  bool away = false;  // Disconnected, and has resume_grace to come back.
  std::vector<Attribute> attributes;
};
/// What a party is found by. Drawn outside the core, of letters and digits that look like no other.
constexpr std::size_t party_code_bytes = 8;
constexpr std::string_view party_code_alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

constexpr double rule_number_max = 1e9;  // Of an attribute in a rule, and of a limit; either way.
/// A number of a rule, in thousandths: rules compare integers. Nothing if it is no number up to
/// rule_number_max.
inline std::optional<std::int64_t> thousandths(double number) {
  if (!(std::abs(number) <= rule_number_max)) return std::nullopt;
  return std::llround(number * 1000);
}

/// How far a player is from a region, as their client measured it.
struct RegionLatency {
  std::string region;
  std::uint32_t ms = 0;
  bool operator==(const RegionLatency&) const = default;
};
constexpr std::size_t regions_max = 32;           // Of a player's measurements, and of a queue.
constexpr std::uint32_t latency_ms_max = 60'000;  // Of a measurement, and of a limit.

/// Who somebody is to others: their account, or, of a guest, that one stay.
struct PlayerKey {
  std::int64_t account = 0;  // 0: a guest.
  PlayerId guest;
  auto operator<=>(const PlayerKey&) const = default;
};
/// Somebody with whom a player does not want to play, as they were called; and their account, if
/// they were known then and had one.
struct Blocked {
  PlayerId player;
  std::int64_t account = 0;
};
constexpr std::size_t blocked_max = 256;  // By one player.

/// A port of a game server beside the main one, as [fleet.port.NAME] calls it.
struct NamedPort {
  std::string name;
  std::uint16_t port = 0;
  bool operator==(const NamedPort&) const = default;
};
using NamedPorts = std::vector<NamedPort>;

/// How strong a player is, as the lobby's side says; what is usual in the field is around 1500.
using Rating = std::int32_t;
constexpr Rating rating_max = 1'000'000;  // Either way: -1000000 to 1000000.

enum class TicketState : std::uint8_t {
  queued,
  matched,
  assigned,
  cancelled,
  expired,
  failed,
  offered,  ///< Its match is found; its players are asked whether they are there.
};
enum class ServerState : std::uint8_t {
  starting,
  ready,
  reserved,
  allocated,
  shutdown,
  unhealthy,
  error
};
enum class ForkParentState : std::uint8_t {
  loading,  ///< Not at its fork point yet.
  loaded,   ///< Launches are copies of it.
  failed,   ///< Ended, or of no use.
};
enum class MatchState : std::uint8_t { launching, playing, offered };
enum class MatchEnd : std::uint8_t {
  over,         ///< The game server said so, or left with exit code 0.
  server_lost,  ///< It died, hung, or its node did.
  timed_out,    ///< match_timeout.
  cancelled,    ///< An operator stopped the server, or the lobby is stopping.
  left,         ///< This player left it; the others may play on.
};

/// One player of a match, as the game server and the others are told.
struct RosterEntry {
  PlayerId player;
  std::string name;
  std::uint32_t team = 0;
  std::uint32_t seats = 1;
  std::vector<Attribute> attributes;
  std::int64_t account = 0;  // 0: a guest. Game servers are not told.
  bool operator==(const RosterEntry&) const = default;
};
using Roster = std::vector<RosterEntry>;

/// Seats of a team that nobody has: the game's own players are to take them.
struct TeamBots {
  std::uint32_t team = 0;
  std::uint32_t count = 0;
  bool operator==(const TeamBots&) const = default;
};

std::string_view to_string(TicketState state);  // "queued" …
std::string_view to_string(ServerState state);
std::string_view to_string(ForkParentState state);
std::string_view to_string(MatchState state);
std::string_view to_string(MatchEnd end);

}  // namespace muster::core
