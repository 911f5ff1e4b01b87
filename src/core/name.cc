#include "core/name.h"

#include <cstddef>
#include <cstdint>

namespace muster::core {
namespace {

/// Decodes the code point at the front and removes it. Nothing well-formed there: 0, a control
/// character and so refused like the others. Table 3-7 of the Unicode Standard.
std::uint32_t take_code_point(std::string_view& text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xc2 ? 0
                             : first < 0xe0 ? 2
                             : first < 0xf0 ? 3
                             : first < 0xf5 ? 4
                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  std::uint32_t code = length == 1 ? first : first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  if (length == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff))) return 0;
  if (length == 4 && (code < 0x10000 || code > 0x10ffff)) return 0;
  text.remove_prefix(length);
  return code;
}

bool is_control(std::uint32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

}  // namespace

bool name_valid(std::string_view name) {
  if (name.empty() || name.size() > 32) return false;
  while (!name.empty())
    if (is_control(take_code_point(name))) return false;
  return true;
}

}  // namespace muster::core
