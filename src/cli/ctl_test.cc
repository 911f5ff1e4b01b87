#include "cli/ctl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "cli/table.h"
#include "cli/test_http_server.h"

namespace muster::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

boost::json::object object(const char* text) { return boost::json::parse(text).as_object(); }

std::string answer(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) +
         " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string content(std::FILE* file) {
  std::string text(static_cast<std::size_t>(std::ftell(file)), '\0');
  std::rewind(file);
  text.resize(std::fread(text.data(), 1, text.size(), file));
  return text;
}

TEST(Table, AlignsNumbersToTheRight) {
  EXPECT_EQ(format_table({{"NAME", "N"}, {"a", "5"}, {"long", "100"}}),
            "NAME    N\n"
            "a       5\n"
            "long  100\n");
}

TEST(Table, ShowsNoControlCharacters) {
  EXPECT_EQ(format_table({{"NAME"}, {"a\x1b[2Jb\n"}}), "NAME\na?[2Jb?\n");
  EXPECT_EQ(format_table({{"N", "X"}, {"é", "y"}}), "N  X\né  y\n") << "a letter is one column";
}

TEST(Table, Ages) {
  EXPECT_EQ(format_age(0), "0s");
  EXPECT_EQ(format_age(59.9), "59s");
  EXPECT_EQ(format_age(125), "2m 5s");
  EXPECT_EQ(format_age(3840), "1h 4m");
  EXPECT_EQ(format_age(266400), "3d 2h");
  EXPECT_EQ(format_age(-1), "0s");
}

TEST(CtlText, Status) {
  const std::string text = status_text(object(R"({
    "version": "0.1.0", "uptimeSeconds": 61.5, "stopping": false, "sessions": 7,
    "players": {"connected": 5, "disconnected": 1}, "tickets": {"queued": 2, "matched": 0},
    "matches": {"launching": 0, "playing": 1},
    "fleets": [{"name": "duel", "state": "ok", "version": "3f9a1c02", "outdated": 0,
                "starting": 1, "ready": 2, "reserved": 5, "allocated": 3,
                "stopping": 4, "serversMax": 100,
                "ports": 1000, "portsFree": 990, "matchesWaiting": 6, "lastLaunchError": null,
                "forkParent": {"state": "loaded", "stateSeconds": 61, "pid": 9, "lastError": null}}],
    "queues": [{"name": "duel", "fleet": "duel", "open": true, "players": 2, "seatsWaiting": 1, "queued": 1, "matched": 0}],
    "nodes": [{"name": "local", "host": "", "connected": true}]})"));
  EXPECT_THAT(
      text,
      StartsWith("muster 0.1.0, up 1m 1s\nsessions 7, players 5 connected and 1 disconnected"));
  EXPECT_THAT(
      text,
      HasSubstr("\nduel   ok     3f9a1c02         1      2         5          3         4  100    "
                "990/1000        6  -\n"));
  EXPECT_THAT(text, HasSubstr("\nFORK PARENT OF  STATE   FOR    PID  LAST ERROR\n"
                              "duel            loaded  1m 1s    9  -\n"));
  EXPECT_THAT(text, HasSubstr("\nlocal        connected\n"));
}

TEST(CtlText, StatusTellsOfTrouble) {
  const std::string text = status_text(object(R"({"fleets": [
      {"name": "duel", "state": "crash_loop", "failures": 7, "crashLoopSeconds": 61.2,
       "retrySeconds": 12.5, "lastLaunchError": "exit code 1: no map", "outdated": 2},
      {"name": "fine", "state": "ok", "outdated": 0}],
      "nodes": [{"name": "a", "host": "h", "connected": true, "draining": true}]})"));
  EXPECT_THAT(text, HasSubstr("\nfleet duel has been in a crash loop for 1m 1s: 7 game servers "
                              "failed in a row, the last by\n  exit code 1: no map\n"
                              "  the next try is in 12s; once the cause is mended: muster ctl "
                              "clear duel\n"));
  EXPECT_THAT(text, HasSubstr("fleet duel: 2 game servers are of an older version\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("fleet fine")));
  EXPECT_THAT(text, HasSubstr("a     h     connected, draining\n"));
}

TEST(CtlText, StatusTellsThatTheJournalIsNotWritten) {
  EXPECT_THAT(status_text(object(R"({"journal": {"healthy": false, "lastError": "disk full"}})")),
              HasSubstr("\nthe journal is not written: disk full\n"));
  for (const char* fine : {R"({"journal": {"healthy": true}})", R"({"journal": null})", "{}"})
    EXPECT_THAT(status_text(object(fine)), testing::Not(HasSubstr("journal")));
}

TEST(CtlText, Ended) {
  EXPECT_EQ(ended_text(object(R"({"ended": []})")), "no game server has ended\n");
  EXPECT_EQ(
      ended_text(object(R"({"ended": [
      {"id": "4.1", "fleet": "duel", "version": "3f9a1c02", "endedSeconds": 61, "lifeSeconds": 3,
       "port": 7003, "pid": 55, "state": "shutdown", "reason": "its fleet was drained",
       "exit": "exit code 0"}]})")),
      "SERVER  FLEET  VERSION   ENDED      LIVED  PORT  PID  WAS       WHY                    "
      "EXIT\n"
      "4.1     duel   3f9a1c02  1m 1s ago  3s     7003   55  shutdown  its fleet was drained  "
      "exit code 0\n");
}

TEST(CtlText, Orders) {
  EXPECT_EQ(cleared_text(object(R"({"cleared": "duel"})")),
            "the failures of fleet duel are forgotten\n");
  EXPECT_EQ(drained_text(object(R"({"draining": true, "fleet": "duel"})")),
            "fleet duel is drained: no new matches there\n");
  EXPECT_EQ(drained_text(object(R"({"draining": false, "server": "4.1"})")),
            "game server 4.1 takes matches again\n");
  EXPECT_EQ(reloaded_text(object(R"({"reloaded": true, "warnings": ["m.toml: warning: x"]})")),
            "m.toml: warning: x\nthe configuration was read again\n");
}

TEST(CtlText, StatusBeforeAnyNode) {
  EXPECT_THAT(status_text(object("{}")), HasSubstr("no node has connected yet"));
}

TEST(CtlText, Lists) {
  EXPECT_EQ(servers_text(object(R"({"servers": [], "total": 0, "more": false})")),
            "no game servers\n");
  EXPECT_EQ(tickets_text(object("{}")), "no tickets\n");
  const std::string servers = servers_text(object(R"({"servers": [
      {"id": "4.1", "fleet": "duel", "state": "allocated", "stopping": true, "node": "n", "port": 7003,
       "pid": 55, "matchId": "9.1", "stateSeconds": 3, "cpuSeconds": 1.25, "memoryBytes": 9437184,
       "version": "3f9a1c02", "outdated": true, "reason": "its connection closed"},
      {"id": "5.1", "fleet": "duel", "state": "starting", "stopping": false, "node": "n", "port": 7004,
       "pid": null, "matchId": null, "stateSeconds": 0, "version": "77aa3301", "outdated": false,
       "reason": null}], "total": 3, "more": true})"));
  EXPECT_EQ(
      servers,
      "SERVER  FLEET  VERSION         STATE                    FOR  NODE  PORT  PID  CPU   MEMORY  "
      "MATCH  WHY\n"
      "4.1     duel   3f9a1c02 (old)  allocated, then stopped  3s   n     7003  55   1.2s  9 MiB   "
      "9.1    its connection closed\n"
      "5.1     duel   77aa3301        starting                 0s   n     7004  -    -     -       "
      "-      -\n"
      "… 2 of 3; --limit and --after show more\n");
  EXPECT_THAT(tickets_text(object(R"({"tickets": [{"id": "1.1", "queue": "q", "state": "queued",
      "waitingSeconds": 61, "waitEstimate": {"seconds": 12, "lowSeconds": 3, "highSeconds": 75},
       "seats": 2, "players": [
        {"id": "2.1", "name": "ann", "connected": false, "seats": 1},
        {"id": "3.1", "name": "bob", "connected": true, "seats": 1}],
      "matchId": null}], "more": false})")),
              HasSubstr("1.1     q      queued  1m 1s    12s (3s to 1m 15s)      2  -      2.1 ann "
                        "(disconnected), 3.1 bob\n"));
}

/// What `muster ctl WORDS` asked for and returned.
struct Ran {
  int exit_code = -1;
  std::string request;
};
Ran run(std::vector<std::string> words, const std::string& reply) {
  TestHttpServer server(reply);
  CLI::App app;
  Ran ran;
  add_ctl_command(app, ran.exit_code);
  words.insert(words.begin(), "ctl");
  words.insert(words.end(), {"--admin", server.address()});
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back.
  testing::internal::CaptureStdout();
  app.parse(words);
  testing::internal::GetCapturedStdout();
  ran.request = server.request();
  return ran;
}

TEST(Ctl, AsksForWhatItIsTold) {
  struct Row {
    std::vector<std::string> words;
    const char* request;
    const char* body;
  };
  const Row rows[] = {
      {{"status"}, "GET /v1/status HTTP", ""},
      {{"status", "--json"}, "GET /v1/status HTTP", ""},
      {{"servers"}, "GET /v1/servers?limit=100&use=true HTTP", ""},
      {{"tickets", "--limit", "5", "--after", "41.3"},
       "GET /v1/tickets?limit=5&after=41.3 HTTP",
       ""},
      {{"matches"}, "GET /v1/matches?limit=100 HTTP", ""},
      {{"why", "41.3"}, "GET /v1/tickets/41.3/why HTTP", ""},
      {{"stop", "4.1"}, "POST /v1/servers/4.1/stop HTTP", "\r\n\r\n{}"},
      {{"stop"}, "POST /v1/stop HTTP", "\r\n\r\n{\"keepServers\":false}"},
      {{"stop", "--keep-servers"}, "POST /v1/stop HTTP", "\r\n\r\n{\"keepServers\":true}"},
      {{"servers", "--ended"}, "GET /v1/servers?ended=1 HTTP", ""},
      {{"reload"}, "POST /v1/reload HTTP", "\r\n\r\n{}"},
      {{"clear", "duel"}, "POST /v1/fleets/duel/clear HTTP", "\r\n\r\n{}"},
      {{"drain", "duel"}, "POST /v1/drain HTTP", "\r\n\r\n{\"name\":\"duel\"}"},
      {{"drain", "4.1"}, "POST /v1/drain HTTP", "\r\n\r\n{\"server\":\"4.1\"}"},
      {{"drain", "--node", "4.1"}, "POST /v1/drain HTTP", "\r\n\r\n{\"node\":\"4.1\"}"},
      {{"leaderboard", "ranked"}, "GET /v1/leaderboards/ranked?limit=100&offset=0 HTTP", ""},
      {{"leaderboard", "ranked", "--limit", "5", "--offset", "10"},
       "GET /v1/leaderboards/ranked?limit=5&offset=10 HTTP",
       ""},
      {{"leaderboard", "ranked", "--name", "ann b&c"},
       "GET /v1/leaderboards/ranked?limit=100&offset=0&name=ann%20b%26c HTTP",
       ""},
      {{"ratings", "\xc3\xa9"}, "GET /v1/ratings?name=%C3%A9 HTTP", ""},
      {{"season-reset", "ranked"},
       "POST /v1/leaderboards/ranked/season HTTP",
       "\r\n\r\n{\"keep\":5E-1}"},
      {{"ban", "ann", "--for", "7d", "--reason", "cheating"},
       "POST /v1/bans HTTP",
       R"({"name":"ann","reason":"cheating","forSeconds":604800})"},
      {{"ban", "ann"}, "POST /v1/bans HTTP", R"({"name":"ann","reason":""})"},
      {{"unban", "ann"}, "POST /v1/unban HTTP", R"({"name":"ann"})"},
      {{"bans"}, "GET /v1/bans?limit=100 HTTP", ""},
      {{"undrain", "duel", "--fleet"}, "POST /v1/undrain HTTP", "\r\n\r\n{\"fleet\":\"duel\"}"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.request);
    const Ran ran = run(row.words, answer(200, "{}"));
    EXPECT_THAT(ran.request, StartsWith(row.request));
    EXPECT_THAT(ran.request, testing::EndsWith(row.body));
    EXPECT_EQ(ran.exit_code, 0);
  }
}

TEST(CtlText, AccountsAndRatings) {
  EXPECT_EQ(leaderboard_text(object(R"({"queue": "ranked", "season": 2, "total": 3, "more": true,
      "entries": [{"place": 1, "name": "ann", "rating": 1650, "deviation": 50, "atLeast": 1500,
                   "matches": 12}]})")),
            "queue ranked, season 2\n"
            "PLACE  NAME  AT LEAST  RATING  DEVIATION  MATCHES\n"
            "    1  ann       1500    1650         50       12\n"
            "… 1 of 3; --limit and --offset show more\n");
  EXPECT_EQ(leaderboard_text(object(R"({"queue": "ranked", "season": 1, "entries": []})")),
            "queue ranked, season 1\nno ratings\n");
  EXPECT_EQ(ratings_text(object(R"({"name": "ann", "ratings": [{"queue": "ranked", "place": 1,
      "rating": 1650, "deviation": 50, "atLeast": 1500, "matches": 12}]})")),
            "QUEUE   PLACE  AT LEAST  RATING  DEVIATION  MATCHES\n"
            "ranked      1      1500    1650         50       12\n");
  EXPECT_EQ(season_text(object(R"({"queue": "ranked", "ended": 1, "season": 2, "total": 9})")),
            "season 1 of queue ranked has ended; 9 ratings begin season 2\n");
  EXPECT_EQ(bans_text(object(R"({"more": false, "bans": [
      {"name": "ann", "reason": "cheating", "sinceUnix": 1, "untilUnix": 1796187600},
      {"name": "bob", "reason": "", "sinceUnix": 1, "untilUnix": null}]})")),
            "NAME  UNTIL                 REASON\n"
            "ann   2026-12-02 05:00 UTC  cheating\n"
            "bob   for good\n");
  EXPECT_EQ(banned_text(object(R"({"name": "bob", "untilUnix": null})")),
            "bob is banned for good\n");
  EXPECT_EQ(banned_text(object(R"({"name": "ann", "untilUnix": 1796187600})")),
            "ann is banned until 2026-12-02 05:00 UTC\n");
  EXPECT_EQ(unbanned_text(object(R"({"unbanned": "ann"})")), "ann is banned no more\n");
}

TEST(Ctl, BansLastForAWhile) {
  for (const char* text : {"", "0s", "d", "0d", "-1d", "99999d", "1w", "500ms", "7 d"}) {
    CLI::App app;
    int exit_code = 0;
    add_ctl_command(app, exit_code);
    std::vector<std::string> words{std::string("--for=") + text, "ann", "ban", "ctl"};
    EXPECT_THROW(app.parse(words), CLI::ParseError) << text;
  }
}

TEST(Ctl, Why) {
  const auto shown = [](const char* answer) {
    return why_text(boost::json::parse(answer).as_object());
  };
  EXPECT_EQ(shown(R"({"id":"4.1","queue":"ranked","state":"matched","held":false,
                      "waitingSeconds":3})"),
            "ticket 4.1 in queue ranked: matched for 3s\n");
  const std::string text = shown(
      R"({"id":"4.1","queue":"ranked","state":"queued","held":false,"waitingSeconds":3,"others":7,
          "accepted":1,"seatsAccepted":2,"seatsNeeded":4,
          "rules":[{"name":"rating_distance","excludes":6,"byTheirs":2}],
          "nearest":{"ticketId":"5.1","ratingApart":120,"excludedBy":["rating_distance","mode"]},
          "nextWidening":{"inSeconds":75,"admits":3,"seatsNeeded":2}})");
  for (const char* part :
       {"7 others wait; 1 of them and it accept each other: 2 of 4 seats\n", "rating_distance",
        "nearest is ticket 5.1, 120 points away, excluded by rating_distance, mode\n",
        "in 1m 15s its limits widen: 3 more that wait now will be accepted, and 2 seats are "
        "enough\n"})
    EXPECT_THAT(text, HasSubstr(part));
}

TEST(Ctl, RefusalsAndNonsense) {
  struct Row {
    const char* name;
    std::string reply;
    bool json;
    int exit_code;
    const char* out;
    const char* err;
  };
  const std::string refusal =
      R"({"error":{"code":"not_found","message":"There is no game server 4.1."}})";
  const std::string problems = R"({"error":{"code":"config_invalid","message":"Not accepted.",)"
                               R"("problems":["m.toml:3: fleet.prots: there is no such key"]}})";
  const Row rows[] = {
      {"refused, with all that is wrong", answer(422, problems), false, 1, "",
       "m.toml:3: fleet.prots: there is no such key\nmuster ctl: Not accepted.\n"},
      {"as asked", answer(202, R"({"stopping":"4.1"})"), false, 0, "game server 4.1 is stopping\n",
       ""},
      {"as JSON", answer(202, R"({"stopping":"4.1"})"), true, 0, R"({"stopping":"4.1"})", ""},
      {"refused", answer(404, refusal), false, 1, "", "There is no game server 4.1.\n"},
      {"refused, as JSON", answer(404, refusal), true, 1, refusal.c_str(), ""},
      {"refused without a word", answer(500, "{}"), false, 1, "", "HTTP 500"},
      {"no JSON", answer(200, "<html>"), false, 1, "", "not a lobby's admin API"},
      {"no object", answer(200, "[]"), true, 1, "", "not a lobby's admin API"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestHttpServer server(row.reply);
    std::FILE* const out = std::tmpfile();
    std::FILE* const err = std::tmpfile();
    const CtlOptions options{.admin = server.address(), .json = row.json};
    EXPECT_EQ(run_ctl(options, "POST", "/v1/servers/4.1/stop", "{}", stopped_text, out, err),
              row.exit_code);
    EXPECT_EQ(content(out), row.out);
    EXPECT_THAT(content(err), HasSubstr(row.err));
    std::fclose(out);
    std::fclose(err);
  }
}

TEST(Ctl, NamesAreNames) {
  for (const char* name : {"", "../stop", "Duel", "a b", "a?b=c"}) {
    CLI::App app;
    int exit_code = 0;
    add_ctl_command(app, exit_code);
    std::vector<std::string> words{name, "clear", "ctl"};
    EXPECT_THROW(app.parse(words), CLI::ParseError) << name;
  }
}

TEST(Ctl, IdsAreIds) {
  for (const char* id : {"x", "../stop", "4.1?a=b", "4 1", "4.1\r\n"}) {
    CLI::App app;
    int exit_code = 0;
    add_ctl_command(app, exit_code);
    std::vector<std::string> words{id, "stop", "ctl"};
    EXPECT_THROW(app.parse(words), CLI::ValidationError) << id;
  }
}

}  // namespace
}  // namespace muster::cli
