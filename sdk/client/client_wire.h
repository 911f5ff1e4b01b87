// proto/player.proto, by hand: what the client SDK says and hears. Private to it.
#ifndef MUSTER_SDK_CLIENT_CLIENT_WIRE_H
#define MUSTER_SDK_CLIENT_CLIENT_WIRE_H

#include "buffer.h"
#include "muster/client.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- ClientMessage. Each appends one frame; false, and nothing appended, if there is no room.

bool client_write_guest(mst_buffer *out, uint32_t request, const char *name);
bool client_write_account(mst_buffer *out, uint32_t request, const char *name, const char *password,
                          bool sign_up);
bool client_write_resume(mst_buffer *out, uint32_t request, const char *session_token);
bool client_write_start_match(mst_buffer *out, uint32_t request, const char *queue,
                              const muster_client_attribute *attributes, size_t attributes_count,
                              uint32_t seats);
bool client_write_cancel_match(mst_buffer *out, uint32_t request);
bool client_write_leave_match(mst_buffer *out, uint32_t request);
bool client_write_create_party(mst_buffer *out, uint32_t request);
bool client_write_join_party(mst_buffer *out, uint32_t request, const char *code);
bool client_write_leave_party(mst_buffer *out, uint32_t request);
bool client_write_kick_from_party(mst_buffer *out, uint32_t request, const char *player_id);
bool client_write_promote_in_party(mst_buffer *out, uint32_t request, const char *player_id);
bool client_write_set_party_attributes(mst_buffer *out, uint32_t request,
                                       const muster_client_attribute *attributes,
                                       size_t attributes_count);
bool client_write_accept_match(mst_buffer *out, uint32_t request);
bool client_write_decline_match(mst_buffer *out, uint32_t request);
bool client_write_ping(mst_buffer *out, uint64_t number);
bool client_write_pong(mst_buffer *out, uint64_t number);

// ---- LobbyMessage.

typedef enum client_lobby_message_type {
  CLIENT_LOBBY_UNKNOWN = 0,  // A newer lobby's: pass over it.
  CLIENT_LOBBY_WELCOME = 2,  // The numbers are those of the oneof.
  CLIENT_LOBBY_TICKET = 3,
  CLIENT_LOBBY_ASSIGNMENT = 4,
  CLIENT_LOBBY_MATCH_ENDED = 5,
  CLIENT_LOBBY_ERROR = 6,
  CLIENT_LOBBY_PING = 7,
  CLIENT_LOBBY_PONG = 8,
  CLIENT_LOBBY_PARTY = 20,
  CLIENT_LOBBY_RATING_CHANGED = 40
} client_lobby_message_type;

/// Everything it points to is in the arena it was read into. Text is never NULL.
typedef struct client_lobby_message {
  uint32_t request;
  client_lobby_message_type type;
  const char *player_id;                // WELCOME
  const char *session_token;            // WELCOME
  const char *name;                     // WELCOME
  bool resumed;                         // WELCOME
  muster_client_ticket ticket;          // TICKET
  muster_client_assignment assignment;  // ASSIGNMENT
  muster_client_party party;            // PARTY
  const char *match_id;                 // MATCH_ENDED
  muster_client_end_reason reason;      // MATCH_ENDED
  bool requeued;                        // MATCH_ENDED
  const char *result;                   // MATCH_ENDED
  const char *code;                     // ERROR
  const char *message;                  // ERROR
  uint32_t retry_after_ms;              // ERROR
  uint64_t number;                      // PING, PONG
  const char *queue;                    // RATING_CHANGED
  int32_t rating;                       // RATING_CHANGED
  uint32_t deviation;                   // RATING_CHANGED
  int32_t rating_change;                // RATING_CHANGED
} client_lobby_message;

/// False if the bytes are no LobbyMessage, or hold more than the arena may.
bool client_read_lobby_message(const uint8_t *bytes, size_t size, mst_arena *arena,
                               client_lobby_message *message);

#ifdef __cplusplus
}
#endif

#endif
