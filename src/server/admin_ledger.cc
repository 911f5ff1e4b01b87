#include "server/admin_ledger.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <utility>

#include "core/state.h"
#include "server/admin_reply.h"

namespace muster::server {
namespace {

namespace json = boost::json;
using net::HttpAnswer;
using net::HttpRequest;
using net::HttpResponse;

constexpr Range limits{1, 1000};
constexpr Range offsets{0, 1'000'000'000};
constexpr std::int64_t ban_seconds_max = std::int64_t{3650} * 24 * 3600;
constexpr std::size_t reason_bytes_max = 256;

constexpr std::string_view leaderboards_path = "/v1/leaderboards/";
constexpr std::string_view season_suffix = "/season";

HttpResponse unavailable(const std::string& why) {
  return refuse(503, "storage_unavailable",
                fmt::format("Nothing was changed; worth another try later: {}.", why));
}

HttpResponse no_account(const std::string& name) {
  return not_found(fmt::format("account {}", name));
}

json::object entry_view(const store::LeaderboardEntry& entry) {
  return {{"place", entry.place},         {"name", entry.name},        {"rating", entry.rating},
          {"deviation", entry.deviation}, {"atLeast", entry.at_least}, {"matches", entry.matches}};
}

json::object ban_view(const store::Ban& ban) {
  return {{"name", ban.name},
          {"reason", ban.reason},
          {"sinceUnix", ban.since},
          {"untilUnix", ban.until ? json::value(*ban.until) : json::value(nullptr)}};
}

/// A member of an order that has no others than these.
const json::value* member(const json::object& body, std::string_view name,
                          std::initializer_list<std::string_view> all) {
  for (const auto& [key, value] : body)
    if (std::ranges::find(all, std::string_view(key)) == all.end()) return nullptr;
  return body.if_contains(name);
}

}  // namespace

bool AdminLedger::handle(const HttpRequest& request, const HttpAnswer& answer) {
  const std::string_view path = request.path;
  const bool order = request.method == "POST";
  if (path == "/v1/ratings" && !order)
    ratings(request, answer);
  else if (path == "/v1/bans")
    order ? ban(request, answer) : bans(request, answer);
  else if (path == "/v1/unban" && order)
    unban(request, answer);
  else if (const auto season = between(path, leaderboards_path, season_suffix); season && order)
    end_season(std::string(*season), request, answer);
  else if (const auto queue = between(path, leaderboards_path, ""); queue && !order)
    leaderboard(std::string(*queue), request, answer);
  else
    return false;
  return true;
}

const core::QueueConfig* AdminLedger::queue_named(std::string_view name) const {
  const core::State& state = loop_.core().state();
  for (std::size_t i = 0; i < state.queues.size(); ++i)
    if (!state.queues[i].removed && state.config.queues[i].name == name)
      return &state.config.queues[i];
  return nullptr;
}

/// Also of a queue that is no longer configured, if it has ratings.
void AdminLedger::leaderboard(std::string queue, const HttpRequest& request, HttpAnswer answer) {
  const auto limit = number(request, "limit", 100, limits);
  const auto offset = number(request, "offset", 0, offsets);
  if (!limit) return answer(out_of_range("limit", limits));
  if (!offset) return answer(out_of_range("offset", offsets));
  const std::string name = request.query_value("name");
  const std::uint64_t shown_before = name.empty() ? *offset : 0;
  auto show = [queue, name, shown_before, known = queue_named(queue) != nullptr,
               answer = std::move(answer)](store::OrError<store::Leaderboard> board) {
    if (!board) return answer(unavailable(board.error()));
    if (!known && board->players == 0) return answer(not_found(fmt::format("queue {}", queue)));
    json::array entries;
    for (const store::LeaderboardEntry& entry : board->entries)
      entries.emplace_back(entry_view(entry));
    const bool more = name.empty() && shown_before + entries.size() < board->players;
    answer(reply(200, {{"queue", queue},
                       {"season", board->season},
                       {"total", board->players},
                       {"more", more},
                       {"entries", std::move(entries)}}));
  };
  if (name.empty())
    ledger_.accounts().read_leaderboard(std::move(queue), *offset, *limit, std::move(show));
  else
    ledger_.accounts().read_place(std::move(queue), name, std::move(show));
}

void AdminLedger::end_season(std::string queue, const HttpRequest& request, HttpAnswer answer) {
  const auto body = body_of(request);
  const json::value* const keep = body ? member(*body, "keep", {"keep"}) : nullptr;
  json::error_code error;
  const double part = keep && keep->is_number() ? keep->to_number<double>(error) : 0.5;
  if (!body || (!keep && !body->empty()) || (keep && !keep->is_number()) ||
      !(part >= 0 && part <= 1))
    return answer(refuse(400, "body_invalid", "The body must be {\"keep\": 0 to 1}, or {}."));
  const core::QueueConfig* const config = queue_named(queue);
  if (!config) return answer(not_found(fmt::format("queue {}", queue)));
  if (config->rating.system == core::RatingSystem::none)
    return answer(refuse(409, "not_rated", fmt::format("Queue {} has no `rating`.", queue)));
  store::SeasonEnd end{queue, config->rating_default, config->rating,
                       static_cast<std::uint32_t>(std::lround(part * 1000))};
  ledger_.end_season(std::move(end),
                     [queue, answer = std::move(answer)](store::OrError<store::SeasonEnded> ended) {
                       if (!ended) return answer(unavailable(ended.error()));
                       answer(reply(200, {{"queue", queue},
                                          {"ended", ended->season},
                                          {"season", ended->season + 1},
                                          {"total", ended->players}}));
                     });
}

void AdminLedger::ratings(const HttpRequest& request, HttpAnswer answer) {
  const std::string name = request.query_value("name");
  ledger_.accounts().read_ratings(
      name, [name, answer = std::move(answer)](
                store::OrError<std::optional<std::vector<store::QueueRating>>> found) {
        if (!found) return answer(unavailable(found.error()));
        if (!*found) return answer(no_account(name));
        json::array ratings;
        for (const store::QueueRating& rating : **found) {
          json::object view = entry_view(rating.entry);
          view.erase("name");
          view["queue"] = rating.queue;
          ratings.emplace_back(std::move(view));
        }
        answer(reply(200, {{"name", name}, {"ratings", std::move(ratings)}}));
      });
}

void AdminLedger::bans(const HttpRequest& request, HttpAnswer answer) {
  const auto limit = number(request, "limit", 100, limits);
  if (!limit) return answer(out_of_range("limit", limits));
  ledger_.accounts().read_bans(*limit + 1, [limit = *limit, answer = std::move(answer)](
                                               store::OrError<std::vector<store::Ban>> found) {
    if (!found) return answer(unavailable(found.error()));
    const bool more = found->size() > limit;
    if (more) found->pop_back();
    json::array bans;
    for (const store::Ban& ban : *found) bans.emplace_back(ban_view(ban));
    answer(reply(200, {{"more", more}, {"bans", std::move(bans)}}));
  });
}

void AdminLedger::ban(const HttpRequest& request, HttpAnswer answer) {
  const auto body = body_of(request);
  const std::initializer_list<std::string_view> all = {"name", "reason", "forSeconds"};
  const json::value* const name = body ? member(*body, "name", all) : nullptr;
  const json::value* const reason = body ? member(*body, "reason", all) : nullptr;
  const json::value* const seconds = body ? member(*body, "forSeconds", all) : nullptr;
  if (!name || !name->is_string() || (reason && !reason->is_string()) ||
      (reason && reason->get_string().size() > reason_bytes_max) ||
      (seconds && (!seconds->is_int64() || seconds->get_int64() < 1 ||
                   seconds->get_int64() > ban_seconds_max)))
    return answer(refuse(
        400, "body_invalid",
        fmt::format("The body must be {{\"name\": NAME}}, with \"reason\" (a text of up to "
                    "{} bytes) and \"forSeconds\" (1 to {}; without it: for good) if wanted.",
                    reason_bytes_max, ban_seconds_max)));
  const std::string who(name->get_string());
  const auto for_ = seconds ? std::optional(std::chrono::seconds(seconds->get_int64()))
                            : std::optional<std::chrono::seconds>();
  ledger_.ban(who, reason ? std::string(reason->get_string()) : std::string(), for_,
              [who, answer = std::move(answer)](store::OrError<std::optional<store::Ban>> banned) {
                answer(!banned    ? unavailable(banned.error())
                       : !*banned ? no_account(who)
                                  : reply(200, ban_view(**banned)));
              });
}

void AdminLedger::unban(const HttpRequest& request, HttpAnswer answer) {
  const auto body = body_of(request);
  const json::value* const name = body ? member(*body, "name", {"name"}) : nullptr;
  if (!name || !name->is_string())
    return answer(refuse(400, "body_invalid", "The body must be {\"name\": NAME}."));
  const std::string who(name->get_string());
  ledger_.accounts().unban(who, [who, answer = std::move(answer)](store::OrError<bool> unbanned) {
    answer(!unbanned    ? unavailable(unbanned.error())
           : !*unbanned ? not_found(fmt::format("ban of {}", who))
                        : reply(200, {{"unbanned", who}}));
  });
}

}  // namespace muster::server
