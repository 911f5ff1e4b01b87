#pragma once
// Whether a waiting ticket can be matched now, and with whom.
//
// A set of tickets is a match if their seats are exactly those of one of the shapes that a match
// may have, they can be packed into its teams with each ticket in one team, and each of them
// accepts the others:
//   - the highest and the lowest rating differ by no more than the rating_distance of any of them;
//   - the averages of any two teams differ by no more than the team_rating_distance of any of them,
//     dealt as well as split_teams can;
//   - for each rule: `equal` and `any_of` have a value that all share; the values of a `distance`
//     differ by no more than the limit of any of them; `min` and `max` hold for each by its own
//     limit. Limits are those for the time that a ticket has waited.
//   - nobody of them shuns another (match_company.h);
//   - in a queue with regions, there is one where all of them may be played (match_regions.h).
//   - Of players_min alone that of the oldest of them counts: a match that is not full has as many
//     players as its oldest ticket wants by then. (By that of all, whoever has just come would keep
//     the others waiting.)
//
// Of all matches with the ticket in question, one with the most players is formed. Of those, the
// one with the oldest ticket; of those with the same oldest ticket, the one with the oldest second
// one, and so on (ties by id). So a ticket that could have been in a match is passed over only for
// older ones, or because it does not fit together with them: no younger one is ever preferred, but
// for the ticket in question itself. So it is passed over by no more matches than there are older
// tickets: each takes at least one of them away.
//
// Method: the window of the ticket in order of rating gives the candidates. Every match among them
// lies in a frame: from some lowest rating up by the smallest rating_distance of its tickets.
// Within a frame ratings do not matter any more, so tickets of equal size and equal values stand
// for each other, and only the oldest few of each kind can matter. From those, oldest first with
// backtracking; where that does not lead to a match at once, never a ticket with which the sizes of
// those that are left cannot fill the teams any more. Gathering is linear in the window, and left
// out if no sum of the sizes that wait is a match's. The rest is exact unless it takes more than
// `effort_max` looks at a candidate; then it ends with the best match so far or with none, it
// counts as cut, and who was not matched waits for the next event that concerns them. Matches of
// two players need no frames: a scan of the window.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/match_rules.h"
#include "core/team_split.h"
#include "core/ticket_index.h"

namespace muster::core {

struct FoundMatch {
  std::vector<TicketId> tickets;     // In order of age.
  std::vector<std::uint32_t> teams;  // Of each of them.
  std::uint32_t region = 0;          // In a queue with regions.
};

/// Whether the ticket may play at all by now: its rules of kind min and max, and a region.
bool may_play(const MatchRules& rules, const WaitingTicket& ticket, Time now);
/// Whether the two accept each other: all rules but those about a match as a whole.
bool accept(const MatchRules& rules, const WaitingTicket& a, const WaitingTicket& b, Time now);

class MatchSearch {
 public:
  static constexpr std::uint32_t effort_max = 30'000;

  /// `rules` must outlive it.
  explicit MatchSearch(const MatchRules& rules) : rules_(rules) {}

  /// False: no match with this ticket is possible now.
  bool find(const TicketIndex& index, TicketPlace anchor, Time now, FoundMatch& out);

  /// Seats of those whom this ticket accepts, and they it, with its own; counted up to `seats_max`.
  std::uint32_t seats_in_reach(const TicketIndex& index, TicketPlace ticket, Time now,
                               std::uint32_t seats_max) const;

  /// Searches that were ended early.
  std::uint64_t cuts() const { return cuts_; }

 private:
  struct Candidate {
    Time since{};
    TicketId id;
    const WaitingTicket* ticket = nullptr;
    std::int64_t rating_limit = 0;
    std::int64_t team_limit = 0;
    std::array<std::int64_t, rules_max> limits{};  // Of rules of kind distance.
    std::uint32_t kind = 0;                        // Those of one kind stand for each other.
  };
  /// What the chosen have in common, by rule.
  struct Common {
    std::array<std::int64_t, rules_max> shared{}, low{}, high{}, limit{};
    std::uint32_t regions = UINT32_MAX;
  };

  bool find_pair(const TicketIndex& index, const WaitingTicket& anchor, Time now, FoundMatch& out);
  void add_up_seats(const TicketIndex& index, const WaitingTicket& anchor);
  bool worth_searching(const WaitingTicket& anchor) const;
  void gather(const TicketIndex& index, const WaitingTicket& anchor, Time now);
  void sort_into_kinds();
  bool shunned(const WaitingTicket& ticket) const;
  bool search_shapes(Time now);
  void search_frames();
  void search_frame(std::int64_t low, std::int64_t limit);
  bool fill_frame();
  bool fill(std::size_t from);
  bool can_be_filled(std::size_t from);
  bool cannot_be_older() const;
  bool include(std::uint32_t candidate);
  void exclude();
  bool teams_are_even() const;
  Split deal(const std::vector<std::uint32_t>& positions, std::vector<std::uint32_t> teams,
             std::int64_t limit) const;
  bool spend(std::uint64_t effort);
  void choose_region(std::span<const WaitingTicket* const> tickets, FoundMatch& out) const;
  void take_best(FoundMatch& out) const;

  const MatchRules& rules_;
  std::uint64_t cuts_ = 0;

  // Of the search that is going on.
  std::vector<Candidate> candidates_;  // By age.
  std::uint32_t anchor_ = 0;           // Its position there.
  std::uint32_t kinds_ = 0;
  std::vector<PlayerKey> shunned_;  // By any of them; sorted.
  Time now_{};
  std::uint64_t effort_ = 0;
  bool cut_ = false;
  std::vector<bool> seats_reachable_;      // By sums of seats, the anchor's among them.
  std::uint32_t players_min_ = 0;          // The least that any candidate wants by now.
  const MatchShape* shape_ = nullptr;      // Which is being tried.
  std::vector<std::uint32_t> best_;        // Positions, ascending; empty: none so far.
  std::vector<std::uint32_t> best_teams_;  // Some way to deal them.

  // Of the frame that is being searched.
  std::vector<std::uint32_t> pool_;        // Positions, without the anchor.
  std::vector<std::uint32_t> seats_from_;  // Of the pool, from each position to the end.
  std::vector<SizeCount> sizes_;           // By seats.
  std::vector<std::uint32_t> passed_;      // By kind: passed over in favour of younger others.
  std::vector<std::uint32_t> chosen_;
  std::vector<Common> common_;  // After each choice.
  std::uint32_t missing_ = 0;   // Seats.
  bool careful_ = false;        // Looks ahead whether sizes still fit; slow, so not at first.
  std::uint32_t patience_ = 0;  // Looks until it becomes careful.
  TeamPacking packing_{{}};
};

}  // namespace muster::core
