#pragma once
// Join tokens: what a player shows a game server to prove that the lobby sent them. A JWT signed
// with Ed25519 (RFC 7519, RFC 8037), so any engine's JWT library can check one offline with the
// public key in MUSTER_JOIN_KEY.
//
//   header  {"alg":"EdDSA","typ":"JWT"}
//   claims  iss "muster", sub player id, name, mid match id, mst when the match began, srv server
//   id,
//           team, seats, iat, exp
//
// Ids begin anew when a lobby is restarted: mid alone could name another match than it did when the
// token was made. A match of the same id that began at the same millisecond is the same one.
//
// Signing. An Ed25519 signature of M is (R, S) with R = r*B and S = r + SHA512(R || A || M) * a mod
// L. RFC 8032 takes r from a hash of the key and M; any r that is uniform and secret gives the same
// kind of signature, and a verifier cannot tell. r*B is nearly all of the cost and does not depend
// on M, so JoinKey makes pairs (r, R) beforehand, "coupons", in idle time; a token signed with one
// costs 2 us instead of 18.
//
// What must never happen is that one r signs two different messages: both equations together give
// away the private key. So a coupon is wiped as it is used, a JoinKey is never copied, its coupons
// are never stored, and a process that holds one must not fork and go on in both halves (fork and
// exec, or vfork, is fine).

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace muster::wire {

using JoinPublicKey = std::array<std::uint8_t, 32>;

struct JoinClaims {
  std::string player;  // Ids as text: "41.3".
  std::string name;
  std::string match;
  std::string server;
  std::uint32_t team = 0;
  std::uint32_t seats = 1;
  std::int64_t issued_at = 0;          // Seconds since the Unix epoch.
  std::int64_t expires_at = 0;         // Good before this second.
  std::uint64_t match_started_ms = 0;  // Milliseconds since the Unix epoch.
  bool operator==(const JoinClaims&) const = default;
};

enum class JoinTokenError : std::uint8_t { invalid, expired };

/// Checks form, algorithm (EdDSA and nothing else), issuer, signature, and that `now` (seconds
/// since the Unix epoch) is before its end. At most 4096 bytes. About 50 us. Any thread.
std::expected<JoinClaims, JoinTokenError> verify_join_token(std::string_view token,
                                                            const JoinPublicKey& key,
                                                            std::int64_t now);

/// The key as MUSTER_JOIN_KEY has it: base64url without padding, 43 characters.
std::string to_base64url(const JoinPublicKey& key);

/// The private key. Not thread-safe. Moved, never copied. Memory: 64 bytes a coupon.
class JoinKey {
 public:
  static constexpr std::size_t seed_bytes = 32;
  static constexpr std::size_t coupons_max = 8192;

  /// Reads the key file, or makes one (mode 0600, whole or not at all, also if two processes start
  /// at once). Refuses a file that others may read or that is not a key; the error is a sentence.
  static std::expected<JoinKey, std::string> load_or_create(const std::string& path);
  /// From a seed, for tests.
  explicit JoinKey(const std::array<std::uint8_t, seed_bytes>& seed);

  const JoinPublicKey& public_key() const { return public_key_; }

  /// A signed token. Uses a coupon if there is one. Text that is not UTF-8 must not come here.
  std::string sign(const JoinClaims& claims);

  /// Makes up to `count` coupons, 18 us each. True once the pool is full. For idle time.
  bool prepare(std::size_t count);
  std::size_t coupons() const;

 private:
  struct Secrets;
  struct Wipe {
    void operator()(Secrets* secrets) const;
  };

  JoinPublicKey public_key_{};
  std::unique_ptr<Secrets, Wipe> secrets_;
};

}  // namespace muster::wire
