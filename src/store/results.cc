#include "store/results.h"

#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "rating/elo.h"
#include "rating/glicko2.h"
#include "rating/openskill.h"

namespace muster::store {
namespace {

using core::MatchResult;
using core::RatingSystem;
using core::ResultPlayer;
using rating::Side;
using rating::Skill;

constexpr double deviation_max = 1'000'000;

core::Rating whole(double rating) {
  return static_cast<core::Rating>(
      std::lround(std::clamp<double>(rating, -core::rating_max, core::rating_max)));
}

/// Whom it is rated between: positions in its players.
std::vector<std::vector<std::size_t>> sides_of(const MatchResult& result) {
  std::vector<std::vector<std::size_t>> sides;
  const bool teams = core::has_teams(result.players);
  for (std::size_t i = 0; i < result.players.size(); ++i) {
    const auto own = std::ranges::find_if(sides, [&](const auto& side) {
      return teams && result.players[side.front()].team == result.players[i].team;
    });
    if (own != sides.end())
      own->push_back(i);
    else
      sides.push_back({i});
  }
  return sides;
}

bool is_rated(const MatchResult& result) {
  std::set<std::int64_t> accounts;
  for (const ResultPlayer& player : result.players)
    if (player.account == 0 || !accounts.insert(player.account).second) return false;
  return result.rating.system != RatingSystem::none && sides_of(result).size() > 1;
}

/// `skills` are of its players, before; they are left as they are after.
void rate(const MatchResult& result, std::vector<Skill>& skills) {
  const auto positions = sides_of(result);
  std::vector<Side> sides;
  for (const auto& side : positions) {
    Side& to = sides.emplace_back();
    to.rank = result.players[side.front()].rank;
    for (const std::size_t i : side)
      to.players.push_back(
          {skills[i], static_cast<double>(result.players[i].played) / core::Standing::whole});
  }
  const core::RatingConfig& config = result.rating;
  const double tau = config.tau / 1000.0;
  switch (config.system) {
    case RatingSystem::openskill:
      rating::rate(sides, rating::OpenSkill{static_cast<double>(config.beta), tau});
      break;
    case RatingSystem::glicko2:
      rating::rate(sides, rating::Glicko2{tau, static_cast<double>(config.deviation)});
      break;
    case RatingSystem::elo:
      rating::rate(sides, rating::Elo{static_cast<double>(config.k)});
      break;
    case RatingSystem::none:
      break;
  }
  for (std::size_t s = 0; s < positions.size(); ++s)
    for (std::size_t k = 0; k < positions[s].size(); ++k) {
      Skill after = sides[s].players[k].skill;
      after.mean = std::clamp<double>(after.mean, -core::rating_max, core::rating_max);
      after.deviation = std::clamp<double>(after.deviation, 0, deviation_max);
      skills[positions[s][k]] = after;
    }
}

/// The statements of one transaction, prepared once.
class Recording {
 public:
  explicit Recording(const Database& database)
      : database_(database),
        find_(database, "SELECT id FROM results WHERE match = ? AND started_ms = ?"),
        insert_(database,
                "INSERT INTO results (match, started_ms, ended_ms, queue, season, system, rated)"
                " SELECT ?1, ?2, ?3, ?4,"
                " (SELECT 1 + coalesce(max(number), 0) FROM seasons WHERE queue = ?4), ?5, ?6"),
        insert_player_(database,
                       "INSERT INTO result_players VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        read_(database,
              "SELECT mean, deviation, volatility FROM ratings WHERE queue = ? AND account = ?"),
        write_(database,
               "INSERT INTO ratings VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1)"
               " ON CONFLICT (queue, account) DO UPDATE SET mean = ?3, deviation = ?4,"
               " volatility = ?5, at_least = ?6, matches = matches + 1") {}

  explicit operator bool() const { return find_ && insert_ && insert_player_ && read_ && write_; }

  /// Nothing on an error of the database.
  std::optional<std::vector<core::AccountRating>> record(const MatchResult& result) {
    const std::string match = to_string(result.match);
    const auto started = static_cast<std::int64_t>(to_unix_milliseconds(result.started));
    find_.reset();
    find_.bind(1, match);
    find_.bind(2, started);
    const int found = find_.step();
    if (found == SQLITE_ROW) return ratings_now(result);
    if (found != SQLITE_DONE) return std::nullopt;

    const bool rated = is_rated(result);
    insert_.reset();
    insert_.bind(1, match);
    insert_.bind(2, started);
    insert_.bind(3, static_cast<std::int64_t>(to_unix_milliseconds(result.ended)));
    insert_.bind(4, result.queue);
    insert_.bind(5, to_string(result.rating.system));
    insert_.bind(6, std::int64_t{rated});
    if (insert_.step() != SQLITE_DONE) return std::nullopt;
    const std::int64_t id = sqlite3_last_insert_rowid(database_.handle());

    std::vector<Skill> before, after;
    if (rated) {
      for (const ResultPlayer& player : result.players) {
        const auto skill = read(result, player.account);
        if (!skill) return std::nullopt;
        before.push_back(*skill);
      }
      after = before;
      rate(result, after);
    }
    std::vector<core::AccountRating> ratings;
    for (std::size_t i = 0; i < result.players.size(); ++i) {
      const Skill* const from = rated ? &before[i] : nullptr;
      const Skill* const to = rated ? &after[i] : nullptr;
      if (!write_player(id, i, result.players[i], from, to)) return std::nullopt;
      if (!rated) continue;
      if (!write(result, result.players[i].account, *to)) return std::nullopt;
      ratings.push_back({result.players[i].account, whole(to->mean),
                         static_cast<std::uint32_t>(std::lround(to->deviation)),
                         whole(to->mean) - whole(from->mean)});
    }
    return ratings;
  }

 private:
  /// Of somebody new: as the queue says.
  std::optional<Skill> read(const MatchResult& result, std::int64_t account) {
    read_.reset();
    read_.bind(1, result.queue);
    read_.bind(2, account);
    const int found = read_.step();
    if (found == SQLITE_ROW) return Skill{read_.real(0), read_.real(1), read_.real(2)};
    if (found != SQLITE_DONE) return std::nullopt;
    return Skill{static_cast<double>(result.rating_default),
                 static_cast<double>(result.rating.deviation), result.rating.volatility / 1e6};
  }

  bool write(const MatchResult& result, std::int64_t account, const Skill& skill) {
    write_.reset();
    write_.bind(1, result.queue);
    write_.bind(2, account);
    write_.bind_real(3, skill.mean);
    write_.bind_real(4, skill.deviation);
    write_.bind_real(5, skill.volatility);
    write_.bind_real(6, skill.mean - core::caution(result.rating.system) * skill.deviation);
    return write_.step() == SQLITE_DONE;
  }

  bool write_player(std::int64_t result, std::size_t position, const ResultPlayer& player,
                    const Skill* before, const Skill* after) {
    Statement& s = insert_player_;
    s.reset();
    s.bind(1, result);
    s.bind(2, static_cast<std::int64_t>(position));
    if (player.account != 0) s.bind(3, player.account);
    s.bind(4, player.name);
    s.bind(5, std::int64_t{player.team});
    s.bind(6, std::int64_t{player.rank});
    if (player.score) s.bind(7, *player.score);
    s.bind(8, std::int64_t{player.played});
    if (before && after) {
      s.bind_real(9, before->mean);
      s.bind_real(10, after->mean);
      s.bind_real(11, after->deviation);
    }
    return s.step() == SQLITE_DONE;
  }

  std::optional<std::vector<core::AccountRating>> ratings_now(const MatchResult& result) {
    std::vector<core::AccountRating> ratings;
    if (!is_rated(result)) return ratings;
    for (const ResultPlayer& player : result.players) {
      const auto skill = read(result, player.account);
      if (!skill) return std::nullopt;
      ratings.push_back({player.account, whole(skill->mean),
                         static_cast<std::uint32_t>(std::lround(skill->deviation)), 0});
    }
    return ratings;
  }

  const Database& database_;
  Statement find_, insert_, insert_player_, read_, write_;
};

}  // namespace

std::expected<std::vector<core::ResultRecorded>, std::string> record_results(
    const Database& database, std::span<const core::RecordResult> results) {
  Transaction transaction(database);
  if (!transaction) return std::unexpected(database.error());
  std::vector<core::ResultRecorded> recorded;
  {
    Recording recording(database);
    if (!recording) return std::unexpected(database.error());
    for (const core::RecordResult& one : results) {
      auto ratings = recording.record(*one.result);
      if (!ratings) return std::unexpected(database.error());
      recorded.push_back({one.number, *std::move(ratings)});
    }
  }
  if (!transaction.commit()) return std::unexpected(database.error());
  return recorded;
}

}  // namespace muster::store
