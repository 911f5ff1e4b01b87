// Tickets: from StartMatch to their one end.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "core/match_company.h"
#include "core/match_regions.h"
#include "core/matchmaker.h"
#include "core/rule_matcher.h"
#include "core/turn.h"

namespace muster::core {
namespace {

constexpr std::uint32_t gathered_steps_max = 16;

std::optional<QueueIndex> find_queue(const State& state, const std::string& name) {
  const std::string& wanted = name.empty() ? state.config.classic_queue : name;
  for (QueueIndex i = 0; i < state.queues.size(); ++i)
    if (!state.queues[i].removed && (wanted.empty() || state.config.queues[i].name == wanted))
      return i;
  return std::nullopt;
}

/// Attributes whose word is the lobby's alone.
bool reserved(const std::string& name) { return name == "rating"; }

std::uint32_t seats_of(const std::vector<TicketMember>& members) {
  std::uint32_t seats = 0;
  for (const TicketMember& member : members) seats += member.seats;
  return seats;
}

}  // namespace

MatcherSlot::MatcherSlot() = default;
MatcherSlot::MatcherSlot(const QueueConfig& config)
    : matcher_(config.ruled() ? std::make_unique<RuleMatcher>(compile(config)) : nullptr) {}
MatcherSlot::MatcherSlot(MatcherSlot&&) noexcept = default;
MatcherSlot& MatcherSlot::operator=(MatcherSlot&&) noexcept = default;
MatcherSlot::~MatcherSlot() = default;

void Turn::on(const StartMatch& e) {
  const PlayerId player_id = player_of(e.session, e.request);
  if (!player_id) return;
  Player& player = s_.players[player_id];
  if (s_.stopping) return refuse(e.session, e.request, Error::lobby_stopping);
  if (player.ticket) return refuse(e.session, e.request, Error::already_queued);
  if (player.match) return refuse(e.session, e.request, Error::already_in_match);
  const auto queue_index = find_queue(s_, e.queue);
  if (!queue_index) return refuse(e.session, e.request, Error::queue_not_found, e.queue);
  const QueueConfig& config = s_.config.queues[*queue_index];
  if (config.accounts_only && player.account == 0)
    return refuse(e.session, e.request, Error::account_required, config.name);
  if (e.seats < 1 || static_cast<std::uint32_t>(e.seats) > config.players)
    return refuse(e.session, e.request, Error::seats_invalid,
                  "queue " + config.name + " has matches of " + std::to_string(config.players));
  if (e.attributes.size() > s_.config.attributes_max)
    return refuse(e.session, e.request, Error::attributes_invalid,
                  "attributes_max is " + std::to_string(s_.config.attributes_max));
  for (const Attribute& attribute : e.attributes)
    if (reserved(attribute.name))
      return refuse(e.session, e.request, Error::attributes_invalid,
                    '"' + attribute.name + "\" is the lobby's to say, not a player's");
  if (const RuleMatcher* matcher = s_.queues[*queue_index].matcher.get()) {
    if (static_cast<std::uint32_t>(e.seats) > matcher->rules().team_size_max)
      return refuse(e.session, e.request, Error::seats_invalid,
                    "queue " + config.name + " has teams of " +
                        std::to_string(matcher->rules().team_size_max) +
                        ", and a ticket is in one team");
    if (const auto values = rule_values(config, e.attributes); !values)
      return refuse(e.session, e.request, Error::attributes_invalid, values.error());
  }

  if (std::string problem = latency_problem(e.latency); !problem.empty())
    return refuse(e.session, e.request, Error::latency_invalid, std::move(problem));
  const auto& measured = e.latency.empty() ? player.latency : e.latency;
  if (const auto latency = region_latencies(config, {{&measured}}); !latency)
    return refuse(e.session, e.request, latency.error().error, latency.error().detail);
  if (e.blocked && e.blocked->size() > blocked_max)
    return refuse(e.session, e.request, Error::blocked_invalid,
                  "there are " + std::to_string(e.blocked->size()));
  if (draining(s_, *queue_index))
    return refuse(e.session, e.request, Error::queue_draining, config.name);

  if (!e.latency.empty()) player.latency = e.latency;
  if (e.blocked) player.blocked = block_list(s_, *e.blocked, player.blocked);

  const TicketId id = begin_ticket(
      *queue_index, {{player_id, static_cast<std::uint32_t>(e.seats), e.attributes}}, now_);
  enqueue(id);
  send_ticket(id, {player_id, e.request});
  send_gathered(*queue_index, {&id, 1});
  try_match(*queue_index);
  use_fleets(*queue_index);
}

/// In no line yet.
TicketId Turn::begin_ticket(QueueIndex queue, std::vector<TicketMember> members, Time since) {
  const TicketId id = s_.tickets.emplace();
  Ticket& ticket = s_.tickets[id];
  ticket.members = std::move(members);
  ticket.queue = queue;
  ticket.seats = seats_of(ticket.members);
  ticket.since = since;
  for (const TicketMember& member : ticket.members) {
    Player& player = s_.players[member.player];
    player.ticket = id;
    ticket.held = ticket.held || !player.session;
  }
  ++s_.totals.tickets;
  s_.timers.set(ticket.expiry, now_ + s_.config.queues[queue].ticket_timeout,
                timer(TimerKind::ticket_expiry, id));
  return id;
}

Error Turn::misfit(QueueIndex queue, const std::vector<TicketMember>& members) const {
  if (s_.queues[queue].removed) return Error::queue_removed;
  const QueueConfig& config = s_.config.queues[queue];
  const std::uint32_t seats = seats_of(members);
  if (!config.ruled()) return seats > config.players ? Error::seats_invalid : Error::none;
  const auto sizes = team_sizes(config);
  if (seats > *std::max_element(sizes.begin(), sizes.end())) return Error::seats_invalid;
  if (!rule_values(config, members)) return Error::attributes_invalid;
  const auto latency = latencies_of(queue, members);
  return latency ? Error::none : latency.error().error;
}

std::expected<std::vector<std::uint16_t>, Unplayable> Turn::latencies_of(
    QueueIndex queue, const std::vector<TicketMember>& members) const {
  if (s_.config.queues[queue].region.empty()) return {};
  std::vector<const std::vector<RegionLatency>*> players;
  for (const TicketMember& member : members) players.push_back(&s_.players[member.player].latency);
  return region_latencies(s_.config.queues[queue], players);
}

void Turn::on(const CancelMatch& e) {
  const PlayerId player = player_of(e.session, e.request);
  if (!player) return;
  const TicketId ticket = s_.players[player].ticket;
  if (!ticket) return refuse(e.session, e.request, Error::not_queued);
  withdraw_ticket(ticket, TicketState::cancelled, Error::none, {player, e.request});
}

/// The average of its players; half a point counts upwards, away from zero.
Rating Turn::rating_of(const Ticket& ticket) const {
  std::int64_t sum = 0;
  for (const TicketMember& member : ticket.members) sum += rating_of(member.player, ticket.queue);
  const auto count = static_cast<std::int64_t>(ticket.members.size());
  return static_cast<Rating>((sum + (sum < 0 ? -count / 2 : count / 2)) / count);
}

void Turn::enqueue(TicketId id) {
  Ticket& ticket = s_.tickets[id];
  ticket.state = TicketState::queued;
  ticket.match = MatchId{};
  if (ticket.held) return;
  Queue& queue = s_.queues[ticket.queue];
  queue.seats_waiting += ticket.seats;
  if (queue.matcher) {
    auto values = rule_values(s_.config.queues[ticket.queue], ticket.members);
    CHECK(values, "a ticket's attributes were checked when it began");
    auto latency = latencies_of(ticket.queue, ticket.members);
    CHECK(latency, "so was how far its players are");
    WaitingTicket waiting{
        id, ticket.since, ticket.seats, rating_of(ticket), *std::move(values), *std::move(latency)};
    add_company(s_, ticket.queue, ticket.members, waiting);
    ticket.place = queue.matcher->add(std::move(waiting), now_);
    arm_widening(ticket.queue);
    return;
  }
  queue.waiting[ticket.seats].emplace(ticket.since, id);
}

void Turn::dequeue(const Ticket& ticket, TicketId id) {
  if (ticket.held) return;
  Queue& queue = s_.queues[ticket.queue];
  queue.seats_waiting -= ticket.seats;
  if (queue.matcher) return queue.matcher->remove(ticket.place);
  const auto line = queue.waiting.find(ticket.seats);
  CHECK(line != queue.waiting.end() && line->second.erase({ticket.since, id}) == 1,
        "a queued ticket stands in its line");
  if (line->second.empty()) queue.waiting.erase(line);
}

/// A player's connection is gone: the ticket keeps its place but is not matched meanwhile. A
/// match already launching goes on; its assignment waits for them.
void Turn::hold(TicketId id) {
  if (put_aside(id)) send_gathered(s_.tickets[id].queue);
}

/// The same, but nobody is told. True if somebody may want to know: it has left its line.
bool Turn::put_aside(TicketId id) {
  Ticket& ticket = s_.tickets[id];
  const bool leaves = ticket.state == TicketState::queued && !ticket.held;
  if (leaves) dequeue(ticket, id);
  ticket.held = true;
  return leaves;
}

/// A player is back. True if that put the ticket into its line again: then the caller tells the
/// others, and lets them be matched.
bool Turn::unhold(TicketId id) {
  Ticket& ticket = s_.tickets[id];
  for (const TicketMember& member : ticket.members)
    if (!s_.players[member.player].session) return false;
  if (!std::exchange(ticket.held, false) || ticket.state != TicketState::queued) return false;
  enqueue(id);
  return true;
}

void Turn::try_match(QueueIndex queue) {
  if (s_.queues[queue].removed || draining(s_, queue)) return;
  if (RuleMatcher* matcher = s_.queues[queue].matcher.get()) {
    matcher->open_regions(regions_open(queue), now_);
    for (FoundMatch found; matcher->next_match(now_, found);) {
      for (std::size_t i = 0; i < found.tickets.size(); ++i)
        s_.tickets[found.tickets[i]].team = found.teams[i];
      form_match(queue, std::move(found.tickets), found.region);
    }
    return;
  }
  for (;;) {
    std::vector<TicketId> tickets = find_match(s_.queues[queue], s_.config.queues[queue].players);
    if (tickets.empty()) return;
    form_match(queue, std::move(tickets));
  }
}

/// Those whose fleet is not drained.
std::uint32_t Turn::regions_open(QueueIndex queue) const {
  const auto& regions = s_.config.queues[queue].region;
  std::uint32_t open = 0;
  for (std::size_t i = 0; i < regions.size(); ++i)
    if (!s_.fleets[regions[i].fleet].draining) open |= std::uint32_t{1} << i;
  return open;
}

/// The limits of some waiting tickets have grown.
void Turn::widen(QueueIndex index) {
  s_.queues[index].matcher->widen(now_);
  try_match(index);
  arm_widening(index);
}

/// A deadline that has become too early is left alone: then nothing has grown, and it is set anew.
void Turn::arm_widening(QueueIndex index) {
  Queue& queue = s_.queues[index];
  const auto next = queue.matcher->next_widening();
  if (!next || (queue.widening && queue.widening_at <= *next)) return;
  queue.widening_at = *next;
  s_.timers.set(queue.widening, *next, Timer{TimerKind::queue_widening, index, 0});
}

void Turn::form_match(QueueIndex queue, std::vector<TicketId> tickets, std::uint32_t region) {
  const MatchId match_id = s_.matches.emplace();
  Match& match = s_.matches[match_id];
  match.queue = queue;
  match.fleet = s_.config.queues[queue].fleet;
  if (const auto& regions = s_.config.queues[queue].region; !regions.empty()) {
    match.fleet = regions[region].fleet;
    match.region = regions[region].name;
  }
  match.by_rules = s_.queues[queue].matcher.get() != nullptr;
  match.since = now_;
  match.tickets = std::move(tickets);
  for (const TicketId id : match.tickets) match.seats += s_.tickets[id].seats;
  if (match.by_rules && s_.config.queues[queue].bots) add_bots(queue, match);
  ++s_.totals.matches;
  for (const TicketId id : match.tickets) {
    Ticket& ticket = s_.tickets[id];
    s_.queues[queue].waits.add(neighbourhood_of(s_, ticket), {now_, now_ - ticket.since});
    dequeue(ticket, id);
    ticket.state = TicketState::matched;
    ticket.match = match_id;
    send_ticket(id);
  }
  const FleetIndex fleet = match.fleet;
  wait_for_server(match_id);
  balance(fleet);
}

/// The seats that are left over, team by team.
void Turn::add_bots(QueueIndex queue, Match& match) const {
  std::vector<std::uint32_t> left = s_.queues[queue].matcher->rules().team_sizes;
  for (const TicketId id : match.tickets) left[s_.tickets[id].team] -= s_.tickets[id].seats;
  for (std::uint32_t team = 0; team < left.size(); ++team)
    if (left[team] > 0) match.bots.push_back({team, left[team]});
}

/// The ticket has waited for its queue's ticket_timeout: it goes to the queue that is for such, if
/// there is one that can have it, or it ends.
void Turn::ticket_due(TicketId id) {
  const Ticket& ticket = s_.tickets[id];
  const std::string& name = s_.config.queues[ticket.queue].timeout_queue;
  if (ticket.state == TicketState::queued && !name.empty() && !s_.queues[ticket.queue].removed) {
    const auto next = find_queue(s_, name);
    if (next && *next != ticket.queue && !draining(s_, *next) &&
        misfit(*next, ticket.members) == Error::none)
      return move_ticket(id, *next);
  }
  withdraw_ticket(id, TicketState::expired, Error::ticket_expired);
}

/// With its waiting time, and that queue's ticket_timeout from now on.
void Turn::move_ticket(TicketId id, QueueIndex to) {
  Ticket& ticket = s_.tickets[id];
  const QueueIndex from = ticket.queue;
  dequeue(ticket, id);
  ticket.queue = to;
  s_.timers.set(ticket.expiry, now_ + s_.config.queues[to].ticket_timeout,
                timer(TimerKind::ticket_expiry, id));
  enqueue(id);
  send_ticket(id);
  send_gathered(from);
  send_gathered(to, {&id, 1});
  fleets_used(from);
  try_match(to);
  use_fleets(to);
}

/// Ends a ticket wherever it stands, and lets the others of its match go back to the queue.
void Turn::withdraw_ticket(TicketId id, TicketState state, Error error, Asker asker) {
  const Ticket& ticket = s_.tickets[id];
  const QueueIndex queue = ticket.queue;
  if (ticket.state == TicketState::queued) {
    dequeue(ticket, id);
    end_ticket(id, state, error, asker);
    send_gathered(queue);
  } else {
    const MatchId match = ticket.match;
    std::erase(s_.matches[match].tickets, id);
    end_ticket(id, state, error, asker);
    dissolve(match);
  }
  try_match(queue);
}

/// The ticket has left its line and its match: says its last state and forgets it.
void Turn::end_ticket(TicketId id, TicketState state, Error error, Asker asker) {
  Ticket& ticket = s_.tickets[id];
  ticket.state = state;
  send_ticket(id, asker, error);
  fleets_used(ticket.queue);
  s_.timers.cancel(ticket.expiry);
  for (const TicketMember& member : ticket.members) s_.players[member.player].ticket = TicketId{};
  s_.tickets.erase(id);
}

/// To each of its players; it answers the one who asked.
void Turn::send_ticket(TicketId id, Asker asker, Error error) {
  for (const TicketMember& member : s_.tickets[id].members)
    send_ticket_to(member.player, member.player == asker.player ? asker.request : 0, error);
}

void Turn::send_ticket_to(PlayerId player, std::uint32_t request, Error error) {
  const SessionId session = s_.players[player].session;
  const TicketId id = s_.players[player].ticket;
  if (!session) return;
  const Ticket& ticket = s_.tickets[id];
  const QueueConfig& config = s_.config.queues[ticket.queue];
  emit(SendTicket{session, request, id, config.name, ticket.state, gathered(ticket),
                  seats_needed(ticket), error, estimate_wait(s_, ticket)});
}

/// A match has as many as its queue had when it was formed.
std::uint32_t Turn::seats_needed(const Ticket& ticket) const {
  const Match* match = s_.matches.find(ticket.match);
  return match ? match->seats : s_.config.queues[ticket.queue].players;
}

/// Tells those in line how many have gathered, but for those just told. Nothing to tell once more
/// wait than a match takes: they wait for a fitting size, and the count stays where it was. With
/// rules each has a count of their own, which they are told when they begin or go on waiting.
/// In steps: a match of many costs each of them a few messages, not one for every other player.
void Turn::send_gathered(QueueIndex index, std::span<const TicketId> told) {
  Queue& queue = s_.queues[index];
  const std::uint32_t players = s_.config.queues[index].players;
  if (queue.matcher || queue.seats_waiting >= players) return;
  const std::uint32_t step = queue.seats_waiting * std::min(players, gathered_steps_max) / players;
  if (std::exchange(queue.gathered_told, step) == step) return;
  for (const auto& [seats, line] : queue.waiting)
    for (const auto& [since, id] : line)
      if (std::find(told.begin(), told.end(), id) == told.end()) send_ticket(id);
}

std::uint32_t Turn::gathered(const Ticket& ticket) const {
  const std::uint32_t needed = seats_needed(ticket);
  switch (ticket.state) {
    case TicketState::queued: {
      if (ticket.held) return ticket.seats;
      if (const RuleMatcher* matcher = s_.queues[ticket.queue].matcher.get())
        return std::max(ticket.seats, matcher->seats_in_reach(ticket.place, now_, needed - 1));
      const std::uint32_t waiting = s_.queues[ticket.queue].seats_waiting;
      return std::max(ticket.seats, std::min(waiting, needed - 1));
    }
    case TicketState::matched:
    case TicketState::assigned:
      return needed;
    case TicketState::cancelled:
    case TicketState::expired:
    case TicketState::failed:
      return 0;
  }
  return 0;
}

}  // namespace muster::core
