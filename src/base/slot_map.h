#pragma once
// A pool of things under generational ids.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"

namespace muster {

/// Values live in pages, so a pointer to one stays good until it is erased. Iteration is in slot
/// order. A freed slot is used again last freed first, with its generation raised by one; memory is
/// that of the most values ever held at once. Not thread-safe.
template <class IdType, class T>
class SlotMap {
 public:
  /// Adds a value under a new id.
  template <class... Args>
  IdType emplace(Args&&... args) {
    std::uint32_t slot;
    if (free_.empty()) {
      slot = slots_;
      grow_to(slot + 1);
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    Slot& s = at(slot);
    s.issued = s.issued + 1 == 0 ? 1 : s.issued + 1;
    s.generation = s.issued;
    s.value.emplace(std::forward<Args>(args)...);
    ++size_;
    return {slot, s.generation};
  }

  /// Adds a value under an id that somebody else issued: a mirror of another pool, or something
  /// found again after a restart. Nothing, and no change, if the slot is in use.
  template <class... Args>
  T* emplace_at(IdType id, Args&&... args) {
    CHECK(id.generation != 0, "generation 0 is never issued");
    if (id.slot >= slots_) {
      const std::uint32_t first_new = slots_;
      grow_to(id.slot + 1);
      for (std::uint32_t slot = first_new; slot < id.slot; ++slot) free_.push_back(slot);
    } else {
      if (at(id.slot).value) return nullptr;
      std::erase(free_, id.slot);
    }
    Slot& s = at(id.slot);
    s.generation = id.generation;
    s.issued = std::max(s.issued, id.generation);
    s.value.emplace(std::forward<Args>(args)...);
    ++size_;
    return &*s.value;
  }

  T* find(IdType id) {
    if (id.slot >= slots_ || id.generation == 0) return nullptr;
    Slot& s = at(id.slot);
    return s.generation == id.generation && s.value ? &*s.value : nullptr;
  }
  const T* find(IdType id) const { return const_cast<SlotMap*>(this)->find(id); }

  /// For an id that must be there.
  T& operator[](IdType id) {
    T* value = find(id);
    CHECK(value, "the id must name something in the pool");
    return *value;
  }
  const T& operator[](IdType id) const { return (*const_cast<SlotMap*>(this))[id]; }

  bool erase(IdType id) {
    if (!find(id)) return false;
    at(id.slot).value.reset();
    free_.push_back(id.slot);
    --size_;
    return true;
  }

  std::uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  /// Calls f(id, value) for each value, in slot order. f may erase the value it is given, no other.
  template <class F>
  void for_each(F&& f) {
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      Slot& s = at(slot);
      if (s.value) f(IdType{slot, s.generation}, *s.value);
    }
  }
  template <class F>
  void for_each(F&& f) const {
    const_cast<SlotMap*>(this)->for_each([&](IdType id, T& v) { f(id, std::as_const(v)); });
  }

  /// For snapshots: values, and which ids the pool will issue next. `writer.put(x)` and
  /// `reader.get(x)` write and read one x; get() is given each value where it is going to stay.
  template <class Writer>
  void save(Writer& writer) const {
    writer.put(slots_);
    for (std::uint32_t slot = 0; slot < slots_; ++slot) {
      const Slot& s = const_cast<SlotMap*>(this)->at(slot);
      writer.put(s.generation);
      writer.put(s.issued);
      writer.put(s.value.has_value());
      if (s.value) writer.put(*s.value);
    }
    writer.put(free_);
  }
  /// Into an empty pool.
  template <class Reader>
  void load(Reader& reader) {
    CHECK(slots_ == 0, "a pool is loaded once");
    std::uint32_t slots = 0;
    reader.get(slots);
    if (slots > reader.left()) return reader.fail();
    grow_to(slots);
    for (std::uint32_t slot = 0; slot < slots && reader.ok(); ++slot) {
      Slot& s = at(slot);
      reader.get(s.generation);
      reader.get(s.issued);
      bool has_value = false;
      reader.get(has_value);
      if (!has_value) continue;
      reader.get(s.value.emplace());
      ++size_;
    }
    reader.get(free_);
    if (free_.size() + size_ != slots_) return reader.fail();
    for (const std::uint32_t slot : free_)
      if (slot >= slots_ || at(slot).value) return reader.fail();
  }

 private:
  static constexpr std::uint32_t page_bits = 6;
  static constexpr std::uint32_t page_slots = 1u << page_bits;

  struct Slot {
    std::optional<T> value;
    std::uint32_t generation = 0;  // Of the value.
    std::uint32_t issued = 0;      // The highest so far: an old id that came back is below it.
  };

  Slot& at(std::uint32_t slot) { return pages_[slot >> page_bits][slot & (page_slots - 1)]; }

  void grow_to(std::uint32_t slots) {
    while (pages_.size() * page_slots < slots)
      pages_.push_back(std::make_unique<Slot[]>(page_slots));
    slots_ = slots;
  }

  std::vector<std::unique_ptr<Slot[]>> pages_;
  std::vector<std::uint32_t> free_;
  std::uint32_t slots_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace muster
