#include "client_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  greeting_ms = 10000,  // From connecting to WELCOME, for each address.
  message_bytes_max =
      16 << 20,  // Of one decoded message: a megabyte of wire, at its most spacious.
};

uint32_t client_next_request(muster_client *c) {
  if (++c->request_last == 0) ++c->request_last;  // 0 asks for no reply.
  return c->request_last;
}

muster_client_event client_no_event(void) {
  muster_client_event e;
  memset(&e, 0, sizeof e);
  e.player_id = e.name = e.match_id = e.result = e.code = e.message = e.queue = "";
  return e;
}

void client_forget_password(muster_client *c) {
  // Through volatile, or a compiler leaves out what nobody reads.
  for (volatile char *at = c->password; at && *at; ++at) *at = 0;
  free(c->password);
  c->password = NULL;
}

// ---- The connection.

/// `why` is NULL if the link is down already and knows itself.
static void lose(muster_client *c, const char *why, bool final) {
  const client_phase was = c->phase;
  snprintf(c->why, sizeof c->why, "%s", why ? why : c->link.error);
  mst_link_close(&c->link, c->why);
  c->phase = final ? CLIENT_STOPPED : CLIENT_DOWN;
  c->retry_in_ms = final ? 0 : mst_backoff_next(&c->backoff);
  c->retry_at = mst_clock_ms() + c->retry_in_ms;
  c->addresses_count = 0;
  c->tell_connected = false;
  c->tell_disconnected = true;
  if (was == CLIENT_GREETING) c->sign_up_lost = c->sign_up;
  memcpy(c->lost, c->pending, sizeof c->lost);
  c->lost_count = c->pending_count;
  c->pending_count = 0;
}

static void say_hello(muster_client *c) {
  c->hello_request = client_next_request(c);
  c->hello_resumes = c->session_token != NULL;
  if (c->hello_resumes)
    client_write_resume(&c->link.out, c->hello_request, c->session_token);
  else if (c->password)
    client_write_account(&c->link.out, c->hello_request, c->name, c->password, c->sign_up);
  else
    client_write_guest(&c->link.out, c->hello_request, c->name);
}

/// Tries the addresses of the host one after another, and is lost when none is left.
static void connect_next(muster_client *c) {
  if (c->addresses_count == 0) {
    c->addresses_tried = 0;
    c->addresses_count = mst_address_resolve(c->addresses, client_addresses_max, c->host, c->port);
    if (c->addresses_count == 0) {
      char why[sizeof c->why];
      snprintf(why, sizeof why, "%.60s: no such host is known", c->host);
      lose(c, why, false);
      return;
    }
  }
  while (c->addresses_tried < c->addresses_count) {
    if (!mst_link_open(&c->link, &c->addresses[c->addresses_tried++])) continue;
    c->phase = CLIENT_CONNECTING;
    c->greeting_deadline = mst_clock_ms() + greeting_ms;
    mst_buffer_append(&c->link.out, "MUST", 4);
    say_hello(c);
    return;
  }
  lose(c, NULL, false);
}

void client_flush(muster_client *c) {
  if (c->link.state == MST_LINK_DOWN || mst_link_flush(&c->link)) return;
  if (c->phase == CLIENT_CONNECTING)
    connect_next(c);
  else
    lose(c, NULL, false);
}

// ---- What the lobby says.

static bool keep(char **kept, const char *text) {
  char *const copy = mst_strdup(text);
  if (!copy) return false;
  free(*kept);
  *kept = copy;
  return true;
}

static bool welcomed(muster_client *c, const client_lobby_message *m, muster_client_event *e) {
  if (c->phase != CLIENT_GREETING) return false;
  if (!keep(&c->player_id, m->player_id) ||
      (*m->session_token && !keep(&c->session_token, m->session_token))) {
    lose(c, "out of memory for a session", false);
    return false;
  }
  c->phase = CLIENT_WELCOMED;
  c->sign_up = false;
  mst_backoff_reset(&c->backoff);
  c->has_ticket = c->has_assignment = c->has_party = false;  // Told anew, if there are any.
  e->type = MUSTER_CLIENT_EVENT_WELCOME;
  e->player_id = m->player_id;
  e->name = m->name;
  e->resumed = m->resumed;
  return true;
}

static bool is_one_of(const char *code, const char *const *codes) {
  for (; *codes; ++codes)
    if (strcmp(code, *codes) == 0) return true;
  return false;
}

/// True if the lobby's word is the caller's to hear.
static bool greeting_refused(muster_client *c, const client_lobby_message *m) {
  static const char *const unknown_token[] = {"session_expired", "session_token_invalid", NULL};
  static const char *const passing[] = {"lobby_full", "lobby_stopping", "rate_limited",
                                        "storage_unavailable", NULL};
  if (c->hello_resumes && is_one_of(m->code, unknown_token)) {
    free(c->session_token);
    c->session_token = NULL;
    if (c->name)
      say_hello(c);  // A new guest, or a login, on the same connection.
    else
      lose(c, m->message, true);
    return true;
  }
  if (c->sign_up_lost && strcmp(m->code, "name_taken") == 0) {
    // Perhaps by this very sign-up, whose answer was lost: the password tells.
    c->sign_up = c->sign_up_lost = false;
    say_hello(c);
    return false;
  }
  // What will not be different next time is not tried again.
  lose(c, m->message, !is_one_of(m->code, passing));
  c->sign_up_lost = false;
  return true;
}

static bool refused(muster_client *c, const client_lobby_message *m, muster_client_event *e) {
  e->type = MUSTER_CLIENT_EVENT_ERROR;
  e->code = m->code;
  e->message = m->message;
  e->retry_after_ms = m->retry_after_ms;
  if (m->request == c->hello_request && c->phase == CLIENT_GREETING) return greeting_refused(c, m);
  // Coming back would only push the other one out, or be refused.
  if (strcmp(m->code, "resumed_elsewhere") == 0 || strcmp(m->code, "banned") == 0)
    lose(c, m->message, true);
  return true;
}

static void take_arena(mst_arena *to, mst_arena *from) {
  mst_arena_free(to);
  *to = *from;
  mst_arena_init(from, 0);
}

static void ticket_told(muster_client *c, const client_lobby_message *m, mst_arena *arena,
                        muster_client_event *e) {
  take_arena(&c->ticket_arena, arena);
  c->ticket = m->ticket;
  const muster_client_ticket_state state = m->ticket.state;
  c->has_ticket = state <= MUSTER_CLIENT_TICKET_ASSIGNED || state == MUSTER_CLIENT_TICKET_OFFERED;
  if (c->has_ticket && state != MUSTER_CLIENT_TICKET_ASSIGNED) c->has_assignment = false;
  e->type = MUSTER_CLIENT_EVENT_TICKET;
  e->ticket = &c->ticket;
}

static void party_told(muster_client *c, const client_lobby_message *m, mst_arena *arena,
                       muster_client_event *e) {
  take_arena(&c->party_arena, arena);
  c->party = m->party;
  c->has_party = *m->party.party_id != 0;
  e->type = MUSTER_CLIENT_EVENT_PARTY;
  e->party = &c->party;
}

static void assigned(muster_client *c, const client_lobby_message *m, mst_arena *arena,
                     muster_client_event *e) {
  take_arena(&c->assignment_arena, arena);
  c->assignment = m->assignment;
  c->has_assignment = true;
  e->type = MUSTER_CLIENT_EVENT_ASSIGNMENT;
  e->assignment = &c->assignment;
}

static void match_ended(muster_client *c, const client_lobby_message *m, muster_client_event *e) {
  c->has_ticket = c->has_assignment = false;
  e->type = MUSTER_CLIENT_EVENT_MATCH_ENDED;
  e->match_id = m->match_id;
  e->reason = m->reason;
  e->requeued = m->requeued;
  e->result = m->result;
}

static void answered(muster_client *c, uint32_t request) {
  for (size_t i = 0; i < c->pending_count; ++i) {
    if (c->pending[i] != request) continue;
    memmove(&c->pending[i], &c->pending[i + 1], (c->pending_count - i - 1) * sizeof *c->pending);
    --c->pending_count;
    return;
  }
}

/// True if the message makes an event.
static bool handle(muster_client *c, const client_lobby_message *m, mst_arena *arena,
                   muster_client_event *e) {
  *e = client_no_event();
  e->request = m->request;
  if (m->request != 0) answered(c, m->request);
  switch (m->type) {
    case CLIENT_LOBBY_WELCOME:
      return welcomed(c, m, e);
    case CLIENT_LOBBY_TICKET:
      ticket_told(c, m, arena, e);
      return true;
    case CLIENT_LOBBY_PARTY:
      party_told(c, m, arena, e);
      return true;
    case CLIENT_LOBBY_ASSIGNMENT:
      assigned(c, m, arena, e);
      return true;
    case CLIENT_LOBBY_MATCH_ENDED:
      match_ended(c, m, e);
      return true;
    case CLIENT_LOBBY_ERROR:
      return refused(c, m, e);
    case CLIENT_LOBBY_PING:
      if (!client_write_pong(&c->link.out, m->number)) lose(c, "the lobby does not read", false);
      return false;
    case CLIENT_LOBBY_RATING_CHANGED:
      e->type = MUSTER_CLIENT_EVENT_RATING_CHANGED;
      e->queue = m->queue;
      e->rating = m->rating;
      e->deviation = m->deviation;
      e->rating_change = m->rating_change;
      return true;
    case CLIENT_LOBBY_PONG:
    case CLIENT_LOBBY_UNKNOWN:
      break;
  }
  return false;
}

/// Reads until a message makes an event, or none is left.
static bool read_event(muster_client *c, muster_client_event *e) {
  const uint8_t *bytes;
  size_t size;
  while (c->link.state != MST_LINK_DOWN && !c->tell_disconnected) {
    const int got = mst_link_read(&c->link, &bytes, &size);
    if (got == 0) return false;
    if (got < 0) {
      if (c->phase == CLIENT_CONNECTING)
        connect_next(c);
      else
        lose(c, NULL, false);
      return false;
    }
    c->heard_at = mst_clock_ms();
    c->pinged = false;
    mst_arena_free(&c->event_arena);
    mst_arena_init(&c->event_arena, message_bytes_max);
    client_lobby_message message;
    if (!client_read_lobby_message(bytes, size, &c->event_arena, &message)) {
      lose(c, "the lobby sent what is no message", false);
      return false;
    }
    if (handle(c, &message, &c->event_arena, e)) return true;
  }
  return false;
}

// ---- Steps.

/// What happened here rather than there.
static bool tell(muster_client *c, muster_client_event *e) {
  *e = client_no_event();
  if (c->tell_connected) {
    c->tell_connected = false;
    e->type = MUSTER_CLIENT_EVENT_CONNECTED;
  } else if (c->lost_count > 0) {
    e->type = MUSTER_CLIENT_EVENT_ERROR;
    e->request = c->lost[0];
    e->code = "connection_lost";
    e->message = "The connection was lost before the lobby answered.";
    memmove(&c->lost[0], &c->lost[1], --c->lost_count * sizeof *c->lost);
  } else if (c->tell_disconnected) {
    c->tell_disconnected = false;
    e->type = MUSTER_CLIENT_EVENT_DISCONNECTED;
    e->message = c->why;
    e->retry_in_ms = c->retry_in_ms;
    e->final = c->phase == CLIENT_STOPPED;
  } else {
    return false;
  }
  return true;
}

static void mind_silence(muster_client *c) {
  const uint64_t silent_ms = mst_clock_ms() - c->heard_at;
  if (silent_ms >= 2u * (uint64_t)c->silence_ms) {
    lose(c, "the lobby fell silent", false);
  } else if (silent_ms >= c->silence_ms && !c->pinged) {
    c->pinged = true;
    client_write_ping(&c->link.out, silent_ms);
    client_flush(c);
  }
}

static void mind_greeting(muster_client *c) {
  if (c->phase != CLIENT_CONNECTING && c->phase != CLIENT_GREETING) return;
  if (mst_clock_ms() < c->greeting_deadline) return;
  if (c->phase == CLIENT_CONNECTING && c->addresses_tried < c->addresses_count)
    connect_next(c);
  else
    lose(c, "the lobby did not answer", false);
}

bool client_step(muster_client *c, muster_client_event *e) {
  if (tell(c, e)) return true;
  if (c->phase == CLIENT_DOWN && mst_clock_ms() >= c->retry_at) connect_next(c);
  client_flush(c);
  if (c->phase == CLIENT_CONNECTING && c->link.state == MST_LINK_UP) {
    c->phase = CLIENT_GREETING;
    c->heard_at = mst_clock_ms();
    c->pinged = false;
    c->tell_connected = true;
    return tell(c, e);
  }
  if (read_event(c, e)) {
    client_flush(c);  // A hello said again, a pong.
    return true;
  }
  mind_greeting(c);
  if (c->phase == CLIENT_WELCOMED) mind_silence(c);
  if (c->link.out.size > 0) client_flush(c);
  return tell(c, e);
}

uint64_t client_due(const muster_client *c) {
  if (c->tell_connected || c->tell_disconnected || c->lost_count > 0) return 0;
  switch (c->phase) {
    case CLIENT_DOWN:
      return c->retry_at;
    case CLIENT_CONNECTING:
    case CLIENT_GREETING:
      return c->greeting_deadline;
    case CLIENT_WELCOMED:
      return c->heard_at + (uint64_t)c->silence_ms * (c->pinged ? 2 : 1);
    case CLIENT_IDLE:
    case CLIENT_STOPPED:
      break;
  }
  return UINT64_MAX;
}

void client_session_free(muster_client *c) {
  mst_arena_free(&c->event_arena);
  mst_arena_free(&c->ticket_arena);
  mst_arena_free(&c->party_arena);
  mst_arena_free(&c->assignment_arena);
  mst_link_free(&c->link);
  free(c->host);
  free(c->name);
  client_forget_password(c);
  free(c->session_token);
  free(c->player_id);
}
