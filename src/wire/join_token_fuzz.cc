// Laws: nothing crashes; what is signed reads back; a token that differs in any byte from one
// signed is not accepted.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "wire/join_token.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster::wire;
  static JoinKey key({1});
  static const std::string good = key.sign({"1.1", "ann", "2.1", "3.1", 0, 1, 100, 200});
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  const auto read = verify_join_token(text, key.public_key(), 150);
  CHECK(!read || text == good, "only what was signed is accepted");

  std::string name;  // Any printable text as a name.
  for (const char c : text.substr(0, 64)) name += static_cast<char>(0x20 + (c & 0x3f));
  const JoinClaims claims{"1.1", name, "2.1", "3.1", 0, 1, 100, 200};
  key.prepare(1);
  const auto again = verify_join_token(key.sign(claims), key.public_key(), 150);
  CHECK(again && *again == claims, "what is signed reads back");

  std::string changed = good;
  for (std::size_t i = 0; i + 1 < size && i < 16; i += 2)
    changed[data[i] % changed.size()] ^= static_cast<char>(data[i + 1]);
  CHECK(changed == good || !verify_join_token(changed, key.public_key(), 150),
        "a changed token is refused");
  return 0;
}
