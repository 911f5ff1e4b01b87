#include "rating/glicko2.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

namespace muster::rating {
namespace {

constexpr double scale = 173.7178;  // Points of a rating for one of the system's own units.
constexpr double pi = 3.14159265358979323846;
// Beyond it nothing can be told from a certain win; what is divided by p(1-p) stays finite.
constexpr double exponent_max = 20;

double square(double x) { return x * x; }
double g(double phi) { return 1 / std::sqrt(1 + 3 * square(phi) / square(pi)); }

/// Step 5 of the paper: the volatility that explains best what was expected and what came, by the
/// Illinois algorithm.
double new_volatility(double sigma, double phi, double v, double delta, double tau) {
  constexpr double tolerance = 0.000001;
  const double a = std::log(square(sigma));
  const auto f = [&](double x) {
    const double e = std::exp(x);
    return e * (square(delta) - square(phi) - v - e) / (2 * square(square(phi) + v + e)) -
           (x - a) / square(tau);
  };
  double low = a;
  double high = 0;
  if (square(delta) > square(phi) + v) {
    high = std::log(square(delta) - square(phi) - v);
  } else {
    int k = 1;
    while (f(a - k * tau) < 0 && k < 1000) ++k;
    high = a - k * tau;
  }
  double f_low = f(low);
  double f_high = f(high);
  for (int step = 0; step < 100 && std::abs(high - low) > tolerance; ++step) {
    if (f_high == f_low) break;
    const double next = low + (low - high) * f_low / (f_high - f_low);
    const double f_next = f(next);
    if (f_next * f_high <= 0) {
      low = high;
      f_low = f_high;
    } else {
      f_low /= 2;
    }
    high = next;
    f_high = f_next;
  }
  return std::exp(low / 2);
}

std::optional<Glicko2Game> as_opponent(const Side& side) {
  Glicko2Game game{0, 0, 0};
  double players = 0;
  for (const Entrant& player : side.players) {
    if (player.share <= 0) continue;
    ++players;
    game.mean += player.skill.mean;
    game.deviation += square(player.skill.deviation);
  }
  if (players == 0) return std::nullopt;
  game.mean /= players;
  game.deviation = std::sqrt(game.deviation / players);
  return game;
}

}  // namespace

Skill after_period(const Skill& skill, std::span<const Glicko2Game> games, const Glicko2& system) {
  const double phi = skill.deviation / scale;
  const auto with_deviation = [&](Skill after, double deviation) {
    after.deviation = std::min(deviation * scale, std::max(system.deviation_max, skill.deviation));
    return after;
  };
  if (games.empty()) return with_deviation(skill, std::hypot(phi, skill.volatility));

  double precision = 0;  // The paper's 1/v.
  double surprise = 0;
  for (const Glicko2Game& game : games) {
    const double weight = g(game.deviation / scale);
    const double ahead = weight * (skill.mean - game.mean) / scale;
    const double expected = 1 / (1 + std::exp(-std::clamp(ahead, -exponent_max, exponent_max)));
    precision += square(weight) * expected * (1 - expected);
    surprise += weight * (game.score - expected);
  }
  const double v = 1 / precision;
  Skill after = skill;
  after.volatility = new_volatility(skill.volatility, phi, v, v * surprise, system.tau);
  const double phi_star = std::hypot(phi, after.volatility);
  const double phi_after = 1 / std::sqrt(1 / square(phi_star) + precision);
  after.mean = skill.mean + scale * square(phi_after) * surprise;
  return with_deviation(after, phi_after);
}

void rate(std::span<Side> sides, const Glicko2& system) {
  // Everybody meets the others as they were before the match.
  std::vector<std::optional<Glicko2Game>> opponents;
  for (const Side& side : sides) opponents.push_back(as_opponent(side));
  for (std::size_t i = 0; i < sides.size(); ++i) {
    std::vector<Glicko2Game> games;
    for (std::size_t k = 0; k < sides.size(); ++k) {
      if (k == i || !opponents[k]) continue;
      games.push_back(*opponents[k]);
      games.back().score = sides[i].rank < sides[k].rank    ? 1
                           : sides[i].rank == sides[k].rank ? 0.5
                                                            : 0;
    }
    if (games.empty()) continue;
    for (Entrant& player : sides[i].players) {
      if (player.share <= 0) continue;
      const Skill before = player.skill;
      const Skill after = after_period(before, games, system);
      player.skill = {std::lerp(before.mean, after.mean, player.share),
                      std::lerp(before.deviation, after.deviation, player.share),
                      std::lerp(before.volatility, after.volatility, player.share)};
    }
  }
}

}  // namespace muster::rating
