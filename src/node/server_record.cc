#include "node/server_record.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include "node/agones_endpoint.h"
#include "node/fork_parent.h"

namespace muster::node {
namespace record = wire::node_record;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

namespace {

// What is left of a time by this process's clock means something to the next one only by a clock
// that both have.
std::uint64_t since_boot(steady_clock::time_point when) {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto boot = std::chrono::seconds{now.tv_sec} + nanoseconds{now.tv_nsec};
  return static_cast<std::uint64_t>(
      std::max<nanoseconds>(boot + (when - steady_clock::now()), nanoseconds{1}).count());
}

// Of the same match only players can go.
bool same_match(const MatchOnRecord& known, const wire::game_server::MatchStarted& match) {
  return known.match_id == match.match_id() && known.started_ms == match.started_ms() &&
         known.players == match.players_size();
}

}  // namespace

steady_clock::time_point from_boot(std::uint64_t ns) {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  const auto boot = std::chrono::seconds{now.tv_sec} + nanoseconds{now.tv_nsec};
  return steady_clock::now() + (nanoseconds{ns} - boot);
}

record::Entered entered_of(const GameServer& server, const wire::node::Launch& launch) {
  record::Entered entered;
  *entered.mutable_launch() = launch;
  entered.mutable_launch()->clear_files();
  entered.set_token(server.token);
  entered.set_log(server.log.path());
  entered.set_log_dir(server.context.log_dir);
  entered.set_server_dir(server.context.server_dir);
  entered.set_grpc_port(server.context.agones.grpc);
  entered.set_http_port(server.context.agones.http);
  entered.set_memory_bytes_max(server.memory_bytes_max);
  for (const CgroupPlace& place : server.cgroup.places()) {
    record::Entered::Cgroup& cgroup = *entered.add_cgroups();
    cgroup.set_version(static_cast<std::uint32_t>(place.version));
    cgroup.set_folder(place.folder);
  }
  return entered;
}

record::State state_of(GameServer& server) {
  record::State state;
  state.set_server_id(server.id);
  state.set_ready(server.ready);
  state.set_was_ready(server.was_ready);
  state.set_unhealthy(server.unhealthy);
  state.set_shutdown_requested(server.shutdown_requested);
  state.set_reserved(server.reserved);
  state.set_allocated(server.allocated);
  state.set_forked(server.forked_by != 0);
  state.set_players(server.players);
  state.set_stopping(server.stopping);
  if (server.stopping) state.set_kill_at(since_boot(server.process_timer.expiry()));
  state.set_match_ended_by_lobby(server.match_ended_by_lobby);
  state.set_in_match(server.match.has_value());
  if (!server.match) {
    server.match_on_record = {};
  } else if (!same_match(server.match_on_record, *server.match)) {
    *state.mutable_match() = *server.match;
    server.match_on_record = {server.match->match_id(), server.match->started_ms(),
                              server.match->players_size()};
  }
  if (server.agones && server.agones_on_record != server.agones->record().revision()) {
    server.agones->record().save(*state.mutable_agones());
    server.agones_on_record = server.agones->record().revision();
  }
  return state;
}

void restore(GameServer& server, const Recorded::Server& recorded) {
  const record::State& state = recorded.state;
  server.ready = state.ready();
  server.was_ready = state.was_ready();
  server.unhealthy = state.unhealthy();
  server.shutdown_requested = state.shutdown_requested();
  server.reserved = state.reserved();
  server.allocated = state.allocated();
  server.forked_by = state.forked() ? ForkParent::id_of_earlier_node : 0;
  server.players = state.players();
  server.match_ended_by_lobby = state.match_ended_by_lobby();
  if (!state.in_match()) return;
  server.match = state.match();
  server.match_on_record = {state.match().match_id(), state.match().started_ms(),
                            state.match().players_size()};
}

}  // namespace muster::node
