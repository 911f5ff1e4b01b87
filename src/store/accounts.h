#pragma once
// Accounts of players who log in with a name and a password, and what is kept of them: ratings, the
// results they come from, bans. In one SQLite file; passwords only as argon2id hashes.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/effect.h"
#include "core/event.h"
#include "store/bans.h"
#include "store/ratings.h"

namespace muster::store {

struct AccountsOptions {
  // The price of one guess, for us and for a thief: 19 MiB and two passes take about 11 ms.
  std::uint64_t hash_memory_bytes = 19u << 20;  // 8 KiB to 1 GiB.
  std::uint64_t hash_passes = 2;                // 1 to 100.
  std::uint32_t requests_max = 256;             // Waiting; at 11 ms each, nearly 3 s of them.
  std::chrono::milliseconds lock_wait{1000};    // For another program that holds the file.
  std::chrono::milliseconds retry_wait{1000};   // Until results that failed are tried again.
};

enum class AccountOutcome : std::uint8_t {
  ok,
  name_unknown,   ///< Login: for the caller, who must not let the player tell it from a refusal.
  login_refused,  ///< Wrong password; sign-up: a password not of 1 to 128 bytes.
  name_taken,
  name_invalid,         ///< Sign-up: core::name_valid() says no.
  banned,               ///< Login, with the right password.
  storage_unavailable,  ///< Nothing was changed; worth another try later.
};

struct AccountResult {
  AccountOutcome outcome = AccountOutcome::storage_unavailable;
  std::int64_t account = 0;  // ok: its id, 1 or more, never given to another.
  std::string detail;        // storage_unavailable: why, for the log. banned: why, for the player.
  std::vector<core::StoredRating> ratings;  // ok.
};

/// What is told without having been asked for each time; through post_to_loop.
struct AccountsNews {
  /// Results that are on the disk now, in the order in which they were handed in.
  std::function<void(std::vector<core::ResultRecorded>)> recorded;
  /// Results cannot be recorded: why, for the operator; they are tried again. Empty: they can.
  std::function<void(std::string)> trouble;
};

/// Hashing and the database have one thread of their own, so they never hold up the caller. Results
/// come first, as many as wait in one commit; then what is asked; then logins, one after the other.
class Accounts {
 public:
  using Done = std::function<void(AccountResult)>;
  /// Runs a function on the caller's own loop, later. Called from the caller's thread and from the
  /// worker's, until the destructor returns.
  using PostToLoop = std::function<void(std::function<void()>)>;

  static constexpr std::size_t password_bytes_max = 128;

  /// Opens or creates the file; blocks while it does. An error is for the operator.
  static std::expected<std::unique_ptr<Accounts>, std::string> open(const std::string& path,
                                                                    PostToLoop post_to_loop,
                                                                    AccountsOptions options = {},
                                                                    AccountsNews news = {});
  /// Waits for the request in hand, and records the results that wait, if that can be done at once;
  /// all others get storage_unavailable.
  ~Accounts();
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  /// Both return at once. `done` comes exactly once, through post_to_loop. A new account is on the
  /// disk before its `done`. Names are compared as bytes: "Ann" is not "ann". An unknown name takes
  /// as long as a wrong password. Over requests_max: storage_unavailable. Any thread may call them.
  void sign_up(std::string name, std::string password, Done done);
  void log_in(std::string name, std::string password, Done done);

  /// Takes a result to be recorded; AccountsNews::recorded tells when it is. The caller keeps it
  /// until then, and bounds how many there are.
  void record(core::RecordResult result);

  template <class T>
  using Answer = std::function<void(OrError<T>)>;
  /// These return at once, and answer as sign_up does: what changes something is on the disk by
  /// then. Over requests_max the answer is an error.
  void read_leaderboard(std::string queue, std::uint64_t offset, std::uint32_t limit,
                        Answer<Leaderboard> answer);
  void read_place(std::string queue, std::string name, Answer<Leaderboard> answer);
  void read_ratings(std::string name, Answer<std::optional<std::vector<QueueRating>>> answer);
  void read_ratings_in(std::string queue, std::vector<std::int64_t> accounts,
                       Answer<std::vector<core::AccountRating>> answer);
  void end_season(SeasonEnd end, Answer<SeasonEnded> answer);
  void ban(std::string name, std::string reason, std::optional<std::chrono::seconds> for_,
           Answer<std::optional<Ban>> answer);
  void unban(std::string name, Answer<bool> answer);
  void read_bans(std::uint32_t limit, Answer<std::vector<Ban>> answer);
  void read_banned(std::vector<std::int64_t> among, Answer<std::vector<std::int64_t>> answer);

 private:
  class Worker;
  explicit Accounts(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace muster::store
