#include "server/admin_view.h"

#include <boost/json/array.hpp>
#include <chrono>
#include <string_view>
#include <utility>

#include "core/match_why.h"
#include "server/version.h"

namespace muster::server {
namespace {

namespace json = boost::json;
using core::MatchId;
using core::PlayerId;
using core::ServerId;
using core::State;
using core::TicketId;

/// Seconds with three digits behind the point.
double seconds_of(Duration duration) {
  return static_cast<double>(std::chrono::round<std::chrono::milliseconds>(duration).count()) /
         1000.0;
}

double age(const State& state, Time since) { return seconds_of(state.now - since); }

/// Ids as text; none is null.
template <class Tag>
json::value id_or_null(Id<Tag> id) {
  if (!id) return nullptr;
  return json::value(to_string(id));
}

json::value text(std::string_view text) { return json::value(json::string(text)); }

std::string_view queue_name(const State& state, std::optional<core::QueueIndex> queue) {
  return queue ? std::string_view(state.config.queues[*queue].name) : std::string_view{};
}

/// {"query": 27015}
json::object ports_view(const core::NamedPorts& ports) {
  json::object view;
  for (const core::NamedPort& port : ports) view[port.name] = port.port;
  return view;
}

/// {"<name>": [...], "total": n, "more": bool}
template <class Pool, class View>
json::object page_of(std::string_view name, const Pool& pool, const Page& page, View&& view) {
  json::array list;
  bool more = false;
  pool.for_each([&](auto id, const auto& thing) {
    if (page.has_after && id.slot <= page.after_slot) return;
    if (list.size() < page.limit)
      list.push_back(view(id, thing));
    else
      more = true;
  });
  return {{name, std::move(list)}, {"total", pool.size()}, {"more", more}};
}

/// Empty is null.
json::value text_or_null(const std::string& value) {
  return value.empty() ? json::value(nullptr) : text(value);
}

json::value fork_parent_view(const State& state, const std::optional<core::ForkParent>& parent) {
  if (!parent) return nullptr;
  return json::object{{"state", text(to_string(parent->state))},
                      {"stateSeconds", age(state, parent->since)},
                      {"pid", parent->pid == 0 ? json::value(nullptr) : json::value(parent->pid)},
                      {"lastError", text_or_null(parent->detail)}};
}

/// The first that holds: what an operator should know about a fleet.
std::string_view fleet_state(const core::Fleet& fleet) {
  if (fleet.removed) return "removed";
  if (fleet.draining) return "draining";
  if (fleet.crash_loop) return "crash_loop";
  if (fleet.failures > 0) return "failing";
  return fleet.asleep ? "asleep" : "ok";
}

/// What is left of a fleet that is no longer configured is of interest while it runs.
bool shown(const core::Fleet& fleet) { return !fleet.removed || fleet.servers > 0; }

json::object fleet_view(const State& state, std::size_t index, const Census::Fleet& counted) {
  const core::FleetConfig& config = state.config.fleets[index];
  const core::Fleet& fleet = state.fleets[index];
  const auto in_seconds = [&](bool set, Duration duration) {
    return set ? json::value(seconds_of(duration)) : json::value(nullptr);
  };
  return {
      {"name", config.name},
      {"state", fleet_state(fleet)},
      {"draining", fleet.draining},
      {"version", core::version_text(fleet.version)},
      {"outdated", counted.outdated},
      {"failures", fleet.failures},
      {"crashLoopSeconds", in_seconds(fleet.crash_loop, state.now - fleet.crash_loop_since)},
      {"retrySeconds", in_seconds(fleet.failures > 0 && fleet.retry, fleet.retry_at - state.now)},
      {"starting", counted.starting},
      {"ready", counted.ready},
      {"reserved", counted.reserved},
      {"allocated", counted.allocated},
      {"stopping", counted.stopping},
      {"serversMax", config.servers_max},
      {"readyMin", config.ready_min},
      {"readyMax", config.ready_max},
      {"matchesWaiting", fleet.waiting.size()},
      {"ports", counted.ports},
      {"portsFree", counted.ports_free},
      {"portsSetAside", counted.ports_aside},
      {"lastLaunchError", text_or_null(fleet.last_error)},
      {"forkParent", fork_parent_view(state, fleet.fork_parent)}};
}

json::value journal_view(const JournalStatus& journal) {
  if (!journal.enabled) return nullptr;
  return json::object{{"healthy", journal.healthy},  {"lastError", text_or_null(journal.error)},
                      {"lastEvent", journal.number}, {"lastSnapshot", journal.snapshot_number},
                      {"bytes", journal.bytes},      {"failures", journal.failures}};
}

/// Of those who wait for their game server.
std::size_t players_of(const State& state, const std::vector<TicketId>& tickets) {
  std::size_t players = 0;
  for (const TicketId id : tickets) players += state.tickets[id].members.size();
  return players;
}

}  // namespace

Census take_census(const State& state) {
  Census census;
  census.fleets.resize(state.fleets.size());
  census.queues.resize(state.queues.size());
  for (std::size_t i = 0; i < state.fleets.size(); ++i) {
    census.fleets[i].ports = state.fleets[i].ports.count();
    census.fleets[i].ports_free = state.fleets[i].ports.free_count();
    census.fleets[i].ports_aside = static_cast<std::uint32_t>(state.fleets[i].ports.aside().size());
  }
  state.players.for_each([&](PlayerId, const core::Player& player) {
    ++(player.session ? census.connected : census.disconnected);
  });
  state.tickets.for_each([&](TicketId, const core::Ticket& ticket) {
    Census::Queue& queue = census.queues[ticket.queue];
    ++(ticket.state == core::TicketState::matched   ? queue.matched
       : ticket.state == core::TicketState::offered ? queue.offered
                                                    : queue.queued);
  });
  state.matches.for_each([&](MatchId, const core::Match& match) {
    Census::Fleet& fleet = census.fleets[match.fleet];
    ++(match.state == core::MatchState::playing   ? fleet.playing
       : match.state == core::MatchState::offered ? fleet.offered
                                                  : fleet.launching);
  });
  state.servers.for_each([&](ServerId, const core::Server& server) {
    Census::Fleet& fleet = census.fleets[server.fleet];
    if (!server.stopping && server.version != state.fleets[server.fleet].version) ++fleet.outdated;
    // One whose match goes on is Allocated, even if it is to stop afterwards; so is one that says
    // so itself, without a match.
    if (server.state == core::ServerState::allocated)
      ++fleet.allocated;
    else if (server.stopping)
      ++fleet.stopping;
    else if (server.state == core::ServerState::starting)
      ++fleet.starting;
    else if (server.state == core::ServerState::reserved)
      ++fleet.reserved;
    else
      ++fleet.ready;
  });
  return census;
}

namespace {

/// What rated matches came to, and how it is with recording that.
json::object results_view(const State& state, const StorageStatus& storage) {
  json::value refused = nullptr;
  if (const core::RefusedResult& last = state.result_refused; last.match)
    refused = json::object{{"matchId", to_string(last.match)},
                           {"code", text(code(last.error))},
                           {"detail", last.detail},
                           {"secondsAgo", age(state, last.at)}};
  const State::Totals& totals = state.totals;
  return {{"healthy", storage.healthy},
          {"lastError", storage.healthy ? json::value(nullptr) : text(storage.error)},
          {"failures", storage.failures},
          {"outstanding", state.results.size()},
          {"taken", totals.results},
          {"recorded", totals.results_recorded},
          {"refused", totals.results_refused},
          {"lastRefused", std::move(refused)}};
}

}  // namespace

json::object status_view(const Loop& loop, const JournalStatus& journal,
                         const StorageStatus& storage) {
  const State& state = loop.core().state();
  const Census census = take_census(state);
  json::array fleets;
  std::uint32_t starting = 0, ready = 0, reserved = 0, allocated = 0, stopping = 0;
  std::uint32_t launching = 0, playing = 0;
  for (std::size_t i = 0; i < census.fleets.size(); ++i) {
    const Census::Fleet& fleet = census.fleets[i];
    if (!shown(state.fleets[i])) continue;
    fleets.push_back(fleet_view(state, i, fleet));
    starting += fleet.starting, ready += fleet.ready, reserved += fleet.reserved;
    allocated += fleet.allocated;
    stopping += fleet.stopping, launching += fleet.launching, playing += fleet.playing;
  }
  json::array queues;
  std::uint32_t queued = 0, matched = 0;
  for (std::size_t i = 0; i < census.queues.size(); ++i) {
    const core::QueueConfig& config = state.config.queues[i];
    const Census::Queue& queue = census.queues[i];
    if (state.queues[i].removed && queue.matched == 0) continue;
    queues.push_back(
        {{"name", config.name},
         {"open", !state.queues[i].removed && !draining(state, static_cast<core::QueueIndex>(i))},
         {"fleet", state.config.fleets[config.fleet].name},
         {"players", config.players},
         {"seatsWaiting", state.queues[i].seats_waiting},
         {"queued", queue.queued},
         {"matched", queue.matched}});
    queued += queue.queued, matched += queue.matched;
  }
  json::array nodes;
  for (const auto& node : state.nodes)
    nodes.push_back({{"name", node->name},
                     {"host", node->host},
                     {"connected", bool{node->link}},
                     {"draining", node->draining},
                     {"limits", node->limits}});
  const State::Totals& totals = state.totals;
  return {{"version", version},
          {"uptimeSeconds", seconds_of(loop.now() - loop.started())},
          {"stopping", state.stopping},
          {"sessions", state.sessions.size()},
          {"players", {{"connected", census.connected}, {"disconnected", census.disconnected}}},
          {"tickets", {{"queued", queued}, {"matched", matched}}},
          {"matches", {{"launching", launching}, {"playing", playing}}},
          {"servers",
           {{"starting", starting},
            {"ready", ready},
            {"reserved", reserved},
            {"allocated", allocated},
            {"stopping", stopping}}},
          {"fleets", std::move(fleets)},
          {"queues", std::move(queues)},
          {"nodes", std::move(nodes)},
          {"journal", journal_view(journal)},
          {"results", results_view(state, storage)},
          {"totals",
           {{"events", loop.events()},
            {"tickets", totals.tickets},
            {"matches", totals.matches},
            {"launches", totals.launches},
            {"launchFailures", totals.launch_failures},
            {"crashLoops", totals.crash_loops},
            {"reloads", totals.reloads},
            {"serversLost", totals.servers_lost}}}};
}

json::object server_view(const State& state, ServerId id, const core::Server& server,
                         bool with_players) {
  const core::Node& node = *state.nodes[server.node];
  json::object view{{"id", to_string(id)},
                    {"fleet", state.config.fleets[server.fleet].name},
                    {"state", text(to_string(server.state))},
                    {"stopping", server.stopping},
                    {"draining", server.draining},
                    {"reason", text_or_null(server.reason)},
                    {"version", core::version_text(server.version)},
                    {"outdated", server.version != state.fleets[server.fleet].version},
                    {"node", node.name},
                    {"host", node.host},
                    {"port", server.port},
                    {"ports", ports_view(server.named_ports)},
                    {"pid", server.pid == 0 ? json::value(nullptr) : json::value(server.pid)},
                    {"forked", server.forked},
                    {"matchId", id_or_null(server.match)},
                    {"launchedForMatchId", id_or_null(server.launched_for)},
                    {"note", server.note.empty() ? json::value(nullptr) : text(server.note)},
                    {"stateSeconds", age(state, server.since)}};
  // Elsewhere the roster knows.
  if (state.config.fleets[server.fleet].sdk == core::SdkKind::none)
    view["playersCounted"] = server.players;
  if (!with_players) return view;
  json::array players;
  const core::Match* match = state.matches.find(server.match);
  if (match && match->roster)
    for (const core::RosterEntry& entry : *match->roster)
      players.push_back({{"id", to_string(entry.player)},
                         {"name", entry.name},
                         {"team", entry.team},
                         {"seats", entry.seats}});
  view["players"] = std::move(players);
  return view;
}

json::object servers_view(const State& state, const Page& page) {
  return page_of("servers", state.servers, page, [&](ServerId id, const core::Server& server) {
    return server_view(state, id, server, false);
  });
}

json::object ended_view(const State& state) {
  json::array list;
  for (auto ended = state.ended.rbegin(); ended != state.ended.rend(); ++ended)
    list.push_back({{"id", to_string(ended->server)},
                    {"fleet", text(ended->fleet)},
                    {"version", core::version_text(ended->version)},
                    {"node", text(ended->node)},
                    {"port", ended->port},
                    {"pid", ended->pid == 0 ? json::value(nullptr) : json::value(ended->pid)},
                    {"state", text(to_string(ended->state))},
                    {"reason", text(ended->reason)},
                    {"exit", text(ended->exit)},
                    {"lifeSeconds", seconds_of(ended->ended - ended->launched)},
                    {"endedSeconds", age(state, ended->ended)}});
  return {{"ended", std::move(list)}};
}

json::value wait_estimate_view(const State& state, const core::Ticket& ticket) {
  const auto wait = core::estimate_wait(state, ticket);
  if (!wait) return nullptr;
  return {{"seconds", seconds_of(wait->median)},
          {"lowSeconds", seconds_of(wait->low)},
          {"highSeconds", seconds_of(wait->high)}};
}

json::object parties_view(const State& state, const Page& page) {
  return page_of("parties", state.parties, page, [&](core::PartyId id, const core::Party& party) {
    json::array players;
    json::value ticket = nullptr;
    for (const core::PartyMember& member : party.members) {
      const core::Player& player = state.players[member.player];
      players.push_back({{"id", to_string(member.player)},
                         {"name", text(player.name)},
                         {"connected", static_cast<bool>(player.session)},
                         {"matchId", id_or_null(player.match)}});
      if (player.ticket) ticket = to_string(player.ticket);
    }
    return json::object{
        {"id", to_string(id)}, {"players", std::move(players)}, {"ticketId", std::move(ticket)}};
  });
}

json::object tickets_view(const State& state, const Page& page) {
  return page_of("tickets", state.tickets, page, [&](TicketId id, const core::Ticket& ticket) {
    json::array players;
    for (const core::TicketMember& member : ticket.members) {
      const core::Player& player = state.players[member.player];
      players.push_back({{"id", to_string(member.player)},
                         {"name", text(player.name)},
                         {"connected", static_cast<bool>(player.session)},
                         {"seats", member.seats}});
    }
    return json::object{{"id", to_string(id)},
                        {"state", text(to_string(ticket.state))},
                        {"queue", state.config.queues[ticket.queue].name},
                        {"players", std::move(players)},
                        {"seats", ticket.seats},
                        {"matchId", id_or_null(ticket.match)},
                        {"waitingSeconds", age(state, ticket.since)},
                        {"waitEstimate", wait_estimate_view(state, ticket)}};
  });
}

/// Why a ticket waits; of one that does not wait only its state.
json::object why_view(const State& state, TicketId id) {
  const core::Ticket& ticket = state.tickets[id];
  json::object out{{"id", to_string(id)},
                   {"queue", state.config.queues[ticket.queue].name},
                   {"state", text(to_string(ticket.state))},
                   {"held", ticket.held},
                   {"waitingSeconds", age(state, ticket.since)}};
  const auto why = core::why_waiting(state, id);
  if (!why) return out;
  json::array rules;
  for (const auto& rule : why->rules)
    rules.push_back(
        {{"name", rule.name}, {"excludes", rule.excludes}, {"byTheirs", rule.by_theirs}});
  out["others"] = why->others;
  out["accepted"] = why->accepted;
  out["seatsAccepted"] = why->seats_accepted;
  out["seatsNeeded"] = why->seats_needed;
  out["rules"] = std::move(rules);
  if (!why->regions.empty()) {
    json::array regions;
    for (const auto& region : why->regions)
      regions.push_back({{"name", region.name},
                         {"ms", region.ms ? json::value(*region.ms) : json::value(nullptr)},
                         {"within", region.within},
                         {"others", region.others}});
    out["regions"] = std::move(regions);
  }
  out["nearest"] = nullptr;
  if (why->nearest) {
    json::array excluded_by;
    for (const std::string& name : why->nearest->excluded_by) excluded_by.emplace_back(name);
    out["nearest"] = json::object{{"ticketId", to_string(why->nearest->ticket)},
                                  {"ratingApart", why->nearest->rating_apart},
                                  {"excludedBy", std::move(excluded_by)}};
  }
  out["nextWidening"] = nullptr;
  if (why->next)
    out["nextWidening"] = json::object{{"inSeconds", seconds_of(why->next->in)},
                                       {"admits", why->next->admits},
                                       {"seatsNeeded", why->next->seats_needed}};
  return out;
}

json::object matches_view(const State& state, const Page& page) {
  return page_of("matches", state.matches, page, [&](MatchId id, const core::Match& match) {
    const bool playing = match.state == core::MatchState::playing;
    return json::object{
        {"id", to_string(id)},
        {"state", text(to_string(match.state))},
        {"queue", match.queue ? text(queue_name(state, match.queue)) : json::value(nullptr)},
        {"fleet", state.config.fleets[match.fleet].name},
        {"region", match.region.empty() ? json::value(nullptr) : json::value(match.region)},
        {"serverId", id_or_null(playing ? match.server : match.launching)},
        {"players", playing ? match.players.size() : players_of(state, match.tickets)},
        {"failedLaunches", match.attempts},
        {"stateSeconds", age(state, match.since)}};
  });
}

json::object events_view(const std::deque<EventRecord>& events, std::size_t last) {
  json::array list;
  const std::size_t skip = events.size() > last ? events.size() - last : 0;
  for (std::size_t i = skip; i < events.size(); ++i) {
    const EventRecord& event = events[i];
    list.push_back(
        {{"number", event.number},
         {"unixUs",
          std::chrono::floor<std::chrono::microseconds>(event.time).time_since_epoch().count()},
         {"name", text(event.name)},
         {"effects", event.effects}});
  }
  return {{"events", std::move(list)}};
}

}  // namespace muster::server
