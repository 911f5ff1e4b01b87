#pragma once
// Line plots as SVG inside an HTML page: no script, colours from the page's style, so that they are
// right in light and dark. Coordinates are integers: equal data gives equal bytes.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace muster::population {

/// One line. Its class is "s1", "s2", ... by position: colour and dashes are the page's.
struct Series {
  std::string name;
  std::vector<std::pair<std::int64_t, std::int64_t>> points;  // By x, ascending.
};

struct Axis {
  std::string label;
  std::vector<std::pair<std::int64_t, std::string>> ticks;  // Values and their texts.
  std::int64_t low = 0, high = 1;                           // What is shown; high is above low.
  bool logarithmic = false;                                 // Then low is above 0.
};

struct Plot {
  std::string title;
  std::string description;  // For those who do not see it.
  Axis x, y;
  std::vector<Series> series;
};

/// A <figure> with its legend.
std::string to_svg(const Plot& plot);

/// From 0 to a round number that is not below `most`.
Axis counts_axis(std::string label, std::int64_t most);
/// Milliseconds, from a tenth of a second to a round time that is not below `most`.
Axis times_axis(std::string label, std::int64_t most);
/// Hours of a simulation.
Axis hours_axis(std::uint32_t hours);

std::string escape_html(std::string_view text);

}  // namespace muster::population
