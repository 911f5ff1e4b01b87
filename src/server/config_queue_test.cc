#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "server/config_test_help.h"

namespace muster::server {
namespace {

using core::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string ranked =
    "[[fleet]]\nname = \"duel\"\ncommand = [\"bin/duel\"]\nports = 7000\n"
    "[[queue]]\nname = \"ranked\"\nfleet = \"duel\"\n";  // The rows' first line is 8.

TEST(ConfigQueue, RulesAreRead) {
  const auto config = parse(ranked + R"(rating_default = -20
rating_distance = 100
team_rating_distance = 50
[[queue.team]]
name = "hunters"
players = 3
count = 2
[[queue.team]]
name = "monster"
[[queue.rule]]
attribute = "mode"
values = ["ctf", "dm"]
[[queue.rule]]
attribute = "maps"
is = "any-of"
values = ["ice"]
[[queue.rule]]
attribute = "level"
is = "distance"
limit = 2.5
[[queue.rule]]
name = "floor"
attribute = "level"
is = "min"
limit = 3
[[queue.widen]]
limit = "rating_distance"
after = "10s"
to = 5000
[[queue.widen]]
limit = "floor"
after = "20s"
to = -1.125
)");
  ASSERT_TRUE(config) << shown(config.error());
  EXPECT_THAT(config->warnings, IsEmpty()) << shown(config->warnings);
  const core::QueueConfig& queue = config->core.queues[0];
  EXPECT_TRUE(queue.ruled());
  EXPECT_EQ(queue.players, 7u);
  EXPECT_EQ(queue.teams, 3u);
  EXPECT_EQ(queue.rating_default, -20);
  EXPECT_EQ(queue.rating_distance, 100u);
  EXPECT_EQ(queue.team_rating_distance, 50u);
  ASSERT_EQ(queue.team.size(), 2u);
  EXPECT_EQ(queue.team[0].count, 2u);
  ASSERT_EQ(queue.rules.size(), 4u);
  EXPECT_EQ(queue.rules[0].kind, core::RuleKind::equal);
  EXPECT_EQ(queue.rules[0].name, "mode");
  EXPECT_EQ(queue.rules[1].values, std::vector<std::string>{"ice"});
  EXPECT_EQ(queue.rules[2].limit, 2500);
  EXPECT_EQ(queue.rules[3].name, "floor");
  ASSERT_EQ(queue.widen.size(), 2u);
  EXPECT_EQ(queue.widen[0].to, 5000) << "points";
  EXPECT_EQ(queue.widen[1].to, -1125) << "thousandths";
  EXPECT_EQ(queue.widen[1].after, seconds{20});
}

TEST(ConfigQueue, RegionsAreRead) {
  const auto config = parse(R"([[fleet]]
name = "eu"
command = ["bin/duel"]
ports = 7000
[[fleet]]
name = "us"
command = ["bin/duel"]
ports = 7001
[[queue]]
name = "duel"
latency_max = 80
latency_default = 100
[[queue.region]]
name = "here"
fleet = "us"
[[queue.region]]
name = "there"
fleet = "eu"
[[queue.widen]]
limit = "latency_max"
after = "10s"
to = 150
)");
  ASSERT_TRUE(config) << shown(config.error());
  EXPECT_THAT(config->warnings, IsEmpty()) << shown(config->warnings);
  const core::QueueConfig& queue = config->core.queues[0];
  EXPECT_TRUE(queue.ruled());
  ASSERT_EQ(queue.region.size(), 2u);
  EXPECT_EQ(queue.region[0].name, "here");
  EXPECT_EQ(queue.region[0].fleet, 1u);
  EXPECT_EQ(queue.region[1].fleet, 0u);
  EXPECT_EQ(queue.fleet, 1u);
  EXPECT_EQ(queue.latency_max, 80u);
  EXPECT_EQ(queue.latency_default, 100u);
  EXPECT_EQ(queue.widen[0].to, 150) << "milliseconds";
}

TEST(ConfigQueue, RegionsThatCannotBe) {
  const std::string bare =
      "[[fleet]]\nname = \"duel\"\ncommand = [\"bin/duel\"]\nports = 7000\n"
      "[[queue]]\nname = \"ranked\"\n";
  const std::string eu = "[[queue.region]]\nname = \"eu\"\nfleet = \"duel\"\n";
  struct Row {
    const char* name;
    std::string text;
    const char* want;
  };
  const Row rows[] = {
      {"neither a fleet nor regions", bare,
       "muster.toml:5: queue.fleet: is missing, and has no default"},
      {"both", ranked + eu, "muster.toml:7: queue.fleet: each region says its fleet"},
      {"no such fleet", bare + "[[queue.region]]\nname = \"eu\"\nfleet = \"dual\"\n",
       "muster.toml:9: queue.region.fleet: there is no fleet \"dual\", did you mean"},
      {"twice", bare + eu + eu,
       "muster.toml:11: queue.region.name: \"eu\" is the name of the region in line 7 too"},
      {"a limit of nothing", ranked + "latency_max = 80\n",
       "muster.toml:8: queue.latency_max: the queue has no regions to be far from"},
      {"a default of nothing", ranked + "latency_default = 80\n",
       "muster.toml:8: queue.latency_default: the queue has no regions to be far from"},
      {"a default that never plays", bare + "latency_max = 80\nlatency_default = 81\n" + eu,
       "muster.toml:8: queue.latency_default: is 81, and latency_max never grows beyond 80"},
      {"half a millisecond",
       bare + "latency_max = 80\n" + eu +
           "[[queue.widen]]\nlimit = \"latency_max\"\nafter = \"1s\"\nto = 80.5\n",
       "muster.toml:14: queue.widen.to: must be whole milliseconds"},
      {"widened where there is no limit",
       bare + eu + "[[queue.widen]]\nlimit = \"latency_max\"\nafter = \"1s\"\nto = 80\n",
       "muster.toml:11: queue.widen.limit: this queue has no limit \"latency_max\""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto config = parse(row.text);
    ASSERT_FALSE(config);
    EXPECT_THAT(shown(config.error()), HasSubstr(row.want));
  }
}

TEST(ConfigQueue, WhoIsKeptApart) {
  const std::string widen = "[[queue.widen]]\nlimit = \"avoid_recent\"\nafter = \"1s\"\nto = ";
  struct Row {
    const char* name;
    std::string text;
    bool accepted;
    const char* want;
  };
  const Row rows[] = {
      {"for a time", ranked + "blocks = true\navoid_recent = 3\n" + widen + "0\n", true, ""},
      {"for ever", ranked + "avoid_recent = 1\n", true,
       "muster.toml:8: warning: queue.avoid_recent: never ends"},
      {"too many", ranked + "avoid_recent = 16\nplayers = 20\n", false,
       "muster.toml:8: queue.avoid_recent: 16 matches of 20 are 320 players"},
      {"less than none", ranked + "avoid_recent = 1\n" + widen + "-1\n", false,
       "muster.toml:12: queue.widen.to: must be a whole number of matches, 0 or more"},
      {"more than before", ranked + "avoid_recent = 1\n" + widen + "2\n", false,
       "muster.toml:12: queue.widen.to: 2 is no wider than the 1 before"},
      {"widened where nobody is avoided", ranked + widen + "0\n", false,
       "muster.toml:9: queue.widen.limit: this queue has no limit \"avoid_recent\""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto config = parse(row.text);
    ASSERT_EQ(config.has_value(), row.accepted) << (config ? "" : shown(config.error()));
    EXPECT_THAT(shown(config ? config->warnings : config.error()), HasSubstr(row.want));
    if (config && *row.want == 0) {
      EXPECT_THAT(config->warnings, IsEmpty());
      EXPECT_EQ(config->core.queues[0].avoid_recent, 3u);
      EXPECT_TRUE(config->core.queues[0].blocks);
    }
  }
}

TEST(ConfigQueue, RulesThatCannotBe) {
  struct Row {
    const char* name;
    const char* text;
    int line;
    const char* says;
  };
  const Row rows[] = {
      {"teams twice", "players = 4\n[[queue.team]]\nname = \"a\"\n", 8, "leave it out"},
      {"teams too large", "[[queue.team]]\nname = \"a\"\nplayers = 2\ncount = 200\n", 8,
       "have 400 seats"},
      {"two teams of a name", "[[queue.team]]\nname = \"a\"\n[[queue.team]]\nname = \"a\"\n", 11,
       "the team in line 9 too"},
      {"one bracket", "[queue.team]\nname = \"a\"\n", 8, "write [[queue.team]]"},
      {"no such key", "[[queue.rule]]\nattribute = \"a\"\nvalue = []\n", 10, "no such key"},
      {"no values", "[[queue.rule]]\nattribute = \"a\"\n", 8, "all of them"},
      {"the same value", "[[queue.rule]]\nattribute = \"a\"\nvalues = [\"x\", \"x\"]\n", 10,
       "twice"},
      {"values of a number",
       "[[queue.rule]]\nattribute = \"a\"\nis = \"max\"\nlimit = 1\nvalues = [\"x\"]\n", 12,
       "leave it out"},
      {"no limit", "[[queue.rule]]\nattribute = \"a\"\nis = \"distance\"\n", 8, "how far apart"},
      {"a limit of texts", "[[queue.rule]]\nattribute = \"a\"\nvalues = [\"x\"]\nlimit = 2\n", 11,
       "leave it out"},
      {"closer than close", "[[queue.rule]]\nattribute = \"a\"\nis = \"distance\"\nlimit = -1\n",
       11, "is negative"},
      {"not a number", "[[queue.rule]]\nattribute = \"a\"\nis = \"min\"\nlimit = nan\n", 11,
       "must be -1000000000"},
      {"the rating as attribute",
       "[[queue.rule]]\nattribute = \"rating\"\nis = \"distance\"\nlimit = 1\n", 9,
       "write rating_distance"},
      {"a name that is taken",
       "[[queue.rule]]\nattribute = \"a\"\nname = \"rating_distance\"\nvalues = [\"x\"]\n", 10,
       "choose another"},
      {"two rules of a name",
       "[[queue.rule]]\nattribute = \"a\"\nis = \"min\"\nlimit = 1\n"
       "[[queue.rule]]\nattribute = \"a\"\nis = \"max\"\nlimit = 9\n",
       12, "a `name` of its own"},
      {"between nothing and nothing",
       "[[queue.rule]]\nname = \"low\"\nattribute = \"a\"\nis = \"min\"\nlimit = 5\n"
       "[[queue.rule]]\nname = \"high\"\nattribute = \"a\"\nis = \"max\"\nlimit = 2\n"
       "[[queue.widen]]\nlimit = \"high\"\nafter = \"9s\"\nto = 4\n",
       12, "at least 5 here and at most 4 by line 13: nobody can ever play"},
      {"nothing to widen", "[[queue.widen]]\nlimit = \"x\"\nafter = \"9s\"\nto = 4\n", 9,
       "there is players_min"},
      {"a slip",
       "rating_distance = 5\n[[queue.widen]]\nlimit = \"rating_distanse\"\nafter = \"9s\"\n"
       "to = 4000\n",
       10, "did you mean"},
      {"no wider",
       "rating_distance = 5000\n[[queue.widen]]\nlimit = \"rating_distance\"\nafter = \"9s\"\n"
       "to = 5000\n",
       12, "limits only ever widen"},
      {"narrower again",
       "rating_distance = 5\n"
       "[[queue.widen]]\nlimit = \"rating_distance\"\nafter = \"20s\"\nto = 5000\n"
       "[[queue.widen]]\nlimit = \"rating_distance\"\nafter = \"10s\"\nto = 6000\n",
       12, "5000 is no wider than the 6000 before"},
      {"twice at once",
       "rating_distance = 5\n"
       "[[queue.widen]]\nlimit = \"rating_distance\"\nafter = \"20s\"\nto = 5000\n"
       "[[queue.widen]]\nlimit = \"rating_distance\"\nafter = \"20s\"\nto = 6000\n",
       15, "already"},
      {"after everybody has gone",
       "rating_distance = 5\n[[queue.widen]]\nlimit = \"rating_distance\"\nafter = \"10m\"\n"
       "to = 5000\n",
       11, "ticket_timeout is 10m"},
      {"at once", "rating_distance = 5\n[[queue.widen]]\nlimit = \"rating_distance\"\nto = 5000\n",
       9, "the limit itself"},
      {"half a point",
       "rating_distance = 5\n[[queue.widen]]\nlimit = \"rating_distance\"\nafter = \"9s\"\n"
       "to = 5000.5\n",
       12, "a whole number of points"},
      {"half a player", "[[queue.widen]]\nlimit = \"players_min\"\nafter = \"9s\"\nto = 1.5\n", 11,
       "a whole number of players"},
      {"nobody", "[[queue.widen]]\nlimit = \"players_min\"\nafter = \"9s\"\nto = 0\n", 11,
       "1 or more"},
      {"more than all", "players_min = 3\n", 8, "is 3, and a match has 2 seats"},
      {"teams that stay full",
       "players_min = 3\n[[queue.team]]\nname = \"a\"\nplayers = 3\n"
       "[[queue.team]]\nname = \"b\"\n",
       8, "is 3, and the smallest match that these teams allow has 4. Say in the tables"},
      {"uneven teams stay full", "players = 5\nteams = 2\nplayers_min = 3\n", 10,
       "Teams of different sizes stay full"},
      {"a team smaller than it is",
       "players_min = 1\n[[queue.team]]\nname = \"a\"\nplayers = 2\nplayers_min = 3\n", 12,
       "is 3, and players is 2"},
      {"fewer teams than there are",
       "players_min = 1\n[[queue.team]]\nname = \"a\"\ncount = 2\ncount_min = 3\n", 12,
       "is 3, and count is 2"},
      {"bots fill every team",
       "bots = true\nplayers_min = 1\n[[queue.team]]\nname = \"a\"\nplayers = 2\nplayers_min = 1\n",
       13, "with bots every team is filled"},
      {"too many sizes",
       "players_min = 1\n[[queue.team]]\nname = \"a\"\nplayers = 20\nplayers_min = 1\n"
       "[[queue.team]]\nname = \"b\"\nplayers = 20\nplayers_min = 1\n",
       8, "256 or more sizes"},
      {"a queue there is not", "timeout_queue = \"rankd\"\n", 8, "did you mean \"ranked\""},
      {"in a circle", "timeout_queue = \"ranked\"\n", 8, "nobody would ever expire"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto config = parse(ranked + row.text);
    ASSERT_FALSE(config);
    const auto found = std::ranges::find_if(config.error(), [&](const ConfigProblem& p) {
      return p.line == row.line && p.text.find(row.says) != std::string::npos;
    });
    EXPECT_NE(found, config.error().end()) << shown(config.error());
  }
}

TEST(ConfigQueue, AWindowThatLeavesTheExtremesAlone) {
  const auto narrow = parse(ranked + "rating_distance = 300\n");
  ASSERT_TRUE(narrow) << shown(narrow.error());
  ASSERT_EQ(narrow->warnings.size(), 1u);
  EXPECT_EQ(narrow->warnings[0].line, 8);
  EXPECT_THAT(narrow->warnings[0].text, HasSubstr("can never be matched"));
}

TEST(ConfigQueue, FewerPlayers) {
  struct Row {
    const char* name;
    std::string text;
    int line;
    const char* says;  // The one warning; empty: none.
  };
  const Row rows[] = {
      {"any number of one team", "players = 8\nplayers_min = 3\n", 0, ""},
      {"bots fill uneven teams", "players = 5\nteams = 2\nplayers_min = 1\nbots = true\n", 9,
       "one more"},
      {"once a ticket has waited",
       "players = 8\nteams = 2\n[[queue.widen]]\nlimit = \"players_min\"\nafter = \"9s\"\nto = 4\n",
       0, ""},
      {"three cannot be two teams alike", "players = 8\nteams = 2\nplayers_min = 3\n", 10,
       "is 3, and the smallest match that these teams allow has 4. All teams have equally many"},
      {"no seat stays empty", "bots = true\n", 8, "no seat stays empty"},
      {"all matches are full", "[[queue.team]]\nname = \"a\"\nplayers = 2\nplayers_min = 1\n", 8,
       "all matches are full"},
      {"one team has no other", "rating_distance = 5000\nteam_rating_distance = 5\n", 9,
       "limits nothing"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto config = parse(ranked + row.text);
    ASSERT_TRUE(config) << shown(config.error());
    if (*row.says == '\0') {
      EXPECT_TRUE(config->warnings.empty()) << shown(config->warnings);
      continue;
    }
    ASSERT_EQ(config->warnings.size(), 1u) << shown(config->warnings);
    EXPECT_EQ(config->warnings[0].line, row.line);
    EXPECT_THAT(config->warnings[0].text, HasSubstr(row.says));
  }
}

TEST(ConfigQueue, PartiesAndOffers) {
  const auto config = parse(ranked +
                            "party_rating = \"highest\"\nparty_rating_bonus = 75\n"
                            "accept_timeout = \"20s\"\ndecline_penalty = \"1m\"\n"
                            "decline_penalty_max = \"5m\"\n");
  ASSERT_TRUE(config) << shown(config.error());
  const core::QueueConfig& queue = config->core.queues[0];
  EXPECT_EQ(queue.party_rating, core::PartyRating::highest);
  EXPECT_EQ(queue.party_rating_bonus, 75u);
  EXPECT_EQ(queue.accept_timeout, core::seconds{20});
  EXPECT_EQ(queue.decline_penalty, core::minutes{1});
  EXPECT_EQ(queue.decline_penalty_max, core::minutes{5});
  EXPECT_THAT(config->warnings, testing::IsEmpty());

  struct Row {
    const char* text;
    const char* key;
    const char* says;
  };
  const Row wrong[] = {
      {"party_rating = \"best\"\n", "queue.party_rating", "average"},
      {"party_rating_bonus = -1\n", "queue.party_rating_bonus", "0 to 10000"},
      {"accept_timeout = \"500ms\"\n", "queue.accept_timeout", "less than 1s"},
      {"accept_timeout = \"6m\"\n", "queue.accept_timeout", "0s to 5m"},
      {"accept_timeout = \"9s\"\ndecline_penalty = \"11m\"\n", "queue.decline_penalty",
       "decline_penalty_max 10m"},
  };
  for (const Row& row : wrong) {
    const auto refused = parse(ranked + row.text);
    ASSERT_FALSE(refused) << row.text;
    ASSERT_EQ(refused.error().size(), 1u) << shown(refused.error());
    EXPECT_EQ(refused.error()[0].key, row.key);
    EXPECT_THAT(refused.error()[0].text, HasSubstr(row.says));
    EXPECT_GT(refused.error()[0].line, 1);
  }
  const auto idle = parse(ranked + "decline_penalty = \"1m\"\n");
  ASSERT_TRUE(idle) << shown(idle.error());
  ASSERT_EQ(idle->warnings.size(), 1u);
  EXPECT_THAT(idle->warnings[0].text, HasSubstr("without an accept_timeout"));
}

TEST(ConfigQueue, Ratings) {
  const auto openskill = parse(ranked + "rating = \"openskill\"\nrating_uses = \"conservative\"\n");
  ASSERT_TRUE(openskill) << shown(openskill.error());
  EXPECT_EQ(openskill->core.queues[0].rating,
            (core::RatingConfig{.system = core::RatingSystem::openskill,
                                .use = core::RatingUse::conservative,
                                .deviation = 500,
                                .tau = 5'000}));
  const auto glicko2 = parse(ranked +
                             "rating = \"glicko2\"\nrating_deviation = 200\nrating_tau = 0.75\n"
                             "rating_volatility = 0.05\naccounts_only = true\n");
  ASSERT_TRUE(glicko2) << shown(glicko2.error());
  EXPECT_EQ(glicko2->core.queues[0].rating,
            (core::RatingConfig{.system = core::RatingSystem::glicko2,
                                .deviation = 200,
                                .tau = 750,
                                .volatility = 50'000}));
  EXPECT_TRUE(glicko2->core.queues[0].accounts_only);
  const auto elo = parse(ranked + "rating = \"elo\"\nrating_k = 16\n");
  ASSERT_TRUE(elo) << shown(elo.error());
  EXPECT_EQ(elo->core.queues[0].rating.k, 16u);
  EXPECT_EQ(elo->core.queues[0].rating.deviation, 0u);

  struct Row {
    const char* name;
    std::string text;
    int line;
    const char* says;
  };
  const Row wrong[] = {
      {"no such system", "rating = \"openskil\"\n", 8, "did you mean \"openskill\""},
      {"another's key", "rating = \"elo\"\nrating_tau = 1\n", 9, "is no key of elo"},
      {"Elo is never uncertain", "rating = \"elo\"\nrating_uses = \"conservative\"\n", 9,
       "does not know how certain"},
      {"a key without a system", "rating_k = 5\n", 8, "has no `rating`"},
      {"alone", "players = 1\nrating = \"elo\"\n", 9, "nobody to beat"},
      {"out of range", "rating = \"elo\"\nrating_k = 0\n", 9, "must be 1 to 1000"},
      {"no number", "rating = \"openskill\"\nrating_tau = nan\n", 9, "must be 0 to 1000"},
      {"not whole", "rating = \"openskill\"\nrating_beta = 1.5\n", 9, "a whole number"},
      {"too slow", "rating = \"glicko2\"\nrating_tau = 0.01\n", 9, "less than 0.1"},
  };
  for (const Row& row : wrong) {
    SCOPED_TRACE(row.name);
    const auto config = parse(ranked + row.text);
    ASSERT_FALSE(config);
    ASSERT_EQ(config.error().size(), 1u) << shown(config.error());
    EXPECT_EQ(config.error()[0].line, row.line);
    EXPECT_THAT(config.error()[0].text, HasSubstr(row.says));
  }
}

}  // namespace
}  // namespace muster::server
