#pragma once
// The matcher of a queue with rules. Knows tickets, not players or sessions.
//
// Nothing is ever tried on a tick. A ticket that is added, or whose limits grow, is searched for
// once (match_search.h says how and what is preferred); nothing else makes a match possible. So
// after every step no set of waiting tickets is a match, but for searches that were cut short.

#include <cstdint>
#include <optional>
#include <vector>

#include "core/match_rules.h"
#include "core/match_search.h"
#include "core/ticket_index.h"

namespace muster::core {

class RuleMatcher {
 public:
  explicit RuleMatcher(MatchRules rules);
  RuleMatcher(const RuleMatcher&) = delete;
  RuleMatcher& operator=(const RuleMatcher&) = delete;

  /// A ticket begins to wait, or waits again with its old `since`. Follow with next_match().
  TicketPlace add(WaitingTicket ticket, Time now);
  void remove(TicketPlace place);

  /// The limits that grow by `now` have grown. Follow with next_match().
  void widen(Time now);
  /// When widen() is to be called next; may be early, never late.
  std::optional<Time> next_widening() const { return next_widening_; }

  /// Matches are formed only in these regions from now on: a bit for each. Follow with
  /// next_match().
  void open_regions(std::uint32_t regions, Time now);

  /// A match that what was added or widened has made possible; false once there is none. The caller
  /// removes its tickets before it asks again.
  bool next_match(Time now, FoundMatch& out);

  /// Seats of those who wait and whom this ticket accepts, and they it, with its own; counted up to
  /// `seats_max`.
  std::uint32_t seats_in_reach(TicketPlace place, Time now, std::uint32_t seats_max) const;

  /// In which regions the ticket may be played at that time.
  std::uint32_t regions_at(const WaitingTicket& ticket, Time now) const;

  const WaitingTicket* find(TicketPlace place) const { return index_.find(place); }
  std::size_t size() const { return index_.size(); }
  bool settled() const { return to_try_.empty(); }
  const MatchRules& rules() const { return rules_; }
  std::uint64_t cuts() const { return search_.cuts(); }

  /// For snapshots: who waits, at which places, and what is still to be tried.
  template <class Writer>
  void save(Writer& writer) const {
    index_.save(writer);
    writer.put(to_try_), writer.put(to_try_sorted_);
    writer.put(widened_until_), writer.put(next_widening_), writer.put(open_);
  }
  /// Into an empty one with the same rules.
  template <class Reader>
  void load(Reader& reader) {
    index_.load(reader, rules_.rules.size(), rules_.regions);
    reader.get(to_try_), reader.get(to_try_sorted_);
    reader.get(widened_until_), reader.get(next_widening_), reader.get(open_);
  }

 private:
  /// From the first ticket whose limits have not yet grown for having waited so long.
  SortedChunks<TicketIndex::Aged>::Cursor not_widened(Duration after) const;

  bool change_regions(TicketPlace place, Time now);

  const MatchRules rules_;
  TicketIndex index_;
  MatchSearch search_;
  std::vector<TicketIndex::Aged> to_try_;  // Those concerned by an event, youngest first.
  bool to_try_sorted_ = true;
  std::optional<Time> widened_until_;
  std::optional<Time> next_widening_;
  std::uint32_t open_ = UINT32_MAX;  // Regions.
};

}  // namespace muster::core
