#pragma once
// The waiting tickets of a queue with rules, where they can be found: in order of rating among
// those that could play together at all, and in order of age.

#include <cstdint>
#include <map>
#include <vector>

#include "base/slot_map.h"
#include "base/sorted_chunks.h"
#include "base/time.h"
#include "core/ids.h"
#include "core/types.h"

namespace muster::core {

/// What matching knows of a ticket.
struct WaitingTicket {
  TicketId id;
  Time since{};
  std::uint32_t seats = 1;
  Rating rating = 0;
  std::vector<std::int64_t> values;  // One for each rule of the queue; see rule_values().
};

class TicketIndex {
 public:
  struct Rated {
    Rating rating = 0;
    TicketPlace place;
    auto operator<=>(const Rated&) const = default;
  };
  struct Aged {
    Time since{};
    TicketId id;
    TicketPlace place;
    auto operator<=>(const Aged&) const = default;
  };
  /// Tickets whose values for the rules of kind `equal` are the same.
  struct Pool {
    SortedChunks<Rated> by_rating;
    std::map<std::uint32_t, std::uint32_t> by_seats;  // How many of each size; none of 0.
  };

  /// `equal_rules` are the positions of those rules.
  explicit TicketIndex(std::vector<std::size_t> equal_rules)
      : equal_rules_(std::move(equal_rules)) {}

  TicketPlace add(WaitingTicket ticket) {
    const TicketPlace place = tickets_.emplace(std::move(ticket));
    list(place, tickets_[place]);
    return place;
  }

  void remove(TicketPlace place) {
    const WaitingTicket& ticket = tickets_[place];
    const auto pool = pools_.find(key_of(ticket));
    pool->second.by_rating.erase({ticket.rating, place});
    const auto size = pool->second.by_seats.find(ticket.seats);
    if (--size->second == 0) pool->second.by_seats.erase(size);
    if (pool->second.by_rating.empty()) pools_.erase(pool);
    by_age_.erase({ticket.since, ticket.id, place});
    tickets_.erase(place);
  }

  const WaitingTicket* find(TicketPlace place) const { return tickets_.find(place); }
  const WaitingTicket& operator[](TicketPlace place) const { return tickets_[place]; }
  const Pool& pool_of(const WaitingTicket& ticket) const {
    return pools_.find(key_of(ticket))->second;
  }
  const SortedChunks<Aged>& by_age() const { return by_age_; }
  std::size_t size() const { return by_age_.size(); }

  template <class Writer>
  void save(Writer& writer) const {
    writer.put(tickets_);
  }
  /// Into an empty one; the tickets have as many values as there are rules.
  template <class Reader>
  void load(Reader& reader, std::size_t rules) {
    reader.get(tickets_);
    tickets_.for_each([&](TicketPlace place, const WaitingTicket& ticket) {
      if (ticket.values.size() == rules)
        list(place, ticket);
      else
        reader.fail();
    });
  }

 private:
  void list(TicketPlace place, const WaitingTicket& ticket) {
    Pool& pool = pools_[key_of(ticket)];
    pool.by_rating.insert({ticket.rating, place});
    ++pool.by_seats[ticket.seats];
    by_age_.insert({ticket.since, ticket.id, place});
  }

  using Key = std::vector<std::int64_t>;
  Key key_of(const WaitingTicket& ticket) const {
    Key key;
    for (const std::size_t rule : equal_rules_) key.push_back(ticket.values[rule]);
    return key;
  }

  std::vector<std::size_t> equal_rules_;
  SlotMap<TicketPlace, WaitingTicket> tickets_;
  std::map<Key, Pool> pools_;  // No empty ones.
  SortedChunks<Aged> by_age_;
};

}  // namespace muster::core
