#pragma once
// Glicko-2, with each match a rating period.
//
// M. E. Glickman: Example of the Glicko-2 system, http://www.glicko.net/glicko/glicko2.pdf.
//
// The paper rates one against one. A side of several is met as one opponent: its average, with the
// root mean square of its deviations; with more than two sides, each is a game of its own.

#include <span>

#include "rating/skill.h"

namespace muster::rating {

struct Glicko2 {
  static constexpr double initial_deviation = 350;
  static constexpr double initial_volatility = 0.06;
  double tau = 0.5;            // How fast the volatility may change: 0.3 to 1.2 says the paper.
  double deviation_max = 350;  // Of somebody of whom nothing is known.
};

struct Glicko2Game {
  double mean = 1500;
  double deviation = 350;
  double score = 0;  // 1 won, 0.5 drawn, 0 lost.
};

/// One player's rating period, as the paper has it. Without a game only the deviation grows.
Skill after_period(const Skill& skill, std::span<const Glicko2Game> games, const Glicko2& system);

/// A match: at least two sides somebody of whom has played, or nothing changes.
void rate(std::span<Side> sides, const Glicko2& system);

}  // namespace muster::rating
