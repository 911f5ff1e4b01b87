#pragma once
// What a match came to, as its game server says, and what becomes of it: a result to be recorded,
// from which somebody else computes ratings. Ratings themselves are whole numbers here.

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/ids.h"
#include "core/types.h"

namespace muster::core {

/// How one player, or one team, came out of a match.
struct Standing {
  static constexpr std::uint32_t rank_max = 1000;
  static constexpr std::uint32_t whole = 1000;

  PlayerId player;         // None: all of the team, but for those who have a standing of their own.
  std::uint32_t team = 0;  // Without a player.
  std::uint32_t rank = 0;  // 1 to rank_max; 1 is first, equal ones are a draw.
  std::optional<std::int64_t> score;  // The game's own; kept, not looked at.
  std::uint32_t played = whole;       // 0 to whole: how much of the match, in thousandths.
  bool operator==(const Standing&) const = default;
};
/// One of a match may have so many.
constexpr std::size_t standings_max = 512;

enum class RatingSystem : std::uint8_t { none, openskill, glicko2, elo };
std::string_view to_string(RatingSystem system);  // As it is written in the file.

/// What rules compare of a rating that is known so well.
enum class RatingUse : std::uint8_t { mean, conservative };

/// How results change ratings in a queue. Whole numbers: the core computes none of it.
struct RatingConfig {
  RatingSystem system = RatingSystem::none;
  RatingUse use = RatingUse::mean;
  std::uint32_t deviation = 0;        // 1 to 100000, of somebody new. elo: 0.
  std::uint32_t beta = 250;           // openskill: 1 to 100000.
  std::uint32_t tau = 0;              // In thousandths. openskill, glicko2.
  std::uint32_t k = 32;               // elo: 1 to 1000.
  std::uint32_t volatility = 60'000;  // glicko2: in millionths, of somebody new.
  bool operator==(const RatingConfig&) const = default;
};

/// How many deviations below its mean a rating nearly certainly is not.
std::uint32_t caution(RatingSystem system);
/// What rules compare.
Rating usable(const RatingConfig& config, Rating mean, std::uint32_t deviation);

/// One of a recorded match. Who they are is their account, if they have one.
struct ResultPlayer {
  std::string name;
  std::int64_t account = 0;  // 0: a guest.
  std::uint32_t team = 0;
  std::uint32_t rank = 0;
  std::optional<std::int64_t> score;
  std::uint32_t played = Standing::whole;
  bool operator==(const ResultPlayer&) const = default;
};

/// What is recorded of a match. `match` and `started` together are unique for good.
struct MatchResult {
  MatchId match;
  Time started{};
  Time ended{};
  std::string queue;
  Rating rating_default = 0;  // Of somebody new.
  RatingConfig rating;
  std::vector<ResultPlayer> players;
  bool operator==(const MatchResult&) const = default;
};

/// Whom a match is rated between: its teams; in a match of one team, everybody for themselves.
bool has_teams(const std::vector<ResultPlayer>& players);

/// Everybody of the roster with what the standings say of them. The error says what is wrong with
/// them, for people: then none of them counts.
std::expected<std::vector<ResultPlayer>, std::string> judge(const Roster& roster,
                                                            const std::vector<Standing>& standings);

/// A rating as it is stored, of the player who logs in.
struct StoredRating {
  std::string queue;
  Rating mean = 0;
  std::uint32_t deviation = 0;
  bool operator==(const StoredRating&) const = default;
};
/// The same of an account, after something has changed it.
struct AccountRating {
  std::int64_t account = 0;
  Rating mean = 0;
  std::uint32_t deviation = 0;
  std::int32_t change = 0;  // Of the mean, by the result. 0 if it was none.
  bool operator==(const AccountRating&) const = default;
};

}  // namespace muster::core
