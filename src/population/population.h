#pragma once
// Who plays: what a designer says of their players in a population file (server/population_file),
// or what is assumed if they do not.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "population/draw.h"

namespace muster::population {

/// How many come in each hour of a day, in parts of the busiest. Quietest at 5 in the morning.
inline constexpr std::array<std::uint32_t, 24> hours_default{
    45, 30, 20, 13, 10, 9, 10, 13, 18, 24, 30, 36, 42, 46, 50, 55, 60, 66, 74, 84, 95, 100, 90, 68};

/// To the region of a queue where players live: the one called like theirs, or else one by chance.
inline constexpr Spread latency_near{std::chrono::milliseconds{30}, std::chrono::milliseconds{60}};
/// To the others.
inline constexpr Spread latency_far{std::chrono::milliseconds{120}, std::chrono::milliseconds{180}};

/// Players who live by one clock.
struct Region {
  std::string name;                                     // [a-z0-9-], 1 to 32 characters, unique.
  std::uint32_t weight = 1;                             // Its part of the players.
  std::int32_t utc_offset = 0;                          // Hours, -12 to 14.
  std::array<std::uint32_t, 24> hours = hours_default;  // By its own clock.
  // To regions of queues, by their names; to others, see latency_near and latency_far.
  std::vector<std::pair<std::string, Spread>> latency{};
};

/// What is different in one queue.
struct QueueHabits {
  std::string queue;         // Its name.
  std::uint32_t weight = 1;  // Its part of those who come.
  std::optional<std::vector<std::uint32_t>> party_sizes;
  std::optional<Spread> match;
};

/// What players send as an attribute that rules of queues ask for.
struct AttributeHabits {
  std::string attribute;
  // equal: one of them, by weight. any_of: each with so many thousandths, at least one.
  std::vector<std::pair<std::string, std::uint32_t>> values;
  std::int64_t mean = 0, deviation = 0;  // Numbers, in thousandths.
};

/// Shares are in millionths.
struct Population {
  // At the busiest hour of the day, if all regions have it at once: who waits, plays, or rests
  // between two matches. Arrivals follow from it and from how long a session lasts.
  std::uint32_t players = 1000;
  std::optional<std::uint32_t> arrivals;        // Instead: players who come in the busiest hour.
  Duration warm_up = std::chrono::minutes{30};  // Before anything is counted.

  core::Rating skill_mean = 1500;
  std::uint32_t skill_deviation = 300;
  std::uint32_t rating_error = 80;    // The deviation of a shown rating from the true skill.
  std::uint32_t newcomers = 100'000;  // So many are shown with their queue's rating_default.
  std::uint32_t rating_k = 24;        // Points that a match can move; 0: ratings stay.
  std::vector<std::uint32_t> party_sizes{100};  // Weights of 1, 2, 3, ...
  std::uint32_t party_deviation = 150;          // Of the skills of a party's players.

  CountSpread matches{4, 10};  // In one session.
  Spread pause{std::chrono::seconds{20}, std::chrono::seconds{90}};
  Spread patience{std::chrono::minutes{5}, std::chrono::minutes{15}};
  std::uint32_t tries_again = 500'000;  // Of those who gave up or found none.
  Spread match{std::chrono::minutes{10}, std::chrono::minutes{15}};

  Spread boot{std::chrono::seconds{4}, std::chrono::seconds{8}};  // Launch to Ready.
  std::uint32_t launch_failures = 0;                              // Of launches.
  std::uint32_t crashes = 0;                                      // Of matches.
  std::optional<std::uint32_t> servers_max;                       // Instead of each fleet's.

  std::vector<Region> regions;
  std::vector<QueueHabits> queues;
  std::vector<AttributeHabits> attributes;
};

/// The configuration as it is simulated. Every game server is simulated alike, so SDK, ports and
/// files do not matter; and the lobby's limits of players are not what is asked about.
core::Config simulated_config(core::Config config, const Population& population);

/// Positions of the queues that players press Match Start for: those that no other queue leads to.
std::vector<core::QueueIndex> entrances(const core::Config& config);

}  // namespace muster::population
