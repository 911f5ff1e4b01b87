#pragma once
// Accounts of players who log in with a name and a password (the classic dialect's LOGIN and
// SIGNUP). Kept in one SQLite file; passwords only as argon2id hashes.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace muster::store {

struct AccountsOptions {
  // The price of one guess, for us and for a thief: 19 MiB and two passes take about 11 ms.
  std::uint64_t hash_memory_bytes = 19u << 20;  // 8 KiB to 1 GiB.
  std::uint64_t hash_passes = 2;                // 1 to 100.
  std::uint32_t requests_max = 256;             // Waiting; at 11 ms each, nearly 3 s of them.
  std::chrono::milliseconds lock_wait{1000};    // For another program that holds the file.
};

enum class AccountOutcome : std::uint8_t {
  ok,
  name_unknown,   ///< Login: for the caller, who must not let the player tell it from a refusal.
  login_refused,  ///< Wrong password; sign-up: a password not of 1 to 128 bytes.
  name_taken,
  name_invalid,         ///< Sign-up: core::name_valid() says no.
  storage_unavailable,  ///< Nothing was changed; worth another try later.
};

struct AccountResult {
  AccountOutcome outcome = AccountOutcome::storage_unavailable;
  std::int64_t account = 0;  // ok: its id, 1 or more, never given to another.
  std::string detail;        // storage_unavailable: why, for the log and not for the player.
};

/// Hashing and the database have one thread of their own, so logins are done one after the other
/// and never hold up the caller.
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
                                                                    AccountsOptions options = {});
  /// Waits for the request in hand; those behind it get storage_unavailable.
  ~Accounts();
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  /// Both return at once. `done` comes exactly once, through post_to_loop. A new account is on the
  /// disk before its `done`. Names are compared as bytes: "Ann" is not "ann". An unknown name takes
  /// as long as a wrong password. Over requests_max: storage_unavailable. Any thread may call them.
  void sign_up(std::string name, std::string password, Done done);
  void log_in(std::string name, std::string password, Done done);

 private:
  class Worker;
  explicit Accounts(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace muster::store
