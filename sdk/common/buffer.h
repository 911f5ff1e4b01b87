// A growing byte buffer with an upper bound, and memory for decoded messages. Private to the SDKs.
#ifndef MUSTER_SDK_COMMON_BUFFER_H
#define MUSTER_SDK_COMMON_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Bytes [0, size). An append that would pass `size_max`, or finds no memory, changes nothing but
/// `failed`, so a writer may append a whole message and check once.
typedef struct mst_buffer {
  uint8_t *bytes;
  size_t size;
  size_t capacity;
  size_t size_max;
  bool failed;
} mst_buffer;

void mst_buffer_init(mst_buffer *b, size_t size_max);
void mst_buffer_free(mst_buffer *b);
/// Makes room for `more` bytes after size. False (and failed) past size_max or without memory.
bool mst_buffer_reserve(mst_buffer *b, size_t more);
void mst_buffer_append(mst_buffer *b, const void *bytes, size_t count);
/// Takes the first `count` bytes away.
void mst_buffer_consume(mst_buffer *b, size_t count);

/// Memory that is freed all at once, at most `bytes_max` of it: what a peer sends cannot make us
/// allocate more. Zeroed; aligned for any type here.
typedef struct mst_arena {
  struct mst_arena_block *newest;
  size_t used;
  size_t bytes_max;
} mst_arena;

void mst_arena_init(mst_arena *a, size_t bytes_max);
void mst_arena_free(mst_arena *a);
/// NULL past bytes_max or without memory. A size of 0 gives a pointer that must not be read.
void *mst_arena_alloc(mst_arena *a, size_t count, size_t size);
/// A copy of `size` bytes with a NUL behind.
char *mst_arena_text(mst_arena *a, const uint8_t *bytes, size_t size);

/// Is this well-formed UTF-8 (no surrogates, nothing overlong, nothing past U+10FFFF)? proto3
/// strings must be, or the far end drops the whole message.
bool mst_utf8_valid(const char *text, size_t size);

/// A copy of text, or NULL without memory.
char *mst_strdup(const char *text);

#ifdef __cplusplus
}
#endif

#endif
