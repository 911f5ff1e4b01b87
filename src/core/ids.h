#pragma once
// The ids the core deals in. See base/id.h: slot and generation, "41.3" as text, stale ones miss.

#include <cstdint>

#include "base/id.h"

namespace muster::core {

using SessionId = Id<struct SessionTag>;  ///< A connection; issued by net, not by the core.
using PlayerId = Id<struct PlayerTag>;
using TicketId = Id<struct TicketTag>;
using MatchId = Id<struct MatchTag>;
using TicketPlace = Id<struct TicketPlaceTag>;  ///< Of a waiting ticket in its queue's matcher.
using ServerId = Id<struct ServerTag>;
using NodeId = Id<struct NodeTag>;
using PartyId = Id<struct PartyTag>;

/// Positions in Config::fleets and Config::queues.
using FleetIndex = std::uint32_t;
using QueueIndex = std::uint32_t;

}  // namespace muster::core
