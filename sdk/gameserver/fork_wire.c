#include "fork_wire.h"

#include <string.h>

#include "pb.h"

// Field numbers of FromForkPoint's oneof.
enum { say_waiting = 1, say_refused = 2, say_failed = 3 };

bool fork_write_waiting(mst_buffer *out) {
  mst_pb_end(out, mst_pb_begin(out, say_waiting));
  return !out->failed;
}

bool fork_write_refused(mst_buffer *out, const char *why) {
  const size_t message = mst_pb_begin(out, say_refused);
  mst_pb_text(out, 1, why);
  mst_pb_end(out, message);
  return !out->failed;
}

bool fork_write_failed(mst_buffer *out, uint32_t number, uint32_t error) {
  const size_t message = mst_pb_begin(out, say_failed);
  mst_pb_uint(out, 1, number);
  mst_pb_uint(out, 2, error);
  mst_pb_end(out, message);
  return !out->failed;
}

static bool read_make_child(const mst_pb_field *from, fork_message *to) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (f.wire != MST_PB_VARINT) continue;
    if (f.number == 1) to->number = (uint32_t)f.value;
    if (f.number == 2) to->node_pid = (uint32_t)f.value;
  }
  return !r.malformed;
}

static bool read_begin(const mst_pb_field *from, mst_arena *arena, fork_message *to) {
  const size_t count = mst_pb_count(from->bytes, from->size, 1, MST_PB_BYTES);
  if (count == (size_t)-1) return false;
  if (!(to->environment = mst_arena_alloc(arena, count, sizeof *to->environment))) return false;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (f.number == 2 && f.wire == MST_PB_VARINT) to->outlives_node = f.value != 0;
    if (f.number != 1 || f.wire != MST_PB_BYTES) continue;
    char *const text = mst_arena_text(arena, f.bytes, f.size);
    if (!text) return false;
    to->environment[to->environment_count++] = text;
  }
  return !r.malformed;
}

bool fork_read(const uint8_t *bytes, size_t size, mst_arena *arena, fork_message *message) {
  memset(message, 0, sizeof *message);
  // Of a oneof the last one counts; each is sent once, so parts are not merged.
  mst_pb_field body = {0};
  mst_pb_reader r = mst_pb_read(bytes, size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (f.wire != MST_PB_BYTES || (f.number != FORK_MAKE_CHILD && f.number != FORK_BEGIN)) continue;
    message->type = (fork_message_type)f.number;
    body = f;
  }
  if (r.malformed) return false;
  if (message->type == FORK_MAKE_CHILD) return read_make_child(&body, message);
  if (message->type == FORK_BEGIN) return read_begin(&body, arena, message);
  return true;
}
