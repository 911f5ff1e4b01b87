// Tickets: from StartMatch to their one end.
#include <algorithm>
#include <functional>
#include <utility>

#include "base/check.h"
#include "core/match_company.h"
#include "core/match_regions.h"
#include "core/matchmaker.h"
#include "core/rule_matcher.h"
#include "core/team_split.h"
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

std::uint32_t team_size_max(const QueueConfig& config) {
  const auto sizes = team_sizes(config);
  return *std::max_element(sizes.begin(), sizes.end());
}

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
  if (player.party && leader_of(s_.parties[player.party]) != player_id)
    return refuse(e.session, e.request, Error::not_party_leader);
  if (const std::string wrong = wrong_with(e.attributes); !wrong.empty())
    return refuse(e.session, e.request, Error::attributes_invalid, wrong);
  const auto seats = static_cast<std::uint32_t>(std::max(e.seats, 0));
  std::vector<TicketMember> members{{player_id, seats, e.attributes}};
  if (player.party) {
    auto wish = party_wish(e, player_id);
    if (!wish) return;
    members = *std::move(wish);
  }
  if (!may_start(e, *queue_index, members)) return;

  if (std::string problem = latency_problem(e.latency); !problem.empty())
    return refuse(e.session, e.request, Error::latency_invalid, std::move(problem));
  std::vector<const std::vector<RegionLatency>*> latencies;
  for (const TicketMember& member : members)
    latencies.push_back(member.player == player_id && !e.latency.empty()
                            ? &e.latency
                            : &s_.players[member.player].latency);
  const QueueConfig& config = s_.config.queues[*queue_index];
  if (const auto latency = region_latencies(config, latencies); !latency)
    return refuse(e.session, e.request, latency.error().error, latency.error().detail);
  if (e.blocked && e.blocked->size() > blocked_max)
    return refuse(e.session, e.request, Error::blocked_invalid,
                  "there are " + std::to_string(e.blocked->size()));
  if (draining(s_, *queue_index))
    return refuse(e.session, e.request, Error::queue_draining, config.name);

  if (!e.latency.empty()) player.latency = e.latency;
  if (e.blocked) player.blocked = block_list(s_, *e.blocked, player.blocked);

  const TicketId id = begin_ticket(*queue_index, std::move(members), now_);
  enqueue(id);
  send_ticket(id, {player_id, e.request});
  send_gathered(*queue_index, {&id, 1});
  try_match(*queue_index);
  use_fleets(*queue_index);
}

/// What is wrong with the attributes of one player, for people; empty if nothing is.
std::string Turn::wrong_with(const std::vector<Attribute>& attributes) const {
  if (attributes.size() > s_.config.attributes_max)
    return "attributes_max is " + std::to_string(s_.config.attributes_max);
  for (const Attribute& attribute : attributes)
    if (reserved(attribute.name))
      return '"' + attribute.name + "\" is the lobby's to say, not a player's";
  return {};
}

/// Whether they may wait in the queue together; otherwise refuses.
bool Turn::may_start(const StartMatch& e, QueueIndex index,
                     const std::vector<TicketMember>& members) {
  const QueueConfig& config = s_.config.queues[index];
  const bool party = members.size() > 1;
  const auto no = [&](Error error, std::string detail) {
    refuse(e.session, e.request, error, std::move(detail));
    return false;
  };
  for (const TicketMember& member : members)
    if (config.accounts_only && s_.players[member.player].account == 0)
      return no(Error::account_required, config.name);
  const std::uint32_t seats = seats_of(members);
  if (e.seats < 1 || (!party && seats > config.players))
    return no(Error::seats_invalid,
              "queue " + config.name + " has matches of " + std::to_string(config.players));
  if (const std::uint32_t most = team_size_max(config); seats > most && (party || config.ruled()))
    return no(party ? Error::party_too_big : Error::seats_invalid,
              "queue " + config.name + " has teams of " + std::to_string(most) + ", and a " +
                  (party ? "party" : "ticket") + " is in one team");
  if (const auto values = rule_values(config, members); !values)
    return no(Error::attributes_invalid, values.error());
  for (const TicketMember& member : members)
    if (const Duration left = penalty_left(member.player, index); left > Duration::zero()) {
      emit(SendError{e.session, e.request, Error::queue_penalty,
                     party ? s_.players[member.player].name : config.name, left});
      return false;
    }
  return true;
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
  const bool in_one_team = config.ruled() || members.size() > 1;
  if (seats_of(members) > (in_one_team ? team_size_max(config) : config.players))
    return Error::seats_invalid;
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

/// Of a party its leader may, unless they are not on the ticket themselves. A match that is offered
/// is declined by it.
void Turn::on(const CancelMatch& e) {
  const PlayerId player = player_of(e.session, e.request);
  if (!player) return;
  const TicketId ticket = s_.players[player].ticket;
  if (!ticket) return refuse(e.session, e.request, Error::not_queued);
  if (const Party* party = s_.parties.find(s_.players[player].party)) {
    const PlayerId leader = leader_of(*party);
    if (leader != player && s_.players[leader].ticket == ticket)
      return refuse(e.session, e.request, Error::not_party_leader);
  }
  if (!is_offered(ticket))
    return withdraw_ticket(ticket, TicketState::cancelled, Error::none, {player, e.request});
  if (has_accepted(player)) return refuse(e.session, e.request, Error::match_accepted);
  decline(player, {player, e.request});
}

/// One of its players goes; the ticket goes on with the others, and with its waiting time.
void Turn::leave_ticket(PlayerId id) {
  Player& player = s_.players[id];
  const TicketId ticket_id = player.ticket;
  Ticket& ticket = s_.tickets[ticket_id];
  if (ticket.members.size() == 1)
    return withdraw_ticket(ticket_id, TicketState::cancelled, Error::none);
  const QueueIndex queue = ticket.queue;
  const TicketState state = ticket.state;
  if (state == TicketState::queued) dequeue(ticket, ticket_id);
  if (player.session)
    emit(SendTicket{player.session, 0, ticket_id, s_.config.queues[queue].name,
                    TicketState::cancelled, 0, seats_needed(ticket)});
  player.ticket = TicketId{};
  std::erase_if(ticket.members, [&](const TicketMember& m) { return m.player == id; });
  ticket.seats = seats_of(ticket.members);
  ticket.held = std::ranges::any_of(
      ticket.members, [&](const TicketMember& m) { return !s_.players[m.player].session; });
  if (state == TicketState::queued) {
    enqueue(ticket_id);
    send_ticket(ticket_id);
    send_gathered(queue, {&ticket_id, 1});
  } else {
    dissolve(ticket.match);
  }
  try_match(queue);
}

Rating Turn::rating_of(const Ticket& ticket) const {
  std::vector<Rating> ratings;
  for (const TicketMember& member : ticket.members)
    ratings.push_back(rating_of(member.player, ticket.queue));
  return rating_together(s_.config.queues[ticket.queue], ratings);
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
  if (!match.by_rules) deal_parties(queue, match);
  ++s_.totals.matches;
  for (const TicketId id : match.tickets) {
    Ticket& ticket = s_.tickets[id];
    s_.queues[queue].waits.add(neighbourhood_of(s_, ticket), {now_, now_ - ticket.since});
    dequeue(ticket, id);
    ticket.state = TicketState::matched;
    ticket.match = match_id;
  }
  if (s_.config.queues[queue].accept_timeout > Duration::zero()) return offer(match_id);
  for (const TicketId id : match.tickets) send_ticket(id);
  const FleetIndex fleet = match.fleet;
  wait_for_server(match_id);
  balance(fleet);
}

/// Without rules seats are dealt to teams in order; who came together is in one team, unless teams
/// cannot be filled like that.
void Turn::deal_parties(QueueIndex queue, Match& match) {
  const QueueConfig& config = s_.config.queues[queue];
  const auto is_party = [&](TicketId id) { return s_.tickets[id].members.size() > 1; };
  if (config.teams == 1 || !std::ranges::any_of(match.tickets, is_party)) return;
  std::vector<TicketId> largest_first = match.tickets;
  std::ranges::sort(largest_first, std::greater{},
                    [&](TicketId id) { return std::pair(s_.tickets[id].seats, id); });
  const std::vector<std::uint32_t> sizes = team_sizes(config);
  TeamPacking packing(sizes);
  for (const TicketId id : largest_first)
    if (!packing.push(s_.tickets[id].seats)) return;
  const std::vector<std::uint32_t> teams = packing.teams();
  for (std::size_t i = 0; i < teams.size(); ++i) s_.tickets[largest_first[i]].team = teams[i];
  match.by_rules = true;
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
  Ticket& ticket = s_.tickets[id];
  if (ticket.state == TicketState::offered) {  // It has come so far, and may have its game server.
    const Match& match = s_.matches[ticket.match];
    s_.timers.set(ticket.expiry, match.accept_until + s_.config.fleets[match.fleet].launch_timeout,
                  timer(TimerKind::ticket_expiry, id));
    return;
  }
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
  SendTicket effect{session,
                    request,
                    id,
                    config.name,
                    ticket.state,
                    gathered(ticket),
                    seats_needed(ticket),
                    error,
                    estimate_wait(s_, ticket)};
  if (ticket.state == TicketState::offered) {
    const Match& match = s_.matches[ticket.match];
    effect.accepted = static_cast<std::uint32_t>(match.accepted.size());
    effect.accepts_needed = accepts_needed(match);
    effect.accept_left = match.accept_until - now_;
    effect.you_accepted = has_accepted(player);
  }
  emit(std::move(effect));
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
    case TicketState::offered:
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
