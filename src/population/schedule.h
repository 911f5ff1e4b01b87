#pragma once
// What is going to happen, and when.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace muster::population {

/// Somebody does something then, unless their plan has changed meanwhile.
struct Plan {
  enum class What : std::uint8_t {
    press,       ///< A visitor presses Match Start.
    give_up,     ///< A visitor is out of patience.
    leave,       ///< A visitor goes.
    ready,       ///< A game server is Ready.
    not_ready,   ///< A launch fails.
    match_over,  ///< A game server's match is over.
    crash,       ///< A game server dies in its match.
    exit,        ///< A game server that was stopped has ended.
  };
  What what = What::press;
  std::uint32_t who = 0;   // Position of the visitor, or slot of the game server.
  std::uint32_t plan = 0;  // Of theirs; another by then: this one is off.
};

/// A heap of plans. Equal times come out in the order they were made.
class Schedule {
 public:
  void add(Time at, Plan plan) {
    heap_.push_back({at, next_++, plan});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  bool empty() const { return heap_.empty(); }
  Time next() const { return heap_.front().at; }
  Plan take() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Plan plan = heap_.back().plan;
    heap_.pop_back();
    return plan;
  }

 private:
  struct Entry {
    Time at;
    std::uint64_t number;
    Plan plan;
  };
  static bool later(const Entry& a, const Entry& b) {
    return a.at != b.at ? a.at > b.at : a.number > b.number;
  }
  std::vector<Entry> heap_;
  std::uint64_t next_ = 0;
};

}  // namespace muster::population
