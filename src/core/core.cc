#include "core/core.h"

#include <utility>

#include "base/check.h"
#include "core/invariants.h"
#include "core/state.h"
#include "core/turn.h"

namespace muster::core {

Core::Core(Config config) : state_(std::make_unique<State>(std::move(config))) {}
Core::Core(std::unique_ptr<State> state) : state_(std::move(state)) { check_invariants(*state_); }
Core::~Core() = default;
Core::Core(Core&&) noexcept = default;
Core& Core::operator=(Core&&) noexcept = default;

void Core::step(const Event& event, Time now, Effects& out) {
  CHECK(now >= state_->now, "time does not run backwards");
  state_->now = now;
  if (const auto* started = std::get_if<LobbyStarted>(&event)) state_->timers.shift(started->down);
  Turn turn(*state_, now, out);
  turn.deadlines();
  std::visit([&](const auto& e) { turn.on(e); }, event);
  turn.settle();
#ifdef MUSTER_CHECK_INVARIANTS
  check_invariants(*state_);
#endif
}

std::optional<Time> Core::next_deadline() const { return state_->timers.next(); }

void Turn::deadlines() {
  while (const auto due = s_.timers.take_due(now_)) {
    const auto id = [&]<class IdType>(IdType) { return IdType{due->slot, due->generation}; };
    switch (due->kind) {
      case TimerKind::player_grace:
        drop_player(id(PlayerId{}));
        break;
      case TimerKind::ticket_expiry:
        ticket_due(id(TicketId{}));
        break;
      case TimerKind::match: {
        const MatchId match_id = id(MatchId{});
        const Match& match = s_.matches[match_id];
        if (match.state == MatchState::offered)
          offer_due(match_id);
        else if (match.state == MatchState::launching)
          fail_match(match_id, Error::node_unavailable);
        else
          match_due(match_id);
        break;
      }
      case TimerKind::match_empty:
        match_empty_due(id(MatchId{}));
        break;
      case TimerKind::server: {
        const ServerId server = id(ServerId{});
        if (s_.servers[server].state == ServerState::starting)
          launch_due(server);
        else
          idle_due(server);
        break;
      }
      case TimerKind::node_lost:
        node_lost_for_good(due->slot);
        break;
      case TimerKind::fleet_retry:
        balance(due->slot);
        break;
      case TimerKind::queue_widening:
        widen(due->slot);
        break;
      case TimerKind::fleet_proof:
        proof_due(due->slot);
        break;
      case TimerKind::fleet_sleep:
        sleep_due(due->slot);
        break;
    }
  }
}

void Turn::settle() {
  for (const ServerId id : std::exchange(abandoned_, {})) end_if_silent(id);
  while (!requeues_.empty() || !rebalance_.empty()) {
    if (!requeues_.empty()) {
      const QueueIndex queue = requeues_.back();
      requeues_.pop_back();
      try_match(queue);
    } else {
      const FleetIndex fleet = rebalance_.back();
      rebalance_.pop_back();
      balance(fleet);
    }
  }
}

void Turn::refuse(SessionId session, std::uint32_t request, Error error, std::string detail) {
  emit(SendError{session, request, error, std::move(detail)});
}

void Turn::on(const LobbyStopping& e) {
  s_.stopping = true;
  if (!e.stop_servers) return;
  // Matches before tickets: the tickets of a match that loses one would queue and match again.
  std::vector<MatchId> launching;
  s_.matches.for_each([&](MatchId id, const Match& match) {
    if (match.state != MatchState::playing) launching.push_back(id);
  });
  for (const MatchId id : launching) fail_match(id, Error::lobby_stopping);
  std::vector<TicketId> tickets;
  s_.tickets.for_each([&](TicketId id, const Ticket&) { tickets.push_back(id); });
  for (const TicketId id : tickets) withdraw_ticket(id, TicketState::failed, Error::lobby_stopping);
  std::vector<ServerId> servers;
  s_.servers.for_each([&](ServerId id, const Server&) { servers.push_back(id); });
  for (const ServerId id : servers) stop_by_order(id, "the lobby is stopping");
}

}  // namespace muster::core
