#pragma once
// An ordered set of small values, close together in memory.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"

namespace muster {

/// Values in order, in chunks of at most `ChunkMax`, with the first of each chunk beside the
/// others of its kind: a search touches those and one chunk. A value costs its own size and a half,
/// where a node of std::set costs 32 bytes more than the value. Finding is O(log n); inserting and
/// erasing move up to a chunk, and once in half a chunk's worth of them the list of chunks, which
/// at a million values is some 200 KB: less than the search costs, on average. Not thread-safe.
template <class T, std::size_t ChunkMax = 128>
class SortedChunks {
  struct Chunk {
    std::size_t count = 0;
    T items[ChunkMax];
  };

 public:
  /// A place in the set; past the last value, at_end(). Good until the next insert or erase.
  class Cursor {
   public:
    bool at_end() const { return chunk_ == set_->chunks_.size(); }
    const T& operator*() const { return set_->chunks_[chunk_]->items[item_]; }
    const T* operator->() const { return &**this; }
    Cursor& operator++() {
      if (++item_ == set_->chunks_[chunk_]->count) ++chunk_, item_ = 0;
      return *this;
    }

   private:
    friend class SortedChunks;
    Cursor(const SortedChunks* set, std::size_t chunk, std::size_t item)
        : set_(set), chunk_(chunk), item_(item) {}
    const SortedChunks* set_;
    std::size_t chunk_;
    std::size_t item_;
  };

  Cursor begin() const { return Cursor(this, 0, 0); }

  /// The first value that is not before `value`.
  Cursor lower_bound(const T& value) const {
    if (chunks_.empty()) return begin();
    const std::size_t at = chunk_for(value);
    const Chunk& chunk = *chunks_[at];
    const T* const found = std::lower_bound(chunk.items, chunk.items + chunk.count, value);
    const auto item = static_cast<std::size_t>(found - chunk.items);
    return item == chunk.count ? Cursor(this, at + 1, 0) : Cursor(this, at, item);
  }

  /// False, and no change, if it is there already.
  bool insert(const T& value) {
    if (chunks_.empty()) {
      chunks_.push_back(std::make_unique<Chunk>());
      firsts_.push_back(value);
    }
    std::size_t at = chunk_for(value);
    if (chunks_[at]->count == ChunkMax) {
      split(at);
      if (!(value < firsts_[at + 1])) ++at;
    }
    Chunk& chunk = *chunks_[at];
    T* const end = chunk.items + chunk.count;
    T* const place = std::lower_bound(chunk.items, end, value);
    if (place != end && !(value < *place)) return false;
    std::move_backward(place, end, end + 1);
    *place = value;
    ++chunk.count;
    firsts_[at] = chunk.items[0];
    ++size_;
    return true;
  }

  bool erase(const T& value) {
    if (chunks_.empty()) return false;
    const std::size_t at = chunk_for(value);
    Chunk& chunk = *chunks_[at];
    T* const end = chunk.items + chunk.count;
    T* const place = std::lower_bound(chunk.items, end, value);
    if (place == end || value < *place) return false;
    std::move(place + 1, end, place);
    --chunk.count;
    --size_;
    if (chunk.count == 0)
      drop(at);
    else
      firsts_[at] = chunk.items[0], merge_around(at);
    return true;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  /// The chunk that holds `value` if any does: the last whose first value is not after it.
  std::size_t chunk_for(const T& value) const {
    const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), value);
    return after == firsts_.begin() ? 0 : static_cast<std::size_t>(after - firsts_.begin()) - 1;
  }

  void split(std::size_t at) {
    auto upper = std::make_unique<Chunk>();
    Chunk& lower = *chunks_[at];
    constexpr std::size_t kept = ChunkMax / 2;
    std::move(lower.items + kept, lower.items + lower.count, upper->items);
    upper->count = lower.count - kept;
    lower.count = kept;
    firsts_.insert(firsts_.begin() + static_cast<std::ptrdiff_t>(at) + 1, upper->items[0]);
    chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(at) + 1, std::move(upper));
  }

  /// A chunk that has become small joins a neighbour, if the two leave room for more.
  void merge_around(std::size_t at) {
    if (chunks_[at]->count > ChunkMax / 4) return;
    if (at + 1 == chunks_.size()) {
      if (at == 0) return;
      --at;
    }
    Chunk& lower = *chunks_[at];
    Chunk& upper = *chunks_[at + 1];
    if (lower.count + upper.count > ChunkMax * 3 / 4) return;
    std::move(upper.items, upper.items + upper.count, lower.items + lower.count);
    lower.count += upper.count;
    drop(at + 1);
  }

  void drop(std::size_t at) {
    chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(at));
    firsts_.erase(firsts_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  std::vector<std::unique_ptr<Chunk>> chunks_;
  std::vector<T> firsts_;  // Of each chunk.
  std::size_t size_ = 0;
};

}  // namespace muster
