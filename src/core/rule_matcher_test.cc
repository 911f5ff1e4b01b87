#include "core/rule_matcher.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "base/prng.h"
#include "core/match_reference.h"
#include "core/match_regions.h"

namespace muster::core {
namespace {

QueueConfig duel(std::uint32_t rating_distance) {
  QueueConfig queue;
  queue.players = queue.teams = 2;
  queue.rating_distance = rating_distance;
  return queue;
}

/// A matcher and who waits in it; matches are taken out as they form.
class Line {
 public:
  explicit Line(const QueueConfig& queue) : matcher_(compile(queue)) {}

  void add(WaitingTicket ticket, Time now) {
    places_[ticket.id] = matcher_.add(ticket, now);
    waiting_[ticket.id] = std::move(ticket);
  }
  void remove(TicketId id) {
    matcher_.remove(places_[id]);
    waiting_.erase(id);
  }
  std::optional<FoundMatch> next(Time now) {
    FoundMatch found;
    if (!matcher_.next_match(now, found)) return std::nullopt;
    return found;
  }
  std::vector<WaitingTicket> waiting() const {
    std::vector<WaitingTicket> all;
    for (const auto& [id, ticket] : waiting_) all.push_back(ticket);
    return all;
  }
  RuleMatcher& matcher() { return matcher_; }
  const WaitingTicket& operator[](TicketId id) const { return waiting_.at(id); }

 private:
  RuleMatcher matcher_;
  std::map<TicketId, WaitingTicket> waiting_;
  std::map<TicketId, TicketPlace> places_;
};

WaitingTicket ticket(std::uint32_t slot, Rating rating, Time since = {}, std::uint32_t seats = 1) {
  return {{slot, 1}, since, seats, rating, {}};
}

std::vector<std::uint32_t> slots(const std::optional<FoundMatch>& found) {
  std::vector<std::uint32_t> all;
  if (found)
    for (const TicketId id : found->tickets) all.push_back(id.slot);
  return all;
}
using Slots = std::vector<std::uint32_t>;

TEST(RuleMatcher, TwoWithinTheWindowAreMatchedByTheSecondsArrival) {
  Line line(duel(100));
  const Time now{seconds{10}};
  line.add(ticket(0, 1500, Time{seconds{1}}), now);
  EXPECT_EQ(slots(line.next(now)), Slots{});
  line.add(ticket(1, 1601, Time{seconds{2}}), now);
  EXPECT_EQ(slots(line.next(now)), Slots{});
  line.add(ticket(2, 1551, Time{seconds{3}}), now);
  EXPECT_EQ(slots(line.next(now)), (Slots{0, 2}))
      << "the oldest of those in reach, not the nearest";
}

TEST(RuleMatcher, EachMustAccept) {
  QueueConfig queue = duel(100);
  queue.widen.push_back({"rating_distance", seconds{10}, 300});
  Line line(queue);
  line.add(ticket(0, 1500, Time{}), Time{});
  const Time later{seconds{11}};
  EXPECT_EQ(line.matcher().next_widening(), Time{seconds{10}});
  line.matcher().widen(later);
  EXPECT_EQ(slots(line.next(later)), Slots{});
  line.add(ticket(1, 1700, later), later);
  EXPECT_EQ(slots(line.next(later)), Slots{}) << "who has just come still wants an equal";
  ASSERT_EQ(line.matcher().next_widening(), Time{seconds{21}});
  line.matcher().widen(Time{seconds{21}});
  EXPECT_EQ(slots(line.next(Time{seconds{21}})), (Slots{0, 1})) << "at the moment it accepts";
}

TEST(RuleMatcher, TeamsAreEvenAndPartiesStayTogether) {
  QueueConfig queue;
  queue.players = 6;
  queue.teams = 2;
  queue.rating_distance = 2000;
  Line line(queue);
  line.add(ticket(0, 2000, Time{seconds{0}}, 2), Time{});
  line.add(ticket(1, 1000, Time{seconds{1}}, 2), Time{});
  line.add(ticket(2, 1000, Time{seconds{2}}), Time{});
  EXPECT_FALSE(line.next(Time{}));
  line.add(ticket(3, 2000, Time{seconds{3}}), Time{});
  const auto found = line.next(Time{});
  ASSERT_EQ(slots(found), (Slots{0, 1, 2, 3}));
  EXPECT_NE(found->teams[0], found->teams[1]);
  EXPECT_EQ(found->teams[0], found->teams[2]) << "2000 2000 1000 against 1000 1000 2000";
  EXPECT_EQ(found->teams[1], found->teams[3]);
}

std::vector<std::uint32_t> seats_of(const Line& line, const std::optional<FoundMatch>& found) {
  std::vector<std::uint32_t> seats;
  for (std::size_t i = 0; found && i < found->tickets.size(); ++i) {
    seats.resize(std::max<std::size_t>(seats.size(), found->teams[i] + 1));
    seats[found->teams[i]] += line[found->tickets[i]].seats;
  }
  return seats;
}

TEST(RuleMatcher, FewerPlayersOnceTheOldestHasWaitedForIt) {
  QueueConfig queue;
  queue.players = 6;
  queue.widen.push_back({"players_min", seconds{30}, 3});
  Line line(queue);
  for (std::uint32_t i = 0; i < 4; ++i) {
    line.add(ticket(i, 1500, Time{seconds{10 * i}}), Time{seconds{10 * i}});
    if (i < 3) {
      EXPECT_FALSE(line.next(Time{seconds{10 * i}}));
    }
  }
  EXPECT_EQ(slots(line.next(Time{seconds{30}})), (Slots{0, 1, 2, 3}))
      << "all there are, by arrival";

  Line other(queue);
  for (std::uint32_t i = 0; i < 3; ++i) other.add(ticket(i, 1500, Time{}), Time{});
  EXPECT_FALSE(other.next(Time{}));
  ASSERT_EQ(other.matcher().next_widening(), Time{seconds{30}});
  other.matcher().widen(Time{seconds{30}});
  EXPECT_EQ(slots(other.next(Time{seconds{30}})), (Slots{0, 1, 2})) << "by time alone";
}

TEST(RuleMatcher, WithoutBotsTeamsHaveEquallyMany) {
  QueueConfig queue;
  queue.players = 10;
  queue.teams = 2;
  queue.players_min = 6;
  Line line(queue);
  for (std::uint32_t i = 0; i < 5; ++i)
    line.add(ticket(i, 1500, Time{seconds{i}}), Time{seconds{5}});
  EXPECT_FALSE(line.next(Time{seconds{5}}));
  line.add(ticket(5, 1500, Time{seconds{6}}, 2), Time{seconds{6}});
  const auto found = line.next(Time{seconds{6}});
  EXPECT_EQ(slots(found), (Slots{0, 1, 2, 3, 5})) << "seven wait; three against three is the most";
  EXPECT_EQ(seats_of(line, found), (Slots{3, 3}));
}

TEST(RuleMatcher, WithBotsAsEvenAsTheTicketsAllow) {
  QueueConfig queue;
  queue.players = 10;
  queue.teams = 2;
  queue.players_min = 3;
  queue.bots = true;
  struct Row {
    const char* name;
    std::vector<std::uint32_t> seats;
    Slots teams;
  };
  const Row rows[] = {
      {"three who are alone", {1, 1, 1}, {2, 1}},
      {"two pairs and one", {2, 2, 1}, {3, 2}},
      {"a five and one: there is no other way", {5, 1}, {5, 1}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Line line(queue);
    for (std::uint32_t i = 0; i < row.seats.size(); ++i) {
      line.add(ticket(i, 1500, Time{seconds{i}}, row.seats[i]), Time{seconds{9}});
    }
    const auto found = line.next(Time{seconds{9}});
    ASSERT_TRUE(found);
    EXPECT_EQ(seats_of(line, found), row.teams);
  }
}

TEST(RuleMatcher, FewerTeamsOrFewerInOneOfThem) {
  QueueConfig squads;
  squads.team = {{"squad", 3, 20, {}, 2}};
  squads.players = 60;
  squads.teams = 20;
  squads.players_min = 6;
  Line line(squads);
  for (std::uint32_t i = 0; i < 5; ++i) line.add(ticket(i, 1500, Time{}), Time{});
  EXPECT_FALSE(line.next(Time{}));
  line.add(ticket(5, 1500, Time{}, 2), Time{});
  const auto two = line.next(Time{});
  EXPECT_EQ(slots(two), (Slots{0, 1, 2, 3, 5})) << "seven wait, and make no three squads";
  EXPECT_EQ(seats_of(line, two), (Slots{3, 3}));

  QueueConfig hunt;
  hunt.team = {{"hunters", 4, 1, 2, {}}, {"monster", 1, 1, {}, {}}};
  hunt.players = 5;
  hunt.teams = 2;
  hunt.players_min = 3;
  Line hunters(hunt);
  hunters.add(ticket(0, 1500, Time{}), Time{});
  hunters.add(ticket(1, 1500, Time{}), Time{});
  EXPECT_FALSE(hunters.next(Time{}));
  hunters.add(ticket(2, 1500, Time{}), Time{});
  EXPECT_EQ(seats_of(hunters, hunters.next(Time{})), (Slots{2, 1}));
}

QueueConfig regional(std::uint32_t latency_max) {
  QueueConfig queue;
  queue.players = queue.teams = 2;
  queue.region = {{"eu", 0}, {"us", 1}, {"asia", 2}};
  queue.latency_max = latency_max;
  return queue;
}

WaitingTicket far(std::uint32_t slot, std::vector<std::uint16_t> latency, Time since = {}) {
  return {{slot, 1}, since, 1, 1500, {}, std::move(latency)};
}

TEST(RuleMatcher, TheRegionIsTheOneThatIsBestForTheWorstOff) {
  struct Row {
    const char* name;
    std::vector<std::uint16_t> ann, bob;
    std::optional<std::uint32_t> region;
  };
  constexpr std::uint16_t unknown = latency_unknown;
  const Row rows[] = {
      {"70 at the worst rather than 90", {10, 70, 99}, {90, 60, 99}, 1},
      {"of those alike the smaller sum", {80, 80, 80}, {70, 60, 80}, 1},
      {"then the first", {40, 40, 40}, {50, 50, 50}, 0},
      {"only where both are within", {10, 101, 100}, {101, 10, 100}, 2},
      {"nowhere", {10, 101, 101}, {101, 10, 10}, std::nullopt},
      {"what was not measured is out of the question", {unknown, 90, 95}, {1, unknown, 95}, 2},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Line line(regional(100));
    line.add(far(0, row.ann), Time{});
    line.add(far(1, row.bob), Time{});
    const auto found = line.next(Time{});
    ASSERT_EQ(found.has_value(), row.region.has_value());
    if (found) {
      EXPECT_EQ(found->region, *row.region);
    }
  }
}

TEST(RuleMatcher, ARegionComesIntoReachWithTimeAndClosesWithItsFleet) {
  QueueConfig queue = regional(50);
  queue.widen.push_back({"latency_max", seconds{10}, 120});
  Line line(queue);
  line.add(far(0, {120, 100, 300}), Time{});
  line.add(far(1, {20, 40, 300}), Time{});
  EXPECT_FALSE(line.next(Time{}));
  const Time later{seconds{10}};
  line.matcher().open_regions(0b110, Time{seconds{9}});  // eu is drained.
  EXPECT_FALSE(line.next(Time{seconds{9}}));
  line.matcher().widen(later);
  const auto found = line.next(later);
  ASSERT_EQ(slots(found), (Slots{0, 1}));
  EXPECT_EQ(found->region, 1u);
  for (const TicketId id : found->tickets) line.remove(id);

  line.add(far(2, {10, 60, 300}, later), later);
  line.add(far(3, {10, 60, 300}, later), later);
  EXPECT_FALSE(line.next(later)) << "eu is still drained, us too far for now";
  line.matcher().open_regions(0b111, later);
  EXPECT_EQ(slots(line.next(later)), (Slots{2, 3})) << "by the opening alone";
}

void draw_regions(QueueConfig& queue, Prng& prng) {
  if (prng.below(3) != 0) return;
  for (const char* name : {"eu", "us", "asia"})
    if (queue.region.empty() || prng.below(2) == 0) queue.region.push_back({name, 0});
  if (prng.below(4) == 0) return;
  queue.latency_max = 20 + prng.below(100);
  for (std::uint32_t i = 0; i < prng.below(3); ++i)
    queue.widen.push_back({"latency_max", seconds{4 + 6 * i}, *queue.latency_max + 30 * (i + 1)});
}

/// A queue with anything that rules can say, for small pools.
QueueConfig draw_queue(Prng& prng) {
  QueueConfig queue;
  const std::uint32_t shape = prng.below(5);
  if (shape == 4) {
    queue.team = {{"many", 2 + prng.below(2), 1}, {"one", 1, 1}};
    queue.players = queue.team[0].players + 1;
    queue.teams = 2;
  } else {
    queue.players = 2 + shape;
    queue.teams = 1 + prng.below(queue.players);
  }
  if (prng.below(3) == 0) {
    queue.bots = prng.below(2) == 0;
    queue.players_min = queue.players - prng.below(2);
    const std::uint32_t least = 1 + prng.below(*queue.players_min);
    if (least < *queue.players_min)
      queue.widen.push_back({"players_min", seconds{3 + prng.below(9)}, least});
    if (!queue.team.empty()) queue.team[0].players_min = 1 + prng.below(2);
  }
  if (prng.below(4) != 0) queue.rating_distance = prng.below(300);
  if (prng.below(3) == 0) queue.team_rating_distance = prng.below(200);
  if (prng.below(3) == 0) queue.rules.push_back({"mode", "mode", RuleKind::equal, {"a", "b"}, 0});
  if (prng.below(3) == 0)
    queue.rules.push_back({"map", "map", RuleKind::any_of, {"x", "y", "z"}, 0});
  if (prng.below(3) == 0)
    queue.rules.push_back({"level", "level", RuleKind::distance, {}, prng.between(0, 10'000)});
  if (prng.below(4) == 0)
    queue.rules.push_back({"floor", "level", RuleKind::min, {}, prng.between(0, 5'000)});
  std::uint32_t wider = queue.rating_distance.value_or(0);
  for (std::uint32_t i = prng.below(3); queue.rating_distance && i > 0; --i) {
    wider += prng.below(300);
    queue.widen.push_back({"rating_distance", seconds{5 * (3 - i) + prng.below(5)}, wider});
  }
  for (const RuleConfig& rule : queue.rules)
    if (rule.kind == RuleKind::distance && prng.below(2) == 0)
      queue.widen.push_back({rule.name, seconds{7}, rule.limit + 5'000});
    else if (rule.kind == RuleKind::min && prng.below(2) == 0)
      queue.widen.push_back({rule.name, seconds{9}, 0});
  if (queue.team_rating_distance && prng.below(2) == 0)
    queue.widen.push_back({"team_rating_distance", seconds{6}, *queue.team_rating_distance + 100});
  draw_regions(queue, prng);
  if (prng.below(3) == 0) {
    queue.avoid_recent = 1 + prng.below(3);
    if (prng.below(3) != 0) queue.widen.push_back({"avoid_recent", seconds{8}, 0});
  }
  return queue;
}

WaitingTicket draw_ticket(const QueueConfig& queue, const MatchRules& rules, std::uint32_t slot,
                          Time now, Prng& prng) {
  WaitingTicket out;
  out.id = {slot, 1};
  out.since = now - seconds{prng.below(4) == 0 ? prng.below(20) : 0};  // Some come back.
  if (prng.below(3) == 0) out.seats = 1 + prng.below(rules.team_size_max);
  out.rating = 1500 + static_cast<Rating>(prng.below(400));
  for (const RuleConfig& rule : queue.rules) {
    if (rule.kind == RuleKind::equal)
      out.values.push_back(1 << prng.below(2));
    else if (rule.kind == RuleKind::any_of)
      out.values.push_back(1 + prng.below(7));
    else
      out.values.push_back(1000 * prng.between(0, 12));
  }
  out.players.push_back({0, {slot, 1}});
  if (out.seats > 1) out.players.push_back({slot + 1, {}});
  while (prng.below(3) == 0) {  // Some of those around.
    const std::uint32_t other = slot + prng.below(12) - std::min(slot, 6u);
    const PlayerKey player = prng.below(3) == 0 ? PlayerKey{other, {}} : PlayerKey{0, {other, 1}};
    out.shunned.push_back({player, prng.below(4)});
  }
  std::sort(out.shunned.begin(), out.shunned.end());
  for (std::size_t i = 0; i < queue.region.size(); ++i)
    out.latency.push_back(prng.below(6) == 0
                              ? latency_unknown
                              : static_cast<std::uint16_t>(10 * prng.between(0, 18)));
  return out;
}

/// Whoever can be matched is matched by the event that made it possible, and with whom it should
/// be: after each event the matcher and the slow way agree, and then nobody is left who could play.
TEST(RuleMatcher, AgreesWithTryingAll) {
  int formed = 0, widened = 0, with_parties = 0, not_full = 0, with_regions = 0, with_shunned = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    Prng prng(seed);
    const QueueConfig queue = draw_queue(prng);
    Line line(queue);
    Time now{seconds{100}};
    std::uint32_t slot = 0;
    for (int event = 0; event < 25; ++event) {
      const auto before = line.waiting();
      std::vector<TicketId> anchors;
      now += milliseconds{prng.below(3000)};
      const auto due = line.matcher().next_widening();
      const bool widens = due && *due <= now;
      if (widens) {
        now = *due;
        line.matcher().widen(now);
        for (const WaitingTicket& t : before) anchors.push_back(t.id);
      } else if (prng.below(5) == 0 && !before.empty()) {
        line.remove(before[prng.below(static_cast<std::uint32_t>(before.size()))].id);
      } else if (before.size() < 9) {
        line.add(draw_ticket(queue, line.matcher().rules(), slot++, now, prng), now);
        anchors.push_back({slot - 1, 1});
      }
      while (const auto found = line.next(now)) {
        std::vector<WaitingTicket> tickets;
        for (const TicketId id : found->tickets) tickets.push_back(line[id]);
        ASSERT_TRUE(reference_is_match(queue, tickets, found->teams, now));
        for (const WaitingTicket& t : tickets) with_shunned += !t.shunned.empty();
        if (!queue.region.empty()) {
          ASSERT_EQ(found->region, reference_region(queue, tickets, now));
          ++with_regions;
        }
        // The oldest that it could be, for one of those whom the event concerned.
        bool expected = false;
        for (const TicketId anchor : anchors)
          expected |= reference_match(queue, line.waiting(), now, anchor) == found->tickets;
        ASSERT_TRUE(expected);
        std::uint32_t seats = 0;
        for (const WaitingTicket& t : tickets) with_parties += t.seats > 1, seats += t.seats;
        not_full += seats < queue.players;
        for (const TicketId id : found->tickets) line.remove(id);
        ++formed;
        widened += widens;
      }
      ASSERT_EQ(reference_match(queue, line.waiting(), now), std::vector<TicketId>{});
    }
    EXPECT_EQ(line.matcher().cuts(), 0u);
  }
  EXPECT_GT(formed, 500) << "a test that finds nothing tests nothing";
  EXPECT_GT(widened, 30);
  EXPECT_GT(with_parties, 100);
  EXPECT_GT(not_full, 100);
  EXPECT_GT(with_regions, 100);
  EXPECT_GT(with_shunned, 100);
}

/// Whether the match would be one as well with that ticket in the place of one of its own.
bool could_replace(const QueueConfig& queue, std::vector<WaitingTicket> tickets,
                   const WaitingTicket& by, std::size_t at, Time now) {
  tickets[at] = by;
  return !reference_match(queue, tickets, now, by.id).empty() &&
         reference_match(queue, tickets, now, by.id).size() == tickets.size();
}

/// The bound on how often a ticket may be passed over: by no match that holds a younger one in
/// whose place it would have fitted as well, but for the one whose event it was. So by no more
/// matches than there are older tickets; each takes one of them away.
TEST(RuleMatcher, NobodyIsPassedOverForSomebodyYounger) {
  int passed_over = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Prng prng(seed);
    QueueConfig queue = draw_queue(prng);
    queue.widen.clear();  // So that an event is one ticket's.
    Line line(queue);
    const Time start{seconds{100}};
    for (std::uint32_t slot = 0; slot < 40; ++slot) {
      const Time now = start + seconds{slot};
      if (line.waiting().size() >= 9) break;
      WaitingTicket added = draw_ticket(queue, line.matcher().rules(), slot, now, prng);
      line.add(added, now);
      while (const auto found = line.next(now)) {
        std::vector<WaitingTicket> tickets;
        for (const TicketId id : found->tickets) tickets.push_back(line[id]);
        for (const TicketId id : found->tickets) line.remove(id);
        for (const WaitingTicket& left : line.waiting()) {
          bool fits_for_older = false;
          for (std::size_t at = 0; at < tickets.size(); ++at) {
            if (tickets[at].id == added.id || tickets[at].seats != left.seats) continue;
            if (!could_replace(queue, tickets, left, at, now)) continue;
            ASSERT_LT(std::pair(tickets[at].since, tickets[at].id), std::pair(left.since, left.id))
                << left.id.slot << " would have fitted, and has waited longer";
            fits_for_older = true;
          }
          passed_over += fits_for_older;
        }
      }
    }
  }
  EXPECT_GT(passed_over, 50) << "a test in which nobody is passed over tests nothing";
}

/// A burst of tickets with a window: none is left that could be matched.
TEST(RuleMatcher, ABurstStrandsNobodyWhoCanBeMatched) {
  Line line(duel(200));
  Prng prng(1);
  const Time now{seconds{1}};
  std::size_t matched = 0;
  for (std::uint32_t i = 0; i < 4000; ++i) {
    line.add(ticket(i, static_cast<Rating>(prng.below(100'000)), now), now);
    while (const auto found = line.next(now)) {
      matched += found->tickets.size();
      for (const TicketId id : found->tickets) line.remove(id);
    }
  }
  std::vector<WaitingTicket> left = line.waiting();
  EXPECT_EQ(left.size() + matched, 4000u);
  EXPECT_LT(left.size(), 500u);
  std::sort(left.begin(), left.end(),
            [](const auto& a, const auto& b) { return a.rating < b.rating; });
  for (std::size_t i = 1; i < left.size(); ++i)
    EXPECT_GT(left[i].rating - left[i - 1].rating, 200) << "two that could play";
}

/// Players arrive at random ratings, a third of them in parties of up to four. Every match is one
/// by every rule; how many there were, and how many searches were cut.
std::pair<std::uint32_t, std::uint64_t> play_large_matches(std::uint32_t players,
                                                           std::uint32_t teams) {
  QueueConfig queue;
  queue.players = players;
  queue.teams = teams;
  queue.rating_distance = 200;
  Line line(queue);
  Prng prng(1);
  std::uint32_t matches = 0;
  for (std::uint32_t i = 0; i < 6 * players; ++i) {
    const Time now{seconds{i}};
    const std::uint32_t seats = prng.below(3) == 0 ? 1 + prng.below(4) : 1;
    line.add(ticket(i, static_cast<Rating>(prng.below(1000)), now, seats), now);
    while (const auto found = line.next(now)) {
      std::vector<WaitingTicket> tickets;
      for (const TicketId id : found->tickets) tickets.push_back(line[id]);
      EXPECT_TRUE(reference_is_match(queue, tickets, found->teams, now));
      for (const TicketId id : found->tickets) line.remove(id);
      ++matches;
    }
  }
  return {matches, line.matcher().cuts()};
}

TEST(RuleMatcher, MatchesOfAHundredAndOfTheMostThereAre) {
  struct Row {
    const char* name;
    std::uint32_t players, teams, at_least;
  };
  const Row rows[] = {
      {"a hundred in teams of four", 100, 25, 6},
      {"256 in teams of four", 256, 64, 6},
      {"256 in two teams", 256, 2, 6},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto [matches, cuts] = play_large_matches(row.players, row.teams);
    EXPECT_GE(matches, row.at_least);
    EXPECT_EQ(cuts, 0u);
  }
}

/// Many who cannot fill a match among themselves are not gone through for every one like them.
TEST(RuleMatcher, SizesThatDoNotAddUp) {
  QueueConfig queue;
  queue.players = 10;
  queue.teams = 2;
  queue.rating_distance = 5000;
  Line line(queue);
  for (std::uint32_t i = 0; i < 5000; ++i) {
    line.add(ticket(i, 1500, Time{seconds{i}}, 3), Time{seconds{i}});
    ASSERT_FALSE(line.next(Time{seconds{i}}));
  }
  line.add(ticket(5000, 1500, Time{seconds{5000}}, 2), Time{seconds{5000}});
  EXPECT_FALSE(line.next(Time{seconds{5000}}));
  line.add(ticket(5001, 1500, Time{seconds{5001}}, 2), Time{seconds{5001}});
  EXPECT_EQ(slots(line.next(Time{seconds{5001}})), (Slots{0, 1, 5000, 5001}));
}

}  // namespace
}  // namespace muster::core
