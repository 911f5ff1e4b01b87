#include "client_wire.h"

#include <string.h>

#include "pb.h"

// Field numbers of ClientMessage's oneof.
enum {
  say_hello = 2,
  say_start_match = 3,
  say_cancel_match = 4,
  say_leave_match = 5,
  say_ping = 6,
  say_pong = 7,
  say_create_party = 20,
  say_join_party = 21,
  say_leave_party = 22,
  say_kick_from_party = 23,
  say_promote_in_party = 24,
  say_set_party_attributes = 25,
  say_accept_match = 26,
  say_decline_match = 27
};

static bool write_hello(mst_buffer *out, uint32_t request, uint32_t identity, const char *text) {
  const size_t frame = mst_frame_begin(out);
  mst_pb_uint(out, 1, request);
  const size_t hello = mst_pb_begin(out, say_hello);
  const size_t inner = mst_pb_begin(out, identity);
  mst_pb_text(out, 1, text);
  mst_pb_end(out, inner);
  mst_pb_end(out, hello);
  return mst_frame_end(out, frame);
}

bool client_write_guest(mst_buffer *out, uint32_t request, const char *name) {
  return write_hello(out, request, 1, name);
}

bool client_write_resume(mst_buffer *out, uint32_t request, const char *session_token) {
  return write_hello(out, request, 2, session_token);
}

bool client_write_account(mst_buffer *out, uint32_t request, const char *name, const char *password,
                          bool sign_up) {
  const size_t frame = mst_frame_begin(out);
  mst_pb_uint(out, 1, request);
  const size_t hello = mst_pb_begin(out, say_hello);
  const size_t account = mst_pb_begin(out, 40);
  mst_pb_text(out, 1, name);
  mst_pb_text(out, 2, password);
  mst_pb_uint(out, 3, sign_up);
  mst_pb_end(out, account);
  mst_pb_end(out, hello);
  return mst_frame_end(out, frame);
}

/// An entry of a map is a message: the key in field 1, the value in field 2.
static void write_attribute(mst_buffer *out, uint32_t field, const muster_client_attribute *a) {
  const size_t entry = mst_pb_begin(out, field);
  mst_pb_text_always(out, 1, a->name);
  const size_t value = mst_pb_begin(out, 2);
  if (a->type == MUSTER_CLIENT_ATTRIBUTE_NUMBER) {
    mst_pb_double_always(out, 1, a->number);
  } else if (a->type == MUSTER_CLIENT_ATTRIBUTE_TEXT) {
    mst_pb_text_always(out, 2, a->text);
  } else {
    const size_t texts = mst_pb_begin(out, 3);
    for (size_t i = 0; i < a->texts_count; ++i) mst_pb_text_always(out, 1, a->texts[i]);
    mst_pb_end(out, texts);
  }
  mst_pb_end(out, value);
  mst_pb_end(out, entry);
}

bool client_write_start_match(mst_buffer *out, uint32_t request, const char *queue,
                              const muster_client_attribute *attributes, size_t attributes_count,
                              uint32_t seats) {
  const size_t frame = mst_frame_begin(out);
  mst_pb_uint(out, 1, request);
  const size_t body = mst_pb_begin(out, say_start_match);
  mst_pb_text(out, 1, queue);
  for (size_t i = 0; i < attributes_count; ++i) write_attribute(out, 2, &attributes[i]);
  mst_pb_uint(out, 3, seats);
  mst_pb_end(out, body);
  return mst_frame_end(out, frame);
}

/// The others: nothing in them, or one number in field 1.
static bool write_number(mst_buffer *out, uint32_t request, uint32_t body, uint64_t number) {
  const size_t frame = mst_frame_begin(out);
  mst_pb_uint(out, 1, request);
  const size_t message = mst_pb_begin(out, body);
  mst_pb_uint(out, 1, number);
  mst_pb_end(out, message);
  return mst_frame_end(out, frame);
}

/// One text in field 1.
static bool write_text(mst_buffer *out, uint32_t request, uint32_t body, const char *text) {
  const size_t frame = mst_frame_begin(out);
  mst_pb_uint(out, 1, request);
  const size_t message = mst_pb_begin(out, body);
  mst_pb_text(out, 1, text);
  mst_pb_end(out, message);
  return mst_frame_end(out, frame);
}

bool client_write_create_party(mst_buffer *out, uint32_t request) {
  return write_number(out, request, say_create_party, 0);
}
bool client_write_join_party(mst_buffer *out, uint32_t request, const char *code) {
  return write_text(out, request, say_join_party, code);
}
bool client_write_leave_party(mst_buffer *out, uint32_t request) {
  return write_number(out, request, say_leave_party, 0);
}
bool client_write_kick_from_party(mst_buffer *out, uint32_t request, const char *player_id) {
  return write_text(out, request, say_kick_from_party, player_id);
}
bool client_write_promote_in_party(mst_buffer *out, uint32_t request, const char *player_id) {
  return write_text(out, request, say_promote_in_party, player_id);
}
bool client_write_set_party_attributes(mst_buffer *out, uint32_t request,
                                       const muster_client_attribute *attributes,
                                       size_t attributes_count) {
  const size_t frame = mst_frame_begin(out);
  mst_pb_uint(out, 1, request);
  const size_t body = mst_pb_begin(out, say_set_party_attributes);
  for (size_t i = 0; i < attributes_count; ++i) write_attribute(out, 1, &attributes[i]);
  mst_pb_end(out, body);
  return mst_frame_end(out, frame);
}
bool client_write_accept_match(mst_buffer *out, uint32_t request) {
  return write_number(out, request, say_accept_match, 0);
}
bool client_write_decline_match(mst_buffer *out, uint32_t request) {
  return write_number(out, request, say_decline_match, 0);
}
bool client_write_cancel_match(mst_buffer *out, uint32_t request) {
  return write_number(out, request, say_cancel_match, 0);
}
bool client_write_leave_match(mst_buffer *out, uint32_t request) {
  return write_number(out, request, say_leave_match, 0);
}
bool client_write_ping(mst_buffer *out, uint64_t number) {
  return write_number(out, 0, say_ping, number);
}
bool client_write_pong(mst_buffer *out, uint64_t number) {
  return write_number(out, 0, say_pong, number);
}

static bool is_bytes(const mst_pb_field *f, uint32_t number) {
  return f->number == number && f->wire == MST_PB_BYTES;
}

static bool is_uint(const mst_pb_field *f, uint32_t number) {
  return f->number == number && f->wire == MST_PB_VARINT;
}

/// A sint32: 0, -1, 1, -2, …
static int32_t signed_of(uint64_t value) {
  const uint32_t n = (uint32_t)value;
  return (int32_t)((n >> 1) ^ (0u - (n & 1)));
}

/// If the field is text of that number, copies it. False only without room.
static bool take(mst_arena *arena, const mst_pb_field *f, uint32_t number, const char **to) {
  if (!is_bytes(f, number)) return true;
  *to = mst_arena_text(arena, f->bytes, f->size);
  return *to != NULL;
}

/// Room for as many elements as the message has fields `number`. NULL if malformed or too many.
static void *elements(const mst_pb_field *in, uint32_t number, mst_arena *arena,
                      size_t element_bytes) {
  const size_t count = mst_pb_count(in->bytes, in->size, number, MST_PB_BYTES);
  return count == (size_t)-1 ? NULL : mst_arena_alloc(arena, count, element_bytes);
}

static bool read_texts(const mst_pb_field *from, mst_arena *arena, muster_client_attribute *to) {
  const char **const texts = elements(from, 1, arena, sizeof *texts);
  if (!texts) return false;
  to->texts = texts;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);)
    if (is_bytes(&f, 1) && !take(arena, &f, 1, &texts[to->texts_count++])) return false;
  return true;
}

static bool read_value(const mst_pb_field *from, mst_arena *arena, muster_client_attribute *to) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    // Of a oneof the last one counts: what was read before is gone.
    const char *const name = to->name;
    muster_client_attribute value = {name, MUSTER_CLIENT_ATTRIBUTE_NUMBER, 0, NULL, NULL, 0};
    if (f.number == 1 && f.wire == MST_PB_FIXED64) {
      value.number = mst_pb_double(&f);
    } else if (is_bytes(&f, 2)) {
      value.type = MUSTER_CLIENT_ATTRIBUTE_TEXT;
      if (!take(arena, &f, 2, &value.text)) return false;
    } else if (is_bytes(&f, 3)) {
      value.type = MUSTER_CLIENT_ATTRIBUTE_TEXTS;
      if (!read_texts(&f, arena, &value)) return false;
    } else {
      continue;
    }
    *to = value;
  }
  return !r.malformed;
}

static bool read_attribute(const mst_pb_field *entry, mst_arena *arena,
                           muster_client_attribute *to) {
  to->name = "";
  to->type = MUSTER_CLIENT_ATTRIBUTE_NUMBER;
  mst_pb_reader r = mst_pb_read(entry->bytes, entry->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->name)) return false;
    if (is_bytes(&f, 2) && !read_value(&f, arena, to)) return false;
  }
  return !r.malformed;
}

static bool read_player(const mst_pb_field *from, mst_arena *arena, muster_client_player *to) {
  to->player_id = to->name = "";
  to->seats = 1;
  muster_client_attribute *const attributes = elements(from, 5, arena, sizeof *attributes);
  if (!attributes) return false;
  to->attributes = attributes;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->player_id) || !take(arena, &f, 2, &to->name)) return false;
    if (is_uint(&f, 3)) to->team = (uint32_t)f.value;
    if (is_uint(&f, 4) && f.value > 0) to->seats = (uint32_t)f.value;
    if (is_bytes(&f, 5) && !read_attribute(&f, arena, &attributes[to->attributes_count++]))
      return false;
  }
  return !r.malformed;
}

static bool read_welcome(const mst_pb_field *from, mst_arena *arena, client_lobby_message *to) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->player_id) || !take(arena, &f, 2, &to->session_token) ||
        !take(arena, &f, 3, &to->name))
      return false;
    if (is_uint(&f, 4)) to->resumed = f.value != 0;
  }
  return !r.malformed;
}

static bool read_error(const mst_pb_field *from, mst_arena *arena, const char **code,
                       const char **message, uint32_t *retry_after_ms) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);)
    if (!take(arena, &f, 1, code) || !take(arena, &f, 2, message))
      return false;
    else if (is_uint(&f, 40) && retry_after_ms)
      *retry_after_ms = (uint32_t)f.value;
  return !r.malformed;
}

static bool read_party_member(const mst_pb_field *from, mst_arena *arena,
                              muster_client_party_member *to) {
  to->player_id = to->name = "";
  muster_client_attribute *const attributes = elements(from, 4, arena, sizeof *attributes);
  if (!attributes) return false;
  to->attributes = attributes;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->player_id) || !take(arena, &f, 2, &to->name)) return false;
    if (is_uint(&f, 3)) to->away = f.value != 0;
    if (is_bytes(&f, 4) && !read_attribute(&f, arena, &attributes[to->attributes_count++]))
      return false;
  }
  return !r.malformed;
}

static bool read_party(const mst_pb_field *from, mst_arena *arena, muster_client_party *to) {
  to->party_id = to->code = to->error_code = to->error_message = "";
  muster_client_party_member *const members = elements(from, 3, arena, sizeof *members);
  if (!members) return false;
  to->members = members;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->party_id) || !take(arena, &f, 2, &to->code)) return false;
    if (is_bytes(&f, 3) && !read_party_member(&f, arena, &members[to->members_count++]))
      return false;
    if (is_bytes(&f, 4) && !read_error(&f, arena, &to->error_code, &to->error_message, NULL))
      return false;
  }
  return !r.malformed;
}

static bool read_ticket(const mst_pb_field *from, mst_arena *arena, muster_client_ticket *to) {
  to->ticket_id = to->queue = to->error_code = to->error_message = "";
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->ticket_id) || !take(arena, &f, 2, &to->queue)) return false;
    if (is_uint(&f, 3))
      to->state = f.value <= MUSTER_CLIENT_TICKET_OFFERED ? (muster_client_ticket_state)f.value
                                                          : MUSTER_CLIENT_TICKET_UNKNOWN;
    if (is_uint(&f, 4)) to->players = (uint32_t)f.value;
    if (is_uint(&f, 5)) to->players_needed = (uint32_t)f.value;
    if (is_bytes(&f, 6) && !read_error(&f, arena, &to->error_code, &to->error_message, NULL))
      return false;
    if (is_uint(&f, 40)) to->accepted = (uint32_t)f.value;
    if (is_uint(&f, 41)) to->accepts_needed = (uint32_t)f.value;
    if (is_uint(&f, 42)) to->accept_left_ms = (uint32_t)f.value;
    if (is_uint(&f, 43)) to->you_accepted = f.value != 0;
  }
  return !r.malformed;
}

static bool read_port(const mst_pb_field *from, mst_arena *arena, muster_client_port *to) {
  to->name = "";
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->name)) return false;
    if (is_uint(&f, 2)) {
      if (f.value > 65535) return false;
      to->port = (uint16_t)f.value;
    }
  }
  return !r.malformed;
}

static bool read_assignment(const mst_pb_field *from, mst_arena *arena,
                            muster_client_assignment *to) {
  to->match_id = to->server_id = to->host = to->join_token = to->queue = to->ticket_id = "";
  muster_client_player *const players = elements(from, 7, arena, sizeof *players);
  muster_client_port *const ports = elements(from, 20, arena, sizeof *ports);
  if (!players || !ports) return false;
  to->players = players;
  to->ports = ports;
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->match_id) || !take(arena, &f, 2, &to->server_id) ||
        !take(arena, &f, 3, &to->host) || !take(arena, &f, 5, &to->join_token) ||
        !take(arena, &f, 8, &to->queue) || !take(arena, &f, 9, &to->ticket_id))
      return false;
    if (is_uint(&f, 4)) {
      if (f.value > 65535) return false;
      to->port = (uint16_t)f.value;
    }
    if (is_uint(&f, 6)) to->team = (uint32_t)f.value;
    if (is_bytes(&f, 7) && !read_player(&f, arena, &players[to->players_count++])) return false;
    if (is_bytes(&f, 20) && !read_port(&f, arena, &ports[to->ports_count++])) return false;
  }
  return !r.malformed;
}

static bool read_match_ended(const mst_pb_field *from, mst_arena *arena, client_lobby_message *to) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->match_id) || !take(arena, &f, 4, &to->result)) return false;
    if (is_uint(&f, 2))
      to->reason = f.value <= MUSTER_CLIENT_END_LEFT ? (muster_client_end_reason)f.value
                                                     : MUSTER_CLIENT_END_UNKNOWN;
    if (is_uint(&f, 3)) to->requeued = f.value != 0;
  }
  return !r.malformed;
}

static bool read_number(const mst_pb_field *from, uint64_t *to) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);)
    if (is_uint(&f, 1)) *to = f.value;
  return !r.malformed;
}

static bool read_rating_changed(const mst_pb_field *from, mst_arena *arena,
                                client_lobby_message *to) {
  mst_pb_reader r = mst_pb_read(from->bytes, from->size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (!take(arena, &f, 1, &to->queue)) return false;
    if (is_uint(&f, 2)) to->rating = signed_of(f.value);
    if (is_uint(&f, 3)) to->deviation = (uint32_t)f.value;
    if (is_uint(&f, 4)) to->rating_change = signed_of(f.value);
  }
  return !r.malformed;
}

static bool read_body(const mst_pb_field *f, mst_arena *arena, client_lobby_message *to) {
  switch (to->type) {
    case CLIENT_LOBBY_WELCOME:
      return read_welcome(f, arena, to);
    case CLIENT_LOBBY_TICKET:
      return read_ticket(f, arena, &to->ticket);
    case CLIENT_LOBBY_ASSIGNMENT:
      return read_assignment(f, arena, &to->assignment);
    case CLIENT_LOBBY_MATCH_ENDED:
      return read_match_ended(f, arena, to);
    case CLIENT_LOBBY_ERROR:
      return read_error(f, arena, &to->code, &to->message, &to->retry_after_ms);
    case CLIENT_LOBBY_PARTY:
      return read_party(f, arena, &to->party);
    case CLIENT_LOBBY_PING:
    case CLIENT_LOBBY_PONG:
      return read_number(f, &to->number);
    case CLIENT_LOBBY_RATING_CHANGED:
      return read_rating_changed(f, arena, to);
    case CLIENT_LOBBY_UNKNOWN:
      break;
  }
  return true;
}

static bool is_body(uint32_t number) {
  return (number >= CLIENT_LOBBY_WELCOME && number <= CLIENT_LOBBY_PONG) ||
         number == CLIENT_LOBBY_PARTY || number == CLIENT_LOBBY_RATING_CHANGED;
}

bool client_read_lobby_message(const uint8_t *bytes, size_t size, mst_arena *arena,
                               client_lobby_message *message) {
  memset(message, 0, sizeof *message);
  message->player_id = message->session_token = message->name = "";
  message->match_id = message->result = message->code = message->message = message->queue = "";
  // Of a oneof the last one counts; each is sent once, so parts are not merged.
  mst_pb_field body = {0};
  mst_pb_reader r = mst_pb_read(bytes, size);
  for (mst_pb_field f; mst_pb_next(&r, &f);) {
    if (is_uint(&f, 1)) message->request = (uint32_t)f.value;
    if (f.wire == MST_PB_BYTES && is_body(f.number)) {
      message->type = (client_lobby_message_type)f.number;
      body = f;
    }
  }
  if (r.malformed) return false;
  return message->type == CLIENT_LOBBY_UNKNOWN || read_body(&body, arena, message);
}
