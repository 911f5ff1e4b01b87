#include "pb.h"

#include <string.h>

enum { varint_bytes_max = 10, field_number_max = (1 << 29) - 1, frame_header_bytes = 4 };

mst_pb_reader mst_pb_read(const uint8_t *bytes, size_t size) {
  // Stays clear of NULL + 0, which C11 leaves undefined.
  const mst_pb_reader r = {bytes, size ? bytes + size : bytes, false};
  return r;
}

static bool read_varint(mst_pb_reader *r, uint64_t *value) {
  *value = 0;
  for (unsigned i = 0; i < varint_bytes_max && r->at < r->end; ++i) {
    const uint8_t byte = *r->at++;
    if (i == 9 && byte > 1) return false;  // Would pass 64 bits.
    *value |= (uint64_t)(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return true;
  }
  return false;
}

static bool read_fixed(mst_pb_reader *r, unsigned bytes, uint64_t *value) {
  if ((size_t)(r->end - r->at) < bytes) return false;
  *value = 0;
  for (unsigned i = 0; i < bytes; ++i) *value |= (uint64_t)*r->at++ << (8 * i);
  return true;
}

static bool read_field(mst_pb_reader *r, mst_pb_field *field) {
  uint64_t tag;
  if (!read_varint(r, &tag)) return false;
  const uint64_t number = tag >> 3;
  if (number == 0 || number > field_number_max) return false;
  memset(field, 0, sizeof *field);
  field->number = (uint32_t)number;
  switch (tag & 7) {
    case MST_PB_VARINT:
      field->wire = MST_PB_VARINT;
      return read_varint(r, &field->value);
    case MST_PB_FIXED64:
      field->wire = MST_PB_FIXED64;
      return read_fixed(r, 8, &field->value);
    case MST_PB_FIXED32:
      field->wire = MST_PB_FIXED32;
      return read_fixed(r, 4, &field->value);
    case MST_PB_BYTES: {
      field->wire = MST_PB_BYTES;
      uint64_t size;
      if (!read_varint(r, &size) || size > (size_t)(r->end - r->at)) return false;
      field->bytes = r->at;
      field->size = (size_t)size;
      r->at += field->size;
      return true;
    }
    default:
      return false;
  }
}

bool mst_pb_next(mst_pb_reader *r, mst_pb_field *field) {
  if (r->malformed || r->at == r->end) return false;
  if (read_field(r, field)) return true;
  r->malformed = true;
  return false;
}

size_t mst_pb_count(const uint8_t *bytes, size_t size, uint32_t number, mst_pb_wire wire) {
  mst_pb_reader r = mst_pb_read(bytes, size);
  mst_pb_field field;
  size_t count = 0;
  while (mst_pb_next(&r, &field))
    if (field.number == number && field.wire == wire) ++count;
  return r.malformed ? (size_t)-1 : count;
}

double mst_pb_double(const mst_pb_field *field) {
  double value;
  memcpy(&value, &field->value, sizeof value);
  return value;
}

static size_t encode_varint(uint8_t *at, uint64_t value) {
  size_t count = 0;
  for (; value >= 0x80; value >>= 7) at[count++] = (uint8_t)(value | 0x80);
  at[count++] = (uint8_t)value;
  return count;
}

static void put_varint(mst_buffer *out, uint64_t value) {
  uint8_t bytes[varint_bytes_max];
  mst_buffer_append(out, bytes, encode_varint(bytes, value));
}

static void put_tag(mst_buffer *out, uint32_t number, mst_pb_wire wire) {
  put_varint(out, (uint64_t)number << 3 | (uint64_t)wire);
}

void mst_pb_uint(mst_buffer *out, uint32_t number, uint64_t value) {
  if (value != 0) mst_pb_uint_always(out, number, value);
}

void mst_pb_uint_always(mst_buffer *out, uint32_t number, uint64_t value) {
  put_tag(out, number, MST_PB_VARINT);
  put_varint(out, value);
}

void mst_pb_double_always(mst_buffer *out, uint32_t number, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  uint8_t bytes[8];
  for (unsigned i = 0; i < 8; ++i) bytes[i] = (uint8_t)(bits >> (8 * i));
  put_tag(out, number, MST_PB_FIXED64);
  mst_buffer_append(out, bytes, sizeof bytes);
}

void mst_pb_text_always(mst_buffer *out, uint32_t number, const char *text) {
  const size_t size = strlen(text);
  put_tag(out, number, MST_PB_BYTES);
  put_varint(out, size);
  mst_buffer_append(out, text, size);
}

void mst_pb_text(mst_buffer *out, uint32_t number, const char *text) {
  if (text && *text) mst_pb_text_always(out, number, text);
}

size_t mst_pb_begin(mst_buffer *out, uint32_t number) {
  put_tag(out, number, MST_PB_BYTES);
  return out->size;
}

void mst_pb_end(mst_buffer *out, size_t begun) {
  if (out->failed) return;
  // The length goes before the content and takes as many bytes as it needs: move the content.
  const size_t size = out->size - begun;
  uint8_t length[varint_bytes_max];
  const size_t length_bytes = encode_varint(length, size);
  if (!mst_buffer_reserve(out, length_bytes)) return;
  memmove(out->bytes + begun + length_bytes, out->bytes + begun, size);
  memcpy(out->bytes + begun, length, length_bytes);
  out->size += length_bytes;
}

size_t mst_frame_begin(mst_buffer *out) {
  const size_t begun = out->size;
  const uint8_t header[frame_header_bytes] = {0};
  mst_buffer_append(out, header, sizeof header);
  return begun;
}

bool mst_frame_end(mst_buffer *out, size_t begun) {
  if (out->failed) {
    out->size = begun;
    out->failed = false;
    return false;
  }
  const size_t size = out->size - begun - frame_header_bytes;
  for (unsigned i = 0; i < frame_header_bytes; ++i)
    out->bytes[begun + i] = (uint8_t)(size >> (8 * i));
  return true;
}
