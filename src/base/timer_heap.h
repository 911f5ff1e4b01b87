#pragma once
// Deadlines of many things, the next one always at hand, each cancelled in O(log n).

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/time.h"

namespace muster {

/// A deadline in a TimerHeap; default-made it is none. Owned by the thing whose deadline it is.
class TimerId {
 public:
  explicit operator bool() const { return slot_plus_one_ != 0; }

 private:
  template <class Key>
  friend class TimerHeap;
  std::uint32_t slot_plus_one_ = 0;
};

/// A binary heap that knows where each entry sits. Equal times come out in the order they were set,
/// so a run repeats exactly. Memory is that of the most deadlines ever held at once.
template <class Key>
class TimerHeap {
 public:
  /// Sets or moves a deadline.
  void set(TimerId& timer, Time at, Key key) {
    cancel(timer);
    std::uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(entries_.size());
      entries_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    timer.slot_plus_one_ = slot + 1;
    entries_[slot] = {at, next_sequence_++, std::move(key), &timer, 0};
    heap_.push_back(slot);
    place(heap_.size() - 1, slot);
    rise(heap_.size() - 1);
  }

  void cancel(TimerId& timer) {
    if (!timer) return;
    const std::uint32_t slot = timer.slot_plus_one_ - 1;
    CHECK(entries_[slot].owner == &timer, "a timer is cancelled by its owner, who has not moved");
    remove(slot);
  }

  std::optional<Time> next() const {
    if (heap_.empty()) return std::nullopt;
    return entries_[heap_.front()].at;
  }

  /// Takes out the earliest deadline at or before `now`, if there is one.
  std::optional<Key> take_due(Time now) {
    if (heap_.empty() || entries_[heap_.front()].at > now) return std::nullopt;
    const std::uint32_t slot = heap_.front();
    Key key = std::move(entries_[slot].key);
    remove(slot);
    return key;
  }

  std::size_t size() const { return heap_.size(); }

 private:
  struct Entry {
    Time at{};
    std::uint64_t sequence = 0;
    Key key{};
    TimerId* owner = nullptr;
    std::size_t position = 0;
  };

  bool before(std::uint32_t a, std::uint32_t b) const {
    return std::pair(entries_[a].at, entries_[a].sequence) <
           std::pair(entries_[b].at, entries_[b].sequence);
  }
  void place(std::size_t position, std::uint32_t slot) {
    heap_[position] = slot;
    entries_[slot].position = position;
  }
  void rise(std::size_t position) {
    const std::uint32_t slot = heap_[position];
    while (position > 0) {
      const std::size_t parent = (position - 1) / 2;
      if (!before(slot, heap_[parent])) break;
      place(position, heap_[parent]);
      position = parent;
    }
    place(position, slot);
  }
  void sink(std::size_t position) {
    const std::uint32_t slot = heap_[position];
    for (;;) {
      std::size_t child = 2 * position + 1;
      if (child >= heap_.size()) break;
      if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
      if (!before(heap_[child], slot)) break;
      place(position, heap_[child]);
      position = child;
    }
    place(position, slot);
  }
  void remove(std::uint32_t slot) {
    *entries_[slot].owner = TimerId{};
    entries_[slot].owner = nullptr;
    const std::size_t position = entries_[slot].position;
    const std::uint32_t last = heap_.back();
    heap_.pop_back();
    if (position < heap_.size()) {
      place(position, last);
      sink(position);
      rise(entries_[last].position);
    }
    free_.push_back(slot);
  }

  std::vector<Entry> entries_;
  std::vector<std::uint32_t> heap_;
  std::vector<std::uint32_t> free_;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace muster
