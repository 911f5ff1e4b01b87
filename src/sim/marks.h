#pragma once
// Marks on rare paths: how often a run came by. A test asserts that some seed hits each, so that
// what the laws were checked on is known.

#include <array>
#include <cstdint>
#include <string_view>

namespace muster::sim {

enum class Mark : std::uint8_t {
  // Tickets and players.
  start_twice,
  cancel_without_ticket,
  unknown_queue,
  seats_refused,
  not_identified,
  name_refused,
  lobby_full,
  lobby_stopping,
  several_seats,
  held_ticket_passed_over,
  ticket_expired_queued,
  ticket_expired_matched,
  ticket_ended_while_away,
  dissolved_match_requeued,
  requeued_on_server_lost,
  resumed_queued,
  resumed_matched,
  resumed_playing,
  assigned_while_away,
  resumed_elsewhere,
  resume_expired,
  resume_stolen,
  left_match,
  match_not_full,
  moved_after_timeout,
  // Launches.
  warm_launch,
  port_taken,
  named_port_taken,
  command_failed,
  exited_before_ready,
  launch_timed_out,
  ready_after_deadline,
  last_attempt_failed,
  no_port_free,
  node_unavailable,
  server_given_to_another_match,
  // Classic game servers.
  classic_ready,
  classic_reset,
  port_not_assigned,
  owner_not_verified,
  classic_session_lost,
  // Matches and their servers.
  server_reused,
  idle_server_stopped,
  crash_in_match,
  clean_exit_in_match,
  shutdown_in_match,
  unhealthy_in_match,
  match_timed_out,
  match_stopped_by_operator,
  match_over_twice,
  nobody_left_in_match,
  killed_after_grace,
  // Agones servers that are their own for a while.
  allocated_itself,
  reserved_itself,
  reserve_ended_match,
  ready_by_its_own_word,
  // Nodes and the lobby.
  node_back_in_time,
  node_back_too_late,
  node_link_replaced,
  node_killed,
  machine_restarted,
  ended_without_node,
  match_told_again,
  reported_late,
  stop_told_again,
  lobby_restarted,
  lobby_returned,
  died_before_journal,
  died_before_effects,
  server_adopted,
  match_adopted,
  stale_event,
  // What operators do, and what becomes of it.
  config_reloaded,
  version_replaced,
  fleet_removed,
  queue_removed_queued,
  queue_removed_matched,
  seats_misfit,
  played_without_queue,
  fleet_drained,
  node_drained,
  server_drained,
  queue_draining,
  ready_max_kept,
  fleet_asleep,
  crash_loop_launch,
  crash_loop_ended_ticket,
  crash_loop_cleared,
  // Results.
  disk_full,
  recorded_before,
  standings_refused,
  machine_lost,
  // Parties, and matches that are offered.
  party_joined,
  party_kicked,
  party_member_away,
  party_code_wrong,
  party_full,
  party_too_big,
  party_queued,
  party_requeued,
  offer_declined,
  offer_ignored,
  offer_failed_requeued,
  resumed_offered,
  penalty_charged,
  penalty_refused,
};
constexpr std::size_t mark_count = static_cast<std::size_t>(Mark::penalty_refused) + 1;

std::string_view to_string(Mark mark);

class Marks {
 public:
  void hit(Mark mark) { ++hits_[static_cast<std::size_t>(mark)]; }
  std::uint64_t operator[](Mark mark) const { return hits_[static_cast<std::size_t>(mark)]; }
  void add(const Marks& other) {
    for (std::size_t i = 0; i < mark_count; ++i) hits_[i] += other.hits_[i];
  }

 private:
  std::array<std::uint64_t, mark_count> hits_{};
};

}  // namespace muster::sim
