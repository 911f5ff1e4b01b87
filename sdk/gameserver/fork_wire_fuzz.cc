// What the protobuf library writes, the hand-written decoder reads the same; and no bytes at all
// make it read past their end or take more memory than it may.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "fork_wire.h"
#include "proto/fork.pb.h"

namespace {

namespace pb = muster::wire::fork;

void check_same(const fork_message& ours, const pb::ToForkPoint& theirs) {
  CHECK(static_cast<int>(ours.type) == static_cast<int>(theirs.body_case()), "the body");
  CHECK(ours.number == theirs.make_child().number(), "number");
  CHECK(ours.node_pid == theirs.make_child().node_pid(), "node_pid");
  CHECK(ours.environment_count == static_cast<std::size_t>(theirs.begin().environment_size()),
        "environment");
  for (std::size_t i = 0; i < ours.environment_count; ++i)  // C text ends at the first NUL.
    CHECK(
        std::string(ours.environment[i]) == theirs.begin().environment(static_cast<int>(i)).c_str(),
        "each entry");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mst_arena arena;
  fork_message message;
  mst_arena_init(&arena, 64 << 10);
  fork_read(data, size, &arena, &message);
  CHECK(arena.used <= arena.bytes_max, "memory is bounded");
  mst_arena_free(&arena);

  pb::ToForkPoint theirs;
  if (!theirs.ParseFromArray(data, static_cast<int>(size))) return 0;
  theirs.DiscardUnknownFields();
  const std::string bytes = theirs.SerializeAsString();
  mst_arena_init(&arena, 64 << 20);
  CHECK(fork_read(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(), &arena,
                  &message),
        "what protobuf writes is read");
  check_same(message, theirs);
  mst_arena_free(&arena);
  return 0;
}
