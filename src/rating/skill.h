#pragma once
// What the rating systems share: who played, on which side, and how the match ended. All of them
// work on one scale, on which somebody new is around 1500.

#include <cstdint>
#include <vector>

namespace muster::rating {

struct Skill {
  double mean = 1500;
  double deviation = 0;   ///< How uncertain `mean` is. Elo has none.
  double volatility = 0;  ///< Glicko-2 alone: how much the skill itself is expected to move.
  bool operator==(const Skill&) const = default;
};

struct Entrant {
  Skill skill;       ///< Before the match; rate() leaves the one after it here.
  double share = 1;  ///< 0 to 1: how much of the match was played. 0: not rated.
};

/// A team, or one player of a free-for-all.
struct Side {
  std::uint32_t rank = 1;  ///< 1 is first. Equal ranks are a draw; numbers may be left out.
  std::vector<Entrant> players;
};

}  // namespace muster::rating
