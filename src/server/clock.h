#pragma once

#include <algorithm>
#include <chrono>

#include "base/time.h"

namespace muster::server {

/// The one clock of the lobby: the wall clock as it was at the start plus what the monotonic clock
/// has counted since, so that it never jumps or runs backwards.
class Clock {
 public:
  /// Not before `earliest`: a journal's last time, should the wall clock have been set back since.
  explicit Clock(Time earliest = {})
      : steady_start_(std::chrono::steady_clock::now()),
        wall_start_(std::max<std::chrono::system_clock::duration>(
            std::chrono::system_clock::now().time_since_epoch(), earliest.time_since_epoch())) {}

  Time now() const {
    return Time{std::chrono::duration_cast<Duration>(
        wall_start_ + (std::chrono::steady_clock::now() - steady_start_))};
  }

  std::chrono::steady_clock::time_point steady(Time time) const {
    return steady_start_ +
           (time.time_since_epoch() - std::chrono::duration_cast<Duration>(wall_start_));
  }

 private:
  std::chrono::steady_clock::time_point steady_start_;
  std::chrono::system_clock::duration wall_start_;
};

}  // namespace muster::server
