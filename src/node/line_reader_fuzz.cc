// However output is cut into pieces, its lines are the same. The first byte says how it is cut.
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "node/line_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using muster::node::LineReader;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::vector<std::string> whole, parts;
  LineReader at_once;
  at_once.feed(text, [&](std::string_view line) { whole.emplace_back(line); });
  at_once.finish([&](std::string_view line) { whole.emplace_back(line); });
  LineReader cut;
  const std::size_t step = data[0] % 7u + 1;
  for (std::size_t at = 0; at < text.size(); at += step)
    cut.feed(text.substr(at, step), [&](std::string_view line) { parts.emplace_back(line); });
  cut.finish([&](std::string_view line) { parts.emplace_back(line); });
  CHECK(whole == parts, "lines do not depend on how output arrives");
  for (const std::string& line : whole)
    CHECK(line.size() <= LineReader::bytes_max, "lines are bounded");
  return 0;
}
