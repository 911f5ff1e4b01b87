#pragma once
// Elo.
//
// A. E. Elo: The Rating of Chessplayers, Past and Present (1978): after a game R' = R + K(S - E),
// where E = 1 / (1 + 10^((opponent - R) / 400)).
//
// Elo rates one against one. A side of several plays as its average, and what it wins or loses is
// each one's; with more than two sides each pair is a game, and the games of a match together move
// nobody by more than K.

#include <span>

#include "rating/skill.h"

namespace muster::rating {

struct Elo {
  double k = 32;  // The most that one match moves a rating by.
};

/// The part of a game's point that is expected, 0 to 1.
double expected_score(double mean, double opponent);

/// A match: at least two sides somebody of whom has played, or nothing changes.
void rate(std::span<Side> sides, const Elo& system);

}  // namespace muster::rating
