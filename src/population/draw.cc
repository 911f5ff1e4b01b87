#include "population/draw.h"

#include <algorithm>
#include <array>
#include <bit>

#include "base/check.h"

namespace muster::population {
namespace {

constexpr std::int64_t one = 65536;  // Of fixed-point numbers, unless they say otherwise.

constexpr std::uint64_t square_root(std::uint64_t value) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 31; bit > 0; bit >>= 1)
    if ((root | bit) * (root | bit) <= value) root |= bit;
  return root;
}

/// 2^(1/2), 2^(1/4), ... in 1/2^30.
constexpr std::array<std::uint64_t, 16> roots_of_two = [] {
  std::array<std::uint64_t, 16> roots{};
  std::uint64_t root = std::uint64_t{2} << 30;
  for (std::uint64_t& next : roots) next = root = square_root(root << 30);
  return roots;
}();

/// 2^(fraction / 65536) in 1/2^30; fraction is 0 to 65535.
std::uint64_t exp2_of_fraction(std::int64_t fraction) {
  std::uint64_t product = std::uint64_t{1} << 30;
  for (std::size_t i = 0; i < roots_of_two.size(); ++i)
    if (fraction & (one >> (i + 1))) product = product * roots_of_two[i] >> 30;
  return product;
}

constexpr Duration longest = std::chrono::hours{24 * 30};  // Of what is drawn.
constexpr std::int64_t ln2_fixed = 45426;                  // ln 2.
constexpr std::int64_t p90_deviations =
    83988;  // The 90th percentile of a standard normal, 1.28155.

std::int64_t microseconds_of(Duration duration) { return duration / std::chrono::microseconds{1}; }

/// The deviation of log2 of what is drawn.
std::int64_t deviation_of(std::int64_t median, std::int64_t p90) {
  if (p90 <= median || median <= 0) return 0;
  const std::int64_t ratio =
      log2_fixed(static_cast<std::uint64_t>(p90)) - log2_fixed(static_cast<std::uint64_t>(median));
  return ratio * one / p90_deviations;
}

std::int64_t mean_of(std::int64_t median, std::int64_t p90) {
  // exp(s^2 / 2) with s in logarithms of base e; in base 2 that is s2^2 * ln 2 / 2.
  const std::int64_t deviation = deviation_of(median, p90);
  return exp2_fixed(median, deviation * deviation / one * ln2_fixed / one / 2);
}

/// 10^(-difference / 400) in 1/2^30.
std::uint64_t odds_fixed(std::int64_t difference) {
  CHECK(difference >= 0, "the stronger one is asked about");
  constexpr std::int64_t log2_of_10 = 217706;
  const std::int64_t exponent = std::min<std::int64_t>(difference, 100'000) * log2_of_10 / 400;
  return static_cast<std::uint64_t>(exp2_fixed(std::int64_t{1} << 30, -exponent));
}

}  // namespace

std::uint64_t seed_of(std::uint64_t seed, std::uint64_t a, std::uint64_t b) {
  return Prng(Prng(Prng(seed).next() ^ a).next() ^ b).next();
}

std::int64_t log2_fixed(std::uint64_t value) {
  CHECK(value > 0, "there is no logarithm of 0");
  const int whole = 63 - std::countl_zero(value);
  std::uint64_t mantissa = value << (63 - whole) >> 32;  // 1 to 2, in 1/2^31.
  std::int64_t fraction = 0;
  for (int i = 0; i < 16; ++i) {
    mantissa = mantissa * mantissa >> 31;
    fraction <<= 1;
    if (mantissa >> 32) {
      fraction |= 1;
      mantissa >>= 1;
    }
  }
  return whole * one + fraction;
}

std::int64_t exp2_fixed(std::int64_t value, std::int64_t exponent) {
  CHECK(value >= 0 && value < std::int64_t{1} << 40, "what is scaled leaves room for it");
  const std::int64_t whole = exponent >> 16;
  const std::uint64_t scaled =
      static_cast<std::uint64_t>(value) * (exp2_of_fraction(exponent & (one - 1)) >> 8) >> 22;
  constexpr std::int64_t most = std::int64_t{1} << 62;
  if (whole < 0) return whole < -63 ? 0 : static_cast<std::int64_t>(scaled >> -whole);
  if (scaled == 0) return 0;
  if (whole + (63 - std::countl_zero(scaled)) >= 62) return most;
  return static_cast<std::int64_t>(scaled << whole);
}

std::int64_t Stream::normal() {
  // Twelve numbers of 16 bits: their sum has a variance of 65536^2 (less 1), so its deviation is
  // one.
  std::int64_t sum = 0;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t bits = prng_.next();
    for (int shift = 0; shift < 64; shift += 16)
      sum += static_cast<std::int64_t>(bits >> shift & 0xffff);
  }
  return sum - 12 * 0xffff / 2;
}

std::int64_t Stream::normal(std::int64_t mean, std::int64_t deviation) {
  const std::int64_t scaled = normal() * deviation;
  return mean + (scaled >= 0 ? scaled + one / 2 : scaled - one / 2) / one;
}

Duration Stream::exponential(Duration mean) {
  const std::uint64_t uniform = std::max<std::uint64_t>(1, prng_.next());
  const std::int64_t nats = (64 * one - log2_fixed(uniform)) * ln2_fixed / one;
  return std::chrono::microseconds{std::max<std::int64_t>(1, microseconds_of(mean) * nats / one)};
}

std::int64_t Stream::spread(std::int64_t median, std::int64_t p90) {
  const std::int64_t deviations = normal();  // Always drawn, so that a stream stays in step.
  return exp2_fixed(median, deviations * deviation_of(median, p90) / one);
}

Duration Stream::spread(const Spread& s) {
  return std::min<Duration>(longest, std::chrono::microseconds{spread(microseconds_of(s.median),
                                                                      microseconds_of(s.p90))});
}

std::uint32_t Stream::spread(const CountSpread& s) {
  const std::int64_t thousandths =
      spread(s.median * std::int64_t{1000}, s.p90 * std::int64_t{1000});
  return static_cast<std::uint32_t>(
      std::clamp<std::int64_t>((thousandths + 500) / 1000, 1, 1'000'000));
}

std::size_t Stream::weighted(std::span<const std::uint32_t> weights) {
  std::uint64_t sum = 0;
  for (const std::uint32_t weight : weights) sum += weight;
  CHECK(sum > 0 && sum < std::uint64_t{1} << 32, "some weight is not 0, and all fit");
  std::uint32_t left = prng_.below(static_cast<std::uint32_t>(sum));
  std::size_t i = 0;
  while (left >= weights[i]) left -= weights[i++];
  return i;
}

Duration mean_of(const Spread& s) {
  return std::chrono::microseconds{mean_of(microseconds_of(s.median), microseconds_of(s.p90))};
}

std::int64_t mean_thousandths(const CountSpread& s) {
  return mean_of(s.median * std::int64_t{1000}, s.p90 * std::int64_t{1000});
}

std::uint32_t win_chance(std::int64_t difference) {
  const std::uint64_t odds = odds_fixed(difference);
  return static_cast<std::uint32_t>((std::uint64_t{1'000'000} << 30) /
                                    ((std::uint64_t{1} << 30) + odds));
}

std::uint32_t win_odds(std::int64_t difference) {
  return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, odds_fixed(difference) >> 10));
}

}  // namespace muster::population
