#pragma once
// Folds values into one number: equal sequences give equal numbers on every machine.

#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/id.h"
#include "base/time.h"

namespace muster {

/// Not for secrets, and not for anything an attacker may choose.
class Digest {
 public:
  template <class T>
    requires std::is_integral_v<T>
  void add(T value) {
    // The multiply-xorshift step of SplitMix64 (see prng.h).
    state_ = (state_ ^ static_cast<std::uint64_t>(value)) * 0xbf58476d1ce4e5b9u;
    state_ ^= state_ >> 29;
  }
  void add(Time time) { add(time.time_since_epoch().count()); }
  template <class Tag>
  void add(Id<Tag> id) {
    add(std::uint64_t{id.slot} << 32 | id.generation);
  }
  void add(std::string_view text) {
    add(text.size());
    for (const char c : text) add(static_cast<unsigned char>(c));
  }

  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x9e3779b97f4a7c15u;
};

}  // namespace muster
