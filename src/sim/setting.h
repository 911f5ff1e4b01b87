#pragma once
// What is drawn before a run begins: the lobby's configuration, who plays, what goes wrong.

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "sim/faults.h"

namespace muster::sim {

struct CrowdSetting {
  std::uint32_t people = 0;
  std::uint32_t classic_ppm = 0;     // Of the people.
  Duration think{};                  // Mean time between two acts of one person.
  std::vector<bool> seats_vary;      // By queue: tickets of several seats.
  std::uint32_t attributes_ppm = 0;  // Of the tickets.
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

/// Some lines for people.
std::string to_text(const Setting& setting);

}  // namespace muster::sim
