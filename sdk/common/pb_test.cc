#include "pb.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "link.h"

namespace {

std::string text_of(const mst_buffer& b) {
  return {reinterpret_cast<const char*>(b.bytes), b.size};
}

TEST(Varint, ReadAndWritten) {
  for (unsigned bit = 0; bit < 64; ++bit) {
    for (const std::uint64_t value : {std::uint64_t{1} << bit, (std::uint64_t{1} << bit) - 1}) {
      mst_buffer out;
      mst_buffer_init(&out, 64);
      mst_pb_uint(&out, 7, value);
      mst_pb_reader r = mst_pb_read(out.bytes, out.size);
      mst_pb_field f;
      EXPECT_EQ(mst_pb_next(&r, &f), value != 0) << value;
      if (value != 0) {
        EXPECT_EQ(f.value, value);
      }
      EXPECT_FALSE(mst_pb_next(&r, &f));
      EXPECT_FALSE(r.malformed);
      mst_buffer_free(&out);
    }
  }
}

TEST(Reader, Malformed) {
  struct Row {
    const char* name;
    std::string bytes;
  };
  using namespace std::string_literals;
  const Row rows[] = {
      {"a tag without a value", "\x08"s},
      {"a varint without an end", "\x08\x80\x80"s},
      {"a varint of 11 bytes", "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"s},
      {"a varint past 64 bits", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s},
      {"field number 0", "\x00\x01"s},
      {"a length past the end", "\x0a\x05hell"s},
      {"a length near 2^64", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s},
      {"a short fixed64", "\x09\x01\x02\x03\x04\x05\x06\x07"s},
      {"a short fixed32", "\x0d\x01\x02\x03"s},
      {"a group", "\x0b\x0c"s},
      {"wire type 6", "\x0e\x00"s},
      {"a field number past 2^29", "\x80\x80\x80\x80\x10\x00"s},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(row.bytes.data());
    mst_pb_reader r = mst_pb_read(bytes, row.bytes.size());
    mst_pb_field f;
    EXPECT_FALSE(mst_pb_next(&r, &f));
    EXPECT_TRUE(r.malformed);
    EXPECT_EQ(mst_pb_count(bytes, row.bytes.size(), 1, MST_PB_VARINT),
              static_cast<std::size_t>(-1));
  }
}

TEST(Writer, LongMessagesInsideMessages) {
  mst_buffer out;
  mst_buffer_init(&out, 1 << 20);
  const std::string text(300, 'x');
  const std::size_t outer = mst_pb_begin(&out, 1);
  const std::size_t inner = mst_pb_begin(&out, 2);
  mst_pb_text(&out, 3, text.c_str());
  mst_pb_end(&out, inner);
  mst_pb_end(&out, outer);
  // 300 = 0xac 0x02 as a varint; 303 and 306 bytes around it.
  EXPECT_EQ(text_of(out), "\x0a\xb2\x02\x12\xaf\x02\x1a\xac\x02" + text);
  mst_buffer_free(&out);
}

TEST(Frame, OneThatDoesNotFitLeavesNothing) {
  mst_buffer out;
  mst_buffer_init(&out, 32);
  std::size_t frame = mst_frame_begin(&out);
  mst_pb_text(&out, 1, "fits");
  ASSERT_TRUE(mst_frame_end(&out, frame));
  const std::string before = text_of(out);
  frame = mst_frame_begin(&out);
  const std::size_t inner = mst_pb_begin(&out, 1);
  mst_pb_text(&out, 1, "a text that has no room in what is left");
  mst_pb_end(&out, inner);
  EXPECT_FALSE(mst_frame_end(&out, frame));
  EXPECT_EQ(text_of(out), before);
  frame = mst_frame_begin(&out);
  mst_pb_uint(&out, 1, 5);
  EXPECT_TRUE(mst_frame_end(&out, frame)) << "a smaller one still fits";
  mst_buffer_free(&out);
}

TEST(Arena, IsBounded) {
  mst_arena arena;
  mst_arena_init(&arena, 4096);
  EXPECT_EQ(mst_arena_alloc(&arena, 5000, 1), nullptr);
  EXPECT_EQ(mst_arena_alloc(&arena, static_cast<std::size_t>(-1) / 8 + 2, 8), nullptr);
  std::size_t got = 0;
  while (mst_arena_alloc(&arena, 100, 1)) got += 100;
  EXPECT_GT(got, 3000u);
  EXPECT_LE(got, 4096u);
  mst_arena_free(&arena);
}

TEST(Utf8, Table) {
  struct Row {
    const char* text;
    bool valid;
  };
  const Row rows[] = {
      {"", true},
      {"plain", true},
      {"\u00e4 \u20ac \U0001f3ae", true},
      {"\x80", false},              // A continuation by itself.
      {"\xc3", false},              // Cut off.
      {"\xc0\x80", false},          // Overlong NUL.
      {"\xe0\x80\xaf", false},      // Overlong.
      {"\xed\xa0\x80", false},      // A surrogate.
      {"\xf4\x90\x80\x80", false},  // Past U+10FFFF.
      {"\xf5\x80\x80\x80", false},
      {"\xff", false},
  };
  for (const Row& row : rows)
    EXPECT_EQ(mst_utf8_valid(row.text, std::string(row.text).size()), row.valid) << row.text;
}

TEST(Address, Table) {
  struct Row {
    const char* text;
    bool valid;
  };
  const Row rows[] = {
      {"127.0.0.1:4000", true},  {"[::1]:4000", true},       {"localhost:1", true},
      {"127.0.0.1", false},      {"127.0.0.1:", false},      {"127.0.0.1:0", false},
      {":4000", false},          {"127.0.0.1:65536", false}, {"127.0.0.1:80x", false},
      {"example.org:80", false}, {"::1:4000", false},        {"", false},
      {"[::1:4000", false},      {"127.0.0.1:-1", false},
  };
  mst_address address;
  for (const Row& row : rows)
    EXPECT_EQ(mst_address_parse(&address, row.text), row.valid) << row.text;
}

TEST(Address, Local) {
  mst_address address;
  EXPECT_TRUE(mst_address_local(&address, "unix:/run/muster/sdk.sock"));
  for (const std::string& text : {std::string("unix:"), std::string("/run/muster/sdk.sock"),
                                  std::string("127.0.0.1:4000"), "unix:/" + std::string(200, 'x')})
    EXPECT_FALSE(mst_address_local(&address, text.c_str())) << text;
}

TEST(Backoff, GrowsToItsLastAndKeepsInItsUpperHalf) {
  mst_backoff backoff;
  mst_backoff_init(&backoff, 100, 5000);
  for (std::uint32_t expected : {100u, 200u, 400u, 800u, 1600u, 3200u, 5000u, 5000u}) {
    const std::uint32_t pause = mst_backoff_next(&backoff);
    EXPECT_GE(pause, expected / 2);
    EXPECT_LE(pause, expected);
  }
  mst_backoff_reset(&backoff);
  EXPECT_LE(mst_backoff_next(&backoff), 100u);
}

}  // namespace
