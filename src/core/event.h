#pragma once
// The closed list of everything that can happen to the core. An adapter turns the world into these;
// server/loop gives each a number and a time and steps the core with it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/types.h"

namespace muster::core {

struct Config;

// ---- From sessions (net). `request` is the client's own number, echoed in the reply; 0 is none.

/// A connection whose first bytes told its dialect. `resumable` is false for classic ones, which
/// cannot come back: their player goes with the connection.
struct SessionOpened {
  SessionId session;
  bool resumable = true;
};
struct SessionClosed {
  SessionId session;
};
/// A guest, or an account that net has already checked. An account has one player: who logs in
/// while it is there takes its place, as by ResumeSession.
struct Hello {
  SessionId session;
  std::uint32_t request = 0;
  std::string name;
  Secret secret{};           // Fresh; becomes part of the session token.
  std::int64_t account = 0;  // 0: a guest.
  std::vector<StoredRating> ratings;
};
struct ResumeSession {
  SessionId session;
  std::uint32_t request = 0;
  PlayerId player;
  Secret secret{};
};
struct StartMatch {
  SessionId session;
  std::uint32_t request = 0;
  std::string queue;  // Empty: the queue classic_queue names.
  std::int32_t seats = 1;
  std::vector<Attribute> attributes;
  std::vector<RegionLatency> latency;            // By region; none: as the player said last.
  std::optional<std::vector<PlayerId>> blocked;  // Nothing: as the player said last.
};
struct CancelMatch {
  SessionId session;
  std::uint32_t request = 0;
};
/// The player is done with the match they were assigned to, whatever the others do.
struct LeaveMatch {
  SessionId session;
  std::uint32_t request = 0;
};
/// A classic game server: "I listen on this port". Believed only once OwnerVerified says so.
struct ClassicServerLogin {
  SessionId session;
  std::uint16_t port = 0;
};
/// A classic game server: the match is over, make me Ready again.
struct ClassicServerReset {
  SessionId session;
};

// ---- From nodes (net/node_link).

/// A game server that a node was running before this link: taken back, or stopped if unknown.
struct ServerReport {
  ServerId server;
  std::string fleet;
  std::uint16_t port = 0;
  std::uint32_t pid = 0;
  bool ready = false;
  MatchId match;              // The match it was last told of and has not ended.
  std::uint32_t version = 0;  // launch_version() of what it was launched with; 0: unknown.
  bool reserved = false;      // By its own word, as ServerReserved says it.
  bool allocated = false;     // By its own word, as ServerAllocated says it.
  bool forked = false;
  NamedPorts ports;           // Beside the main one.
  std::uint32_t players = 0;  // As PlayersCounted has it.
};
/// `host` is what players are told to connect to. NodeIds are issued by net.
struct NodeConnected {
  NodeId node;
  std::string name;
  std::string host;
  std::vector<ServerReport> servers;
  std::string limits;  // Which limits of game servers it can enforce, for people.
  // Tells this process of the node from its next; and the number of the last of its reports that
  // came before this (see NodeReported).
  std::string run;
  std::uint64_t reported = 0;
};
struct NodeLost {
  NodeId node;
};
/// A node numbers what it says about its game servers, and keeps it until it is acknowledged. Every
/// report up to this one has been stepped, in the same turn or before: so a lobby that comes back
/// knows exactly which it has heard.
struct NodeReported {
  NodeId node;
  std::uint64_t number = 0;
};
struct ServerLaunched {
  ServerId server;
  std::uint32_t pid = 0;
  bool forked = false;  // A copy of its fleet's loaded parent.
};
enum class LaunchError : std::uint8_t { port_taken, command_failed, limit_reached };
struct LaunchFailed {
  ServerId server;
  LaunchError error = LaunchError::command_failed;
  std::string detail;      // For people: "exec build/duel: No such file or directory".
  std::uint16_t port = 0;  // port_taken: which of its ports; 0 is the main one.
};
struct ServerReady {
  ServerId server;
};
struct ServerExited {
  ServerId server;
  std::int32_t exit_code = 0;       // 0 to 255; -1 if a signal ended it.
  std::int32_t signal = 0;          // 0 if it exited by itself.
  std::string detail;               // The last line of its output, at most 200 bytes.
  std::string result;               // Of its match, if it left in good order; like MatchOver's,
  std::vector<Standing> standings;  // as are these.
  bool unknown = false;             // How it ended: its node was not the one that launched it.
};
struct ServerUnhealthy {
  ServerId server;
  std::string detail;  // For people; empty: silent for longer than the fleet's health_timeout.
};
/// What the node sees of a Starting server: "it listens on TCP 7777, not on 7003". Replaces the
/// last note; if the server does not become Ready, that is why.
struct ServerNoted {
  ServerId server;
  std::string note;
};
struct OwnerVerified {
  SessionId session;
  ServerId server;
  bool verified = false;
  std::string detail;  // If not: what the kernel said instead.
};
struct PlayerJoined {
  ServerId server;
  PlayerId player;
};
struct PlayerLeft {
  ServerId server;
  PlayerId player;
};
/// `match` guards against a result that arrives after its match: stale ones are ignored.
struct MatchOver {
  ServerId server;
  MatchId match;
  std::string result;               // The game's own, passed on as it is; at most 16 KiB.
  std::vector<Standing> standings;  // None: nobody's rating changes.
};
/// sdk none: how many players its output, or its answer, says there are. Told when it changes.
struct PlayersCounted {
  ServerId server;
  std::uint32_t players = 0;
};
/// The server's own wish to be stopped.
struct ShutdownRequested {
  ServerId server;
  std::string result;  // Of its match, which is over with it; like MatchOver's.
  std::vector<Standing> standings;
};
/// sdk agones: it is in use, by its own word, and gets no match until it says Ready.
struct ServerAllocated {
  ServerId server;
};
/// sdk agones: it is to be left alone until it says Ready. `match` is the one that is over with it;
/// one that it has not heard of yet goes on.
struct ServerReserved {
  ServerId server;
  MatchId match;
  std::string result;
  std::vector<Standing> standings;
};

/// How the loaded parent of a fleet with `fork` is. Nothing is decided by it: a node launches
/// plainly where it cannot fork.
struct ForkParentChanged {
  std::string fleet;
  ForkParentState state = ForkParentState::loading;
  std::uint32_t pid = 0;  // 0: it does not run.
  std::string detail;     // What went wrong last; empty if nothing did.
};

// ---- From the operator, and time.

/// Stop one game server: `muster ctl stop SERVER`.
struct StopServerCommand {
  ServerId server;
};
/// The lobby is back after a restart, with the state that its journal brought it to; `down` is how
/// long it was away. Its connections are gone. Every deadline moves by `down`.
struct LobbyStarted {
  Duration down{};
};
/// How strong a player is in a queue, as the lobby's side knows: never the player's own word. Holds
/// from their next ticket on.
struct SetRating {
  PlayerId player;
  std::string queue;
  Rating rating = 0;  // -rating_max to rating_max.
};
/// The result of that number (RecordResult) is on the disk for good, and so are the ratings that
/// came of it.
struct ResultRecorded {
  std::uint64_t result = 0;
  std::vector<AccountRating> ratings;
};
/// The same ratings by another cause: a new season, or a lobby that is back looks them up.
struct RatingsChanged {
  std::string queue;
  std::vector<AccountRating> ratings;
};
/// The ban is stored: whoever plays as that account leaves.
struct AccountBanned {
  std::int64_t account = 0;
};
/// The lobby is about to leave: refuse new work. With `stop_servers`, end everything.
struct LobbyStopping {
  bool stop_servers = false;
};
/// The configuration as it is from now on, checked like the one at the start. Fleets and queues are
/// known again by their names. Ends no match that is played: game servers whose launch template
/// changed, or whose fleet is gone, finish theirs. See versions.cc.
struct ConfigReloaded {
  std::shared_ptr<const Config> config;
};
/// Forget a fleet's failures and try again at once: `muster ctl clear FLEET`.
struct ClearFleet {
  std::string fleet;
};
/// No new matches and launches there (or, with `draining` false, again); what is Ready is stopped,
/// what plays finishes first. `muster ctl drain` and `undrain`.
struct DrainFleet {
  std::string fleet;
  bool draining = true;
};
struct DrainNode {
  std::string node;  // Its name.
  bool draining = true;
};
struct DrainServer {
  ServerId server;
  bool draining = true;
};
/// Nothing but time: next_deadline() has come. (Every step first does what is due by its time.)
struct DeadlineReached {};

// ---- Parties, and matches that are offered: from sessions.

struct CreateParty {
  SessionId session;
  std::uint32_t request = 0;
  std::string code;  // Fresh: party_code_bytes of party_code_alphabet.
};
struct JoinParty {
  SessionId session;
  std::uint32_t request = 0;
  std::string code;
};
struct LeaveParty {
  SessionId session;
  std::uint32_t request = 0;
};
struct KickFromParty {
  SessionId session;
  std::uint32_t request = 0;
  PlayerId player;
};
/// Makes another the leader.
struct PromoteInParty {
  SessionId session;
  std::uint32_t request = 0;
  PlayerId player;
};
/// The player's own, for the matches that the leader starts.
struct SetPartyAttributes {
  SessionId session;
  std::uint32_t request = 0;
  std::vector<Attribute> attributes;
};
struct AcceptMatch {
  SessionId session;
  std::uint32_t request = 0;
};
struct DeclineMatch {
  SessionId session;
  std::uint32_t request = 0;
};

using Event =
    std::variant<SessionOpened, SessionClosed, Hello, ResumeSession, StartMatch, CancelMatch,
                 LeaveMatch, ClassicServerLogin, ClassicServerReset, NodeConnected, NodeLost,
                 ServerLaunched, LaunchFailed, ServerReady, ServerExited, ServerUnhealthy,
                 ServerNoted, OwnerVerified, PlayerJoined, PlayerLeft, MatchOver, PlayersCounted,
                 ShutdownRequested, ServerAllocated, ServerReserved, ForkParentChanged,
                 StopServerCommand, LobbyStopping, DeadlineReached, ConfigReloaded, ClearFleet,
                 DrainFleet, DrainNode, DrainServer, LobbyStarted, NodeReported, SetRating,
                 ResultRecorded, RatingsChanged, AccountBanned, CreateParty, JoinParty, LeaveParty,
                 KickFromParty, PromoteInParty, SetPartyAttributes, AcceptMatch, DeclineMatch>;

/// "StartMatch": the event's name, for logs and traces.
std::string_view name_of(const Event& event);

}  // namespace muster::core
