#pragma once
// Refusals: each has a stable code that programs may compare, and a sentence for people.

#include <cstdint>
#include <optional>
#include <string_view>

namespace muster::core {

enum class Error : std::uint8_t {
  none,
  // The message itself.
  message_invalid,  ///< Not decodable, or a field is out of its range.
  rate_limited,     ///< More messages than the session may send.
  // Sessions and players.
  not_identified,         ///< A command before hello.
  already_identified,     ///< A second hello on one session.
  name_invalid,           ///< Empty, too long, or not printable UTF-8.
  lobby_full,             ///< players_max reached.
  session_expired,        ///< Resume: nobody is known by that token any more.
  session_token_invalid,  ///< Resume: the token is not the one this player was given.
  resumed_elsewhere,      ///< This session's player came back on another one.
  login_refused,          ///< Unknown account or wrong password.
  name_taken,             ///< Sign-up: an account has that name.
  storage_unavailable,    ///< A durable action cannot be done now (disk full, for example).
  // Tickets.
  queue_not_found,
  already_queued,
  already_in_match,
  not_queued,          ///< Cancel without a ticket.
  not_in_match,        ///< Leave without a match.
  seats_invalid,       ///< Fewer than one seat, or more than the queue's match has.
  attributes_invalid,  ///< Too many, too long, or not finite.
  queue_draining,      ///< Its fleet is drained: no new tickets for now.
  // Why a ticket failed or a match ended early.
  ticket_expired,
  launch_failed,     ///< launch_attempts_max servers did not become Ready.
  fleet_crash_loop,  ///< The same, while all of the fleet's servers fail.
  queue_removed,     ///< The configuration was reloaded without the queue.
  no_port_free,      ///< Every port of the fleet is in use or set aside.
  node_unavailable,  ///< No node is connected that could launch.
  server_lost,       ///< The game server died or hung during the match.
  lobby_stopping,
  // Game servers.
  port_not_assigned,   ///< Classic login with a port no Starting server has.
  owner_not_verified,  ///< The connection is not the launched process's.
  not_a_server,        ///< A game server's command from somebody else.
  server_not_found,
  // Accounts and results.
  banned,               ///< Login, or a session that was there: the account is banned.
  account_required,     ///< A guest in a queue that is for accounts only.
  encryption_required,  ///< Login with a password over a connection that others can read.
  standings_invalid,    ///< A result's standings are not those of its match: it is not rated.
  // Regions.
  latency_invalid,   ///< More than 32 regions, or milliseconds out of range.
  latency_missing,   ///< The queue is played in regions, and the player has measured none of them.
  latency_too_high,  ///< No region of the queue will ever be near enough.
  blocked_invalid,   ///< A block list that is too long, or of what are no players' ids.
  // Parties.
  already_in_party,   ///< Leave it first.
  not_in_party,       ///< A command about a party, without one.
  party_not_found,    ///< Join: no party has that code.
  party_codes_wrong,  ///< Join: too many codes that there are none of.
  party_code_taken,   ///< Create: the code that was drawn is in use, or is none.
  party_full,         ///< party_size_max.
  party_queued,       ///< Join: its ticket waits already.
  party_busy,         ///< Start: one of them is in a match.
  party_too_big,      ///< Start: for any team of the queue.
  not_party_leader,   ///< Only the leader may.
  not_party_member,   ///< Kick, promote: nobody else in this party has that id.
  party_kicked,       ///< The leader has taken this player out.
  // Matches that are offered.
  no_match_offered,    ///< Accept, decline: nothing is asked.
  match_offered,       ///< Not while the party is asked.
  match_accepted,      ///< Too late to take it back.
  match_declined,      ///< The ticket ended: one of its players declined.
  match_not_accepted,  ///< The ticket ended: one of its players did not answer.
  queue_penalty,       ///< Start: not yet again in that queue.
};

/// "queue_not_found": the enumerator's own name, stable across versions.
std::string_view code(Error error);

/// The reverse of code().
std::optional<Error> error_from_code(std::string_view text);

/// One sentence: what was wrong and, where there is something to do, what.
std::string_view message(Error error);

}  // namespace muster::core
