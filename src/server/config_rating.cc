#include "server/config_rating.h"

#include <fmt/format.h>

#include <string_view>

namespace muster::server {
namespace {

using core::RatingSystem;

/// A key, and which systems have it.
struct Key {
  std::string_view name;
  bool openskill, glicko2, elo;

  bool is_of(RatingSystem system) const {
    return system == RatingSystem::openskill ? openskill
           : system == RatingSystem::glicko2 ? glicko2
           : system == RatingSystem::elo     ? elo
                                             : false;
  }
};
constexpr Key keys[] = {
    {"rating_uses", true, true, true},   {"rating_deviation", true, true, false},
    {"rating_beta", true, false, false}, {"rating_tau", true, true, false},
    {"rating_k", false, false, true},    {"rating_volatility", false, true, false},
};

}  // namespace

void check_rating(core::QueueConfig& queue, const ConfigLines& lines, ConfigProblems& problems) {
  core::RatingConfig& rating = queue.rating;
  const bool none = rating.system == RatingSystem::none;
  for (const Key& key : keys) {
    if (!lines.has(key.name) || key.is_of(rating.system)) continue;
    problems.error(lines.of(key.name), fmt::format("queue.{}", key.name),
                   none ? "the queue has no `rating`, so it says nothing; leave it out"
                        : fmt::format("is no key of {}; leave it out", to_string(rating.system)));
  }
  if (none) return;
  if (rating.system == RatingSystem::elo && rating.use == core::RatingUse::conservative)
    problems.error(lines.of("rating_uses"), "queue.rating_uses",
                   "Elo does not know how certain a rating is: \"mean\", or another `rating`");
  if (queue.players == 1)
    problems.error(lines.of("rating"), "queue.rating",
                   "a match has one player, and nobody to beat");
  const bool openskill = rating.system == RatingSystem::openskill;
  if (rating.system != RatingSystem::elo && !lines.has("rating_deviation"))
    rating.deviation = openskill ? 500 : 350;
  if (rating.system != RatingSystem::elo && !lines.has("rating_tau"))
    rating.tau = openskill ? 5'000 : 500;
  if (rating.system == RatingSystem::glicko2 && rating.tau < 100)
    problems.error(lines.of("rating_tau"), "queue.rating_tau",
                   "is less than 0.1; Glicko-2 needs 0.3 to 1.2");
}

}  // namespace muster::server
