#include "core/match_company.h"

#include <algorithm>
#include <tuple>

namespace muster::core {
namespace {

/// The least of what `a` shuns of `b` is no more than that.
bool shuns_up_to(const WaitingTicket& a, const WaitingTicket& b, std::int64_t matches_ago) {
  if (a.shunned.empty()) return false;
  return std::any_of(b.players.begin(), b.players.end(), [&](const PlayerKey& player) {
    const auto found = std::lower_bound(a.shunned.begin(), a.shunned.end(), Shunned{player, 0});
    return found != a.shunned.end() && found->player == player && found->matches_ago <= matches_ago;
  });
}

}  // namespace

PlayerKey key_of(const State& state, PlayerId id) {
  const Player* player = state.players.find(id);
  if (player && player->account != 0) return {player->account, {}};
  return {0, id};
}

std::vector<Blocked> block_list(const State& state, const std::vector<PlayerId>& given,
                                const std::vector<Blocked>& before) {
  std::vector<Blocked> list;
  for (const PlayerId id : given) {
    Blocked blocked{id, key_of(state, id).account};
    const auto old = std::find_if(before.begin(), before.end(),
                                  [&](const Blocked& b) { return b.player == id; });
    if (blocked.account == 0 && old != before.end()) blocked.account = old->account;
    list.push_back(blocked);
  }
  return list;
}

void add_company(const State& state, QueueIndex queue, std::span<const TicketMember> members,
                 WaitingTicket& ticket) {
  for (const TicketMember& member : members) {
    ticket.players.push_back(key_of(state, member.player));
    const Player* player = state.players.find(member.player);
    if (!player) continue;
    for (const Blocked& blocked : player->blocked)
      ticket.shunned.push_back(
          {blocked.account != 0 ? PlayerKey{blocked.account, {}} : PlayerKey{0, blocked.player},
           0});
    std::uint32_t ago = 0;
    for (auto match = player->recent.rbegin(); match != player->recent.rend(); ++match) {
      if (match->queue != queue) continue;
      if (++ago > state.config.queues[queue].avoid_recent) break;
      for (const PlayerKey& other : match->others) ticket.shunned.push_back({other, ago});
    }
  }
  std::sort(ticket.shunned.begin(), ticket.shunned.end());
  ticket.shunned.erase(
      std::unique(ticket.shunned.begin(), ticket.shunned.end(),
                  [](const Shunned& a, const Shunned& b) { return a.player == b.player; }),
      ticket.shunned.end());
  ticket.shunned.shrink_to_fit();
}

void remember_company(State& state, QueueIndex queue, std::span<const PlayerId> players) {
  const std::uint32_t kept = state.config.queues[queue].avoid_recent;
  if (kept == 0) return;
  for (const PlayerId id : players) {
    std::vector<RecentMatch>& recent = state.players[id].recent;
    RecentMatch& match = recent.emplace_back(RecentMatch{queue, {}});
    for (const PlayerId other : players)
      if (other != id) match.others.push_back(key_of(state, other));
    const auto of_queue = [queue](const RecentMatch& m) { return m.queue == queue; };
    for (auto count = std::count_if(recent.begin(), recent.end(), of_queue); count > kept; --count)
      recent.erase(std::find_if(recent.begin(), recent.end(), of_queue));
  }
}

void forget_company(State& state, QueueIndex queue, PlayerId player) {
  std::vector<RecentMatch>& recent = state.players[player].recent;
  if (!recent.empty() && recent.back().queue == queue) recent.pop_back();
}

bool shuns(const MatchRules& rules, const WaitingTicket& a, const WaitingTicket& b, Time now) {
  return !a.shunned.empty() && shuns_up_to(a, b, rules.avoid_recent.at(now - a.since));
}

bool blocks(const WaitingTicket& a, const WaitingTicket& b) { return shuns_up_to(a, b, 0); }

}  // namespace muster::core
