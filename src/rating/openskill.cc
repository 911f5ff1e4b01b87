#include "rating/openskill.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace muster::rating {
namespace {

// The smallest part of a variance that one match leaves: the paper's kappa.
constexpr double variance_left_min = 0.0001;

struct Team {
  Side* side = nullptr;
  double mean = 0;
  double variance = 0;
  double tied = 0;  // Teams of its rank, itself counted: the paper's A.
  double sum = 0;   // Of exp(mean/c) over the teams that did not do better: the paper's C.
  double weight = 0;
};

double square(double x) { return x * x; }

}  // namespace

void rate(std::span<Side> sides, const OpenSkill& system) {
  std::vector<Team> teams;
  for (Side& side : sides) {
    Team team{.side = &side};
    bool played = false;
    for (Entrant& player : side.players) {
      if (player.share <= 0) continue;
      played = true;
      player.skill.deviation = std::hypot(player.skill.deviation, system.tau);
      team.mean += player.share * player.skill.mean;
      team.variance += square(player.share * player.skill.deviation);
    }
    if (played) teams.push_back(team);
  }
  if (teams.size() < 2) return;

  double c = 0;
  double mean_max = teams.front().mean;
  for (const Team& team : teams) {
    c += team.variance + square(system.beta);
    mean_max = std::max(mean_max, team.mean);
  }
  c = std::sqrt(c);
  // Only quotients of these are used, so that the largest may be 1: none of them overflows.
  for (Team& team : teams) team.weight = std::exp((team.mean - mean_max) / c);
  for (Team& team : teams)
    for (const Team& other : teams) {
      if (other.side->rank == team.side->rank) ++team.tied;
      if (other.side->rank >= team.side->rank) team.sum += other.weight;
    }

  for (const Team& team : teams) {
    double omega = 0;
    double delta = 0;
    for (const Team& other : teams) {
      if (other.side->rank > team.side->rank || other.sum <= 0) continue;
      const double p = team.weight / other.sum;
      omega += ((&other == &team ? 1 : 0) - p) / other.tied;
      delta += p * (1 - p) / other.tied;
    }
    const double gamma = std::sqrt(team.variance) / c;
    for (Entrant& player : team.side->players) {
      if (player.share <= 0) continue;
      const double variance = square(player.skill.deviation);
      player.skill.mean += player.share * variance / c * omega;
      const double taken = square(player.share) * variance / square(c) * gamma * delta;
      player.skill.deviation *= std::sqrt(std::max(1 - taken, variance_left_min));
    }
  }
}

}  // namespace muster::rating
