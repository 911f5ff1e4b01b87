#include "core/match_regions.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

using Measured = std::vector<RegionLatency>;

TEST(RegionLatencies, OfPlayersTogether) {
  struct Row {
    const char* name;
    std::vector<Measured> players;
    std::optional<std::uint32_t> otherwise;
    std::vector<std::uint16_t> want;
    Error error;
  };
  const std::uint16_t unknown = latency_unknown;
  const Row rows[] = {
      {"one player", {{{"eu", 20}, {"us", 90}}}, {}, {20, 90}, Error::none},
      {"regions that the queue has not are nothing to it",
       {{{"asia", 5}, {"us", 90}}},
       {},
       {unknown, 90},
       Error::none},
      {"the farthest of several",
       {{{"eu", 20}, {"us", 90}}, {{"eu", 70}, {"us", 30}}},
       {},
       {70, 90},
       Error::none},
      {"what one has not measured",
       {{{"eu", 20}, {"us", 90}}, {{"us", 30}}},
       {},
       {unknown, 90},
       Error::none},
      {"what is not measured is the default", {{{"us", 90}}}, 100, {100, 90}, Error::none},
      {"nothing measured", {{{"asia", 5}}}, {}, {}, Error::latency_missing},
      {"nothing measured by the second", {{{"eu", 5}}, {}}, {}, {}, Error::latency_missing},
      {"nothing measured, with a default", {{}}, 100, {100, 100}, Error::none},
      {"each near another", {{{"eu", 5}}, {{"us", 5}}}, {}, {}, Error::latency_too_high},
      {"never near enough", {{{"eu", 151}, {"us", 160}}}, {}, {}, Error::latency_too_high},
      {"near enough in time", {{{"eu", 150}, {"us", 160}}}, {}, {150, 160}, Error::none},
  };
  QueueConfig queue;
  queue.name = "duel";
  queue.region = {{"eu", 0}, {"us", 1}};
  queue.latency_max = 100;
  queue.widen.push_back({"latency_max", seconds{10}, 150});
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    queue.latency_default = row.otherwise;
    std::vector<const Measured*> players;
    for (const Measured& player : row.players) players.push_back(&player);
    const auto found = region_latencies(queue, players);
    EXPECT_EQ(found ? Error::none : found.error().error, row.error);
    EXPECT_EQ(found.value_or(std::vector<std::uint16_t>{}), row.want);
  }
}

TEST(RegionLatencies, Refusals) {
  struct Row {
    const char* name;
    Measured latency;
    std::string want;
  };
  const Row rows[] = {
      {"none", {}, ""},
      {"the least and the most", {{"eu", 0}, {"us", 60'000}}, ""},
      {"too much", {{"eu", 60'001}}, "60001 ms; must be 0 to 60000"},
      {"twice", {{"eu", 1}, {"eu", 2}}, "\"eu\" is there twice"},
      {"no name", {{"", 1}}, "a region's name has 1 to 32 characters"},
      {"a long name", {{std::string(33, 'e'), 1}}, "a region's name has 1 to 32 characters"},
      {"too many", Measured(33, {"eu", 1}), "there are 33 regions; may be 32"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(latency_problem(row.latency), row.want);
  }
}

}  // namespace
}  // namespace muster::core
