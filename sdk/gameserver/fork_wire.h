// proto/fork.proto, by hand: what a process at its fork point says and hears. Private to the
// game-server SDK.
#ifndef MUSTER_SDK_GAMESERVER_FORK_WIRE_H
#define MUSTER_SDK_GAMESERVER_FORK_WIRE_H

#include "buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- FromForkPoint. Each appends one message; false if there is no room.

bool fork_write_waiting(mst_buffer *out);
bool fork_write_refused(mst_buffer *out, const char *why);
bool fork_write_failed(mst_buffer *out, uint32_t number, uint32_t error);

// ---- ToForkPoint.

typedef enum fork_message_type {
  FORK_UNKNOWN = 0,     // A newer node's: pass over it.
  FORK_MAKE_CHILD = 1,  // The numbers are those of the oneof.
  FORK_BEGIN = 2
} fork_message_type;

/// Everything it points to is in the arena it was read into.
typedef struct fork_message {
  fork_message_type type;
  uint32_t number;     // MAKE_CHILD
  uint32_t node_pid;   // MAKE_CHILD
  char **environment;  // BEGIN: "NAME=value"
  size_t environment_count;
  bool outlives_node;  // BEGIN
} fork_message;

/// False if the bytes are no ToForkPoint, or hold more than the arena may.
bool fork_read(const uint8_t *bytes, size_t size, mst_arena *arena, fork_message *message);

#ifdef __cplusplus
}
#endif

#endif
