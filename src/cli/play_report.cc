#include "cli/play_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace muster::cli {

namespace {

namespace json = boost::json;
using client::EventType;

double milliseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

// As the protocol writes them.
constexpr std::string_view ticket_states[] = {"UNKNOWN",   "QUEUED",  "MATCHED", "ASSIGNED",
                                              "CANCELLED", "EXPIRED", "FAILED",  "OFFERED"};
constexpr std::string_view end_reasons[] = {"UNKNOWN",         "OVER", "SERVER_LOST", "TIMED_OUT",
                                            "MATCH_CANCELLED", "LEFT"};
constexpr std::string_view event_names[] = {
    "none",        "connected", "welcome",      "ticket",         "assignment",
    "match_ended", "error",     "disconnected", "rating_changed", "party"};

std::string ticket_text(const client::Ticket& t) {
  using client::TicketState;
  switch (t.state) {
    case TicketState::queued:
      return fmt::format("queued for {}, {} of {} here", t.queue, t.players, t.players_needed);
    case TicketState::matched:
      return fmt::format("matched, {} players; a game server is on its way", t.players);
    case TicketState::offered:
      return fmt::format("match found, {} of {} have accepted, {:.0f} s left", t.accepted,
                         t.accepts_needed, static_cast<double>(t.accept_left.count()) / 1000);
    case TicketState::assigned:
      return "assigned";
    case TicketState::cancelled:
      return t.error_code.empty() ? "ticket taken back"
                                  : fmt::format("ticket ended: {}", t.error_message);
    case TicketState::expired:
      return fmt::format("ticket expired: {}", t.error_message);
    case TicketState::failed:
      return fmt::format("ticket failed: {} ({})", t.error_message, t.error_code);
    case TicketState::unknown:
      break;
  }
  return "ticket in a state that this program does not know";
}

std::string assignment_text(const client::Assignment& a, std::string_view player) {
  std::string with;
  for (const client::Player& other : a.players)
    if (other.name != player) with += (with.empty() ? ", with " : ", ") + other.name;
  return fmt::format("assigned {}:{}, team {} of match {}{}", a.host, a.port, a.team, a.match_id,
                     with);
}

std::string ended_text(const client::Event& e) {
  using client::EndReason;
  std::string text;
  switch (e.reason) {
    case EndReason::over:
      text = "match over";
      break;
    case EndReason::server_lost:
      text = "the game server was lost";
      break;
    case EndReason::timed_out:
      text = "the match took too long and was ended";
      break;
    case EndReason::cancelled:
      text = "the match was cancelled";
      break;
    case EndReason::left:
      text = "left the match";
      break;
    case EndReason::unknown:
      text = "the match has ended";
      break;
  }
  if (e.requeued) text += "; queued again";
  if (!e.result.empty()) text += ": " + e.result;
  return text;
}

json::object json_of(const client::Assignment& a) {
  json::array players;
  for (const client::Player& p : a.players)
    players.push_back(json::object{
        {"playerId", p.player_id}, {"name", p.name}, {"team", p.team}, {"seats", p.seats}});
  return {{"matchId", a.match_id}, {"serverId", a.server_id},   {"host", a.host},
          {"port", a.port},        {"joinToken", a.join_token}, {"team", a.team},
          {"queue", a.queue},      {"ticketId", a.ticket_id},   {"players", std::move(players)}};
}

}  // namespace

std::string event_text(const client::Event& e, std::string_view player) {
  switch (e.type) {
    case EventType::none:
      break;
    case EventType::connected:
      return "connected";
    case EventType::welcome:
      return fmt::format("{}, player {}", e.resumed ? "welcome back" : "welcome", e.player_id);
    case EventType::ticket:
      return ticket_text(*e.ticket);
    case EventType::assignment:
      return assignment_text(*e.assignment, player);
    case EventType::match_ended:
      return ended_text(e);
    case EventType::error:
      return fmt::format("refused: {} ({})", e.message, e.code);
    case EventType::party:
      return e.party->party_id.empty()
                 ? "in no party"
                 : fmt::format("party {} of {}", e.party->code, e.party->members.size());
    case EventType::disconnected:
      return e.final ? fmt::format("disconnected: {}", e.message)
                     : fmt::format("disconnected: {}; again in {:.1f} s", e.message,
                                   static_cast<double>(e.retry_in.count()) / 1000);
    case EventType::rating_changed:
      return fmt::format("rating in {}: {} ({:+}), deviation {}", e.queue, e.rating,
                         e.rating_change, e.deviation);
  }
  return "";
}

std::string event_json(const client::Event& e, std::string_view player,
                       std::chrono::nanoseconds at) {
  json::object o{{"atUs", std::chrono::duration_cast<std::chrono::microseconds>(at).count()},
                 {"player", player},
                 {"event", event_names[static_cast<std::size_t>(e.type)]}};
  if (e.request != 0) o["request"] = e.request;
  switch (e.type) {
    case EventType::none:
    case EventType::connected:
      break;
    case EventType::welcome:
      o["playerId"] = e.player_id;
      o["name"] = e.name;
      o["resumed"] = e.resumed;
      break;
    case EventType::ticket:
      o["ticketId"] = e.ticket->ticket_id;
      o["queue"] = e.ticket->queue;
      o["state"] = ticket_states[static_cast<std::size_t>(e.ticket->state)];
      o["players"] = e.ticket->players;
      o["playersNeeded"] = e.ticket->players_needed;
      if (e.ticket->accepts_needed > 0) {
        o["accepted"] = e.ticket->accepted;
        o["acceptsNeeded"] = e.ticket->accepts_needed;
        o["acceptLeftMs"] = e.ticket->accept_left.count();
        o["youAccepted"] = e.ticket->you_accepted;
      }
      if (!e.ticket->error_code.empty())
        o["error"] = {{"code", e.ticket->error_code}, {"message", e.ticket->error_message}};
      break;
    case EventType::assignment:
      for (auto& [key, value] : json_of(*e.assignment)) o[key] = value;
      break;
    case EventType::match_ended:
      o["matchId"] = e.match_id;
      o["reason"] = end_reasons[static_cast<std::size_t>(e.reason)];
      o["requeued"] = e.requeued;
      o["result"] = e.result;
      break;
    case EventType::error:
      o["code"] = e.code;
      o["message"] = e.message;
      break;
    case EventType::party:
      o["partyId"] = e.party->party_id;
      o["code"] = e.party->code;
      o["members"] = e.party->members.size();
      break;
    case EventType::disconnected:
      o["message"] = e.message;
      o["retryInMs"] = e.retry_in.count();
      o["final"] = e.final;
      break;
    case EventType::rating_changed:
      o["queue"] = e.queue;
      o["rating"] = e.rating;
      o["deviation"] = e.deviation;
      o["change"] = e.rating_change;
      break;
  }
  return json::serialize(o);
}

PlayReport::PlayReport(std::FILE* out, bool json, std::uint32_t players)
    : out_(out), json_(json), players_(players) {}

void PlayReport::event(std::string_view player, const client::Event& e,
                       std::chrono::nanoseconds since, std::chrono::nanoseconds at) {
  if (json_) {
    fmt::print(out_, "{}\n", event_json(e, player, at));
  } else if (players_ <= lines_players_max || e.type == EventType::error) {
    const std::string time = fmt::format("+{:.1f} ms", milliseconds(since));
    const std::string who = players_ > 1 ? fmt::format("{:<12} ", player) : "";
    fmt::print(out_, "{:>12}  {}{}\n", time, who, event_text(e, player));
  }
  std::fflush(out_);
}

void PlayReport::note(std::string_view player, std::string_view text) {
  if (json_ || players_ > lines_players_max) return;
  const std::string who = players_ > 1 ? fmt::format("{:<12} ", player) : "";
  fmt::print(out_, "{:>12}  {}{}\n", "", who, text);
  std::fflush(out_);
}

void PlayReport::summary() const {
  if (json_ || players_ < 2) return;
  if (waits_.empty()) {
    fmt::print(out_, "none of {} players was assigned\n", players_);
    return;
  }
  std::vector<std::chrono::nanoseconds> sorted = waits_;
  std::ranges::sort(sorted);
  const auto at = [&](double part) {
    return milliseconds(
        sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))]);
  };
  fmt::print(out_,
             "{} of {} players assigned; from Match Start to assignment: median {:.1f} ms, "
             "99 % {:.1f} ms, longest {:.1f} ms\n",
             sorted.size(), players_, at(0.5), at(0.99), at(1));
}

}  // namespace muster::cli
