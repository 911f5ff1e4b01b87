#include "wire/join_token.h"

#include <fmt/format.h>
#include <sodium.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "base/check.h"

namespace muster::wire {
namespace {

constexpr std::size_t signature_bytes = crypto_sign_BYTES;
constexpr std::size_t token_bytes_max = 4096;
constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

void append_base64url(std::string& out, const void* data, std::size_t size) {
  const std::size_t start = out.size();
  out.resize(start + sodium_base64_ENCODED_LEN(size, variant));
  sodium_bin2base64(out.data() + start, out.size() - start, static_cast<const unsigned char*>(data),
                    size, variant);
  out.pop_back();  // Its zero byte.
}

// Strict: no padding, no white space, nothing left over, no spelling but the canonical one.
std::optional<std::string> from_base64url(std::string_view text) {
  std::string out(text.size(), '\0');
  std::size_t size = 0;
  if (sodium_base642bin(reinterpret_cast<unsigned char*>(out.data()), out.size(), text.data(),
                        text.size(), nullptr, &size, nullptr, variant) != 0)
    return std::nullopt;
  out.resize(size);
  std::string again;
  append_base64url(again, out.data(), out.size());
  if (again != text) return std::nullopt;
  return out;
}

const std::string& encoded_header() {
  static const std::string header = [] {
    constexpr std::string_view text = R"({"alg":"EdDSA","typ":"JWT"})";
    std::string out;
    append_base64url(out, text.data(), text.size());
    return out;
  }();
  return header;
}

void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  out += '"';
}

// By hand: this is on the way of every assignment, and the claims are few.
std::string claims_json(const JoinClaims& claims) {
  std::string out;
  out.reserve(184 + claims.name.size());
  out += R"({"iss":"muster","sub":)";
  append_json(out, claims.player);
  out += R"(,"name":)";
  append_json(out, claims.name);
  out += R"(,"mid":)";
  append_json(out, claims.match);
  fmt::format_to(std::back_inserter(out), R"(,"mst":{})", claims.match_started_ms);
  out += R"(,"srv":)";
  append_json(out, claims.server);
  fmt::format_to(std::back_inserter(out), R"(,"team":{},"seats":{},"iat":{},"exp":{}}})",
                 claims.team, claims.seats, claims.issued_at, claims.expires_at);
  return out;
}

std::optional<boost::json::object> parse_object(std::string_view text) {
  boost::json::parse_options options;
  options.max_depth = 4;
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(text, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

bool read(const boost::json::object& from, const char* name, std::string& to) {
  const boost::json::value* value = from.if_contains(name);
  if (!value || !value->is_string()) return false;
  to.assign(value->get_string().data(), value->get_string().size());
  return true;
}
template <class Integer>
bool read(const boost::json::object& from, const char* name, Integer& to) {
  const boost::json::value* value = from.if_contains(name);
  if (!value || !value->is_number()) return false;
  boost::system::error_code error;
  to = value->to_number<Integer>(error);
  return !error;
}

std::optional<JoinClaims> parse_claims(std::string_view json) {
  const auto object = parse_object(json);
  if (!object) return std::nullopt;
  JoinClaims claims;
  std::string issuer;
  if (!read(*object, "iss", issuer) || issuer != "muster") return std::nullopt;
  if (!read(*object, "sub", claims.player) || !read(*object, "name", claims.name) ||
      !read(*object, "mid", claims.match) || !read(*object, "mst", claims.match_started_ms) ||
      !read(*object, "srv", claims.server) || !read(*object, "team", claims.team) ||
      !read(*object, "seats", claims.seats) || !read(*object, "iat", claims.issued_at) ||
      !read(*object, "exp", claims.expires_at))
    return std::nullopt;
  return claims;
}

const unsigned char* bytes(const void* data) { return static_cast<const unsigned char*>(data); }

}  // namespace

std::expected<JoinClaims, JoinTokenError> verify_join_token(std::string_view token,
                                                            const JoinPublicKey& key,
                                                            std::int64_t now) {
  const auto invalid = std::unexpected(JoinTokenError::invalid);
  if (token.size() > token_bytes_max) return invalid;
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) return invalid;

  const auto header_json = from_base64url(token.substr(0, first));
  const auto header = header_json ? parse_object(*header_json) : std::nullopt;
  std::string algorithm;
  if (!header || !read(*header, "alg", algorithm) || algorithm != "EdDSA") return invalid;
  if (header->if_contains("crit")) return invalid;  // RFC 7515: must be understood; we know none.

  const auto signature = from_base64url(token.substr(second + 1));
  if (!signature || signature->size() != signature_bytes) return invalid;
  if (crypto_sign_verify_detached(bytes(signature->data()), bytes(token.data()), second,
                                  key.data()) != 0)
    return invalid;

  const auto payload = from_base64url(token.substr(first + 1, second - first - 1));
  const auto claims = payload ? parse_claims(*payload) : std::nullopt;
  if (!claims) return invalid;
  if (now >= claims->expires_at) return std::unexpected(JoinTokenError::expired);
  return *claims;
}

std::string to_base64url(const JoinPublicKey& key) {
  std::string out;
  append_base64url(out, key.data(), key.size());
  return out;
}

// In memory from sodium_malloc: locked if the system allows, between guard pages, wiped when freed.
struct JoinKey::Secrets {
  struct Coupon {
    std::array<unsigned char, 32> r;      // Uniform modulo L, used once.
    std::array<unsigned char, 32> point;  // R = r*B.
  };
  std::array<unsigned char, crypto_sign_SECRETKEYBYTES> key;  // Seed and public key.
  std::array<unsigned char, 32> scalar;                       // a, modulo L.
  std::size_t coupons;
  std::array<Coupon, coupons_max> coupon;
};

void JoinKey::Wipe::operator()(Secrets* secrets) const { sodium_free(secrets); }

JoinKey::JoinKey(const std::array<std::uint8_t, seed_bytes>& seed) {
  CHECK(sodium_init() >= 0, "libsodium works");
  secrets_.reset(static_cast<Secrets*>(sodium_malloc(sizeof(Secrets))));
  CHECK(secrets_, "there is memory for the key");
  secrets_->coupons = 0;
  crypto_sign_seed_keypair(public_key_.data(), secrets_->key.data(), seed.data());

  // RFC 8032, 5.1.5: the secret scalar is the first half of the seed's hash, clamped.
  std::array<unsigned char, crypto_core_ed25519_NONREDUCEDSCALARBYTES> wide{};
  crypto_hash_sha512(wide.data(), seed.data(), seed.size());
  wide[0] &= 248;
  wide[31] &= 127;
  wide[31] |= 64;
  std::fill(wide.begin() + 32, wide.end(), std::uint8_t{0});
  crypto_core_ed25519_scalar_reduce(secrets_->scalar.data(), wide.data());
  sodium_memzero(wide.data(), wide.size());
}

std::string JoinKey::sign(const JoinClaims& claims) {
  const std::string json = claims_json(claims);
  std::string token;
  token.reserve(encoded_header().size() + json.size() * 4 / 3 + signature_bytes * 4 / 3 + 8);
  token += encoded_header();
  token += '.';
  append_base64url(token, json.data(), json.size());

  std::array<unsigned char, signature_bytes> signature;
  if (secrets_->coupons == 0) {
    crypto_sign_detached(signature.data(), nullptr, bytes(token.data()), token.size(),
                         secrets_->key.data());
  } else {
    Secrets::Coupon& coupon = secrets_->coupon[--secrets_->coupons];
    std::array<unsigned char, crypto_hash_sha512_BYTES> hash;
    std::array<unsigned char, 32> k, product;
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, coupon.point.data(), coupon.point.size());
    crypto_hash_sha512_update(&state, public_key_.data(), public_key_.size());
    crypto_hash_sha512_update(&state, bytes(token.data()), token.size());
    crypto_hash_sha512_final(&state, hash.data());
    crypto_core_ed25519_scalar_reduce(k.data(), hash.data());
    crypto_core_ed25519_scalar_mul(product.data(), k.data(), secrets_->scalar.data());
    std::copy(coupon.point.begin(), coupon.point.end(), signature.begin());
    crypto_core_ed25519_scalar_add(signature.data() + 32, product.data(), coupon.r.data());
    sodium_memzero(&coupon, sizeof coupon);
    sodium_memzero(product.data(), product.size());  // With the public k it gives a.
  }
  token += '.';
  append_base64url(token, signature.data(), signature.size());
  return token;
}

bool JoinKey::prepare(std::size_t count) {
  for (; count > 0 && secrets_->coupons < coupons_max; --count) {
    Secrets::Coupon& coupon = secrets_->coupon[secrets_->coupons];
    crypto_core_ed25519_scalar_random(coupon.r.data());
    // It refuses only zero, which has a chance of 2^-252; such a coupon would show the key.
    if (crypto_scalarmult_ed25519_base_noclamp(coupon.point.data(), coupon.r.data()) == 0)
      ++secrets_->coupons;
  }
  return secrets_->coupons == coupons_max;
}

std::size_t JoinKey::coupons() const { return secrets_->coupons; }

}  // namespace muster::wire
