#include "population/histogram.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace muster::population {
namespace {

constexpr int exact_bits = 6;
constexpr std::int64_t exact = 1 << exact_bits;
constexpr std::int64_t per_octave = exact / 2;

std::size_t bucket_of(std::int64_t value) {
  if (value < exact) return static_cast<std::size_t>(value);
  const int octave = 63 - std::countl_zero(static_cast<std::uint64_t>(value));
  const std::int64_t within = (value >> (octave - exact_bits + 1)) - per_octave;
  return static_cast<std::size_t>(exact + (octave - exact_bits) * per_octave + within);
}

std::int64_t lowest_of(std::size_t bucket) {
  const auto index = static_cast<std::int64_t>(bucket);
  if (index < exact) return index;
  const std::int64_t octave = (index - exact) / per_octave;
  return (per_octave + (index - exact) % per_octave) << (octave + 1);
}

}  // namespace

void Histogram::add(std::int64_t value, std::uint64_t times) {
  CHECK(value >= 0, "what is counted is not below 0");
  if (times == 0) return;
  const std::size_t bucket = bucket_of(value);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  buckets_[bucket] += times;
  count_ += times;
  sum_ += value * static_cast<std::int64_t>(times);
  min_ = std::min(min_, value);
  max_ = std::max(max_, value);
}

void Histogram::add(const Histogram& other) {
  if (other.buckets_.size() > buckets_.size()) buckets_.resize(other.buckets_.size());
  for (std::size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ += other.sum_;
  min_ = std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
}

std::int64_t Histogram::percentile(std::uint32_t thousandths) const {
  if (count_ == 0) return 0;
  // The rank of the value among all, from 1: rounded up, so that p50 of two is the first.
  const std::uint64_t rank = std::max<std::uint64_t>(1, (count_ * thousandths + 999) / 1000);
  std::uint64_t seen = 0;
  std::size_t bucket = 0;
  while ((seen += buckets_[bucket]) < rank) ++bucket;
  const std::int64_t middle = (lowest_of(bucket) + lowest_of(bucket + 1) - 1) / 2;
  return std::clamp(middle, min_, max_);
}

std::uint64_t Histogram::at_most(std::int64_t value) const {
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size() && lowest_of(i + 1) - 1 <= value; ++i)
    seen += buckets_[i];
  return value >= max_ ? count_ : seen;
}

}  // namespace muster::population
