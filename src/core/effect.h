#pragma once
// The closed list of what the core can ask of the world. Effects leave in the order given, after
// their event has been recorded. One that names a session already gone is dropped by net.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "core/config.h"
#include "core/error.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/types.h"
#include "core/wait_estimate.h"

namespace muster::core {

// ---- To sessions. `request` is the one this answers, or 0 for news nobody asked for.

struct SendWelcome {
  SessionId session;
  std::uint32_t request = 0;
  PlayerId player;
  std::string name;
  Secret secret{};
  bool resumed = false;
};
struct SendError {
  SessionId session;
  std::uint32_t request = 0;
  Error error = Error::none;
  std::string
      detail;  // Added to message(error) for people: which queue, which limit. May be empty.
  Duration retry_after{};  // Known of some: then it may be tried again. Zero: not known.
};
struct SendTicket {
  SessionId session;
  std::uint32_t request = 0;
  TicketId ticket;
  std::string queue;
  TicketState state = TicketState::queued;
  std::uint32_t players = 0;  // Seats gathered so far for the match this ticket is next for.
  std::uint32_t players_needed = 0;
  Error error = Error::none;         // Failed and Expired: why.
  std::optional<WaitEstimate> wait;  // Queued, if enough is known of tickets like it.
  std::uint32_t accepted = 0;        // Offered: players who have accepted,
  std::uint32_t accepts_needed = 0;
  Duration accept_left{};     // and how long the others have.
  bool you_accepted = false;  // Whether this player has.
};
struct SendAssignment {
  SessionId session;
  std::uint32_t request = 0;
  TicketId ticket;
  MatchId match;
  ServerId server;
  PlayerId player;
  std::string player_name;
  std::uint32_t team = 0;
  std::uint32_t seats = 1;
  std::string queue;
  std::string host;
  std::uint16_t port = 0;
  std::shared_ptr<const Roster> roster;
  Time started{};    // Of the match: with it, its id is unique over restarts of the lobby.
  NamedPorts ports;  // Beside the main one.
  std::string region;
};
struct SendMatchEnded {
  SessionId session;
  std::uint32_t request = 0;
  MatchId match;
  MatchEnd end = MatchEnd::over;
  bool requeued = false;  // A ticket with the old waiting time follows.
  std::string result;
};
/// The party as it is now, to each of its members; no party: this player is in none any more.
struct SendParty {
  SessionId session;
  std::uint32_t request = 0;
  PartyId party;
  std::string code;
  std::vector<PartyView> members;  // The leader first.
  Error error = Error::none;       // Why there is none.
};
/// The classic game server is believed: LG_PACKET_LOGIN_OK.
struct SendServerLoginOk {
  SessionId session;
};
/// Sends what is pending, then closes. `error` says why where the dialect can say it.
struct CloseSession {
  SessionId session;
  Error error = Error::none;
};

// ---- To nodes.

struct LaunchServer {
  NodeId node;
  ServerId server;
  FleetIndex fleet = 0;
  std::uint16_t port = 0;
  MatchId match;      // The match it is launched for; none for a warm one.
  std::string queue;  // Of that match; empty for a warm one.
  std::string map;
  std::uint32_t players = 0;
  // How it is launched, as configured at this moment. The fleet's configuration may have changed
  // by the time this is carried out.
  std::shared_ptr<const FleetConfig> config;
  std::uint32_t version = 0;  // launch_version(*config).
  NamedPorts ports;           // Beside the main one.
};
/// SIGTERM, and after `grace` SIGKILL, to the whole process group.
struct StopServer {
  NodeId node;
  ServerId server;
  Duration grace{};
};
/// The server is Allocated: who comes.
struct StartServerMatch {
  NodeId node;
  ServerId server;
  MatchId match;
  std::string queue;
  std::string map;
  std::shared_ptr<const Roster> roster;
  Time started{};
  std::vector<TeamBots> bots;  // In order of team, of those that have any.
};
/// A player will not come, or has left: told to the server's SDK.
struct RemoveServerPlayer {
  NodeId node;
  ServerId server;
  MatchId match;
  PlayerId player;
};
/// The match is ended from the lobby's side (timed out, cancelled): the server should wind up.
struct EndServerMatch {
  NodeId node;
  ServerId server;
  MatchId match;
  MatchEnd end = MatchEnd::cancelled;
};
/// Does the connection of `session` belong to the process launched as `server`, or to a
/// descendant of it? Answered by OwnerVerified.
struct VerifyOwner {
  NodeId node;
  SessionId session;
  ServerId server;
};
/// Everything that this process of the node has reported up to that number is known for good.
struct AcknowledgeReports {
  NodeId node;
  std::string run;
  std::uint64_t number = 0;
};

// ---- To whoever records results (server/ledger). Once more after LobbyStarted, as long as no
// ResultRecorded has come: `match` and `started` tell a result that is recorded already.

struct RecordResult {
  std::uint64_t number = 0;
  std::shared_ptr<const MatchResult> result;
};
/// The player's rating in a queue is another now, and it is stored.
struct SendRating {
  SessionId session;
  std::uint32_t request = 0;
  std::string queue;
  Rating rating = 0;
  std::uint32_t deviation = 0;
  std::int32_t change = 0;
};

using Effect = std::variant<SendWelcome, SendError, SendTicket, SendAssignment, SendMatchEnded,
                            SendServerLoginOk, CloseSession, LaunchServer, StopServer,
                            StartServerMatch, RemoveServerPlayer, EndServerMatch, VerifyOwner,
                            AcknowledgeReports, RecordResult, SendRating, SendParty>;
using Effects = std::vector<Effect>;

/// "LaunchServer": the effect's name, for logs and traces.
std::string_view name_of(const Effect& effect);

}  // namespace muster::core
