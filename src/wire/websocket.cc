#include "wire/websocket.h"

#include <algorithm>
#include <array>
#include <boost/uuid/detail/sha1.hpp>
#include <cstring>

#include "base/check.h"

namespace muster::wire {
namespace {

constexpr std::size_t header_bytes_max = 14;  // 2, a length of 8, a mask of 4.
constexpr std::size_t control_bytes_max = 125;

bool is_control(WsOpcode opcode) { return static_cast<std::uint8_t>(opcode) >= 8; }

void unmask(std::span<std::uint8_t> bytes, const std::array<std::uint8_t, 4>& mask,
            std::uint64_t offset) {
  // Eight bytes at a time; the mask repeats every four, so its phase stays.
  std::array<std::uint8_t, 8> wide;
  for (std::size_t i = 0; i < 8; ++i) wide[i] = mask[(offset + i) % 4];
  std::uint64_t word;
  std::memcpy(&word, wide.data(), 8);
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t data;
    std::memcpy(&data, bytes.data() + i, 8);
    data ^= word;
    std::memcpy(bytes.data() + i, &data, 8);
  }
  for (; i < bytes.size(); ++i) bytes[i] ^= wide[i % 8];
}

bool close_code_valid(std::uint16_t code) {
  if (code >= 3000) return code < 5000;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

constexpr char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

struct WsReader::Header {
  std::uint64_t payload_bytes = 0;
  std::array<std::uint8_t, 4> mask{};
  std::uint8_t reserved = 0;
  WsOpcode opcode = WsOpcode::text;
  bool last = false;
  bool masked = false;
  std::uint8_t bytes = 0;  // Of the header itself; 0: more are needed.

  static Header parse(Bytes in) {
    Header h;
    if (in.size() < 2) return h;
    h.last = in[0] & 0x80;
    h.reserved = in[0] & 0x70;
    h.opcode = static_cast<WsOpcode>(in[0] & 0x0f);
    h.masked = in[1] & 0x80;
    h.payload_bytes = in[1] & 0x7f;
    const std::size_t length_bytes = h.payload_bytes == 126 ? 2 : h.payload_bytes == 127 ? 8 : 0;
    const std::size_t whole = 2 + length_bytes + (h.masked ? 4 : 0);
    if (in.size() < whole) return h;
    if (length_bytes > 0) h.payload_bytes = 0;
    for (std::size_t i = 0; i < length_bytes; ++i)
      h.payload_bytes = h.payload_bytes << 8 | in[2 + i];
    if (h.masked) std::copy_n(in.begin() + 2 + static_cast<long>(length_bytes), 4, h.mask.begin());
    h.bytes = static_cast<std::uint8_t>(whole);
    return h;
  }
};

// What has come of an unfinished frame or message.
struct WsReader::Held {
  std::array<std::uint8_t, header_bytes_max> head;
  std::uint8_t head_bytes = 0;
  Header header;  // Valid once header.bytes is not 0: a frame's payload is being gathered.
  std::uint64_t payload_bytes = 0;           // Of that frame, so far.
  std::string control;                       // A control frame's payload.
  std::string message;                       // A data message's, all fragments so far.
  WsOpcode opcode = WsOpcode::continuation;  // Of the fragmented message; continuation: none.
};

WsReader::WsReader(Role role, std::uint32_t message_bytes_max)
    : message_bytes_max_(message_bytes_max), role_(role) {}
WsReader::~WsReader() = default;
WsReader::WsReader(WsReader&&) noexcept = default;
WsReader& WsReader::operator=(WsReader&&) noexcept = default;

bool WsReader::fragmented() const { return held_ && held_->opcode != WsOpcode::continuation; }

WsReader::Held& WsReader::held() {
  if (!held_) held_ = std::make_unique<Held>();
  return *held_;
}

WsRead WsReader::fail(std::uint16_t code) {
  error_ = code;
  held_.reset();
  return WsRead::failed;
}

// Everything that a header alone can get wrong. `more` means: nothing.
WsRead WsReader::check(const Header& h) {
  if (h.reserved != 0) return fail(ws_protocol_error);
  if (h.masked != (role_ == Role::server)) return fail(ws_protocol_error);
  switch (h.opcode) {
    case WsOpcode::text:
    case WsOpcode::binary:
      if (fragmented()) return fail(ws_protocol_error);
      break;
    case WsOpcode::continuation:
      if (!fragmented()) return fail(ws_protocol_error);
      break;
    case WsOpcode::close:
    case WsOpcode::ping:
    case WsOpcode::pong:
      if (!h.last || h.payload_bytes > control_bytes_max) return fail(ws_protocol_error);
      return WsRead::more;
    default:
      return fail(ws_protocol_error);
  }
  const std::uint64_t before = fragmented() ? held_->message.size() : 0;
  if (h.payload_bytes > message_bytes_max_ - before) return fail(ws_too_big);
  return WsRead::more;
}

WsRead WsReader::finish(const Header& h, Bytes payload, WsMessage& out) {
  out.opcode = h.opcode;
  out.payload = payload;
  out.close_code = 0;
  if (h.opcode == WsOpcode::close) {
    if (payload.size() == 1) return fail(ws_protocol_error);
    out.close_code = ws_no_status;
    if (payload.size() >= 2) {
      out.close_code = static_cast<std::uint16_t>(payload[0] << 8 | payload[1]);
      out.payload = payload.subspan(2);
      if (!close_code_valid(out.close_code)) return fail(ws_protocol_error);
      if (!is_utf8(out.payload)) return fail(ws_bad_text);
    }
  } else if (h.opcode == WsOpcode::text && !is_utf8(payload)) {
    return fail(ws_bad_text);
  }
  return WsRead::message;
}

WsRead WsReader::next(std::span<std::uint8_t>& bytes, WsMessage& out) {
  if (error_ != 0) return WsRead::failed;
  finished_.reset();  // The message handed out by the last call has been used.
  for (;;) {
    if (bytes.empty()) return WsRead::more;

    // The header: whole in these bytes, or gathered over several calls.
    Header h;
    if (held_ && held_->header.bytes != 0) {
      h = held_->header;
    } else {
      const std::size_t before = held_ ? held_->head_bytes : 0;
      std::array<std::uint8_t, header_bytes_max> head;
      if (before > 0) std::copy_n(held_->head.begin(), before, head.begin());
      const std::size_t take = std::min(header_bytes_max - before, bytes.size());
      std::copy_n(bytes.begin(), take, head.begin() + static_cast<long>(before));
      h = Header::parse(Bytes(head).first(before + take));
      if (h.bytes == 0) {
        Held& held_now = held();
        held_now.head = head;
        held_now.head_bytes = static_cast<std::uint8_t>(before + take);
        bytes = bytes.subspan(take);
        return WsRead::more;
      }
      bytes = bytes.subspan(h.bytes - before);
      if (held_) held_->head_bytes = 0;
      if (check(h) == WsRead::failed) return WsRead::failed;

      // The common case: the whole frame is here, and no copy is needed.
      const bool joins = h.opcode == WsOpcode::continuation || !h.last;
      if (!joins && bytes.size() >= h.payload_bytes) {
        const auto payload = bytes.first(static_cast<std::size_t>(h.payload_bytes));
        bytes = bytes.subspan(payload.size());
        if (h.masked) unmask(payload, h.mask, 0);
        if (held_ && !fragmented()) held_.reset();
        return finish(h, payload, out);
      }
      held().header = h;
      held().payload_bytes = 0;
      if (h.opcode == WsOpcode::text || h.opcode == WsOpcode::binary) {
        held().message.clear();
        if (!h.last) held().opcode = h.opcode;
      }
    }

    // The payload, as far as it goes.
    Held& hold = *held_;
    const auto take = static_cast<std::size_t>(
        std::min<std::uint64_t>(h.payload_bytes - hold.payload_bytes, bytes.size()));
    const auto part = bytes.first(take);
    if (h.masked) unmask(part, h.mask, hold.payload_bytes);
    (is_control(h.opcode) ? hold.control : hold.message).append(part.begin(), part.end());
    hold.payload_bytes += take;
    bytes = bytes.subspan(take);
    if (hold.payload_bytes < h.payload_bytes) return WsRead::more;

    // The frame is whole.
    hold.header = {};
    if (is_control(h.opcode)) {
      finished_ = std::make_unique<std::string>(std::move(hold.control));
      hold.control = {};
      if (!fragmented()) held_.reset();
    } else {
      if (!h.last) continue;  // More fragments to come.
      if (h.opcode == WsOpcode::continuation) h.opcode = hold.opcode;
      finished_ = std::make_unique<std::string>(std::move(hold.message));
      held_.reset();
    }
    const auto* at = reinterpret_cast<const std::uint8_t*>(finished_->data());
    return finish(h, Bytes(at, finished_->size()), out);
  }
}

void append_ws_header(std::string& out, WsOpcode opcode, std::size_t payload_bytes) {
  out.push_back(static_cast<char>(0x80 | static_cast<std::uint8_t>(opcode)));
  if (payload_bytes < 126) {
    out.push_back(static_cast<char>(payload_bytes));
    return;
  }
  const bool wide = payload_bytes > 0xffff;
  out.push_back(wide ? '\x7f' : '\x7e');
  for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(payload_bytes) >> shift & 0xff));
}

void append_ws_frame(std::string& out, WsOpcode opcode, std::string_view payload) {
  append_ws_header(out, opcode, payload.size());
  out.append(payload);
}

void append_ws_close(std::string& out, std::uint16_t code, std::string_view reason) {
  std::string payload;
  if (code != ws_no_status) {
    payload.push_back(static_cast<char>(code >> 8));
    payload.push_back(static_cast<char>(code & 0xff));
    payload.append(reason.substr(0, control_bytes_max - 2));
  }
  append_ws_frame(out, WsOpcode::close, payload);
}

void append_ws_masked_frame(std::string& out, WsOpcode opcode, std::string_view payload,
                            std::uint32_t mask, bool last) {
  const std::size_t start = out.size();
  append_ws_header(out, opcode, payload.size());
  if (!last) out[start] = static_cast<char>(out[start] & 0x7f);
  out[start + 1] = static_cast<char>(out[start + 1] | '\x80');
  std::array<std::uint8_t, 4> key;
  for (std::size_t i = 0; i < 4; ++i) key[i] = static_cast<std::uint8_t>(mask >> (8 * i));
  out.append(key.begin(), key.end());
  const std::size_t body = out.size();
  out.append(payload);
  unmask({reinterpret_cast<std::uint8_t*>(out.data() + body), payload.size()}, key, 0);
}

std::string ws_accept_key(std::string_view key) {
  constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3.
  boost::uuids::detail::sha1 hash;
  hash.process_bytes(key.data(), key.size());
  hash.process_bytes(guid.data(), guid.size());
  boost::uuids::detail::sha1::digest_type words;
  hash.get_digest(words);
  std::array<std::uint8_t, 21> digest{};  // One more zero, so that it is whole groups of three.
  for (std::size_t i = 0; i < 20; ++i)
    digest[i] = static_cast<std::uint8_t>(words[i / 4] >> (24 - 8 * (i % 4)));
  std::string out;
  for (std::size_t i = 0; i < digest.size(); i += 3) {
    const std::uint32_t group = static_cast<std::uint32_t>(digest[i]) << 16 |
                                static_cast<std::uint32_t>(digest[i + 1]) << 8 | digest[i + 2];
    for (int shift = 18; shift >= 0; shift -= 6) out.push_back(base64_digits[group >> shift & 63]);
  }
  out.back() = '=';
  return out;
}

bool ws_key_valid(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         key.find_first_not_of(base64_digits) == key.size() - 2;
}

bool is_utf8(Bytes text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::uint8_t lead = text[i++];
    if (lead < 0x80) continue;
    const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < static_cast<std::size_t>(more))
      return false;
    std::uint32_t point = lead & (0x3fu >> more);
    for (int k = 0; k < more; ++k) {
      if ((text[i] & 0xc0) != 0x80) return false;
      point = point << 6 | (text[i++] & 0x3fu);
    }
    const bool overlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
    if (overlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return false;
  }
  return true;
}

}  // namespace muster::wire
