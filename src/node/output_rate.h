#pragma once
// How much of a game server's output is kept, when it prints without end.

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace muster::node {

/// Keeps bytes_per_second on average, and bursts of burst_bytes. Once that is used up, nothing is
/// kept until half of it is there again: what is kept is whole stretches, not scraps.
class OutputRate {
 public:
  static constexpr std::int64_t bytes_per_second = 1 << 20;
  static constexpr std::int64_t burst_bytes = 4 << 20;

  using Time = std::chrono::steady_clock::time_point;
  explicit OutputRate(Time now) : spent_until_(now - time_of(burst_bytes)) {}

  /// Whether these bytes are kept.
  bool keeps(std::int64_t bytes, Time now) {
    const auto credit =
        std::min<std::chrono::nanoseconds>(now - spent_until_, time_of(burst_bytes));
    if (flooded_ && credit < time_of(burst_bytes / 2)) return false;
    flooded_ = time_of(bytes) > credit;
    if (flooded_) return false;
    spent_until_ = now - credit + time_of(bytes);
    return true;
  }
  bool flooded() const { return flooded_; }

 private:
  static constexpr std::chrono::nanoseconds time_of(std::int64_t bytes) {
    return std::chrono::nanoseconds(bytes * 1'000'000'000 / bytes_per_second);
  }

  Time spent_until_;  // What was kept has used up all time until then.
  bool flooded_ = false;
};

}  // namespace muster::node
