// How a scenario shows effects and state.
#include <fmt/format.h>

#include <stdexcept>

#include "core/match_why.h"
#include "core/scenario_test.h"
#include "core/state.h"

namespace muster::core {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

std::string option(std::string_view key, const std::string& value) {
  return value.empty() ? std::string{} : fmt::format(" {}={}", key, value);
}

template <class Tag>
std::string option(std::string_view key, Id<Tag> id) {
  return id ? fmt::format(" {}={}", key, to_string(id)) : std::string{};
}

std::string print(const std::optional<WaitEstimate>& wait) {
  if (!wait) return {};
  return fmt::format(" wait={} ({} to {})", print_duration(wait->median), print_duration(wait->low),
                     print_duration(wait->high));
}

std::string print(const NamedPorts& ports) {
  std::string text;
  for (const NamedPort& port : ports) text += fmt::format(" port.{}={}", port.name, port.port);
  return text;
}

std::string print(const std::vector<Attribute>& attributes) {
  std::string text;
  for (const Attribute& a : attributes) {
    if (const auto* number = std::get_if<double>(&a.value))
      text += fmt::format(" {}={}", a.name, *number);
    else if (const auto* words = std::get_if<std::string>(&a.value))
      text += fmt::format(" {}={}", a.name, *words);
    else
      text += fmt::format(" {}={}", a.name,
                          fmt::join(std::get<std::vector<std::string>>(a.value), ","));
  }
  return text;
}

/// What is out of the ordinary about a fleet.
std::string marks_of(const Fleet& fleet, Time now) {
  std::string text;
  if (fleet.removed) text += " removed";
  if (fleet.draining) text += " draining";
  if (fleet.asleep) text += " asleep";
  if (fleet.crash_loop)
    text += fmt::format(" crash_loop={}{}", print_duration(now - fleet.crash_loop_since),
                        fleet.retry ? " retry=" + print_duration(fleet.retry_at - now) : "");
  return text;
}

}  // namespace

std::string print_duration(Duration duration) {
  const auto ms = std::chrono::duration_cast<milliseconds>(duration).count();
  if (ms % 1000 != 0) return fmt::format("{}.{:03}s", ms / 1000, ms % 1000);
  return fmt::format("{}s", ms / 1000);
}

std::string Scenario::name_of_session(SessionId id) const {
  const auto found = session_names_.find(id);
  return found == session_names_.end() ? "session " + to_string(id) : found->second;
}

std::string Scenario::name_of_node(NodeId id) const {
  const auto found = node_names_.find(id);
  return found == node_names_.end() ? "no node" : found->second;
}

std::string Scenario::print(const Roster& roster) const {
  std::string text;
  for (const RosterEntry& entry : roster)
    text += fmt::format("{}{}={} team={}{}{}", text.empty() ? "" : ", ", entry.name,
                        to_string(entry.player), entry.team,
                        entry.seats == 1 ? "" : fmt::format(" seats={}", entry.seats),
                        muster::core::print(entry.attributes));
  return text;
}

void Scenario::print(const Effect& effect) {
  const auto to_session = [&](SessionId session, std::uint32_t request, const std::string& what) {
    out_ += name_of_session(session) + " <- " +
            (request != 0 ? fmt::format("#{} ", request) : std::string{}) + what + '\n';
  };
  const auto to_node = [&](NodeId node, const std::string& what) {
    out_ += name_of_node(node) + " <- " + what + '\n';
  };
  std::visit(
      Overloaded{
          [&](const SendWelcome& e) {
            players_[e.name] = {e.player, e.secret};
            to_session(e.session, e.request,
                       fmt::format("welcome {}={}{}", e.name, to_string(e.player),
                                   e.resumed ? " resumed" : ""));
          },
          [&](const SendError& e) {
            to_session(e.session, e.request,
                       fmt::format("error {}{}{}", code(e.error),
                                   e.detail.empty() ? "" : " \"" + e.detail + '"',
                                   e.retry_after == Duration::zero()
                                       ? ""
                                       : " retry_after=" + print_duration(e.retry_after)));
          },
          [&](const SendTicket& e) {
            to_session(
                e.session, e.request,
                fmt::format("ticket {} {} {} {}/{}{}{}{}", to_string(e.ticket), e.queue,
                            to_string(e.state), e.players, e.players_needed,
                            muster::core::print(e.wait),
                            e.error == Error::none ? "" : fmt::format(" {}", code(e.error)),
                            e.state != TicketState::offered
                                ? ""
                                : fmt::format(" accepted={}/{}{} left={}", e.accepted,
                                              e.accepts_needed, e.you_accepted ? " by-you" : "",
                                              print_duration(e.accept_left))));
          },
          [&](const SendParty& e) {
            std::string text = e.party ? fmt::format("party {} {}", to_string(e.party), e.code)
                                       : std::string("no-party");
            for (const PartyView& member : e.members)
              text += fmt::format(" {}{}{}", member.name, member.away ? "(away)" : "",
                                  muster::core::print(member.attributes));
            if (e.error != Error::none) text += fmt::format(" {}", code(e.error));
            to_session(e.session, e.request, text);
          },
          [&](const SendAssignment& e) {
            std::string names;
            for (const RosterEntry& entry : *e.roster)
              names += (names.empty() ? "" : ", ") + entry.name;
            to_session(e.session, e.request,
                       fmt::format("assignment{} match={} server={} {}={} team={}{}{} {}:{}{} [{}]",
                                   option("ticket", e.ticket), to_string(e.match),
                                   to_string(e.server), e.player_name, to_string(e.player), e.team,
                                   option("queue", e.queue), option("region", e.region), e.host,
                                   e.port, muster::core::print(e.ports), names));
          },
          [&](const SendMatchEnded& e) {
            to_session(e.session, e.request,
                       fmt::format("match-ended {} {}{}{}", to_string(e.match), to_string(e.end),
                                   e.requeued ? " requeued" : "",
                                   e.result.empty() ? "" : " \"" + e.result + '"'));
          },
          [&](const SendServerLoginOk& e) { to_session(e.session, 0, "login-ok"); },
          [&](const CloseSession& e) {
            to_session(e.session, 0, fmt::format("close {}", code(e.error)));
          },
          [&](const LaunchServer& e) {
            const std::string name = fmt::format("srv{}", launched_.size() + 1);
            launched_[name] = e.server;
            to_node(e.node, fmt::format("launch {}={} {} port={}{}{}{}{}{}", name,
                                        to_string(e.server), e.config->name, e.port,
                                        muster::core::print(e.ports), option("match", e.match),
                                        option("queue", e.queue), option("map", e.map),
                                        e.players ? fmt::format(" players={}", e.players) : ""));
          },
          [&](const StopServer& e) {
            to_node(e.node,
                    fmt::format("stop {} grace={}", to_string(e.server), print_duration(e.grace)));
          },
          [&](const StartServerMatch& e) {
            std::string bots;
            for (const TeamBots& team : e.bots)
              bots += fmt::format("{}{}:{}", bots.empty() ? "" : ",", team.team, team.count);
            to_node(e.node,
                    fmt::format("start-match {} match={}{}{}{} [{}]", to_string(e.server),
                                to_string(e.match), option("queue", e.queue), option("map", e.map),
                                option("bots", bots), print(*e.roster)));
          },
          [&](const RemoveServerPlayer& e) {
            to_node(e.node, fmt::format("remove-player {} match={} {}", to_string(e.server),
                                        to_string(e.match), to_string(e.player)));
          },
          [&](const EndServerMatch& e) {
            to_node(e.node, fmt::format("end-match {} match={} {}", to_string(e.server),
                                        to_string(e.match), to_string(e.end)));
          },
          [&](const AcknowledgeReports& e) {
            to_node(e.node, fmt::format("acknowledge{} {}", option("run", e.run), e.number));
          },
          [&](const RecordResult& e) {
            out_ += fmt::format("record {} match={} {} {}", e.number, to_string(e.result->match),
                                e.result->queue, to_string(e.result->rating.system));
            for (const ResultPlayer& player : e.result->players)
              out_ += fmt::format(
                  " {}{} team={} rank={}{}", player.name,
                  player.account ? fmt::format("({})", player.account) : "", player.team,
                  player.rank,
                  player.played == Standing::whole ? "" : fmt::format(" played={}", player.played));
            out_ += '\n';
          },
          [&](const SendRating& e) {
            to_session(
                e.session, e.request,
                fmt::format("rating {} {}±{} ({:+})", e.queue, e.rating, e.deviation, e.change));
          },
          [&](const VerifyOwner& e) {
            to_node(e.node, fmt::format("verify-owner {} {}", name_of_session(e.session),
                                        to_string(e.server)));
          },
      },
      effect);
}

void Scenario::print_why(TicketId id) {
  const auto why = why_waiting(core_.state(), id);
  if (!why) {
    out_ += fmt::format("ticket {} does not wait\n", to_string(id));
    return;
  }
  out_ += fmt::format("why {}: others={} accepted={} seats={}/{}\n", to_string(id), why->others,
                      why->accepted, why->seats_accepted, why->seats_needed);
  for (const auto& rule : why->rules)
    out_ +=
        fmt::format("  {} excludes={} by_theirs={}\n", rule.name, rule.excludes, rule.by_theirs);
  for (const TicketWhy::Region& region : why->regions)
    out_ += fmt::format("  region {} {}{} others={}\n", region.name,
                        region.ms ? fmt::format("{}ms", *region.ms) : "unknown",
                        region.within ? " within" : "", region.others);
  if (why->nearest)
    out_ += fmt::format(
        "  nearest {} apart={}{}\n", to_string(why->nearest->ticket), why->nearest->rating_apart,
        option("excluded_by", fmt::format("{}", fmt::join(why->nearest->excluded_by, ","))));
  if (why->next)
    out_ += fmt::format("  next widening in {} admits={} needed={}\n",
                        print_duration(why->next->in), why->next->admits, why->next->seats_needed);
}

bool Scenario::show(const std::string& what) {
  const State& s = core_.state();
  const auto age = [&](Time since) { return print_duration(now_ - since); };
  const auto names_of = [&](const Ticket& ticket) {
    std::string names;
    for (const TicketMember& member : ticket.members)
      names += (names.empty() ? "" : "+") + s.players[member.player].name;
    return names;
  };
  if (what == "players") {
    s.players.for_each([&](PlayerId id, const Player& p) {
      out_ += fmt::format("player {} {} {}{}{}\n", to_string(id), p.name,
                          p.session ? name_of_session(p.session) : "away",
                          option("ticket", p.ticket), option("match", p.match));
    });
  } else if (what == "tickets") {
    s.tickets.for_each([&](TicketId id, const Ticket& t) {
      out_ += fmt::format("ticket {} {} {} {}{} waited={}{}{}\n", to_string(id), names_of(t),
                          s.config.queues[t.queue].name, to_string(t.state), t.held ? " held" : "",
                          age(t.since), t.seats == 1 ? "" : fmt::format(" seats={}", t.seats),
                          option("match", t.match));
    });
  } else if (what == "matches") {
    s.matches.for_each([&](MatchId id, const Match& m) {
      out_ += fmt::format("match {} {} {}{}{}{}{}", to_string(id),
                          m.queue ? s.config.queues[*m.queue].name : "adopted", to_string(m.state),
                          option("server", m.server), option("launching", m.launching),
                          option("known_as", m.known_as),
                          m.attempts ? fmt::format(" attempts={}", m.attempts) : "");
      for (const TicketId ticket : m.tickets) out_ += " " + names_of(s.tickets[ticket]);
      for (const MatchPlayer& p : m.players)
        out_ += " " + s.players[p.player].name + (p.joined ? "(joined)" : "");
      out_ += '\n';
    });
  } else if (what == "servers") {
    s.servers.for_each([&](ServerId id, const Server& v) {
      out_ += fmt::format("server {} {} {}{}{}{} port={}{}{}{}{}{}{}{}\n", to_string(id),
                          s.config.fleets[v.fleet].name, to_string(v.state),
                          v.stopping ? " stopping" : "", v.draining ? " draining" : "",
                          v.version == s.fleets[v.fleet].version ? "" : " outdated", v.port,
                          muster::core::print(v.named_ports),
                          v.pid ? fmt::format(" pid={}{}", v.pid, v.forked ? " forked" : "") : "",
                          option("match", v.match), option("for", v.launched_for),
                          v.session ? " session=" + name_of_session(v.session) : "",
                          v.players ? fmt::format(" players={}", v.players) : "",
                          v.note.empty() ? "" : " \"" + v.note + '"');
    });
  } else if (what == "ended") {
    for (const EndedServer& e : s.ended)
      out_ +=
          fmt::format("ended {} {} {} after {}: {}; {}\n", to_string(e.server), e.fleet,
                      to_string(e.state), print_duration(e.ended - e.launched), e.reason, e.exit);
  } else if (what == "ports") {
    for (std::size_t i = 0; i < s.fleets.size(); ++i) {
      if (s.fleets[i].removed) continue;
      out_ += "ports " + s.config.fleets[i].name + " free:";
      for (const std::uint16_t port : s.fleets[i].ports.free()) out_ += fmt::format(" {}", port);
      if (!s.fleets[i].ports.aside().empty()) out_ += ", set aside:";
      for (const auto& [until, port] : s.fleets[i].ports.aside())
        out_ += fmt::format(" {} for {}", port, print_duration(until - now_));
      out_ += '\n';
      for (const NamedPool& kind : s.fleets[i].named_ports) {
        out_ += fmt::format("ports {}.{} free:", s.config.fleets[i].name, kind.name);
        for (const std::uint16_t port : kind.pool.free()) out_ += fmt::format(" {}", port);
        if (!kind.pool.aside().empty()) out_ += ", set aside:";
        for (const auto& [until, port] : kind.pool.aside())
          out_ += fmt::format(" {} for {}", port, print_duration(until - now_));
        out_ += '\n';
      }
    }
  } else if (what == "fleets") {
    for (std::size_t i = 0; i < s.fleets.size(); ++i) {
      const Fleet& fleet = s.fleets[i];
      if (fleet.removed && fleet.servers == 0) continue;
      out_ += fmt::format(
          "fleet {} servers={} starting={} ready={} waiting={} failures={}{}{}\n",
          s.config.fleets[i].name, fleet.servers, fleet.starting + fleet.outdated_starting,
          fleet.ready.size() + fleet.outdated_ready.size(), fleet.waiting.size(), fleet.failures,
          marks_of(fleet, now_), fleet.last_error.empty() ? "" : " \"" + fleet.last_error + '"');
      if (const auto& parent = fleet.fork_parent; parent)
        out_ +=
            fmt::format("  fork parent {} for {}{}{}\n", to_string(parent->state),
                        age(parent->since), parent->pid ? fmt::format(" pid={}", parent->pid) : "",
                        parent->detail.empty() ? "" : " \"" + parent->detail + '"');
    }
  } else if (what == "queues") {
    for (std::size_t i = 0; i < s.queues.size(); ++i)
      out_ += fmt::format("queue {} seats_waiting={}{}\n", s.config.queues[i].name,
                          s.queues[i].seats_waiting, s.queues[i].removed ? " removed" : "");
  } else if (what == "results") {
    for (const auto& [number, result] : s.results)
      out_ += fmt::format("result {} match={} {} waits\n", number, to_string(result.match),
                          result.queue);
    out_ += fmt::format("results={} recorded={} refused={}\n", s.totals.results,
                        s.totals.results_recorded, s.totals.results_refused);
    if (s.result_refused.match)
      out_ += fmt::format("refused match={} {} \"{}\"\n", to_string(s.result_refused.match),
                          code(s.result_refused.error), s.result_refused.detail);
  } else if (what == "deadline") {
    const auto next = core_.next_deadline();
    out_ += next ? "deadline in " + print_duration(*next - now_) + '\n' : "deadline none\n";
  } else {
    return false;
  }
  return true;
}

}  // namespace muster::core
