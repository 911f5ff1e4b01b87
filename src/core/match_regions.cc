#include "core/match_regions.h"

#include <algorithm>
#include <bit>
#include <set>
#include <tuple>

#include "base/check.h"

namespace muster::core {
namespace {

std::uint16_t latency_to(const QueueConfig& queue, const std::string& region,
                         const std::vector<RegionLatency>& measured) {
  const auto found = std::find_if(measured.begin(), measured.end(),
                                  [&](const RegionLatency& m) { return m.region == region; });
  if (found != measured.end()) return static_cast<std::uint16_t>(found->ms);
  return static_cast<std::uint16_t>(queue.latency_default.value_or(latency_unknown));
}

std::string names_of(const std::vector<RegionConfig>& regions) {
  std::string names;
  for (const RegionConfig& region : regions) names += (names.empty() ? "" : ", ") + region.name;
  return names;
}

}  // namespace

std::expected<std::vector<std::uint16_t>, Unplayable> region_latencies(
    const QueueConfig& queue, std::span<const std::vector<RegionLatency>* const> players) {
  std::vector<std::uint16_t> worst(queue.region.size());
  if (worst.empty()) return worst;
  for (const auto* measured : players) {
    bool any = false;
    for (std::size_t i = 0; i < worst.size(); ++i) {
      const std::uint16_t ms = latency_to(queue, queue.region[i].name, *measured);
      any = any || ms != latency_unknown;
      worst[i] = std::max(worst[i], ms);
    }
    if (!any)
      return std::unexpected(
          Unplayable{Error::latency_missing,
                     "queue " + queue.name + " is played in: " + names_of(queue.region)});
  }
  const std::int64_t limit = latency_widest(queue);
  const auto nearest = std::min_element(worst.begin(), worst.end());
  if (*nearest == latency_unknown)
    return std::unexpected(Unplayable{
        Error::latency_too_high, "there is no region that all who play together have measured"});
  if (*nearest > limit)
    return std::unexpected(
        Unplayable{Error::latency_too_high,
                   "the nearest region, " +
                       queue.region[static_cast<std::size_t>(nearest - worst.begin())].name +
                       ", is " + std::to_string(*nearest) + " ms away; queue " + queue.name +
                       " allows " + std::to_string(limit)});
  return worst;
}

std::string latency_problem(const std::vector<RegionLatency>& latency) {
  if (latency.size() > regions_max)
    return "there are " + std::to_string(latency.size()) + " regions; may be " +
           std::to_string(regions_max);
  std::set<std::string_view> seen;
  for (const RegionLatency& measured : latency) {
    if (measured.region.empty() || measured.region.size() > 32)
      return "a region's name has 1 to 32 characters";
    if (!seen.insert(measured.region).second) return "\"" + measured.region + "\" is there twice";
    if (measured.ms > latency_ms_max)
      return std::to_string(measured.ms) + " ms; must be 0 to " + std::to_string(latency_ms_max);
  }
  return {};
}

std::uint32_t regions_within(const MatchRules& rules, const WaitingTicket& ticket, Time now) {
  const std::int64_t limit = rules.latency_max.at(now - ticket.since);
  std::uint32_t within = 0;
  for (std::size_t i = 0; i < ticket.latency.size(); ++i)
    if (ticket.latency[i] != latency_unknown && ticket.latency[i] <= limit)
      within |= std::uint32_t{1} << i;
  return within;
}

std::uint32_t best_region(std::span<const WaitingTicket* const> tickets) {
  std::uint32_t shared = UINT32_MAX;
  for (const WaitingTicket* ticket : tickets) shared &= ticket->regions;
  std::tuple<std::uint64_t, std::uint64_t, std::uint32_t> best{UINT64_MAX, 0, 0};
  for (; shared != 0; shared &= shared - 1) {
    const auto region = static_cast<std::uint32_t>(std::countr_zero(shared));
    std::uint64_t worst = 0, sum = 0;
    for (const WaitingTicket* ticket : tickets) {
      worst = std::max<std::uint64_t>(worst, ticket->latency[region]);
      sum += std::uint64_t{ticket->latency[region]} * ticket->seats;
    }
    best = std::min(best, {worst, sum, region});
  }
  CHECK(std::get<0>(best) != UINT64_MAX, "a match is possible in some region");
  return std::get<2>(best);
}

}  // namespace muster::core
