// The connection to the lobby and what was learnt from it: the state behind the functions of
// client.h. Private to the client SDK.
#ifndef MUSTER_SDK_CLIENT_CLIENT_SESSION_H
#define MUSTER_SDK_CLIENT_CLIENT_SESSION_H

#include "client_wire.h"
#include "link.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { client_requests_max = 16, client_addresses_max = 8 };

typedef enum client_phase {
  CLIENT_IDLE,        // Not told to connect.
  CLIENT_DOWN,        // Until retry_at.
  CLIENT_CONNECTING,  // Until greeting_deadline, as is GREETING.
  CLIENT_GREETING,    // Hello is sent.
  CLIENT_WELCOMED,
  CLIENT_STOPPED  // For good.
} client_phase;

struct muster_client {
  char *host;
  uint16_t port;
  char *name;           // NULL: can only resume.
  char *password;       // Not NULL: the name is an account's.
  bool sign_up;         // It is to be made first.
  bool sign_up_lost;    // It may have been made, but no answer came.
  char *session_token;  // NULL: cannot resume.
  char *player_id;
  mst_link link;
  mst_backoff backoff;
  client_phase phase;
  mst_address addresses[client_addresses_max];  // Of the attempt being made: one after another.
  size_t addresses_count, addresses_tried;
  uint64_t retry_at;
  uint64_t greeting_deadline;
  uint32_t
      silence_ms;  // A lobby that says nothing for so long is pinged; for twice that, given up.
  uint64_t heard_at;
  bool pinged;

  uint32_t request_last;
  uint32_t hello_request;
  bool hello_resumes;
  uint32_t pending[client_requests_max];  // Commands without an answer yet.
  size_t pending_count;

  // What poll() has to tell before it does anything else.
  bool tell_connected;
  bool tell_disconnected;
  uint32_t retry_in_ms;
  char why[mst_link_error_bytes];
  uint32_t lost[client_requests_max];  // Commands whose answer was lost with the connection.
  size_t lost_count;

  // What the last event points to, and what the getters give: each message keeps its own arena.
  mst_arena event_arena;
  mst_arena ticket_arena;
  muster_client_ticket ticket;
  bool has_ticket;
  mst_arena party_arena;
  muster_client_party party;
  bool has_party;
  mst_arena assignment_arena;
  muster_client_assignment assignment;
  bool has_assignment;
};

/// Does what can be done now without waiting. True if it made an event.
bool client_step(muster_client *c, muster_client_event *event);
/// When client_step() has something to do though nothing arrives; UINT64_MAX: never.
uint64_t client_due(const muster_client *c);
/// Sends what is waiting; a loss is told by the next client_step().
void client_flush(muster_client *c);
uint32_t client_next_request(muster_client *c);
void client_forget_password(muster_client *c);
void client_session_free(muster_client *c);
muster_client_event client_no_event(void);

#ifdef __cplusplus
}
#endif

#endif
