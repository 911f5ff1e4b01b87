#pragma once
// One step of the core: the event's handlers and what they share. A Turn lives for one step.
//
// Handlers check first and change after, so that a refusal changes nothing. A handler that makes
// something possible (a match, an allocation, a launch) does it before it returns, by try_match()
// and balance(): there is no tick.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/effect.h"
#include "core/event.h"
#include "core/state.h"

namespace muster::core {

class Turn {
 public:
  Turn(State& state, Time now, Effects& out) : s_(state), now_(now), out_(out) {}

  /// What is due by now, in the order it fell due.
  void deadlines();
  /// Last: the queues that an ended match put tickets back into, whose new matches wait until what
  /// ended is tidied up.
  void settle();

  // session.cc
  void on(const SessionOpened& e);
  void on(const SessionClosed& e);
  void on(const Hello& e);
  void on(const ResumeSession& e);

  // queue.cc
  void on(const StartMatch& e);
  void on(const CancelMatch& e);

  // match.cc
  void on(const LeaveMatch& e);
  void on(const PlayerJoined& e);
  void on(const PlayerLeft& e);
  void on(const MatchOver& e);
  void on(const PlayersCounted& e);

  // classic.cc
  void on(const ClassicServerLogin& e);
  void on(const ClassicServerReset& e);
  void on(const OwnerVerified& e);

  // fleet.cc
  void on(const ServerLaunched& e);
  void on(const LaunchFailed& e);
  void on(const ServerReady& e);
  void on(const ServerExited& e);
  void on(const ServerUnhealthy& e);
  void on(const ServerNoted& e);
  void on(const ShutdownRequested& e);
  void on(const StopServerCommand& e);

  // node.cc
  void on(const NodeConnected& e);
  void on(const NodeLost& e);

  void on(const LobbyStopping& e);
  void on(const DeadlineReached&) {}

 private:
  template <class Effect>
  void emit(Effect effect) {
    out_.emplace_back(std::move(effect));
  }
  template <class Tag>
  static Timer timer(TimerKind kind, Id<Tag> id) {
    return {kind, id.slot, id.generation};
  }
  const FleetConfig& config_of(const Server& server) const {
    return s_.config.fleets[server.fleet];
  }
  void refuse(SessionId session, std::uint32_t request, Error error, std::string detail = {});
  /// The identified player of a session; otherwise refuses and returns none.
  PlayerId player_of(SessionId session, std::uint32_t request);

  // session.cc: players come and go.
  void welcome(PlayerId id, std::uint32_t request, bool resumed);
  void player_disconnected(PlayerId id, bool resumable);
  void drop_player(PlayerId id);
  void arm_grace(PlayerId id);

  // queue.cc: tickets wait, in order of age.
  void enqueue(TicketId id);  // Also back, with the place its `since` gives it.
  void dequeue(const Ticket& ticket, TicketId id);
  void try_match(QueueIndex queue);  // Forms every match there is in the queue.
  void form_match(QueueIndex queue, std::vector<TicketId> tickets);
  void end_ticket(TicketId id, TicketState state, Error error, std::uint32_t request = 0);
  void withdraw_ticket(TicketId id, TicketState state, Error error, std::uint32_t request = 0);
  void send_ticket(TicketId id, std::uint32_t request = 0, Error error = Error::none);
  void send_gathered(QueueIndex queue, std::span<const TicketId> told = {});
  void hold(TicketId id);
  bool unhold(TicketId id);
  std::uint32_t gathered(const Ticket& ticket) const;

  // match.cc: from launching to playing to ended.
  void assign(MatchId match, ServerId server);
  void send_assignment(MatchId match, PlayerId player, TicketId ticket = {});
  void dissolve(MatchId match);  // A launching match loses a ticket: the others requeue.
  void fail_match(MatchId match, Error error);
  void end_match(MatchId match, MatchEnd end, const std::string& result);
  void match_due(MatchId match);
  void watch_for_players(MatchId match);
  void match_empty_due(MatchId match);
  void remove_from_match(PlayerId player, Match& match);
  void watch_for_node(MatchId match);
  void wait_for_server(MatchId match);
  void stop_waiting(MatchId match);
  MatchId match_at(const Server& server) const;
  void bind(MatchId match, ServerId starting);
  void unbind(MatchId match);

  // fleet.cc: game servers.
  void balance(FleetIndex fleet);  // Allocates Ready servers, launches what is missing.
  void launch(FleetIndex fleet, MatchId match, ServerPorts ports, NodeIndex node);
  void make_ready(ServerId id);
  void unready(ServerId id);
  void set_state(Server& server, ServerState state);
  void stop_server(ServerId id, ServerState state, Duration grace);
  void launch_failed(ServerId id, const std::string& why);
  void replace_later(FleetIndex fleet, const std::string& why);
  void free_server(ServerId id, std::optional<std::uint16_t> port_taken = std::nullopt);
  void after_match(ServerId id);
  void arm_retry(FleetIndex fleet, Time at);
  void idle_due(ServerId id);
  void launch_due(ServerId id);

  // node.cc
  std::optional<NodeIndex> node_for_launch() const;
  bool adopt(NodeIndex node, const ServerReport& report);
  void server_gone(ServerId id, bool clean, const std::string& why);
  void lose_server(ServerId id, bool clean, const std::string& why);
  void node_lost_for_good(NodeIndex index);

  State& s_;
  const Time now_;
  Effects& out_;
  std::vector<QueueIndex> requeues_;  // Queues to match again once the event is handled.
};

}  // namespace muster::core
