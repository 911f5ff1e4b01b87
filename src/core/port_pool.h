#pragma once
// The ports of one fleet, of one kind: which one the next game server gets.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/time.h"
#include "core/config.h"

namespace muster::core {

/// The ports that can be given: those of the range for which the ports at the offsets lie in the
/// range too and are given to no other. With offset 1 that is every second one.
std::vector<std::uint16_t> main_ports(PortRange range, const std::vector<std::uint16_t>& offsets);

/// Hands out each port to one game server at a time, with those at the offsets from it; the one
/// unused for longest first, so that a port just freed rests (late packets of the last match,
/// sockets in TIME_WAIT). A port comes back when it and its neighbours have been released.
class PortPool {
 public:
  PortPool() = default;
  explicit PortPool(PortRange range, std::vector<std::uint16_t> offsets = {});  // None for 0-0.

  /// Whether acquire() would give one.
  bool available(Time now) const;
  /// Nothing if every port is in use or set aside.
  std::optional<std::uint16_t> acquire(Time now);

  /// Takes one particular port, without its neighbours: a game server found running after a
  /// restart. False if in use.
  bool acquire_exactly(std::uint16_t port);

  /// Also one at an offset.
  bool holds(std::uint16_t port) const { return main_of_.contains(port); }

  /// Another range. Its ports are those given here, but for those in `used`, which come back by
  /// release(); free ones keep their order.
  void change_range(PortRange range, std::vector<std::uint16_t> offsets,
                    const std::set<std::uint16_t>& used,
                    const std::multimap<Time, std::uint16_t>& aside);

  void release(std::uint16_t port);

  /// Instead of release(): somebody else uses the port; do not try it again before `until`.
  void set_aside(std::uint16_t port, Time until);

  /// When the next port set aside comes back; nothing if none is.
  std::optional<Time> next_return() const;

  /// Ports to give, whatever they are doing.
  std::uint32_t count() const { return count_; }
  std::uint32_t free_count() const { return static_cast<std::uint32_t>(free_.size()); }
  /// Those that are to come back by release().
  std::uint32_t used_count() const {
    return count_ - free_count() - static_cast<std::uint32_t>(aside_.size());
  }
  const std::deque<std::uint16_t>& free() const { return free_; }
  const std::multimap<Time, std::uint16_t>& aside() const { return aside_; }

  /// For snapshots.
  template <class Writer>
  void save(Writer& writer) const {
    writer.put(offsets_), writer.put(mains());
    writer.put(used_), writer.put(free_), writer.put(aside_), writer.put(aside_later_);
  }
  template <class Reader>
  void load(Reader& reader) {
    std::vector<std::uint16_t> mains;
    reader.get(offsets_), reader.get(mains);
    reader.get(used_), reader.get(free_), reader.get(aside_), reader.get(aside_later_);
    define(mains);
  }

 private:
  void define(const std::vector<std::uint16_t>& mains);
  std::vector<std::uint16_t> mains() const;
  bool is_used(std::uint16_t main) const;

  std::vector<std::uint16_t> offsets_;
  std::uint32_t count_ = 0;
  std::map<std::uint16_t, std::uint16_t> main_of_;  // Of each port, also of those at offsets.
  std::set<std::uint16_t> used_;
  std::deque<std::uint16_t> free_;  // Front: unused for longest.
  std::multimap<Time, std::uint16_t> aside_;
  std::map<std::uint16_t, Time> aside_later_;  // Set aside, but a neighbour is still in use.
};

}  // namespace muster::core
