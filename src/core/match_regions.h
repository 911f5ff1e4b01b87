#pragma once
// Regions: how far a ticket's players are from each of those that its queue is played in, in which
// of them it may be played by now, and in which one a match is.
//
// A match is possible in a region if that is within the latency_max of each of its tickets, for the
// time that they have waited. Of the regions that are possible for all, the match is in the one
// whose worst-off player is best off; of those alike, in the one with the smallest sum, then in the
// first of the configuration.

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

#include "core/match_rules.h"
#include "core/ticket_index.h"

namespace muster::core {

constexpr std::uint16_t latency_unknown = UINT16_MAX;

/// Why a ticket cannot wait in a queue: the code, and the same in words.
struct Unplayable {
  Error error = Error::none;
  std::string detail;
};

/// Milliseconds to each region of the queue, of those players together: that of the one who is
/// farthest, or latency_unknown if one of them has not measured it and there is no latency_default.
/// Refused if no region is near enough for all, however long they wait.
std::expected<std::vector<std::uint16_t>, Unplayable> region_latencies(
    const QueueConfig& queue, std::span<const std::vector<RegionLatency>* const> players);

/// What is wrong with measurements in themselves; empty if nothing is.
std::string latency_problem(const std::vector<RegionLatency>& latency);

/// A bit for each region that is within the ticket's limit at that time.
std::uint32_t regions_within(const MatchRules& rules, const WaitingTicket& ticket, Time now);

/// Of the regions that all of these share, the one for their match; there must be one.
std::uint32_t best_region(std::span<const WaitingTicket* const> tickets);

}  // namespace muster::core
