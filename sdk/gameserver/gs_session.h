// The connection to the node and what was learnt from it: the state behind the functions of gs.h.
// Private to the game-server SDK.
#ifndef MUSTER_SDK_GAMESERVER_GS_SESSION_H
#define MUSTER_SDK_GAMESERVER_GS_SESSION_H

#include "gs_wire.h"
#include "link.h"

enum { gs_events_max = 512, gs_token_bytes_max = 512 };

typedef enum gs_presence { GS_ABSENT, GS_JOINED, GS_LEFT } gs_presence;

/// What is kept of each player of a match, beside what the node said of them.
typedef struct gs_seat {
  gs_presence presence;
  bool said;     // The node was told of it, on this connection.
  bool removed;  // The lobby took them out.
} gs_seat;

typedef struct gs_match {
  muster_gs_match match;  // First: a muster_gs_match * we gave out is a gs_match *.
  gs_seat *seats;         // One per player.
  mst_arena arena;        // Owns all of the above.
} gs_match;

/// An event that waits for muster_gs_poll. Its text lies behind it, in the same allocation.
typedef struct gs_event {
  struct gs_event *next;
  muster_gs_event event;
  gs_match *match;  // MATCH_STARTED: owned until it is delivered.
} gs_event;

typedef enum gs_phase {
  GS_DOWN,      // Until retry_at.
  GS_GREETING,  // Hello is said; until greeting_deadline.
  GS_WELCOMED,
  GS_REFUSED,  // For good.
} gs_phase;

typedef enum gs_readiness { GS_NOT_READY, GS_READY_WANTED, GS_READY_SAID, GS_READY } gs_readiness;

struct muster_gs {
  mst_address address;
  mst_address local;  // Tried first; size 0: none.
  char *token;
  mst_link link;
  mst_backoff backoff;
  gs_phase phase;
  bool ever_welcomed;
  uint64_t retry_at;
  uint64_t greeting_deadline;
  uint32_t health_interval_ms;
  uint64_t health_at;
  uint32_t request_last;
  uint32_t hello_request;

  gs_readiness readiness;
  uint32_t ready_request;
  bool ready_refused;
  bool ready_called;

  // One question at a time may wait for its answer.
  uint32_t awaited;  // Its request; 0 if none, or when the connection it was asked on is lost.
  bool answered;
  muster_gs_status answer;
  mst_arena join_arena;
  muster_gs_join join;

  gs_match *held;  // Owned: the match last delivered, running or over.
  gs_match *live;  // What runs now as the node has it: `held`, or one in a waiting event.
  bool playing;    // `held` is the current match for the caller.
  uint32_t over_request;
  bool over_said;  // match_over was sent for `held`: if the node no longer knows it, it arrived.
  bool over_done;

  gs_event *events_first, *events_last;
  size_t events_count;
  gs_event *delivered;

  char error[256];
};

/// Does everything that can be done now without waiting: connects, sends, reads, says what is due.
void gs_step(muster_gs *gs);
/// When gs_step() has something to do though nothing arrives; UINT64_MAX: never.
uint64_t gs_due(const muster_gs *gs);
/// Waits for something to do, at most until `deadline`. False if that has passed.
bool gs_wait(muster_gs *gs, uint64_t deadline);
/// The oldest waiting event becomes `delivered`; false if there is none.
bool gs_deliver(muster_gs *gs);
bool gs_full(const muster_gs *gs);
uint32_t gs_next_request(muster_gs *gs);
void gs_session_free(muster_gs *gs);

#endif
