#include "population/simulation.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>

#include "population/report_show.h"

namespace muster::population {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

core::Config duel_config() {
  core::Config config;
  core::FleetConfig fleet;
  fleet.name = "duel";
  fleet.command = {"duel"};
  fleet.ports = {7000, 7099};
  fleet.servers_max = 100;
  config.fleets.push_back(fleet);
  core::QueueConfig queue;
  queue.name = "duel";
  queue.teams = 2;
  config.queues.push_back(queue);
  return config;
}

/// Few enough for a build that looks at every invariant after every step.
Population small_population() {
  Population population;
  population.players = 40;
  population.match = {minutes{2}, minutes{3}};
  population.warm_up = minutes{5};
  population.regions = {{.name = "eu"}, {.name = "us", .weight = 2, .utc_offset = -5}};
  for (Region& region : population.regions) region.hours.fill(1);
  return population;
}

Report run(const core::Config& config, const Population& population, std::uint64_t seed = 1,
           std::uint32_t hours = 1) {
  return Simulation(config, population, {.title = "test", .seed = seed, .hours = hours}).run();
}

/// Those who come when a test says, all strangers to chance.
class Scripted final : public Arrivals {
 public:
  struct Guest {
    seconds at;
    core::Rating skill;
    Duration patience;
    std::uint32_t size = 1;
  };
  explicit Scripted(std::deque<Guest> guests, Duration match) : guests_(guests), match_(match) {}
  std::optional<Time> next() const override {
    return guests_.empty() ? std::nullopt : std::optional(midnight + guests_.front().at);
  }
  Visit take() override {
    const Guest guest = guests_.front();
    guests_.pop_front();
    return {.seed = ++seeds_,
            .size = guest.size,
            .skill = guest.skill,
            .rating = guest.skill,
            .attributes = {},
            .patience = guest.patience};
  }
  Duration match_length(core::QueueIndex, Stream) const override { return match_; }

 private:
  std::deque<Guest> guests_;
  Duration match_;
  std::uint64_t seeds_ = 0;
};

Population quiet() {
  Population population;
  population.boot = {seconds{4}, seconds{4}};
  population.tries_again = 0;
  return population;
}

/// Everybody is 30 ms from game servers of their own and 100 ms from the others'.
TEST(Simulation, MatchesAreNearWhereAQueueHasRegions) {
  core::Config config = duel_config();
  config.fleets.push_back(config.fleets.front());
  config.fleets[1].name = "us";
  config.queues[0].region = {{"eu", 0}, {"us", 1}};
  config.queues[0].latency_max = 50;
  Population population = small_population();
  const auto both = [](int eu, int us) {
    const auto ms = [](int n) {
      return Spread{std::chrono::milliseconds{n}, std::chrono::milliseconds{n}};
    };
    return std::vector<std::pair<std::string, Spread>>{{"eu", ms(eu)}, {"us", ms(us)}};
  };
  population.regions[0].latency = both(30, 100);
  population.regions[1].latency = both(100, 30);
  const Report near = run(config, population);
  EXPECT_TRUE(near.refusals.empty());
  const Waits& all = near.queues[0].all;
  EXPECT_GT(all.assigned.count(), 0u);
  EXPECT_EQ(all.latency.count(), all.assigned.count());
  EXPECT_EQ(all.latency.max(), 30);
  for (const FleetReport& fleet : near.fleets) EXPECT_GT(fleet.launches, 0u) << fleet.name;

  config.queues[0].latency_max = 100;  // Then others' game servers will do.
  const Report far = run(config, population);
  EXPECT_EQ(far.queues[0].all.latency.max(), 100);
  EXPECT_LE(far.queues[0].all.assigned.percentile(900), all.assigned.percentile(900));
}

/// Every number of a report, from a case that can be worked out by hand.
TEST(Simulation, FourPlayersByHand) {
  const Population population = quiet();
  // Two meet after 10 s and wait 4 s for a game server; two meet later and it is Ready.
  const std::deque<Scripted::Guest> guests{{seconds{0}, 1500, minutes{5}},
                                           {seconds{10}, 1900, minutes{5}},
                                           {seconds{400}, 1500, minutes{5}},
                                           {seconds{401}, 1500, minutes{5}},
                                           {seconds{1000}, 1500, seconds{30}}};
  const Report report = Simulation(duel_config(), population, {.title = "by hand", .hours = 1},
                                   std::make_unique<Scripted>(guests, minutes{3}))
                            .run();
  EXPECT_EQ(report.visitors, 5u);
  EXPECT_EQ(report.players_peak, 2u);
  EXPECT_EQ(report.still_waiting, 0u);
  ASSERT_EQ(report.queues.size(), 1u);
  const QueueReport& queue = report.queues[0];
  EXPECT_EQ(queue.matches, 2u);
  EXPECT_EQ(queue.players, 4u);
  EXPECT_EQ(queue.all.players, 5u);
  EXPECT_EQ(queue.all.gave_up, 1u);
  EXPECT_EQ(queue.all.expired, 0u);
  EXPECT_EQ(queue.all.assigned.count(), 4u);
  EXPECT_EQ(queue.all.assigned.max(), 14'000);
  EXPECT_EQ(queue.all.assigned.percentile(250), 0);
  EXPECT_NEAR(static_cast<double>(queue.all.assigned.percentile(500)), 1000, 31);
  EXPECT_EQ(queue.found.max(), 10'000);
  EXPECT_EQ(queue.server.max(), 4000);
  EXPECT_EQ(queue.spread.max(), 400);
  EXPECT_EQ(queue.favourite.percentile(500), 500);
  EXPECT_EQ(queue.favourite.max(), 909);
  EXPECT_EQ(queue.favourite_by_wait[wait_band(14'000)].count(), 1u);
  EXPECT_EQ(queue.favourite_by_wait[wait_band(1000)].count(), 1u);
  EXPECT_EQ(queue.by_rating[band_of(report.rating_bounds, 1900)].players, 1u);
  const FleetReport& fleet = report.fleets[0];
  EXPECT_EQ(fleet.launches, 1u);
  EXPECT_EQ(fleet.servers_peak, 1u);
  EXPECT_EQ(fleet.starting_s, 4u);
  EXPECT_EQ(fleet.playing_s, 360u);
  // Ready between the matches, 14 + 180 to 401, and then until idle_timeout, five minutes.
  EXPECT_EQ(fleet.ready_s, 207u + 300u);
}

TEST(Simulation, TheSameSeedIsTheSameDayByteForByte) {
  const core::Config config = duel_config();
  const Population population = small_population();
  EXPECT_EQ(to_json(run(config, population)), to_json(run(config, population)));
  EXPECT_NE(run(config, population, 1).digest, run(config, population, 2).digest);
}

/// Rules change what becomes of players, not who they are or when they come.
TEST(Simulation, OtherRulesHaveTheSamePlayers) {
  core::Config strict = duel_config();
  strict.queues[0].rating_distance = 30;
  const Population population = small_population();
  const Report a = run(duel_config(), population), b = run(strict, population);
  EXPECT_GT(a.visitors, 10u);
  EXPECT_EQ(a.visitors, b.visitors);
  EXPECT_LE(b.queues[0].spread.max(), 30);
  EXPECT_GT(a.queues[0].spread.max(), 30);
  EXPECT_GT(b.queues[0].all.assigned.percentile(500), a.queues[0].all.assigned.percentile(500));
}

/// Every player who pressed is accounted for, whatever goes wrong.
TEST(Simulation, NobodyIsLostToTheCount) {
  core::Config config = duel_config();
  config.fleets[0].servers_max = 3;
  config.fleets[0].after_match = core::AfterMatch::exit;
  config.fleets[0].launch_attempts_max = 1;
  config.queues[0].requeue_on_server_lost = true;
  config.queues[0].ticket_timeout = minutes{2};
  Population population = small_population();
  population.launch_failures = 100'000;
  population.crashes = 200'000;
  population.warm_up = Duration::zero();
  population.party_sizes = {3, 1};
  const Report report = run(config, population, 3, 2);
  const Waits& all = report.queues[0].all;
  EXPECT_EQ(all.players,
            all.assigned.count() + all.gave_up + all.expired + all.failed + report.still_waiting);
  EXPECT_GT(all.expired, 0u);
  EXPECT_GT(all.failed, 0u);
  EXPECT_GT(report.queues[0].lost, 0u);
  EXPECT_GT(report.fleets[0].launch_failures, 0u);
  EXPECT_LE(report.fleets[0].servers_peak, 3u);
  Waits regions, ratings, sizes, hours;
  for (const Waits& w : report.queues[0].by_region) regions.add(w);
  for (const Waits& w : report.queues[0].by_rating) ratings.add(w);
  for (const Waits& w : report.queues[0].by_size) sizes.add(w);
  for (const Waits& w : report.queues[0].by_hour) hours.add(w);
  for (const Waits* parts : {&regions, &ratings, &sizes, &hours}) {
    EXPECT_EQ(parts->players, all.players);
    EXPECT_EQ(parts->assigned.count(), all.assigned.count());
    EXPECT_EQ(parts->gave_up + parts->expired + parts->failed,
              all.gave_up + all.expired + all.failed);
  }
}

TEST(Simulation, AsManyAreThereAsThePopulationSays) {
  Population population = small_population();
  population.players = 120;
  population.warm_up = minutes{60};
  core::Config config = duel_config();
  std::uint64_t peaks = 0;
  for (std::uint64_t seed = 1; seed <= 3; ++seed)
    peaks += run(config, population, seed).players_peak;
  EXPECT_NEAR(static_cast<double>(peaks) / 3, 120, 45);
}

TEST(Simulation, ARatingComesNearerToTheSkill) {
  // Newcomers alone, all shown alike: who plays more is matched by what they have shown.
  core::Config config = duel_config();
  config.queues[0].rating_distance = 100;
  core::WidenConfig widen;
  widen.limit = "rating_distance", widen.after = seconds{20}, widen.to = 5000;
  config.queues[0].widen.push_back(widen);
  Population population = small_population();
  population.newcomers = 1'000'000;
  population.matches = {30, 30};
  population.match = {seconds{20}, seconds{20}};
  population.pause = {seconds{5}, seconds{10}};
  population.players = 30;
  population.rating_k = 0;
  const std::int64_t blind = run(config, population).queues[0].favourite.percentile(500);
  population.rating_k = 100;
  const std::int64_t seeing = run(config, population).queues[0].favourite.percentile(500);
  EXPECT_LT(seeing, blind) << "ratings that learn make evener matches";
}

TEST(Simulation, AttributesThatRulesAskForAreThere) {
  core::Config config = duel_config();
  core::RuleConfig mode, maps, level;
  mode.name = mode.attribute = "mode", mode.values = {"ctf", "dm"};
  maps.name = maps.attribute = "maps", maps.kind = core::RuleKind::any_of;
  maps.values = {"ice", "sand", "wood"};
  level.name = level.attribute = "level", level.kind = core::RuleKind::distance, level.limit = 5000;
  config.queues[0].rules = {mode, maps, level};
  const Report report = run(config, small_population());
  EXPECT_TRUE(report.refusals.empty()) << report.refusals.begin()->first;
  EXPECT_GT(report.queues[0].matches, 5u);
}

TEST(Simulation, WhoFindsNobodyGoesOnElsewhere) {
  core::Config config = duel_config();
  core::QueueConfig casual = config.queues[0];
  casual.name = "casual";
  config.queues[0].rating_distance = 5;
  config.queues[0].timeout_queue = "casual";
  config.queues[0].ticket_timeout = seconds{30};
  config.queues.push_back(casual);
  const Report report = run(config, small_population());
  EXPECT_GT(report.queues[1].moved, 0u);
  EXPECT_GT(report.queues[1].matches, 0u);
  EXPECT_EQ(report.queues[1].all.players, 0u) << "nobody presses there";
  EXPECT_EQ(report.queues[0].all.expired, 0u);
}

TEST(Simulation, BotsTakeTheSeatsThatStayEmpty) {
  core::Config config = duel_config();
  config.queues[0].players = 20;
  config.queues[0].bots = true;
  core::WidenConfig widen;
  widen.limit = "players_min", widen.after = seconds{15}, widen.to = 1;
  config.queues[0].widen.push_back(widen);
  const Report report = run(config, small_population());
  EXPECT_GT(report.queues[0].bots, 0u);
  EXPECT_GT(report.queues[0].smaller, 0u);
}

}  // namespace
}  // namespace muster::population
