#pragma once
// A queue's matching rules, compiled: what a set of tickets must be like to be a match. Limits grow
// with the time that each ticket has waited, and hold for it alone: tickets play together only if
// each of them accepts.

#include <cstdint>
#include <expected>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "core/config.h"
#include "core/types.h"

namespace muster::core {

/// A limit as a curve over waiting time, in steps.
class Curve {
 public:
  Curve() = default;
  /// `steps` are by time, ascending.
  Curve(std::int64_t first, std::vector<std::pair<Duration, std::int64_t>> steps)
      : first_(first), steps_(std::move(steps)) {}
  std::int64_t at(Duration waited) const {
    std::int64_t value = first_;
    for (const auto& [after, to] : steps_)
      if (waited >= after) value = to;
    return value;
  }

 private:
  std::int64_t first_ = 0;
  std::vector<std::pair<Duration, std::int64_t>> steps_;
};

/// What a match may look like: so many players, in teams with so many seats.
struct MatchShape {
  std::uint32_t players = 0;
  std::vector<std::uint32_t> team_sizes;  // Their sum is `players`; with bots, that of all seats.
  // With bots: as even as can be, and what is used if the sizes of the tickets allow it.
  std::vector<std::uint32_t> even_sizes;
};

struct MatchRules {
  struct Rule {
    RuleKind kind = RuleKind::equal;
    Curve limit;  // distance, min, max; in thousandths.
  };

  std::vector<std::uint32_t> team_sizes;  // Seats of each team of a full match.
  std::uint32_t players = 0;              // Their sum.
  std::uint32_t team_size_max = 0;
  std::vector<MatchShape> shapes;  // Most players first; the first is the full match.
  Curve players_min;               // A match that is not full has as many for its oldest ticket.
  Curve rating_distance;           // Between the highest and the lowest of a match.
  Curve team_rating_distance;      // Between the averages of two teams.
  bool rating_limited = false;     // Whether they limit anything.
  bool team_rating_limited = false;
  std::vector<Rule> rules;          // As QueueConfig::rules.
  std::vector<Duration> widenings;  // When something grows, of a ticket's waiting time; ascending.
  std::uint32_t regions = 0;        // As QueueConfig::region; 0: matches are in none.
  Curve latency_max;                // From each player to the match's region.
  Curve avoid_recent;               // Matches ago that tickets must not have played together.
};

/// A limit that limits nothing.
constexpr std::int64_t no_limit = 1'000'000'000'000'000;

/// Of a configuration that has been checked.
MatchRules compile(const QueueConfig& queue);

/// A ticket's value for each rule of its queue: a set's bits in the order of the rule's values, or
/// a number in thousandths. Otherwise, in words, which attribute is missing, wrong, or such that
/// its player could never be matched.
std::expected<std::vector<std::int64_t>, std::string> rule_values(
    const QueueConfig& queue, const std::vector<Attribute>& attributes);

/// The same of a ticket's members together: what is equal must be so among them; of sets, what all
/// have; of a minimum their lowest, of a maximum their highest, of a distance their average.
std::expected<std::vector<std::int64_t>, std::string> rule_values(
    const QueueConfig& queue, const std::vector<TicketMember>& members);

/// What those who play together are worth, by the queue's party_rating. Half a point counts
/// upwards, away from zero.
Rating rating_together(const QueueConfig& queue, const std::vector<Rating>& ratings);

/// The seats of each team of the queue.
std::vector<std::uint32_t> team_sizes(const QueueConfig& queue);

/// The teams of the queue, those alike together, with how few of them a match may have if it is not
/// full. Where the queue only says how many players and teams there are: of one team, any number of
/// its players; of teams of one, any number of them; of others, equally many in each, in all teams.
/// Teams that differ by a seat are never fewer.
std::vector<TeamConfig> team_groups(const QueueConfig& queue);
/// latency_max once a ticket has waited longest.
std::int64_t latency_widest(const QueueConfig& queue);
/// players_min once a ticket has waited longest.
std::uint32_t players_least(const QueueConfig& queue);
/// All that a match of the queue may look like, most players first; of equally many, in the order
/// of the teams: more of the first. No more than `shapes_max` are made.
std::vector<MatchShape> match_shapes(const QueueConfig& queue);
constexpr std::size_t shapes_max = 256;

}  // namespace muster::core
