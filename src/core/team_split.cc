#include "core/team_split.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

namespace muster::core {
namespace {

struct Team {
  std::uint32_t left = 0;
  std::uint32_t players = 0;
  std::int64_t sum = 0;
  bool operator==(const Team&) const = default;
};

std::int64_t difference(std::span<const Team> teams) {
  std::int64_t low = INT64_MAX, high = INT64_MIN;
  for (const Team& team : teams) {
    if (team.players == 0) continue;
    const std::int64_t average = team.sum * 1000 / team.players;
    low = std::min(low, average);
    high = std::max(high, average);
  }
  return high < low ? 0 : high - low;
}

void put(Team& team, const SplitTicket& ticket) {
  team.left -= ticket.seats;
  team.players += ticket.seats;
  team.sum += std::int64_t{ticket.rating} * ticket.seats;
}

void take(Team& team, const SplitTicket& ticket) {
  team.left += ticket.seats;
  team.players -= ticket.seats;
  team.sum -= std::int64_t{ticket.rating} * ticket.seats;
}

class Balancer {
 public:
  Balancer(std::span<const SplitTicket> tickets, std::span<const std::uint32_t> sizes, Split& split)
      : tickets_(tickets), split_(split), team_(split.team), order_(tickets.size()) {
    for (const std::uint32_t size : sizes) teams_.push_back({size, 0, 0});
    // Large ones first, since they are hard to place; strong ones first, to be balanced by others.
    std::iota(order_.begin(), order_.end(), 0u);
    std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
      return std::tuple(tickets_[b].seats, tickets_[b].rating, a) <
             std::tuple(tickets_[a].seats, tickets_[a].rating, b);
    });
  }

  void run() {
    for (std::size_t i = 0; i < tickets_.size(); ++i) put(teams_[team_[i]], tickets_[i]);
    split_.difference = difference(teams_);
    exchange();
    keep();
    clear();
    if (split_.difference > 0 && greedy()) {
      exchange();
      keep();
    }
    clear();
    if (split_.difference > 0 && tickets_.size() <= exact_tickets_max) place(0);
    split_.optimal =
        split_.difference == 0 || (tickets_.size() <= exact_tickets_max && placements_ <= ways_max);
  }

 private:
  void keep() {
    const std::int64_t now = difference(teams_);
    if (now >= split_.difference) return;
    split_.difference = now;
    split_.team = team_;
  }

  void clear() {
    for (Team& team : teams_) team = {team.left + team.players, 0, 0};
  }

  bool greedy() {
    for (const std::uint32_t i : order_) {
      Team* best = nullptr;
      for (Team& team : teams_)
        if (team.left >= tickets_[i].seats &&
            (!best || std::pair(team.sum, best->left) < std::pair(best->sum, team.left)))
          best = &team;
      if (!best) return false;
      put(*best, tickets_[i]);
      team_[i] = static_cast<std::uint32_t>(best - teams_.data());
    }
    return true;
  }

  /// Exchanges tickets of one size between two teams as long as that brings these closer together.
  void exchange() {
    constexpr int rounds_max = 8;
    bool better = true;
    for (int round = 0; better && round < rounds_max; ++round) {
      better = false;
      for (std::size_t a = 0; a < tickets_.size(); ++a)
        for (std::size_t b = a + 1; b < tickets_.size(); ++b) {
          if (team_[a] == team_[b] || tickets_[a].seats != tickets_[b].seats ||
              tickets_[a].rating == tickets_[b].rating)
            continue;
          Team& from = teams_[team_[a]];
          Team& to = teams_[team_[b]];
          const std::int64_t change =
              (std::int64_t{tickets_[b].rating} - tickets_[a].rating) * tickets_[a].seats;
          const auto apart = [&](std::int64_t moved) {
            return std::abs((from.sum + moved) * to.players - (to.sum - moved) * from.players);
          };
          if (apart(change) >= apart(0)) continue;
          from.sum += change;
          to.sum -= change;
          std::swap(team_[a], team_[b]);
          better = true;
        }
    }
  }

  void place(std::size_t depth) {
    if (depth == order_.size()) return keep();
    const SplitTicket& ticket = tickets_[order_[depth]];
    for (std::size_t t = 0; t < teams_.size(); ++t) {
      const auto here = teams_.begin() + static_cast<std::ptrdiff_t>(t);
      // A team like one already tried has nothing new to offer.
      if (here->left < ticket.seats || std::find(teams_.begin(), here, *here) != here) continue;
      if (++placements_ > ways_max) return;
      put(*here, ticket);
      team_[order_[depth]] = static_cast<std::uint32_t>(t);
      place(depth + 1);
      take(*here, ticket);
      if (split_.difference == 0) return;
    }
  }

  std::span<const SplitTicket> tickets_;
  Split& split_;
  std::vector<Team> teams_;
  std::vector<std::uint32_t> team_;
  std::vector<std::uint32_t> order_;
  std::uint32_t placements_ = 0;
};

/// Looks for a way to pack tickets, large ones first, each into the fullest team that it fits in if
/// that leads anywhere. What has been seen to fail is not tried again: of a state only how much is
/// left where counts, not in which team.
class Packer {
 public:
  Packer(std::vector<std::uint32_t>& left, std::uint64_t& work) : left_(left), work_(work) {}

  /// The teams of tickets of these sizes, which descend; empty if there is no way.
  bool place(std::span<const std::uint32_t> seats, std::vector<std::uint32_t>& teams) {
    if (teams.size() == seats.size()) return true;
    const std::uint32_t size = seats[teams.size()];
    work_ += left_.size();
    std::vector<std::uint32_t> state = left_;
    std::sort(state.begin(), state.end());
    state.push_back(static_cast<std::uint32_t>(teams.size()));
    if (failed_.size() >= TeamPacking::states_max || failed_.contains(state)) return false;
    for (std::uint32_t tried = 0;;) {  // The least that is left, from `size` up, beyond `tried`.
      std::size_t best = left_.size();
      for (std::size_t t = 0; t < left_.size(); ++t)
        if (left_[t] >= size && left_[t] > tried &&
            (best == left_.size() || left_[t] < left_[best]))
          best = t;
      if (best == left_.size()) break;
      tried = left_[best];
      left_[best] -= size;
      teams.push_back(static_cast<std::uint32_t>(best));
      if (place(seats, teams)) return true;
      teams.pop_back();
      left_[best] += size;
    }
    failed_.insert(std::move(state));
    return false;
  }

 private:
  std::vector<std::uint32_t>& left_;
  std::uint64_t& work_;
  std::set<std::vector<std::uint32_t>> failed_;
};

/// Size by size from the largest: as many as must be, then as few more as will do. What has been
/// seen to fail is not tried again, as above.
class Filler {
 public:
  Filler(std::span<const std::uint32_t> team_sizes, std::span<const SizeCount> sizes,
         std::uint64_t& work)
      : sizes_(sizes), left_(team_sizes.begin(), team_sizes.end()), work_(work) {}

  bool fill(std::uint32_t size, std::uint32_t placed) {
    const auto [must, may] = sizes_[size];
    work_ += left_.size();
    if (size == 1) {
      const std::uint32_t seats = std::accumulate(left_.begin(), left_.end(), 0u);
      return must <= seats && seats <= must + may;
    }
    std::vector<std::uint32_t> state = left_;
    std::sort(state.begin(), state.end());
    state.push_back(size);
    state.push_back(placed);
    if (failed_.size() >= fill_states_max) return true;
    if (failed_.contains(state)) return false;
    if (placed >= must && fill(size - 1, 0)) return true;
    for (std::uint32_t tried = 0; placed < must + may;) {
      std::size_t best = left_.size();
      for (std::size_t t = 0; t < left_.size(); ++t)
        if (left_[t] >= size && left_[t] > tried &&
            (best == left_.size() || left_[t] < left_[best]))
          best = t;
      if (best == left_.size()) break;
      tried = left_[best];
      left_[best] -= size;
      if (fill(size, placed + 1)) return true;
      left_[best] += size;
    }
    failed_.insert(std::move(state));
    return false;
  }

 private:
  std::span<const SizeCount> sizes_;
  std::vector<std::uint32_t> left_;
  std::uint64_t& work_;
  std::set<std::vector<std::uint32_t>> failed_;
};

}  // namespace

bool teams_can_be_filled(std::span<const std::uint32_t> team_sizes,
                         std::span<const SizeCount> sizes, std::uint64_t& work) {
  return Filler(team_sizes, sizes, work).fill(static_cast<std::uint32_t>(sizes.size()) - 1, 0);
}

void balance_teams(std::span<const SplitTicket> tickets, std::span<const std::uint32_t> team_sizes,
                   Split& split) {
  Balancer(tickets, team_sizes, split).run();
}

bool TeamPacking::push(std::uint32_t seats) {
  // Mostly the ticket just fits beside the others; the fullest team that it fits in leaves the
  // largest holes.
  std::size_t best = left_.size();
  for (std::size_t t = 0; t < left_.size(); ++t)
    if (left_[t] >= seats && (best == left_.size() || left_[t] < left_[best])) best = t;
  work_ += left_.size();
  if (best == left_.size()) return repack(seats);
  left_[best] -= seats;
  placed_.push_back({seats, static_cast<std::uint32_t>(best)});
  undo_.push_back({});
  return true;
}

bool TeamPacking::repack(std::uint32_t seats) {
  if (std::accumulate(left_.begin(), left_.end(), 0u) < seats) return false;
  std::vector<Placed> placed = placed_;
  placed.push_back({seats, 0});
  std::vector<std::uint32_t> left = left_;
  for (const Placed& one : placed_) left[one.team] += one.seats;
  std::vector<std::uint32_t> order(placed.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(placed[b].seats, a) < std::pair(placed[a].seats, b);
  });
  std::vector<std::uint32_t> sizes, teams;
  for (const std::uint32_t i : order) sizes.push_back(placed[i].seats);
  if (!Packer(left, work_).place(sizes, teams)) return false;
  for (std::size_t i = 0; i < order.size(); ++i) placed[order[i]].team = teams[i];
  undo_.push_back(
      {true, std::exchange(placed_, std::move(placed)), std::exchange(left_, std::move(left))});
  return true;
}

void TeamPacking::pop() {
  Undo undo = std::move(undo_.back());
  undo_.pop_back();
  if (undo.repacked) {
    placed_ = std::move(undo.placed);
    left_ = std::move(undo.left);
    return;
  }
  left_[placed_.back().team] += placed_.back().seats;
  placed_.pop_back();
}

std::vector<std::uint32_t> TeamPacking::teams() const {
  std::vector<std::uint32_t> teams;
  for (const Placed& placed : placed_) teams.push_back(placed.team);
  return teams;
}

}  // namespace muster::core
