#pragma once
// Two reports, number by number.

#include <cstdint>
#include <string>
#include <vector>

#include "population/report.h"

namespace muster::population {

/// One number of two reports that can be set side by side.
struct Difference {
  enum class Unit : std::uint8_t { count, ms, thousandths, points };
  std::string section;  // "queue ranked", "fleet duel".
  std::string name;     // "everybody: p50".
  Unit unit = Unit::count;
  std::int64_t a = 0, b = 0;
};

/// Of the queues and fleets that both have, by their names.
std::vector<Difference> differences(const Report& a, const Report& b);

/// "ms", "thousandths", ...
std::string to_string(Difference::Unit unit);
/// A value for people, and a difference with its sign.
std::string show_value(Difference::Unit unit, std::int64_t value);
std::string show_change(const Difference& difference);

}  // namespace muster::population
