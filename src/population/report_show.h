#pragma once
// A report for people and for programs.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "population/report.h"

namespace muster::population {

/// Lines for a terminal.
std::string to_text(const Report& report);
/// Two runs of the same players, side by side: the second's, and by how much it differs.
std::string to_text(const Report& a, const Report& b);

/// One JSON object; docs/simulator.md has its keys, which only ever grow.
std::string to_json(const Report& report);
/// {"a": ..., "b": ..., "differences": [...]}.
std::string to_json(const Report& a, const Report& b);

/// One HTML page with its plots in it. Fetches nothing.
std::string to_html(const Report& report);
std::string to_html(const Report& a, const Report& b);

// ---- What the three have in common.

/// The waiting of some of a queue's players.
struct WaitRow {
  std::string group;  // "all", "region", "rating", "party".
  std::string name;   // "eu", "below 1200", "of 2".
  const Waits* waits = nullptr;
};
/// Of all, then by each group that has more than one with players in it.
std::vector<WaitRow> wait_rows(const Report& report, const QueueReport& queue);

/// The row of the same group and name; nothing if there is none.
const Waits* find_row(const std::vector<WaitRow>& rows, const WaitRow& like);

/// "0.35s", "12.3s", "2m 05s", "1h 02m".
std::string show_ms(std::int64_t ms);
/// "1,234,567".
std::string show_count(std::uint64_t count);
/// Part of a whole, "12.3%"; "-" of nothing.
std::string show_share(std::uint64_t part, std::uint64_t whole);
/// Thousandths as "55.1%".
std::string show_thousandths(std::int64_t thousandths);

/// Matches in an hour, in tenths.
std::uint64_t matches_in_hour_tenths(const Report& report, const QueueReport& queue);
/// Of the time that game servers of the fleet were there: Ready and waiting for players.
std::uint64_t server_seconds(const FleetReport& fleet);

}  // namespace muster::population
