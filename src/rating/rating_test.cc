// Published worked examples, and what must hold of every system.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "base/prng.h"
#include "rating/elo.h"
#include "rating/glicko2.h"
#include "rating/openskill.h"

namespace muster::rating {
namespace {

using Sides = std::vector<Side>;

Side side_of(std::uint32_t rank, std::vector<Skill> skills) {
  Side side{rank, {}};
  for (const Skill& skill : skills) side.players.push_back({skill, 1});
  return side;
}

// ---- OpenSkill: the expectations of openskill.js (its plackett-luce.test.ts), which has the
// paper's scale: mean 25, deviation 25/3, beta 25/6, and no tau.

constexpr OpenSkill paper{25.0 / 6, 0};
constexpr Skill fresh{25, 25.0 / 3, 0};

struct Expected {
  double mean, deviation;
};

void expect_means(const Sides& sides, const std::vector<Expected>& want) {
  ASSERT_EQ(sides.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i)
    for (const Entrant& player : sides[i].players) {
      EXPECT_NEAR(player.skill.mean, want[i].mean, 1e-9) << "side " << i;
      EXPECT_NEAR(player.skill.deviation, want[i].deviation, 1e-9) << "side " << i;
    }
}

TEST(OpenSkill, PublishedExamples) {
  struct Row {
    const char* name;
    std::vector<std::size_t> sizes;  // Of the sides, in order of their ranks.
    std::vector<Expected> want;
  };
  const Row rows[] = {
      {"a duel",
       {1, 1},
       {{27.63523138347365, 8.065506316323548}, {22.36476861652635, 8.065506316323548}}},
      {"three, each for themselves",
       {1, 1, 1},
       {{27.868876552746237, 8.204837030780652},
        {25.717219138186557, 8.057829747583874},
        {21.413904309067206, 8.057829747583874}}},
      {"five, each for themselves",
       {1, 1, 1, 1, 1},
       {{27.666666666666668, 8.290556877154474},
        {26.833333333333332, 8.240145629781066},
        {25.72222222222222, 8.179996679645559},
        {24.055555555555557, 8.111796013701358},
        {20.72222222222222, 8.111796013701358}}},
      {"three teams of different sizes",
       {3, 1, 2},
       {{25.939870821784513, 8.247641552260456},
        {27.21366020491262, 8.274321317985242},
        {21.84646897330287, 8.213058173195341}}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Sides sides;
    for (std::size_t i = 0; i < row.sizes.size(); ++i)
      sides.push_back(
          side_of(static_cast<std::uint32_t>(i + 1), std::vector<Skill>(row.sizes[i], fresh)));
    rate(sides, paper);
    expect_means(sides, row.want);
  }
}

TEST(OpenSkill, KnowsNoUnit) {
  Sides here = {side_of(1, {fresh}), side_of(2, {fresh, fresh})};
  Sides there = {side_of(1, {{1500, 500, 0}}), side_of(2, {{1500, 500, 0}, {1500, 500, 0}})};
  rate(here, paper);
  rate(there, OpenSkill{250, 0});
  for (std::size_t i = 0; i < here.size(); ++i) {
    EXPECT_NEAR(here[i].players[0].skill.mean * 60, there[i].players[0].skill.mean, 1e-9);
    EXPECT_NEAR(here[i].players[0].skill.deviation * 60, there[i].players[0].skill.deviation, 1e-9);
  }
}

TEST(OpenSkill, WhoPlayedLessMovesLess) {
  Sides sides = {side_of(1, {{1500, 500, 0}}), side_of(2, {{1500, 500, 0}, {1500, 500, 0}})};
  sides[1].players[1].share = 0.25;
  rate(sides, OpenSkill{});
  EXPECT_LT(sides[1].players[0].skill.mean, sides[1].players[1].skill.mean);
  EXPECT_LT(sides[1].players[1].skill.mean, 1500);
  EXPECT_LT(sides[1].players[0].skill.deviation, sides[1].players[1].skill.deviation);
}

// ---- Glicko-2: the paper's example.

TEST(Glicko2, ThePapersExample) {
  const Glicko2Game games[] = {{1400, 30, 1}, {1550, 100, 0}, {1700, 300, 0}};
  const Skill after = after_period({1500, 200, 0.06}, games, Glicko2{});
  EXPECT_NEAR(after.mean, 1464.06, 0.01);
  EXPECT_NEAR(after.deviation, 151.52, 0.01);
  EXPECT_NEAR(after.volatility, 0.05999, 0.00001);
}

TEST(Glicko2, WhoDoesNotPlayIsKnownLess) {
  const Skill after = after_period({1500, 200, 0.06}, {}, Glicko2{});
  EXPECT_EQ(after.mean, 1500);
  EXPECT_NEAR(after.deviation, 200.2714, 0.001);
  EXPECT_EQ(after_period({1500, 350, 0.06}, {}, Glicko2{}).deviation, 350)
      << "nobody less than new";
}

TEST(Glicko2, AMatchIsThePapersPeriod) {
  Sides sides = {side_of(2, {{1500, 200, 0.06}}), side_of(1, {{1550, 100, 0.06}})};
  const Glicko2Game lost{1550, 100, 0};
  rate(sides, Glicko2{});
  EXPECT_EQ(sides[0].players[0].skill, after_period({1500, 200, 0.06}, {&lost, 1}, Glicko2{}));
}

// ---- Elo: the usual example, and the sum that stays.

TEST(Elo, Examples) {
  EXPECT_NEAR(expected_score(1613, 1609), 0.506, 0.001);
  EXPECT_NEAR(expected_score(1613, 1477), 0.686, 0.001);
  EXPECT_NEAR(expected_score(1613, 1388), 0.785, 0.001);
  EXPECT_NEAR(expected_score(1613, 1586), 0.539, 0.001);
  EXPECT_NEAR(expected_score(1613, 1720), 0.351, 0.001);
  Sides even = {side_of(1, {{1500, 0, 0}}), side_of(2, {{1500, 0, 0}})};
  rate(even, Elo{});
  EXPECT_EQ(even[0].players[0].skill.mean, 1516);
  EXPECT_EQ(even[1].players[0].skill.mean, 1484);
}

// ---- What must hold of all of them.

struct System {
  const char* name;
  std::function<void(Sides&)> rate;
  bool sums_to_zero;  // Sides of equal size, all of whom played.
  bool uncertain;     // It has deviations.
};
const System systems[] = {
    {"openskill", [](Sides& s) { rate(s, OpenSkill{}); }, false, true},
    {"glicko2", [](Sides& s) { rate(s, Glicko2{}); }, false, true},
    {"elo", [](Sides& s) { rate(s, Elo{}); }, true, false},
};

Sides some_match(Prng& prng, std::size_t players_each) {
  Sides sides;
  const std::uint32_t count = 2 + prng.below(5);
  for (std::uint32_t i = 0; i < count; ++i) {
    Side side{1 + prng.below(count), {}};
    for (std::size_t k = 0; k < players_each; ++k)
      side.players.push_back(
          {{static_cast<double>(prng.below(3000)), static_cast<double>(30 + prng.below(400)), 0.06},
           1});
    sides.push_back(side);
  }
  return sides;
}

TEST(Rating, WhoIsFirstAloneNeverLosesAndWhoIsLastNeverGains) {
  for (const System& system : systems) {
    SCOPED_TRACE(system.name);
    Prng prng(1);
    for (int i = 0; i < 500; ++i) {
      const Sides before = some_match(prng, 1 + prng.below(3));
      Sides after = before;
      system.rate(after);
      const auto better = [](const Side& a, const Side& b) { return a.rank < b.rank; };
      const auto [first, last] = std::minmax_element(before.begin(), before.end(), better);
      for (std::size_t k = 0; k < before.size(); ++k)
        for (std::size_t p = 0; p < before[k].players.size(); ++p) {
          const double change = after[k].players[p].skill.mean - before[k].players[p].skill.mean;
          const auto rivals = std::count_if(before.begin(), before.end(), [&](const Side& side) {
            return side.rank == before[k].rank;
          });
          if (rivals > 1 || first->rank == last->rank) continue;
          if (before[k].rank == first->rank) {
            EXPECT_GE(change, -1e-9);
          }
          if (before[k].rank == last->rank) {
            EXPECT_LE(change, 1e-9);
          }
        }
    }
  }
}

TEST(Rating, TheOrderOfSidesDoesNotMatter) {
  for (const System& system : systems) {
    SCOPED_TRACE(system.name);
    Prng prng(2);
    for (int i = 0; i < 200; ++i) {
      Sides there = some_match(prng, 2);
      Sides back(there.rbegin(), there.rend());
      system.rate(there);
      system.rate(back);
      for (std::size_t k = 0; k < there.size(); ++k)
        for (std::size_t p = 0; p < 2; ++p)
          EXPECT_NEAR(there[k].players[p].skill.mean,
                      back[back.size() - 1 - k].players[p].skill.mean, 1e-6);
    }
  }
}

TEST(Rating, WhatOneSideGainsTheOthersLoseWhereItIsSo) {
  for (const System& system : systems) {
    if (!system.sums_to_zero) continue;
    SCOPED_TRACE(system.name);
    Prng prng(3);
    for (int i = 0; i < 200; ++i) {
      const Sides before = some_match(prng, 1 + prng.below(4));
      Sides after = before;
      system.rate(after);
      double sum = 0;
      for (std::size_t k = 0; k < before.size(); ++k)
        for (std::size_t p = 0; p < before[k].players.size(); ++p)
          sum += after[k].players[p].skill.mean - before[k].players[p].skill.mean;
      EXPECT_NEAR(sum, 0, 1e-6);
    }
  }
}

TEST(Rating, ADrawOfEqualsChangesNoMean) {
  for (const System& system : systems) {
    SCOPED_TRACE(system.name);
    Sides sides = {side_of(1, {{1600, 200, 0.06}}), side_of(1, {{1600, 200, 0.06}})};
    system.rate(sides);
    EXPECT_NEAR(sides[0].players[0].skill.mean, 1600, 1e-9);
    EXPECT_NEAR(sides[1].players[0].skill.mean, 1600, 1e-9);
  }
}

TEST(Rating, WhoHasNotPlayedStaysAsTheyWere) {
  for (const System& system : systems) {
    SCOPED_TRACE(system.name);
    const Skill skill{1600, 200, 0.06};
    Sides sides = {side_of(1, {skill, skill}), side_of(2, {skill})};
    sides[0].players[1].share = 0;
    system.rate(sides);
    EXPECT_EQ(sides[0].players[1].skill, skill);
    EXPECT_GT(sides[0].players[0].skill.mean, 1600);
    Sides alone = {side_of(1, {skill}), side_of(2, {skill})};
    alone[1].players[0].share = 0;
    system.rate(alone);
    EXPECT_EQ(alone[0].players[0].skill.mean, 1600) << "against nobody";
  }
}

TEST(Rating, ExtremesStayNumbers) {
  const double means[] = {-1e6, 0, 1e6};
  const double deviations[] = {1e-3, 350, 1e4};
  for (const System& system : systems) {
    SCOPED_TRACE(system.name);
    for (const double a : means)
      for (const double b : means)
        for (const double deviation : deviations)
          for (const std::uint32_t rank : {1u, 2u, 3u}) {
            Sides sides = {side_of(2, {{a, deviation, 0.06}}), side_of(rank, {{b, 350, 0.06}})};
            for (int i = 0; i < 3; ++i) system.rate(sides);
            for (const Side& side : sides) {
              const Skill& skill = side.players[0].skill;
              EXPECT_TRUE(std::isfinite(skill.mean) && std::isfinite(skill.deviation) &&
                          std::isfinite(skill.volatility))
                  << a << " " << b << " " << deviation << " " << rank;
              EXPECT_TRUE(skill.deviation > 0 || !system.uncertain);
            }
          }
    // As many as a match has.
    Sides crowd;
    for (std::uint32_t i = 0; i < 256; ++i) crowd.push_back(side_of(i + 1, {{1500, 350, 0.06}}));
    system.rate(crowd);
    for (std::size_t i = 1; i < crowd.size(); ++i)
      EXPECT_LE(crowd[i].players[0].skill.mean, crowd[i - 1].players[0].skill.mean);
  }
}

}  // namespace
}  // namespace muster::rating
