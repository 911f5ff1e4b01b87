#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "population/compare.h"
#include "population/plot.h"
#include "population/report_show.h"

namespace muster::population {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Two regions, one queue, four players of whom one gave up.
Report small_report() {
  Report report;
  report.title = "rules <1>.toml";
  report.hours = 2;
  report.regions = {"eu", "us"};
  report.rating_bounds = {1200, 1500};
  report.visitors = 4;
  report.players_peak = 3;
  report.players_by_hour = {3, 1};
  QueueReport& queue = report.queues.emplace_back();
  queue.name = "duel";
  queue.matches = 2;
  queue.players = 3;
  queue.by_region.resize(2);
  queue.by_rating.resize(3);
  queue.by_size.resize(party_sizes_shown);
  queue.by_hour.resize(2);
  const auto player = [&](std::size_t region, std::int64_t ms, std::uint64_t gave_up) {
    for (Waits* w : {&queue.all, &queue.by_region[region], &queue.by_rating[1], &queue.by_size[0],
                     &queue.by_hour[region]}) {
      ++w->players;
      if (gave_up == 0) w->assigned.add(ms);
      w->gave_up += gave_up;
    }
  };
  player(0, 1500, 0), player(0, 61'000, 0), player(1, 200, 0), player(1, 0, 1);
  queue.favourite.add(500), queue.favourite.add(640);
  queue.favourite_by_wait[wait_band(61'000)].add(640);
  FleetReport& fleet = report.fleets.emplace_back();
  fleet.name = "duel";
  fleet.launches = 2, fleet.servers_max = 100, fleet.servers_peak = 2;
  fleet.playing_s = 3000, fleet.ready_s = 1000;
  fleet.peak_by_hour = {2, 1};
  return report;
}

TEST(Report, NumbersForPeople) {
  EXPECT_EQ(show_ms(0), "0.00s");
  EXPECT_EQ(show_ms(9999), "9.99s");
  EXPECT_EQ(show_ms(12'345), "12.3s");
  EXPECT_EQ(show_ms(61'000), "1m 01s");
  EXPECT_EQ(show_ms(3'599'600), "1h 00m");
  EXPECT_EQ(show_ms(7'320'000), "2h 02m");
  EXPECT_EQ(show_count(0), "0");
  EXPECT_EQ(show_count(999), "999");
  EXPECT_EQ(show_count(1'234'567), "1,234,567");
  EXPECT_EQ(show_share(1, 3), "33.3%");
  EXPECT_EQ(show_share(0, 0), "-");
}

TEST(Report, BandsOfRatingAndWaiting) {
  const std::vector<std::int64_t> bounds{1200, 1500};
  EXPECT_EQ(band_name(bounds, band_of(bounds, 1199)), "below 1200");
  EXPECT_EQ(band_name(bounds, band_of(bounds, 1200)), "1200 to 1499");
  EXPECT_EQ(band_name(bounds, band_of(bounds, 1500)), "1500 and above");
  EXPECT_EQ(wait_band_name(wait_band(1000)), "up to 1 s");
  EXPECT_EQ(wait_band_name(wait_band(1001)), "up to 3 s");
  EXPECT_EQ(wait_band_name(wait_band(600'001)), "over 600 s");
}

TEST(Report, AsText) {
  const std::string text = to_text(small_report());
  EXPECT_THAT(text, HasSubstr("4 players came, at most 3 were there at once"));
  EXPECT_THAT(text, HasSubstr("queue duel: 2 matches, 1.0 an hour"));
  EXPECT_THAT(text, HasSubstr("everybody                            4    1.48s   1m 01s   1m 01s"
                              "   1m 01s     25.0%     0.0%     0.0%"));
  EXPECT_THAT(text, HasSubstr("region us                            2    0.20s"));
  EXPECT_THAT(text, Not(HasSubstr("rating"))) << "one band is no division";
  EXPECT_THAT(text, HasSubstr("playing 75.0%, Ready 25.0%"));
}

TEST(Report, AsJson) {
  const boost::json::value json = boost::json::parse(to_json(small_report()));
  EXPECT_EQ(json.at("players").as_int64(), 4);
  const auto& queue = json.at("queues").at(0);
  EXPECT_EQ(queue.at("name").as_string(), "duel");
  const auto& all = queue.at("waiting").at(0);
  EXPECT_EQ(all.at("group").as_string(), "all");
  EXPECT_EQ(all.at("players").as_int64(), 4);
  EXPECT_EQ(all.at("gave_up").as_int64(), 1);
  EXPECT_EQ(all.at("wait_ms").at("count").as_int64(), 3);
  EXPECT_EQ(all.at("wait_ms").at("max").as_int64(), 61'000);
  EXPECT_EQ(queue.at("waiting").at(1).at("name").as_string(), "eu");
  EXPECT_EQ(queue.at("hours").as_array().size(), 2u);
  EXPECT_TRUE(queue.at("favourite_by_wait").as_array().back().at("wait_s_max").is_null());
  EXPECT_EQ(json.at("fleets").at(0).at("ready_s").as_int64(), 1000);
}

TEST(Report, AsAPageThatFetchesAndRunsNothing) {
  const std::string html = to_html(small_report());
  EXPECT_THAT(html, HasSubstr("rules &lt;1&gt;.toml")) << "names cannot become markup";
  EXPECT_THAT(html, Not(HasSubstr("<1>")));
  EXPECT_THAT(html, HasSubstr("prefers-color-scheme: dark"));
  for (const char* outside : {"http:", "https:", "src=", "href=", "<script", "url(", "@import"})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  // Every plot has words for who does not see it.
  std::size_t plots = 0;
  for (std::size_t at = 0; (at = html.find("role=\"img\" aria-label=\"", at)) != std::string::npos;
       ++at)
    ++plots;
  EXPECT_EQ(plots, 5u) << "day, quality, distribution, players, game servers";
}

TEST(Compare, EqualReportsHaveNoDifference) {
  const Report report = small_report();
  const auto all = differences(report, report);
  EXPECT_GT(all.size(), 10u);
  for (const Difference& d : all) EXPECT_EQ(d.a, d.b) << d.section << " " << d.name;
  EXPECT_THAT(to_text(report, report), Not(HasSubstr("+")));
}

TEST(Compare, ADifferenceHasItsSignAndUnit) {
  const Report a = small_report();
  Report b = small_report();
  b.queues[0].all.assigned.add(100, 3);
  b.queues[0].all.players += 3;
  b.queues[0].matches = 5;
  std::string text = to_text(a, b);
  EXPECT_THAT(text, HasSubstr("matches                                              2           5"
                              "          +3"));
  EXPECT_THAT(text, HasSubstr("everybody waits: p50                             1.48s       0.10s"
                              "      -1.38s"));
  EXPECT_THAT(text, HasSubstr("everybody gives up                               25.0%       14.3%"
                              "      -10.7%"));
  const boost::json::value json = boost::json::parse(to_json(a, b));
  const auto& first = json.at("differences").at(0);
  EXPECT_EQ(first.at("name").as_string(), "matches");
  EXPECT_EQ(first.at("difference").as_int64(), 3);
  EXPECT_THAT(to_html(a, b), HasSubstr("a: p50"));
}

TEST(Plot, AxesEndAtRoundNumbers) {
  for (const auto& [most, want] : {std::pair{0, 1}, {7, 8}, {11, 15}, {99, 100}, {1234, 1500}})
    EXPECT_EQ(counts_axis("", most).high, want) << most;
  EXPECT_EQ(times_axis("", 0).high, 1000);
  EXPECT_EQ(times_axis("", 45'000).high, 60'000);
  EXPECT_EQ(times_axis("", 1'000'000'000).high, 86'400'000);
}

}  // namespace
}  // namespace muster::population
