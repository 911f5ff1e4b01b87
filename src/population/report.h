#pragma once
// What came of a simulated day, in fixed memory: counts and histograms, not every ticket. Waiting
// is counted for each player, in milliseconds: a party of four that waits is four players waiting.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "population/histogram.h"

namespace muster::population {

/// Of those who pressed Match Start, counted when they did.
struct Waits {
  Histogram assigned;         // How long until they knew where to go.
  Histogram latency;          // To their match's region, where the queue has regions.
  std::uint64_t players = 0;  // All who pressed, by now:
  std::uint64_t gave_up = 0;  // Cancelled, out of patience.
  std::uint64_t expired = 0;  // ticket_timeout.
  std::uint64_t failed = 0;   // No game server.
  void add(const Waits& other);
};

/// Waiting times up to these bounds in seconds, and beyond the last: for quality by waiting time.
inline constexpr std::array<std::int64_t, 9> wait_bounds_s{1, 3, 10, 20, 40, 60, 120, 300, 600};

struct QueueReport {
  std::string name;
  Waits all;
  std::vector<Waits> by_region, by_rating, by_size, by_hour;
  Histogram found;          // Match Start until the match was formed, in ms.
  Histogram server;         // From there until its game server was Ready, in ms.
  std::uint64_t moved = 0;  // Players who came from another queue's timeout_queue.
  std::uint64_t matches = 0;
  std::uint64_t players = 0;  // Seats of the matches.
  std::uint64_t bots = 0;
  std::uint64_t smaller = 0;  // Matches that were not full.
  std::uint64_t lost = 0;     // Whose game server died.
  Histogram spread;           // Highest less lowest rating of a match, as shown.
  // How likely the strongest team beats the weakest, by their true skills, in thousandths. Of
  // matches with at least two teams.
  Histogram favourite;
  // By the longest wait of the match: up to each of wait_bounds_s, and beyond.
  std::array<Histogram, wait_bounds_s.size() + 1> favourite_by_wait;
};

struct FleetReport {
  std::string name;
  std::uint64_t launches = 0;
  std::uint64_t launch_failures = 0;
  std::uint64_t crashes = 0;
  std::uint32_t servers_max = 0;   // As simulated.
  std::uint32_t servers_peak = 0;  // Processes at one time.
  // Seconds, over all game servers.
  std::uint64_t starting_s = 0, ready_s = 0, playing_s = 0, stopping_s = 0;
  std::vector<std::uint32_t> peak_by_hour;
};

struct Report {
  std::string title;  // Which rules: the configuration's file name.
  std::uint64_t seed = 0;
  std::uint32_t hours = 0;
  std::vector<std::string> regions;
  std::vector<std::int64_t> rating_bounds;  // Bands: below the first, ..., from the last on.
  std::vector<QueueReport> queues;
  std::vector<FleetReport> fleets;
  std::uint64_t visitors = 0;       // Who came in the counted time: players, not parties.
  std::uint64_t steps = 0;          // Of the core, the warm-up's included.
  std::uint64_t still_waiting = 0;  // Players, at the end.
  std::uint32_t players_peak = 0;   // In the lobby at one time.
  std::vector<std::uint32_t> players_by_hour;     // The same, hour by hour.
  std::map<std::string, std::uint64_t> refusals;  // By error code.
  std::uint64_t digest = 0;  // Of all that happened: equal for equal runs on every machine.
};

/// The largest number of a party that is counted by itself; larger ones are counted with it.
inline constexpr std::uint32_t party_sizes_shown = 8;

/// Which of the bands a rating is in.
std::size_t band_of(const std::vector<std::int64_t>& bounds, std::int64_t rating);
/// "below 1200", "1200 to 1499", "1800 and above".
std::string band_name(const std::vector<std::int64_t>& bounds, std::size_t band);

/// Which of favourite_by_wait.
std::size_t wait_band(std::int64_t wait_ms);
std::string wait_band_name(std::size_t band);

}  // namespace muster::population
