#include "buffer.h"

#include <stdlib.h>
#include <string.h>

void mst_buffer_init(mst_buffer *b, size_t size_max) {
  memset(b, 0, sizeof *b);
  b->size_max = size_max;
}

void mst_buffer_free(mst_buffer *b) {
  free(b->bytes);
  mst_buffer_init(b, b->size_max);
}

bool mst_buffer_reserve(mst_buffer *b, size_t more) {
  if (b->failed || more > b->size_max - b->size) {
    b->failed = true;
    return false;
  }
  const size_t need = b->size + more;
  if (need <= b->capacity) return true;
  size_t capacity = b->capacity < 256 ? 256 : b->capacity;
  while (capacity < need) capacity *= 2;
  if (capacity > b->size_max) capacity = b->size_max;
  uint8_t *grown = realloc(b->bytes, capacity);
  if (!grown) {
    b->failed = true;
    return false;
  }
  b->bytes = grown;
  b->capacity = capacity;
  return true;
}

void mst_buffer_append(mst_buffer *b, const void *bytes, size_t count) {
  if (count == 0 || !mst_buffer_reserve(b, count)) return;
  memcpy(b->bytes + b->size, bytes, count);
  b->size += count;
}

void mst_buffer_consume(mst_buffer *b, size_t count) {
  if (count == 0) return;
  if (count < b->size) memmove(b->bytes, b->bytes + count, b->size - count);
  b->size -= count;
}

typedef struct mst_arena_block {
  struct mst_arena_block *older;
  size_t size;
  size_t used;
  max_align_t bytes[];
} mst_arena_block;

enum { block_bytes_min = 1024 };

void mst_arena_init(mst_arena *a, size_t bytes_max) {
  a->newest = NULL;
  a->used = 0;
  a->bytes_max = bytes_max;
}

void mst_arena_free(mst_arena *a) {
  while (a->newest) {
    mst_arena_block *const older = a->newest->older;
    free(a->newest);
    a->newest = older;
  }
  a->used = 0;
}

void *mst_arena_alloc(mst_arena *a, size_t count, size_t size) {
  if (size != 0 && count > a->bytes_max / size) return NULL;
  const size_t align = sizeof(max_align_t);
  const size_t bytes = (count * size + align - 1) / align * align;
  if (bytes > a->bytes_max - a->used) return NULL;
  mst_arena_block *block = a->newest;
  if (!block || block->size - block->used < bytes) {
    const size_t block_bytes = bytes > block_bytes_min ? bytes : block_bytes_min;
    block = calloc(1, sizeof *block + block_bytes);
    if (!block) return NULL;
    block->older = a->newest;
    block->size = block_bytes;
    a->newest = block;
  }
  void *const at = (uint8_t *)block->bytes + block->used;
  block->used += bytes;
  a->used += bytes;
  return at;
}

char *mst_arena_text(mst_arena *a, const uint8_t *bytes, size_t size) {
  char *const text = mst_arena_alloc(a, size + 1, 1);
  if (text && size > 0) memcpy(text, bytes, size);
  return text;  // The NUL is there: arena memory is zeroed.
}

bool mst_utf8_valid(const char *text, size_t size) {
  const uint8_t *at = (const uint8_t *)text;
  const uint8_t *const end = at + size;
  while (at < end) {
    const uint8_t lead = *at++;
    if (lead < 0x80) continue;
    unsigned more = 0;
    uint32_t code = 0, least = 0;
    if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1, code = lead & 0x1fu, least = 0x80;
    } else if ((lead & 0xf0) == 0xe0) {
      more = 2, code = lead & 0x0fu, least = 0x800;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3, code = lead & 0x07u, least = 0x10000;
    } else {
      return false;
    }
    if ((size_t)(end - at) < more) return false;
    for (; more > 0; --more, ++at) {
      if ((*at & 0xc0) != 0x80) return false;
      code = code << 6 | (*at & 0x3fu);
    }
    if (code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
  }
  return true;
}

char *mst_strdup(const char *text) {
  const size_t size = strlen(text) + 1;
  char *const copy = malloc(size);
  if (copy) memcpy(copy, text, size);
  return copy;
}
