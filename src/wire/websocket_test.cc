#include "wire/websocket.h"

#include <gtest/gtest.h>

#include <vector>

namespace muster::wire {
namespace {

constexpr std::uint32_t mask = 0x04030201;

std::string client_frame(WsOpcode opcode, std::string_view payload, bool last = true) {
  std::string out;
  append_ws_masked_frame(out, opcode, payload, mask, last);
  return out;
}

// What the reader says of a stream: "text:hi ping:x …", and "failed:1002" or "+" if unfinished.
std::string read_all(std::string stream, std::size_t step,
                     WsReader reader = {WsReader::Role::server, 1024}) {
  std::string said;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    std::string part = stream.substr(at, step);
    std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(part.data()), part.size());
    for (;;) {
      WsMessage message;
      const WsRead read = reader.next(bytes, message);
      if (read == WsRead::more) break;
      if (read == WsRead::failed) return said + "failed:" + std::to_string(reader.error());
      switch (message.opcode) {
        case WsOpcode::text:
          said += "text:";
          break;
        case WsOpcode::binary:
          said += "binary:";
          break;
        case WsOpcode::ping:
          said += "ping:";
          break;
        case WsOpcode::pong:
          said += "pong:";
          break;
        case WsOpcode::close:
          said += "close" + std::to_string(message.close_code) + ":";
          break;
        case WsOpcode::continuation:
          said += "continuation?";
      }
      said.append(message.payload.begin(), message.payload.end());
      said += ' ';
    }
  }
  return said + (reader.unfinished() ? "+" : "");
}

std::string masked_header(std::uint8_t first, std::uint8_t second) {
  return {static_cast<char>(first), static_cast<char>(second), 1, 2, 3, 4};
}

TEST(WsReader, WhatComesOutHoweverItWasCut) {
  using enum WsOpcode;
  const std::string long_text(300, 'x'), too_long(1025, 'x');
  struct Row {
    const char* name;
    std::string stream;
    std::string want;
  };
  const Row rows[] = {
      {"a text", client_frame(text, "hi"), "text:hi "},
      {"an empty text", client_frame(text, ""), "text: "},
      {"a binary with a 16-bit length", client_frame(binary, long_text),
       "binary:" + long_text + " "},
      {"several", client_frame(text, "a") + client_frame(binary, "b"), "text:a binary:b "},
      {"fragments",
       client_frame(text, "a", false) + client_frame(continuation, "b", false) +
           client_frame(continuation, "c"),
       "text:abc "},
      {"empty fragments",
       client_frame(binary, "", false) + client_frame(continuation, "", false) +
           client_frame(continuation, ""),
       "binary: "},
      {"control frames between fragments",
       client_frame(text, "a", false) + client_frame(ping, "p") + client_frame(pong, "") +
           client_frame(continuation, "b"),
       "ping:p pong: text:ab "},
      {"UTF-8 across fragments",
       client_frame(text, "\xc3", false) + client_frame(continuation, "\xa9"), "text:\xc3\xa9 "},
      {"a close with code and reason",
       client_frame(close,
                    "\x03\xe8"
                    "bye"),
       "close1000:bye "},
      {"a close without a code", client_frame(close, ""), "close1005: "},
      {"unfinished", client_frame(text, "ab").substr(0, 7), "+"},
      {"more fragments to come", client_frame(text, "a", false), "+"},
      {"unmasked", "\x81\x02hi", "failed:1002"},
      {"a reserved bit", masked_header(0xc1, 0x80), "failed:1002"},
      {"a reserved opcode", masked_header(0x83, 0x80), "failed:1002"},
      {"a reserved control opcode", masked_header(0x8b, 0x80), "failed:1002"},
      {"a fragmented ping", client_frame(ping, "", false), "failed:1002"},
      {"a long ping", client_frame(ping, std::string(126, 'x')), "failed:1002"},
      {"a continuation of nothing", client_frame(continuation, "a"), "failed:1002"},
      {"a text inside a fragmented one", client_frame(text, "a", false) + client_frame(text, "b"),
       "failed:1002"},
      {"a close of one byte", client_frame(close, "\x03"), "failed:1002"},
      {"a close code nobody may send", client_frame(close, "\x03\xed"), "failed:1002"},
      {"a close reason that is no UTF-8", client_frame(close, "\x03\xe8\xff"), "failed:1007"},
      {"text that is no UTF-8", client_frame(text, "\xff"), "failed:1007"},
      {"text that ends inside a character", client_frame(text, "\xc3"), "failed:1007"},
      {"too big", client_frame(binary, too_long), "failed:1009"},
      {"too big in fragments",
       client_frame(binary, too_long.substr(1), false) + client_frame(continuation, "x"),
       "failed:1009"},
      {"a length of 2^63", masked_header(0x82, 0xff) + std::string(8, '\xff'), "failed:1009"},
  };
  for (const Row& row : rows)
    for (std::size_t step = 1; step <= row.stream.size(); step += step < 16 ? 1 : 37)
      EXPECT_EQ(read_all(row.stream, step), row.want) << row.name << ", cut every " << step;
}

TEST(WsReader, AsClientReadsWhatTheServerSends) {
  std::string stream;
  append_ws_frame(stream, WsOpcode::text, "hi");
  append_ws_frame(stream, WsOpcode::binary, std::string(200, 'b'));
  append_ws_close(stream, ws_policy, "because");
  const std::string want = "text:hi binary:" + std::string(200, 'b') + " close1008:because ";
  for (std::size_t step = 1; step <= stream.size(); ++step)
    EXPECT_EQ(read_all(stream, step, {WsReader::Role::client, 1024}), want);
  EXPECT_EQ(read_all(client_frame(WsOpcode::text, "a"), 1, {WsReader::Role::client, 9}),
            "failed:1002");
}

TEST(WsFrames, LengthsHaveTheirShortestForm) {
  struct Row {
    std::size_t payload;
    std::string header;
  };
  const Row rows[] = {
      {125, "\x82\x7d"},
      {126, {"\x82\x7e\x00\x7e", 4}},
      {65535, "\x82\x7e\xff\xff"},
      {65536, {"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 10}},
  };
  for (const Row& row : rows) {
    std::string out;
    append_ws_header(out, WsOpcode::binary, row.payload);
    EXPECT_EQ(out, row.header) << row.payload;
  }
}

TEST(WsFrames, ACloseReasonIsCutToFit) {
  std::string out;
  append_ws_close(out, ws_normal, std::string(500, 'r'));
  EXPECT_EQ(out.size(), 127u);
}

TEST(WsHandshake, AcceptKey) {
  EXPECT_EQ(ws_accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");  // RFC.
  EXPECT_TRUE(ws_key_valid("dGhlIHNhbXBsZSBub25jZQ=="));
  for (const char* bad : {"", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZ!==",
                          "dGhlIHNhbXBsZSBub25jZQ===", "dGhlIHNhbXBsZSBub25j===="})
    EXPECT_FALSE(ws_key_valid(bad)) << bad;
}

TEST(Utf8, WellFormedOrNot) {
  const std::pair<std::string, bool> rows[] = {
      {"plain", true},
      {"\xc2\x80", true},
      {"\xdf\xbf", true},
      {"\xe0\xa0\x80", true},
      {"\xef\xbf\xbf", true},
      {"\xf0\x90\x80\x80", true},
      {"\xf4\x8f\xbf\xbf", true},
      {"\x80", false},
      {"\xc0\xaf", false},          // Overlong.
      {"\xc1\xbf", false},          // Overlong.
      {"\xe0\x9f\xbf", false},      // Overlong.
      {"\xf0\x8f\xbf\xbf", false},  // Overlong.
      {"\xed\xa0\x80", false},      // A surrogate.
      {"\xf4\x90\x80\x80", false},  // Above U+10FFFF.
      {"\xf5\x80\x80\x80", false},
      {"\xe2\x82", false},
      {"a\xe2\x28\xa1", false},
  };
  for (const auto& [text, want] : rows)
    EXPECT_EQ(is_utf8({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}), want)
        << testing::PrintToString(text);
}

}  // namespace
}  // namespace muster::wire
