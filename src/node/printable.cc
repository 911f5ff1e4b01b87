#include "node/printable.h"

namespace muster::node {

std::string printable(std::string_view line, std::size_t bytes_max) {
  std::string out;
  for (std::size_t i = 0; i < line.size();) {
    const auto byte = [&](std::size_t at) {
      return at < line.size() ? static_cast<unsigned char>(line[at]) : 0u;
    };
    const unsigned lead = byte(i);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xc2 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    bool good = length > 0;
    for (std::size_t k = 1; k < length; ++k) good = good && (byte(i + k) & 0xc0) == 0x80;
    // Longer than needed, surrogates, and beyond the last code point.
    if (lead == 0xe0 && byte(i + 1) < 0xa0) good = false;
    if (lead == 0xed && byte(i + 1) > 0x9f) good = false;
    if (lead == 0xf0 && byte(i + 1) < 0x90) good = false;
    if (lead == 0xf4 && byte(i + 1) > 0x8f) good = false;
    if (good && length == 1 && (lead < 0x20 || lead == 0x7f)) good = lead == '\t';
    if (!good) {
      out += '?';
      ++i;
      continue;
    }
    if (out.size() + length > bytes_max) break;
    out += line.substr(i, length);
    i += length;
    if (out.size() >= bytes_max) break;
  }
  return out;
}

}  // namespace muster::node
