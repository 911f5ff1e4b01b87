#include <cstdint>

#include "store/accounts.h"

namespace muster::store {
namespace {

/// Takes one code point off the front; nothing left of `text` and U+FFFFFFFF if it is malformed.
char32_t take_code_point(std::string_view& text) {
  constexpr char32_t malformed = 0xffffffff;
  const auto lead = static_cast<std::uint8_t>(text.front());
  const std::size_t bytes = lead < 0x80   ? 1
                            : lead < 0xc2 ? 0
                            : lead < 0xe0 ? 2
                            : lead < 0xf0 ? 3
                            : lead < 0xf5 ? 4
                                          : 0;
  if (bytes == 0 || bytes > text.size()) {
    text = {};
    return malformed;
  }
  char32_t point = bytes == 1 ? lead : lead & (0x7fu >> bytes);
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<std::uint8_t>(text[i]);
    if ((next & 0xc0) != 0x80) return malformed;
    point = point << 6 | (next & 0x3fu);
  }
  text.remove_prefix(bytes);
  const bool longer_than_needed = (bytes == 3 && point < 0x800) || (bytes == 4 && point < 0x10000);
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return longer_than_needed || surrogate || point > 0x10ffff ? malformed : point;
}

}  // namespace

bool is_account_name(std::string_view name) {
  if (name.empty() || name.size() > Accounts::name_bytes_max) return false;
  while (!name.empty()) {
    const char32_t point = take_code_point(name);
    const bool control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    if (control || point > 0x10ffff) return false;
  }
  return true;
}

}  // namespace muster::store
