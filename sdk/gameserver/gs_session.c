#include "gs_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  greeting_ms = 5000,
  match_bytes_max = 16 << 20,  // Of one decoded message: a megabyte of wire, at its most spacious.
};

static void set_error(muster_gs *gs, const char *what, const char *detail) {
  snprintf(gs->error, sizeof gs->error, "%s%s%s", what, *detail ? ": " : "", detail);
}

uint32_t gs_next_request(muster_gs *gs) {
  if (++gs->request_last == 0) ++gs->request_last;  // 0 asks for no reply.
  return gs->request_last;
}

bool gs_full(const muster_gs *gs) { return gs->events_count >= gs_events_max; }

// ---- The connection.

/// `why` is NULL if the link is down already and knows itself.
static void lose(muster_gs *gs, const char *why) {
  if (why) mst_link_close(&gs->link, why);
  set_error(gs, "no connection to the node", gs->link.error);
  gs->phase = GS_DOWN;
  gs->retry_at = mst_clock_ms() + mst_backoff_next(&gs->backoff);
  gs->awaited = 0;
  gs->over_request = 0;
  if (gs->readiness > GS_READY_WANTED) gs->readiness = GS_READY_WANTED;
  if (gs->live)
    for (size_t i = 0; i < gs->live->match.players_count; ++i) gs->live->seats[i].said = false;
}

static void say_ready(muster_gs *gs) {
  gs->ready_request = gs_next_request(gs);
  if (gs_write_ready(&gs->link.out, gs->ready_request)) gs->readiness = GS_READY_SAID;
}

static void begin(muster_gs *gs) {
  // The socket in the node's folder costs half of what its port does. Where that folder cannot be
  // reached, in a container say, the port may.
  const bool local = gs->local.size > 0 && mst_link_open(&gs->link, &gs->local);
  if (!local && !mst_link_open(&gs->link, &gs->address)) {
    lose(gs, NULL);
    return;
  }
  gs->phase = GS_GREETING;
  gs->greeting_deadline = mst_clock_ms() + greeting_ms;
  gs->hello_request = gs_next_request(gs);
  gs_write_hello(&gs->link.out, gs->hello_request, gs->token);
  // A game server that starts says both at once, which saves a round trip on the way of the players
  // who wait for it. Later the Welcome must be seen first: with a match running, Ready would end
  // it.
  if (!gs->ever_welcomed && gs->readiness == GS_READY_WANTED) say_ready(gs);
}

// ---- Events.

static void free_match(gs_match *match) {
  if (!match) return;
  mst_arena arena = match->arena;  // The match lies in its own arena.
  mst_arena_free(&arena);
}

static void free_event(gs_event *e) {
  if (!e) return;
  free_match(e->match);
  free(e);
}

static const char *put_text(char **at, const char *text) {
  char *const start = *at;
  const size_t size = strlen(text) + 1;
  memcpy(start, text, size);
  *at += size;
  return start;
}

/// Without memory the connection is dropped: the next Welcome tells everything anew.
static bool push_event(muster_gs *gs, muster_gs_event_type type, const char *match_id,
                       const char *player_id, const char *reason, gs_match *match) {
  gs_event *const e =
      calloc(1, sizeof *e + strlen(match_id) + strlen(player_id) + strlen(reason) + 3);
  if (!e) {
    lose(gs, "out of memory for an event");
    return false;
  }
  char *text = (char *)(e + 1);
  e->event.type = type;
  e->event.match_id = put_text(&text, match_id);
  e->event.player_id = put_text(&text, player_id);
  e->event.reason = put_text(&text, reason);
  e->match = match;
  if (gs->events_last) gs->events_last->next = e;
  if (!gs->events_first) gs->events_first = e;
  gs->events_last = e;
  ++gs->events_count;
  return true;
}

bool gs_deliver(muster_gs *gs) {
  free_event(gs->delivered);
  gs_event *const e = gs->delivered = gs->events_first;
  if (!e) return false;
  gs->events_first = e->next;
  if (!gs->events_first) gs->events_last = NULL;
  --gs->events_count;
  if (e->event.type == MUSTER_GS_EVENT_MATCH_STARTED) {
    free_match(gs->held);
    gs->held = e->match;
    e->match = NULL;
    gs->playing = true;
    gs->over_request = 0;
    gs->over_said = gs->over_done = false;
  } else if (e->event.type == MUSTER_GS_EVENT_MATCH_ENDED) {
    gs->playing = false;
  }
  return true;
}

// ---- What the node says.

static bool is_live(const muster_gs *gs, const char *match_id) {
  return gs->live && strcmp(gs->live->match.match_id, match_id) == 0;
}

static void end_live(muster_gs *gs, const char *reason) {
  if (!gs->live) return;
  if (gs->live == gs->held && gs->over_said && strcmp(reason, "lost") == 0) {
    gs->over_done = true;  // The caller ended it; only the node's answer was lost.
  } else {
    if (!push_event(gs, MUSTER_GS_EVENT_MATCH_ENDED, gs->live->match.match_id, "", reason, NULL))
      return;
    gs->readiness = GS_NOT_READY;
  }
  gs->live = NULL;
}

/// Takes the arena over.
static void start_live(muster_gs *gs, const muster_gs_match *match, mst_arena *arena) {
  gs_match *const m = mst_arena_alloc(arena, 1, sizeof *m);
  gs_seat *const seats = mst_arena_alloc(arena, match->players_count, sizeof *seats);
  if (!m || !seats) {
    lose(gs, "out of memory for a match");
    return;
  }
  m->match = *match;
  m->seats = seats;
  m->arena = *arena;
  mst_arena_init(arena, 0);
  if (push_event(gs, MUSTER_GS_EVENT_MATCH_STARTED, m->match.match_id, "", "", m)) {
    gs->live = m;
    gs->readiness = GS_READY;  // Only a Ready server is given a match.
  } else {
    free_match(m);
  }
}

static void remove_player(muster_gs *gs, size_t i) {
  gs_seat *const seat = &gs->live->seats[i];
  seat->removed =
      seat->removed || push_event(gs, MUSTER_GS_EVENT_PLAYER_REMOVED, gs->live->match.match_id,
                                  gs->live->match.players[i].player_id, "", NULL);
}

static bool lists(const muster_gs_match *match, const char *player_id) {
  for (size_t i = 0; i < match->players_count; ++i)
    if (strcmp(match->players[i].player_id, player_id) == 0) return true;
  return false;
}

/// The node says which match runs; NULL for none.
static void reconcile(muster_gs *gs, const muster_gs_match *match, mst_arena *arena) {
  if (match && is_live(gs, match->match_id)) {
    for (size_t i = 0; i < gs->live->match.players_count; ++i)
      if (!lists(match, gs->live->match.players[i].player_id)) remove_player(gs, i);
    return;
  }
  end_live(gs, "lost");
  if (match && !gs->live) start_live(gs, match, arena);
}

static void welcomed(muster_gs *gs, const gs_node_message *m, mst_arena *arena) {
  gs->phase = GS_WELCOMED;
  gs->ever_welcomed = true;
  gs->error[0] = '\0';
  mst_backoff_reset(&gs->backoff);
  gs->health_interval_ms = m->health_interval_ms;
  gs->health_at = mst_clock_ms() + (m->health_interval_ms + 1) / 2;
  reconcile(gs, m->has_match ? &m->match : NULL, arena);
  if (gs->live) gs->readiness = GS_READY;
}

static muster_gs_status status_of(const char *code) {
  if (strcmp(code, "join_token_invalid") == 0) return MUSTER_GS_ERR_JOIN_INVALID;
  if (strcmp(code, "join_token_expired") == 0) return MUSTER_GS_ERR_JOIN_EXPIRED;
  if (strcmp(code, "no_match") == 0) return MUSTER_GS_ERR_NO_MATCH;
  return MUSTER_GS_ERR_NODE;
}

static void refused(muster_gs *gs, const gs_node_message *m) {
  if (m->request == gs->hello_request && gs->phase == GS_GREETING) {
    // A node that knew us once may be starting again; one that never did will not change its mind.
    const bool final = !gs->ever_welcomed && strcmp(m->code, "token_invalid") == 0;
    lose(gs, *m->message ? m->message : m->code);
    if (final) gs->phase = GS_REFUSED;
    return;
  }
  set_error(gs, m->code, m->message);
  if (m->request == gs->ready_request && gs->readiness == GS_READY_SAID) {
    gs->readiness = GS_NOT_READY;
    gs->ready_refused = true;
  } else if (m->request == gs->over_request) {
    gs->over_request = 0;
    gs->over_said = false;
    if (status_of(m->code) == MUSTER_GS_ERR_NO_MATCH && gs->live == gs->held) end_live(gs, "lost");
  }
}

static void answered(muster_gs *gs, const gs_node_message *m, mst_arena *arena) {
  if (m->type == GS_NODE_ERROR) {
    refused(gs, m);
  } else if (m->type == GS_NODE_OK && m->request == gs->ready_request) {
    if (gs->readiness == GS_READY_SAID) gs->readiness = GS_READY;
  } else if (m->type == GS_NODE_OK && m->request == gs->over_request) {
    gs->over_request = 0;
    gs->over_done = true;
    if (gs->live == gs->held) gs->live = NULL;
  }
  if (gs->awaited == 0 || m->request != gs->awaited) return;
  gs->awaited = 0;
  gs->answered = true;
  gs->answer = m->type == GS_NODE_ERROR ? status_of(m->code) : MUSTER_GS_OK;
  if (m->type == GS_NODE_JOIN_VERIFIED) {
    mst_arena_free(&gs->join_arena);
    gs->join_arena = *arena;
    gs->join = m->join;
    mst_arena_init(arena, 0);
  }
}

static void handle(muster_gs *gs, const gs_node_message *m, mst_arena *arena) {
  switch (m->type) {
    case GS_NODE_WELCOME:
      if (gs->phase == GS_GREETING) welcomed(gs, m, arena);
      break;
    case GS_NODE_OK:
    case GS_NODE_ERROR:
    case GS_NODE_JOIN_VERIFIED:
      if (m->request != 0) answered(gs, m, arena);
      break;
    case GS_NODE_MATCH_STARTED:
      reconcile(gs, &m->match, arena);
      break;
    case GS_NODE_PLAYER_REMOVED:
      if (!is_live(gs, m->match_id)) break;
      for (size_t i = 0; i < gs->live->match.players_count; ++i)
        if (strcmp(gs->live->match.players[i].player_id, m->player_id) == 0) remove_player(gs, i);
      break;
    case GS_NODE_MATCH_ENDED:
      if (is_live(gs, m->match_id)) end_live(gs, *m->reason ? m->reason : "cancelled");
      break;
    case GS_NODE_UNKNOWN:
      break;
  }
}

static void read_messages(muster_gs *gs) {
  const uint8_t *bytes;
  size_t size;
  // When full, what the node says stays in the socket until the caller polls.
  while (gs->phase != GS_DOWN && gs->phase != GS_REFUSED && !gs_full(gs)) {
    const int got = mst_link_read(&gs->link, &bytes, &size);
    if (got == 0) return;
    if (got < 0) {
      lose(gs, NULL);
      return;
    }
    mst_arena arena;
    mst_arena_init(&arena, match_bytes_max);
    gs_node_message message;
    if (gs_read_node_message(bytes, size, &arena, &message))
      handle(gs, &message, &arena);
    else
      lose(gs, "the node sent what is no message");
    mst_arena_free(&arena);
  }
}

static void say_what_is_due(muster_gs *gs) {
  if (gs->readiness == GS_READY_WANTED && !gs->live) say_ready(gs);
  if (gs->live && gs->live == gs->held) {
    for (size_t i = 0; i < gs->live->match.players_count; ++i) {
      gs_seat *const seat = &gs->live->seats[i];
      if (seat->said || seat->presence == GS_ABSENT) continue;
      const char *const id = gs->live->match.players[i].player_id;
      seat->said = seat->presence == GS_JOINED ? gs_write_player_joined(&gs->link.out, id)
                                               : gs_write_player_left(&gs->link.out, id);
      if (!seat->said) break;  // No room: when some has been sent.
    }
  }
  if (gs->health_interval_ms != 0 && mst_clock_ms() >= gs->health_at &&
      gs_write_health(&gs->link.out))
    gs->health_at = mst_clock_ms() + (gs->health_interval_ms + 1) / 2;
}

void gs_step(muster_gs *gs) {
  if (gs->phase == GS_REFUSED) return;
  if (gs->phase == GS_DOWN) {
    if (mst_clock_ms() < gs->retry_at) return;
    begin(gs);
  }
  if (gs->phase == GS_WELCOMED) say_what_is_due(gs);
  if (gs->phase != GS_DOWN && !mst_link_flush(&gs->link)) {
    lose(gs, NULL);
    return;
  }
  read_messages(gs);
  if (gs->phase == GS_GREETING && mst_clock_ms() >= gs->greeting_deadline)
    lose(gs, "the node did not answer");
  if (gs->phase == GS_WELCOMED) {
    say_what_is_due(gs);  // What the messages read have made due.
    if (gs->link.out.size > 0) mst_link_flush(&gs->link);
  }
}

uint64_t gs_due(const muster_gs *gs) {
  switch (gs->phase) {
    case GS_DOWN:
      return gs->retry_at;
    case GS_GREETING:
      return gs->greeting_deadline;
    case GS_WELCOMED:
      if (gs->health_interval_ms != 0) return gs->health_at;
      break;
    case GS_REFUSED:
      break;
  }
  return UINT64_MAX;
}

bool gs_wait(muster_gs *gs, uint64_t deadline) {
  if (mst_until(deadline) == 0) return false;
  const uint64_t due = gs_due(gs);
  mst_link_wait(&gs->link, mst_until(due < deadline ? due : deadline));
  return true;
}

void gs_session_free(muster_gs *gs) {
  while (gs_deliver(gs)) continue;
  free_match(gs->held);
  mst_arena_free(&gs->join_arena);
  mst_link_free(&gs->link);
  free(gs->token);
}
