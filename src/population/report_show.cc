#include "population/report_show.h"

#include <fmt/format.h>

#include <algorithm>

namespace muster::population {
namespace {

/// Of a group, those with players; none if that is only one, who would be all once more.
template <class Name>
void add_rows(std::vector<WaitRow>& rows, const std::string& group, const std::vector<Waits>& waits,
              Name name) {
  if (std::ranges::count_if(waits, [](const Waits& w) { return w.players > 0; }) < 2) return;
  for (std::size_t i = 0; i < waits.size(); ++i)
    if (waits[i].players > 0) rows.push_back({group, name(i), &waits[i]});
}

}  // namespace

std::vector<WaitRow> wait_rows(const Report& report, const QueueReport& queue) {
  std::vector<WaitRow> rows{{"all", "", &queue.all}};
  add_rows(rows, "region", queue.by_region, [&](std::size_t i) { return report.regions[i]; });
  add_rows(rows, "rating", queue.by_rating,
           [&](std::size_t i) { return band_name(report.rating_bounds, i); });
  add_rows(rows, "party", queue.by_size, [&](std::size_t i) {
    return fmt::format("of {}{}", i + 1, i + 1 == party_sizes_shown ? " and more" : "");
  });
  return rows;
}

const Waits* find_row(const std::vector<WaitRow>& rows, const WaitRow& like) {
  const auto found = std::ranges::find_if(
      rows, [&](const WaitRow& row) { return row.group == like.group && row.name == like.name; });
  return found == rows.end() ? nullptr : found->waits;
}

std::string show_ms(std::int64_t ms) {
  if (ms < 10'000) return fmt::format("{}.{:02}s", ms / 1000, ms % 1000 / 10);
  if (ms < 60'000) return fmt::format("{}.{}s", ms / 1000, ms % 1000 / 100);
  const std::int64_t seconds = (ms + 500) / 1000;
  if (seconds < 3600) return fmt::format("{}m {:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h {:02}m", seconds / 3600, seconds % 3600 / 60);
}

std::string show_count(std::uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string show_thousandths(std::int64_t thousandths) {
  return fmt::format("{}.{}%", thousandths / 10, thousandths % 10);
}

std::string show_share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  return show_thousandths(static_cast<std::int64_t>((part * 1000 + whole / 2) / whole));
}

std::uint64_t matches_in_hour_tenths(const Report& report, const QueueReport& queue) {
  return queue.matches * 10 / std::max(1u, report.hours);
}

std::uint64_t server_seconds(const FleetReport& fleet) {
  return fleet.starting_s + fleet.ready_s + fleet.playing_s + fleet.stopping_s;
}

}  // namespace muster::population
