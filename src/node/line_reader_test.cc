#include "node/line_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace muster::node {
namespace {

std::vector<std::string> lines_of(const std::vector<std::string>& parts) {
  std::vector<std::string> lines;
  LineReader reader;
  const auto keep = [&](std::string_view line) { lines.emplace_back(line); };
  for (const std::string& part : parts) reader.feed(part, keep);
  reader.finish(keep);
  return lines;
}
using Lines = std::vector<std::string>;

TEST(LineReader, Lines) {
  EXPECT_EQ(lines_of({}), Lines{});
  EXPECT_EQ(lines_of({"one\ntwo\r\n\nfour"}), (Lines{"one", "two", "", "four"}));
  EXPECT_EQ(lines_of({"o", "ne", "\n", "t", "wo\nthree\n"}), (Lines{"one", "two", "three"}));
  EXPECT_EQ(lines_of({"a\r", "\nb"}), (Lines{"a", "b"}));
}

TEST(LineReader, OfALongLineTheBeginningCounts) {
  const std::string most(LineReader::bytes_max, 'x');
  EXPECT_EQ(lines_of({most + "y\nnext\n"}), (Lines{most, "next"}));
  EXPECT_EQ(lines_of({most, "y", std::string(1 << 20, 'z'), "\nnext\n"}), (Lines{most, "next"}));
  EXPECT_EQ(lines_of({std::string(1 << 20, 'x')}), (Lines{most}));
}

}  // namespace
}  // namespace muster::node
