// Tickets: from StartMatch to their one end.
#include <algorithm>
#include <utility>

#include "core/matchmaker.h"
#include "core/turn.h"

namespace muster::core {
namespace {

std::optional<QueueIndex> find_queue(const State& state, const std::string& name) {
  const std::string& wanted = name.empty() ? state.config.classic_queue : name;
  for (QueueIndex i = 0; i < state.queues.size(); ++i)
    if (!state.queues[i].removed && (wanted.empty() || state.config.queues[i].name == wanted))
      return i;
  return std::nullopt;
}

}  // namespace

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
  if (e.seats < 1 || static_cast<std::uint32_t>(e.seats) > config.players)
    return refuse(e.session, e.request, Error::seats_invalid,
                  "queue " + config.name + " has matches of " + std::to_string(config.players));
  if (e.attributes.size() > s_.config.attributes_max)
    return refuse(e.session, e.request, Error::attributes_invalid,
                  "attributes_max is " + std::to_string(s_.config.attributes_max));

  const FleetIndex fleet = config.fleet;
  if (s_.fleets[fleet].draining)
    return refuse(e.session, e.request, Error::queue_draining, config.name);

  const TicketId id = s_.tickets.emplace();
  Ticket& ticket = s_.tickets[id];
  ticket.player = player_id;
  ticket.queue = *queue_index;
  ticket.seats = static_cast<std::uint32_t>(e.seats);
  ticket.since = now_;
  ticket.attributes = e.attributes;
  player.ticket = id;
  ++s_.totals.tickets;
  s_.timers.set(ticket.expiry, now_ + config.ticket_timeout, timer(TimerKind::ticket_expiry, id));
  enqueue(id);
  send_ticket(id, e.request);
  send_gathered(*queue_index, {&id, 1});
  try_match(*queue_index);
  use_fleet(fleet);
}

Error Turn::misfit(QueueIndex queue, std::uint32_t seats) const {
  if (s_.queues[queue].removed) return Error::queue_removed;
  return seats > s_.config.queues[queue].players ? Error::seats_invalid : Error::none;
}

void Turn::on(const CancelMatch& e) {
  const PlayerId player = player_of(e.session, e.request);
  if (!player) return;
  const TicketId ticket = s_.players[player].ticket;
  if (!ticket) return refuse(e.session, e.request, Error::not_queued);
  withdraw_ticket(ticket, TicketState::cancelled, Error::none, e.request);
}

void Turn::enqueue(TicketId id) {
  Ticket& ticket = s_.tickets[id];
  ticket.state = TicketState::queued;
  ticket.match = MatchId{};
  if (ticket.held) return;
  Queue& queue = s_.queues[ticket.queue];
  queue.waiting[ticket.seats].emplace(ticket.since, id);
  queue.seats_waiting += ticket.seats;
}

void Turn::dequeue(const Ticket& ticket, TicketId id) {
  if (ticket.held) return;
  Queue& queue = s_.queues[ticket.queue];
  const auto line = queue.waiting.find(ticket.seats);
  CHECK(line != queue.waiting.end() && line->second.erase({ticket.since, id}) == 1,
        "a queued ticket stands in its line");
  if (line->second.empty()) queue.waiting.erase(line);
  queue.seats_waiting -= ticket.seats;
}

/// The player's connection is gone: the ticket keeps its place but is not matched meanwhile. A
/// match already launching goes on; its assignment waits for the player.
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

/// The player is back. True if that put the ticket into its line again: then the caller tells the
/// others, and lets them be matched.
bool Turn::unhold(TicketId id) {
  Ticket& ticket = s_.tickets[id];
  if (!std::exchange(ticket.held, false) || ticket.state != TicketState::queued) return false;
  enqueue(id);
  return true;
}

void Turn::try_match(QueueIndex queue) {
  if (s_.queues[queue].removed || s_.fleets[s_.config.queues[queue].fleet].draining) return;
  for (;;) {
    std::vector<TicketId> tickets = find_match(s_.queues[queue], s_.config.queues[queue].players);
    if (tickets.empty()) return;
    form_match(queue, std::move(tickets));
  }
}

void Turn::form_match(QueueIndex queue, std::vector<TicketId> tickets) {
  const MatchId match_id = s_.matches.emplace();
  Match& match = s_.matches[match_id];
  match.queue = queue;
  match.fleet = s_.config.queues[queue].fleet;
  match.seats = s_.config.queues[queue].players;
  match.since = now_;
  match.tickets = std::move(tickets);
  ++s_.totals.matches;
  for (const TicketId id : match.tickets) {
    Ticket& ticket = s_.tickets[id];
    dequeue(ticket, id);
    ticket.state = TicketState::matched;
    ticket.match = match_id;
    send_ticket(id);
  }
  const FleetIndex fleet = match.fleet;
  wait_for_server(match_id);
  balance(fleet);
}

/// Ends a ticket wherever it stands, and lets the others of its match go back to the queue.
void Turn::withdraw_ticket(TicketId id, TicketState state, Error error, std::uint32_t request) {
  const Ticket& ticket = s_.tickets[id];
  const QueueIndex queue = ticket.queue;
  if (ticket.state == TicketState::queued) {
    dequeue(ticket, id);
    end_ticket(id, state, error, request);
    send_gathered(queue);
  } else {
    const MatchId match = ticket.match;
    std::erase(s_.matches[match].tickets, id);
    end_ticket(id, state, error, request);
    dissolve(match);
  }
  try_match(queue);
}

/// The ticket has left its line and its match: says its last state and forgets it.
void Turn::end_ticket(TicketId id, TicketState state, Error error, std::uint32_t request) {
  Ticket& ticket = s_.tickets[id];
  ticket.state = state;
  send_ticket(id, request, error);
  s_.fleets[s_.config.queues[ticket.queue].fleet].used_at = now_;
  s_.timers.cancel(ticket.expiry);
  s_.players[ticket.player].ticket = TicketId{};
  s_.tickets.erase(id);
}

void Turn::send_ticket(TicketId id, std::uint32_t request, Error error) {
  const Ticket& ticket = s_.tickets[id];
  const SessionId session = s_.players[ticket.player].session;
  if (!session) return;
  const QueueConfig& config = s_.config.queues[ticket.queue];
  emit(SendTicket{session, request, id, config.name, ticket.state, gathered(ticket),
                  seats_needed(ticket), error});
}

/// A match has as many as its queue had when it was formed.
std::uint32_t Turn::seats_needed(const Ticket& ticket) const {
  const Match* match = s_.matches.find(ticket.match);
  return match ? match->seats : s_.config.queues[ticket.queue].players;
}

/// Tells those in line how many have gathered, but for those just told. Nothing to tell once more
/// wait than a match takes: they wait for a fitting size, and the count stays where it was.
void Turn::send_gathered(QueueIndex index, std::span<const TicketId> told) {
  const Queue& queue = s_.queues[index];
  if (queue.seats_waiting >= s_.config.queues[index].players) return;
  for (const auto& [seats, line] : queue.waiting)
    for (const auto& [since, id] : line)
      if (std::find(told.begin(), told.end(), id) == told.end()) send_ticket(id);
}

std::uint32_t Turn::gathered(const Ticket& ticket) const {
  const std::uint32_t needed = seats_needed(ticket);
  switch (ticket.state) {
    case TicketState::queued: {
      if (ticket.held) return ticket.seats;
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
