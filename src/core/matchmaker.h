#pragma once
// Who plays together.

#include <cstdint>
#include <vector>

#include "core/state.h"

namespace muster::core {

/// The match that can be formed from the waiting tickets whose seats together are exactly
/// `players`; empty if there is none. Oldest first: the tickets come from the shortest prefix of
/// the queue (in order of age) that contains such a set, and within it the older are preferred.
/// In order of age. For tickets of one seat that is the first `players` of them, in O(players).
/// With tickets of several sizes it costs at most O(players² log players), however many wait,
/// since of each size s only the oldest players/s can matter.
std::vector<TicketId> find_match(const Queue& queue, std::uint32_t players);

}  // namespace muster::core
