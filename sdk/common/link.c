#include "link.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { frame_header_bytes = 4, read_bytes = 4096 };

void mst_link_init(mst_link *link, size_t frame_bytes_max, size_t out_bytes_max) {
  memset(link, 0, sizeof *link);
  link->socket = MST_SOCKET_NONE;
  link->frame_bytes_max = frame_bytes_max;
  mst_buffer_init(&link->in, frame_header_bytes + frame_bytes_max + read_bytes);
  mst_buffer_init(&link->out, out_bytes_max);
}

void mst_link_free(mst_link *link) {
  mst_link_close(link, "");
  mst_buffer_free(&link->in);
  mst_buffer_free(&link->out);
}

bool mst_link_open(mst_link *link, const mst_address *address) {
  mst_link_close(link, "");
  int error;
  link->socket = mst_connect(address, &error);
  if (link->socket == MST_SOCKET_NONE) {
    mst_error_text(error, link->error, sizeof link->error);
    return false;
  }
  link->state = MST_LINK_CONNECTING;
  return true;
}

void mst_link_close(mst_link *link, const char *why) {
  if (link->socket != MST_SOCKET_NONE) mst_close(link->socket);
  link->socket = MST_SOCKET_NONE;
  link->state = MST_LINK_DOWN;
  link->in.size = link->out.size = link->frame_read = 0;
  link->in.failed = link->out.failed = false;
  snprintf(link->error, sizeof link->error, "%s", why);
}

static void lost(mst_link *link, int error) {
  char text[sizeof link->error] = "the other side closed the connection";
  if (error != 0) mst_error_text(error, text, sizeof text);
  mst_link_close(link, text);
}

bool mst_link_flush(mst_link *link) {
  if (link->state == MST_LINK_DOWN) return false;
  int error = 0;
  if (link->state == MST_LINK_CONNECTING && (error = mst_connect_error(link->socket)) != 0) {
    lost(link, error);
    return false;
  }
  while (link->out.size > 0) {
    const ptrdiff_t sent = mst_send(link->socket, link->out.bytes, link->out.size, &error);
    if (sent == MST_WOULD_BLOCK) break;
    if (sent == MST_CLOSED) {
      // What the peer said before it closed (a refusal) may still be unread: leave the closing to
      // read(), and do not come here again.
      link->out.size = 0;
      break;
    }
    link->state = MST_LINK_UP;
    mst_buffer_consume(&link->out, (size_t)sent);
  }
  return true;
}

/// What the frame at the front of `in`, whose header is whole, announces.
static uint32_t payload_bytes(const mst_buffer *in) {
  const uint8_t *const b = in->bytes;
  return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

int mst_link_read(mst_link *link, const uint8_t **bytes, size_t *size) {
  if (link->state == MST_LINK_DOWN) return -1;
  mst_buffer *const in = &link->in;
  mst_buffer_consume(in, link->frame_read);
  link->frame_read = 0;
  for (bool read = false;; read = true) {
    size_t missing = read_bytes;
    if (in->size >= frame_header_bytes) {
      const uint32_t payload = payload_bytes(in);
      if (payload > link->frame_bytes_max) {
        mst_link_close(link, "the other side sent a frame past the limit");
        return -1;
      }
      const size_t whole = frame_header_bytes + (size_t)payload;
      if (in->size >= whole) {
        *bytes = in->bytes + frame_header_bytes;
        *size = payload;
        link->frame_read = whole;
        return 1;
      }
      if (whole - in->size > missing) missing = whole - in->size;
    }
    if (read) return 0;
    if (!mst_buffer_reserve(in, missing)) {
      mst_link_close(link, "out of memory for a frame");
      return -1;
    }
    int error = 0;
    const ptrdiff_t got =
        mst_recv(link->socket, in->bytes + in->size, in->capacity - in->size, &error);
    if (got == MST_WOULD_BLOCK) return 0;
    if (got == MST_CLOSED) {
      lost(link, error);
      return -1;
    }
    in->size += (size_t)got;
  }
}

void mst_link_wait(const mst_link *link, int timeout_ms) {
  mst_wait(link->socket, link->state == MST_LINK_CONNECTING || link->out.size > 0, timeout_ms);
}

void mst_backoff_init(mst_backoff *b, uint32_t first_ms, uint32_t last_ms) {
  b->first_ms = b->next_ms = first_ms;
  b->last_ms = last_ms;
  b->random = mst_seed();
}

void mst_backoff_reset(mst_backoff *b) { b->next_ms = b->first_ms; }

uint32_t mst_backoff_next(mst_backoff *b) {
  b->random = b->random * 6364136223846793005u + 1442695040888963407u;
  const uint32_t half = b->next_ms / 2;
  const uint32_t pause = half + (uint32_t)((b->random >> 33) % (b->next_ms - half + 1));
  b->next_ms = b->next_ms > b->last_ms / 2 ? b->last_ms : b->next_ms * 2;
  return pause;
}

uint64_t mst_deadline(int timeout_ms) {
  return timeout_ms < 0 ? UINT64_MAX : mst_clock_ms() + (uint64_t)timeout_ms;
}

int mst_until(uint64_t at) {
  if (at == UINT64_MAX) return -1;
  const uint64_t now = mst_clock_ms();
  if (at <= now) return 0;
  return at - now > INT_MAX ? INT_MAX : (int)(at - now);
}
