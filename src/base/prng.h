#pragma once
// A seeded generator whose every draw is the same with every compiler and library.

#include <cstdint>

#include "base/check.h"

namespace muster {

/// SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
/// Not for secrets. The distributions are its own, since the standard library's differ.
class Prng {
 public:
  explicit Prng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// Uniform in [0, bound). The bias of the multiply-shift is below bound / 2^32.
  std::uint32_t below(std::uint32_t bound) {
    CHECK(bound > 0, "an empty range has no values");
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }

  /// Uniform in [low, high].
  std::int64_t between(std::int64_t low, std::int64_t high) {
    CHECK(low <= high, "an empty range has no values");
    // Unsigned: the width of a wide range does not fit the signed type.
    const auto first = static_cast<std::uint64_t>(low);
    const std::uint64_t span = static_cast<std::uint64_t>(high) - first + 1;
    return static_cast<std::int64_t>(first + (span == 0 ? next() : next() % span));
  }

  /// True `parts_per_million` times in a million.
  bool chance_ppm(std::uint32_t parts_per_million) { return below(1'000'000) < parts_per_million; }

 private:
  std::uint64_t state_;
};

}  // namespace muster
