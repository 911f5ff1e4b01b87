#pragma once
// Output taken apart into lines.

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace muster::node {

/// Of a line longer than `bytes_max` only the beginning counts: a server that prints without ever
/// ending a line costs nothing more.
class LineReader {
 public:
  static constexpr std::size_t bytes_max = 8 << 10;

  /// Calls f for each line that has ended, without its end ("\n", "\r\n").
  template <class F>
  void feed(std::string_view bytes, F&& f) {
    for (;;) {
      const std::size_t end = bytes.find('\n');
      const std::string_view part = bytes.substr(0, end);
      if (end == std::string_view::npos) return begin(part);
      if (begun_.empty()) {
        f(whole(part.substr(0, bytes_max)));
      } else {
        begin(part);
        f(whole(begun_));
        begun_.clear();
      }
      bytes.remove_prefix(end + 1);
    }
  }

  /// What was printed of a line before, to somebody else.
  void begin_with(std::string_view part) { begin(part); }

  /// The last line, if the output ended without ending it.
  template <class F>
  void finish(F&& f) {
    if (!begun_.empty()) f(whole(begun_));
    begun_.clear();
  }

 private:
  void begin(std::string_view part) {
    begun_ += part.substr(0, bytes_max - std::min(begun_.size(), bytes_max));
  }
  static std::string_view whole(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

  std::string begun_;
};

}  // namespace muster::node
