// Names of the core's closed sets, as logs, traces and the wire's error codes show them.
#include <array>
#include <type_traits>

#include "core/config.h"
#include "core/effect.h"
#include "core/error.h"
#include "core/event.h"
#include "core/types.h"

namespace muster::core {
namespace {

struct ErrorText {
  Error error;
  std::string_view code;
  std::string_view message;
};

constexpr ErrorText error_texts[] = {
    {Error::none, "none", "No error."},
    {Error::message_invalid, "message_invalid",
     "The message could not be understood. See docs/protocol.md for its form."},
    {Error::rate_limited, "rate_limited", "Too many messages at once. Wait a moment and go on."},
    {Error::not_identified, "not_identified", "Say hello first."},
    {Error::already_identified, "already_identified", "This session has already said hello."},
    {Error::name_invalid, "name_invalid",
     "A name has 1 to 32 bytes of UTF-8 without control characters."},
    {Error::lobby_full, "lobby_full", "The lobby is full. Try again later."},
    {Error::session_expired, "session_expired",
     "Nobody is known by that session token any more. Say hello as a new guest."},
    {Error::session_token_invalid, "session_token_invalid",
     "That session token is not one this lobby gave out."},
    {Error::resumed_elsewhere, "resumed_elsewhere", "This player came back on another connection."},
    {Error::login_refused, "login_refused", "There is no account with that name and password."},
    {Error::name_taken, "name_taken", "An account with that name exists."},
    {Error::storage_unavailable, "storage_unavailable",
     "Accounts cannot be read or written at the moment. Try again later."},
    {Error::queue_not_found, "queue_not_found", "There is no queue of that name."},
    {Error::already_queued, "already_queued",
     "There is a ticket already. Cancel it before starting another match."},
    {Error::already_in_match, "already_in_match",
     "There is a match already. Leave it before starting another."},
    {Error::not_queued, "not_queued", "There is no ticket to cancel."},
    {Error::not_in_match, "not_in_match", "There is no match to leave."},
    {Error::seats_invalid, "seats_invalid",
     "Seats are 1 to the number of players the queue's match has."},
    {Error::attributes_invalid, "attributes_invalid",
     "Attributes are at most attributes_max; names 1 to 64 bytes, texts at most 256, numbers "
     "finite."},
    {Error::queue_draining, "queue_draining",
     "That queue takes no new players at the moment. Try again later."},
    {Error::ticket_expired, "ticket_expired", "No match was found in time."},
    {Error::launch_failed, "launch_failed",
     "The game server could not be started. The operator finds the reason in its log."},
    {Error::fleet_crash_loop, "fleet_crash_loop",
     "The game servers of that queue keep failing. The operator finds the reason in ctl status."},
    {Error::queue_removed, "queue_removed", "That queue is no more."},
    {Error::no_port_free, "no_port_free", "Every port for game servers is in use."},
    {Error::node_unavailable, "node_unavailable", "No machine is there to run a game server."},
    {Error::server_lost, "server_lost", "The game server was lost."},
    {Error::lobby_stopping, "lobby_stopping", "The lobby is going down."},
    {Error::port_not_assigned, "port_not_assigned",
     "The lobby has assigned that port to no game server that is starting."},
    {Error::owner_not_verified, "owner_not_verified",
     "The connection does not belong to the game server launched with that port."},
    {Error::not_a_server, "not_a_server", "Only a game server may say that."},
    {Error::server_not_found, "server_not_found", "There is no game server of that id."},
    {Error::banned, "banned", "This account is banned."},
    {Error::account_required, "account_required",
     "That queue is for accounts. Log in with a name and a password."},
    {Error::encryption_required, "encryption_required",
     "A password is taken only over a connection that others cannot read. Use the lobby's "
     "encrypted address."},
    {Error::standings_invalid, "standings_invalid",
     "The standings are not those of the match. See docs/ratings.md for their form."},
    {Error::latency_invalid, "latency_invalid",
     "Latencies are of at most 32 regions, with names of 1 to 32 bytes and 0 to 60000 ms."},
    {Error::latency_missing, "latency_missing",
     "That queue is played in regions. Say how many milliseconds it is to one of them at least."},
    {Error::latency_too_high, "latency_too_high",
     "No region of that queue is near enough to play in."},
    {Error::blocked_invalid, "blocked_invalid", "A block list has at most 256 ids of players."},
    {Error::already_in_party, "already_in_party", "There is a party already. Leave it first."},
    {Error::not_in_party, "not_in_party", "There is no party. Create or join one first."},
    {Error::party_not_found, "party_not_found", "No party has that code."},
    {Error::party_codes_wrong, "party_codes_wrong",
     "Too many codes that no party has. Wait a minute and try again."},
    {Error::party_code_taken, "party_code_taken", "That code could not be had. Try again."},
    {Error::party_full, "party_full", "That party is full."},
    {Error::party_queued, "party_queued",
     "That party is looking for a match. It can be joined when its ticket has ended."},
    {Error::party_busy, "party_busy", "Not everybody of the party is free to play."},
    {Error::party_too_big, "party_too_big",
     "The party has more players than a team of that queue."},
    {Error::not_party_leader, "not_party_leader", "Only the leader of the party may do that."},
    {Error::not_party_member, "not_party_member", "Nobody else in the party has that id."},
    {Error::party_kicked, "party_kicked", "The leader has taken this player out of the party."},
    {Error::no_match_offered, "no_match_offered", "There is no match to accept or decline."},
    {Error::match_offered, "match_offered", "Not while a match is offered. Answer it first."},
    {Error::match_accepted, "match_accepted",
     "The match is accepted. Wait until the others have answered."},
    {Error::match_declined, "match_declined", "A match was offered and declined."},
    {Error::match_not_accepted, "match_not_accepted",
     "A match was offered and not accepted in time."},
    {Error::queue_penalty, "queue_penalty",
     "A match of that queue was not accepted; it takes this player again later."},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(error_texts); ++i)
    if (error_texts[i].error != static_cast<Error>(i)) return false;
  return error_texts[std::size(error_texts) - 1].error == Error::queue_penalty;
}
static_assert(in_order(), "one row per Error, in the enum's order");

template <class Variant, std::size_t N>
std::string_view name_in(const std::array<std::string_view, N>& names, const Variant& variant) {
  static_assert(std::variant_size_v<Variant> == N, "one name per alternative");
  return names[variant.index()];
}

}  // namespace

std::string_view code(Error error) { return error_texts[static_cast<std::size_t>(error)].code; }

std::string_view message(Error error) {
  return error_texts[static_cast<std::size_t>(error)].message;
}

std::optional<Error> error_from_code(std::string_view text) {
  for (const ErrorText& row : error_texts)
    if (row.code == text) return row.error;
  return std::nullopt;
}

std::string_view to_string(TicketState state) {
  constexpr std::string_view names[] = {"queued",  "matched", "assigned", "cancelled",
                                        "expired", "failed",  "offered"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(ServerState state) {
  constexpr std::string_view names[] = {"starting", "ready",     "reserved", "allocated",
                                        "shutdown", "unhealthy", "error"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(SdkKind kind) {
  constexpr std::string_view names[] = {"muster", "classic", "agones", "none"};
  return names[static_cast<std::size_t>(kind)];
}

std::string_view to_string(ForkParentState state) {
  constexpr std::string_view names[] = {"loading", "loaded", "failed"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(MatchState state) {
  constexpr std::string_view names[] = {"launching", "playing", "offered"};
  return names[static_cast<std::size_t>(state)];
}

std::string_view to_string(MatchEnd end) {
  constexpr std::string_view names[] = {"over", "server_lost", "timed_out", "cancelled", "left"};
  return names[static_cast<std::size_t>(end)];
}

std::string_view name_of(const Event& event) {
  static constexpr std::array<std::string_view, 48> names = {
      "SessionOpened",      "SessionClosed",      "Hello",
      "ResumeSession",      "StartMatch",         "CancelMatch",
      "LeaveMatch",         "ClassicServerLogin", "ClassicServerReset",
      "NodeConnected",      "NodeLost",           "ServerLaunched",
      "LaunchFailed",       "ServerReady",        "ServerExited",
      "ServerUnhealthy",    "ServerNoted",        "OwnerVerified",
      "PlayerJoined",       "PlayerLeft",         "MatchOver",
      "PlayersCounted",     "ShutdownRequested",  "ServerAllocated",
      "ServerReserved",     "ForkParentChanged",  "StopServerCommand",
      "LobbyStopping",      "DeadlineReached",    "ConfigReloaded",
      "ClearFleet",         "DrainFleet",         "DrainNode",
      "DrainServer",        "LobbyStarted",       "NodeReported",
      "SetRating",          "ResultRecorded",     "RatingsChanged",
      "AccountBanned",      "CreateParty",        "JoinParty",
      "LeaveParty",         "KickFromParty",      "PromoteInParty",
      "SetPartyAttributes", "AcceptMatch",        "DeclineMatch"};
  return name_in(names, event);
}

std::string_view name_of(const Effect& effect) {
  static constexpr std::array<std::string_view, 17> names = {
      "SendWelcome",    "SendError",          "SendTicket",         "SendAssignment",
      "SendMatchEnded", "SendServerLoginOk",  "CloseSession",       "LaunchServer",
      "StopServer",     "StartServerMatch",   "RemoveServerPlayer", "EndServerMatch",
      "VerifyOwner",    "AcknowledgeReports", "RecordResult",       "SendRating",
      "SendParty"};
  return name_in(names, effect);
}

}  // namespace muster::core
