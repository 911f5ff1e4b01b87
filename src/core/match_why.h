#pragma once
// Why a ticket waits: what its queue's rules exclude, and what its next widening will change.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/state.h"

namespace muster::core {

struct TicketWhy {
  struct Excluding {
    std::string
        name;  // "rating_distance", "latency_max", "avoid_recent", "blocked", or the rule's.
    std::uint32_t excludes =
        0;  // Waiting tickets that this alone keeps from being matched with it.
    std::uint32_t by_theirs = 0;  // Of those: this ticket would accept them, but not they it.
  };
  struct Nearest {
    TicketId ticket;
    std::int64_t rating_apart = 0;
    std::vector<std::string> excluded_by;  // Empty: they accept each other.
  };
  struct Widening {
    Duration in{};                   // From now.
    std::uint32_t admits = 0;        // Tickets that wait now and will then be accepted, and accept.
    std::uint32_t seats_needed = 0;  // Then: as many make a match for it.
  };
  struct Region {
    std::string name;
    std::optional<std::uint32_t> ms;  // Of the player of it who is farthest; nothing: not measured.
    bool within = false;              // The ticket may be played there now.
    std::uint32_t others = 0;         // Who wait and may be played there too.
  };
  std::uint32_t others = 0;          // Who wait in the queue besides.
  std::uint32_t accepted = 0;        // Of those: they and this ticket accept each other.
  std::uint32_t seats_accepted = 0;  // Of those and its own.
  std::uint32_t seats_needed = 0;    // As many make a match for it now.
  std::vector<Excluding> rules;      // In the order of the configuration.
  std::optional<Nearest> nearest;    // In rating, of those that wait in the queue.
  std::optional<Widening> next;      // Of its own limits.
  std::vector<Region> regions;       // Of the queue, if it has any.
};

/// Of a ticket that is queued and not held; nothing for any other. Looks at every ticket there is.
std::optional<TicketWhy> why_waiting(const State& state, TicketId id);

}  // namespace muster::core
