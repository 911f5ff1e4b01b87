#pragma once
// Company: with whom somebody does not want to play. Whom they block, never; with whom they have
// just played, not for avoid_recent matches, as long as the ticket has not waited for too long.
// Either side is enough. Those of one ticket have chosen each other.

#include <cstdint>
#include <span>
#include <vector>

#include "core/match_rules.h"
#include "core/state.h"
#include "core/ticket_index.h"

namespace muster::core {

/// Who a player is to others.
PlayerKey key_of(const State& state, PlayerId player);

/// The block list that a player gives, in the place of the one before. Who is known now, or was
/// when they were blocked, is blocked as their account.
std::vector<Blocked> block_list(const State& state, const std::vector<PlayerId>& given,
                                const std::vector<Blocked>& before);

/// Says of a ticket of that queue who is on it, and whom they shun.
void add_company(const State& state, QueueIndex queue, std::span<const TicketMember> members,
                 WaitingTicket& ticket);

/// These play together in the queue: each of them remembers it, as far as the queue wants to know.
void remember_company(State& state, QueueIndex queue, std::span<const PlayerId> players);

/// That match is not to count: its game server was lost.
void forget_company(State& state, QueueIndex queue, PlayerId player);

/// Whether somebody of the first does not want to play with somebody of the second, by then.
bool shuns(const MatchRules& rules, const WaitingTicket& a, const WaitingTicket& b, Time now);
/// The same of block lists alone, which no time changes.
bool blocks(const WaitingTicket& a, const WaitingTicket& b);

}  // namespace muster::core
