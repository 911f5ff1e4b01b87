#pragma once
// What a journal looks like on disk.
//
// A folder of segments, NUMBER.journal, and snapshots, NUMBER.snapshot. The number of a segment is
// that of its first event; the number of a snapshot is that of the last event in it. Numbers have
// 20 digits, so names sort as they count. All integers are little-endian.
//
//   segment  := magic "MUSTERJ1"  frame(SegmentHeader)  record*
//   record   := frame(RecordHead, event*)        one turn of the loop: all of it or nothing
//   snapshot := magic "MUSTERS1"  frame(SnapshotHeader)  frame(state)
//   frame    := u32 length  u32 crc32c  payload  (length bytes of payload; the checksum is of the
//               length and the payload, begun with that of the segment's header payload, so that a
//               record is only good in its own segment)

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "store/codec.h"

namespace muster::store {

inline constexpr std::string_view segment_magic = "MUSTERJ1";
inline constexpr std::string_view snapshot_magic = "MUSTERS1";
inline constexpr std::string_view segment_suffix = ".journal";
inline constexpr std::string_view snapshot_suffix = ".snapshot";
inline constexpr std::size_t frame_head_bytes = 8;
/// A frame that says it is longer is damaged. The largest turn ever is far below it.
inline constexpr std::uint32_t frame_bytes_max = 1u << 30;

struct SegmentHeader {
  std::string build;                // Of the program that wrote it.
  std::uint64_t config_digest = 0;  // Of the configuration that the lobby ran with at its start.
  std::uint64_t first_number = 0;   // Of the first event in it.
  Time created{};
  bool after_gap = false;  // Events before it were not written (disk full); a snapshot has them.
};

/// Before the events of a record.
struct RecordHead {
  std::uint64_t first_number = 0;  // Of its first event; the others count on.
  Time time{};                     // Of all of them.
  std::uint64_t synced = 0;        // Number of the last event known to be on the disk by then.
  std::uint32_t events = 0;
  std::uint64_t digest = 0;  // Core::digest() after them; 0: not computed.
};

struct SnapshotHeader {
  std::string build;
  std::uint64_t config_digest = 0;
  std::uint64_t number = 0;  // Of the last event in it; 0: of none.
  Time time{};               // Of that event.
  std::uint64_t digest = 0;  // Core::digest(), to compare with after loading; 0: not computed.
};

/// Appends a frame around what `fill` writes.
template <class Fill>
void append_frame(std::string& out, std::uint32_t salt, Fill&& fill);

/// The payload of the frame at the front of `bytes`; nothing if it is not whole.
std::optional<Bytes> read_frame(Bytes bytes, std::uint32_t salt);
void close_frame(std::string& out, std::size_t at, std::uint32_t salt);
/// What the frames after a header are salted with.
std::uint32_t salt_of(Bytes header_payload);

template <class Fill>
void append_frame(std::string& out, std::uint32_t salt, Fill&& fill) {
  const std::size_t at = out.size();
  out.resize(at + frame_head_bytes);
  fill(out);
  close_frame(out, at, salt);
}

/// A file of the folder by its name; nothing if it is none of the journal's.
struct JournalFile {
  std::uint64_t number = 0;
  std::string path;
};
std::string journal_file_name(std::uint64_t number, std::string_view suffix);
/// Those with that suffix, in the order of their numbers.
std::expected<std::vector<JournalFile>, std::string> list_journal(const std::string& folder,
                                                                  std::string_view suffix);

/// The whole file.
std::expected<std::string, std::string> read_whole(const std::string& path);
inline Bytes bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace muster::store
