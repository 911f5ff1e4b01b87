#include "server/population_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "server/config_test_help.h"

namespace muster::server {
namespace {

using core::minutes;
using core::seconds;
using population::Population;
using testing::HasSubstr;

/// Rules with everything that a population can speak of.
std::vector<core::Config> rules() {
  const auto config = parse(good + R"(
timeout_queue = "casual"
[[queue.rule]]
attribute = "mode"
is = "equal"
values = ["ctf", "dm"]
[[queue.rule]]
attribute = "level"
is = "distance"
limit = 5
[[queue]]
name = "casual"
[[queue.region]]
name = "eu"
fleet = "duel"
[[queue]]
name = "ranked"
fleet = "duel"
)");
  EXPECT_TRUE(config) << shown(config.error());
  return {config->core};
}

PopulationResult read(const std::string& text) {
  return parse_population(text, "players.toml", rules());
}

TEST(PopulationFile, NothingIsNeeded) {
  const auto population = read("");
  ASSERT_TRUE(population) << shown(population.error());
  const Population defaults;
  EXPECT_EQ(population->players, defaults.players);
  EXPECT_EQ(population->patience, defaults.patience);
  EXPECT_TRUE(population->regions.empty());
}

TEST(PopulationFile, EveryKeyIsRead) {
  const auto population = read(R"(
[players]
peak = 5000
arrivals_per_hour = 20000
warm_up = "1h"
skill_mean = 1000
skill_deviation = 200
rating_error = 50
newcomers = 0.25
rating_k = 40
party_sizes = [70, 20, 10]
party_deviation = 90

[session]
matches = { median = 3, p90 = 9 }
match_length = "5m"
pause = { median = "10s", p90 = "40s" }
patience = { median = "2m", p90 = "6m" }
tries_again = 0.75

[servers]
boot = "3s"
launch_failures = 0.01
crashes = 0.001
servers_max = 20000

[[region]]
name = "eu"
weight = 3
utc_offset = 1
latency = { eu = { median = "20ms", p90 = "40ms" } }
[[region]]
name = "us"
utc_offset = -5
hours = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]

[[queue]]
name = "duel"
weight = 4
party_sizes = [1]
match_length = { median = "8m", p90 = "12m" }

[[attribute]]
name = "mode"
values = { ctf = 3, dm = 1 }
[[attribute]]
name = "level"
mean = 10.5
deviation = 4
)");
  ASSERT_TRUE(population) << shown(population.error());
  const Population& p = *population;
  EXPECT_EQ(p.players, 5000u);
  EXPECT_EQ(p.arrivals, 20'000u);
  EXPECT_EQ(p.warm_up, minutes{60});
  EXPECT_EQ(p.skill_mean, 1000);
  EXPECT_EQ(p.skill_deviation, 200u);
  EXPECT_EQ(p.rating_error, 50u);
  EXPECT_EQ(p.newcomers, 250'000u);
  EXPECT_EQ(p.rating_k, 40u);
  EXPECT_EQ(p.party_sizes, (std::vector<std::uint32_t>{70, 20, 10}));
  EXPECT_EQ(p.party_deviation, 90u);
  EXPECT_EQ(p.matches, (population::CountSpread{3, 9}));
  EXPECT_EQ(p.match, (population::Spread{minutes{5}, minutes{5}}));
  EXPECT_EQ(p.pause, (population::Spread{seconds{10}, seconds{40}}));
  EXPECT_EQ(p.patience, (population::Spread{minutes{2}, minutes{6}}));
  EXPECT_EQ(p.tries_again, 750'000u);
  EXPECT_EQ(p.boot, (population::Spread{seconds{3}, seconds{3}}));
  EXPECT_EQ(p.launch_failures, 10'000u);
  EXPECT_EQ(p.crashes, 1000u);
  EXPECT_EQ(p.servers_max, 20'000u);
  ASSERT_EQ(p.regions.size(), 2u);
  EXPECT_EQ(p.regions[0].weight, 3u);
  EXPECT_EQ(p.regions[0].hours, population::hours_default);
  ASSERT_EQ(p.regions[0].latency.size(), 1u);
  EXPECT_EQ(p.regions[0].latency[0].first, "eu");
  EXPECT_EQ(p.regions[0].latency[0].second,
            (population::Spread{core::milliseconds{20}, core::milliseconds{40}}));
  EXPECT_EQ(p.regions[1].utc_offset, -5);
  EXPECT_EQ(p.regions[1].hours[23], 7u);
  ASSERT_EQ(p.queues.size(), 1u);
  EXPECT_EQ(p.queues[0].weight, 4u);
  EXPECT_EQ(p.queues[0].party_sizes, (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(p.queues[0].match, (population::Spread{minutes{8}, minutes{12}}));
  ASSERT_EQ(p.attributes.size(), 2u);
  EXPECT_EQ(p.attributes[0].values,
            (std::vector<std::pair<std::string, std::uint32_t>>{{"ctf", 3}, {"dm", 1}}));
  EXPECT_EQ(p.attributes[1].mean, 10'500);
  EXPECT_EQ(p.attributes[1].deviation, 4000);
}

TEST(PopulationFile, Refusals) {
  struct Row {
    const char* text;
    const char* want;  // The whole line, or its beginning.
  };
  const Row table[] = {
      {"peak", "players.toml:1: "},
      {"[playerz]", "players.toml:1: playerz: there is no such table, did you mean \"players\"?"},
      {"players = 3", "players.toml:1: players: must be a table: [players]"},
      {"[players]\npeek = 3", "players.toml:2: players.peek: there is no such key, did you mean"},
      {"[players]\npeak = 0", "players.toml:2: players.peak: is 0; must be 1 to 1000000"},
      {"[players]\npeak = \"many\"", "players.toml:2: players.peak: is a string; must be a whole"},
      {"[players]\narrivals_per_hour = 0",
       "players.toml:2: players.arrivals_per_hour: is 0; must be 1 to 10000000"},
      {"[players]\nnewcomers = 5",
       "players.toml:2: players.newcomers: is 5; must be 0 to 1, so 5 percent are 0.05"},
      {"[players]\nnewcomers = nan", "players.toml:2: players.newcomers: is nan; must be 0 to 1"},
      {"[players]\nparty_sizes = []", "players.toml:2: players.party_sizes: has 0 numbers"},
      {"[players]\nparty_sizes = [0, 0]",
       "players.toml:2: players.party_sizes: has nothing but 0; somebody must come"},
      {"[players]\nparty_sizes = [1, -1]",
       "players.toml:2: players.party_sizes: number 2 is -1; must be 0 to 10000"},
      {"[session]\npatience = 30",
       "players.toml:2: session.patience: is a number; must be \"30s\" or { median"},
      {"[session]\npatience = \"0s\"",
       "players.toml:2: session.patience: is 0s; must be 1s to 24h"},
      {"[session]\npatience = { median = \"5m\" }",
       "players.toml:2: session.patience: has a median and a p90 and nothing else"},
      {"[session]\npatience = { median = \"5m\", p90 = \"4m\" }",
       "players.toml:2: session.patience: has a p90 below its median"},
      {"[session]\npatience = { median = \"1s\", p90 = \"1h\" }",
       "players.toml:2: session.patience: has a p90 more than 20 times its median"},
      {"[session]\npause = { median = \"0s\", p90 = \"1s\" }",
       "players.toml:2: session.pause: has a p90 more than 20 times its median"},
      {"[session]\nmatches = 0", "players.toml:2: session.matches: is 0; must be 1 to 1000"},
      {"[session]\nmatches = { median = 4, p90 = 2 }",
       "players.toml:2: session.matches: has a p90 below its median"},
      {"[session]\nmatches = { median = 4, p90 = \"8\" }",
       "players.toml:2: session.matches: p90 is a string"},
      {"[servers]\nservers_max = 70000", "players.toml:2: servers.servers_max: is 70000; must be"},
      {"[region]\nname = \"eu\"", "players.toml:1: region: there can be several: write [[region]]"},
      {"[[region]]\nweight = 1", "players.toml:1: region.name: is missing, and has no default"},
      {"[[region]]\nname = \"eu\"\nweight = 0", "players.toml:3: region.weight: is 0; must be 1"},
      {"[[region]]\nname = \"eu\"\nutc_offset = 15",
       "players.toml:3: region.utc_offset: is 15; must be -12 to 14"},
      {"[[region]]\nname = \"eu\"\nhours = [1, 2]",
       "players.toml:3: region.hours: has 2 numbers; must have 24"},
      {"[[region]]\nname = \"eu\"\nlatency = 30",
       "players.toml:3: region.latency: is a number; must be a table such as"},
      {"[[region]]\nname = \"eu\"\nlatency = { eu = \"0ms\" }",
       "players.toml:3: region.latency: eu is 0ms; must be 1ms to 1m"},
      {"[[region]]\nname = \"eu\"\nlatency = { us = \"30ms\" }",
       "players.toml:3: region.latency: no queue of the configuration has a region \"us\""},
      {"[[region]]\nname = \"eu\"\n[[region]]\nname = \"eu\"",
       "players.toml:4: region.name: \"eu\" is in line 2 already"},
      {"[[queue]]\nname = \"dual\"",
       "players.toml:2: queue.name: the configuration has no queue \"dual\", did you mean "
       "\"duel\"?"},
      {"[[queue]]\nname = \"duel\"\n[[queue]]\nname = \"duel\"",
       "players.toml:4: queue.name: \"duel\" is in line 2 already"},
      {"[[queue]]\nname = \"casual\"\nweight = 2",
       "players.toml:3: queue.weight: players come to casual by another queue's timeout_queue"},
      {"[[queue]]\nname = \"duel\"\nweight = 0\n[[queue]]\nname = \"ranked\"\nweight = 0",
       "players.toml:6: queue.weight: is 0 for every queue; nobody would play"},
      {"[[attribute]]\nname = \"colour\"\nvalues = { red = 1 }",
       "players.toml:2: attribute.name: no rule of the configuration asks for \"colour\""},
      {"[[attribute]]\nname = \"mode\"\nmean = 3\ndeviation = 1",
       "players.toml:1: attribute: mode is a text: it has `values`, and nothing else"},
      {"[[attribute]]\nname = \"level\"\nmean = 3",
       "players.toml:1: attribute: level is a number: it has `mean` and `deviation`"},
      {"[[attribute]]\nname = \"level\"\nmean = 3\ndeviation = -1",
       "players.toml:4: attribute.deviation: is below 0"},
      {"[[attribute]]\nname = \"mode\"\nvalues = { ctg = 1 }",
       "players.toml:3: attribute.values: \"ctg\" is not among the rule's values, did you mean"},
      {"[[attribute]]\nname = \"mode\"\nvalues = { ctf = 0 }",
       "players.toml:3: attribute.values: has nothing but 0; everybody sends something"},
  };
  for (const Row& row : table) {
    SCOPED_TRACE(row.text);
    const auto population = read(row.text);
    if (population) {
      ADD_FAILURE() << "was accepted";
      continue;
    }
    EXPECT_THAT(to_string(population.error().front()), testing::StartsWith(row.want));
  }
}

TEST(PopulationFile, EveryProblemIsSaidAtOnce) {
  const auto population = read("[players]\npeak = 0\n[session]\npause = 3\n[[region]]\n");
  ASSERT_FALSE(population);
  EXPECT_EQ(population.error().size(), 3u) << shown(population.error());
}

TEST(PopulationFile, AFileThatIsNotThere) {
  const auto population = load_population("/nonexistent/players.toml", rules());
  ASSERT_FALSE(population);
  EXPECT_THAT(shown(population.error()), HasSubstr("players.toml: cannot be read: No such file"));
}

TEST(PopulationFile, TheDocumentationHasEveryKeyWithItsDefaultAndRange) {
  EXPECT_GT(expect_documented(population_keys(), MUSTER_SOURCE_DIR "/docs/simulator.md", "#"), 25u);
}

}  // namespace
}  // namespace muster::server
