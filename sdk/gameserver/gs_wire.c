#include "gs_wire.h"

#include <string.h>

#include "pb.h"

// Field numbers of ServerMessage's oneof.
enum {
  say_hello = 2,
  say_ready = 3,
  say_health = 4,
  say_verify_join = 5,
  say_player_joined = 6,
  say_player_left = 7,
  say_match_over = 8,
  say_shutdown = 9
};

// Every body here is at most two texts, in fields 1 and 2.
static bool write(mst_buffer *out, uint32_t request, uint32_t body, const char *first,
                  const char *second) {
  const size_t frame = mst_frame_begin(out);
  mst_pb_uint(out, 1, request);
  const size_t message = mst_pb_begin(out, body);
  mst_pb_text(out, 1, first);
  mst_pb_text(out, 2, second);
  mst_pb_end(out, message);
  return mst_frame_end(out, frame);
}

bool gs_write_hello(mst_buffer *out, uint32_t request, const char *token) {
  return write(out, request, say_hello, token, NULL);
}
bool gs_write_ready(mst_buffer *out, uint32_t request) {
  return write(out, request, say_ready, NULL, NULL);
}
bool gs_write_health(mst_buffer *out) { return write(out, 0, say_health, NULL, NULL); }
bool gs_write_verify_join(mst_buffer *out, uint32_t request, const char *join_token) {
  return write(out, request, say_verify_join, join_token, NULL);
}
bool gs_write_player_joined(mst_buffer *out, const char *player_id) {
  return write(out, 0, say_player_joined, player_id, NULL);
}
bool gs_write_player_left(mst_buffer *out, const char *player_id) {
  return write(out, 0, say_player_left, player_id, NULL);
}
static void write_standing(mst_buffer *out, const muster_gs_standing *standing) {
  const size_t message = mst_pb_begin(out, 40);
  mst_pb_text(out, 1, standing->player_id);
  mst_pb_uint(out, 2, standing->team);
  mst_pb_uint(out, 3, standing->rank);
  const uint64_t score = (uint64_t)standing->score;
  // Zigzag, as sint64 has it.
  if (standing->has_score)
    mst_pb_uint_always(out, 4, score << 1 ^ (standing->score < 0 ? ~UINT64_C(0) : 0));
  if (standing->missed > 0) mst_pb_double_always(out, 5, standing->missed);
  mst_pb_end(out, message);
}

bool gs_write_match_over(mst_buffer *out, uint32_t request, const char *match_id,
                         const gs_outcome *outcome) {
  const size_t frame = mst_frame_begin(out);
  mst_pb_uint(out, 1, request);
  const size_t message = mst_pb_begin(out, say_match_over);
  mst_pb_text(out, 1, match_id);
  mst_pb_text(out, 2, outcome->result);
  for (size_t i = 0; i < outcome->standings_count; ++i) write_standing(out, &outcome->standings[i]);
  mst_pb_end(out, message);
  return mst_frame_end(out, frame);
}
bool gs_write_shutdown(mst_buffer *out, uint32_t request) {
  return write(out, request, say_shutdown, NULL, NULL);
}

static bool is_text(const mst_pb_field *f, uint32_t number) {
  return f->number == number && f->wire == MST_PB_BYTES;
}

static bool is_uint(const mst_pb_field *f, uint32_t number) {
  return f->number == number && f->wire == MST_PB_VARINT;
}

static const char *text(mst_arena *arena, const mst_pb_field *f) {
  return mst_arena_text(arena, f->bytes, f->size);
}

/// Room for as many elements as the message has fields `number`. NULL if malformed or too many.
static void *elements(const uint8_t *bytes, size_t size, uint32_t number, mst_arena *arena,
                      size_t element_bytes) {
  const size_t count = mst_pb_count(bytes, size, number, MST_PB_BYTES);
  return count == (size_t)-1 ? NULL : mst_arena_alloc(arena, count, element_bytes);
}

static bool read_texts(const mst_pb_field *from, mst_arena *arena, muster_gs_attribute *to) {
  const char **const texts = elements(from->bytes, from->size, 1, arena, sizeof *texts);
  if (!texts) return false;
  to->texts = texts;
  to->texts_count = 0;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);)
    if (is_text(&f, 1) && !(texts[to->texts_count++] = text(arena, &f))) return false;
  return true;
}

/// Of a oneof the last one counts: the value read before is gone.
static void set_type(muster_gs_attribute *to, muster_gs_attribute_type type) {
  const char *const name = to->name;
  memset(to, 0, sizeof *to);
  to->name = name;
  to->type = type;
}

static bool read_attribute(const mst_pb_field *from, mst_arena *arena, muster_gs_attribute *to) {
  to->name = "";
  set_type(to, MUSTER_GS_ATTRIBUTE_NUMBER);
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (is_text(&f, 1)) {
      if (!(to->name = text(arena, &f))) return false;
    } else if (f.number == 2 && f.wire == MST_PB_FIXED64) {
      set_type(to, MUSTER_GS_ATTRIBUTE_NUMBER);
      to->number = mst_pb_double(&f);
    } else if (is_text(&f, 3)) {
      set_type(to, MUSTER_GS_ATTRIBUTE_TEXT);
      if (!(to->text = text(arena, &f))) return false;
    } else if (is_text(&f, 4)) {
      set_type(to, MUSTER_GS_ATTRIBUTE_TEXTS);
      if (!read_texts(&f, arena, to)) return false;
    }
  }
  return !r.malformed;
}

static bool read_player(const mst_pb_field *from, mst_arena *arena, muster_gs_player *to) {
  to->player_id = to->name = "";
  to->seats = 1;
  muster_gs_attribute *const attributes =
      elements(from->bytes, from->size, 5, arena, sizeof *attributes);
  if (!attributes) return false;
  to->attributes = attributes;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (is_text(&f, 1) && !(to->player_id = text(arena, &f))) return false;
    if (is_text(&f, 2) && !(to->name = text(arena, &f))) return false;
    if (is_uint(&f, 3)) to->team = (uint32_t)f.value;
    if (is_uint(&f, 4) && f.value > 0) to->seats = (uint32_t)f.value;
    if (is_text(&f, 5) && !read_attribute(&f, arena, &attributes[to->attributes_count++]))
      return false;
  }
  return !r.malformed;
}

static bool read_bots(const mst_pb_field *from, muster_gs_bots *to) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (is_uint(&f, 1)) to->team = (uint32_t)f.value;
    if (is_uint(&f, 2)) to->count = (uint32_t)f.value;
  }
  return !r.malformed;
}

static bool read_match(const mst_pb_field *from, mst_arena *arena, muster_gs_match *to) {
  memset(to, 0, sizeof *to);
  to->match_id = to->queue = to->map = "";
  muster_gs_player *const players = elements(from->bytes, from->size, 4, arena, sizeof *players);
  muster_gs_bots *const bots = elements(from->bytes, from->size, 6, arena, sizeof *bots);
  if (!players || !bots) return false;
  to->players = players;
  to->bots = bots;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (is_text(&f, 1) && !(to->match_id = text(arena, &f))) return false;
    if (is_text(&f, 2) && !(to->queue = text(arena, &f))) return false;
    if (is_text(&f, 3) && !(to->map = text(arena, &f))) return false;
    if (is_text(&f, 4) && !read_player(&f, arena, &players[to->players_count++])) return false;
    if (is_uint(&f, 5)) to->started_ms = f.value;
    if (is_text(&f, 6) && !read_bots(&f, &bots[to->bots_count++])) return false;
  }
  return !r.malformed;
}

static bool read_welcome(const mst_pb_field *from, mst_arena *arena, gs_node_message *to) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (is_uint(&f, 3)) to->health_interval_ms = (uint32_t)f.value;
    if (is_text(&f, 4)) {
      if (!read_match(&f, arena, &to->match)) return false;
      to->has_match = true;
    }
  }
  return !r.malformed;
}

static bool read_join(const mst_pb_field *from, mst_arena *arena, muster_gs_join *to) {
  to->player_id = to->name = to->match_id = "";
  to->seats = 1;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (is_text(&f, 1) && !(to->player_id = text(arena, &f))) return false;
    if (is_text(&f, 2) && !(to->name = text(arena, &f))) return false;
    if (is_text(&f, 3) && !(to->match_id = text(arena, &f))) return false;
    if (is_uint(&f, 4)) to->team = (uint32_t)f.value;
    if (is_uint(&f, 5) && f.value > 0) to->seats = (uint32_t)f.value;
  }
  return !r.malformed;
}

/// Error, PlayerRemoved and MatchEnded: two texts, in fields 1 and 2.
static bool read_texts_1_2(const mst_pb_field *from, mst_arena *arena, const char **first,
                           const char **second) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (is_text(&f, 1) && !(*first = text(arena, &f))) return false;
    if (is_text(&f, 2) && !(*second = text(arena, &f))) return false;
  }
  return !r.malformed;
}

static bool read_body(const mst_pb_field *f, mst_arena *arena, gs_node_message *to) {
  switch (to->type) {
    case GS_NODE_WELCOME:
      return read_welcome(f, arena, to);
    case GS_NODE_ERROR:
      return read_texts_1_2(f, arena, &to->code, &to->message);
    case GS_NODE_JOIN_VERIFIED:
      return read_join(f, arena, &to->join);
    case GS_NODE_MATCH_STARTED:
      return read_match(f, arena, &to->match);
    case GS_NODE_PLAYER_REMOVED:
      return read_texts_1_2(f, arena, &to->match_id, &to->player_id);
    case GS_NODE_MATCH_ENDED:
      return read_texts_1_2(f, arena, &to->match_id, &to->reason);
    case GS_NODE_OK:
    case GS_NODE_UNKNOWN:
      break;
  }
  return true;
}

bool gs_read_node_message(const uint8_t *bytes, size_t size, mst_arena *arena,
                          gs_node_message *message) {
  memset(message, 0, sizeof *message);
  message->code = message->message = "";
  message->match_id = message->player_id = message->reason = "";
  // Of a oneof the last one counts; each is sent once, so parts are not merged.
  mst_pb_field body = {0};
  mst_pb_reader r = mst_pb_read(bytes, size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (is_uint(&f, 1)) message->request = (uint32_t)f.value;
    if (f.wire == MST_PB_BYTES && f.number >= GS_NODE_WELCOME && f.number <= GS_NODE_MATCH_ENDED) {
      message->type = (gs_node_message_type)f.number;
      body = f;
    }
  }
  if (r.malformed) return false;
  return message->type == GS_NODE_UNKNOWN || read_body(&body, arena, message);
}
