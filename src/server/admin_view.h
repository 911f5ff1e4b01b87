#pragma once
// The core's state as the admin API shows it: JSON for people and programs, text for Prometheus.
// Part of admin.

#include <boost/json/object.hpp>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/state.h"
#include "server/journal_status.h"
#include "server/loop.h"
#include "server/storage_status.h"

namespace muster::server {

/// What is counted by looking at every thing once.
struct Census {
  struct Fleet {
    std::uint32_t starting = 0, ready = 0, reserved = 0, allocated = 0, stopping = 0;
    std::uint32_t outdated = 0;  // Of another version than the fleet's, and not stopping.
    std::uint32_t launching = 0, playing = 0, offered = 0;  // Matches.
    std::uint32_t ports = 0, ports_free = 0, ports_aside = 0;
  };
  struct Queue {
    std::uint32_t queued = 0, matched = 0, offered = 0;  // Tickets.
  };
  std::uint32_t connected = 0, disconnected = 0;  // Players.
  std::vector<Fleet> fleets;
  std::vector<Queue> queues;
};
Census take_census(const core::State& state);

/// A part of a long list: at most `limit`, those after the id `after` in order.
struct Page {
  std::uint32_t limit = 1000;
  std::uint32_t after_slot = 0;
  bool has_after = false;
};

boost::json::object status_view(const Loop& loop, const JournalStatus& journal,
                                const StorageStatus& storage);
boost::json::object servers_view(const core::State& state, const Page& page);
boost::json::object parties_view(const core::State& state, const Page& page);
boost::json::object tickets_view(const core::State& state, const Page& page);
boost::json::object why_view(const core::State& state, core::TicketId id);
boost::json::object matches_view(const core::State& state, const Page& page);
boost::json::object server_view(const core::State& state, core::ServerId id,
                                const core::Server& server, bool with_players);
/// Those that are no more, the last first.
boost::json::object ended_view(const core::State& state);
boost::json::object events_view(const std::deque<EventRecord>& events, std::size_t last);

/// Prometheus' text format, version 0.0.4.
std::string metrics_view(const Loop& loop, const JournalStatus& journal,
                         const StorageStatus& storage);

}  // namespace muster::server
