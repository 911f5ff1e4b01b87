#include "wire/join_token.h"

#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

namespace muster::wire {
namespace {

const JoinClaims ann{"41.3", "ann",         "7.1",         "12.9",           1,
                     2,      1'700'000'000, 1'700'003'600, 1'699'999'999'123};

std::array<std::uint8_t, 32> counting_seed() {
  std::array<std::uint8_t, 32> seed;
  for (std::size_t i = 0; i < seed.size(); ++i) seed[i] = static_cast<std::uint8_t>(i);
  return seed;
}

std::string base64url(std::string_view text) {
  std::string out(sodium_base64_ENCODED_LEN(text.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                  '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(text.data()),
                    text.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  out.pop_back();
  return out;
}

std::vector<unsigned char> signature_of(const std::string& token) {
  const std::string_view text = std::string_view(token).substr(token.rfind('.') + 1);
  std::vector<unsigned char> signature(64);
  std::size_t size = 0;
  EXPECT_EQ(sodium_base642bin(signature.data(), signature.size(), text.data(), text.size(), nullptr,
                              &size, nullptr, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
            0);
  EXPECT_EQ(size, 64u);
  return signature;
}

// A token of any header and claims, signed as libsodium signs.
std::string token_of(std::string_view header, std::string_view claims) {
  unsigned char public_key[32], secret_key[64], signature[64];
  crypto_sign_seed_keypair(public_key, secret_key, counting_seed().data());
  std::string token = base64url(header) + '.' + base64url(claims);
  crypto_sign_detached(signature, nullptr, reinterpret_cast<const unsigned char*>(token.data()),
                       token.size(), secret_key);
  return token + '.' + base64url({reinterpret_cast<const char*>(signature), sizeof signature});
}

TEST(JoinToken, EverySignatureIsOrdinaryAndNoNonceRepeats) {
  JoinKey key(counting_seed());
  EXPECT_FALSE(key.prepare(300));
  EXPECT_EQ(key.coupons(), 300u);
  std::set<std::vector<unsigned char>> nonces;
  for (int i = 0; i < 310; ++i) {  // The last ten without coupons.
    JoinClaims claims = ann;
    claims.player = std::to_string(i) + ".1";
    const std::string token = key.sign(claims);
    const auto signature = signature_of(token);
    ASSERT_EQ(crypto_sign_verify_detached(signature.data(),
                                          reinterpret_cast<const unsigned char*>(token.data()),
                                          token.rfind('.'), key.public_key().data()),
              0);
    ASSERT_TRUE(nonces.emplace(signature.begin(), signature.begin() + 32).second);
    const auto read = verify_join_token(token, key.public_key(), ann.issued_at);
    ASSERT_TRUE(read);
    ASSERT_EQ(*read, claims);
  }
  EXPECT_EQ(key.coupons(), 0u);
}

TEST(JoinToken, SameClaimsTwiceDifferInNonce) {
  JoinKey key(counting_seed());
  key.prepare(2);
  EXPECT_NE(key.sign(ann), key.sign(ann));
}

TEST(JoinToken, PoolIsBounded) {
  JoinKey key(counting_seed());
  EXPECT_TRUE(key.prepare(JoinKey::coupons_max + 5));
  EXPECT_EQ(key.coupons(), JoinKey::coupons_max);
  const JoinKey moved = std::move(key);
  EXPECT_EQ(moved.coupons(), JoinKey::coupons_max);
}

TEST(JoinToken, Golden) {
  JoinKey key(counting_seed());
  // RFC 8032's signing is deterministic; made once with Python's cryptography package.
  const std::string golden =
      "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJtdXN0ZXIiLCJzdWIiOiI0MS4zIiwibmFtZSI"
      "6ImFubiIsIm1pZCI6IjcuMSIsIm1zdCI6MTY5OTk5OTk5OTEyMywic3J2IjoiMTIuOSIsInRlYW0iOjEsInN"
      "lYXRzIjoyLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.rIogjxTQilffRwaehejBMink7Gh"
      "JkdfL_LMqT8KABb5do_pBZ9sB_xI5LXwYueQd3TSoQyNxxhs3NlI1_qCUCQ";
  EXPECT_EQ(key.sign(ann), golden);
  EXPECT_EQ(to_base64url(key.public_key()), "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg");
  const auto claims = verify_join_token(golden, key.public_key(), ann.issued_at);
  ASSERT_TRUE(claims);
  EXPECT_EQ(*claims, ann);
}

TEST(JoinToken, NamesOfAnyKindComeBack) {
  JoinKey key(counting_seed());
  for (const char* name : {"", "\"quoted\\\"", "tab\tnew\nline\x01", "Ünïcödé 猫", "</script>"}) {
    JoinClaims claims = ann;
    claims.name = name;
    const auto read = verify_join_token(key.sign(claims), key.public_key(), ann.issued_at);
    ASSERT_TRUE(read) << name;
    EXPECT_EQ(read->name, name);
  }
}

TEST(JoinToken, Refusals) {
  const std::string header = R"({"alg":"EdDSA","typ":"JWT"})";
  const std::string claims =
      R"({"iss":"muster","sub":"1.1","name":"a","mid":"2.1","mst":7,"srv":"3.1","team":0,)"
      R"("seats":1,"iat":100,"exp":200})";
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string changed = claims;
    changed.replace(changed.find(from), from.size(), to);
    return token_of(header, changed);
  };
  const std::string good = token_of(header, claims);
  std::string other_signature = good;
  other_signature[good.rfind('.') + 5] = other_signature[good.rfind('.') + 5] == 'A' ? 'B' : 'A';
  std::string other_claims = good;
  other_claims[good.find('.') + 20] = other_claims[good.find('.') + 20] == 'A' ? 'B' : 'A';
  const std::string unsigned_part = good.substr(0, good.rfind('.') + 1);
  const std::string none = base64url(R"({"alg":"none"})") + '.' + base64url(claims) + '.';
  // 64 bytes leave 4 spare bits in the last character; only zero is the canonical spelling.
  std::string spare_bits = good;
  spare_bits.back() = spare_bits.back() == 'A' ? 'B' : static_cast<char>(spare_bits.back() + 1);

  struct Row {
    const char* name;
    std::string token;
    std::int64_t now;
    std::expected<void, JoinTokenError> want;
  };
  const auto invalid = std::unexpected(JoinTokenError::invalid);
  const auto expired = std::unexpected(JoinTokenError::expired);
  const Row rows[] = {
      {"a good one", good, 150, {}},
      {"in its last second", good, 199, {}},
      {"at its end", good, 200, expired},
      {"long after", good, 1'000'000, expired},
      {"empty", "", 150, invalid},
      {"no dots", "abc", 150, invalid},
      {"only dots", "..", 150, invalid},
      {"a fourth part", good + ".x", 150, invalid},
      {"another signature", other_signature, 150, invalid},
      {"expired and tampered with is invalid", other_signature, 500, invalid},
      {"other claims", other_claims, 150, invalid},
      {"no signature", unsigned_part, 150, invalid},
      {"alg none", none, 150, invalid},
      {"alg none with a good signature", token_of(R"({"alg":"none"})", claims), 150, invalid},
      {"alg HS256", token_of(R"({"alg":"HS256"})", claims), 150, invalid},
      {"alg in other letters", token_of(R"({"alg":"eddsa"})", claims), 150, invalid},
      {"no alg", token_of(R"({"typ":"JWT"})", claims), 150, invalid},
      {"crit", token_of(R"({"alg":"EdDSA","crit":["b64"],"b64":false})", claims), 150, invalid},
      {"header is not JSON", token_of("alg", claims), 150, invalid},
      {"claims are not JSON", token_of(header, "claims"), 150, invalid},
      {"claims are an array", token_of(header, "[]"), 150, invalid},
      {"padding", good + "==", 150, invalid},
      {"spare bits", spare_bits, 150, invalid},
      {"a space", ' ' + good, 150, invalid},
      {"a new line at the end", good + '\n', 150, invalid},
      {"another issuer", with("\"iss\":\"muster\"", "\"iss\":\"master\""), 150, invalid},
      {"no player", with("\"sub\":\"1.1\",", ""), 150, invalid},
      {"player is a number", with("\"sub\":\"1.1\"", "\"sub\":1.1"), 150, invalid},
      {"no time of the match", with("\"mst\":7,", ""), 150, invalid},
      {"team below zero", with("\"team\":0", "\"team\":-1"), 150, invalid},
      {"team is a fraction", with("\"team\":0", "\"team\":0.5"), 150, invalid},
      {"team too large", with("\"team\":0", "\"team\":4294967296"), 150, invalid},
      {"no end", with(",\"exp\":200", ""), 150, invalid},
      {"too long", token_of(header, claims + std::string(5000, ' ')), 150, invalid},
  };
  JoinKey key(counting_seed());
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto got = verify_join_token(row.token, key.public_key(), row.now);
    EXPECT_EQ(got.has_value(), row.want.has_value());
    if (!got && !row.want) {
      EXPECT_EQ(got.error(), row.want.error());
    }
  }
  JoinKey other({9});
  EXPECT_FALSE(verify_join_token(good, other.public_key(), 150));
}

class JoinKeyFile : public testing::Test {
 protected:
  JoinKeyFile() {
    char name[] = "/tmp/muster-join-key-XXXXXX";
    EXPECT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    path_ = folder_ + "/join.key";
  }
  ~JoinKeyFile() override { std::filesystem::remove_all(folder_); }

  std::string error_of_loading() {
    const auto key = JoinKey::load_or_create(path_);
    return key ? "" : key.error();
  }

  std::string folder_, path_;
};

TEST_F(JoinKeyFile, IsMadeOnceAndReadAgain) {
  const auto first = JoinKey::load_or_create(path_);
  ASSERT_TRUE(first) << first.error();
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  const auto second = JoinKey::load_or_create(path_);
  ASSERT_TRUE(second) << second.error();
  EXPECT_EQ(first->public_key(), second->public_key());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(JoinKeyFile, BadFiles) {
  struct Row {
    const char* name;
    std::string content;
    unsigned mode;
    const char* want;
  };
  ASSERT_TRUE(JoinKey::load_or_create(path_));
  std::ifstream in(path_);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const Row rows[] = {
      {"readable by the group", good, 0640, "may be read by others (mode 0640)"},
      {"readable by all", good, 0604, "may be read by others (mode 0604)"},
      {"empty", "", 0600, "is damaged"},
      {"cut", good.substr(0, good.size() - 10), 0600, "is damaged"},
      {"longer", good + "x", 0600, "is damaged"},
      {"not hexadecimal", good.substr(0, good.size() - 2) + "g\n", 0600, "is damaged"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    std::ofstream(path_) << row.content;
    ASSERT_EQ(::chmod(path_.c_str(), row.mode), 0);
    EXPECT_NE(error_of_loading().find(row.want), std::string::npos) << error_of_loading();
  }
  ASSERT_EQ(::unlink(path_.c_str()), 0);
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  EXPECT_NE(error_of_loading().find("is not a file"), std::string::npos) << error_of_loading();
}

TEST_F(JoinKeyFile, CannotBeMade) {
  path_ = folder_ + "/no/such/folder/join.key";
  EXPECT_NE(error_of_loading().find("No such file or directory"), std::string::npos);
}

TEST_F(JoinKeyFile, AtOnceAllGetTheSame) {
  std::vector<JoinPublicKey> keys(8);
  std::vector<pid_t> pids;
  std::filesystem::create_directory(folder_ + "/out");
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      const auto key = JoinKey::load_or_create(path_);
      std::ofstream(folder_ + "/out/" + std::to_string(i))
          << (key ? to_base64url(key->public_key()) : key.error());
      ::_exit(0);
    }
    pids.push_back(pid);
  }
  std::set<std::string> seen;
  for (std::size_t i = 0; i < pids.size(); ++i) {
    int status = 0;
    ASSERT_EQ(::waitpid(pids[i], &status, 0), pids[i]);
    std::ifstream in(folder_ + "/out/" + std::to_string(i));
    seen.emplace(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  EXPECT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen.begin()->size(), 43u);
}

}  // namespace
}  // namespace muster::wire
