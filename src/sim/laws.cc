// The laws of sessions, players and tickets; those of servers and matches are in server_laws.cc.
#include "sim/laws.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "core/match_rules.h"

namespace muster::sim {

using core::Error;
using core::PlayerId;
using core::SessionId;
using core::TicketId;
using core::TicketState;

namespace {

/// Why a ticket does not wait on when its match breaks up, which older rules had formed.
bool is_misfit(Error error) {
  return error == Error::seats_invalid || error == Error::attributes_invalid ||
         error == Error::queue_removed;
}

}  // namespace

void Laws::broken(const std::string& law) { throw LawBroken(law); }

/// Of an operator, that ends no match.
bool Laws::is_order(const core::Event& event) {
  return std::holds_alternative<core::ConfigReloaded>(event) ||
         std::holds_alternative<core::DrainFleet>(event) ||
         std::holds_alternative<core::DrainNode>(event) ||
         std::holds_alternative<core::DrainServer>(event) ||
         std::holds_alternative<core::ClearFleet>(event);
}

void Laws::observe(const Step& step) {
  if (step.stale && !step.late)
    must(step.effects.empty(), "an event about what is gone has no effect");
  before(step);
  for (const core::Effect& effect : step.effects)
    std::visit([&](const auto& e) { on(e, step); }, effect);
  after(step);
}

void Laws::before(const Step& step) {
  asker_ = {}, request_ = 0, replies_ = 0, resumed_ = {}, resumed_told_ = false;
  strangers_.clear(), answered_.clear();
  leaving_ = {};
  link_before_ = step.late ? link_ : core::NodeId{};
  std::visit(
      [&](const auto& e) {
        using E = std::decay_t<decltype(e)>;
        if constexpr (requires { e.request; }) {
          if (sessions_.contains(e.session)) asker_ = e.session, request_ = e.request;
        } else if constexpr (std::is_same_v<E, core::ClassicServerLogin> ||
                             std::is_same_v<E, core::ClassicServerReset> ||
                             std::is_same_v<E, core::OwnerVerified>) {
          asker_ = e.session;
        } else if constexpr (std::is_same_v<E, core::SessionOpened>) {
          must(sessions_.emplace(e.session, SessionView{e.resumable, false, {}}).second,
               "the world opens a session once");
        } else if constexpr (std::is_same_v<E, core::NodeConnected>) {
          link_ = e.node;
          for (auto& [id, server] : servers_) server.held = false;  // It says anew which are.
          for (const core::ServerReport& report : e.servers) {
            launched_.insert(report.server);
            const auto view = servers_.find(report.server);
            if (view == servers_.end() || !view->second.known) strangers_.push_back(report.server);
          }
        } else if constexpr (std::is_same_v<E, core::LobbyStarted>) {
          while (!sessions_.empty()) session_closes(sessions_.begin()->first);
          link_ = {};
        } else if constexpr (std::is_same_v<E, core::ServerAllocated> ||
                             std::is_same_v<E, core::ServerReserved> ||
                             std::is_same_v<E, core::ServerReady>) {
          note_hold(e.server, step);
        } else if constexpr (std::is_same_v<E, core::NodeLost>) {
          if (link_ == e.node) link_ = {};
        } else if constexpr (std::is_same_v<E, core::PlayerLeft>) {
          const auto server = servers_.find(e.server);
          if (server == servers_.end()) return;
          const auto match = matches_.find(server->second.match);
          const auto player = players_.find(e.player);
          if (match == matches_.end() || player == players_.end()) return;
          match->second.owed.erase(e.player);
          if (!player->second.session && player->second.match == match->first)
            player->second.match = {};
        }
      },
      step.event);
  // What was due before it may still go to the session that closes, or over the link that is lost.
  const auto* closed = std::get_if<core::SessionClosed>(&step.event);
  if (closed && step.late) leaving_ = closed->session;
  if (closed && !step.late) session_closes(closed->session);
}

void Laws::session_closes(SessionId id) {
  const auto session = sessions_.find(id);
  if (session == sessions_.end()) return;
  const SessionView was = session->second;
  sessions_.erase(session);
  const auto player = players_.find(was.player);
  if (player == players_.end()) return;
  player->second.session = {};
  if (!was.resumable) forget(was.player);
}

void Laws::after(const Step& step) {
  if (leaving_) session_closes(leaving_);
  check_replies(step);
  check_resumed(step);
  check_matches(step);
  check_away(step);
  check_parties(step);
  check_penalties(step);
  check_servers(step);
}

void Laws::check_replies(const Step& step) {
  if (request_ == 0 || !sessions_.contains(asker_)) return;
  if (replies_ != 1)
    broken(fmt::format("every request gets exactly one reply: {} got {} (request {})",
                       core::name_of(step.event), replies_, request_));
}

/// Somebody who came back and was told of no ticket has none: it ended while they were away.
void Laws::check_resumed(const Step& step) {
  if (!resumed_) return;
  PlayerView& player = players_.at(resumed_);
  if (!resumed_told_) {
    if (player.ticket) end_unseen(resumed_, player);
    player.match = {};
  }
  const core::Player* truth = step.state.players.find(resumed_);
  must(truth, "who is welcomed is known");
  must(resumed_told_ || (!truth->ticket && !truth->match),
       "who comes back is told of their ticket or assignment");
}

/// Who is away is forgotten in silence.
void Laws::check_away(const Step& step) {
  for (auto it = players_.begin(); it != players_.end();) {
    const auto& [id, player] = *it++;
    if (!player.session && !step.state.players.find(id)) forget(id);
  }
}

void Laws::forget(PlayerId id) {
  const auto player = players_.find(id);
  if (player->second.ticket) end_unseen(id, player->second);
  for (auto& [match_id, match] : matches_) match.owed.erase(id);
  players_.erase(player);
}

void Laws::end_unseen(PlayerId id, PlayerView& player) {
  ticket_ends(player.ticket, id);
  player.ticket = {};
  player.accepted = false;
  ++report_.ended_away;
  report_.marks.hit(Mark::ticket_ended_while_away);
}

/// For one of its players; of a party the others may go on waiting.
void Laws::ticket_ends(TicketId id, PlayerId player) {
  ended_.emplace(id, player);
  const auto ticket = tickets_.find(id);
  if (ticket == tickets_.end()) return;
  ticket->second.players.erase(player);
  ticket->second.seats = 0;
  if (ticket->second.players.empty()) tickets_.erase(ticket);
}

Laws::SessionView& Laws::open_session(SessionId id, std::uint32_t request, const Step&) {
  const auto found = sessions_.find(id);
  must(found != sessions_.end(), "no effect names a session that is closed");
  must(!found->second.closing || found->second.player || id == asker_,
       "nothing is sent to a session after CloseSession but replies to what it still says");
  if (request != 0) {
    must(id == asker_ && request == request_, "a reply has its request's number and session");
    ++replies_;
  }
  return found->second;
}

PlayerId Laws::player_of(SessionId id, std::uint32_t request, const Step& step) {
  const PlayerId player = open_session(id, request, step).player;
  must(static_cast<bool>(player), "tickets and matches are told to players only");
  must(players_.at(player).session == id, "a player is told on their newest session");
  return player;
}

void Laws::on(const core::SendWelcome& e, const Step& step) {
  SessionView& session = open_session(e.session, e.request, step);
  must(!session.player, "a session is identified once");
  session.player = e.player;
  session.closing = false;
  if (!e.resumed) {
    must(players_.emplace(e.player, PlayerView{e.session, {}, {}, {}, false, {}, false, {}}).second,
         "a new player has a new id");
    return;
  }
  const auto found = players_.find(e.player);
  must(found != players_.end(), "only a known player resumes");
  if (const auto old = sessions_.find(found->second.session); old != sessions_.end())
    old->second.player = {};
  found->second.session = e.session;
  found->second.party = {};
  resumed_ = e.player;
}

void Laws::on(const core::SendError& e, const Step& step) {
  open_session(e.session, e.request, step);
  must(e.session == asker_, "a refusal goes to who asked");
  Marks& marks = report_.marks;
  switch (e.error) {
    case Error::already_queued:
    case Error::already_in_match:
      return marks.hit(Mark::start_twice);
    case Error::not_queued:
      return marks.hit(Mark::cancel_without_ticket);
    case Error::queue_not_found:
      return marks.hit(Mark::unknown_queue);
    case Error::seats_invalid:
      return marks.hit(Mark::seats_refused);
    case Error::not_identified:
      return marks.hit(Mark::not_identified);
    case Error::name_invalid:
      return marks.hit(Mark::name_refused);
    case Error::lobby_full:
      return marks.hit(Mark::lobby_full);
    case Error::lobby_stopping:
      return marks.hit(Mark::lobby_stopping);
    case Error::queue_draining:
      return marks.hit(Mark::queue_draining);
    case Error::party_not_found:
      return marks.hit(Mark::party_code_wrong);
    case Error::party_too_big:
      return marks.hit(Mark::party_too_big);
    case Error::party_full:
      return marks.hit(Mark::party_full);
    case Error::queue_penalty:
      must(e.retry_after > Duration::zero(), "a penalty says how long");
      return marks.hit(Mark::penalty_refused);
    case Error::session_expired:
      return marks.hit(Mark::resume_expired);
    case Error::session_token_invalid:
      return marks.hit(Mark::resume_stolen);
    default:
      return;
  }
}

Laws::TicketView& Laws::ticket_begins(const core::SendTicket& e, PlayerId player_id,
                                      const Step& step) {
  PlayerView& player = players_.at(player_id);
  if (player.ticket) {
    must(resumed_ == player_id, "a player has one ticket at a time");
    end_unseen(player_id, player);  // While away.
  }
  player.match = resumed_ == player_id ? core::MatchId{} : player.match;
  must(!player.match, "a player waits or plays, not both");
  const bool known = tickets_.contains(e.ticket);  // To somebody else of the party.
  TicketView& ticket = tickets_[e.ticket];
  ticket.players.insert(player_id);
  const auto* start = std::get_if<core::StartMatch>(&step.event);
  const auto starter = start ? sessions_.find(start->session) : sessions_.end();
  const core::Player* truth = step.state.players.find(player_id);
  const bool asked = start && start->session == e.session && e.request == start->request;
  const bool led = starter != sessions_.end() && truth && truth->party &&
                   players_.at(starter->second.player).party == truth->party;
  Time since = player.since;
  if ((asked || led) && !player.requeued) {
    since = step.now;
    ticket.seats = led ? 0 : static_cast<std::uint32_t>(start->seats);
    if (start->seats > 1) report_.marks.hit(Mark::several_seats);
    if (!asked) report_.marks.hit(Mark::party_queued);
  } else {
    must(player.requeued || resumed_ == player_id, "a ticket begins with a wish");
    if (player.requeued) report_.marks.hit(Mark::requeued_on_server_lost);
    if (known && player.requeued) report_.marks.hit(Mark::party_requeued);
    // One that began while they were away is as old as it is.
    const core::Ticket* unseen = step.state.tickets.find(e.ticket);
    if (!player.requeued && unseen) since = known ? ticket.since : unseen->since;
  }
  ticket.since = known ? std::min(ticket.since, since) : since;
  player.requeued = false;
  const auto& queues = step.state.config.queues;
  must(std::any_of(queues.begin(), queues.end(), [&](const auto& q) { return q.name == e.queue; }),
       "a ticket's queue is one of the lobby's");
  if (!known) ticket.queue = e.queue, ++report_.tickets;
  player.ticket = e.ticket;
  player.since = ticket.since;
  return ticket;
}

/// A match takes as many as its queue did when it was formed, whatever the configuration says
/// since.
void Laws::check_needed(const core::SendTicket& e, TicketView& ticket, bool resumed) {
  const auto& queues = setting_.config.queues;
  const auto queue =
      std::find_if(queues.begin(), queues.end(), [&](const auto& q) { return q.name == e.queue; });
  const bool formed_now = (e.state == TicketState::matched || e.state == TicketState::offered) &&
                          ticket.state == TicketState::queued && !resumed;
  if (e.state == TicketState::queued || formed_now) {
    must(queue != queues.end(), "a ticket waits in a queue that is configured");
    const bool short_match = formed_now && queue->ruled() && e.players_needed < queue->players &&
                             e.players_needed >= core::players_least(*queue);
    must(short_match || e.players_needed == queue->players,
         "a ticket says how many its queue's match takes");
    if (short_match) report_.marks.hit(Mark::match_not_full);
  }
  if (e.state != TicketState::matched && e.state != TicketState::offered) return;
  must(formed_now || resumed || ticket.needed == e.players_needed,
       "a ticket says how many its match takes");
  ticket.needed = e.players_needed;
}

/// To the queue for those who have waited too long, from one queue to the next if nobody was told.
void Laws::check_move(const core::SendTicket& e, TicketView& ticket, bool resumed) {
  const auto& queues = setting_.config.queues;
  const auto next =
      std::ranges::any_of(queues, [&](const auto& q) { return q.timeout_queue == e.queue; });
  must(next && ((e.state == TicketState::queued && ticket.state == TicketState::queued) || resumed),
       "a ticket changes its queue only for having waited there too long");
  ticket.queue = e.queue;
  report_.marks.hit(Mark::moved_after_timeout);
}

void Laws::on(const core::SendTicket& e, const Step& step) {
  const PlayerId player_id = player_of(e.session, e.request, step);
  must(!ended_.contains({e.ticket, player_id}), "a ticket that has ended is not heard of again");
  const bool begins = players_.at(player_id).ticket != e.ticket;
  TicketView& ticket = begins ? ticket_begins(e, player_id, step) : tickets_.at(e.ticket);
  PlayerView& player = players_.at(player_id);
  must(ticket.players.contains(player_id) && player.ticket == e.ticket,
       "a ticket is told to its players");
  const std::uint32_t needed = e.players_needed;
  const TicketState was = ticket.state;
  const bool resumed = resumed_ == player_id && !resumed_told_;
  if (e.queue != ticket.queue) check_move(e, ticket, resumed);
  check_needed(e, ticket, resumed);
  if (resumed) resumed_told_ = true;
  check_offer(e, player);
  Marks& marks = report_.marks;
  switch (e.state) {
    case TicketState::queued:
      must(e.players >= 1 && (e.players < needed || ticket.seats == needed || ticket.seats == 0),
           "those who gather are fewer than a match");
      if (was == TicketState::matched && !resumed) marks.hit(Mark::dissolved_match_requeued);
      if (was == TicketState::offered) {
        const core::Ticket* truth = step.state.tickets.find(e.ticket);
        must(!truth || truth->since == ticket.since, "whoever accepted waits with their old time");
        marks.hit(Mark::offer_failed_requeued);
      }
      if (resumed) marks.hit(Mark::resumed_queued);
      ticket.state = e.state;
      return;
    case TicketState::matched:
      must(e.players == needed, "a matched ticket's match is full");
      if (resumed) marks.hit(Mark::resumed_matched);
      ticket.state = e.state;
      if (was == TicketState::queued && !resumed) check_line(e.ticket, ticket);
      return;
    case TicketState::offered:
      must(e.players == needed, "an offered match is full");
      if (resumed) marks.hit(Mark::resumed_offered);
      ticket.state = e.state;
      if (was == TicketState::queued && !resumed) check_line(e.ticket, ticket);
      return;
    case TicketState::assigned:
      broken("an assignment is told by SendAssignment");
    case TicketState::cancelled:
      ++report_.cancelled;
      if (e.error == Error::match_declined) marks.hit(Mark::offer_declined);
      if (e.error == Error::match_not_accepted) marks.hit(Mark::offer_ignored);
      break;
    case TicketState::expired:
      must(e.error == Error::ticket_expired, "an expired ticket says so");
      marks.hit(was == TicketState::queued ? Mark::ticket_expired_queued
                                           : Mark::ticket_expired_matched);
      ++report_.expired;
      break;
    case TicketState::failed:
      must(e.error != Error::none, "a failed ticket says why");
      must(failures_allowed_ || e.error == Error::lobby_stopping ||
               (was == TicketState::matched && is_misfit(e.error)),
           "no ticket fails once faults have stopped");
      if (e.error == Error::launch_failed) marks.hit(Mark::last_attempt_failed);
      if (e.error == Error::no_port_free) marks.hit(Mark::no_port_free);
      if (e.error == Error::fleet_crash_loop) marks.hit(Mark::crash_loop_ended_ticket);
      if (e.error == Error::queue_removed)
        marks.hit(was == TicketState::queued ? Mark::queue_removed_queued
                                             : Mark::queue_removed_matched);
      if (e.error == Error::seats_invalid) marks.hit(Mark::seats_misfit);
      if (e.error == Error::node_unavailable) marks.hit(Mark::node_unavailable);
      ++report_.failed;
      break;
  }
  must(e.players == 0, "a ticket that has ended gathers nobody");
  player.ticket = {};
  ticket_ends(e.ticket, player_id);
}

void Laws::check_offer(const core::SendTicket& e, PlayerView& player) {
  if (e.state != TicketState::offered) {
    answered_.push_back(sessions_.at(e.session).player);
    return;
  }
  must(e.accepted < e.accepts_needed, "what all have accepted is not offered any more");
  must(!e.you_accepted || e.accepted > 0, "who has accepted is counted");
  must(e.accept_left >= Duration::zero(), "an offer ends when it is due");
  player.accepted = e.you_accepted;
}

/// Everybody who is here knows the party they are in, and nobody is in one that has not got them.
void Laws::check_parties(const Step& step) {
  for (const auto& [id, player] : players_) {
    if (!player.session || player.session == leaving_) continue;
    const core::Player* truth = step.state.players.find(id);
    if (!truth || truth->session != player.session) continue;
    must(truth->party == player.party, "a player knows which party they are in");
  }
}

/// Nobody is charged who accepted.
void Laws::check_penalties(const Step& step) {
  for (auto& [id, player] : players_) {
    const core::Player* truth = step.state.players.find(id);
    if (!truth) continue;
    Time last{};
    for (const core::QueuePenalty& penalty : truth->penalties) last = std::max(last, penalty.until);
    if (last > player.penalized) {
      must(!player.accepted, "nobody is charged a penalty who accepted");
      report_.marks.hit(Mark::penalty_charged);
    }
    player.penalized = last;
  }
  for (const PlayerId id : answered_)
    if (const auto player = players_.find(id); player != players_.end())
      player->second.accepted = false;
}

void Laws::on(const core::SendParty& e, const Step& step) {
  PlayerView& player = players_.at(player_of(e.session, e.request, step));
  player.party = e.party;
  must(static_cast<bool>(e.party) == !e.members.empty(), "a party has somebody in it");
  if (!e.party) {
    if (e.error == Error::party_kicked) report_.marks.hit(Mark::party_kicked);
    return;
  }
  std::set<PlayerId> members;
  for (const core::PartyView& member : e.members) {
    must(members.insert(member.player).second, "a player is in their party once");
    if (member.away) report_.marks.hit(Mark::party_member_away);
  }
  must(members.contains(sessions_.at(e.session).player), "a party is told to its members");
  if (members.size() > 1) report_.marks.hit(Mark::party_joined);
}

bool Laws::everybody_here(const TicketView& ticket) const {
  return std::ranges::all_of(ticket.players, [&](PlayerId id) {
    const auto player = players_.find(id);
    return player != players_.end() && player->second.session && player->second.session != leaving_;
  });
}

/// A ticket has just been matched, or offered one. Where all tickets have one seat, who waits
/// longer goes first; whoever is away keeps their place but is passed over. With rules,
/// match_laws.h.
void Laws::check_line(TicketId id, const TicketView& ticket) {
  if (setting_.crowd.parties_ppm > 0 || setting_.crowd.seats_vary.contains(ticket.queue) ||
      std::ranges::any_of(setting_.config.queues, [&](const core::QueueConfig& queue) {
        return queue.name == ticket.queue && queue.ruled();
      }))
    return;
  for (const auto& [other_id, other] : tickets_) {
    if (other.queue != ticket.queue || other.state != TicketState::queued) continue;
    if (std::pair(other.since, other_id) > std::pair(ticket.since, id)) continue;
    if (!everybody_here(other)) {
      report_.marks.hit(Mark::held_ticket_passed_over);
      continue;
    }
    broken(fmt::format("matches form in order of age: {} was matched before {}", to_string(id),
                       to_string(other_id)));
  }
}

}  // namespace muster::sim
