#include "server/config_queue_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/match_rules.h"
#include "server/config_values.h"

namespace muster::server {
namespace {

using core::QueueConfig;
using core::RuleConfig;
using core::RuleKind;
using core::WidenConfig;

constexpr std::uint32_t seats_max = 256;
/// Somebody this far from everybody else is nothing unusual.
constexpr std::int64_t usual_distance = 3000;

bool has_number(RuleKind kind) {
  return kind == RuleKind::distance || kind == RuleKind::min || kind == RuleKind::max;
}

/// "12.5", of thousandths.
std::string decimal(std::int64_t thousandths) {
  return fmt::format("{}", static_cast<double>(thousandths) / 1000);
}

class RulesChecker {
 public:
  RulesChecker(QueueConfig& queue, const ConfigLines& lines, QueueParts& parts,
               ConfigProblems& problems)
      : queue_(queue), lines_(lines), parts_(parts), problems_(problems) {}

  void check() {
    check_teams();
    for (std::size_t i = 0; i < parts_.rules.size(); ++i) check_rule(i);
    if (queue_.rules.size() > core::rules_max)
      problems_.error(parts_.rule_lines[core::rules_max].table, "queue.rule",
                      fmt::format("there are {} rules; a queue may have {}", queue_.rules.size(),
                                  core::rules_max));
    if (queue_.widen.size() > core::widen_max)
      problems_.error(
          parts_.widen_lines[core::widen_max].table, "queue.widen",
          fmt::format("there are {}; a queue may have {}", queue_.widen.size(), core::widen_max));
    check_widenings();
    check_regions();
    check_avoided();
    check_bounds();
    check_reach();
    if (!problems_.failed()) check_fewer_players();
    check_offers();
    if (queue_.team_rating_distance && queue_.teams == 1)
      problems_.warn(lines_.of("team_rating_distance"), "queue.team_rating_distance",
                     "there is one team, so it limits nothing");
  }

 private:
  void check_offers() {
    if (queue_.accept_timeout != Duration::zero() && queue_.accept_timeout < core::seconds{1})
      problems_.error(lines_.of("accept_timeout"), "queue.accept_timeout",
                      fmt::format("is {}; nobody answers in less than 1s. 0s asks nobody",
                                  format_duration(queue_.accept_timeout)));
    if (queue_.decline_penalty_max < queue_.decline_penalty)
      problems_.error(lines_.has("decline_penalty") ? lines_.of("decline_penalty")
                                                    : lines_.of("decline_penalty_max"),
                      "queue.decline_penalty",
                      fmt::format("is {}, and decline_penalty_max {}; must not be more",
                                  format_duration(queue_.decline_penalty),
                                  format_duration(queue_.decline_penalty_max)));
    if (queue_.accept_timeout > Duration::zero()) return;
    for (const std::string_view key : {"decline_penalty", "decline_penalty_max"})
      if (lines_.has(key))
        problems_.warn(lines_.of(key), fmt::format("queue.{}", key),
                       "without an accept_timeout nobody is asked, so nobody declines");
  }

  void check_teams() {
    if (queue_.team.empty()) return;
    for (const std::string_view key : {"players", "teams"})
      if (lines_.has(key))
        problems_.error(lines_.of(key), fmt::format("queue.{}", key),
                        "the tables of teams say it already; leave it out");
    std::uint64_t players = 0, teams = 0;
    std::map<std::string, int> seen;
    for (std::size_t i = 0; i < queue_.team.size(); ++i) {
      const core::TeamConfig& team = queue_.team[i];
      players += std::uint64_t{team.players} * team.count;
      teams += team.count;
      const int line = parts_.team_lines[i].of("name");
      if (const auto [first, added] = seen.emplace(team.name, line); !added && !team.name.empty())
        problems_.error(
            line, "queue.team.name",
            fmt::format("\"{}\" is the name of the team in line {} too", team.name, first->second));
    }
    if (players > seats_max)
      problems_.error(
          parts_.team_lines.front().table, "queue.team",
          fmt::format("the teams have {} seats; a match may have {}", players, seats_max));
    for (std::size_t i = 0; i < queue_.team.size(); ++i) check_team_least(i);
    queue_.players = static_cast<std::uint32_t>(std::min<std::uint64_t>(players, seats_max));
    queue_.teams = static_cast<std::uint32_t>(std::min<std::uint64_t>(teams, seats_max));
  }

  void check_team_least(std::size_t index) {
    const core::TeamConfig& team = queue_.team[index];
    const ConfigLines& lines = parts_.team_lines[index];
    const auto check = [&](std::string_view key, const std::optional<std::uint32_t>& least,
                           std::string_view most_key, std::uint32_t most) {
      if (!least) return;
      if (*least > most)
        problems_.error(
            lines.of(key), fmt::format("queue.team.{}", key),
            fmt::format("is {}, and {} is {}; must not be more", *least, most_key, most));
      if (queue_.bots)
        problems_.error(lines.of(key), fmt::format("queue.team.{}", key),
                        "with bots every team is filled; leave it out");
    };
    check("players_min", team.players_min, "players", team.players);
    check("count_min", team.count_min, "count", team.count);
  }

  /// Matches that are not full: whether there can be any, and whether as few as is said.
  void check_fewer_players() {
    const std::uint32_t least = core::players_least(queue_);
    int line = lines_.has("players_min") ? lines_.of("players_min") : lines_.table;
    for (std::size_t i = 0; i < queue_.widen.size(); ++i)
      if (queue_.widen[i].limit == "players_min" && queue_.widen[i].to == least)
        line = parts_.widen_lines[i].of("to");
    if (queue_.players_min.value_or(1) > queue_.players)
      return problems_.error(
          lines_.of("players_min"), "queue.players_min",
          fmt::format("is {}, and a match has {} seats", *queue_.players_min, queue_.players));
    if (least == queue_.players) {
      if (queue_.bots)
        problems_.warn(lines_.of("bots"), "queue.bots",
                       "no seat stays empty: let players_min, or a [[queue.widen]] of it, be fewer "
                       "than all");
      for (std::size_t i = 0; i < queue_.team.size(); ++i)
        if (queue_.team[i].players_min || queue_.team[i].count_min)
          problems_.warn(parts_.team_lines[i].table, "queue.team",
                         "it may be smaller, but all matches are full: let players_min, or a "
                         "[[queue.widen]] of it, be fewer than all");
      return;
    }
    const auto shapes = core::match_shapes(queue_);
    if (shapes.size() >= core::shapes_max)
      return problems_.error(line, "queue.players_min",
                             fmt::format("the teams can be of {} or more sizes together; let fewer "
                                         "of them vary",
                                         core::shapes_max));
    const std::uint32_t smallest = shapes.back().players;
    if (smallest == least) return;
    const bool never = shapes.size() == 1;
    const std::string why = fmt::format(
        "is {}, and the smallest match that these teams allow has {}. {}", least, smallest,
        !queue_.team.empty()
            ? "Say in the tables of teams how small they may be (players_min, count_min), or let "
              "bots = true fill them"
        : queue_.players % queue_.teams != 0
            ? "Teams of different sizes stay full: write [[queue.team]] tables, or let bots = true "
              "fill them"
            : "All teams have equally many; bots = true would fill them");
    if (never)
      problems_.error(line, "queue.players_min", why);
    else
      problems_.warn(line, "queue.players_min", why);
  }

  void check_rule(std::size_t index) {
    WrittenRule& written = parts_.rules[index];
    const ConfigLines& lines = parts_.rule_lines[index];
    RuleConfig& rule = written.rule;
    if (rule.name.empty()) rule.name = rule.attribute;
    if (rule.attribute == "rating")
      problems_.error(lines.of("attribute"), "queue.rule.attribute",
                      "\"rating\" is no attribute; write rating_distance in the [[queue]]");
    if (rule.name == "rating_distance" || rule.name == "team_rating_distance" ||
        rule.name == "players_min" || rule.name == "latency_max" || rule.name == "avoid_recent" ||
        rule.name == "blocked")
      problems_.error(lines.of("name"), "queue.rule.name",
                      fmt::format("\"{}\" is a limit of every queue; choose another", rule.name));
    for (std::size_t i = 0; i < index; ++i)
      if (parts_.rules[i].rule.name == rule.name && !rule.name.empty())
        problems_.error(lines.table, "queue.rule.name",
                        fmt::format("\"{}\" is the name of the rule in line {} too; give one of "
                                    "them a `name` of its own",
                                    rule.name, parts_.rule_lines[i].table));
    if (has_number(rule.kind)) {
      if (!written.limit)
        problems_.error(lines.table, "queue.rule.limit",
                        "is missing: how far apart, how low or how high is allowed");
      if (!rule.values.empty())
        problems_.error(lines.of("values"), "queue.rule.values",
                        "only \"equal\" and \"any-of\" have values; leave it out");
      rule.limit = written.limit.value_or(0);
      if (rule.kind == RuleKind::distance && rule.limit < 0)
        problems_.error(lines.of("limit"), "queue.rule.limit",
                        "is negative: no two are so close; must be 0 or more");
    } else {
      if (rule.values.empty())
        problems_.error(lines.table, "queue.rule.values",
                        "is missing: the texts that a player may send, all of them");
      if (written.limit)
        problems_.error(lines.of("limit"), "queue.rule.limit",
                        "only \"distance\", \"min\" and \"max\" have a limit; leave it out");
    }
    queue_.rules.push_back(rule);
  }

  /// What the limit is at first, in the unit of its widenings; nothing if there is none of the
  /// name.
  struct Limit {
    std::int64_t first = 0;
    bool grows_down = false;  // min.
    bool counts = false;      // In whole points, not thousandths.
  };
  std::optional<Limit> limit_of(const std::string& name) const {
    if (name == "rating_distance" && queue_.rating_distance)
      return Limit{*queue_.rating_distance, false, true};
    if (name == "team_rating_distance" && queue_.team_rating_distance)
      return Limit{*queue_.team_rating_distance, false, true};
    if (name == "latency_max" && queue_.latency_max) return Limit{*queue_.latency_max, false, true};
    if (name == "avoid_recent" && queue_.avoid_recent > 0)
      return Limit{queue_.avoid_recent, true, true};
    if (name == "players_min")
      return Limit{queue_.players_min.value_or(queue_.players), true, true};
    for (const RuleConfig& rule : queue_.rules)
      if (rule.name == name && has_number(rule.kind))
        return Limit{rule.limit, rule.kind == RuleKind::min, false};
    return std::nullopt;
  }

  void check_widenings() {
    for (std::size_t i = 0; i < queue_.widen.size(); ++i) {
      WidenConfig& widen = queue_.widen[i];
      const ConfigLines& lines = parts_.widen_lines[i];
      if (widen.limit.empty()) continue;  // Said already.
      const auto limit = limit_of(widen.limit);
      if (!limit) {
        problems_.error(lines.of("limit"), "queue.widen.limit",
                        fmt::format("this queue has no limit \"{:.60}\"{}; there {}", widen.limit,
                                    did_you_mean(widen.limit, limit_names()), there_are()));
        continue;
      }
      if (limit->counts) {
        const bool of_players = widen.limit == "players_min";
        const bool of_matches = widen.limit == "avoid_recent";
        if (widen.to % 1000 != 0 || (of_players && widen.to < 1000) || (of_matches && widen.to < 0))
          problems_.error(lines.of("to"), "queue.widen.to",
                          of_players   ? "must be a whole number of players, 1 or more"
                          : of_matches ? "must be a whole number of matches, 0 or more"
                          : widen.limit == "latency_max" ? "must be whole milliseconds"
                                                         : "must be a whole number of points");
        widen.to /= 1000;
      }
      if (widen.after >= queue_.ticket_timeout)
        problems_.error(lines.of("after"), "queue.widen.after",
                        fmt::format("no ticket waits so long: ticket_timeout is {}",
                                    format_duration(queue_.ticket_timeout)));
      if (widen.after == Duration::zero())
        problems_.error(lines.of("after"), "queue.widen.after",
                        "is 0s or missing: that would be the limit itself");
    }
    for (std::size_t i = 0; i < queue_.widen.size(); ++i) check_grows(i);
  }

  void check_grows(std::size_t index) {
    const WidenConfig& widen = queue_.widen[index];
    const ConfigLines& lines = parts_.widen_lines[index];
    const auto limit = limit_of(widen.limit);
    if (!limit) return;
    std::int64_t before = limit->first;
    Duration latest{};
    for (std::size_t i = 0; i < queue_.widen.size(); ++i) {
      const WidenConfig& other = queue_.widen[i];
      if (i == index || other.limit != widen.limit) continue;
      if (other.after == widen.after && i < index)
        problems_.error(
            lines.of("after"), "queue.widen.after",
            fmt::format("line {} says what \"{}\" is after {} already", parts_.widen_lines[i].table,
                        widen.limit, format_duration(widen.after)));
      if (other.after < widen.after && other.after > latest)
        before = other.to, latest = other.after;
    }
    if (limit->grows_down ? widen.to < before : widen.to > before) return;
    const auto shown = [&](std::int64_t value) {
      return limit->counts ? std::to_string(value) : decimal(value);
    };
    problems_.error(lines.of("to"), "queue.widen.to",
                    fmt::format("{} is no wider than the {} before; limits only ever widen",
                                shown(widen.to), shown(before)));
  }

  /// The limit of a rule once a ticket has waited longest.
  std::int64_t widest(const RuleConfig& rule) const {
    std::int64_t value = rule.limit;
    for (const WidenConfig& widen : queue_.widen)
      if (widen.limit == rule.name)
        value = rule.kind == RuleKind::min ? std::min(value, widen.to) : std::max(value, widen.to);
    return value;
  }

  void check_regions() {
    if (queue_.region.empty()) {
      for (const std::string_view key : {"latency_max", "latency_default"})
        if (lines_.has(key))
          problems_.error(lines_.of(key), fmt::format("queue.{}", key),
                          "the queue has no regions to be far from: write [[queue.region]] tables, "
                          "or leave it out");
      return;
    }
    if (queue_.region.size() > core::regions_max)
      problems_.error(parts_.region_lines[core::regions_max].table, "queue.region",
                      fmt::format("there are {} regions; a queue may have {}", queue_.region.size(),
                                  core::regions_max));
    for (std::size_t i = 0; i < queue_.region.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (queue_.region[i].name == queue_.region[j].name && !queue_.region[i].name.empty())
          problems_.error(parts_.region_lines[i].of("name"), "queue.region.name",
                          fmt::format("\"{}\" is the name of the region in line {} too",
                                      queue_.region[i].name, parts_.region_lines[j].table));
    if (queue_.latency_default && *queue_.latency_default > core::latency_widest(queue_))
      problems_.error(lines_.of("latency_default"), "queue.latency_default",
                      fmt::format("is {}, and latency_max never grows beyond {}: who has not "
                                  "measured a region could never play in it. Leave it out, and "
                                  "who has measured none is told latency_missing",
                                  *queue_.latency_default, core::latency_widest(queue_)));
  }

  void check_avoided() {
    if (queue_.avoid_recent == 0) return;
    if (queue_.avoid_recent * queue_.players > core::avoided_players_max)
      problems_.error(lines_.of("avoid_recent"), "queue.avoid_recent",
                      fmt::format("{} matches of {} are {} players to remember for everybody; may "
                                  "be {}",
                                  queue_.avoid_recent, queue_.players,
                                  queue_.avoid_recent * queue_.players, core::avoided_players_max));
    const bool ends = std::ranges::any_of(queue_.widen, [](const WidenConfig& widen) {
      return widen.limit == "avoid_recent" && widen.to == 0;
    });
    if (!ends)
      problems_.warn(lines_.of("avoid_recent"), "queue.avoid_recent",
                     "never ends: when few are there, who has played with all of them waits in "
                     "vain. Let a [[queue.widen]] of it go to 0");
  }

  /// A smallest and a largest value that leave nothing between them.
  void check_bounds() {
    for (std::size_t i = 0; i < queue_.rules.size(); ++i)
      for (std::size_t j = 0; j < queue_.rules.size(); ++j) {
        const RuleConfig& low = queue_.rules[i];
        const RuleConfig& high = queue_.rules[j];
        if (low.kind != RuleKind::min || high.kind != RuleKind::max ||
            low.attribute != high.attribute || widest(low) <= widest(high))
          continue;
        problems_.error(
            parts_.rule_lines[i].of("limit"), "queue.rule.limit",
            fmt::format("\"{}\" must be at least {} here and at most {} by line {}: nobody can "
                        "ever play",
                        low.attribute, decimal(widest(low)), decimal(widest(high)),
                        parts_.rule_lines[j].table));
      }
  }

  /// The extremes of the rating scale: somebody far from everybody else must find a match one day.
  void check_reach() {
    if (!queue_.rating_distance) return;
    std::int64_t reach = *queue_.rating_distance;
    int line = lines_.of("rating_distance");
    for (std::size_t i = 0; i < queue_.widen.size(); ++i)
      if (queue_.widen[i].limit == "rating_distance" && queue_.widen[i].to > reach)
        reach = queue_.widen[i].to, line = parts_.widen_lines[i].of("to");
    if (reach >= usual_distance || queue_.players == 1) return;
    problems_.warn(line, "queue.rating_distance",
                   fmt::format("never grows beyond {}: the strongest and the weakest players, if "
                               "they are further than that from all others, can never be matched. "
                               "Let a last [[queue.widen]] go to {} or more",
                               reach, usual_distance));
  }

  std::vector<std::string_view> limit_names() const {
    std::vector<std::string_view> names;
    if (queue_.rating_distance) names.emplace_back("rating_distance");
    if (queue_.team_rating_distance) names.emplace_back("team_rating_distance");
    if (queue_.latency_max) names.emplace_back("latency_max");
    if (queue_.avoid_recent > 0) names.emplace_back("avoid_recent");
    names.emplace_back("players_min");
    for (const RuleConfig& rule : queue_.rules)
      if (has_number(rule.kind)) names.emplace_back(rule.name);
    return names;
  }
  std::string there_are() const {
    const auto names = limit_names();
    return fmt::format("{} {}", names.size() == 1 ? "is" : "are", fmt::join(names, ", "));
  }

  QueueConfig& queue_;
  const ConfigLines& lines_;
  QueueParts& parts_;
  ConfigProblems& problems_;
};

}  // namespace

void check_queue_rules(QueueConfig& queue, const ConfigLines& lines, QueueParts& parts,
                       ConfigProblems& problems) {
  RulesChecker(queue, lines, parts, problems).check();
}

}  // namespace muster::server
