#pragma once
// OpenSkill: the Bayesian approximation of Weng and Lin for the Plackett-Luce model, for any number
// of teams of any size, with ties.
//
// R. C. Weng, C.-J. Lin: A Bayesian Approximation Method for Online Ranking. Journal of Machine
// Learning Research 12 (2011), 267-300; algorithm 4, with gamma = sigma/c. A team's performance is
// the sum of its players', each by the share of the match they played: that weight goes through the
// derivation as a factor of a player's gradient.

#include <span>

#include "rating/skill.h"

namespace muster::rating {

/// The paper's values (mean 25, deviation 25/3, beta 25/6) times 60: the formulas know no unit.
struct OpenSkill {
  static constexpr double initial_deviation = 500;
  double beta = 250;  // How much one player's performance varies from match to match. Over 0.
  double tau = 5;     // Uncertainty that each match adds, so that ratings never stand still.
};

/// A match: at least two sides somebody of whom has played, or nothing changes.
void rate(std::span<Side> sides, const OpenSkill& system);

}  // namespace muster::rating
