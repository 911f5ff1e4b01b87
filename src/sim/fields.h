#pragma once
// The fields of every event and effect, once: history.cc folds them into a digest and writes them
// as text. fields(x, f) calls f(name, value) for each.

#include "core/effect.h"
#include "core/event.h"

namespace muster::sim {

template <class F>
void fields(const core::Standing& s, F&& f) {
  f("player", s.player), f("team", s.team), f("rank", s.rank), f("score", s.score.value_or(0));
  f("played", s.played);
}
template <class F>
void fields(const core::ResultPlayer& p, F&& f) {
  f("name", p.name), f("account", p.account), f("team", p.team), f("rank", p.rank);
  f("score", p.score.value_or(0)), f("played", p.played);
}
template <class F>
void fields(const core::MatchResult& r, F&& f) {
  f("match", r.match), f("started", r.started.time_since_epoch());
  f("ended", r.ended.time_since_epoch()), f("queue", r.queue), f("players", r.players);
}
template <class F>
void fields(const core::StoredRating& r, F&& f) {
  f("queue", r.queue), f("mean", r.mean), f("deviation", r.deviation);
}
template <class F>
void fields(const core::AccountRating& r, F&& f) {
  f("account", r.account), f("mean", r.mean), f("deviation", r.deviation);
  f("change", r.change);
}
template <class F>
void fields(const core::RegionLatency& r, F&& f) {
  f("region", r.region), f("ms", r.ms);
}
template <class F>
void fields(const core::SessionOpened& e, F&& f) {
  f("session", e.session), f("resumable", e.resumable);
}
template <class F>
void fields(const core::SessionClosed& e, F&& f) {
  f("session", e.session);
}
template <class F>
void fields(const core::Hello& e, F&& f) {
  f("session", e.session), f("request", e.request), f("name", e.name), f("secret", e.secret);
  f("account", e.account), f("ratings", e.ratings);
}
template <class F>
void fields(const core::ResumeSession& e, F&& f) {
  f("session", e.session), f("request", e.request), f("player", e.player), f("secret", e.secret);
}
template <class F>
void fields(const core::StartMatch& e, F&& f) {
  f("session", e.session), f("request", e.request), f("queue", e.queue), f("seats", e.seats);
  f("attributes", e.attributes), f("latency", e.latency);
  f("blocks", e.blocked.has_value());
  if (e.blocked)
    for (const core::PlayerId id : *e.blocked) f("blocked", id);
}
template <class F>
void fields(const core::CancelMatch& e, F&& f) {
  f("session", e.session), f("request", e.request);
}
template <class F>
void fields(const core::LeaveMatch& e, F&& f) {
  f("session", e.session), f("request", e.request);
}
template <class F>
void fields(const core::ClassicServerLogin& e, F&& f) {
  f("session", e.session), f("port", e.port);
}
template <class F>
void fields(const core::ClassicServerReset& e, F&& f) {
  f("session", e.session);
}
template <class F>
void fields(const core::ServerReport& e, F&& f) {
  f("server", e.server), f("fleet", e.fleet), f("port", e.port), f("pid", e.pid);
  f("ready", e.ready), f("match", e.match), f("version", e.version);
  f("reserved", e.reserved), f("allocated", e.allocated);
  f("forked", e.forked);
  f("ports", e.ports), f("players", e.players);
}
template <class F>
void fields(const core::NodeConnected& e, F&& f) {
  f("node", e.node), f("name", e.name), f("host", e.host), f("servers", e.servers);
  f("limits", e.limits), f("run", e.run), f("reported", e.reported);
}
template <class F>
void fields(const core::NodeReported& e, F&& f) {
  f("node", e.node), f("number", e.number);
}
template <class F>
void fields(const core::NodeLost& e, F&& f) {
  f("node", e.node);
}
template <class F>
void fields(const core::ServerLaunched& e, F&& f) {
  f("server", e.server), f("pid", e.pid), f("forked", e.forked);
}
template <class F>
void fields(const core::LaunchFailed& e, F&& f) {
  f("server", e.server), f("error", e.error), f("detail", e.detail);
  f("port", e.port);
}
template <class F>
void fields(const core::ServerReady& e, F&& f) {
  f("server", e.server);
}
template <class F>
void fields(const core::ServerExited& e, F&& f) {
  f("server", e.server), f("exit_code", e.exit_code), f("signal", e.signal);
  f("detail", e.detail), f("result", e.result), f("standings", e.standings);
  f("unknown", e.unknown);
}
template <class F>
void fields(const core::ServerUnhealthy& e, F&& f) {
  f("server", e.server), f("detail", e.detail);
}
template <class F>
void fields(const core::ServerNoted& e, F&& f) {
  f("server", e.server), f("note", e.note);
}
template <class F>
void fields(const core::OwnerVerified& e, F&& f) {
  f("session", e.session), f("server", e.server), f("verified", e.verified);
  f("detail", e.detail);
}
template <class F>
void fields(const core::PlayerJoined& e, F&& f) {
  f("server", e.server), f("player", e.player);
}
template <class F>
void fields(const core::PlayerLeft& e, F&& f) {
  f("server", e.server), f("player", e.player);
}
template <class F>
void fields(const core::MatchOver& e, F&& f) {
  f("server", e.server), f("match", e.match), f("result", e.result);
  f("standings", e.standings);
}
template <class F>
void fields(const core::PlayersCounted& e, F&& f) {
  f("server", e.server), f("players", e.players);
}
template <class F>
void fields(const core::ShutdownRequested& e, F&& f) {
  f("server", e.server), f("result", e.result), f("standings", e.standings);
}
template <class F>
void fields(const core::ServerAllocated& e, F&& f) {
  f("server", e.server);
}
template <class F>
void fields(const core::ServerReserved& e, F&& f) {
  f("server", e.server), f("match", e.match), f("result", e.result);
  f("standings", e.standings);
}
template <class F>
void fields(const core::ForkParentChanged& e, F&& f) {
  f("fleet", e.fleet), f("state", e.state), f("pid", e.pid), f("detail", e.detail);
}
template <class F>
void fields(const core::StopServerCommand& e, F&& f) {
  f("server", e.server);
}
template <class F>
void fields(const core::LobbyStarted& e, F&& f) {
  f("down", e.down);
}
template <class F>
void fields(const core::SetRating& e, F&& f) {
  f("player", e.player), f("queue", e.queue), f("rating", e.rating);
}
template <class F>
void fields(const core::ResultRecorded& e, F&& f) {
  f("result", e.result), f("ratings", e.ratings);
}
template <class F>
void fields(const core::RatingsChanged& e, F&& f) {
  f("queue", e.queue), f("ratings", e.ratings);
}
template <class F>
void fields(const core::AccountBanned& e, F&& f) {
  f("account", e.account);
}
template <class F>
void fields(const core::CreateParty& e, F&& f) {
  f("session", e.session), f("request", e.request), f("code", e.code);
}
template <class F>
void fields(const core::JoinParty& e, F&& f) {
  f("session", e.session), f("request", e.request), f("code", e.code);
}
template <class F>
void fields(const core::LeaveParty& e, F&& f) {
  f("session", e.session), f("request", e.request);
}
template <class F>
void fields(const core::KickFromParty& e, F&& f) {
  f("session", e.session), f("request", e.request), f("player", e.player);
}
template <class F>
void fields(const core::PromoteInParty& e, F&& f) {
  f("session", e.session), f("request", e.request), f("player", e.player);
}
template <class F>
void fields(const core::SetPartyAttributes& e, F&& f) {
  f("session", e.session), f("request", e.request), f("attributes", e.attributes);
}
template <class F>
void fields(const core::AcceptMatch& e, F&& f) {
  f("session", e.session), f("request", e.request);
}
template <class F>
void fields(const core::DeclineMatch& e, F&& f) {
  f("session", e.session), f("request", e.request);
}
template <class F>
void fields(const core::PartyView& p, F&& f) {
  f("player", p.player), f("name", p.name), f("away", p.away), f("attributes", p.attributes);
}
template <class F>
void fields(const core::SendParty& e, F&& f) {
  f("session", e.session), f("request", e.request), f("party", e.party), f("code", e.code);
  f("members", e.members), f("error", e.error);
}
template <class F>
void fields(const core::LobbyStopping& e, F&& f) {
  f("stop_servers", e.stop_servers);
}
template <class F>
void fields(const core::DeadlineReached&, F&&) {}
template <class F>
void fields(const core::ConfigReloaded& e, F&& f) {
  f("config", e.config);
}
template <class F>
void fields(const core::ClearFleet& e, F&& f) {
  f("fleet", e.fleet);
}
template <class F>
void fields(const core::DrainFleet& e, F&& f) {
  f("fleet", e.fleet), f("draining", e.draining);
}
template <class F>
void fields(const core::DrainNode& e, F&& f) {
  f("node", e.node), f("draining", e.draining);
}
template <class F>
void fields(const core::DrainServer& e, F&& f) {
  f("server", e.server), f("draining", e.draining);
}

template <class F>
void fields(const core::SendWelcome& e, F&& f) {
  f("session", e.session), f("request", e.request), f("player", e.player), f("name", e.name);
  f("secret", e.secret), f("resumed", e.resumed);
}
template <class F>
void fields(const core::SendError& e, F&& f) {
  f("session", e.session), f("request", e.request), f("error", e.error), f("detail", e.detail);
  f("retry_after", e.retry_after);
}
template <class F>
void fields(const core::SendTicket& e, F&& f) {
  f("session", e.session), f("request", e.request), f("ticket", e.ticket), f("queue", e.queue);
  f("state", e.state), f("players", e.players), f("players_needed", e.players_needed);
  if (e.wait) f("wait", e.wait->median), f("wait_low", e.wait->low), f("wait_high", e.wait->high);
  f("error", e.error), f("accepted", e.accepted), f("accepts_needed", e.accepts_needed);
  f("accept_left", e.accept_left), f("you_accepted", e.you_accepted);
}
template <class F>
void fields(const core::SendAssignment& e, F&& f) {
  f("session", e.session), f("request", e.request), f("ticket", e.ticket), f("match", e.match);
  f("server", e.server), f("player", e.player), f("player_name", e.player_name);
  f("team", e.team), f("seats", e.seats), f("queue", e.queue), f("host", e.host), f("port", e.port);
  f("roster", e.roster), f("started", e.started.time_since_epoch()), f("ports", e.ports);
  f("region", e.region);
}
template <class F>
void fields(const core::SendMatchEnded& e, F&& f) {
  f("session", e.session), f("request", e.request), f("match", e.match), f("end", e.end);
  f("requeued", e.requeued), f("result", e.result);
}
template <class F>
void fields(const core::SendServerLoginOk& e, F&& f) {
  f("session", e.session);
}
template <class F>
void fields(const core::CloseSession& e, F&& f) {
  f("session", e.session), f("error", e.error);
}
template <class F>
void fields(const core::LaunchServer& e, F&& f) {
  f("node", e.node), f("server", e.server), f("fleet", e.fleet), f("port", e.port);
  f("match", e.match), f("queue", e.queue), f("map", e.map), f("players", e.players);
  f("version", e.version), f("ports", e.ports);
}
template <class F>
void fields(const core::StopServer& e, F&& f) {
  f("node", e.node), f("server", e.server), f("grace", e.grace);
}
template <class F>
void fields(const core::StartServerMatch& e, F&& f) {
  f("node", e.node), f("server", e.server), f("match", e.match), f("queue", e.queue);
  f("map", e.map), f("roster", e.roster), f("started", e.started.time_since_epoch());
  f("bots", e.bots);
}
template <class F>
void fields(const core::RemoveServerPlayer& e, F&& f) {
  f("node", e.node), f("server", e.server), f("match", e.match), f("player", e.player);
}
template <class F>
void fields(const core::EndServerMatch& e, F&& f) {
  f("node", e.node), f("server", e.server), f("match", e.match), f("end", e.end);
}
template <class F>
void fields(const core::AcknowledgeReports& e, F&& f) {
  f("node", e.node), f("run", e.run), f("number", e.number);
}
template <class F>
void fields(const core::RecordResult& e, F&& f) {
  f("number", e.number), f("result", e.result);
}
template <class F>
void fields(const core::SendRating& e, F&& f) {
  f("session", e.session), f("request", e.request), f("queue", e.queue), f("rating", e.rating);
  f("deviation", e.deviation), f("change", e.change);
}
template <class F>
void fields(const core::VerifyOwner& e, F&& f) {
  f("node", e.node), f("session", e.session), f("server", e.server);
}

}  // namespace muster::sim
