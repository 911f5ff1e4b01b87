#pragma once
// What is drawn before a run begins: the lobby's configuration, who plays, what goes wrong.

#include <cstdint>
#include <set>
#include <string>

#include "core/config.h"
#include "sim/faults.h"

namespace muster::sim {

struct CrowdSetting {
  std::uint32_t people = 0;
  std::uint32_t classic_ppm = 0;     // Of the people.
  Duration think{};                  // Mean time between two acts of one person.
  core::Rating skill_max = 0;        // Ratings are 0 to this.
  std::set<std::string> seats_vary;  // Queues with tickets of several seats.
  std::uint32_t attributes_ppm = 0;  // Of the tickets.
  std::uint32_t parties_ppm = 0;     // Of the acts of who has nothing to do.
};

struct MachineSetting {
  Duration message_delay_max{};  // Lobby to node and back.
  Duration ready_max{};          // Launch to Ready, without faults.
  Duration match_min{};
  Duration match_max{};
};

struct Setting {
  core::Config config;
  CrowdSetting crowd;
  MachineSetting machine;
  Faults faults;
};

/// Fits Config's ranges whatever the seed.
Setting draw_setting(std::uint64_t seed);

/// What an operator might make of a configuration: other commands, numbers and ports; fleets and
/// queues that come and go. At least one of each remains.
core::Config draw_reload(const core::Config& now, Prng& prng);

/// Some lines for people.
std::string to_text(const Setting& setting);

}  // namespace muster::sim
