#pragma once
// The core's whole state: pools of things under ids, and the orders they stand in. Plain data; the
// rules are in turn.h and its .cc files, what must hold between the parts is in invariants.cc.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/slot_map.h"
#include "base/slot_mirror.h"
#include "base/timer_heap.h"
#include "core/config.h"
#include "core/fleet_ports.h"
#include "core/ids.h"
#include "core/types.h"
#include "core/wait_estimate.h"

namespace muster::core {

class RuleMatcher;

using NodeIndex = std::uint32_t;  ///< Position in State::nodes.

/// A connection. Unidentified until its first message makes it a player's or a game server's.
struct Session {
  bool resumable = true;
  PlayerId player;
  ServerId server;  // A classic game server, once believed.
};

/// As it is stored, or as an operator says.
struct PlayerRating {
  QueueIndex queue = 0;
  Rating mean = 0;
  std::uint32_t deviation = 0;
};

/// With whom somebody has played, in a queue that keeps them apart for a while.
struct RecentMatch {
  QueueIndex queue = 0;
  std::vector<PlayerKey> others;
};
/// For having declined a match, or not having answered.
struct QueuePenalty {
  QueueIndex queue = 0;
  Time until{};
  Duration length{};
};

struct Player {
  std::string name;
  Secret secret{};
  SessionId session;  // None while disconnected.
  TicketId ticket;    // At most one of ticket and match.
  MatchId match;
  TimerId grace;                       // Runs while disconnected and not in a match.
  std::vector<PlayerRating> ratings;   // Those that are known; of other queues, rating_default.
  std::int64_t account = 0;            // 0: a guest.
  std::vector<RegionLatency> latency;  // As they said last.
  std::vector<Blocked> blocked;        // The same.
  std::vector<RecentMatch> recent;     // Latest last; of each queue as many as it keeps apart.
  PartyId party;
  std::uint32_t wrong_codes = 0;  // Party codes that there are none of, in a row,
  Time wrong_codes_since{};       // from the first of them on.
  std::vector<QueuePenalty> penalties;
};

struct PartyMember {
  PlayerId player;
  std::vector<Attribute> attributes;  // For their matches.
};
/// Players who stay together. If any of them waits, they wait on one ticket.
struct Party {
  std::string code;
  std::vector<PartyMember> members;  // The leader first; the others in the order they came.
};
inline PlayerId leader_of(const Party& party) { return party.members.front().player; }

/// A wish to play, of one player or of several who stay together. Ended tickets are gone from the
/// pool; their last state was sent.
struct Ticket {
  std::vector<TicketMember> members;  // At least one.
  QueueIndex queue = 0;
  std::uint32_t seats = 1;  // Of its members together.
  TicketState state = TicketState::queued;
  bool held = false;  // One of its players is disconnected: keeps its place, is not matched.
  Time since{};       // Waiting since; survives requeueing.
  MatchId match;      // While matched or offered.
  TimerId expiry;
  TicketPlace place;       // In a queue with rules, while it stands in its line.
  std::uint32_t team = 0;  // While matched, if its match deals teams by ticket.
};

/// What a match remembers of one of its players.
struct MatchPlayer {
  PlayerId player;
  Time since{};              // Of the ticket, for requeueing.
  bool joined = false;       // The game server has seen them.
  std::uint32_t ticket = 0;  // Which of the match's tickets they came on, for requeueing.
};

struct Match {
  std::optional<QueueIndex> queue;  // Nothing: taken back from a node, made before this lobby.
  MatchId known_as;                 // Then: the id that its game server knows it by.
  FleetIndex fleet = 0;
  MatchState state = MatchState::launching;
  ServerId server;                       // While playing.
  std::uint32_t seats = 0;               // Of its tickets, when it was formed.
  bool by_rules = false;                 // Its tickets have their teams.
  std::vector<TeamBots> bots;            // With rules.
  std::vector<TicketId> tickets;         // While offered and launching.
  std::vector<MatchPlayer> players;      // While playing: those who have not left.
  std::shared_ptr<const Roster> roster;  // While playing: all who were assigned.
  std::uint32_t attempts = 0;            // Launches for it that failed.
  ServerId launching;                    // The Starting server launched for it.
  Time since{};                          // Of the state.
  TimerId timer;  // launching: no node; playing: match_timeout; offered: accept_timeout.
  // sdk none, playing, with an end.idle: runs while nobody is there.
  TimerId empty;
  bool anybody_came = false;
  std::string region;              // Of its queue's, if that has any.
  std::vector<PlayerId> accepted;  // While offered: those who have.
  Time accept_until{};             // Then: when its timer is due.
};

struct Server {
  FleetIndex fleet = 0;
  NodeIndex node = 0;
  std::uint16_t port = 0;
  NamedPorts named_ports;
  SdkKind sdk = SdkKind::muster;  // As it was launched.
  std::uint32_t version = 0;      // launch_version() of the same; 0: unknown.
  ServerState state = ServerState::starting;
  bool draining = false;  // Gets no further match.
  bool proven = false;    // Was Ready long enough, or ended a match in order: the command works.
  bool stopping = false;  // StopServer has been sent.
  Time killed_at{};       // Then: when it gets SIGKILL for not having ended.
  std::string reason;     // Why it is, or is going to be, stopped; for people.
  std::uint32_t pid = 0;  // 0 until the node has said it.
  bool forked = false;    // A copy of its fleet's loaded parent.
  MatchId match;          // While allocated; none if it has allocated itself.
  MatchId launched_for;   // While starting; none for a warm one.
  SessionId session;      // sdk classic, once believed.
  Time launched{};        // Or taken back.
  Time ready_at{};        // When it was Ready for the first time.
  Time since{};           // Of the state.
  TimerId timer;          // starting: launch_timeout; ready: idle_timeout.
  std::string note;       // What the node sees of it that is not as it should be.
  std::uint32_t players = 0;  // sdk none: as the node counts them.
};

/// What the node says of the process that a fleet's game servers are copies of.
struct ForkParent {
  ForkParentState state = ForkParentState::loading;
  std::uint32_t pid = 0;
  std::string detail;
  Time since{};  // Of the state.
};

/// What remains of a game server: how it ended.
struct EndedServer {
  ServerId server;
  std::string fleet;
  std::string node;
  std::uint16_t port = 0;
  std::uint32_t pid = 0;
  std::uint32_t version = 0;
  ServerState state = ServerState::starting;  // Its last.
  Time launched{};
  Time ended{};
  std::string reason;  // Why it was stopped, or what it did instead: "died while Ready".
  std::string exit;    // "exit code 1: assert failed: main.cc:12".
};
constexpr std::size_t ended_max = 200;

/// Why the result of a match was not taken.
struct RefusedResult {
  MatchId match;
  Time at{};
  Error error = Error::none;
  std::string detail;
};

struct Node {
  NodeId link;  // None while disconnected.
  bool draining = false;
  std::string name;
  std::string host;
  std::string limits;          // Which it can enforce, for people.
  TimerId lost;                // Runs while disconnected: then its game servers are lost.
  std::string run;             // Which process of it was linked last,
  std::uint64_t reported = 0;  // and the last of its reports that was stepped.
};

/// sdk agones: in use or set aside by its own word, so that it gets no match until it says Ready.
inline bool holds_itself(const Server& server) {
  return server.state == ServerState::reserved ||
         (server.state == ServerState::allocated && !server.match);
}

/// Waiting tickets of one size stand in order of age, ties by id.
using WaitingLine = std::set<std::pair<Time, TicketId>>;

/// Owns the matcher of a queue with rules; empty without.
class MatcherSlot {
 public:
  MatcherSlot();
  explicit MatcherSlot(const QueueConfig& config);
  MatcherSlot(MatcherSlot&&) noexcept;
  MatcherSlot& operator=(MatcherSlot&&) noexcept;
  ~MatcherSlot();

  RuleMatcher* get() { return matcher_.get(); }
  const RuleMatcher* get() const { return matcher_.get(); }
  RuleMatcher* operator->() { return matcher_.get(); }
  const RuleMatcher* operator->() const { return matcher_.get(); }
  explicit operator bool() const { return matcher_ != nullptr; }

  /// For snapshots: who waits. The rules are those of the configuration, by which it was made.
  template <class Writer>
  void save(Writer& writer) const {
    writer.put(matcher_ != nullptr);
    if (matcher_) writer.put(*matcher_);
  }
  template <class Reader>
  void load(Reader& reader) {
    bool is_there = false;
    reader.get(is_there);
    if (is_there != (matcher_ != nullptr)) return reader.fail();
    if (is_there) reader.get(*matcher_);
  }

 private:
  std::unique_ptr<RuleMatcher> matcher_;
};

struct Queue {
  bool removed = false;  // No longer configured: for the matches that were formed from it.
  std::map<std::uint32_t, WaitingLine> waiting;  // By seats; no empty lines.
  std::uint32_t seats_waiting = 0;
  MatcherSlot matcher;              // With rules: who waits is in there instead.
  TimerId widening;                 // Then: when limits grow.
  Time widening_at{};               // What it is set to.
  std::uint32_t gathered_told = 0;  // Without rules: what those in line were told last, in steps.
  Waits waits;                      // Of those who were matched.
};

/// Launching matches in the order they were formed.
using MatchLine = std::set<std::pair<Time, MatchId>>;

struct Fleet {
  std::shared_ptr<const FleetConfig> launch_config;  // As configured now, for launches.
  std::uint32_t version = 0;
  bool removed = false;   // No longer configured: for the game servers that are left of it.
  bool draining = false;  // An operator's wish.
  bool asleep = false;    // Nobody played for scale_to_zero_after: as if ready_min were 0.
  Time used_at{};         // When a ticket last began or ended, or a match ended.
  PortPool ports;
  std::vector<NamedPool> named_ports;
  MatchLine waiting;   // Matches without a server.
  MatchLine unserved;  // Those of them for which none is starting.
  // By whether they are of this version. Used from the back, so that the others may go idle.
  std::vector<ServerId> ready, outdated_ready;
  std::uint32_t starting = 0, outdated_starting = 0;  // Not counting those being stopped.
  std::uint32_t servers = 0;                  // Every process or launch, also stopping ones.
  std::map<std::uint16_t, ServerId> by_port;  // The same, to be found by port.
  std::uint32_t failures = 0;  // In a row: launches that failed, servers that died unproven.
  std::string last_error;      // For the operator: why the last launch failed.
  std::optional<ForkParent> fork_parent;  // While a node has one.
  bool crash_loop = false;  // crash_loop_after failures: one launch at a time, with pauses.
  Time crash_loop_since{};
  Time retry_at{};  // When `retry` is due.
  TimerId retry;    // Backoff of warm launches and in a crash loop, or a port coming back.
  TimerId proof;    // While there are failures: when a server is to be looked at as proven.
  TimerId sleep;    // scale_to_zero_after.
};

inline Fleet new_fleet(const FleetConfig& config) {
  Fleet fleet;
  fleet.launch_config = std::make_shared<const FleetConfig>(config);
  fleet.version = launch_version(config);
  fleet.ports = PortPool(config.ports, port_offsets(config));
  fleet.named_ports = named_pools(config);
  return fleet;
}

enum class TimerKind : std::uint8_t {
  player_grace,
  ticket_expiry,
  match,
  match_empty,
  server,
  node_lost,
  fleet_retry,
  fleet_proof,
  fleet_sleep,
  queue_widening
};
struct Timer {
  TimerKind kind = TimerKind::player_grace;
  std::uint32_t slot = 0;  // Of the id, or the index.
  std::uint32_t generation = 0;
};

struct State {
  explicit State(Config c) : config(std::move(c)) {
    queues.resize(config.queues.size());
    for (std::size_t i = 0; i < queues.size(); ++i)
      queues[i].matcher = MatcherSlot(config.queues[i]);
    for (const FleetConfig& fleet : config.fleets) fleets.push_back(new_fleet(fleet));
  }

  // As of the last ConfigReloaded. Positions stay: what is no longer configured stands here as long
  // as anything refers to it, marked as removed in fleets and queues.
  Config config;
  bool stopping = false;
  Time now{};  // Of the last step.
  SlotMirror<SessionId, Session> sessions;
  SlotMap<PlayerId, Player> players;
  std::uint32_t away = 0;  // Of them: those without a session.
  SlotMap<TicketId, Ticket> tickets;
  SlotMap<MatchId, Match> matches;
  SlotMap<ServerId, Server> servers;
  std::vector<std::unique_ptr<Node>> nodes;
  std::deque<Queue> queues;       // Not moved: timers know their owner.
  std::deque<Fleet> fleets;       // Not moved: timers know their owner.
  std::deque<EndedServer> ended;  // The last ended_max, oldest first.
  TimerHeap<Timer> timers;

  // Counted since start, for status and metrics.
  struct Totals {
    std::uint64_t tickets = 0, matches = 0, launches = 0, launch_failures = 0, servers_lost = 0;
    std::uint64_t crash_loops = 0, reloads = 0;
    std::uint64_t results = 0, results_recorded = 0, results_refused = 0;
    std::uint64_t parties = 0, offers = 0, offers_accepted = 0, offers_failed = 0, penalties = 0;
  } totals;

  // What rated matches came to, as long as it is not known to be on the disk; by number.
  std::map<std::uint64_t, MatchResult> results;
  std::uint64_t results_numbered = 0;
  RefusedResult result_refused;               // The last one.
  std::map<std::int64_t, PlayerId> accounts;  // Those whose player is here.
  SlotMap<PartyId, Party> parties;
  std::map<std::string, PartyId> party_codes;
};

/// Whether a queue forms no matches, because every fleet that would serve them is drained.
inline bool draining(const State& state, QueueIndex queue) {
  return state.config.queues[queue].all_fleets(
      [&](FleetIndex fleet) { return state.fleets[fleet].draining; });
}

}  // namespace muster::core
