#include "core/name.h"

#include <gtest/gtest.h>

#include <string>

namespace muster::core {
namespace {

TEST(Name, IsShortPrintableUtf8) {
  struct Row {
    const char* name;
    std::string text;
    bool want;
  };
  const Row rows[] = {
      {"a name", "ann", true},
      {"with spaces", "Ann of the Hill", true},
      {"of one byte", "a", true},
      {"empty", "", false},
      {"32 bytes", std::string(32, 'a'), true},
      {"33 bytes", std::string(33, 'a'), false},
      {"the bound is in bytes: 16 of two",
       std::string("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
                   "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"),
       true},
      {"17 of two",
       std::string("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"
                   "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9"),
       false},
      {"three bytes: U+20AC", "\xe2\x82\xac", true},
      {"four bytes: U+1F600", "\xf0\x9f\x98\x80", true},
      {"the last code point", "\xf4\x8f\xbf\xbf", true},
      {"byte 0", std::string("a\0b", 3), false},
      {"newline", "a\nb", false},
      {"escape", "\x1b[31m", false},
      {"delete", "a\x7f", false},
      {"C1 control U+0085", "\xc2\x85", false},
      {"U+00A0 is none", "\xc2\xa0", true},
      {"a continuation byte alone", "\x80", false},
      {"cut short", "\xe2\x82", false},
      {"cut short by another",
       "\xe2\x82"
       "a",
       false},
      {"overlong slash in two", "\xc0\xaf", false},
      {"overlong in two: 0xc1", "\xc1\xbf", false},
      {"overlong in three", "\xe0\x80\xaf", false},
      {"overlong in four", "\xf0\x80\x80\xaf", false},
      {"a surrogate", "\xed\xa0\x80", false},
      {"past the last code point", "\xf4\x90\x80\x80", false},
      {"0xf5", "\xf5\x80\x80\x80", false},
      {"0xff", "\xff", false},
      {"latin-1", "caf\xe9", false},
      {"good, then bad", "ann\xff", false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(name_valid(row.text), row.want);
  }
}

}  // namespace
}  // namespace muster::core
