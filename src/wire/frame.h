#pragma once
// Frames: a little-endian u32 length and that many bytes. Used by the native player dialect, the
// game-server SDK and the node link.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace google::protobuf {
class MessageLite;
}

namespace muster::wire {

using Bytes = std::span<const std::uint8_t>;

/// Splits a byte stream, however it was cut, into frames. Holds memory only while a frame is
/// unfinished. Not thread-safe.
class FrameReader {
 public:
  static constexpr std::size_t header_bytes = 4;

  /// A frame may have 0 to `frame_bytes_max` bytes of payload.
  explicit FrameReader(std::uint32_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  /// Calls on_frame(Bytes payload) for each frame these bytes complete; the payload is good during
  /// the call. on_frame returns false to stop (the rest is dropped). Returns false if it did, or
  /// if a frame announces more than frame_bytes_max: the stream is then of no further use.
  template <class F>
  bool feed(Bytes bytes, F&& on_frame) {
    while (!held_.empty()) {  // Finish the frame begun earlier, then read without copying.
      const std::size_t want = held_.size() < header_bytes ? header_bytes : whole_bytes(held_);
      if (held_.size() >= header_bytes && payload_bytes(held_) > frame_bytes_max_) return false;
      if (held_.size() == want && want >= header_bytes && want == whole_bytes(held_)) {
        const std::vector<std::uint8_t> frame = std::move(held_);
        held_ = {};
        if (!on_frame(Bytes(frame).subspan(header_bytes))) return false;
        break;
      }
      const std::size_t take = std::min(want - held_.size(), bytes.size());
      if (take == 0) return true;
      held_.insert(held_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(take));
      bytes = bytes.subspan(take);
    }
    while (bytes.size() >= header_bytes) {
      if (payload_bytes(bytes) > frame_bytes_max_) return false;
      const std::size_t whole = whole_bytes(bytes);
      if (bytes.size() < whole) break;
      if (!on_frame(bytes.subspan(header_bytes, whole - header_bytes))) return false;
      bytes = bytes.subspan(whole);
    }
    held_.assign(bytes.begin(), bytes.end());
    return true;
  }

  /// True while a frame has begun and is not whole: its sender owes us the rest.
  bool unfinished() const { return !held_.empty(); }

 private:
  static std::uint32_t payload_bytes(Bytes b) {
    return static_cast<std::uint32_t>(b[0]) | static_cast<std::uint32_t>(b[1]) << 8 |
           static_cast<std::uint32_t>(b[2]) << 16 | static_cast<std::uint32_t>(b[3]) << 24;
  }
  static std::size_t whole_bytes(Bytes b) { return header_bytes + payload_bytes(b); }

  std::vector<std::uint8_t> held_;
  std::uint32_t frame_bytes_max_;
};

/// Appends one frame with the message as its payload. Equal messages give equal bytes: map entries
/// are sorted by key.
void append_frame(std::string& out, const google::protobuf::MessageLite& message);

}  // namespace muster::wire
