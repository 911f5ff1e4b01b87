#include "muster/gs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gs_session.h"

enum {
  frame_bytes_max = 1 << 20,
  out_bytes_max = 64 << 10,
  retry_first_ms = 50,
  retry_last_ms = 2000
};

// ---- Life.

muster_gs_status muster_gs_create_with(const muster_gs_options *options, muster_gs **out) {
  if (!out) return MUSTER_GS_ERR_ARGUMENT;
  *out = NULL;
  if (!options || !options->address || !options->token) return MUSTER_GS_ERR_ARGUMENT;
  mst_address address;
  const size_t token_bytes = strlen(options->token);
  if (!mst_address_parse(&address, options->address) || token_bytes == 0 ||
      token_bytes > gs_token_bytes_max || !mst_utf8_valid(options->token, token_bytes))
    return MUSTER_GS_ERR_ARGUMENT;
  muster_gs *const gs = calloc(1, sizeof *gs);
  char *const token = mst_strdup(options->token);
  if (!gs || !token) {
    free(gs);
    free(token);
    return MUSTER_GS_ERR_MEMORY;
  }
  gs->address = address;
  gs->token = token;
  mst_link_init(&gs->link, frame_bytes_max, out_bytes_max);
  mst_backoff_init(&gs->backoff, retry_first_ms, retry_last_ms);
  *out = gs;
  return MUSTER_GS_OK;
}

muster_gs_status muster_gs_create(muster_gs **out) {
  if (!out) return MUSTER_GS_ERR_ARGUMENT;
  *out = NULL;
  const muster_gs_options options = {getenv("MUSTER_SDK"), getenv("MUSTER_TOKEN")};
  if (!options.address || !options.token) return MUSTER_GS_ERR_NOT_LAUNCHED;
  const muster_gs_status status = muster_gs_create_with(&options, out);
  const char *const local = getenv("MUSTER_SDK_LOCAL");
  if (status == MUSTER_GS_OK && local) mst_address_local(&(*out)->local, local);
  return status;
}

void muster_gs_destroy(muster_gs *gs) {
  if (!gs) return;
  if (gs->phase == GS_WELCOMED) mst_link_flush(&gs->link);  // A player_left said last, say.
  gs_session_free(gs);
  free(gs);
}

uint16_t muster_gs_port(void) {
  const char *const text = getenv("MUSTER_PORT");
  if (!text || *text < '0' || *text > '9') return 0;
  char *end;
  const unsigned long port = strtoul(text, &end, 10);
  return *end || port > 65535 ? 0 : (uint16_t)port;
}

// ---- Waiting.

static muster_gs_status fail(muster_gs *gs, muster_gs_status status, const char *why) {
  snprintf(gs->error, sizeof gs->error, "%s", why);
  return status;
}

static muster_gs_status timed_out(muster_gs *gs) {
  if (gs->phase != GS_WELCOMED && *gs->error) return MUSTER_GS_ERR_TIMEOUT;  // Says why not.
  return fail(gs, MUSTER_GS_ERR_TIMEOUT, "the node did not answer in time");
}

static muster_gs_status until_welcomed(muster_gs *gs, uint64_t deadline) {
  for (;;) {
    gs_step(gs);
    if (gs->phase == GS_WELCOMED) return MUSTER_GS_OK;
    if (gs->phase == GS_REFUSED) return MUSTER_GS_ERR_REFUSED;
    if (gs_full(gs)) return fail(gs, MUSTER_GS_ERR_POLL_FIRST, "events wait for muster_gs_poll");
    if (!gs_wait(gs, deadline)) return timed_out(gs);
  }
}

/// Waits for the answer to `awaited`. *lost tells that the connection was, and no answer will come.
static muster_gs_status until_answered(muster_gs *gs, uint64_t deadline, bool *lost) {
  *lost = false;
  for (;;) {
    gs_step(gs);
    if (gs->answered) return gs->answer;
    if (gs->awaited == 0) {
      *lost = true;
      return MUSTER_GS_OK;
    }
    if (gs_full(gs)) return fail(gs, MUSTER_GS_ERR_POLL_FIRST, "events wait for muster_gs_poll");
    if (!gs_wait(gs, deadline)) return timed_out(gs);
  }
}

typedef enum question { ASK_VERIFY_JOIN, ASK_MATCH_OVER, ASK_SHUTDOWN } question;

/// Writes a question and makes it the awaited one. False if there is no room now.
static bool ask(muster_gs *gs, question q, const char *text, const gs_outcome *outcome) {
  // An earlier match_over that ran out of time is still on its way: wait for that one's answer.
  const bool again = q == ASK_MATCH_OVER && gs->over_request != 0;
  const uint32_t request = again ? gs->over_request : gs_next_request(gs);
  mst_buffer *const out = &gs->link.out;
  bool said = true;
  if (q == ASK_VERIFY_JOIN) {
    said = gs_write_verify_join(out, request, text);
  } else if (q == ASK_SHUTDOWN) {
    said = gs_write_shutdown(out, request);
  } else if (!again) {
    said = gs_write_match_over(out, request, gs->held->match.match_id, outcome);
    if (said) gs->over_request = request;
    if (said) gs->over_said = true;
  }
  if (!said) return false;
  gs->awaited = request;
  gs->answered = false;
  return true;
}

/// Asks, and asks again on a new connection if the old one is lost before the answer.
static muster_gs_status ask_until(muster_gs *gs, question q, const char *text,
                                  const gs_outcome *outcome, uint64_t deadline) {
  for (;;) {
    muster_gs_status status = until_welcomed(gs, deadline);
    if (q == ASK_MATCH_OVER && gs->over_done) return MUSTER_GS_OK;
    if (status != MUSTER_GS_OK) return status;
    if (q == ASK_MATCH_OVER && gs->live != gs->held)
      return fail(gs, MUSTER_GS_ERR_NO_MATCH, "the lobby has ended the match");
    if (!ask(gs, q, text, outcome)) {
      if (!gs_wait(gs, deadline)) return timed_out(gs);
      continue;
    }
    bool lost;
    status = until_answered(gs, deadline, &lost);
    gs->awaited = 0;
    if (!lost) return status;
  }
}

// ---- Being there.

muster_gs_status muster_gs_connect(muster_gs *gs, int timeout_ms) {
  if (!gs) return MUSTER_GS_ERR_ARGUMENT;
  return until_welcomed(gs, mst_deadline(timeout_ms));
}

muster_gs_status muster_gs_ready(muster_gs *gs, int timeout_ms) {
  if (!gs) return MUSTER_GS_ERR_ARGUMENT;
  const uint64_t deadline = mst_deadline(timeout_ms);
  gs->ready_refused = false;
  gs->ready_called = true;
  for (;;) {
    if (gs->live || gs->playing)
      return fail(gs, MUSTER_GS_ERR_STATE,
                  gs->playing && gs->live == gs->held ? "a match is running"
                                                      : "an event waits in muster_gs_poll");
    if (gs->readiness == GS_NOT_READY) gs->readiness = GS_READY_WANTED;
    gs_step(gs);
    if (gs->readiness == GS_READY) return MUSTER_GS_OK;  // Perhaps with a match already.
    if (gs->ready_refused) return MUSTER_GS_ERR_NODE;
    if (gs->phase == GS_REFUSED) return MUSTER_GS_ERR_REFUSED;
    if (!gs_wait(gs, deadline)) return timed_out(gs);
  }
}

int muster_gs_is_connected(const muster_gs *gs) { return gs && gs->phase == GS_WELCOMED; }

int muster_gs_is_ready(const muster_gs *gs) { return gs && gs->readiness == GS_READY; }

muster_gs_status muster_gs_health(muster_gs *gs) {
  if (!gs) return MUSTER_GS_ERR_ARGUMENT;
  gs_step(gs);
  if (gs->phase == GS_REFUSED) return MUSTER_GS_ERR_REFUSED;
  if (gs->phase != GS_WELCOMED || !gs_write_health(&gs->link.out)) return timed_out(gs);
  gs_step(gs);
  return MUSTER_GS_OK;
}

muster_gs_status muster_gs_shutdown(muster_gs *gs, int timeout_ms) {
  if (!gs) return MUSTER_GS_ERR_ARGUMENT;
  return ask_until(gs, ASK_SHUTDOWN, NULL, NULL, mst_deadline(timeout_ms));
}

// ---- The match.

const muster_gs_match *muster_gs_current_match(const muster_gs *gs) {
  return gs && gs->playing ? &gs->held->match : NULL;
}

const muster_gs_player *muster_gs_find_player(const muster_gs *gs, const char *player_id) {
  const muster_gs_match *const match = muster_gs_current_match(gs);
  if (!match || !player_id) return NULL;
  for (size_t i = 0; i < match->players_count; ++i)
    if (strcmp(match->players[i].player_id, player_id) == 0) return &match->players[i];
  return NULL;
}

muster_gs_status muster_gs_poll(muster_gs *gs, int timeout_ms, muster_gs_event *event) {
  if (!gs || !event) return MUSTER_GS_ERR_ARGUMENT;
  const muster_gs_event none = {MUSTER_GS_EVENT_NONE, "", "", ""};
  *event = none;
  const uint64_t deadline = mst_deadline(timeout_ms);
  for (;;) {
    gs_step(gs);
    if (gs_deliver(gs)) {
      *event = gs->delivered->event;
      return MUSTER_GS_OK;
    }
    if (gs->phase == GS_REFUSED) return MUSTER_GS_ERR_REFUSED;
    if (!gs_wait(gs, deadline)) return MUSTER_GS_OK;
  }
}

muster_gs_status muster_gs_wait_match(muster_gs *gs, int timeout_ms,
                                      const muster_gs_match **match) {
  if (!gs || !match) return MUSTER_GS_ERR_ARGUMENT;
  *match = NULL;
  const uint64_t deadline = mst_deadline(timeout_ms);
  for (;;) {
    if (gs->playing && gs->live == gs->held) {
      *match = &gs->held->match;
      return MUSTER_GS_OK;
    }
    // Who waits for a match is ready for it, also when it was the lobby that ended the last one.
    if (gs->ready_called && !gs->live && !gs->playing && gs->readiness == GS_NOT_READY)
      gs->readiness = GS_READY_WANTED;
    muster_gs_event event;
    const muster_gs_status status = muster_gs_poll(gs, mst_until(deadline), &event);
    if (status != MUSTER_GS_OK) return status;
    if (event.type == MUSTER_GS_EVENT_NONE && mst_until(deadline) == 0) return timed_out(gs);
  }
}

static bool await_match(muster_gs *gs, uint64_t deadline) {
  enum { soon_ms = 100 };
  const uint64_t soon = mst_deadline(soon_ms);
  if (soon < deadline) deadline = soon;
  do gs_step(gs);
  while (!gs->live && !gs_full(gs) && gs_wait(gs, deadline));
  return gs->live != NULL;
}

muster_gs_status muster_gs_verify_join(muster_gs *gs, const char *join_token, muster_gs_join *join,
                                       int timeout_ms) {
  if (!gs || !join_token || !join) return MUSTER_GS_ERR_ARGUMENT;
  memset(join, 0, sizeof *join);
  const size_t size = strlen(join_token);
  if (size == 0 || size > MUSTER_GS_JOIN_TOKEN_BYTES_MAX || !mst_utf8_valid(join_token, size))
    return fail(gs, MUSTER_GS_ERR_ARGUMENT, "the join token is empty, too long or not UTF-8");
  const uint64_t deadline = mst_deadline(timeout_ms);
  const bool between_matches = gs->live == NULL;
  muster_gs_status status = ask_until(gs, ASK_VERIFY_JOIN, join_token, NULL, deadline);
  // The player was quicker than the word that their match has started: it is about to come.
  if (status == MUSTER_GS_ERR_NO_MATCH && between_matches && await_match(gs, deadline))
    status = ask_until(gs, ASK_VERIFY_JOIN, join_token, NULL, deadline);
  if (status == MUSTER_GS_OK) *join = gs->join;
  return status;
}

static muster_gs_status set_presence(muster_gs *gs, const char *player_id, gs_presence presence) {
  if (!gs || !player_id) return MUSTER_GS_ERR_ARGUMENT;
  if (!gs->playing || gs->live != gs->held)
    return fail(gs, MUSTER_GS_ERR_NO_MATCH, "no match is running");
  const muster_gs_player *const player = muster_gs_find_player(gs, player_id);
  if (!player) return fail(gs, MUSTER_GS_ERR_ARGUMENT, "no player of this match has that id");
  gs_seat *const seat = &gs->held->seats[player - gs->held->match.players];
  if (seat->presence != presence) {
    seat->presence = presence;
    seat->said = false;
  }
  gs_step(gs);
  return MUSTER_GS_OK;
}

muster_gs_status muster_gs_player_joined(muster_gs *gs, const char *player_id) {
  return set_presence(gs, player_id, GS_JOINED);
}

muster_gs_status muster_gs_player_left(muster_gs *gs, const char *player_id) {
  return set_presence(gs, player_id, GS_LEFT);
}

/// NULL if it is one of this match's.
static const char *standing_problem(const muster_gs *gs, const muster_gs_standing *standing) {
  if (standing->rank < 1 || standing->rank > MUSTER_GS_RANK_MAX) return "a rank is not 1 to 1000";
  if (!(standing->missed >= 0 && standing->missed <= 1)) return "a standing's missed is not 0 to 1";
  const muster_gs_match *const match = &gs->held->match;
  const bool of_team = !standing->player_id || !*standing->player_id;
  for (size_t i = 0; i < match->players_count; ++i)
    if (of_team ? match->players[i].team == standing->team
                : strcmp(match->players[i].player_id, standing->player_id) == 0)
      return NULL;
  return of_team ? "a standing is of a team that nobody of the match is in"
                 : "a standing is of a player who is not of the match";
}

muster_gs_status muster_gs_match_over(muster_gs *gs, const char *result, int timeout_ms) {
  return muster_gs_match_over_ranked(gs, result, NULL, 0, timeout_ms);
}

muster_gs_status muster_gs_match_over_ranked(muster_gs *gs, const char *result,
                                             const muster_gs_standing *standings, size_t count,
                                             int timeout_ms) {
  if (!gs) return MUSTER_GS_ERR_ARGUMENT;
  if (!result) result = "";
  const size_t size = strlen(result);
  if (size > MUSTER_GS_RESULT_BYTES_MAX || !mst_utf8_valid(result, size))
    return fail(gs, MUSTER_GS_ERR_ARGUMENT, "the result is over 16384 bytes or not UTF-8");
  if (!gs->playing) return fail(gs, MUSTER_GS_ERR_NO_MATCH, "no match is running");
  if (count > MUSTER_GS_STANDINGS_MAX || (count > 0 && !standings))
    return fail(gs, MUSTER_GS_ERR_ARGUMENT, "there are no standings, or over 512");
  for (size_t i = 0; i < count; ++i) {
    const char *const problem = standing_problem(gs, &standings[i]);
    if (problem) return fail(gs, MUSTER_GS_ERR_ARGUMENT, problem);
  }
  const gs_outcome outcome = {result, standings, count};
  const muster_gs_status status =
      ask_until(gs, ASK_MATCH_OVER, NULL, &outcome, mst_deadline(timeout_ms));
  if (status == MUSTER_GS_OK) gs->playing = false;
  return status;
}

// ---- In a poll loop of one's own.

intptr_t muster_gs_socket(const muster_gs *gs) { return gs ? gs->link.socket : -1; }

int muster_gs_poll_within_ms(const muster_gs *gs) {
  enum { unsent_ms = 5 };
  if (!gs) return -1;
  if (gs->events_first) return 0;
  const int due = mst_until(gs_due(gs));
  // Unsent bytes would need waiting for writing, which the caller does not do.
  return gs->link.out.size > 0 && (due < 0 || due > unsent_ms) ? unsent_ms : due;
}

const char *muster_gs_error_text(const muster_gs *gs) { return gs ? gs->error : ""; }

const char *muster_gs_status_text(muster_gs_status status) {
  switch (status) {
    case MUSTER_GS_OK:
      return "ok";
    case MUSTER_GS_ERR_NOT_LAUNCHED:
      return "this process was not launched by Muster: MUSTER_SDK and MUSTER_TOKEN are not set";
    case MUSTER_GS_ERR_ARGUMENT:
      return "an argument is missing, too long, not UTF-8, or names nobody of this match";
    case MUSTER_GS_ERR_MEMORY:
      return "out of memory";
    case MUSTER_GS_ERR_TIMEOUT:
      return "the time was over first";
    case MUSTER_GS_ERR_STATE:
      return "not now: a match is running, or its end waits in muster_gs_poll";
    case MUSTER_GS_ERR_REFUSED:
      return "the node does not know this game server's launch token";
    case MUSTER_GS_ERR_NO_MATCH:
      return "no match is running, or the lobby has ended it";
    case MUSTER_GS_ERR_JOIN_INVALID:
      return "the join token is not the lobby's, or is for another server or match";
    case MUSTER_GS_ERR_JOIN_EXPIRED:
      return "the join token has expired";
    case MUSTER_GS_ERR_NODE:
      return "the node refused; muster_gs_error_text has its words";
    case MUSTER_GS_ERR_POLL_FIRST:
      return "too many events wait: call muster_gs_poll until it brings none";
    case MUSTER_GS_ERR_NOT_SUPPORTED:
      return "this system, or this process on it, cannot do that";
    case MUSTER_GS_ERR_THREADS:
      return "more than one thread runs at the fork point";
  }
  return "unknown status";
}
