#include "rating/elo.h"

#include <cmath>
#include <vector>

namespace muster::rating {
namespace {

struct Average {
  Side* side = nullptr;
  double mean = 0;
};

}  // namespace

double expected_score(double mean, double opponent) {
  return 1 / (1 + std::pow(10, (opponent - mean) / 400));
}

void rate(std::span<Side> sides, const Elo& system) {
  std::vector<Average> averages;
  for (Side& side : sides) {
    Average average{&side, 0};
    double players = 0;
    for (const Entrant& player : side.players) {
      if (player.share <= 0) continue;
      ++players;
      average.mean += player.skill.mean;
    }
    if (players == 0) continue;
    average.mean /= players;
    averages.push_back(average);
  }
  if (averages.size() < 2) return;
  const auto games = static_cast<double>(averages.size() - 1);
  for (const Average& own : averages) {
    double won = 0;
    for (const Average& other : averages) {
      if (&other == &own) continue;
      const double score = own.side->rank < other.side->rank    ? 1
                           : own.side->rank == other.side->rank ? 0.5
                                                                : 0;
      won += score - expected_score(own.mean, other.mean);
    }
    for (Entrant& player : own.side->players)
      if (player.share > 0) player.skill.mean += system.k * player.share * won / games;
  }
}

}  // namespace muster::rating
