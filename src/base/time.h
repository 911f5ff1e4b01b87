#pragma once
// Time as a value. Whoever steps the core says what time it is; nothing below reads a clock.

#include <chrono>
#include <cstdint>

namespace muster {

/// Nanoseconds since the Unix epoch, never running backwards (the server adds a monotonic clock to
/// the wall clock it read at start). Has no now(): that is the point.
struct CoreClock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<CoreClock>;
  static constexpr bool is_steady = true;
};

using Duration = CoreClock::duration;
using Time = CoreClock::time_point;

/// For a wire or a person; `time` is not before the epoch.
constexpr std::uint64_t to_unix_milliseconds(Time time) {
  return static_cast<std::uint64_t>(
      std::chrono::floor<std::chrono::milliseconds>(time.time_since_epoch()).count());
}

}  // namespace muster
