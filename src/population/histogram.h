#pragma once
// How often which values came, in so little memory that every hour of every queue can have its own.

#include <cstdint>
#include <vector>

namespace muster::population {

/// Log-linear: values up to 63 are exact, larger ones to within 1/32. Not below 0. A percentile of
/// some 800 buckets, whatever was added.
class Histogram {
 public:
  void add(std::int64_t value, std::uint64_t times = 1);
  void add(const Histogram& other);

  std::uint64_t count() const { return count_; }
  std::int64_t max() const { return max_; }
  std::int64_t mean() const { return count_ == 0 ? 0 : sum_ / static_cast<std::int64_t>(count_); }
  /// The value that so many thousandths of all are not above: the middle of its bucket, but none
  /// that never came. 0 if nothing was added.
  std::int64_t percentile(std::uint32_t thousandths) const;
  /// How many were at most so large, as far as buckets tell.
  std::uint64_t at_most(std::int64_t value) const;

 private:
  std::vector<std::uint64_t> buckets_;  // As many as were needed so far.
  std::uint64_t count_ = 0;
  std::int64_t sum_ = 0;
  std::int64_t min_ = INT64_MAX, max_ = 0;
};

}  // namespace muster::population
