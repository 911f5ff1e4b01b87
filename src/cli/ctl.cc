#include "cli/ctl.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <memory>

#include "cli/http_client.h"

namespace muster::cli {
namespace {

namespace json = boost::json;

struct Arguments {
  CtlOptions options;
  std::string server;
  std::string ticket;
  std::string fleet;
  std::string target;
  std::string target_kind = "name";
  bool ended = false;
  bool keep_servers = false;
  std::uint32_t limit = 100;
  std::string after;
};

/// Ids come from the command line and go into a path: nothing but what an id has gets there.
std::string only_id(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos
             ? std::string{}
             : "must be an id, such as 41.3";
}

/// Names of fleets, for the same reason.
std::string only_name(const std::string& text) {
  return !text.empty() && text.size() <= 32 &&
                 text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") ==
                     std::string::npos
             ? std::string{}
             : "must be the name of a fleet";
}

/// "error.problems" of an answer: lines for people.
void print_problems(const json::object& details, std::FILE* out) {
  const json::value* problems = details.if_contains("problems");
  if (!problems || !problems->is_array()) return;
  for (const json::value& problem : problems->get_array())
    if (problem.is_string()) fmt::print(out, "{}\n", problem.get_string().c_str());
}

}  // namespace

int run_ctl(const CtlOptions& options, std::string_view method, std::string_view path,
            std::string_view body, std::string (*view)(const json::object&), std::FILE* out,
            std::FILE* err) {
  const auto reply = http_call(options.admin, method, path, body, options.timeout);
  if (!reply) {
    fmt::print(err, "muster ctl: {}\n", reply.error());
    return 1;
  }
  json::error_code error;
  const json::value answer = json::parse(reply->body, error);
  const json::object* object = error ? nullptr : answer.if_object();
  if (!object) {
    fmt::print(err, "muster ctl: {}: what answers there is not a lobby's admin API\n",
               options.admin);
    return 1;
  }
  const bool ok = reply->status >= 200 && reply->status < 300;
  if (options.json) {
    fmt::print(out, "{}", reply->body);
  } else if (ok) {
    fmt::print(out, "{}", view(*object));
  } else {
    const json::value* why = object->if_contains("error");
    const json::object* details = why ? why->if_object() : nullptr;
    if (details) print_problems(*details, err);
    const json::value* message = details ? details->if_contains("message") : nullptr;
    fmt::print(err, "muster ctl: {}\n",
               message && message->is_string()
                   ? message->get_string().c_str()
                   : fmt::format("refused with HTTP {}", reply->status));
  }
  return ok ? 0 : 1;
}

void add_ctl_command(CLI::App& app, int& exit_code) {
  CLI::App* const ctl = app.add_subcommand("ctl", "Ask a running lobby, or give it orders");
  ctl->require_subcommand(1);
  ctl->fallthrough();  // --admin and --json may come after the word too.
  const auto arguments = std::make_shared<Arguments>();
  ctl->add_option("--admin", arguments->options.admin, "IP:port of the lobby's admin API")
      ->capture_default_str();
  ctl->add_flag("--json", arguments->options.json, "The API's own answer");

  CLI::App* const status =
      ctl->add_subcommand("status", "Players, tickets, matches, fleets, nodes");
  status->callback([arguments, &exit_code] {
    exit_code = run_ctl(arguments->options, "GET", "/v1/status", "", status_text, stdout, stderr);
  });

  const auto add_list = [&](const char* name, const char* help,
                            std::string (*view)(const json::object&), std::string_view more = {}) {
    CLI::App* const list = ctl->add_subcommand(name, help);
    list->add_option("--limit", arguments->limit, "At most so many")
        ->check(CLI::Range(1, 10'000))
        ->capture_default_str();
    list->add_option("--after", arguments->after, "Those after this id")->check(only_id);
    list->callback([arguments, name, view, more, &exit_code] {
      std::string path = fmt::format("/v1/{}?limit={}{}", name, arguments->limit, more);
      if (!arguments->after.empty()) path += "&after=" + arguments->after;
      if (arguments->ended) path = "/v1/servers?ended=1";
      exit_code = run_ctl(arguments->options, "GET", path, "", arguments->ended ? ended_text : view,
                          stdout, stderr);
    });
    return list;
  };
  add_list("servers", "Game servers, what they are doing and what they use", servers_text,
           "&use=true")
      ->add_flag("--ended", arguments->ended,
                 "The last ones that are no more: why, and how they ended");
  add_list("tickets", "Players who wait for a match", tickets_text);
  add_list("matches", "Matches being launched or played", matches_text);

  CLI::App* const why = ctl->add_subcommand("why", "Why a ticket is still waiting");
  why->add_option("TICKET", arguments->ticket, "Its id")->required()->check(only_id);
  why->callback([arguments, &exit_code] {
    exit_code =
        run_ctl(arguments->options, "GET", fmt::format("/v1/tickets/{}/why", arguments->ticket), "",
                why_text, stdout, stderr);
  });

  CLI::App* const stop = ctl->add_subcommand("stop", "Stop one game server, or the lobby");
  stop->add_option("SERVER", arguments->server, "Its id; none: the lobby with its game servers")
      ->check(only_id);
  stop->add_flag("--keep-servers", arguments->keep_servers,
                 "The lobby alone: game servers and matches go on until it is back");
  stop->callback([arguments, &exit_code] {
    const bool one = !arguments->server.empty();
    if (one && arguments->keep_servers)
      throw CLI::ValidationError("--keep-servers", "is about the lobby, not about one game server");
    const std::string path =
        one ? fmt::format("/v1/servers/{}/stop", arguments->server) : "/v1/stop";
    const std::string body =
        one ? "{}" : fmt::format("{{\"keepServers\":{}}}", arguments->keep_servers);
    exit_code = run_ctl(arguments->options, "POST", path, body, stopped_text, stdout, stderr);
  });

  CLI::App* const reload = ctl->add_subcommand(
      "reload", "Read the configuration again; with anything wrong in it nothing changes");
  reload->callback([arguments, &exit_code] {
    exit_code =
        run_ctl(arguments->options, "POST", "/v1/reload", "{}", reloaded_text, stdout, stderr);
  });

  CLI::App* const clear = ctl->add_subcommand(
      "clear", "Forget a fleet's failures, and launch its game servers again at once");
  clear->add_option("FLEET", arguments->fleet, "Its name")->required()->check(only_name);
  clear->callback([arguments, &exit_code] {
    exit_code =
        run_ctl(arguments->options, "POST", fmt::format("/v1/fleets/{}/clear", arguments->fleet),
                "{}", cleared_text, stdout, stderr);
  });

  const auto add_drain = [&](const char* name, const char* help) {
    CLI::App* const drain = ctl->add_subcommand(name, help);
    drain->add_option("TARGET", arguments->target, "A fleet, a node, or a game server's id")
        ->required();
    drain->add_flag_callback(
        "--fleet", [arguments] { arguments->target_kind = "fleet"; }, "It is a fleet");
    drain->add_flag_callback(
        "--node", [arguments] { arguments->target_kind = "node"; }, "It is a node");
    drain->callback([arguments, name, &exit_code] {
      if (arguments->target_kind == "name" && only_id(arguments->target).empty())
        arguments->target_kind = "server";
      const json::object body{{arguments->target_kind, arguments->target}};
      exit_code = run_ctl(arguments->options, "POST", fmt::format("/v1/{}", name),
                          json::serialize(body), drained_text, stdout, stderr);
    });
  };
  add_drain("drain", "No new matches there; what plays finishes, what waits is stopped");
  add_drain("undrain", "New matches there again");

  add_ledger_commands(*ctl, {arguments, &arguments->options}, exit_code);
}

}  // namespace muster::cli
