#include "sim/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace muster::sim {
namespace {

std::int64_t percentile_ms(const std::vector<Duration>& sorted, std::size_t percent) {
  if (sorted.empty()) return 0;
  return sorted[(sorted.size() - 1) * percent / 100] / std::chrono::milliseconds{1};
}

}  // namespace

void Report::add(const Report& other) {
  runs += other.runs, steps += other.steps, virtual_time += other.virtual_time;
  tickets += other.tickets, assigned += other.assigned, cancelled += other.cancelled;
  expired += other.expired, failed += other.failed, ended_away += other.ended_away;
  lost_with_lobby += other.lost_with_lobby, matches += other.matches, launches += other.launches;
  launch_failures += other.launch_failures, servers_lost += other.servers_lost;
  waits.insert(waits.end(), other.waits.begin(), other.waits.end());
  marks.add(other.marks);
}

std::string to_text(const Report& report, Duration real) {
  std::vector<Duration> waits = report.waits;
  std::sort(waits.begin(), waits.end());
  const std::int64_t micros = std::max<std::int64_t>(1, real / std::chrono::microseconds{1});
  std::string out = fmt::format(
      "{} runs, {} s of virtual time, {} steps, {} steps/s\n"
      "tickets {}: assigned {}, cancelled {}, expired {}, failed {}, ended while away {}, "
      "lost with the lobby {}\n"
      "matches {}, launches {}, launch failures {}, servers lost in a match {}\n"
      "waiting for an assignment, ms: p50 {}, p90 {}, p99 {}, longest {}\n",
      report.runs, report.virtual_time / std::chrono::seconds{1}, report.steps,
      report.steps * 1'000'000 / static_cast<std::uint64_t>(micros), report.tickets,
      report.assigned, report.cancelled, report.expired, report.failed, report.ended_away,
      report.lost_with_lobby, report.matches, report.launches, report.launch_failures,
      report.servers_lost, percentile_ms(waits, 50), percentile_ms(waits, 90),
      percentile_ms(waits, 99), percentile_ms(waits, 100));
  out += "rare paths:";
  for (std::size_t i = 0; i < mark_count; ++i)
    out += fmt::format(" {} {}{}", to_string(Mark{static_cast<std::uint8_t>(i)}),
                       report.marks[Mark{static_cast<std::uint8_t>(i)}],
                       i + 1 < mark_count ? "," : "\n");
  return out;
}

}  // namespace muster::sim
