#pragma once
// The waiting tickets of a queue with rules, where they can be found: in order of rating among
// those that could play together at all, and in order of age.

#include <bit>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/slot_map.h"
#include "base/sorted_chunks.h"
#include "base/time.h"
#include "core/ids.h"
#include "core/types.h"

namespace muster::core {

/// Somebody with whom those of a ticket do not want to play.
struct Shunned {
  PlayerKey player;
  std::uint32_t matches_ago = 0;  // That they played together, 1 being the last; 0: blocked.
  auto operator<=>(const Shunned&) const = default;
};

/// What matching knows of a ticket.
struct WaitingTicket {
  TicketId id;
  Time since{};
  std::uint32_t seats = 1;
  Rating rating = 0;
  std::vector<std::int64_t> values;    // One for each rule of the queue; see rule_values().
  std::vector<std::uint16_t> latency;  // To each region of the queue; see region_latencies().
  std::uint32_t regions = 0;           // Where it may be played by now: a bit for each of them.
  std::vector<PlayerKey> players;      // Who play on it.
  std::vector<Shunned> shunned;        // Who they do not want to play with, in that order.
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
  /// Tickets whose values for the rules of kind `equal` are the same; and, in a queue with regions,
  /// that may be played in one of them.
  struct Pool {
    SortedChunks<Rated> by_rating;
    std::map<std::uint32_t, std::uint32_t> by_seats;  // How many of each size; none of 0.
  };

  /// `equal_rules` are the positions of those rules.
  TicketIndex(std::vector<std::size_t> equal_rules, bool regional)
      : equal_rules_(std::move(equal_rules)), regional_(regional) {}

  TicketPlace add(WaitingTicket ticket) {
    const TicketPlace place = tickets_.emplace(std::move(ticket));
    list(place, tickets_[place]);
    return place;
  }

  void remove(TicketPlace place) {
    const WaitingTicket& ticket = tickets_[place];
    leave_pools(place, ticket);
    by_age_.erase({ticket.since, ticket.id, place});
    tickets_.erase(place);
  }

  /// It may be played elsewhere from now on.
  void set_regions(TicketPlace place, std::uint32_t regions) {
    WaitingTicket& ticket = tickets_[place];
    leave_pools(place, ticket);
    ticket.regions = regions;
    join_pools(place, ticket);
  }

  const WaitingTicket* find(TicketPlace place) const { return tickets_.find(place); }
  const WaitingTicket& operator[](TicketPlace place) const { return tickets_[place]; }
  /// Calls f(pool, region) for each pool that the ticket is in, until it says false. Without
  /// regions there is one.
  template <class F>
  void for_each_pool_of(const WaitingTicket& ticket, F&& f) const {
    for_each_key(ticket, [&](const Key& key, std::uint32_t region) {
      return f(pools_.find(key)->second, region);
    });
  }
  const SortedChunks<Aged>& by_age() const { return by_age_; }
  std::size_t size() const { return by_age_.size(); }

  template <class Writer>
  void save(Writer& writer) const {
    writer.put(tickets_);
  }
  /// Into an empty one; the tickets have as many values as there are rules, and regions.
  template <class Reader>
  void load(Reader& reader, std::size_t rules, std::size_t regions) {
    reader.get(tickets_);
    tickets_.for_each([&](TicketPlace place, const WaitingTicket& ticket) {
      if (ticket.values.size() == rules && ticket.latency.size() == regions &&
          std::uint64_t{ticket.regions} < std::uint64_t{1} << regions)
        list(place, ticket);
      else
        reader.fail();
    });
  }

 private:
  using Key = std::vector<std::int64_t>;

  void list(TicketPlace place, const WaitingTicket& ticket) {
    join_pools(place, ticket);
    by_age_.insert({ticket.since, ticket.id, place});
  }
  void join_pools(TicketPlace place, const WaitingTicket& ticket) {
    for_each_key(ticket, [&](const Key& key, std::uint32_t) {
      Pool& pool = pools_[key];
      pool.by_rating.insert({ticket.rating, place});
      ++pool.by_seats[ticket.seats];
      return true;
    });
  }
  void leave_pools(TicketPlace place, const WaitingTicket& ticket) {
    for_each_key(ticket, [&](const Key& key, std::uint32_t) {
      const auto pool = pools_.find(key);
      pool->second.by_rating.erase({ticket.rating, place});
      const auto size = pool->second.by_seats.find(ticket.seats);
      if (--size->second == 0) pool->second.by_seats.erase(size);
      if (pool->second.by_rating.empty()) pools_.erase(pool);
      return true;
    });
  }

  template <class F>
  void for_each_key(const WaitingTicket& ticket, F&& f) const {
    Key key;
    for (const std::size_t rule : equal_rules_) key.push_back(ticket.values[rule]);
    if (!regional_) return void(f(key, 0u));
    key.push_back(0);
    for (std::uint32_t left = ticket.regions; left != 0; left &= left - 1) {
      const auto region = static_cast<std::uint32_t>(std::countr_zero(left));
      key.back() = region;
      if (!f(key, region)) return;
    }
  }

  std::vector<std::size_t> equal_rules_;
  bool regional_ = false;
  SlotMap<TicketPlace, WaitingTicket> tickets_;
  std::map<Key, Pool> pools_;  // No empty ones.
  SortedChunks<Aged> by_age_;
};

}  // namespace muster::core
