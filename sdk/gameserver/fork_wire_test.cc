// The fork channel's messages: what the hand-written coder writes, the real protobuf library reads,
// and the other way round.
#include "fork_wire.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/fork.pb.h"

namespace {

namespace pb = muster::wire::fork;

template <class Write>
std::string written(Write write, std::size_t size_max = 4096) {
  mst_buffer out;
  mst_buffer_init(&out, size_max);
  EXPECT_TRUE(write(&out));
  std::string bytes(reinterpret_cast<char*>(out.bytes), out.size);
  mst_buffer_free(&out);
  return bytes;
}

TEST(FromForkPoint, IsWhatProtobufWrites) {
  pb::FromForkPoint waiting, refused, failed, nothing_failed;
  waiting.mutable_waiting();
  refused.mutable_refused()->set_why("3 threads run");
  failed.mutable_failed()->set_number(300);
  failed.mutable_failed()->set_error(12);
  nothing_failed.mutable_failed();
  EXPECT_EQ(written(fork_write_waiting), waiting.SerializeAsString());
  EXPECT_EQ(written([](mst_buffer* o) { return fork_write_refused(o, "3 threads run"); }),
            refused.SerializeAsString());
  EXPECT_EQ(written([](mst_buffer* o) { return fork_write_failed(o, 300, 12); }),
            failed.SerializeAsString());
  EXPECT_EQ(written([](mst_buffer* o) { return fork_write_failed(o, 0, 0); }),
            nothing_failed.SerializeAsString());
}

TEST(FromForkPoint, WithoutRoomNothingIsWritten) {
  mst_buffer out;
  mst_buffer_init(&out, 4);
  EXPECT_FALSE(fork_write_refused(&out, "too long for four bytes"));
  mst_buffer_free(&out);
}

struct Read {
  explicit Read(const std::string& bytes, std::size_t arena_bytes_max = 1 << 20) {
    mst_arena_init(&arena, arena_bytes_max);
    ok = fork_read(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), &arena,
                   &message);
  }
  explicit Read(const pb::ToForkPoint& m) : Read(m.SerializeAsString()) {}
  ~Read() { mst_arena_free(&arena); }
  Read(const Read&) = delete;
  Read& operator=(const Read&) = delete;

  mst_arena arena;
  fork_message message;
  bool ok;
};

TEST(ToForkPoint, MakeChild) {
  pb::ToForkPoint m;
  m.mutable_make_child()->set_number(0xffffffff);
  m.mutable_make_child()->set_node_pid(4194303);
  const Read read(m);
  ASSERT_TRUE(read.ok);
  EXPECT_EQ(read.message.type, FORK_MAKE_CHILD);
  EXPECT_EQ(read.message.number, 0xffffffffu);
  EXPECT_EQ(read.message.node_pid, 4194303u);
}

TEST(ToForkPoint, Begin) {
  pb::ToForkPoint m;
  for (const char* entry : {"PORT=7001", "EMPTY=", "TEXT=\xff\xfe no UTF-8", ""})
    m.mutable_begin()->add_environment(entry);
  const Read read(m);
  ASSERT_TRUE(read.ok);
  EXPECT_EQ(read.message.type, FORK_BEGIN);
  ASSERT_EQ(read.message.environment_count, 4u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(read.message.environment[i], m.begin().environment(i));
}

TEST(ToForkPoint, OthersArePassedOver) {
  EXPECT_EQ(Read(std::string()).message.type, FORK_UNKNOWN);
  const Read newer(std::string("\x3a\x01x", 3));  // Field 7.
  EXPECT_TRUE(newer.ok);
  EXPECT_EQ(newer.message.type, FORK_UNKNOWN);
}

TEST(ToForkPoint, MalformedOrTooLarge) {
  EXPECT_FALSE(Read(std::string("\x12\x05", 2)).ok) << "shorter than it says";
  EXPECT_FALSE(Read(std::string("\x12\x02\x0a\x05", 4)).ok) << "inside as well";
  EXPECT_FALSE(Read(std::string("\xff\xff", 2)).ok);
  pb::ToForkPoint m;
  m.mutable_begin()->add_environment(std::string(10'000, 'x'));
  EXPECT_FALSE(Read(m.SerializeAsString(), 8'000).ok);
}

}  // namespace
