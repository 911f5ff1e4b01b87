#pragma once
// Ratings as they are stored: looked up, put in order, begun anew with a season.

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "store/database.h"

namespace muster::store {

template <class T>
using OrError = std::expected<T, std::string>;  ///< The error is for the operator.

/// One place of a leaderboard.
struct LeaderboardEntry {
  std::uint64_t place = 0;  // 1 is the first.
  std::string name;
  core::Rating rating = 0;
  std::uint32_t deviation = 0;
  core::Rating at_least = 0;  // What it goes by: the rating that is nearly certain.
  std::uint64_t matches = 0;  // This season.
};
struct Leaderboard {
  std::uint32_t season = 1;
  std::uint64_t players = 0;  // All of it.
  std::vector<LeaderboardEntry> entries;
};
OrError<Leaderboard> leaderboard(const Database& database, const std::string& queue,
                                 std::uint64_t offset, std::uint32_t limit);
/// Where one account stands in a queue; no entries if it has no rating there.
OrError<Leaderboard> place_of(const Database& database, const std::string& queue,
                              const std::string& name);

struct QueueRating {
  std::string queue;
  LeaderboardEntry entry;
};
/// All ratings of one account, by queue. Nothing if there is no such account.
OrError<std::optional<std::vector<QueueRating>>> ratings_of(const Database& database,
                                                            const std::string& name);

/// What an account brings along when it logs in.
OrError<std::vector<core::StoredRating>> stored_ratings(const Database& database,
                                                        std::int64_t account);
/// Those of these accounts that have a rating in the queue.
OrError<std::vector<core::AccountRating>> ratings_in(const Database& database,
                                                     const std::string& queue,
                                                     std::span<const std::int64_t> accounts);

/// A season of a queue ends: its ratings are kept as they are, and the next begin nearer to what
/// somebody new has.
struct SeasonEnd {
  std::string queue;
  core::Rating rating_default = 1500;
  core::RatingConfig rating;
  std::uint32_t keep = 500;  // Of the distance to that, in thousandths. 0: all begin as new.
};
struct SeasonEnded {
  std::uint32_t season = 0;  // The one that has ended.
  std::uint64_t players = 0;
};
OrError<SeasonEnded> end_season(const Database& database, const SeasonEnd& end);

}  // namespace muster::store
