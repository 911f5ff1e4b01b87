#pragma once
// What the player-facing side is told at start: limits, timeouts, and the two things it asks others
// to do for it (check accounts, sign join tokens).

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "core/effect.h"

namespace muster::net {

/// A player's log-in or sign-up, to be checked against the accounts.
struct AccountRequest {
  enum class Kind : std::uint8_t { log_in, sign_up };
  Kind kind = Kind::log_in;
  std::string name;  // UTF-8.
  std::string password;
  std::uint32_t request = 0;  // The client's own number.
};
enum class AccountOutcome : std::uint8_t {
  ok,
  name_unknown,   ///< Log-in: there is no account of that name.
  login_refused,  ///< Log-in: the password is not that account's.
  name_taken,     ///< Sign-up.
  name_invalid,   ///< Sign-up.
  banned,         ///< Log-in, with the right password.
  storage_unavailable,
};
struct AccountReply {
  AccountOutcome outcome = AccountOutcome::storage_unavailable;
  std::int64_t account = 0;  // ok.
  std::vector<core::StoredRating> ratings;
  std::string detail;  // banned: why, and until when.
};
/// Calls the second argument exactly once, on the io_context's thread: at once or later.
using Accounts = std::function<void(AccountRequest, std::function<void(AccountReply)>)>;

/// The join token a player shows to the game server it is assigned to.
using SignJoinToken = std::function<std::string(const core::SendAssignment&)>;

/// Whose bytes may be what is not encrypted: classic packets, passwords.
enum class AllowedFrom : std::uint8_t { off, loopback, any };

struct NetOptions {
  std::string listen = "0.0.0.0:4100";  // host:port; port 0 lets the kernel choose.
  AllowedFrom classic = AllowedFrom::loopback;
  bool classic_guests = true;  // A classic log-in with an unknown name is a guest.
  Accounts accounts;  // None: every classic log-in is a guest; others, and sign-ups, are refused.
  AllowedFrom logins = AllowedFrom::loopback;  // Native and WebSocket ones, with a password.
  SignJoinToken sign_join_token;               // None: join tokens are empty.

  std::uint32_t sessions_max = 100'000;           // Connections of any kind; over it: lobby_full.
  std::uint32_t message_bytes_max = 64u << 10;    // One message from a client.
  std::uint32_t outbound_bytes_max = 256u << 10;  // Waiting for a client that does not read.
  std::uint32_t messages_per_second = 50;         // Sustained, per session; over it: rate_limited.
  std::uint32_t messages_burst = 100;             // At once. Ten times either closes the session.

  Duration hello_timeout = std::chrono::seconds{10};    // Connection to being identified.
  Duration frame_timeout = std::chrono::seconds{10};    // First byte of a message to its last.
  Duration write_timeout = std::chrono::seconds{10};    // Bytes waiting for a client to read.
  Duration ping_interval = std::chrono::seconds{20};    // Silence until the lobby pings. 0: never.
  Duration silence_timeout = std::chrono::seconds{60};  // Silence until it closes. 0: never.
  Duration linger_timeout = std::chrono::seconds{2};    // Our close to the other side's.
  Duration sweep_interval = std::chrono::milliseconds{500};  // How exactly the above are kept.

  std::function<Time()> now;                       // None: the monotonic clock.
  std::function<void(std::string_view line)> log;  // None: standard error.
};

}  // namespace muster::net
