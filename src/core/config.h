#pragma once
// What the core is told at start, and again by ConfigReloaded: limits, fleets, queues. Each setting
// has its unit in its type, its default and its range here. The file format is
// server/config_file's, which also checks them.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.h"
#include "core/result.h"
#include "core/types.h"

namespace muster::core {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

struct PortRange {
  std::uint16_t first = 0;  // 1 to 65535.
  std::uint16_t last = 0;   // Inclusive; not below first.
  bool operator==(const PortRange&) const = default;
};

enum class SdkKind : std::uint8_t { muster, classic, agones, none };
std::string_view to_string(SdkKind kind);  // As it is written in the file.
enum class AfterMatch : std::uint8_t { reuse, exit };

/// What the Agones SDK of a fleet's game servers starts with.
struct AgonesCounter {
  std::string name;        // 1 to 63 bytes, unique in the fleet.
  std::int64_t count = 0;  // 0 to capacity.
  std::int64_t capacity = 1000;
  bool operator==(const AgonesCounter&) const = default;
};
struct AgonesList {
  std::string name;                 // 1 to 63 bytes, unique in the fleet.
  std::vector<std::string> values;  // Each once; at most capacity.
  std::int64_t capacity = 1000;     // 0 to 1000.
  bool operator==(const AgonesList&) const = default;
};
struct AgonesConfig {
  bool health = true;                          // Whether its health messages are watched.
  Duration health_period = seconds{5};         // 1 s to 1 h.
  std::uint32_t health_failures_max = 3;       // 1 to 1000 periods in a row without a message.
  Duration health_initial_delay = seconds{5};  // 0 to 1 h after the launch.
  std::uint32_t player_capacity = 0;           // Of player tracking.
  bool fixed_ports = false;  // Also served on ports 9357 and 9358, for engines that know no others.
  std::vector<AgonesCounter> counters;
  std::vector<AgonesList> lists;
  bool operator==(const AgonesConfig&) const = default;
};

/// What a port is looked at for before a launch: both on one number, as a rule.
enum class Protocol : std::uint8_t { both, tcp, udp };

/// A further port of each game server of a fleet, beside the main one: [fleet.port.NAME].
struct PortConfig {
  std::string name;          // [a-z0-9_], 1 to 32 characters; {port.NAME}, MUSTER_PORT_NAME.
  PortRange ports;           // A range of its own; or 0-0, and then:
  std::uint16_t offset = 0;  // 1 to 1000: so far above the main port, within the fleet's `ports`.
  Protocol protocol = Protocol::both;
  bool operator==(const PortConfig&) const = default;
};

/// A request to a UDP port of a game server, and what its answer looks like.
struct UdpQuery {
  std::string port;           // The name of one; empty: the main port.
  std::string send;           // At most 1024 bytes; none: nothing is asked.
  bool placeholders = false;  // Whether `send` has {placeholders}.
  std::string expect;         // Regular expression to be found in the answer; empty: any answer.
  bool operator==(const UdpQuery&) const = default;
};

enum class ReadyKind : std::uint8_t { none, tcp, udp, log, delay };

/// [fleet.ready]: how a game server without any SDK is known to be Ready.
struct ReadyConfig {
  ReadyKind kind = ReadyKind::none;    // sdk none: one of the others.
  std::string port;                    // tcp, udp: the name of one; empty: the main port.
  UdpQuery query;                      // udp: asked once the port is bound, if it sends anything.
  std::string log;                     // log: regular expression to be found in a line.
  Duration delay = seconds{1};         // delay: 0 to 1 h.
  Duration repeat = Duration::zero();  // tcp, udp: looked again so often; 0: never. 1 s to 1 h.
  std::uint32_t failures_max = 3;      // 1 to 100 in a row, then it is Unhealthy.
  bool operator==(const ReadyConfig&) const = default;
};

/// [fleet.end]: how the end of a match is known of a game server without any SDK.
struct EndConfig {
  std::string log;  // Regular expression: a line with it ends the match; its group is the result.
  std::string joined, left;                // Regular expressions: a line of a player's.
  UdpQuery players;                        // Or asked; the expression's group is their number.
  Duration players_interval = seconds{5};  // 100 ms to 10 min: between two times of asking.
  Duration idle = Duration::zero();  // Nobody for so long ends it. 1 s to 1 h; 0: not watched.
  Duration first_player_timeout = minutes{2};  // The same, until the first has come. 0: no limit.
  bool operator==(const EndConfig&) const = default;
};

/// [fleet.files]: a file written for each launch, into a folder of the game server's own.
struct FileConfig {
  static constexpr std::uint32_t text_bytes_max = 64u << 10;
  std::string path;           // Within that folder.
  std::string text;           // With {placeholders}.
  std::string template_file;  // Where the text is from; empty: the configuration itself.
  std::uint32_t mode = 0600;  // Permissions: 0 to 0777.
  bool operator==(const FileConfig&) const = default;
};

/// What one game server may use and be; enforced by the node, which says what it can enforce.
struct ProcessLimits {
  std::uint64_t memory_bytes = 0;     // 1 MiB to 16 TiB, all its processes together. 0: no limit.
  std::uint32_t cpu_thousandths = 0;  // 50 to 1024000, of one core. 0: no limit.
  std::uint32_t processes = 0;        // 1 to 1000000, threads counted. 0: no limit.
  std::uint32_t open_files = 0;       // 16 to 1000000000 for each process. 0: the node's own.
  std::string user;                   // Runs as this user; empty: as the node's.
  std::int32_t nice = 0;              // -20 to 19. 0: the node's.
  bool core_dumps = false;            // Whether a crash may leave one.
  bool no_new_privileges = false;     // Programs like sudo gain nothing.
  bool required = false;  // A launch whose limits cannot be enforced fails. Else it is said.
  bool operator==(const ProcessLimits&) const = default;
};

/// Interchangeable game servers: one command, ports, how many to keep warm.
struct FleetConfig {
  std::string name;                  // Required: [a-z0-9-], 1 to 32 characters, unique.
  std::vector<std::string> command;  // Required: program and arguments, with {placeholders}.
  std::vector<std::pair<std::string, std::string>> env;  // Added to the launch contract's.
  std::string working_directory;  // Empty: the folder of the configuration file.
  PortRange ports;                // Required; no port in two fleets.
  SdkKind sdk = SdkKind::muster;
  std::uint32_t ready_min = 0;            // 0 to servers_max: warm servers; 0 launches on demand.
  std::uint32_t ready_max = 10'000;       // ready_min to 10000: more Ready than that are stopped.
  std::uint32_t servers_max = 64;         // 1 to 10000: Starting, Ready, Allocated together.
  Duration launch_timeout = seconds{30};  // 100 ms to 1 h: launch to Ready.
  std::uint32_t launch_attempts_max = 3;  // 1 to 100 launches for one match.
  AfterMatch after_match = AfterMatch::reuse;
  Duration idle_timeout = minutes{5};  // Ready above ready_min for so long is stopped. 0: never.
  // Without a ticket or match for so long, also those of ready_min are stopped, until the next
  // ticket. 1 s to 168 h. 0: never.
  Duration scale_to_zero_after = Duration::zero();
  std::uint32_t crash_loop_after = 5;          // 0 to 1000 failures in a row; 0: never.
  Duration match_timeout = Duration::zero();   // Longest match; 0: no limit.
  Duration stop_grace = seconds{10};           // SIGTERM to SIGKILL. 0 to 10 min.
  Duration health_timeout = Duration::zero();  // sdk muster: longest silence; 0: not watched.
  // sdk muster: launches are copies of one loaded process that has stopped at its fork point.
  bool fork = false;
  std::uint64_t log_bytes_max = 10u << 20;  // 64 KiB to 1 GiB per log file.
  std::uint32_t log_files_max = 2;          // 1 to 100: the one written and older ones, per server.
  AgonesConfig agones;                      // sdk agones alone.
  Protocol protocol = Protocol::both;       // Of `ports`.
  std::vector<PortConfig> named_ports;      // At most 16.
  ReadyConfig ready;
  EndConfig end;
  std::vector<FileConfig> files;  // At most 16, 256 KiB together.
  ProcessLimits limits;
};

/// Which launch template: equal for two fleets whose game servers are launched alike, on every
/// machine and by every later build. Whatever goes to the node with a launch belongs to it. Never
/// 0.
std::uint32_t launch_version(const FleetConfig& fleet);
/// "3f9a1c02"; "unknown" for 0.
std::string version_text(std::uint32_t version);

/// One team of a queue's matches, or several alike.
struct TeamConfig {
  std::string name;           // [a-z0-9-], 1 to 32 characters; for people.
  std::uint32_t players = 1;  // 1 to 256 seats in each.
  std::uint32_t count = 1;    // 1 to 256 teams alike.
  // Of a match that is not full: so few in each, all alike; and so few teams. As above unless
  // given.
  std::optional<std::uint32_t> players_min;  // 1 to players.
  std::optional<std::uint32_t> count_min;    // 1 to count.
};

/// What an attribute must be like for tickets to play together, or for a ticket to play at all.
enum class RuleKind : std::uint8_t {
  equal,     ///< A text, the same for all.
  any_of,    ///< A text or several; all have at least one in common.
  distance,  ///< A number; the highest and the lowest differ by no more than the limit.
  min,       ///< A number, not below the limit.
  max,       ///< A number, not above the limit.
};
struct RuleConfig {
  std::string name;       // For [[queue.widen]]; the attribute's unless given. Unique in the queue.
  std::string attribute;  // Required: 1 to 64 bytes.
  RuleKind kind = RuleKind::equal;
  std::vector<std::string> values;  // equal, any_of: 1 to 63 texts that there are; no others.
  std::int64_t limit = 0;           // distance, min, max: in thousandths.
};

/// From a waiting time on, a limit has another value for the ticket that has waited so long.
struct WidenConfig {
  // "rating_distance", "team_rating_distance", "players_min", "latency_max", "avoid_recent", or the
  // name of a rule.
  std::string limit;
  Duration after{};     // 1 s to 24 h.
  std::int64_t to = 0;  // Wider than before; of a rule, in thousandths.
};

/// Where a queue's matches may be played: each region has game servers of its own.
struct RegionConfig {
  std::string name;         // [a-z0-9-], 1 to 32 characters; unique in the queue.
  std::uint32_t fleet = 0;  // Index into Config::fleets.
};

/// What a party is worth, of its players' ratings.
enum class PartyRating : std::uint8_t { average, highest, lowest };

/// What a player may choose to play.
struct QueueConfig {
  std::string name;           // Required: [a-z0-9-], 1 to 32 characters, unique.
  std::uint32_t fleet = 0;    // Index into Config::fleets; with regions, that of the first.
  std::uint32_t players = 2;  // 1 to 256 seats in a match.
  std::uint32_t teams = 1;    // 1 to players; seats are dealt to teams in order.
  Duration ticket_timeout = minutes{10};  // 1 s to 24 h: waiting to Expired.
  bool requeue_on_server_lost = false;    // Back to the front, with the waiting time so far.
  std::string map;                        // Passed to the game server; {map}.
  std::string timeout_queue;  // Instead of Expired the ticket goes there; empty: nowhere.

  // Rules. Without any, a match is whoever waits longest and fills it.
  Rating rating_default = 1500;                       // Of a player whose rating nobody has set.
  std::optional<std::uint32_t> rating_distance;       // 0 to 2000000, within a match.
  std::optional<std::uint32_t> team_rating_distance;  // The same, between averages of teams.
  std::vector<TeamConfig> team;                       // Instead of players and teams.
  std::optional<std::uint32_t> players_min;  // 1 to players: so few make a match; players: none.
  bool bots = false;               // Seats that stay empty are for the game's own players.
  std::vector<RuleConfig> rules;   // At most rules_max.
  std::vector<WidenConfig> widen;  // At most widen_max.

  RatingConfig rating;         // How results change ratings. Without a system they are not kept.
  bool accounts_only = false;  // Guests are refused.

  std::vector<RegionConfig> region;              // At most regions_max.
  std::optional<std::uint32_t> latency_max;      // 0 to 60000 ms from each player to the region.
  std::optional<std::uint32_t> latency_default;  // The same, where a player has not measured.

  bool blocks = false;  // Heeds block lists, as every queue with rules does.
  // 0 to avoid_recent_max: with whom somebody played in so many matches, they do not play again.
  std::uint32_t avoid_recent = 0;

  PartyRating party_rating = PartyRating::average;
  std::uint32_t party_rating_bonus = 0;  // 0 to 10000 points for each player beyond the first.
  // 1 s to 5 min for all to accept a match that is found; 0: nobody is asked.
  Duration accept_timeout = Duration::zero();
  // 0 to 24 h without this queue for who does not; twice as long each time, up to the other.
  Duration decline_penalty = seconds{30};
  Duration decline_penalty_max = minutes{10};

  /// Whether matches are formed by rules: then a ticket's seats stay in one team.
  bool ruled() const {
    return rating_distance || team_rating_distance || !team.empty() || !rules.empty() ||
           players_min || !widen.empty() || !region.empty() || blocks || avoid_recent > 0;
  }
  /// Calls f for the index of each fleet that serves its matches, until it says false.
  template <class F>
  bool all_fleets(F&& f) const {
    if (region.empty()) return f(fleet);
    for (const RegionConfig& one : region)
      if (!f(one.fleet)) return false;
    return true;
  }
};
constexpr std::size_t rules_max = 8;
constexpr std::size_t widen_max = 32;
constexpr std::uint32_t avoid_recent_max = 16;
constexpr std::uint32_t avoided_players_max = 256;  // avoid_recent times players: what is kept.

struct Config {
  // Limits of the lobby. Over one, the caller gets lobby_full and nobody else notices.
  std::uint32_t players_max = 100'000;    // 1 to 1000000 players known, connected or in grace.
  std::uint32_t sessions_max = 100'000;   // 1 to 1000000 connections of any kind.
  Duration resume_grace = seconds{30};    // 0 to 1 h: a disconnected player is kept so long.
  std::uint32_t attributes_max = 16;      // Attributes of one ticket.
  Duration port_set_aside = seconds{60};  // A port that turned out taken is not tried for so long.
  std::string classic_queue;              // Queue of a classic match request; empty: the first.
  std::vector<FleetConfig> fleets;
  std::vector<QueueConfig> queues;
  // 1 to 1000000 results that wait to be recorded; past it, matches end without theirs.
  std::uint32_t results_outstanding_max = 10'000;
  std::uint32_t party_size_max = 16;  // 1 to 256 players in a party.
};

}  // namespace muster::core
