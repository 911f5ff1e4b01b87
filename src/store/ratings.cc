#include "store/ratings.h"

#include <sqlite3.h>

#include <cmath>

namespace muster::store {
namespace {

core::Rating whole(double rating) { return static_cast<core::Rating>(std::lround(rating)); }

/// Of columns name, mean, deviation, at_least, matches, from `first` on.
LeaderboardEntry entry_of(const Statement& row, int first) {
  return {.name = std::string(row.text(first)),
          .rating = whole(row.real(first + 1)),
          .deviation = static_cast<std::uint32_t>(std::lround(row.real(first + 2))),
          .at_least = whole(row.real(first + 3)),
          .matches = static_cast<std::uint64_t>(row.number(first + 4))};
}

/// The season and how many there are; false on an error.
bool read_head(const Database& database, const std::string& queue, Leaderboard& out) {
  Statement head(database,
                 "SELECT (SELECT 1 + coalesce(max(number), 0) FROM seasons WHERE queue = ?1),"
                 " (SELECT count(*) FROM ratings WHERE queue = ?1)");
  if (!head) return false;
  head.bind(1, queue);
  if (head.step() != SQLITE_ROW) return false;
  out.season = static_cast<std::uint32_t>(head.number(0));
  out.players = static_cast<std::uint64_t>(head.number(1));
  return true;
}

// Equal ones share a place's order by account: who came first.
constexpr const char* place_sql =
    "SELECT 1 + count(*) FROM ratings WHERE queue = ?1 AND"
    " (at_least > ?2 OR (at_least = ?2 AND account < ?3))";

std::optional<std::uint64_t> place(const Database& database, std::string_view queue,
                                   double at_least, std::int64_t account) {
  Statement statement(database, place_sql);
  if (!statement) return std::nullopt;
  statement.bind(1, queue);
  statement.bind_real(2, at_least);
  statement.bind(3, account);
  if (statement.step() != SQLITE_ROW) return std::nullopt;
  return static_cast<std::uint64_t>(statement.number(0));
}

}  // namespace

OrError<Leaderboard> leaderboard(const Database& database, const std::string& queue,
                                 std::uint64_t offset, std::uint32_t limit) {
  Leaderboard out;
  if (!read_head(database, queue, out)) return std::unexpected(database.error());
  Statement rows(database,
                 "SELECT a.name, r.mean, r.deviation, r.at_least, r.matches"
                 " FROM ratings r JOIN accounts a ON a.id = r.account WHERE r.queue = ?"
                 " ORDER BY r.at_least DESC, r.account LIMIT ? OFFSET ?");
  if (!rows) return std::unexpected(database.error());
  rows.bind(1, queue);
  rows.bind(2, std::int64_t{limit});
  rows.bind(3, static_cast<std::int64_t>(offset));
  int step = rows.step();
  for (; step == SQLITE_ROW; step = rows.step()) {
    out.entries.push_back(entry_of(rows, 0));
    out.entries.back().place = ++offset;
  }
  if (step != SQLITE_DONE) return std::unexpected(database.error());
  return out;
}

OrError<Leaderboard> place_of(const Database& database, const std::string& queue,
                              const std::string& name) {
  Leaderboard out;
  if (!read_head(database, queue, out)) return std::unexpected(database.error());
  Statement row(database,
                "SELECT a.id, a.name, r.mean, r.deviation, r.at_least, r.matches"
                " FROM ratings r JOIN accounts a ON a.id = r.account"
                " WHERE r.queue = ? AND a.name = ?");
  if (!row) return std::unexpected(database.error());
  row.bind(1, queue);
  row.bind(2, name);
  const int found = row.step();
  if (found == SQLITE_DONE) return out;
  if (found != SQLITE_ROW) return std::unexpected(database.error());
  out.entries.push_back(entry_of(row, 1));
  const auto its = place(database, queue, row.real(4), row.number(0));
  if (!its) return std::unexpected(database.error());
  out.entries.back().place = *its;
  return out;
}

OrError<std::optional<std::vector<QueueRating>>> ratings_of(const Database& database,
                                                            const std::string& name) {
  Statement account(database, "SELECT id FROM accounts WHERE name = ?");
  if (!account) return std::unexpected(database.error());
  account.bind(1, name);
  const int found = account.step();
  if (found == SQLITE_DONE) return std::nullopt;
  if (found != SQLITE_ROW) return std::unexpected(database.error());
  const std::int64_t id = account.number(0);

  std::vector<QueueRating> out;
  Statement rows(database,
                 "SELECT r.queue, a.name, r.mean, r.deviation, r.at_least, r.matches"
                 " FROM ratings r JOIN accounts a ON a.id = r.account WHERE r.account = ?"
                 " ORDER BY r.queue");
  if (!rows) return std::unexpected(database.error());
  rows.bind(1, id);
  int step = rows.step();
  for (; step == SQLITE_ROW; step = rows.step()) {
    out.push_back({std::string(rows.text(0)), entry_of(rows, 1)});
    const auto its = place(database, rows.text(0), rows.real(4), id);
    if (!its) return std::unexpected(database.error());
    out.back().entry.place = *its;
  }
  if (step != SQLITE_DONE) return std::unexpected(database.error());
  return out;
}

OrError<std::vector<core::StoredRating>> stored_ratings(const Database& database,
                                                        std::int64_t account) {
  Statement rows(database,
                 "SELECT queue, mean, deviation FROM ratings WHERE account = ? ORDER BY queue");
  if (!rows) return std::unexpected(database.error());
  rows.bind(1, account);
  std::vector<core::StoredRating> out;
  int step = rows.step();
  for (; step == SQLITE_ROW; step = rows.step())
    out.push_back({std::string(rows.text(0)), whole(rows.real(1)),
                   static_cast<std::uint32_t>(std::lround(rows.real(2)))});
  if (step != SQLITE_DONE) return std::unexpected(database.error());
  return out;
}

OrError<std::vector<core::AccountRating>> ratings_in(const Database& database,
                                                     const std::string& queue,
                                                     std::span<const std::int64_t> accounts) {
  Statement row(database, "SELECT mean, deviation FROM ratings WHERE queue = ? AND account = ?");
  if (!row) return std::unexpected(database.error());
  std::vector<core::AccountRating> out;
  for (const std::int64_t account : accounts) {
    row.reset();
    row.bind(1, queue);
    row.bind(2, account);
    const int found = row.step();
    if (found == SQLITE_ROW)
      out.push_back(
          {account, whole(row.real(0)), static_cast<std::uint32_t>(std::lround(row.real(1))), 0});
    else if (found != SQLITE_DONE)
      return std::unexpected(database.error());
  }
  return out;
}

OrError<SeasonEnded> end_season(const Database& database, const SeasonEnd& end) {
  Transaction transaction(database);
  if (!transaction) return std::unexpected(database.error());
  SeasonEnded ended;
  {
    Leaderboard head;
    if (!read_head(database, end.queue, head)) return std::unexpected(database.error());
    ended = {head.season, head.players};
    Statement season(database, "INSERT INTO seasons VALUES (?, ?, unixepoch())");
    Statement history(database,
                      "INSERT INTO season_ratings SELECT queue, ?2, account, mean, deviation,"
                      " at_least, matches FROM ratings WHERE queue = ?1");
    Statement reset(database,
                    "UPDATE ratings SET mean = ?2 + (mean - ?2) * ?4,"
                    " deviation = ?3 + (deviation - ?3) * ?4,"
                    " volatility = iif(?4 = 0, ?6, volatility),"
                    " at_least = (?2 + (mean - ?2) * ?4) - ?5 * (?3 + (deviation - ?3) * ?4),"
                    " matches = 0 WHERE queue = ?1");
    if (!season || !history || !reset) return std::unexpected(database.error());
    season.bind(1, end.queue);
    season.bind(2, std::int64_t{head.season});
    history.bind(1, end.queue);
    history.bind(2, std::int64_t{head.season});
    reset.bind(1, end.queue);
    reset.bind_real(2, end.rating_default);
    reset.bind_real(3, end.rating.deviation);
    reset.bind_real(4, end.keep / 1000.0);
    reset.bind_real(5, core::caution(end.rating.system));
    reset.bind_real(6, end.rating.volatility / 1e6);
    for (Statement* statement : {&season, &history, &reset})
      if (statement->step() != SQLITE_DONE) return std::unexpected(database.error());
  }
  if (!transaction.commit()) return std::unexpected(database.error());
  return ended;
}

}  // namespace muster::store
