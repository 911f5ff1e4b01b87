// A connection that carries frames, made again with a growing pause after it was lost. Never
// blocks. Private to the SDKs.
#ifndef MUSTER_SDK_COMMON_LINK_H
#define MUSTER_SDK_COMMON_LINK_H

#include "buffer.h"
#include "platform.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mst_link_state { MST_LINK_DOWN, MST_LINK_CONNECTING, MST_LINK_UP } mst_link_state;

enum { mst_link_error_bytes = 128 };

typedef struct mst_link {
  mst_link_state state;
  mst_socket socket;
  mst_buffer in;
  mst_buffer out;     // What is to be sent; callers append whole frames.
  size_t frame_read;  // Bytes of `in` handed out as a frame, taken away by the next call.
  size_t frame_bytes_max;
  char error[mst_link_error_bytes];  // Why it is down.
} mst_link;

/// Frames of at most `frame_bytes_max` are accepted; at most `out_bytes_max` wait to be sent.
void mst_link_init(mst_link *link, size_t frame_bytes_max, size_t out_bytes_max);
void mst_link_free(mst_link *link);

/// Begins to connect. False, and down with `error` told, if that fails at once.
bool mst_link_open(mst_link *link, const mst_address *address);
/// Down, with a reason for people; what was not yet sent or read is dropped.
void mst_link_close(mst_link *link, const char *why);
/// Finishes connecting and sends what can be sent. False if the connection is lost: link is down.
bool mst_link_flush(mst_link *link);
/// The next whole frame, reading at most once from the socket: 1 if there is one (its bytes are
/// good until the next call), 0 if none yet, -1 if the connection is lost or a frame announces more
/// than frame_bytes_max: link is down.
int mst_link_read(mst_link *link, const uint8_t **bytes, size_t *size);
/// Waits until there may be something to do, at most timeout_ms; below 0 without end.
void mst_link_wait(const mst_link *link, int timeout_ms);

/// The pause before the next attempt: doubling from `first_ms` to `last_ms`, each drawn from its
/// upper half, so that many clients of one lobby do not come back in step.
typedef struct mst_backoff {
  uint32_t first_ms;
  uint32_t last_ms;
  uint32_t next_ms;
  uint64_t random;
} mst_backoff;

void mst_backoff_init(mst_backoff *b, uint32_t first_ms, uint32_t last_ms);
void mst_backoff_reset(mst_backoff *b);
uint32_t mst_backoff_next(mst_backoff *b);

/// A point in time for a timeout: below 0, never.
uint64_t mst_deadline(int timeout_ms);
/// Milliseconds from now until `at`, 0 if it has passed, -1 if it is never (UINT64_MAX).
int mst_until(uint64_t at);

#ifdef __cplusplus
}
#endif

#endif
