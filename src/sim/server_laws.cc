// The laws of game servers, their ports, and the matches they hold.
#include <fmt/format.h>

#include <algorithm>

#include "sim/laws.h"

namespace muster::sim {

using core::MatchId;
using core::PlayerId;
using core::ServerId;
using core::ServerState;

void Laws::process_gone(ServerId server) { processes_.erase(server); }

void Laws::report(std::uint32_t run, std::uint64_t number, bool kept) {
  if (run != node_run_) last_report_ = 0;
  node_run_ = run;
  must(!last_report_ || number > *last_report_, "what a node reports is heard once");
  must(!last_report_ || !kept || number == *last_report_ + 1, "what a node reports is heard");
  last_report_ = number;
}

void Laws::lobby_restarted() {
  report_.lost_with_lobby += tickets_.size();
  sessions_.clear(), players_.clear(), tickets_.clear(), matches_.clear(), servers_.clear();
  ended_.clear(), launched_.clear();
  link_ = {};
  last_report_.reset();
}

void Laws::on(const core::LaunchServer& e, const Step& step) {
  must(linked(e.node), "a launch goes to a node that is connected");
  must(launched_.insert(e.server).second, "a server id is launched once");
  must(!processes_.contains(e.server), "a server id is not that of a process still alive");
  const core::FleetConfig& fleet = step.state.config.fleets[e.fleet];
  const core::Fleet& truth = step.state.fleets[e.fleet];
  const auto& fleets = setting_.config.fleets;
  const auto configured = std::find_if(fleets.begin(), fleets.end(),
                                       [&](const auto& f) { return f.name == e.config->name; });
  must(configured != fleets.end() && e.version == core::launch_version(*configured),
       "a launch is of the fleet's newest version");
  must(!truth.draining || step.late, "nothing is launched in a drained fleet");
  must(!step.state.nodes.front()->draining || step.late, "nothing is launched on a drained node");
  // One that began in this very step may have begun after the launch.
  const bool in_loop = truth.crash_loop && truth.crash_loop_since < step.now;
  must(!in_loop || truth.starting + truth.outdated_starting <= 1 || step.late,
       "in a crash loop one launch is tried at a time");
  if (truth.crash_loop) report_.marks.hit(Mark::crash_loop_launch);
  must(e.port >= fleet.ports.first && e.port <= fleet.ports.last, "a port is of its fleet");
  std::set<std::uint16_t> ports{e.port};
  must(e.ports.size() == fleet.named_ports.size(), "a game server has every port of its fleet");
  for (std::size_t i = 0; i < e.ports.size(); ++i) {
    const core::PortConfig& named = fleet.named_ports[i];
    const std::uint16_t port = e.ports[i].port;
    must(named.offset > 0 ? port == e.port + named.offset && port <= fleet.ports.last
                          : port >= named.ports.first && port <= named.ports.last,
         "a named port is of its range, or at its offset");
    must(ports.insert(port).second, "a game server's ports differ");
  }
  for (const auto& [other, taken] : processes_)
    for (const std::uint16_t port : ports)
      if (taken.contains(port))
        broken(fmt::format("no port is given to two live servers: {} to {} while {} has it", port,
                           to_string(e.server), to_string(other)));
  must(step.state.fleets[e.fleet].servers <= fleet.servers_max || step.late,
       "no launch goes beyond servers_max");
  processes_.emplace(e.server, std::move(ports));
  servers_[e.server] = ServerView{
      .fleet = e.fleet, .launched_for = e.match, .launch_timeout = e.config->launch_timeout};
  if (!e.match) report_.marks.hit(Mark::warm_launch);
}

void Laws::on(const core::StopServer& e, const Step& step) {
  // Without a link it cannot leave; it is sent again over the next one.
  must(!e.node || linked(e.node), "a stop goes to a node that is connected");
  if (!e.node) return;
  ServerView& server = servers_[e.server];
  must(server.stopped_over != e.node, "StopServer is sent at most once per server and link");
  if (server.stopped_over) report_.marks.hit(Mark::stop_told_again);
  server.stopped_over = e.node;
  if (const core::Server* truth = step.state.servers.find(e.server)) {
    if (truth->state == ServerState::error) report_.marks.hit(Mark::launch_timed_out);
    must(!truth->reason.empty(), "a server is stopped for a reason");
    const auto because = [&](std::string_view words, Mark mark) {
      if (truth->reason.starts_with(words)) report_.marks.hit(mark);
    };
    because("replaced by", Mark::version_replaced);
    because("its fleet is no longer", Mark::fleet_removed);
    because("its fleet was drained", Mark::fleet_drained);
    because("its node was drained", Mark::node_drained);
    because("it was drained", Mark::server_drained);
    because("more than ready_max", Mark::ready_max_kept);
    because("nobody has played", Mark::fleet_asleep);
    if (std::holds_alternative<core::DeadlineReached>(step.event) &&
        truth->state == ServerState::shutdown && !server.match)
      report_.marks.hit(Mark::idle_server_stopped);
  }
}

void Laws::note_hold(ServerId id, const Step& step) {
  const auto server = servers_.find(id);
  const core::Server* const truth = step.state.servers.find(id);
  if (server != servers_.end()) server->second.held = truth && core::holds_itself(*truth);
}

Laws::MatchView& Laws::match_begins(MatchId id, ServerId server_id, const std::string& queue_name,
                                    const std::shared_ptr<const core::Roster>& roster,
                                    const Step& step) {
  ServerView& server = servers_[server_id];
  if (const auto old = matches_.find(server.match);
      old != matches_.end() && old->first != id && !step.state.matches.find(old->first))
    match_over(old);  // In this very step.
  must(!server.match || server.match == id, "a server holds one match at a time");
  const auto [it, begins] = matches_.emplace(id, MatchView{server_id, roster, {}});
  MatchView& match = it->second;
  must(match.server == server_id, "a match is at one server");
  if (!begins) return match;
  server.match = id;
  must(!server.held, "a server that has reserved or allocated itself gets no match");
  must(!server.stopped_over || server.stopped_over != link_,
       "a server that was told to stop gets no match");
  if (server.played) report_.marks.hit(Mark::server_reused);
  if (server.launched_for && !server.played && server.launched_for != id)
    report_.marks.hit(Mark::server_given_to_another_match);
  server.played = true;

  const core::Match* const truth = step.state.matches.find(id);
  const core::QueueConfig* const queue =
      truth && truth->queue ? &step.state.config.queues[*truth->queue] : nullptr;
  must(roster && (!queue || queue->name == queue_name), "a match has its queue and a roster");
  std::uint32_t seats = 0;
  for (const core::RosterEntry& entry : *roster) {
    seats += entry.seats;
    // Of a match by rules, of the queue's as it was when the match was formed.
    const bool maybe_older = truth && truth->by_rules && step.state.totals.reloads > 0;
    must(!queue || maybe_older || entry.team < queue->teams, "a team is one of the queue's");
    const auto player = players_.find(entry.player);
    must(player != players_.end(), "who is on the roster is known");
    must(!player->second.match || player->second.match == id || !player->second.session,
         "a player is in one match at a time");
    match.owed.insert(entry.player);
    if (!player->second.session) report_.marks.hit(Mark::assigned_while_away);
  }
  if (truth && seats != truth->seats)
    broken(fmt::format("a match has its queue's number of players: {} has {} of {}", to_string(id),
                       seats, truth->seats));
  if (truth && step.state.queues[*truth->queue].removed)
    report_.marks.hit(Mark::played_without_queue);
  return match;
}

void Laws::on(const core::StartServerMatch& e, const Step& step) {
  must(linked(e.node), "a match is told to a node that is connected");
  if (!e.roster->empty() || matches_.contains(e.match)) {
    const bool again = matches_.contains(e.match);
    if (again) {
      must(std::holds_alternative<core::NodeConnected>(step.event),
           "a match is told to its server once, and again only over a new link");
      report_.marks.hit(Mark::match_told_again);
    }
    match_begins(e.match, e.server, e.queue, e.roster, step);
  }
}

void Laws::on(const core::SendAssignment& e, const Step& step) {
  const PlayerId player_id = player_of(e.session, e.request, step);
  must(player_id == e.player, "an assignment is its player's own");
  PlayerView& player = players_.at(player_id);
  const bool resumed = resumed_ == player_id && !resumed_told_;
  if (resumed) {
    resumed_told_ = true;
    report_.marks.hit(Mark::resumed_playing);
    if (player.match != e.match) player.match = {};  // The old one ended while they were away.
  } else {
    must(e.ticket && player.ticket == e.ticket, "an assignment ends its player's ticket");
    must(tickets_.at(e.ticket).state == core::TicketState::matched,
         "who is assigned was matched before");
  }
  must(!player.match || player.match == e.match, "a player is in one match at a time");
  if (player.ticket) {
    ++report_.assigned;
    report_.waits.push_back(step.now - player.since);
    ticket_ends(player.ticket, player_id);
    player.ticket = {};
  }
  player.match = e.match;
  MatchView& match = match_begins(e.match, e.server, e.queue, e.roster, step);
  match.owed.erase(player_id);
  must(*e.roster == *match.roster, "all players of a match are told the same roster");
  must(std::any_of(
           e.roster->begin(), e.roster->end(),
           [&](const core::RosterEntry& r) { return r.player == player_id && r.team == e.team; }),
       "an assigned player is on the roster, in their team");
  const core::Server* server = step.state.servers.find(e.server);
  must(step.late || (server && server->port == e.port && server->named_ports == e.ports),
       "an assignment has its server's ports");
}

void Laws::on(const core::SendMatchEnded& e, const Step& step) {
  PlayerView& player = players_.at(player_of(e.session, e.request, step));
  must(player.match == e.match, "who is told that a match has ended was in it");
  must(!is_order(step.event) || step.late, "no match is ended by a reload or a drain");
  player.match = {};
  player.requeued = e.requeued;
  Marks& marks = report_.marks;
  switch (e.end) {
    case core::MatchEnd::left:
      if (e.request != 0) marks.hit(Mark::left_match);
      break;
    case core::MatchEnd::server_lost:
      if (std::holds_alternative<core::ServerExited>(step.event)) marks.hit(Mark::crash_in_match);
      if (std::holds_alternative<core::ServerUnhealthy>(step.event))
        marks.hit(Mark::unhealthy_in_match);
      break;
    case core::MatchEnd::timed_out:
      marks.hit(Mark::match_timed_out);
      break;
    case core::MatchEnd::cancelled:
      if (std::holds_alternative<core::StopServerCommand>(step.event))
        marks.hit(Mark::match_stopped_by_operator);
      break;
    case core::MatchEnd::over:
      if (std::holds_alternative<core::ServerExited>(step.event))
        marks.hit(Mark::clean_exit_in_match);
      if (std::holds_alternative<core::ShutdownRequested>(step.event))
        marks.hit(Mark::shutdown_in_match);
      if (std::holds_alternative<core::ClassicServerReset>(step.event))
        marks.hit(Mark::classic_reset);
      break;
  }
}

void Laws::on(const core::SendServerLoginOk& e, const Step& step) {
  open_session(e.session, 0, step);
  must(std::holds_alternative<core::OwnerVerified>(step.event) && e.session == asker_,
       "a game server is believed only on the kernel's word");
  report_.marks.hit(Mark::classic_ready);
}

void Laws::on(const core::CloseSession& e, const Step& step) {
  SessionView& session = open_session(e.session, 0, step);
  session.closing = true;
  if (e.error == core::Error::resumed_elsewhere) report_.marks.hit(Mark::resumed_elsewhere);
  if (e.error == core::Error::port_not_assigned) report_.marks.hit(Mark::port_not_assigned);
  if (e.error == core::Error::owner_not_verified) report_.marks.hit(Mark::owner_not_verified);
}

void Laws::on(const core::RemoveServerPlayer& e, const Step&) {
  must(!e.node || linked(e.node), "a node that is told something is connected");
  if (const auto match = matches_.find(e.match); match != matches_.end())
    match->second.owed.erase(e.player);
}
void Laws::on(const core::EndServerMatch& e, const Step&) {
  must(!e.node || linked(e.node), "a node that is told something is connected");
  if (e.end == core::MatchEnd::over) report_.marks.hit(Mark::nobody_left_in_match);
}
void Laws::on(const core::AcknowledgeReports& e, const Step&) {
  must(linked(e.node), "a node whose reports are acknowledged is connected");
  must(last_report_ && e.number <= *last_report_, "what is acknowledged has been heard");
}
void Laws::on(const core::RecordResult& e, const Step& step) {
  must(step.state.results.contains(e.number), "a result is kept until it is known to be recorded");
  must(!e.result->players.empty(), "a result has the players of its match");
}
void Laws::on(const core::SendRating& e, const Step&) {
  must(sessions_.contains(e.session), "a rating is told to somebody who is there");
}
void Laws::on(const core::VerifyOwner& e, const Step&) {
  must(!e.node || linked(e.node), "a node that is asked something is connected");
  must(e.session == asker_, "only who logs in is asked about");
}

/// Whoever is still in it and there has been told by now.
Laws::Matches::iterator Laws::match_over(Matches::iterator it) {
  const auto& [id, match] = *it;
  for (const core::RosterEntry& entry : *match.roster) {
    const auto player = players_.find(entry.player);
    if (player == players_.end() || player->second.match != id) continue;
    must(!player->second.session, "the players of a match are told that it has ended");
    player->second.match = {};
  }
  if (const auto server = servers_.find(match.server);
      server != servers_.end() && server->second.match == id)
    server->second.match = {};
  return matches_.erase(it);
}

void Laws::check_matches(const Step& step) {
  for (auto it = matches_.begin(); it != matches_.end();) {
    const auto& [id, match] = *it;
    const core::Match* truth = step.state.matches.find(id);
    const bool over = !truth || truth->state != core::MatchState::playing;
    for (const PlayerId owed : match.owed) {
      const auto player = players_.find(owed);
      must(player == players_.end() || !player->second.session || (over && resumed_ == owed),
           "an assigned player is told so, at once or on resume");
    }
    it = over ? match_over(it) : std::next(it);
  }
}

void Laws::check_servers(const Step& step) {
  for (const ServerId id : strangers_) {
    const core::Server* server = step.state.servers.find(id);
    if (!server || server->stopping) continue;
    servers_[id] =
        ServerView{.fleet = server->fleet,
                   .launch_timeout = step.state.config.fleets[server->fleet].launch_timeout};
    report_.marks.hit(server->match ? Mark::match_adopted : Mark::server_adopted);
  }
  for (auto it = servers_.begin(); it != servers_.end();) {
    it->second.known = step.state.servers.find(it->first);
    it = it->second.known || processes_.contains(it->first) ? std::next(it) : servers_.erase(it);
  }
  std::uint32_t allocated = 0, playing = 0;
  step.state.servers.for_each([&](ServerId id, const core::Server& server) {
    allocated += server.state == ServerState::allocated && !core::holds_itself(server);
    must(server.state != ServerState::starting ||
             step.now < server.since + servers_[id].launch_timeout,
         "no server stays Starting past its deadline");
  });
  step.state.matches.for_each([&](MatchId, const core::Match& match) {
    playing += match.state == core::MatchState::playing;
    must(match.state != core::MatchState::launching || match.launching || match.timer || link_,
         "a match that cannot be launched because no node is there waits with a deadline");
  });
  must(allocated == playing, "Allocated servers are as many as running matches");
}

}  // namespace muster::sim
