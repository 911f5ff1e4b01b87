// What `muster ctl` makes of the admin API's answers.
#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "cli/ctl.h"
#include "cli/ctl_json.h"
#include "cli/table.h"

namespace muster::cli {
namespace {

namespace json = boost::json;

/// "12 MiB"; "-" if it is not known.
std::string mebibytes(const json::object& object, std::string_view path) {
  const json::value* value = member(object, path);
  boost::system::error_code error;
  if (!value || !value->is_number()) return "-";
  return fmt::format("{:.0f} MiB", value->to_number<double>(error) / (1 << 20));
}

/// "12.3s"; "-" if it is not known.
std::string cpu_time(const json::object& object, std::string_view path) {
  const json::value* value = member(object, path);
  boost::system::error_code error;
  if (!value || !value->is_number()) return "-";
  return fmt::format("{:.1f}s", value->to_number<double>(error));
}

/// What an operator should look at, and what to do about it.
std::string trouble_of(const json::object& fleet) {
  const std::string name = text(fleet, "name");
  std::string out;
  if (text(fleet, "state") == "crash_loop") {
    const json::value* const retry = member(fleet, "retrySeconds");
    out += fmt::format(
        "\nfleet {} has been in a crash loop for {}: {} game servers failed in a row, the last by\n"
        "  {}\n"
        "  {}; once the cause is mended: muster ctl clear {}\n",
        name, age(fleet, "crashLoopSeconds"), text(fleet, "failures"),
        text(fleet, "lastLaunchError"),
        retry && retry->is_number() ? "the next try is in " + age(fleet, "retrySeconds")
                                    : "one is being tried now",
        name);
  }
  if (const std::string outdated = text(fleet, "outdated"); !outdated.empty() && outdated != "0")
    out += fmt::format("\nfleet {}: {} game servers are of an older version\n", name, outdated);
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

  if (member(s, "results") && !flag(s, "results.healthy"))
    out += fmt::format(
        "\n{} results of rated matches wait to be recorded: {}\n"
        "  matches go on; sign-ups and bans are refused meanwhile\n",
        text(s, "results.outstanding"), text(s, "results.lastError"));
  if (const json::value* journal = member(s, "journal");
      journal && journal->is_object() && !flag(s, "journal.healthy"))
    out += fmt::format(
        "\nthe journal is not written: {}\n"
        "  live play goes on; a restart would find what was before\n",
        text(s, "journal.lastError"));

  Rows fleets{{"FLEET", "STATE", "VERSION", "STARTING", "READY", "RESERVED", "ALLOCATED",
               "STOPPING", "MAX", "PORTS FREE", "WAITING", "LAST LAUNCH ERROR"}};
  for_each(s, "fleets", [&](const json::object& f) {
    fleets.push_back({text(f, "name"), text(f, "state"), text(f, "version"), text(f, "starting"),
                      text(f, "ready"), text(f, "reserved"), text(f, "allocated"),
                      text(f, "stopping"), text(f, "serversMax"),
                      text(f, "portsFree") + "/" + text(f, "ports"), text(f, "matchesWaiting"),
                      text(f, "lastLaunchError")});
  });
  Rows parents{{"FORK PARENT OF", "STATE", "FOR", "PID", "LAST ERROR"}};
  for_each(s, "fleets", [&](const json::object& f) {
    const json::value* parent = member(f, "forkParent");
    if (parent && parent->is_object())
      parents.push_back({text(f, "name"), text(f, "forkParent.state"),
                         age(f, "forkParent.stateSeconds"), text(f, "forkParent.pid"),
                         text(f, "forkParent.lastError")});
  });
  Rows queues{{"QUEUE", "FLEET", "OPEN", "PLAYERS", "SEATS WAITING", "QUEUED", "MATCHED"}};
  for_each(s, "queues", [&](const json::object& q) {
    queues.push_back({text(q, "name"), text(q, "fleet"), flag(q, "open") ? "yes" : "no",
                      text(q, "players"), text(q, "seatsWaiting"), text(q, "queued"),
                      text(q, "matched")});
  });
  Rows nodes{{"NODE", "HOST", "STATE"}};
  for_each(s, "nodes", [&](const json::object& n) {
    nodes.push_back({text(n, "name"), text(n, "host"),
                     std::string(flag(n, "connected") ? "connected" : "away") +
                         (flag(n, "draining") ? ", draining" : "")});
  });
  for (const Rows* rows : {&fleets, &parents, &queues, &nodes})
    if (rows->size() > 1) out += "\n" + format_table(*rows);
  for_each(s, "fleets", [&](const json::object& f) { out += trouble_of(f); });
  for_each(s, "nodes", [&](const json::object& n) {
    if (const std::string limits = text(n, "limits"); !limits.empty())
      out += fmt::format("limits of game servers on {}: {}\n", text(n, "name"), limits);
  });
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

/// Why it is stopped, or what is not as it should be.
std::string why(const json::object& server) {
  for (const char* key : {"reason", "note"})
    if (const json::value* said = member(server, key); said && said->is_string())
      return text(server, key);
  return "-";
}

std::string servers_text(const json::object& answer) {
  Rows rows{{"SERVER", "FLEET", "VERSION", "STATE", "FOR", "NODE", "PORT", "PID", "CPU", "MEMORY",
             "MATCH", "WHY"}};
  for_each(answer, "servers", [&](const json::object& o) {
    rows.push_back({text(o, "id"), text(o, "fleet"),
                    text(o, "version") + (flag(o, "outdated") ? " (old)" : ""),
                    text(o, "state") + ((flag(o, "stopping") && text(o, "state") == "allocated") ||
                                                flag(o, "draining")
                                            ? ", then stopped"
                                            : ""),
                    age(o, "stateSeconds"), text(o, "node"), ports_text(o),
                    text(o, "pid") + (flag(o, "forked") ? " (forked)" : ""),
                    cpu_time(o, "cpuSeconds"), mebibytes(o, "memoryBytes"), text(o, "matchId"),
                    why(o)});
  });
  return list_text(rows, "no game servers", answer);
}

std::string ended_text(const json::object& answer) {
  Rows rows{{"SERVER", "FLEET", "VERSION", "ENDED", "LIVED", "PORT", "PID", "WAS", "WHY", "EXIT"}};
  for_each(answer, "ended", [&](const json::object& o) {
    rows.push_back({text(o, "id"), text(o, "fleet"), text(o, "version"),
                    age(o, "endedSeconds") + " ago", age(o, "lifeSeconds"), text(o, "port"),
                    text(o, "pid"), text(o, "state"), text(o, "reason"), text(o, "exit")});
  });
  return list_text(rows, "no game server has ended", answer);
}

/// "2.1 ann, 3.1 bob (disconnected)"
std::string players_text(const json::object& ticket) {
  std::string out;
  for_each(ticket, "players", [&](const json::object& o) {
    out += (out.empty() ? "" : ", ") + text(o, "id") + ' ' + text(o, "name") +
           (flag(o, "connected") ? "" : " (disconnected)");
  });
  return out;
}

/// "12s (8s to 30s)"
std::string estimate_text(const json::object& ticket) {
  const json::value* wait = member(ticket, "waitEstimate");
  if (!wait || !wait->is_object()) return "-";
  return fmt::format("{} ({} to {})", age(ticket, "waitEstimate.seconds"),
                     age(ticket, "waitEstimate.lowSeconds"),
                     age(ticket, "waitEstimate.highSeconds"));
}

std::string tickets_text(const json::object& answer) {
  Rows rows{{"TICKET", "QUEUE", "STATE", "WAITING", "ESTIMATE", "SEATS", "MATCH", "PLAYERS"}};
  for_each(answer, "tickets", [&](const json::object& o) {
    rows.push_back({text(o, "id"), text(o, "queue"), text(o, "state"), age(o, "waitingSeconds"),
                    estimate_text(o), text(o, "seats"), text(o, "matchId"), players_text(o)});
  });
  return list_text(rows, "no tickets", answer);
}

std::string why_text(const json::object& w) {
  std::string out = fmt::format(
      "ticket {} in queue {}: {}{} for {}\n", text(w, "id"), text(w, "queue"), text(w, "state"),
      flag(w, "held") ? ", held while its player is away" : "", age(w, "waitingSeconds"));
  if (!w.contains("others")) return out;
  out += fmt::format("{} others wait; {} of them and it accept each other: {} of {} seats\n",
                     text(w, "others"), text(w, "accepted"), text(w, "seatsAccepted"),
                     text(w, "seatsNeeded"));
  Rows rules{{"RULE", "EXCLUDES", "ONLY BY THEIR LIMIT"}};
  for_each(w, "rules", [&](const json::object& rule) {
    rules.push_back({text(rule, "name"), text(rule, "excludes"), text(rule, "byTheirs")});
  });
  if (rules.size() > 1) out += "\n" + format_table(rules) + "\n";
  Rows regions{{"REGION", "MS", "MAY PLAY THERE", "OTHERS"}};
  for_each(w, "regions", [&](const json::object& region) {
    regions.push_back({text(region, "name"), text(region, "ms"),
                       flag(region, "within") ? "yes" : "no", text(region, "others")});
  });
  if (regions.size() > 1) out += format_table(regions) + "\n";
  if (const json::value* nearest = member(w, "nearest"); nearest && nearest->is_object()) {
    std::string excluded_by;
    if (const json::value* names = member(w, "nearest.excludedBy"); names && names->is_array())
      for (const json::value& name : names->get_array())
        if (name.is_string())
          excluded_by += fmt::format("{}{}", excluded_by.empty() ? ", excluded by " : ", ",
                                     name.get_string().c_str());
    out += fmt::format("nearest is ticket {}, {} points away{}\n", text(w, "nearest.ticketId"),
                       text(w, "nearest.ratingApart"), excluded_by);
  }
  if (const json::value* next = member(w, "nextWidening"); next && next->is_object())
    out += fmt::format(
        "in {} its limits widen: {} more that wait now will be accepted, and {} seats are enough\n",
        age(w, "nextWidening.inSeconds"), text(w, "nextWidening.admits"),
        text(w, "nextWidening.seatsNeeded"));
  return out;
}

std::string matches_text(const json::object& answer) {
  Rows rows{{"MATCH", "QUEUE", "STATE", "FOR", "SERVER", "PLAYERS", "FAILED LAUNCHES"}};
  for_each(answer, "matches", [&](const json::object& o) {
    rows.push_back({text(o, "id"), text(o, "queue"), text(o, "state"), age(o, "stateSeconds"),
                    text(o, "serverId"), text(o, "players"), text(o, "failedLaunches")});
  });
  return list_text(rows, "no matches", answer);
}

std::string reloaded_text(const json::object& answer) {
  std::string out;
  const json::value* warnings = member(answer, "warnings");
  if (const json::array* list = warnings ? warnings->if_array() : nullptr)
    for (const json::value& warning : *list)
      if (warning.is_string()) out += std::string(warning.get_string().c_str()) + "\n";
  return out + "the configuration was read again\n";
}

std::string cleared_text(const json::object& answer) {
  return fmt::format("the failures of fleet {} are forgotten\n", text(answer, "cleared"));
}

std::string drained_text(const json::object& answer) {
  for (const char* what : {"fleet", "node", "server"})
    if (member(answer, what))
      return fmt::format(
          "{}{} {} {}\n", what == std::string_view("server") ? "game " : "", what,
          text(answer, what),
          flag(answer, "draining") ? "is drained: no new matches there" : "takes matches again");
  return {};
}

std::string stopped_text(const json::object& answer) {
  const json::value* what = member(answer, "stopping");
  if (what && what->is_string())
    return fmt::format("game server {} is stopping\n", text(answer, "stopping"));
  return flag(answer, "keepServers") ? "the lobby is stopping; its game servers go on\n"
                                     : "the lobby and its game servers are stopping\n";
}

}  // namespace muster::cli
