#include "server/recorder.h"

#include <algorithm>
#include <utility>

namespace muster::server {
namespace {

using End = population::RecordedTicket::End;
using std::chrono::milliseconds;

/// How often it is looked for tickets that have ended without anybody being told.
constexpr auto look_every = std::chrono::seconds{5};

std::int64_t unix_ms(Time time) { return static_cast<std::int64_t>(to_unix_milliseconds(time)); }

core::Rating rating_of(const core::State& state, core::PlayerId id, core::QueueIndex queue) {
  const core::QueueConfig& config = state.config.queues[queue];
  if (const core::Player* player = state.players.find(id)) {
    const auto known = std::ranges::find(player->ratings, queue, &core::PlayerRating::queue);
    if (known != player->ratings.end())
      return core::usable(config.rating, known->mean, known->deviation);
  }
  return core::usable(config.rating, config.rating_default, config.rating.deviation);
}

/// Those that rules compare: their texts are the configuration's own. What else a player sends is
/// nobody's business here.
std::vector<core::Attribute> for_rules(const std::vector<core::Attribute>& attributes,
                                       const core::QueueConfig& queue) {
  std::vector<core::Attribute> kept;
  for (const core::Attribute& attribute : attributes)
    if (std::ranges::find(queue.rules, attribute.name, &core::RuleConfig::attribute) !=
        queue.rules.end())
      kept.push_back(attribute);
  return kept;
}

}  // namespace

Recorder::Recorder(std::unique_ptr<RecordingFile> file)
    : file_(std::move(file)), lines_(population::recording_line()) {}

void Recorder::watch(Time now, const core::Event& event, std::span<const core::Effect> effects,
                     const core::State& state) {
  if (file_->stopped()) return;
  const auto* const start = std::get_if<core::StartMatch>(&event);
  for (const core::Effect& effect : effects) {
    if (const auto* ticket = std::get_if<core::SendTicket>(&effect)) {
      switch (ticket->state) {
        case core::TicketState::queued:
          if (start && ticket->session == start->session && ticket->request == start->request)
            begin(now, *start, *ticket, state);
          break;
        case core::TicketState::cancelled:  // Who leaves a party is told so; the others go on.
          if (!state.tickets.find(ticket->ticket)) end(now, ticket->ticket, End::cancelled);
          break;
        case core::TicketState::expired:
          end(now, ticket->ticket, End::expired);
          break;
        case core::TicketState::failed:
          end(now, ticket->ticket, End::failed);
          break;
        case core::TicketState::offered:
        case core::TicketState::matched:
        case core::TicketState::assigned:
          break;
      }
    } else if (const auto* assigned = std::get_if<core::SendAssignment>(&effect)) {
      end(now, assigned->ticket, End::assigned);
    } else if (const auto* begins = std::get_if<core::StartServerMatch>(&effect)) {
      begin(now, *begins);
    } else if (const auto* ended = std::get_if<core::SendMatchEnded>(&effect)) {
      end(now, *ended);
    }
  }
  if (now - looked_ >= look_every) look_for_lost(now, state);
}

void Recorder::begin(Time now, const core::StartMatch& event, const core::SendTicket& ticket,
                     const core::State& state) {
  const std::uint32_t slot = ticket.ticket.slot;
  if (slot >= tickets_.size()) tickets_.resize(slot + 1);
  if (tickets_[slot] && tickets_[slot]->id == ticket.ticket) return;
  if (tickets_[slot]) end(now, tickets_[slot]->id, End::away);  // Its place is another's already.
  const core::Session* const session = state.sessions.find(event.session);
  const auto queue = std::ranges::find(state.config.queues, ticket.queue, &core::QueueConfig::name);
  if (!session || queue == state.config.queues.end()) return;
  const auto index = static_cast<core::QueueIndex>(queue - state.config.queues.begin());
  // One that was assigned at once is gone already.
  const core::Ticket* const waiting = state.tickets.find(ticket.ticket);
  const std::uint32_t seats = waiting ? waiting->seats : static_cast<std::uint32_t>(event.seats);
  Ticket& begun = tickets_[slot].emplace();
  begun.id = ticket.ticket;
  begun.since = now;
  begun.line = {.at_ms = unix_ms(now),
                .queue = ticket.queue,
                .seats = seats,
                .rating = rating_of(state, session->player, index),
                .attributes = for_rules(event.attributes, *queue)};
  if (queue->region.empty()) return;
  if (const core::Player* const player = state.players.find(session->player))
    begun.line.latency = player->latency;
  for (core::RegionLatency& region : begun.line.latency) region.ms = (region.ms + 5) / 10 * 10;
}

void Recorder::end(Time now, core::TicketId id, End how) {
  if (id.slot >= tickets_.size() || !tickets_[id.slot] || tickets_[id.slot]->id != id) return;
  Ticket& ticket = *tickets_[id.slot];
  ticket.line.wait_ms = (now - ticket.since) / milliseconds{1};
  ticket.line.end = how;
  lines_ += population::to_line(ticket.line);
  tickets_[id.slot].reset();
}

void Recorder::begin(Time now, const core::StartServerMatch& match) {
  if (match.match.slot >= matches_.size()) matches_.resize(match.match.slot + 1);
  Match& begun = matches_[match.match.slot].emplace();
  begun.id = match.match;
  begun.since = now;
  begun.line = {.at_ms = unix_ms(now), .queue = match.queue};
  for (const core::RosterEntry& entry : *match.roster) begun.line.players += entry.seats;
}

/// The first of its players who is told ends it. One that was cut short says nothing of how long
/// matches last.
void Recorder::end(Time now, const core::SendMatchEnded& match) {
  const std::uint32_t slot = match.match.slot;
  if (match.end == core::MatchEnd::left || slot >= matches_.size() || !matches_[slot] ||
      matches_[slot]->id != match.match)
    return;
  if (match.end == core::MatchEnd::over) {
    matches_[slot]->line.length_ms = (now - matches_[slot]->since) / milliseconds{1};
    lines_ += population::to_line(matches_[slot]->line);
  }
  matches_[slot].reset();
}

/// Of somebody who is not connected nothing is sent.
void Recorder::look_for_lost(Time now, const core::State& state) {
  looked_ = now;
  for (const auto& ticket : tickets_)
    if (ticket && !state.tickets.find(ticket->id)) end(now, ticket->id, End::away);
}

void Recorder::flush() {
  if (lines_.empty()) return;
  file_->append(lines_);
  lines_.clear();
}

}  // namespace muster::server
