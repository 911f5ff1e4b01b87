#pragma once
// Accounts that may not come in.

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/ratings.h"

namespace muster::store {

struct Ban {
  std::int64_t account = 0;
  std::string name;
  std::string reason;                 // May be empty.
  std::int64_t since = 0;             // Seconds since the Unix epoch, as is `until`.
  std::optional<std::int64_t> until;  // Nothing: for good.
};

/// "cheating; until 2026-12-02 05:00 UTC": for the one who is banned.
std::string to_text(const Ban& ban);

/// Bans an account, or changes its ban. Nothing if there is no account of that name.
OrError<std::optional<Ban>> ban(const Database& database, const std::string& name,
                                const std::string& reason,
                                std::optional<std::chrono::seconds> for_);
/// False if nobody of that name was banned.
OrError<bool> unban(const Database& database, const std::string& name);
/// Those that hold now, the newest first.
OrError<std::vector<Ban>> bans(const Database& database, std::uint32_t limit);
/// Those of these accounts that are.
OrError<std::vector<std::int64_t>> banned_among(const Database& database,
                                                std::span<const std::int64_t> accounts);
/// The one that holds now for an account.
OrError<std::optional<Ban>> ban_of(const Database& database, std::int64_t account);

}  // namespace muster::store
