#include "population/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "population/draw.h"
#include "population/report_show.h"

namespace muster::population {
namespace {

// Of the drawing, in its own units.
constexpr std::int64_t width = 720, height = 260;
constexpr std::int64_t left = 64, right = 12, top = 10, bottom = 40;

/// Where a value is between the ends of its axis, in tenths of a unit of the drawing.
std::int64_t place(const Axis& axis, std::int64_t value, std::int64_t length) {
  value = std::clamp(value, axis.low, axis.high);
  if (!axis.logarithmic)
    return (value - axis.low) * length * 10 / std::max<std::int64_t>(1, axis.high - axis.low);
  const auto log = [](std::int64_t v) { return log2_fixed(static_cast<std::uint64_t>(v)); };
  return (log(value) - log(axis.low)) * length * 10 /
         std::max<std::int64_t>(1, log(axis.high) - log(axis.low));
}

std::string tenths(std::int64_t value) { return fmt::format("{}.{}", value / 10, value % 10); }

std::string x_of(const Plot& plot, std::int64_t value) {
  return tenths(left * 10 + place(plot.x, value, width - left - right));
}
std::string y_of(const Plot& plot, std::int64_t value) {
  return tenths((height - bottom) * 10 - place(plot.y, value, height - top - bottom));
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string to_svg(const Plot& plot) {
  std::string out = fmt::format(
      "<figure>\n<figcaption>{}</figcaption>\n"
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n",
      escape_html(plot.title), width, height,
      escape_html(fmt::format("{}. {}", plot.title, plot.description)));
  for (const auto& [value, text] : plot.y.ticks)
    out += fmt::format(
        "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>"
        "<text class=\"y\" x=\"{}\" y=\"{}\">{}</text>\n",
        left, width - right, y_of(plot, value), y_of(plot, value), left - 6, y_of(plot, value),
        escape_html(text));
  for (const auto& [value, text] : plot.x.ticks)
    out += fmt::format("<text class=\"x\" x=\"{}\" y=\"{}\">{}</text>\n", x_of(plot, value),
                       height - bottom + 16, escape_html(text));
  out += fmt::format("<text class=\"x\" x=\"{}\" y=\"{}\">{}</text>\n", (left + width - right) / 2,
                     height - 6, escape_html(plot.x.label));
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    out += fmt::format("<polyline class=\"s{}\" points=\"", i + 1);
    for (const auto& [x, y] : plot.series[i].points)
      out += fmt::format("{},{} ", x_of(plot, x), y_of(plot, y));
    if (!plot.series[i].points.empty()) out.pop_back();
    out += "\"/>\n";
    if (plot.series[i].points.size() == 1)
      out += fmt::format("<circle class=\"s{}\" cx=\"{}\" cy=\"{}\" r=\"3\"/>\n", i + 1,
                         x_of(plot, plot.series[i].points[0].first),
                         y_of(plot, plot.series[i].points[0].second));
  }
  out += "</svg>\n<ul class=\"legend\">";
  for (std::size_t i = 0; i < plot.series.size(); ++i)
    out += fmt::format(
        "<li><svg viewBox=\"0 0 28 8\" aria-hidden=\"true\"><polyline class=\"s{}\" "
        "points=\"0,4 28,4\"/></svg>{}</li>",
        i + 1, escape_html(plot.series[i].name));
  return out + "</ul>\n</figure>\n";
}

Axis counts_axis(std::string label, std::int64_t most) {
  // 1, 2, 5, 10, 20, 50, ... so that there are at most five steps.
  std::int64_t step = 1;
  for (int i = 0; step * 5 < most; i = (i + 1) % 3) step = i == 1 ? step / 2 * 5 : step * 2;
  Axis axis{.label = std::move(label)};
  axis.high = std::max<std::int64_t>(step, (most + step - 1) / step * step);
  for (std::int64_t tick = 0; tick <= axis.high; tick += step)
    axis.ticks.emplace_back(tick, show_count(static_cast<std::uint64_t>(tick)));
  return axis;
}

Axis times_axis(std::string label, std::int64_t most) {
  constexpr std::array<std::pair<std::int64_t, const char*>, 10> times{{{100, "0.1 s"},
                                                                        {1000, "1 s"},
                                                                        {3000, "3 s"},
                                                                        {10'000, "10 s"},
                                                                        {30'000, "30 s"},
                                                                        {60'000, "1 m"},
                                                                        {180'000, "3 m"},
                                                                        {600'000, "10 m"},
                                                                        {3'600'000, "1 h"},
                                                                        {86'400'000, "24 h"}}};
  Axis axis{.label = std::move(label), .low = 100, .high = 1000, .logarithmic = true};
  for (const auto& [ms, text] : times) {
    axis.ticks.emplace_back(ms, text);
    axis.high = std::max<std::int64_t>(1000, ms);
    if (ms >= most && ms >= 1000) break;
  }
  return axis;
}

Axis hours_axis(std::uint32_t hours) {
  Axis axis{.label = "hour of the simulation, UTC", .high = std::max<std::int64_t>(1, hours - 1)};
  const std::uint32_t step = hours <= 24 ? 2 : hours <= 72 ? 6 : 24;
  for (std::uint32_t hour = 0; hour < hours; hour += step)
    axis.ticks.emplace_back(hour, std::to_string(hour));
  return axis;
}

}  // namespace muster::population
