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

  /// For snapshots. A loaded timer must be handed to TimerHeap::relink() where it is going to stay.
  template <class Writer>
  void save(Writer& writer) const {
    writer.put(slot_plus_one_);
  }
  template <class Reader>
  void load(Reader& reader) {
    reader.get(slot_plus_one_);
    reader.loaded(*this);
  }

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

  /// Moves every deadline by as much: their order stays.
  void shift(Duration by) {
    for (const std::uint32_t slot : heap_) entries_[slot].at += by;
  }

  /// For snapshots: deadlines in the order they will come out, equal ones included.
  template <class Writer>
  void save(Writer& writer) const {
    writer.put(entries_.size());
    writer.put(next_sequence_);
    writer.put(heap_);
    writer.put(free_);
    for (const std::uint32_t slot : heap_) {
      writer.put(entries_[slot].at);
      writer.put(entries_[slot].sequence);
      writer.put(entries_[slot].key);
    }
  }
  /// Into an empty heap; then relink() each timer, and whole() says whether that was all of them.
  template <class Reader>
  void load(Reader& reader) {
    CHECK(entries_.empty(), "a heap is loaded once");
    std::size_t entries = 0;
    reader.get(entries);
    reader.get(next_sequence_);
    reader.get(heap_);
    reader.get(free_);
    if (entries != heap_.size() + free_.size()) return reader.fail();
    entries_.resize(entries);
    std::vector<bool> seen(entries);
    for (const auto* slots : {&heap_, &free_})
      for (const std::uint32_t slot : *slots) {
        if (slot >= entries || seen[slot]) return reader.fail();
        seen[slot] = true;
      }
    for (std::size_t position = 0; position < heap_.size(); ++position) {
      Entry& entry = entries_[heap_[position]];
      reader.get(entry.at);
      reader.get(entry.sequence);
      reader.get(entry.key);
      entry.position = position;
      if (position > 0 && before(heap_[position], heap_[(position - 1) / 2])) return reader.fail();
    }
  }
  bool relink(TimerId& timer) {
    if (!timer) return true;
    const std::uint32_t slot = timer.slot_plus_one_ - 1;
    if (slot >= entries_.size() || entries_[slot].owner) return false;
    entries_[slot].owner = &timer;
    return true;
  }
  bool whole() const {
    for (const std::uint32_t slot : heap_)
      if (!entries_[slot].owner) return false;
    return true;
  }

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
