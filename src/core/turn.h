#pragma once
// One step of the core: the event's handlers and what they share. A Turn lives for one step.
//
// Handlers check first and change after, so that a refusal changes nothing. A handler that makes
// something possible (a match, an allocation, a launch) does it before it returns, by try_match()
// and balance(): there is no tick.

#include <cstdint>
#include <expected>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/effect.h"
#include "core/event.h"
#include "core/match_regions.h"
#include "core/state.h"

namespace muster::core {

/// Whose request an effect answers, and its number.
struct Asker {
  PlayerId player;
  std::uint32_t request = 0;
};

class Turn {
 public:
  Turn(State& state, Time now, Effects& out) : s_(state), now_(now), out_(out) {}

  /// What is due by now, in the order it fell due.
  void deadlines();
  /// Last: the queues that an ended match put tickets back into, whose new matches wait until what
  /// ended is tidied up; the fleets that have one match less to serve, or got a port back from
  /// another's game server.
  void settle();

  // session.cc
  void on(const SessionOpened& e);
  void on(const SessionClosed& e);
  void on(const Hello& e);
  void on(const ResumeSession& e);
  void on(const AccountBanned& e);

  // queue.cc
  void on(const StartMatch& e);
  void on(const CancelMatch& e);

  // ratings.cc
  void on(const SetRating& e);
  void on(const ResultRecorded& e);
  void on(const RatingsChanged& e);

  // party.cc
  void on(const CreateParty& e);
  void on(const JoinParty& e);
  void on(const LeaveParty& e);
  void on(const KickFromParty& e);
  void on(const PromoteInParty& e);
  void on(const SetPartyAttributes& e);

  // accept.cc
  void on(const AcceptMatch& e);
  void on(const DeclineMatch& e);

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

  // launch.cc
  void on(const ServerLaunched& e);
  void on(const LaunchFailed& e);
  void on(const ClearFleet& e);

  // fleet.cc
  void on(const ServerReady& e);
  void on(const ServerExited& e);
  void on(const ServerUnhealthy& e);
  void on(const ServerNoted& e);
  void on(const ShutdownRequested& e);
  void on(const ServerAllocated& e);
  void on(const ServerReserved& e);
  void on(const StopServerCommand& e);
  void on(const ForkParentChanged& e);

  // node.cc
  void on(const NodeConnected& e);
  void on(const NodeLost& e);
  void on(const NodeReported& e);

  // versions.cc
  void on(const ConfigReloaded& e);

  // drain.cc
  void on(const DrainFleet& e);
  void on(const DrainNode& e);
  void on(const DrainServer& e);

  // recovery.cc
  void on(const LobbyStarted& e);

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

  // ratings.cc: what matches come to, and how strong their players are.
  void keep_result(MatchId match, const std::vector<Standing>& standings);
  void record_outstanding();
  void take_ratings(PlayerId player, const std::vector<StoredRating>& ratings);
  void change_ratings(const std::string& queue, const std::vector<AccountRating>& ratings,
                      bool always);
  Rating rating_of(PlayerId player, QueueIndex queue) const;

  // session.cc: players come and go.
  void welcome(PlayerId id, std::uint32_t request, bool resumed);
  void come_back(PlayerId id, SessionId session, std::uint32_t request);
  void player_disconnected(PlayerId id, bool resumable);
  void drop_player(PlayerId id);
  void set_session(Player& player, SessionId session);
  void arm_grace(PlayerId id);

  // party.cc
  bool may_enter_party(PlayerId id, SessionId session, std::uint32_t request);
  PlayerId party_member_of(SessionId session, std::uint32_t request);
  PlayerId party_leader_of(SessionId session, std::uint32_t request);
  TicketId ticket_of(const Party& party) const;
  void leave_party(PlayerId id, Asker asker = {});
  void send_party(PartyId id, Asker asker = {});
  void send_party_to(PlayerId player, std::uint32_t request = 0);
  std::optional<std::vector<TicketMember>> party_wish(const StartMatch& e, PlayerId leader);

  // accept.cc: matches that are offered to their players.
  void offer(MatchId match);
  bool is_offered(TicketId id) const;
  bool has_accepted(PlayerId id) const;
  std::uint32_t accepts_needed(const Match& match) const;
  bool everybody_accepted(const Match& match) const;
  void offer_accepted(MatchId match, Asker asker = {});
  void offer_due(MatchId match);
  void decline(PlayerId id, Asker asker);
  void decline_if_offered(PlayerId id);
  void penalize(PlayerId id, QueueIndex queue);
  Duration penalty_left(PlayerId id, QueueIndex queue) const;

  // queue.cc: tickets wait, in order of age.
  std::string wrong_with(const std::vector<Attribute>& attributes) const;
  bool may_start(const StartMatch& e, QueueIndex queue, const std::vector<TicketMember>& members);
  void deal_parties(QueueIndex queue, Match& match);
  void leave_ticket(PlayerId id);
  void enqueue(TicketId id);  // Also back, with the place its `since` gives it.
  void dequeue(const Ticket& ticket, TicketId id);
  void try_match(QueueIndex queue);  // Forms every match there is in the queue.
  void form_match(QueueIndex queue, std::vector<TicketId> tickets, std::uint32_t region = 0);
  std::uint32_t regions_open(QueueIndex queue) const;
  void add_bots(QueueIndex queue, Match& match) const;
  void widen(QueueIndex queue);
  void arm_widening(QueueIndex queue);
  Rating rating_of(const Ticket& ticket) const;
  TicketId begin_ticket(QueueIndex queue, std::vector<TicketMember> members, Time since);
  void end_ticket(TicketId id, TicketState state, Error error, Asker asker = {});
  void withdraw_ticket(TicketId id, TicketState state, Error error, Asker asker = {});
  void ticket_due(TicketId id);
  void move_ticket(TicketId id, QueueIndex to);
  void send_ticket(TicketId id, Asker asker = {}, Error error = Error::none);
  void send_ticket_to(PlayerId player, std::uint32_t request = 0, Error error = Error::none);
  void send_gathered(QueueIndex queue, std::span<const TicketId> told = {});
  void hold(TicketId id);
  bool put_aside(TicketId id);
  bool unhold(TicketId id);
  std::uint32_t gathered(const Ticket& ticket) const;
  std::uint32_t seats_needed(const Ticket& ticket) const;
  /// Why a ticket cannot wait in its queue (any more); none if it can.
  Error misfit(QueueIndex queue, const std::vector<TicketMember>& members) const;
  std::expected<std::vector<std::uint16_t>, Unplayable> latencies_of(
      QueueIndex queue, const std::vector<TicketMember>& members) const;

  // match.cc: from launching to playing to ended.
  void assign(MatchId match, ServerId server);
  void send_assignment(MatchId match, PlayerId player, TicketId ticket = {});
  void dissolve(MatchId match);  // A launching match loses a ticket: the others requeue.
  void fail_match(MatchId match, Error error, Asker asker = {});
  std::vector<std::vector<MatchPlayer>> together(const Match& match) const;
  void end_match(MatchId match, MatchEnd end, const std::string& result,
                 const std::vector<Standing>& standings = {});
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
  void balance(FleetIndex fleet);  // Allocates Ready servers, launches what is missing, stops more.
  void allocate_ready(FleetIndex fleet);
  void stop_surplus(FleetIndex fleet);
  void make_ready(ServerId id);
  void unready(ServerId id);
  void hold_server(ServerId id, ServerState state);
  void starting_ends(const Server& server);
  bool outdated(const Server& server) const;
  std::string must_leave(const Server& server) const;
  std::string why_unwanted(const Server& server) const;
  void arm_idle(ServerId id);
  void set_state(Server& server, ServerState state);
  void stop_server(ServerId id, ServerState state, Duration grace, std::string reason);
  void stop_by_order(ServerId id, const std::string& reason);
  void free_server(ServerId id, const std::string& exit, std::uint16_t port_taken = 0);
  void after_match(ServerId id);
  void idle_due(ServerId id);

  // launch.cc: launches, and what becomes of a fleet whose servers fail.
  /// Whether its fleet is to blame when a server is no more. For its node it is not, nor for one
  /// that has worked before.
  enum class Blame : std::uint8_t { fleet, nobody };
  std::uint32_t warm_wanted(FleetIndex fleet) const;
  void launch_missing(FleetIndex fleet);
  bool backing_off(const Fleet& fleet, bool warm) const;
  void make_room(FleetIndex fleet);
  void launch(FleetIndex fleet, MatchId match, ServerPorts ports, NodeIndex node);
  void launch_failed(ServerId id, const std::string& why, Blame blame = Blame::fleet);
  void launch_due(ServerId id);
  void server_failed(const Server& server, const std::string& why, Blame blame = Blame::fleet);
  void server_works(Server& server);
  void fleet_works(FleetIndex fleet);
  void watch_for_proof(FleetIndex fleet);
  void proof_due(FleetIndex fleet);
  void arm_retry(FleetIndex fleet, Time at);

  // versions.cc: what a reload changes.
  std::optional<FleetIndex> find_fleet(const std::string& name) const;  // Of those configured.
  FleetIndex fleet_slot(const FleetConfig& config, const std::set<std::string>& kept);
  QueueIndex queue_slot(const QueueConfig& config, const std::set<std::string>& kept);
  void watch_matches_anew(FleetIndex fleet);
  void change_fleets(const std::vector<FleetConfig>& fleets, std::vector<FleetIndex>& slots);
  void change_queues(const std::vector<QueueConfig>& queues, const std::vector<FleetIndex>& slots);
  void change_ports();
  void sort_by_version(FleetIndex fleet);
  void fail_misfits();
  void change_rules(QueueIndex queue);
  void leave_removed_fleet(FleetIndex fleet);
  PortPool* pool_of(std::uint16_t port);
  bool take_port(std::uint16_t port);
  void give_back_port(const Server& server, std::uint16_t port, bool taken);
  std::optional<FleetIndex> home_of(std::uint16_t port) const;

  // drain.cc: fleets, nodes and servers that get no more matches; fleets that sleep.
  template <class Predicate>
  void stop_unused(Predicate&& concerned);
  void stop_unused_of_removed();
  void match_queues_of(FleetIndex fleet);
  void use_fleets(QueueIndex queue);
  void fleets_used(QueueIndex queue);
  void arm_sleep(FleetIndex fleet);
  void sleep_due(FleetIndex fleet);

  void end_if_silent(ServerId id);  // classic.cc

  // node.cc
  std::optional<NodeIndex> node_for_launch() const;
  bool adopt(NodeIndex node, const ServerReport& report);
  void reported(Node& node, std::uint64_t number);
  std::optional<FleetIndex> fleet_of(const ServerReport& report);
  void tell_match_again(NodeId link, const ServerReport& report);
  void server_gone(ServerId id, bool clean, const std::string& why, Blame blame,
                   const std::string& result = {}, const std::vector<Standing>& standings = {});
  void lose_server(ServerId id, bool clean, const std::string& why, Blame blame = Blame::fleet,
                   const std::string& result = {}, const std::vector<Standing>& standings = {});
  void watch_for_nodes();
  void node_lost_for_good(NodeIndex index);

  State& s_;
  const Time now_;
  Effects& out_;
  std::vector<ServerId> abandoned_;    // Their matches have lost their last player.
  std::vector<QueueIndex> requeues_;   // Queues to match again once the event is handled.
  std::vector<FleetIndex> rebalance_;  // Fleets to balance again.
};

}  // namespace muster::core
