// A report as one HTML page: its plots are inline, it fetches nothing and runs nothing.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <string>

#include "population/compare.h"
#include "population/plot.h"
#include "population/report_show.h"

namespace muster::population {
namespace {

// Two colours that people with any kind of colour blindness tell apart, and dashes beside them.
constexpr std::string_view style = R"css(
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --faint: #d5d8dc; --soft: #f4f5f7;
  --c1: #0059b3; --c2: #b34700; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --paper: #16181b; --faint: #3a3f45; --soft: #202327; --c1: #6db3ff;
    --c2: #ffa35c; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; }
thead th { background: var(--soft); }
figure { margin: 1.5rem 0; } figcaption { font-weight: 600; }
figure > svg { width: 100%; height: auto; }
svg text { fill: var(--ink); font-size: 12px; } svg text.y { text-anchor: end; dominant-baseline: middle; }
svg text.x { text-anchor: middle; } .grid { stroke: var(--faint); }
polyline { fill: none; stroke-width: 2; stroke: var(--c1); }
.s2 { stroke-dasharray: 7 3; } .s3 { stroke-dasharray: 2 3; }
.pair .s3, .pair .s4 { stroke: var(--c2); } .pair .s3 { stroke-dasharray: none; }
.pair .s4 { stroke-dasharray: 7 3; }
.two .s2 { stroke: var(--c2); }
circle { fill: var(--c1); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; margin: 0; }
.legend svg { width: 28px; height: 8px; margin-right: .4rem; }
)css";

/// One or two reports: every plot has the lines of each.
struct Runs {
  const Report& a;
  const Report* b = nullptr;
  bool two() const { return b != nullptr; }
};

/// A queue of one run, or of both.
struct Queues {
  const QueueReport& a;
  const QueueReport* b = nullptr;
};

template <class F>
void for_both(const Queues& queues, F f) {
  f(queues.a, queues.b ? "a: " : "");
  if (queues.b) f(*queues.b, "b: ");
}

std::string page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n{}</body>\n</html>\n",
      escape_html(title), style, body);
}

std::string row(std::string_view tag, const std::vector<std::string>& cells) {
  std::string out = "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (tag == "th")
      out += fmt::format("<th scope=\"col\">{}</th>", escape_html(cells[i]));
    else if (i == 0)
      out += fmt::format("<th scope=\"row\">{}</th>", escape_html(cells[i]));
    else
      out += fmt::format("<td>{}</td>", escape_html(cells[i]));
  }
  return out + "</tr>\n";
}

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::string out = "<div class=\"wide\"><table>\n<thead>" + row("th", rows.front()) + "</thead>\n";
  for (std::size_t i = 1; i < rows.size(); ++i) out += row("td", rows[i]);
  return out + "</table></div>\n";
}

std::string waits_table(const Report& report, const QueueReport& queue) {
  std::vector<std::vector<std::string>> rows{
      {"waiting", "players", "p50", "p90", "p99", "longest", "gave up", "expired", "failed"}};
  for (const WaitRow& r : wait_rows(report, queue)) {
    const Waits& w = *r.waits;
    rows.push_back({r.group == "all" ? "everybody" : fmt::format("{} {}", r.group, r.name),
                    show_count(w.players), show_ms(w.assigned.percentile(500)),
                    show_ms(w.assigned.percentile(900)), show_ms(w.assigned.percentile(990)),
                    show_ms(w.assigned.max()), show_share(w.gave_up, w.players),
                    show_share(w.expired, w.players), show_share(w.failed, w.players)});
  }
  return table(rows);
}

/// How far from its players their match is, where the queue says where.
std::string latency_table(const Report& report, const QueueReport& queue) {
  std::vector<std::vector<std::string>> rows{
      {"ms to the match's region", "players", "p50", "p90", "p99"}};
  for (const WaitRow& r : wait_rows(report, queue))
    if (const Histogram& ms = r.waits->latency; ms.count() > 0 && r.group != "party")
      rows.push_back({r.group == "all" ? "everybody" : fmt::format("{} {}", r.group, r.name),
                      show_count(ms.count()), std::to_string(ms.percentile(500)),
                      std::to_string(ms.percentile(900)), std::to_string(ms.percentile(990))});
  return rows.size() == 1 ? std::string{} : table(rows);
}

/// The waiting time in the course of the day, by when people pressed.
Plot day_plot(const Queues& queues, std::uint32_t hours) {
  Plot plot{.title = "Waiting time over the day",
            .description =
                "Percentiles of the time from Match Start to the assignment, by the "
                "hour in which it was pressed; the table above has the day's.",
            .x = hours_axis(hours),
            .series = {}};
  std::int64_t most = 0;
  for_both(queues, [&](const QueueReport& queue, const std::string& who) {
    std::vector<std::pair<std::string, std::uint32_t>> lines{{"p50", 500}, {"p90", 900}};
    if (!queues.b) lines.emplace_back("p99", 990);
    for (const auto& [name, thousandths] : lines) {
      Series& series = plot.series.emplace_back(Series{who + name, {}});
      for (std::size_t hour = 0; hour < queue.by_hour.size(); ++hour) {
        const Histogram& waits = queue.by_hour[hour].assigned;
        if (waits.count() == 0) continue;
        series.points.emplace_back(hour, waits.percentile(thousandths));
        most = std::max(most, series.points.back().second);
      }
    }
  });
  plot.y = times_axis("", most);
  return plot;
}

/// How many have waited at most so long.
Plot distribution_plot(const Queues& queues) {
  Plot plot{.title = "How many wait at most so long",
            .description =
                "Of the players who got a match, the part whose waiting time was not "
                "above the one below.",
            .series = {}};
  std::int64_t most = 0;
  for_both(queues, [&](const QueueReport& queue, const std::string&) {
    most = std::max(most, queue.all.assigned.percentile(999));
  });
  plot.x = times_axis("waiting time", most);
  plot.y = {.label = "",
            .ticks = {{0, "0%"}, {250, "25%"}, {500, "50%"}, {750, "75%"}, {1000, "100%"}},
            .high = 1000};
  for_both(queues, [&](const QueueReport& queue, const std::string& who) {
    Series& series = plot.series.emplace_back(Series{who + "players", {}});
    const Histogram& waits = queue.all.assigned;
    if (waits.count() == 0) return;
    // Each a tenth of a doubling above the one before.
    for (std::int64_t ms = plot.x.low; ms <= plot.x.high; ms = ms * 1072 / 1000 + 1)
      series.points.emplace_back(ms, waits.at_most(ms) * 1000 / waits.count());
    series.points.emplace_back(plot.x.high, waits.at_most(plot.x.high) * 1000 / waits.count());
  });
  return plot;
}

/// What waiting bought.
Plot quality_plot(const Queues& queues) {
  Plot plot{.title = "How one-sided matches are, by how long was waited for them",
            .description =
                "The chance of the strongest team to beat the weakest, by true skill; "
                "50% is even. Matches by the longest waiting time in them.",
            .series = {}};
  plot.x = {
      .label = "longest waiting time in the match", .ticks = {}, .high = wait_bounds_s.size()};
  for (std::size_t band = 0; band <= wait_bounds_s.size(); ++band)
    plot.x.ticks.emplace_back(band, wait_band_name(band));
  plot.y = {
      .label = "",
      .ticks =
          {{500, "50%"}, {600, "60%"}, {700, "70%"}, {800, "80%"}, {900, "90%"}, {1000, "100%"}},
      .low = 500,
      .high = 1000};
  for_both(queues, [&](const QueueReport& queue, const std::string& who) {
    for (const auto& [name, thousandths] : {std::pair{"p50", 500u}, std::pair{"p90", 900u}}) {
      Series& series = plot.series.emplace_back(Series{fmt::format("{}{}", who, name), {}});
      for (std::size_t band = 0; band < queue.favourite_by_wait.size(); ++band)
        if (const Histogram& h = queue.favourite_by_wait[band]; h.count() > 0)
          series.points.emplace_back(band, h.percentile(thousandths));
    }
  });
  return plot;
}

/// A number for each hour, of one run or both.
Plot hourly_plot(std::string title, std::string description, const std::string& what,
                 const std::vector<std::uint32_t>& a, const std::vector<std::uint32_t>* b) {
  Plot plot{.title = std::move(title),
            .description = std::move(description),
            .x = hours_axis(static_cast<std::uint32_t>(a.size())),
            .series = {}};
  std::int64_t most = 0;
  const auto add = [&](const std::string& who, const std::vector<std::uint32_t>& values) {
    Series& series = plot.series.emplace_back(Series{who + what, {}});
    for (std::size_t hour = 0; hour < values.size(); ++hour) {
      series.points.emplace_back(hour, values[hour]);
      most = std::max<std::int64_t>(most, values[hour]);
    }
  };
  add(b ? "a: " : "", a);
  if (b) add("b: ", *b);
  plot.y = counts_axis("", most);
  return plot;
}

std::string queue_html(const Runs& runs, const Queues& queues) {
  std::string out = fmt::format("<h2>Queue {}</h2>\n", escape_html(queues.a.name));
  if (runs.two()) {
    out += fmt::format("<h3>a: {}</h3>\n", escape_html(runs.a.title));
    out += waits_table(runs.a, queues.a) + latency_table(runs.a, queues.a);
    out += fmt::format("<h3>b: {}</h3>\n", escape_html(runs.b->title));
    out += waits_table(*runs.b, *queues.b) + latency_table(*runs.b, *queues.b);
  } else {
    out += waits_table(runs.a, queues.a) + latency_table(runs.a, queues.a);
  }
  out += fmt::format("<div class=\"{}\">", runs.two() ? "pair" : "one");
  out += to_svg(day_plot(queues, runs.a.hours));
  if (queues.a.favourite.count() > 0 || (queues.b && queues.b->favourite.count() > 0))
    out += to_svg(quality_plot(queues));
  out += fmt::format("</div>\n<div class=\"{}\">", runs.two() ? "two" : "one");
  return out + to_svg(distribution_plot(queues)) + "</div>\n";
}

std::string fleets_html(const Runs& runs) {
  std::string out = "<h2>Players and game servers</h2>\n<div class=\"two\">\n";
  out +=
      to_svg(hourly_plot("Players in the lobby", "The most at one time, hour by hour.", "players",
                         runs.a.players_by_hour, runs.two() ? &runs.b->players_by_hour : nullptr));
  std::vector<std::vector<std::string>> rows{
      {"fleet", "launches", "failed", "crashed", "at once", "of", "playing", "Ready", "starting"}};
  const auto add = [&](const FleetReport& fleet, const std::string& who) {
    const std::uint64_t all = server_seconds(fleet);
    rows.push_back({who + fleet.name, show_count(fleet.launches), show_count(fleet.launch_failures),
                    show_count(fleet.crashes), show_count(fleet.servers_peak),
                    show_count(fleet.servers_max), show_share(fleet.playing_s, all),
                    show_share(fleet.ready_s, all), show_share(fleet.starting_s, all)});
  };
  for (const FleetReport& fleet : runs.a.fleets) {
    const FleetReport* other = nullptr;
    if (runs.two()) {
      const auto found = std::ranges::find(runs.b->fleets, fleet.name, &FleetReport::name);
      if (found != runs.b->fleets.end()) other = &*found;
    }
    add(fleet, other ? "a: " : "");
    if (other) add(*other, "b: ");
    out += to_svg(hourly_plot(fmt::format("Game servers of fleet {}", fleet.name),
                              "The most processes at one time, hour by hour.", "game servers",
                              fleet.peak_by_hour, other ? &other->peak_by_hour : nullptr));
  }
  return out + "</div>\n" + table(rows);
}

std::string queues_html(const Runs& runs) {
  std::string out;
  for (const QueueReport& queue : runs.a.queues) {
    const QueueReport* other = nullptr;
    if (runs.two()) {
      const auto found = std::ranges::find(runs.b->queues, queue.name, &QueueReport::name);
      if (found == runs.b->queues.end()) continue;
      other = &*found;
    }
    if (queue.all.players > 0 || queue.matches > 0) out += queue_html(runs, {queue, other});
  }
  return out + fleets_html(runs);
}

}  // namespace

std::string to_html(const Report& report) {
  std::string body = fmt::format(
      "<h1>{}</h1>\n<p>{} hours in virtual time, seed {}. {} players came, at most {} were there "
      "at once, {} still waited at the end.</p>\n",
      escape_html(report.title), report.hours, report.seed, show_count(report.visitors),
      show_count(report.players_peak), show_count(report.still_waiting));
  for (const auto& [code, players] : report.refusals)
    body +=
        fmt::format("<p>{} players were refused: {}</p>\n", show_count(players), escape_html(code));
  return page(report.title, body + queues_html({report}));
}

std::string to_html(const Report& a, const Report& b) {
  std::string body = fmt::format(
      "<h1>a: {}<br>b: {}</h1>\n<p>The same players under both rules: {} hours in virtual time, "
      "seed {}; {} came in a and {} in b.</p>\n",
      escape_html(a.title), escape_html(b.title), a.hours, a.seed, show_count(a.visitors),
      show_count(b.visitors));
  std::string section;
  std::vector<std::vector<std::string>> rows;
  for (const Difference& d : differences(a, b)) {
    if (d.section != section) {
      if (!rows.empty()) body += table(rows);
      rows = {{section = d.section, "a", "b", "b less a"}};
    }
    rows.push_back({d.name, show_value(d.unit, d.a), show_value(d.unit, d.b), show_change(d)});
  }
  if (!rows.empty()) body += table(rows);
  return page(a.title + " and " + b.title, body + queues_html({a, &b}));
}

}  // namespace muster::population
