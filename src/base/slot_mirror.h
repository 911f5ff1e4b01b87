#pragma once
// A pool whose ids are issued by somebody else: the core's view of net's sessions and nodes.

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"

namespace muster {

/// Like SlotMap, but without a free list of its own: values are put where the id says. A pointer to
/// a value is good until the next emplace. Not thread-safe.
template <class IdType, class T>
class SlotMirror {
 public:
  /// Nothing, and no change, if something sits in that slot.
  template <class... Args>
  T* emplace(IdType id, Args&&... args) {
    CHECK(id.generation != 0, "generation 0 is never issued");
    if (id.slot >= slots_.size()) slots_.resize(id.slot + 1);
    Slot& s = slots_[id.slot];
    if (s.value) return nullptr;
    s.generation = id.generation;
    s.value.emplace(std::forward<Args>(args)...);
    ++size_;
    return &*s.value;
  }

  T* find(IdType id) {
    if (id.slot >= slots_.size() || id.generation == 0) return nullptr;
    Slot& s = slots_[id.slot];
    return s.generation == id.generation && s.value ? &*s.value : nullptr;
  }
  const T* find(IdType id) const { return const_cast<SlotMirror*>(this)->find(id); }

  bool erase(IdType id) {
    if (!find(id)) return false;
    slots_[id.slot].value.reset();
    --size_;
    return true;
  }

  std::uint32_t size() const { return size_; }

  /// Calls f(id, value) for each value, in slot order.
  template <class F>
  void for_each(F&& f) const {
    for (std::uint32_t slot = 0; slot < slots_.size(); ++slot)
      if (slots_[slot].value) f(IdType{slot, slots_[slot].generation}, *slots_[slot].value);
  }

  /// For snapshots, as SlotMap's.
  template <class Writer>
  void save(Writer& writer) const {
    writer.put(size_);
    for_each([&](IdType id, const T& value) {
      writer.put(id);
      writer.put(value);
    });
  }
  template <class Reader>
  void load(Reader& reader) {
    CHECK(slots_.empty(), "a pool is loaded once");
    std::uint32_t values = 0;
    reader.get(values);
    IdType highest;
    for (std::uint32_t i = 0; i < values && reader.ok(); ++i) {
      IdType id;
      reader.get(id);
      if (id.generation == 0 || (i > 0 && id.slot <= highest.slot) || id.slot >= slots_max)
        return reader.fail();
      highest = id;
      reader.get(*emplace(id));
    }
  }

 private:
  static constexpr std::uint32_t slots_max = 1u << 24;  // Of a snapshot that can be true.
  struct Slot {
    std::optional<T> value;
    std::uint32_t generation = 0;
  };
  std::vector<Slot> slots_;
  std::uint32_t size_ = 0;
};

}  // namespace muster
