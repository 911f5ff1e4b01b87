#pragma once
// What the player-facing side is told at start: limits, timeouts, and the two things it asks others
// to do for it (check accounts, sign join tokens).

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "core/effect.h"

namespace muster::net {

/// A classic player's log-in or sign-up, to be checked against the accounts.
struct AccountRequest {
  enum class Kind : std::uint8_t { log_in, sign_up };
  Kind kind = Kind::log_in;
  std::string name;  // 1 to 21 bytes of UTF-8.
  std::string password;
};
enum class AccountReply : std::uint8_t {
  ok,
  name_unknown,   ///< Log-in: there is no account of that name.
  login_refused,  ///< Log-in: the password is not that account's.
  name_taken,     ///< Sign-up.
  storage_unavailable,
};
/// Calls the second argument exactly once, on the io_context's thread: at once or later.
using Accounts = std::function<void(AccountRequest, std::function<void(AccountReply)>)>;

/// The join token a player shows to the game server it is assigned to.
using SignJoinToken = std::function<std::string(const core::SendAssignment&)>;

/// Whose first bytes may be classic packets, which are neither encrypted nor authenticated.
enum class ClassicAllowed : std::uint8_t { off, loopback, any };

struct NetOptions {
  std::string listen = "0.0.0.0:4100";  // host:port; port 0 lets the kernel choose.
  ClassicAllowed classic = ClassicAllowed::loopback;
  bool classic_guests = true;     // A classic log-in with an unknown name is a guest.
  Accounts accounts;              // None: every classic log-in is a guest, sign-ups are refused.
  SignJoinToken sign_join_token;  // None: join tokens are empty.

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
