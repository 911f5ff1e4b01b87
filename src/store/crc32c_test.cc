#include "store/crc32c.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "base/prng.h"

namespace muster::store {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

TEST(Crc32c, IsTheOneOfRfc3720) {
  struct Row {
    const char* name;
    std::string bytes;
    std::uint32_t want;
  };
  std::string up, down;
  for (int i = 0; i < 32; ++i) up.push_back(static_cast<char>(i));
  down.assign(up.rbegin(), up.rend());
  const Row rows[] = {
      {"nothing", "", 0},
      {"the check value of the catalogues", "123456789", 0xe3069283},
      {"32 bytes of zero", std::string(32, '\0'), 0x8a9136aa},
      {"32 bytes of ones", std::string(32, '\xff'), 0x62a8ab43},
      {"32 bytes counting up", up, 0x46dd794e},
      {"32 bytes counting down", down, 0x113fdb5c},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(crc32c(bytes_of(row.bytes)), row.want);
    EXPECT_EQ(crc32c_by_table(bytes_of(row.bytes)), row.want);
  }
}

TEST(Crc32c, OfPartsIsThatOfTheWhole) {
  Prng prng(1);
  std::string text;
  for (int i = 0; i < 1000; ++i) text.push_back(static_cast<char>(prng.below(256)));
  const auto whole = bytes_of(text);
  for (std::size_t cut = 0; cut <= text.size(); cut += 37) {
    EXPECT_EQ(crc32c(whole.subspan(cut), crc32c(whole.first(cut))), crc32c_by_table(whole));
  }
}

}  // namespace
}  // namespace muster::store
