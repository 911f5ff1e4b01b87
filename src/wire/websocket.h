#pragma once
// WebSocket (RFC 6455) without I/O: bytes in, messages out, and the frames to send. By hand, since
// the library at hand (wslay) keeps over 8 KB per connection, and an idle player here may cost less
// than 2 KB in all. No extensions.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "wire/frame.h"  // Bytes

namespace muster::wire {

enum class WsOpcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

// Close codes that this side uses.
constexpr std::uint16_t ws_normal = 1000;
constexpr std::uint16_t ws_going_away = 1001;
constexpr std::uint16_t ws_protocol_error = 1002;
constexpr std::uint16_t ws_unsupported = 1003;
constexpr std::uint16_t ws_no_status = 1005;  // Never sent: a close frame came without a code.
constexpr std::uint16_t ws_bad_text = 1007;
constexpr std::uint16_t ws_policy = 1008;
constexpr std::uint16_t ws_too_big = 1009;

/// A whole message, or a control frame.
struct WsMessage {
  WsOpcode opcode = WsOpcode::text;  // text, binary, close, ping or pong; never continuation.
  Bytes payload;                     // A close frame's: its reason. Good until the next call.
  std::uint16_t close_code = 0;      // Of a close frame; ws_no_status if it had none.
};

enum class WsRead : std::uint8_t {
  message,  ///< One is there; ask again.
  more,     ///< All bytes are taken; more are needed.
  failed,   ///< Close with error(): the stream is of no further use.
};

/// Takes messages off a byte stream, however it was cut. Fragments are joined, and control frames
/// between them come out at once. Holds memory only while a message is unfinished. Not thread-safe.
class WsReader {
 public:
  enum class Role : std::uint8_t { server, client };

  /// A server insists on masked frames, a client on unmasked ones. A message may have 0 to
  /// `message_bytes_max` bytes.
  WsReader(Role role, std::uint32_t message_bytes_max);
  ~WsReader();
  WsReader(WsReader&&) noexcept;
  WsReader& operator=(WsReader&&) noexcept;

  /// Takes bytes off the front of `bytes` until one message is whole. Unmasks in place.
  WsRead next(std::span<std::uint8_t>& bytes, WsMessage& message);

  /// After failed: the code to close with.
  std::uint16_t error() const { return error_; }
  /// True while a frame or a fragmented message has begun and is not whole.
  bool unfinished() const { return held_ != nullptr; }
  /// True while fragments of a message have come and its last has not.
  bool fragmented() const;

 private:
  struct Header;
  struct Held;
  WsRead fail(std::uint16_t code);
  WsRead check(const Header& header);
  WsRead finish(const Header& header, Bytes payload, WsMessage& message);
  Held& held();

  std::unique_ptr<Held> held_;
  std::unique_ptr<std::string> finished_;  // What the last call handed out, if it was gathered.
  std::uint32_t message_bytes_max_;
  std::uint16_t error_ = 0;
  Role role_;
};

/// Appends an unmasked frame, as a server sends it.
void append_ws_frame(std::string& out, WsOpcode opcode, std::string_view payload);
/// The same in two steps, for a payload whose size is known and which is appended right after.
void append_ws_header(std::string& out, WsOpcode opcode, std::size_t payload_bytes);
/// A close frame; `reason` is cut at 123 bytes.
void append_ws_close(std::string& out, std::uint16_t code, std::string_view reason);
/// Appends a masked frame, as a client sends it. `last` is false for all but the last fragment.
void append_ws_masked_frame(std::string& out, WsOpcode opcode, std::string_view payload,
                            std::uint32_t mask, bool last = true);

/// The Sec-WebSocket-Accept for a Sec-WebSocket-Key.
std::string ws_accept_key(std::string_view key);
/// True if it is the base64 of 16 bytes, as a Sec-WebSocket-Key must be.
bool ws_key_valid(std::string_view key);
/// True for well-formed UTF-8 (no surrogates, no overlong forms, nothing above U+10FFFF).
bool is_utf8(Bytes text);

}  // namespace muster::wire
