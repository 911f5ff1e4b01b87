#pragma once
// How long tickets wait in a queue, by what is near: an estimate is told only of what has happened
// to tickets of the same size, in the same region, of nearly the same rating, not long ago.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/time.h"
#include "core/types.h"

namespace muster::core {

/// Half of the tickets like this one waited no longer than `median` from their coming to their
/// match; a quarter no longer than `low`, three quarters no longer than `high`.
struct WaitEstimate {
  Duration median{}, low{}, high{};
  bool operator==(const WaitEstimate&) const = default;
};

/// Tickets whose waiting times are told apart from others'.
struct WaitNeighbourhood {
  std::string region;  // The nearest; empty without regions.
  std::uint32_t seats = 1;
  std::int32_t band = 0;  // Of rating: see band_of().
  auto operator<=>(const WaitNeighbourhood&) const = default;
};
constexpr Rating wait_band = 250;
constexpr std::int32_t band_of(Rating rating) {
  return (rating - (rating < 0 ? wait_band - 1 : 0)) / wait_band;
}

struct MatchedWait {
  Time at{};  // When the match was formed.
  Duration waited{};
};

/// The waiting times of a queue, of the last `waits_max` tickets in each of the neighbourhoods
/// where somebody was matched last.
class Waits {
 public:
  static constexpr std::size_t waits_max = 32;
  static constexpr std::size_t neighbourhoods_max = 256;
  static constexpr std::size_t waits_min = 8;  // Fewer say nothing.
  static constexpr Duration age_max = std::chrono::hours{1};

  void add(const WaitNeighbourhood& where, MatchedWait wait);
  std::optional<WaitEstimate> estimate(const WaitNeighbourhood& where, Time now) const;
  void clear() { by_place_.clear(); }

  template <class Writer>
  void save(Writer& writer) const {
    writer.put(by_place_);
  }
  template <class Reader>
  void load(Reader& reader) {
    reader.get(by_place_);
    for (const auto& [where, waits] : by_place_)
      if (waits.empty()) return reader.fail();
  }
  template <class F>
  void for_each(F&& f) const {
    for (const auto& [where, waits] : by_place_)
      for (const MatchedWait& wait : waits) f(where, wait);
  }

 private:
  std::map<WaitNeighbourhood, std::deque<MatchedWait>> by_place_;  // Oldest first; none empty.
};

struct State;
struct Ticket;

/// Where a waiting ticket of that queue belongs. Without a limit on ratings they are all one band.
WaitNeighbourhood neighbourhood_of(const State& state, const Ticket& ticket);
/// Of a ticket that is queued and not held; nothing if too little is known of tickets like it.
std::optional<WaitEstimate> estimate_wait(const State& state, const Ticket& ticket);

}  // namespace muster::core
