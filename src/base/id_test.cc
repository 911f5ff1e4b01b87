#include "base/id.h"

#include <gtest/gtest.h>

namespace muster {
namespace {

using ThingId = Id<struct ThingTag>;

TEST(Id, ParsesWhatItPrintsAndNothingElse) {
  struct Row {
    const char* name;
    std::string_view text;
    std::optional<ThingId> want;
  };
  const Row rows[] = {
      {"an id", "41.3", ThingId{41, 3}},
      {"the first", "0.1", ThingId{0, 1}},
      {"the last", "4294967295.4294967295", ThingId{UINT32_MAX, UINT32_MAX}},
      {"generation 0 is never issued", "41.0", std::nullopt},
      {"nothing", "", std::nullopt},
      {"no dot", "41", std::nullopt},
      {"no generation", "41.", std::nullopt},
      {"no slot", ".3", std::nullopt},
      {"two dots", "41.3.1", std::nullopt},
      {"text behind it", "41.3x", std::nullopt},
      {"a space before it", " 41.3", std::nullopt},
      {"a space behind it", "41.3 ", std::nullopt},
      {"a byte 0 behind it", {"41.3\0", 5}, std::nullopt},
      {"negative", "-1.3", std::nullopt},
      {"a sign", "+41.3", std::nullopt},
      {"leading zeros: one id has one spelling", "041.3", std::nullopt},
      {"and in the generation", "41.03", std::nullopt},
      {"a slot that does not fit", "4294967296.1", std::nullopt},
      {"a generation that does not fit", "1.4294967296", std::nullopt},
      {"hexadecimal", "0x1.3", std::nullopt},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(parse_id<ThingId>(row.text), row.want);
    if (row.want) {
      EXPECT_EQ(to_string(*row.want), row.text);
    }
  }
}

TEST(Id, DefaultIsNone) {
  EXPECT_FALSE(ThingId{});
  EXPECT_TRUE((ThingId{0, 1}));
  EXPECT_LT((ThingId{0, 9}), (ThingId{1, 1}));
}

}  // namespace
}  // namespace muster
