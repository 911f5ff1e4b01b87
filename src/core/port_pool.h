#pragma once
// The ports of one fleet: which one the next game server gets.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "core/config.h"

namespace muster::core {

/// Hands out each port to one game server at a time, the one unused for longest first, so that a
/// port just freed rests (late packets of the last match, sockets in TIME_WAIT).
class PortPool {
 public:
  explicit PortPool(PortRange range);
  static PortPool of(const std::vector<std::uint16_t>& ports);

  /// Whether acquire() would give one.
  bool available(Time now) const;

  /// Nothing if every port is in use or set aside.
  std::optional<std::uint16_t> acquire(Time now);

  /// Takes one particular port: a game server found running after a restart. False if in use.
  bool acquire_exactly(std::uint16_t port);

  void release(std::uint16_t port);

  /// Instead of release(): somebody else uses the port; do not try it again before `until`.
  void set_aside(std::uint16_t port, Time until);

  /// When the next port set aside comes back; nothing if none is.
  std::optional<Time> next_return() const;

  std::uint32_t free_count() const { return static_cast<std::uint32_t>(free_.size()); }
  const std::deque<std::uint16_t>& free() const { return free_; }
  const std::multimap<Time, std::uint16_t>& aside() const { return aside_; }

 private:
  std::deque<std::uint16_t> free_;  // Front: unused for longest.
  std::multimap<Time, std::uint16_t> aside_;
};

}  // namespace muster::core
