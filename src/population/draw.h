#pragma once
// Random draws and win chances that are the same on every machine: integers alone, since a
// library's log() or exp() may differ in the last bit and a day of players would not forgive it.

#include <cstdint>
#include <span>

#include "base/prng.h"
#include "base/time.h"

namespace muster::population {

/// Log-normal: half are above `median`, a tenth above `p90`, none above 30 days. Equal ones: always
/// that.
struct Spread {
  Duration median{};
  Duration p90{};  // Not below the median.
  bool operator==(const Spread&) const = default;
};

/// The same for numbers.
struct CountSpread {
  std::uint32_t median = 1;
  std::uint32_t p90 = 1;
  bool operator==(const CountSpread&) const = default;
};

/// A seed for one purpose of one of many: streams that do not touch each other, so that what one
/// player does changes no other player's luck.
std::uint64_t seed_of(std::uint64_t seed, std::uint64_t a, std::uint64_t b = 0);

/// A generator with the distributions of the field.
class Stream {
 public:
  explicit Stream(std::uint64_t seed) : prng_(seed) {}

  std::uint32_t below(std::uint32_t bound) { return prng_.below(bound); }
  bool chance(std::uint32_t parts_per_million) { return prng_.chance_ppm(parts_per_million); }

  /// Standard normal in 1/65536. The sum of twelve uniform numbers: none is beyond 6 deviations.
  std::int64_t normal();
  /// Around `mean`, rounded to whole units.
  std::int64_t normal(std::int64_t mean, std::int64_t deviation);
  /// In whole microseconds, at least one.
  Duration exponential(Duration mean);
  Duration spread(const Spread& spread);
  /// At least 1.
  std::uint32_t spread(const CountSpread& spread);
  /// A position, as often as its weight says. Some weight is not 0.
  std::size_t weighted(std::span<const std::uint32_t> weights);

 private:
  std::int64_t spread(std::int64_t median, std::int64_t p90);

  Prng prng_;
};

/// The mean of what is drawn, which is above the median.
Duration mean_of(const Spread& spread);
/// In thousandths.
std::int64_t mean_thousandths(const CountSpread& spread);

/// log2 in 1/65536 of a number above 0.
std::int64_t log2_fixed(std::uint64_t value);
/// value * 2^(exponent / 65536); value below 2^40. Ends at 2^62.
std::int64_t exp2_fixed(std::int64_t value, std::int64_t exponent);

/// How likely the stronger of two wins by Elo's formula, 1 / (1 + 10^(-difference / 400)), in
/// millionths. `difference` is not below 0.
std::uint32_t win_chance(std::int64_t difference);
/// 10^(-difference / 400), in parts of 2^20 and at least one: what the chances of several are in
/// proportion to.
std::uint32_t win_odds(std::int64_t difference);

}  // namespace muster::population
