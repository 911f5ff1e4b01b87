#include "population/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "population/report_show.h"

namespace muster::population {
namespace {

using Unit = Difference::Unit;

std::int64_t thousandths_of(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : static_cast<std::int64_t>((part * 1000 + whole / 2) / whole);
}

class Lines {
 public:
  Lines(std::vector<Difference>& out, std::string section)
      : out_(out), section_(std::move(section)) {}

  void add(std::string name, Unit unit, std::int64_t a, std::int64_t b) {
    out_.push_back({section_, std::move(name), unit, a, b});
  }
  void count(std::string name, std::uint64_t a, std::uint64_t b) {
    add(std::move(name), Unit::count, static_cast<std::int64_t>(a), static_cast<std::int64_t>(b));
  }
  void percentiles(const std::string& name, Unit unit, const Histogram& a, const Histogram& b) {
    for (const auto& [label, thousandths] :
         {std::pair{"p50", 500u}, std::pair{"p90", 900u}, std::pair{"p99", 990u}})
      add(fmt::format("{}: {}", name, label), unit, a.percentile(thousandths),
          b.percentile(thousandths));
  }

 private:
  std::vector<Difference>& out_;
  std::string section_;
};

void of_queues(std::vector<Difference>& out, const Report& ra, const QueueReport& a,
               const Report& rb, const QueueReport& b) {
  Lines lines(out, "queue " + a.name);
  lines.count("matches", a.matches, b.matches);
  lines.add("matches not full", Unit::thousandths, thousandths_of(a.smaller, a.matches),
            thousandths_of(b.smaller, b.matches));
  const std::vector<WaitRow> rows = wait_rows(ra, a), others = wait_rows(rb, b);
  for (const WaitRow& row : rows) {
    const Waits* const other = find_row(others, row);
    if (!other) continue;
    const std::string name =
        row.group == "all" ? "everybody" : fmt::format("{} {}", row.group, row.name);
    lines.percentiles(name + " waits", Unit::ms, row.waits->assigned, other->assigned);
    lines.add(name + " gives up", Unit::thousandths,
              thousandths_of(row.waits->gave_up, row.waits->players),
              thousandths_of(other->gave_up, other->players));
    if (row.group != "all") continue;
    lines.add(name + " expires", Unit::thousandths,
              thousandths_of(row.waits->expired, row.waits->players),
              thousandths_of(other->expired, other->players));
  }
  lines.percentiles("for a game server", Unit::ms, a.server, b.server);
  if (a.all.latency.count() > 0 || b.all.latency.count() > 0)
    lines.percentiles("ms to the match's region", Unit::points, a.all.latency, b.all.latency);
  lines.percentiles("highest less lowest rating", Unit::points, a.spread, b.spread);
  lines.percentiles("strongest team beats weakest", Unit::thousandths, a.favourite, b.favourite);
}

void of_fleets(std::vector<Difference>& out, const FleetReport& a, const FleetReport& b) {
  Lines lines(out, "fleet " + a.name);
  lines.count("launches", a.launches, b.launches);
  lines.count("game servers at once", a.servers_peak, b.servers_peak);
  lines.count("hours of game servers", server_seconds(a) / 3600, server_seconds(b) / 3600);
  lines.add("of their time Ready", Unit::thousandths, thousandths_of(a.ready_s, server_seconds(a)),
            thousandths_of(b.ready_s, server_seconds(b)));
}

}  // namespace

std::vector<Difference> differences(const Report& a, const Report& b) {
  std::vector<Difference> out;
  for (const QueueReport& queue : a.queues) {
    const auto other = std::ranges::find(b.queues, queue.name, &QueueReport::name);
    if (other != b.queues.end()) of_queues(out, a, queue, b, *other);
  }
  for (const FleetReport& fleet : a.fleets) {
    const auto other = std::ranges::find(b.fleets, fleet.name, &FleetReport::name);
    if (other != b.fleets.end()) of_fleets(out, fleet, *other);
  }
  return out;
}

std::string to_string(Unit unit) {
  switch (unit) {
    case Unit::count:
      return "count";
    case Unit::ms:
      return "ms";
    case Unit::thousandths:
      return "thousandths";
    case Unit::points:
      return "points";
  }
  return "";
}

std::string show_value(Unit unit, std::int64_t value) {
  switch (unit) {
    case Unit::ms:
      return show_ms(value);
    case Unit::thousandths:
      return show_thousandths(value);
    case Unit::count:
    case Unit::points:
      return show_count(static_cast<std::uint64_t>(value));
  }
  return "";
}

std::string show_change(const Difference& d) {
  if (d.a == d.b) return "=";
  return (d.b > d.a ? "+" : "-") + show_value(d.unit, std::abs(d.b - d.a));
}

std::string to_text(const Report& a, const Report& b) {
  std::string out = fmt::format(
      "a: {}\nb: {}\n{} hours, seed {}: the same players, {} in a and {} in b\n", a.title, b.title,
      a.hours, a.seed, show_count(a.visitors), show_count(b.visitors));
  std::string section;
  for (const Difference& d : differences(a, b)) {
    if (d.section != section) {
      section = d.section;
      out += fmt::format("\n{:<44}{:>12}{:>12}{:>12}\n", section, "a", "b", "b less a");
    }
    out += fmt::format("  {:<42}{:>12}{:>12}{:>12}\n", d.name, show_value(d.unit, d.a),
                       show_value(d.unit, d.b), show_change(d));
  }
  return out;
}

}  // namespace muster::population
