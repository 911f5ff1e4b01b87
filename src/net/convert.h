#pragma once
// Between the wire's vocabulary and the core's: the only file that knows both.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/effect.h"
#include "core/event.h"
#include "net/options.h"
#include "proto/player.pb.h"
#include "wire/classic_packet.h"

namespace muster::net {

/// Limits of one ticket's attributes that are net's to keep; how many there may be is the core's.
constexpr std::size_t attribute_name_bytes_max = 64;
constexpr std::size_t attribute_text_bytes_max = 256;
constexpr std::size_t attribute_texts_max = 256;    // Of one attribute.
constexpr std::size_t attributes_bytes_max = 4096;  // Names and texts together.

/// Classic packets have no request numbers; these stand for them in events and effects.
constexpr std::uint32_t classic_login_request = 1;
constexpr std::uint32_t classic_match_request = 2;

struct Refusal {
  core::Error error = core::Error::message_invalid;
  std::string detail;  // For people; may be empty.
};

/// A command of a player as an event. Not for Ping and Pong, which net answers itself. A hello gets
/// a fresh secret.
std::expected<core::Event, Refusal> to_event(core::SessionId session,
                                             const wire::player::ClientMessage& message);
/// A player who may come in: with an account that has been checked, or, as it is in the reply, as a
/// guest.
core::Hello account_hello(core::SessionId session, const AccountRequest& request,
                          const AccountReply& reply);
core::Error to_error(AccountOutcome outcome);

/// A session's effect as a message; false for effects that have none.
bool to_message(const core::Effect& effect, const SignJoinToken& sign_join_token,
                wire::player::LobbyMessage& out);
void to_error(std::uint32_t request, core::Error error, std::string_view detail,
              wire::player::LobbyMessage& out);
/// The same as a classic packet; false for effects that have none. A refused or failed request for
/// a match is told as "0 players gathered".
bool append_classic(const core::Effect& effect, std::string& out);

/// The session an effect is for; none for effects to nodes.
core::SessionId session_of(const core::Effect& effect);

/// "Whoever has it is this player": base64url of the id and the secret, 32 characters.
std::string session_token(core::PlayerId player, const core::Secret& secret);
std::optional<std::pair<core::PlayerId, core::Secret>> parse_session_token(std::string_view text);

}  // namespace muster::net
