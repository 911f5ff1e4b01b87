#include "wire/standings.h"

#include <gtest/gtest.h>

#include <limits>

namespace muster::wire {
namespace {

TEST(Standings, InTheTextOfAResult) {
  struct Row {
    const char* name;
    std::string text;
    int standings;  // 0: nothing of that form.
  };
  const Row rows[] = {
      {"two teams", R"({"standings":[{"team":0,"rank":1},{"team":1,"rank":2}]})", 2},
      {"beside other things", R"( {"map":{"a":[1]},"standings":[{"playerId":"4.1","rank":1}]})", 1},
      {"with a field of tomorrow", R"({"standings":[{"rank":1,"medal":"gold"}]})", 1},
      {"empty", "", 0},
      {"no JSON", "ann won", 0},
      {"JSON without them", R"({"winner":"ann"})", 0},
      {"none in the list", R"({"standings":[]})", 0},
      {"another type", R"({"standings":"ann"})", 0},
      {"a rank that is no number", R"({"standings":[{"rank":"first"}]})", 0},
      {"not whole", R"({"standings":[{"rank":1})", 0},
      {"no UTF-8", "{\"standings\":[{\"rank\":1,\"playerId\":\"\xff\"}]}", 0},
      {"deep", R"({"standings":)" + std::string(5000, '['), 0},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    game_server::Standings out;
    EXPECT_EQ(read_standings(row.text, out), row.standings > 0);
    EXPECT_EQ(out.standings_size(), row.standings);
  }
  game_server::Standings out;
  ASSERT_TRUE(read_standings(
      R"({"standings":[{"playerId":"41.3","rank":2,"score":-7,"missed":0.25},{"team":1,"rank":1}]})",
      out));
  EXPECT_EQ(out.standings(0).player_id(), "41.3");
  EXPECT_EQ(out.standings(0).rank(), 2u);
  EXPECT_TRUE(out.standings(0).has_score());
  EXPECT_EQ(out.standings(0).score(), -7);
  EXPECT_EQ(out.standings(0).missed(), 0.25);
  EXPECT_FALSE(out.standings(1).has_score());
}

TEST(Standings, Form) {
  struct Row {
    const char* name;
    std::uint32_t rank;
    double missed;
    bool good;
  };
  const Row rows[] = {
      {"first, all of it", 1, 0, true},
      {"last, none of it", 1000, 1, true},
      {"no rank", 0, 0, false},
      {"a rank too high", 1001, 0, false},
      {"more than was there", 1, 1.01, false},
      {"less than nothing", 1, -0.5, false},
      {"no number", 1, std::numeric_limits<double>::quiet_NaN(), false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    game_server::MatchOver over;
    over.add_standings()->set_rank(row.rank);
    over.mutable_standings(0)->set_missed(row.missed);
    EXPECT_EQ(standings_problem(over.standings()).empty(), row.good);
  }
  game_server::MatchOver many;
  for (int i = 0; i < 513; ++i) many.add_standings()->set_rank(1);
  EXPECT_EQ(standings_problem(many.standings()), "there are 513 standings; at most 512");
  EXPECT_EQ(standings_problem(game_server::MatchOver().standings()), "");
}

}  // namespace
}  // namespace muster::wire
