#pragma once
// ClientMessage and LobbyMessage (proto/player.proto) as bytes: protobuf's binary form and its JSON
// mapping, one message each, without framing.

#include <cstdint>
#include <expected>
#include <string>

#include "proto/player.pb.h"
#include "wire/frame.h"  // Bytes

namespace muster::wire {

enum class Encoding : std::uint8_t { binary, json };

/// Reads one whole message into `out`, whose memory is reused. An error is a sentence for people:
/// what was wrong and, in JSON, where; `out` then holds nothing of use. Unknown JSON fields are
/// errors (a misspelt one would otherwise be obeyed as its default); unknown binary ones are
/// skipped, as protobuf programs expect.
std::expected<void, std::string> decode(Encoding encoding, Bytes bytes, player::ClientMessage& out);
std::expected<void, std::string> decode(Encoding encoding, Bytes bytes, player::LobbyMessage& out);

/// Appends one message. Equal messages give equal bytes: map entries are sorted by key. In JSON,
/// names are lowerCamelCase; a LobbyMessage shows every number, text, enum and list, also at its
/// default, except `request` when it is 0; a ClientMessage shows what is set.
void append(Encoding encoding, std::string& out, const player::ClientMessage& message);
void append(Encoding encoding, std::string& out, const player::LobbyMessage& message);

}  // namespace muster::wire
