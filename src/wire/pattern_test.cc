#include "wire/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::wire {
namespace {

using testing::HasSubstr;

TEST(Pattern, FindsItAnywhereInBytes) {
  const auto pattern = Pattern::compile("ready on port (\\d+)");
  ASSERT_TRUE(pattern);
  EXPECT_TRUE(pattern->is_in("[12:00] ready on port 7001\xff\xfe"));
  EXPECT_FALSE(pattern->is_in("ready on port"));
  EXPECT_EQ(pattern->find("ready on port 7001", "result"), "7001");
  EXPECT_EQ(pattern->find("not yet", "result"), std::nullopt);
  EXPECT_TRUE(Pattern::compile("^\\xff{4}I")->is_in("\xff\xff\xff\xffI..."));
  EXPECT_TRUE(Pattern::compile("caf\xc3\xa9")->is_in("the caf\xc3\xa9"));
  EXPECT_FALSE(Pattern().is_in(""));
  EXPECT_TRUE(Pattern::compile("(?s)^a.b")->is_in(std::string_view("a\0b", 3)));
}

TEST(Pattern, Groups) {
  const auto named = Pattern::compile("(\\w+) beat (?P<result>\\w+)");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->find("ann beat bob", "result"), "bob");
  EXPECT_EQ(named->find("ann beat bob", "other"), "ann") << "the first, without one of that name";
  EXPECT_EQ(Pattern::compile("over")->find("match over", "result"), "");
  EXPECT_EQ(Pattern::compile("over( by \\w+)?")->find("match over", "result"), "");
}

TEST(Pattern, WhatIsWrongIsSaid) {
  EXPECT_THAT(Pattern::compile("a(b").error(), HasSubstr("missing )"));
  EXPECT_THAT(Pattern::compile(std::string(1025, 'a')).error(), HasSubstr("at most 1024"));
  EXPECT_FALSE(Pattern::compile("(?=x)")) << "RE2 has no such thing";
  EXPECT_FALSE(Pattern::compile("((a{100}){100}){100}")) << "its memory is bounded";
}

TEST(Pattern, PlayersInAnAnswer) {
  const auto digits = *Pattern::compile("clients\\\\(\\d+)");
  EXPECT_EQ(players_in(digits, "\\clients\\12\\max"), 12u);
  EXPECT_EQ(players_in(digits, "none"), std::nullopt);
  EXPECT_EQ(players_in(*Pattern::compile("(\\d+)"), "99999999999999999999"), std::nullopt);
  EXPECT_EQ(players_in(*Pattern::compile("(x*)"), "y"), std::nullopt);
  const auto named = *Pattern::compile("(?P<max>\\d+)/(?P<players>\\d+)");
  EXPECT_EQ(players_in(named, "16/3"), 3u);
  const auto byte = *Pattern::compile("(?s)^I(?P<players_byte>.)");
  EXPECT_EQ(players_in(byte, "I\x07"), 7u);
  EXPECT_EQ(players_in(byte, "I1"), 49u);
}

}  // namespace
}  // namespace muster::wire
