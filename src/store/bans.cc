#include "store/bans.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <utility>

namespace muster::store {
namespace {

constexpr std::string_view columns_of_bans =
    "SELECT b.account, a.name, b.reason, b.banned_at, b.until"
    " FROM bans b JOIN accounts a ON a.id = b.account";
constexpr std::string_view that_hold = "(b.until IS NULL OR b.until > unixepoch())";

Ban ban_in(const Statement& row) {
  Ban ban{row.number(0), std::string(row.text(1)), std::string(row.text(2)), row.number(3), {}};
  if (!row.is_null(4)) ban.until = row.number(4);
  return ban;
}

}  // namespace

std::string to_text(const Ban& ban) {
  const std::string until =
      ban.until ? fmt::format("until {:%Y-%m-%d %H:%M} UTC", fmt::gmtime(*ban.until)) : "for good";
  return ban.reason.empty() ? until : ban.reason + "; " + until;
}

OrError<std::optional<Ban>> ban(const Database& database, const std::string& name,
                                const std::string& reason,
                                std::optional<std::chrono::seconds> for_) {
  std::int64_t account = 0;
  {
    Statement find(database, "SELECT id FROM accounts WHERE name = ?");
    if (!find) return std::unexpected(database.error());
    find.bind(1, name);
    const int found = find.step();
    if (found == SQLITE_DONE) return std::nullopt;
    if (found != SQLITE_ROW) return std::unexpected(database.error());
    account = find.number(0);
  }
  {
    Statement insert(database,
                     "INSERT INTO bans VALUES (?1, ?2, unixepoch(), unixepoch() + ?3)"
                     " ON CONFLICT (account) DO UPDATE SET reason = ?2, banned_at = unixepoch(),"
                     " until = unixepoch() + ?3");
    if (!insert) return std::unexpected(database.error());
    insert.bind(1, account);
    insert.bind(2, reason);
    if (for_) insert.bind(3, std::int64_t{for_->count()});
    if (insert.step() != SQLITE_DONE) return std::unexpected(database.error());
  }
  return ban_of(database, account);
}

OrError<bool> unban(const Database& database, const std::string& name) {
  Statement remove(database,
                   "DELETE FROM bans AS b WHERE account = (SELECT id FROM accounts WHERE name = ?)"
                   " AND (b.until IS NULL OR b.until > unixepoch())");
  if (!remove) return std::unexpected(database.error());
  remove.bind(1, name);
  if (remove.step() != SQLITE_DONE) return std::unexpected(database.error());
  return sqlite3_changes(database.handle()) > 0;
}

OrError<std::vector<Ban>> bans(const Database& database, std::uint32_t limit) {
  Statement rows(database, fmt::format("{} WHERE {} ORDER BY b.banned_at DESC, b.account LIMIT ?",
                                       columns_of_bans, that_hold));
  if (!rows) return std::unexpected(database.error());
  rows.bind(1, std::int64_t{limit});
  std::vector<Ban> out;
  int step = rows.step();
  for (; step == SQLITE_ROW; step = rows.step()) out.push_back(ban_in(rows));
  if (step != SQLITE_DONE) return std::unexpected(database.error());
  return out;
}

OrError<std::vector<std::int64_t>> banned_among(const Database& database,
                                                std::span<const std::int64_t> accounts) {
  Statement row(database,
                "SELECT 1 FROM bans WHERE account = ?"
                " AND (until IS NULL OR until > unixepoch())");
  if (!row) return std::unexpected(database.error());
  std::vector<std::int64_t> out;
  for (const std::int64_t account : accounts) {
    row.reset();
    row.bind(1, account);
    const int found = row.step();
    if (found == SQLITE_ROW)
      out.push_back(account);
    else if (found != SQLITE_DONE)
      return std::unexpected(database.error());
  }
  return out;
}

OrError<std::optional<Ban>> ban_of(const Database& database, std::int64_t account) {
  Statement row(database, fmt::format("{} WHERE b.account = ? AND {}", columns_of_bans, that_hold));
  if (!row) return std::unexpected(database.error());
  row.bind(1, account);
  const int found = row.step();
  if (found == SQLITE_ROW) return ban_in(row);
  if (found == SQLITE_DONE) return std::nullopt;
  return std::unexpected(database.error());
}

}  // namespace muster::store
