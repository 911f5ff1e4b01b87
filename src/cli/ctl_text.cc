// What `muster ctl` makes of the admin API's answers.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cli/ctl.h"
#include "cli/table.h"

namespace muster::cli {
namespace {

namespace json = boost::json;

const json::value* member(const json::object& object, std::string_view path) {
  const json::object* at = &object;
  for (;;) {
    const std::size_t dot = path.find('.');
    const json::value* value = at->if_contains(path.substr(0, dot));
    if (!value || dot == std::string_view::npos) return value;
    at = value->if_object();
    if (!at) return nullptr;
    path.remove_prefix(dot + 1);
  }
}

/// "players.connected" of an object, as text; "-" for null, "" if it is not there.
std::string text(const json::object& object, std::string_view path) {
  const json::value* value = member(object, path);
  if (!value) return {};
  if (value->is_null()) return "-";
  if (const json::string* string = value->if_string())
    return std::string(string->c_str(), string->size());
  return json::serialize(*value);
}

std::string age(const json::object& object, std::string_view path) {
  const json::value* value = member(object, path);
  boost::system::error_code error;
  const double seconds = value && value->is_number() ? value->to_number<double>(error) : 0.0;
  return value ? format_age(seconds) : std::string{};
}

bool flag(const json::object& object, std::string_view path) {
  const json::value* value = member(object, path);
  const bool* set = value ? value->if_bool() : nullptr;
  return set && *set;
}

template <class F>
void for_each(const json::object& object, std::string_view name, F&& f) {
  const json::value* value = member(object, name);
  const json::array* list = value ? value->if_array() : nullptr;
  if (!list) return;
  for (const json::value& element : *list)
    if (const json::object* o = element.if_object()) f(*o);
}

using Rows = std::vector<std::vector<std::string>>;

/// The table, or `nothing` if it has only its heading; and whether that was all.
std::string list_text(const Rows& rows, std::string_view nothing, const json::object& answer) {
  if (rows.size() == 1) return std::string(nothing) + '\n';
  std::string out = format_table(rows);
  if (flag(answer, "more"))
    out += fmt::format("… {} of {}; --limit and --after show more\n", rows.size() - 1,
                       text(answer, "total"));
  return out;
}

}  // namespace

std::string status_text(const json::object& s) {
  std::string out = fmt::format(
      "muster {}, up {}{}\n"
      "sessions {}, players {} connected and {} disconnected, tickets {} queued and {} matched,\n"
      "matches {} launching and {} playing\n",
      text(s, "version"), age(s, "uptimeSeconds"), flag(s, "stopping") ? ", stopping" : "",
      text(s, "sessions"), text(s, "players.connected"), text(s, "players.disconnected"),
      text(s, "tickets.queued"), text(s, "tickets.matched"), text(s, "matches.launching"),
      text(s, "matches.playing"));

  Rows fleets{{"FLEET", "STARTING", "READY", "ALLOCATED", "STOPPING", "MAX", "PORTS FREE",
               "WAITING", "LAST LAUNCH ERROR"}};
  for_each(s, "fleets", [&](const json::object& f) {
    fleets.push_back({text(f, "name"), text(f, "starting"), text(f, "ready"), text(f, "allocated"),
                      text(f, "stopping"), text(f, "serversMax"),
                      text(f, "portsFree") + "/" + text(f, "ports"), text(f, "matchesWaiting"),
                      text(f, "lastLaunchError")});
  });
  Rows queues{{"QUEUE", "FLEET", "PLAYERS", "SEATS WAITING", "QUEUED", "MATCHED"}};
  for_each(s, "queues", [&](const json::object& q) {
    queues.push_back({text(q, "name"), text(q, "fleet"), text(q, "players"),
                      text(q, "seatsWaiting"), text(q, "queued"), text(q, "matched")});
  });
  Rows nodes{{"NODE", "HOST", "STATE"}};
  for_each(s, "nodes", [&](const json::object& n) {
    nodes.push_back(
        {text(n, "name"), text(n, "host"), flag(n, "connected") ? "connected" : "away"});
  });
  for (const Rows* rows : {&fleets, &queues, &nodes})
    if (rows->size() > 1) out += "\n" + format_table(*rows);
  if (nodes.size() == 1) out += "\nno node has connected yet: nothing can be launched\n";
  return out;
}

/// "7000 query:27015"
std::string ports_text(const json::object& server) {
  std::string out = text(server, "port");
  const json::value* named = member(server, "ports");
  const json::object* const ports = named ? named->if_object() : nullptr;
  if (!ports) return out;
  for (const auto& [name, port] : *ports)
    out += fmt::format(" {}:{}", std::string(name), json::serialize(port));
  return out;
}

std::string servers_text(const json::object& answer) {
  Rows rows{{"SERVER", "FLEET", "STATE", "FOR", "NODE", "PORT", "PID", "MATCH"}};
  bool any_note = false;
  for_each(answer, "servers", [&](const json::object& o) {
    rows.push_back(
        {text(o, "id"), text(o, "fleet"),
         text(o, "state") +
             (flag(o, "stopping") && text(o, "state") == "allocated" ? ", then stopped" : ""),
         age(o, "stateSeconds"), text(o, "node"), ports_text(o), text(o, "pid"),
         text(o, "matchId")});
    const json::value* note = member(o, "note");
    rows.back().push_back(note && note->is_string() ? text(o, "note") : "");
    any_note = any_note || !rows.back().back().empty();
  });
  if (any_note) rows.front().emplace_back("NOTE");
  return list_text(rows, "no game servers", answer);
}

std::string tickets_text(const json::object& answer) {
  Rows rows{{"TICKET", "QUEUE", "STATE", "WAITING", "SEATS", "PLAYER", "NAME", "MATCH"}};
  for_each(answer, "tickets", [&](const json::object& o) {
    rows.push_back({text(o, "id"), text(o, "queue"), text(o, "state"), age(o, "waitingSeconds"),
                    text(o, "seats"), text(o, "playerId"),
                    text(o, "player") + (flag(o, "connected") ? "" : " (disconnected)"),
                    text(o, "matchId")});
  });
  return list_text(rows, "no tickets", answer);
}

std::string matches_text(const json::object& answer) {
  Rows rows{{"MATCH", "QUEUE", "STATE", "FOR", "SERVER", "PLAYERS", "FAILED LAUNCHES"}};
  for_each(answer, "matches", [&](const json::object& o) {
    rows.push_back({text(o, "id"), text(o, "queue"), text(o, "state"), age(o, "stateSeconds"),
                    text(o, "serverId"), text(o, "players"), text(o, "failedLaunches")});
  });
  return list_text(rows, "no matches", answer);
}

std::string stopped_text(const json::object& answer) {
  const json::value* what = member(answer, "stopping");
  if (what && what->is_string())
    return fmt::format("game server {} is stopping\n", text(answer, "stopping"));
  return flag(answer, "keepServers") ? "the lobby is stopping; its game servers go on\n"
                                     : "the lobby and its game servers are stopping\n";
}

}  // namespace muster::cli
