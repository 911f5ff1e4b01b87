// `muster ctl leaderboard|ratings|season-reset|ban|unban|bans`: accounts and what is kept of them.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <optional>

#include "cli/ctl.h"
#include "cli/ctl_json.h"
#include "server/config_values.h"

namespace muster::cli {
namespace {

namespace json = boost::json;

/// For a value in a query: names may have any letters.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out += plain ? std::string(1, c)
                 : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
  return out;
}

/// "7d", and what durations in the configuration look like. In whole seconds, from 1 on.
std::optional<std::int64_t> seconds_of(std::string_view text) {
  std::string in_hours;
  std::int64_t days = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, days);
  if (error == std::errc{} && rest + 1 == end && *rest == 'd') {
    if (days < 1 || days > 3650) return std::nullopt;
    in_hours = fmt::format("{}h", days * 24);
    text = in_hours;
  }
  const auto duration = server::parse_duration(text);
  if (!duration || *duration < std::chrono::seconds{1}) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::seconds>(*duration).count();
}

std::string only_duration(const std::string& text) {
  return seconds_of(text) ? std::string{} : "must be a duration of 1s or more, such as 12h or 7d";
}

std::string only_queue(const std::string& text) {
  return server::is_config_name(text) ? std::string{} : "must be the name of a queue";
}

/// "2026-12-02 05:00 UTC", for good without a time.
std::string until(const json::object& ban) {
  const json::value* const at = member(ban, "untilUnix");
  if (!at || !at->is_int64()) return "for good";
  return fmt::format("{:%Y-%m-%d %H:%M} UTC", fmt::gmtime(at->get_int64()));
}

struct Arguments {
  std::shared_ptr<const CtlOptions> options;
  std::string queue, name, reason, for_;
  double keep = 0.5;
  std::uint32_t limit = 100, offset = 0;
};

}  // namespace

std::string leaderboard_text(const json::object& answer) {
  Rows rows{{"PLACE", "NAME", "AT LEAST", "RATING", "DEVIATION", "MATCHES"}};
  for_each(answer, "entries", [&](const json::object& e) {
    rows.push_back({text(e, "place"), text(e, "name"), text(e, "atLeast"), text(e, "rating"),
                    text(e, "deviation"), text(e, "matches")});
  });
  return fmt::format("queue {}, season {}\n", text(answer, "queue"), text(answer, "season")) +
         list_text(rows, "no ratings", answer, "--limit and --offset show more");
}

std::string ratings_text(const json::object& answer) {
  Rows rows{{"QUEUE", "PLACE", "AT LEAST", "RATING", "DEVIATION", "MATCHES"}};
  for_each(answer, "ratings", [&](const json::object& e) {
    rows.push_back({text(e, "queue"), text(e, "place"), text(e, "atLeast"), text(e, "rating"),
                    text(e, "deviation"), text(e, "matches")});
  });
  return list_text(rows, "no ratings", answer);
}

std::string season_text(const json::object& answer) {
  return fmt::format("season {} of queue {} has ended; {} ratings begin season {}\n",
                     text(answer, "ended"), text(answer, "queue"), text(answer, "total"),
                     text(answer, "season"));
}

std::string bans_text(const json::object& answer) {
  Rows rows{{"NAME", "UNTIL", "REASON"}};
  for_each(answer, "bans", [&](const json::object& ban) {
    rows.push_back({text(ban, "name"), until(ban), text(ban, "reason")});
  });
  return list_text(rows, "nobody is banned", answer, "--limit shows more");
}

std::string banned_text(const json::object& answer) {
  const std::string end = until(answer);
  return fmt::format("{} is banned {}\n", text(answer, "name"),
                     end == "for good" ? end : "until " + end);
}

std::string unbanned_text(const json::object& answer) {
  return fmt::format("{} is banned no more\n", text(answer, "unbanned"));
}

void add_ledger_commands(CLI::App& ctl, std::shared_ptr<const CtlOptions> options, int& exit_code) {
  const auto arguments = std::make_shared<Arguments>();
  arguments->options = std::move(options);
  const auto get = [arguments, &exit_code](const std::string& path,
                                           std::string (*view)(const json::object&)) {
    exit_code = run_ctl(*arguments->options, "GET", path, "", view, stdout, stderr);
  };
  const auto post = [arguments, &exit_code](const std::string& path, const json::object& body,
                                            std::string (*view)(const json::object&)) {
    exit_code =
        run_ctl(*arguments->options, "POST", path, json::serialize(body), view, stdout, stderr);
  };
  const auto add_limit = [arguments](CLI::App* command) {
    command->add_option("--limit", arguments->limit, "At most so many")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
  };

  CLI::App* const board = ctl.add_subcommand("leaderboard", "Who is best in a rated queue");
  board->add_option("QUEUE", arguments->queue, "Its name")->required()->check(only_queue);
  add_limit(board);
  board->add_option("--offset", arguments->offset, "Without the first so many")
      ->check(CLI::Range(0, 1'000'000'000));
  board->add_option("--name", arguments->name, "Where this account stands");
  board->callback([arguments, get] {
    std::string path = fmt::format("/v1/leaderboards/{}?limit={}&offset={}", arguments->queue,
                                   arguments->limit, arguments->offset);
    if (!arguments->name.empty()) path += "&name=" + escaped(arguments->name);
    get(path, leaderboard_text);
  });

  CLI::App* const ratings = ctl.add_subcommand("ratings", "An account's ratings");
  ratings->add_option("NAME", arguments->name, "The account's")->required();
  ratings->callback(
      [arguments, get] { get("/v1/ratings?name=" + escaped(arguments->name), ratings_text); });

  CLI::App* const season = ctl.add_subcommand(
      "season-reset", "Begin a new season of a queue: ratings move towards the initial one");
  season->add_option("QUEUE", arguments->queue, "Its name")->required()->check(only_queue);
  season
      ->add_option("--keep", arguments->keep,
                   "How much of the distance to the initial rating stays; 0: all begin as new")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  season->callback([arguments, post] {
    post(fmt::format("/v1/leaderboards/{}/season", arguments->queue), {{"keep", arguments->keep}},
         season_text);
  });

  CLI::App* const ban = ctl.add_subcommand("ban", "An account may not come in any more");
  ban->add_option("NAME", arguments->name, "The account's")->required();
  ban->add_option("--for", arguments->for_, "For so long, such as 12h or 7d; else for good")
      ->check(only_duration);
  ban->add_option("--reason", arguments->reason, "What its player is told");
  ban->callback([arguments, post] {
    json::object body{{"name", arguments->name}, {"reason", arguments->reason}};
    if (const auto seconds = seconds_of(arguments->for_)) body["forSeconds"] = *seconds;
    post("/v1/bans", body, banned_text);
  });

  CLI::App* const unban = ctl.add_subcommand("unban", "An account may come in again");
  unban->add_option("NAME", arguments->name, "The account's")->required();
  unban->callback(
      [arguments, post] { post("/v1/unban", {{"name", arguments->name}}, unbanned_text); });

  CLI::App* const bans = ctl.add_subcommand("bans", "Accounts that are banned");
  add_limit(bans);
  bans->callback(
      [arguments, get] { get(fmt::format("/v1/bans?limit={}", arguments->limit), bans_text); });
}

}  // namespace muster::cli
