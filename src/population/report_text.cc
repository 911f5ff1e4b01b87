// A report as lines of text.
#include <fmt/format.h>

#include <algorithm>

#include "population/report_show.h"

namespace muster::population {
namespace {

constexpr int label_width = 26;

std::string label_of(const WaitRow& row) {
  return row.group == "all" ? "everybody" : fmt::format("{} {}", row.group, row.name);
}

std::string heading() {
  return fmt::format("  {:<{}}{:>12}{:>9}{:>9}{:>9}{:>9}{:>10}{:>9}{:>9}\n", "waiting", label_width,
                     "players", "p50", "p90", "p99", "longest", "gave up", "expired", "failed");
}

std::string line_of(const std::string& label, const Waits& w) {
  const auto part = [&](std::uint64_t players) { return show_share(players, w.players); };
  return fmt::format("  {:<{}}{:>12}{:>9}{:>9}{:>9}{:>9}{:>10}{:>9}{:>9}\n", label, label_width,
                     show_count(w.players), show_ms(w.assigned.percentile(500)),
                     show_ms(w.assigned.percentile(900)), show_ms(w.assigned.percentile(990)),
                     show_ms(w.assigned.max()), part(w.gave_up), part(w.expired), part(w.failed));
}

std::string latency_lines(const Report& report, const QueueReport& queue) {
  std::string out;
  for (const WaitRow& row : wait_rows(report, queue))
    if (const Histogram& ms = row.waits->latency; ms.count() > 0 && row.group != "party")
      out += fmt::format("    {:<{}}{:>12}{:>9}{:>9}{:>9}\n", label_of(row), label_width - 2,
                         show_count(ms.count()), ms.percentile(500), ms.percentile(900),
                         ms.percentile(990));
  if (out.empty()) return out;
  return fmt::format("    {:<{}}{:>12}{:>9}{:>9}{:>9}\n", "to the match's region, ms",
                     label_width - 2, "players", "p50", "p90", "p99") +
         out;
}

std::string quality_lines(const QueueReport& queue) {
  std::string out;
  if (queue.spread.count() > 0)
    out += fmt::format("  highest less lowest rating of a match: p50 {}, p90 {}, p99 {}\n",
                       queue.spread.percentile(500), queue.spread.percentile(900),
                       queue.spread.percentile(990));
  if (queue.favourite.count() == 0) return out;
  out +=
      fmt::format("  the strongest team beats the weakest, by true skill: p50 {}, p90 {}, p99 {}\n",
                  show_thousandths(queue.favourite.percentile(500)),
                  show_thousandths(queue.favourite.percentile(900)),
                  show_thousandths(queue.favourite.percentile(990)));
  out += fmt::format("    {:<{}}{:>12}{:>9}{:>9}\n", "by the longest wait in it", label_width - 2,
                     "matches", "p50", "p90");
  for (std::size_t i = 0; i < queue.favourite_by_wait.size(); ++i) {
    const Histogram& h = queue.favourite_by_wait[i];
    if (h.count() == 0) continue;
    out += fmt::format("    {:<{}}{:>12}{:>9}{:>9}\n", wait_band_name(i), label_width - 2,
                       show_count(h.count()), show_thousandths(h.percentile(500)),
                       show_thousandths(h.percentile(900)));
  }
  return out;
}

std::string queue_text(const Report& report, const QueueReport& queue) {
  const std::uint64_t tenths = matches_in_hour_tenths(report, queue);
  std::string out = fmt::format("\nqueue {}: {} matches, {}.{} an hour", queue.name,
                                show_count(queue.matches), tenths / 10, tenths % 10);
  if (queue.smaller > 0)
    out += fmt::format(", {} not full", show_share(queue.smaller, queue.matches));
  if (queue.bots > 0)
    out +=
        fmt::format(", {} of the seats bots", show_share(queue.bots, queue.bots + queue.players));
  if (queue.lost > 0)
    out += fmt::format(", {} lost with their game server", show_count(queue.lost));
  if (queue.moved > 0)
    out += fmt::format(", {} players came by timeout_queue", show_count(queue.moved));
  out += "\n";
  if (queue.all.players > 0) {
    out += heading();
    for (const WaitRow& row : wait_rows(report, queue)) out += line_of(label_of(row), *row.waits);
    out += fmt::format("  of it until the others were found: p50 {}, p90 {}, p99 {}\n",
                       show_ms(queue.found.percentile(500)), show_ms(queue.found.percentile(900)),
                       show_ms(queue.found.percentile(990)));
    out += fmt::format("  and then for a game server: p50 {}, p90 {}, p99 {}\n",
                       show_ms(queue.server.percentile(500)), show_ms(queue.server.percentile(900)),
                       show_ms(queue.server.percentile(990)));
  }
  return out + latency_lines(report, queue) + quality_lines(queue);
}

std::string fleet_text(const FleetReport& fleet) {
  const std::uint64_t all = server_seconds(fleet);
  return fmt::format(
      "\nfleet {}: at most {} of {} game servers at once, {} launches, {} failed, {} crashed\n"
      "  their time: playing {}, Ready {}, starting {}, stopping {}\n",
      fleet.name, show_count(fleet.servers_peak), show_count(fleet.servers_max),
      show_count(fleet.launches), show_count(fleet.launch_failures), show_count(fleet.crashes),
      show_share(fleet.playing_s, all), show_share(fleet.ready_s, all),
      show_share(fleet.starting_s, all), show_share(fleet.stopping_s, all));
}

}  // namespace

std::string to_text(const Report& report) {
  std::string out = fmt::format(
      "{}: {} hours, seed {}\n"
      "{} players came, at most {} were there at once, {} still waited at the end\n",
      report.title, report.hours, report.seed, show_count(report.visitors),
      show_count(report.players_peak), show_count(report.still_waiting));
  for (const auto& [code, players] : report.refusals)
    out += fmt::format("{} players were refused: {}\n", show_count(players), code);
  for (const QueueReport& queue : report.queues)
    if (queue.all.players > 0 || queue.matches > 0) out += queue_text(report, queue);
  for (const FleetReport& fleet : report.fleets) out += fleet_text(fleet);
  return out;
}

}  // namespace muster::population
