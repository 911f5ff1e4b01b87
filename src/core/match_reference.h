#pragma once
// The rules of a queue once more, slow and plain, for tests, fuzzers and the simulator to compare
// the matcher with. It shares nothing with it but the tickets' values.

#include <optional>
#include <span>
#include <vector>

#include "core/config.h"
#include "core/ticket_index.h"

namespace muster::core {

/// The limit of that name for somebody who has waited so long, read from the configuration.
std::int64_t reference_limit(const QueueConfig& queue, const std::string& limit, std::int64_t first,
                             Duration waited);

/// Whether these tickets, in these teams, are a match by every rule of the queue.
bool reference_is_match(const QueueConfig& queue, std::span<const WaitingTicket> tickets,
                        std::span<const std::uint32_t> teams, Time now);

/// Where these play: of the regions that all of them accept, the one that is best for the worst
/// off; nothing if there is none, or the queue has no regions.
std::optional<std::uint32_t> reference_region(const QueueConfig& queue,
                                              std::span<const WaitingTicket> tickets, Time now);

/// The match that is to be formed of those who wait, oldest first; with `anchor`, of those matches
/// it is in. In order of age; empty: there is none. Tries every subset and every way to deal it.
std::vector<TicketId> reference_match(const QueueConfig& queue, std::vector<WaitingTicket> waiting,
                                      Time now, std::optional<TicketId> anchor = std::nullopt);

}  // namespace muster::core
