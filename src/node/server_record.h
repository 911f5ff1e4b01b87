#pragma once
// A game server to and from its entries in the node's record.

#include <chrono>
#include <cstdint>

#include "node/game_server.h"
#include "node/record.h"

namespace muster::node {

/// What is written before it is launched.
wire::node_record::Entered entered_of(const GameServer& server, const wire::node::Launch& launch);

/// What it is now. Its match and what its Agones SDK has said only if they differ from what this
/// gave the last time.
wire::node_record::State state_of(GameServer& server);

/// Puts that on record.
inline void record_state(NodeRecord& record, GameServer& server) {
  wire::node_record::Entry entry;
  *entry.mutable_state() = state_of(server);
  record.write(entry);
}

/// A time of State in this process.
std::chrono::steady_clock::time_point from_boot(std::uint64_t ns);

/// The other way round, but for its process, its log and its Agones endpoint.
void restore(GameServer& server, const Recorded::Server& recorded);

}  // namespace muster::node
