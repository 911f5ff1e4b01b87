#pragma once
// Order statistics of small samples.

#include <algorithm>
#include <cstddef>
#include <vector>

namespace muster::bench {

/// The value below which `part` (0 to 1) of the sample lies; 0 for an empty one.
inline double percentile(std::vector<double> sample, double part) {
  if (sample.empty()) return 0;
  const auto rank = std::min(sample.size() - 1,
                             static_cast<std::size_t>(part * static_cast<double>(sample.size())));
  std::ranges::nth_element(sample, sample.begin() + static_cast<std::ptrdiff_t>(rank));
  return sample[rank];
}

inline double median(const std::vector<double>& sample) { return percentile(sample, 0.5); }

}  // namespace muster::bench
