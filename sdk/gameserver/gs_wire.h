// proto/game_server.proto, by hand: what the game-server SDK says and hears. Private to it.
#ifndef MUSTER_SDK_GAMESERVER_GS_WIRE_H
#define MUSTER_SDK_GAMESERVER_GS_WIRE_H

#include "buffer.h"
#include "muster/gs.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- ServerMessage. Each appends one frame; false, and nothing appended, if there is no room.

bool gs_write_hello(mst_buffer *out, uint32_t request, const char *token);
bool gs_write_ready(mst_buffer *out, uint32_t request);
bool gs_write_health(mst_buffer *out);
bool gs_write_verify_join(mst_buffer *out, uint32_t request, const char *join_token);
bool gs_write_player_joined(mst_buffer *out, const char *player_id);
bool gs_write_player_left(mst_buffer *out, const char *player_id);
/// What muster_gs_match_over_ranked says; without standings, muster_gs_match_over.
typedef struct gs_outcome {
  const char *result;
  const muster_gs_standing *standings;
  size_t standings_count;
} gs_outcome;
bool gs_write_match_over(mst_buffer *out, uint32_t request, const char *match_id,
                         const gs_outcome *outcome);
bool gs_write_shutdown(mst_buffer *out, uint32_t request);

// ---- NodeMessage.

typedef enum gs_node_message_type {
  GS_NODE_UNKNOWN = 0,  // A newer node's: pass over it.
  GS_NODE_WELCOME = 2,  // The numbers are those of the oneof.
  GS_NODE_OK = 3,
  GS_NODE_ERROR = 4,
  GS_NODE_JOIN_VERIFIED = 5,
  GS_NODE_MATCH_STARTED = 6,
  GS_NODE_PLAYER_REMOVED = 7,
  GS_NODE_MATCH_ENDED = 8
} gs_node_message_type;

/// Everything it points to is in the arena it was read into. Text is never NULL.
typedef struct gs_node_message {
  uint32_t request;
  gs_node_message_type type;
  uint32_t health_interval_ms;  // WELCOME
  bool has_match;               // WELCOME
  muster_gs_match match;        // WELCOME, MATCH_STARTED
  const char *code;             // ERROR
  const char *message;          // ERROR
  muster_gs_join join;          // JOIN_VERIFIED
  const char *match_id;         // PLAYER_REMOVED, MATCH_ENDED
  const char *player_id;        // PLAYER_REMOVED
  const char *reason;           // MATCH_ENDED
} gs_node_message;

/// False if the bytes are no NodeMessage, or hold more than the arena may.
bool gs_read_node_message(const uint8_t *bytes, size_t size, mst_arena *arena,
                          gs_node_message *message);

#ifdef __cplusplus
}
#endif

#endif
