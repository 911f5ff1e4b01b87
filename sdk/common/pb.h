// Just enough of the protobuf encoding for proto/player.proto and proto/game_server.proto.
// Private to the SDKs, so that they need no library but C's.
#ifndef MUSTER_SDK_COMMON_PB_H
#define MUSTER_SDK_COMMON_PB_H

#include "buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

// ---- Reading. Nothing is copied; every length is checked against the end.

typedef enum mst_pb_wire {
  MST_PB_VARINT = 0,
  MST_PB_FIXED64 = 1,
  MST_PB_BYTES = 2,
  MST_PB_FIXED32 = 5
} mst_pb_wire;

typedef struct mst_pb_reader {
  const uint8_t *at;
  const uint8_t *end;
  bool malformed;
} mst_pb_reader;

typedef struct mst_pb_field {
  uint32_t number;
  mst_pb_wire wire;
  uint64_t value;        // MST_PB_VARINT, MST_PB_FIXED64 and MST_PB_FIXED32.
  const uint8_t *bytes;  // MST_PB_BYTES: text, bytes or a message.
  size_t size;
} mst_pb_field;

mst_pb_reader mst_pb_read(const uint8_t *bytes, size_t size);
/// Reads the next field. False at the end, and, with r->malformed set, where the bytes are no
/// protobuf. Groups, gone since proto3, count as malformed. A caller passes over fields whose
/// number or wire type it does not know.
bool mst_pb_next(mst_pb_reader *r, mst_pb_field *field);
/// How many fields of this number and type `bytes` has; (size_t)-1 if malformed.
size_t mst_pb_count(const uint8_t *bytes, size_t size, uint32_t number, mst_pb_wire wire);
double mst_pb_double(const mst_pb_field *field);

// ---- Writing, in canonical form: what the protobuf library would write. Like it, text, uint and
// double leave out the default value; the _always forms, for members of a oneof and what is
// optional, do not.

void mst_pb_uint(mst_buffer *out, uint32_t number, uint64_t value);
void mst_pb_uint_always(mst_buffer *out, uint32_t number, uint64_t value);
void mst_pb_double_always(mst_buffer *out, uint32_t number, double value);
void mst_pb_text(mst_buffer *out, uint32_t number, const char *text);
void mst_pb_text_always(mst_buffer *out, uint32_t number, const char *text);
/// A message inside a message: begin, write its fields, end with what begin returned.
size_t mst_pb_begin(mst_buffer *out, uint32_t number);
void mst_pb_end(mst_buffer *out, size_t begun);

/// A frame around a message: a little-endian u32 length, then the message. After a failed frame the
/// buffer is as it was before, and end returns false.
size_t mst_frame_begin(mst_buffer *out);
bool mst_frame_end(mst_buffer *out, size_t begun);

#ifdef __cplusplus
}
#endif

#endif
