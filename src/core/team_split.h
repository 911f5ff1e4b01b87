#pragma once
// Who plays with whom and who against: the tickets of a match dealt to its teams.

#include <cstdint>
#include <span>
#include <vector>

#include "core/types.h"

namespace muster::core {

struct SplitTicket {
  std::uint32_t seats = 1;  // Stay together.
  Rating rating = 0;        // Of each of its players.
};

struct Split {
  std::vector<std::uint32_t> team;  // Of each ticket.
  std::int64_t difference = 0;  // Between the highest and lowest average of a team, thousandths.
  bool optimal = false;         // No other way to deal them has a smaller one.
};

/// Deals the tickets anew so that the average ratings of the teams differ little; `split.team` is
/// some way that fits, and remains one. Up to `exact_tickets_max` tickets every way is tried, so
/// the result is optimal (`ways_max` placements are tried at most; 5 against 5 takes some 500).
/// With more, strongest first to the weakest team that has room, then tickets of one size are
/// exchanged as long as that helps. Ties go to the first way found. Only players who are there
/// count.
void balance_teams(std::span<const SplitTicket> tickets, std::span<const std::uint32_t> team_sizes,
                   Split& split);

constexpr std::size_t exact_tickets_max = 12;
constexpr std::uint32_t ways_max = 20'000;

/// How many tickets of one size a match must have, and how many more it may have.
struct SizeCount {
  std::uint32_t must = 0, may = 0;
};

/// Whether such tickets fill the teams to the last seat; `sizes[n]` is about tickets of n seats,
/// and the largest size is that of the largest team. Exact, up to `fill_states_max` states of the
/// teams: beyond that, true. Adds to `work` as TeamPacking does.
bool teams_can_be_filled(std::span<const std::uint32_t> team_sizes,
                         std::span<const SizeCount> sizes, std::uint64_t& work);
constexpr std::size_t fill_states_max = 500;

/// Tickets packed into teams, as they come and go; last come, first gone.
class TeamPacking {
 public:
  explicit TeamPacking(std::span<const std::uint32_t> team_sizes)
      : left_(team_sizes.begin(), team_sizes.end()) {}

  /// Adds a ticket if all so far can still be packed. Exact, unless looking for a way takes more
  /// than `states_max` states of the teams; then it gives up.
  bool push(std::uint32_t seats);
  void pop();

  /// The team of each ticket, in the order they came.
  std::vector<std::uint32_t> teams() const;

  /// How much work it has been, in looks at a team; to be bounded by who calls.
  std::uint64_t work() const { return work_; }
  static constexpr std::size_t states_max = 2000;

 private:
  struct Placed {
    std::uint32_t seats = 0;
    std::uint32_t team = 0;
  };
  struct Undo {
    bool repacked = false;
    std::vector<Placed> placed;
    std::vector<std::uint32_t> left;
  };
  bool repack(std::uint32_t seats);

  std::vector<std::uint32_t> left_;  // Of each team.
  std::vector<Placed> placed_;
  std::vector<Undo> undo_;
  std::uint64_t work_ = 0;
};

}  // namespace muster::core
