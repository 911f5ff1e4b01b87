#include "server/admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/state.h"
#include "server/version.h"

namespace muster::server {
namespace {

namespace json = boost::json;
using testing::HasSubstr;
using testing::MatchesRegex;

core::Config duel_config() {
  core::Config config;
  core::FleetConfig fleet;
  fleet.name = "duel";
  fleet.command = {"/bin/duel"};
  fleet.ports = {7000, 7009};
  config.fleets.push_back(fleet);
  core::QueueConfig queue;
  queue.name = "duel";
  queue.players = 2;
  config.queues.push_back(queue);
  queue.name = "large";
  queue.players = 100;
  config.queues.push_back(queue);
  queue.name = "ranked";
  queue.players = 2;
  queue.rating_distance = 100;
  queue.widen.push_back({"rating_distance", std::chrono::seconds{10}, 500});
  config.queues.push_back(queue);
  return config;
}

/// A real core behind a real loop, fed with events by hand; effects go nowhere but into a list.
class AdminTest : public testing::Test {
 protected:
  AdminTest() {
    loop_.connect({.apply = [this](const core::Effect& e) { effects_.push_back(e); },
                   .flush = [] {},
                   .work_when_idle = {}});
  }

  void step(core::Event event) {
    loop_.post(std::move(event));
    loop_.turn();
  }
  void connect_node() { step(core::NodeConnected{{0, 1}, "local", "127.0.0.1", {}, {}}); }
  void connect_player(std::uint32_t slot, const std::string& name) {
    step(core::SessionOpened{{slot, 1}});
    step(core::Hello{{slot, 1}, 1, name, {}});
  }
  void start_match(std::uint32_t slot, const std::string& queue = "duel") {
    step(core::StartMatch{{slot, 1}, 2, queue, 1, {}});
  }
  /// Two players in a launching match; the id of the game server launched for it.
  core::ServerId launch() {
    connect_node();
    for (const std::uint32_t slot : {0u, 1u}) {
      connect_player(slot, slot == 0 ? "ann" : "bob");
      start_match(slot);
    }
    for (const core::Effect& effect : effects_)
      if (const auto* launched = std::get_if<core::LaunchServer>(&effect)) return launched->server;
    ADD_FAILURE() << "nothing was launched";
    return {};
  }

  net::HttpResponse ask(std::string method, std::string path, std::string body = "",
                        std::vector<std::pair<std::string, std::string>> headers = {
                            {"host", "127.0.0.1:4180"}, {"content-type", "application/json"}}) {
    net::HttpRequest request;
    request.method = std::move(method);
    const std::size_t question = path.find('?');
    request.path = path.substr(0, question);
    if (question != std::string::npos) request.query = path.substr(question + 1);
    request.headers = std::move(headers);
    request.body = std::move(body);
    std::optional<net::HttpResponse> response;
    admin_.handle(request, [&](net::HttpResponse given) { response = std::move(given); });
    EXPECT_TRUE(response) << "it was not answered at once";
    return response.value_or(net::HttpResponse{});
  }
  json::object get(const std::string& path) {
    const net::HttpResponse response = ask("GET", path);
    EXPECT_EQ(response.status, 200) << response.body;
    return json::parse(response.body).as_object();
  }
  static std::string code_of(const net::HttpResponse& response) {
    const json::value body = json::parse(response.body);
    return body.at("error").at("code").as_string().c_str();
  }

  boost::asio::io_context io_{1};
  Loop loop_{io_, core::Core{duel_config()}};
  core::Effects effects_;
  std::optional<bool> stopped_;  // With keep_servers.
  ReloadResult reloaded_;        // What the next reload comes to.
  JournalStatus journal_;
  StorageStatus storage_;
  Admin admin_{loop_,
               {.stop = [this](bool keep_servers) { stopped_ = keep_servers; },
                .reload = [this] { return reloaded_; }},
               journal_,
               storage_};
};

TEST_F(AdminTest, StatusOfAnEmptyLobby) {
  const json::object status = get("/v1/status");
  EXPECT_EQ(status.at("version").as_string().c_str(), std::string(version));
  EXPECT_EQ(status.at("players").at("connected").to_number<int>(), 0);
  const json::object& fleet = status.at("fleets").as_array().at(0).as_object();
  EXPECT_EQ(fleet.at("name").as_string(), "duel");
  EXPECT_EQ(fleet.at("portsFree").to_number<int>(), 10);
  EXPECT_TRUE(fleet.at("lastLaunchError").is_null());
  EXPECT_TRUE(status.at("nodes").as_array().empty());
}

TEST_F(AdminTest, TheJournalIsShownAndSoIsItsTrouble) {
  journal_ = {.number = 41, .bytes = 9000, .snapshot_number = 40};
  json::value journal = get("/v1/status").at("journal");
  EXPECT_EQ(journal.at("healthy"), true);
  EXPECT_TRUE(journal.at("lastError").is_null());
  EXPECT_EQ(journal.at("lastEvent").to_number<int>(), 41);
  EXPECT_EQ(journal.at("lastSnapshot").to_number<int>(), 40);
  EXPECT_EQ(journal.at("bytes").to_number<int>(), 9000);

  journal_.healthy = false;
  journal_.error = "cannot write: No space left on device";
  journal_.failures = 1;
  journal = get("/v1/status").at("journal");
  EXPECT_EQ(journal.at("healthy"), false);
  EXPECT_EQ(journal.at("lastError").as_string(), "cannot write: No space left on device");
  EXPECT_EQ(journal.at("failures").to_number<int>(), 1);

  journal_.enabled = false;
  EXPECT_TRUE(get("/v1/status").at("journal").is_null());
}

TEST_F(AdminTest, StatusFollowsAMatchFromLaunchToEnd) {
  const core::ServerId server = launch();
  json::object status = get("/v1/status");
  EXPECT_EQ(status.at("sessions").to_number<int>(), 2);
  EXPECT_EQ(status.at("players").at("connected").to_number<int>(), 2);
  EXPECT_EQ(status.at("tickets").at("matched").to_number<int>(), 2);
  EXPECT_EQ(status.at("matches").at("launching").to_number<int>(), 1);
  EXPECT_EQ(status.at("servers").at("starting").to_number<int>(), 1);
  EXPECT_EQ(status.at("fleets").at(0).at("portsFree").to_number<int>(), 9);
  EXPECT_EQ(status.at("nodes").at(0).at("connected"), true);
  json::object one = get("/v1/servers/" + to_string(server));
  EXPECT_EQ(one.at("state").as_string(), "starting");
  EXPECT_TRUE(one.at("pid").is_null());
  const json::object tickets = get("/v1/tickets");
  EXPECT_EQ(tickets.at("total").to_number<int>(), 2);
  EXPECT_EQ(tickets.at("tickets").at(0).at("players").at(0).at("name").as_string(), "ann");
  EXPECT_EQ(tickets.at("tickets").at(0).at("state").as_string(), "matched");

  step(core::ServerLaunched{server, 4242});
  step(core::ServerReady{server});
  status = get("/v1/status");
  EXPECT_EQ(status.at("tickets").at("matched").to_number<int>(), 0);
  EXPECT_EQ(status.at("matches").at("playing").to_number<int>(), 1);
  EXPECT_EQ(status.at("servers").at("allocated").to_number<int>(), 1);
  one = get("/v1/servers/" + to_string(server));
  EXPECT_EQ(one.at("state").as_string(), "allocated");
  EXPECT_EQ(one.at("pid").to_number<int>(), 4242);
  ASSERT_EQ(one.at("players").as_array().size(), 2u);
  EXPECT_EQ(one.at("players").at(1).at("name").as_string(), "bob");
  const json::object match = get("/v1/matches").at("matches").at(0).as_object();
  EXPECT_EQ(match.at("serverId").as_string().c_str(), to_string(server));
  EXPECT_EQ(match.at("players").to_number<int>(), 2);
  EXPECT_EQ(get("/v1/servers").at("servers").at(0).at("matchId"), match.at("id"));

  const auto id = parse_id<core::MatchId>(match.at("id").as_string().c_str());
  ASSERT_TRUE(id);
  step(core::MatchOver{server, *id, "ann won"});
  status = get("/v1/status");
  EXPECT_EQ(status.at("matches").at("playing").to_number<int>(), 0);
  EXPECT_EQ(status.at("servers").at("ready").to_number<int>(), 1);
  EXPECT_EQ(status.at("totals").at("matches").to_number<int>(), 1);
}

TEST_F(AdminTest, AForkParentIsShown) {
  const core::ServerId server = launch();
  EXPECT_TRUE(get("/v1/status").at("fleets").at(0).at("forkParent").is_null());
  const std::string fleet = get("/v1/status").at("fleets").at(0).at("name").as_string().c_str();
  step(core::ForkParentChanged{fleet, core::ForkParentState::loaded, 77, {}});
  step(core::ServerLaunched{server, 78, true});
  json::value parent = get("/v1/status").at("fleets").at(0).at("forkParent");
  EXPECT_EQ(parent.at("state").as_string(), "loaded");
  EXPECT_EQ(parent.at("pid").to_number<int>(), 77);
  EXPECT_TRUE(parent.at("lastError").is_null());
  EXPECT_EQ(get("/v1/servers/" + to_string(server)).at("forked"), true);

  step(core::ForkParentChanged{fleet, core::ForkParentState::failed, 0, "exit code 1"});
  parent = get("/v1/status").at("fleets").at(0).at("forkParent");
  EXPECT_EQ(parent.at("state").as_string(), "failed");
  EXPECT_TRUE(parent.at("pid").is_null());
  EXPECT_EQ(parent.at("lastError").as_string(), "exit code 1");
}

TEST_F(AdminTest, AFailedLaunchIsShown) {
  const core::ServerId server = launch();
  step(core::LaunchFailed{server, core::LaunchError::command_failed, "exec /bin/duel: gone"});
  const json::object status = get("/v1/status");
  EXPECT_THAT(status.at("fleets").at(0).at("lastLaunchError").as_string().c_str(),
              HasSubstr("exec /bin/duel: gone"));
  EXPECT_EQ(status.at("totals").at("launchFailures").to_number<int>(), 1);
}

TEST_F(AdminTest, StoppingAServerIsAnEvent) {
  const core::ServerId server = launch();
  effects_.clear();
  const net::HttpResponse response =
      ask("POST", "/v1/servers/" + to_string(server) + "/stop", "{}");
  EXPECT_EQ(response.status, 202) << response.body;
  EXPECT_TRUE(effects_.empty()) << "the order goes through the loop like everything else";
  loop_.turn();
  bool told = false;
  for (const core::Effect& effect : effects_)
    if (const auto* stop = std::get_if<core::StopServer>(&effect)) told = stop->server == server;
  EXPECT_TRUE(told);
}

TEST_F(AdminTest, StoppingTheLobby) {
  struct Row {
    const char* body;
    std::optional<bool> keep_servers;  // Nothing: refused.
  };
  const Row rows[] = {
      {"", false},
      {"{}", false},
      {R"({"keepServers":false})", false},
      {R"({"keepServers":true})", true},
      {R"({"keepServers":1})", std::nullopt},
      {R"({"keep_servers":true})", std::nullopt},
      {"[]", std::nullopt},
      {"{", std::nullopt},
      {R"({"keepServers":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":1}}}}}}}}})", std::nullopt},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.body);
    stopped_.reset();
    const net::HttpResponse response = ask("POST", "/v1/stop", row.body);
    EXPECT_EQ(response.status, row.keep_servers ? 202 : 400);
    EXPECT_EQ(stopped_, row.keep_servers);
  }
}

TEST_F(AdminTest, ReloadSaysWhatIsWrong) {
  reloaded_ = std::vector<ConfigProblem>{{"m.toml", 0, "lobby.listen", "has changed", true}};
  net::HttpResponse response = ask("POST", "/v1/reload", "{}");
  EXPECT_EQ(response.status, 200);
  json::value body = json::parse(response.body);
  EXPECT_EQ(body.at("warnings").at(0).as_string(), "m.toml: warning: lobby.listen: has changed");

  reloaded_ = std::unexpected(
      std::vector<ConfigProblem>{{"m.toml", 3, "fleet.prots", "there is no such key", false},
                                 {"m.toml", 5, "queue.fleet", "is missing", false}});
  response = ask("POST", "/v1/reload", "{}");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(code_of(response), "config_invalid");
  body = json::parse(response.body);
  ASSERT_EQ(body.at("error").at("problems").as_array().size(), 2u);
  EXPECT_EQ(body.at("error").at("problems").at(0).as_string(),
            "m.toml:3: fleet.prots: there is no such key");
}

TEST_F(AdminTest, OrdersAboutFleetsNodesAndServersAreEvents) {
  const core::ServerId server = launch();
  step(core::NodeConnected{{0, 2}, "duel", "127.0.0.1", {}});  // A node with a fleet's name.
  const std::string id = to_string(server);
  struct Row {
    std::string path, body;
    int status;
    std::string want;  // The last event; or the code of the refusal.
  };
  const Row rows[] = {
      {"/v1/fleets/duel/clear", "{}", 202, "ClearFleet"},
      {"/v1/fleets/chess/clear", "{}", 404, "not_found"},
      {"/v1/fleets//clear", "{}", 404, "not_found"},
      {"/v1/drain", R"({"fleet":"duel"})", 202, "DrainFleet"},
      {"/v1/undrain", R"({"fleet":"duel"})", 202, "DrainFleet"},
      {"/v1/drain", R"({"fleet":"local"})", 404, "not_found"},
      {"/v1/drain", R"({"node":"local"})", 202, "DrainNode"},
      {"/v1/undrain", R"({"name":"local"})", 202, "DrainNode"},
      {"/v1/drain", R"({"node":"elsewhere"})", 404, "not_found"},
      {"/v1/drain", R"({"name":"elsewhere"})", 404, "not_found"},
      {"/v1/drain", R"({"name":"duel"})", 409, "name_ambiguous"},
      {"/v1/drain", R"({"server":")" + id + R"("})", 202, "DrainServer"},
      {"/v1/drain", R"({"server":"77.1"})", 404, "not_found"},
      {"/v1/drain", R"({"server":"x"})", 404, "not_found"},
      {"/v1/drain", R"({"moon":"x"})", 400, "body_invalid"},
      {"/v1/drain", R"({"fleet":1})", 400, "body_invalid"},
      {"/v1/drain", R"({"fleet":"duel","node":"local"})", 400, "body_invalid"},
      {"/v1/drain", "{}", 400, "body_invalid"},
      {"/v1/drain", "[", 400, "body_invalid"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.path + " " + row.body);
    const std::uint64_t before = loop_.events();
    const net::HttpResponse response = ask("POST", row.path, row.body);
    EXPECT_EQ(response.status, row.status) << response.body;
    loop_.turn();
    if (row.status == 202)
      EXPECT_EQ(loop_.recent().back().name, row.want);
    else
      EXPECT_EQ(code_of(response), row.want);
    EXPECT_EQ(loop_.events() - before, row.status == 202 ? 1u : 0u);
  }
}

TEST_F(AdminTest, AFleetInACrashLoopIsShown) {
  core::ServerId server = launch();
  for (int failures = 0; failures < 5; ++failures) {
    effects_.clear();
    step(core::LaunchFailed{server, core::LaunchError::command_failed, "exec /bin/duel: gone"});
    if (failures == 2) start_match(0), start_match(1);
    for (const core::Effect& effect : effects_)
      if (const auto* launched = std::get_if<core::LaunchServer>(&effect))
        server = launched->server;
  }
  json::value fleet = get("/v1/status").at("fleets").at(0);
  EXPECT_EQ(fleet.at("state").as_string(), "crash_loop");
  EXPECT_EQ(fleet.at("failures").to_number<int>(), 5);
  EXPECT_GT(fleet.at("retrySeconds").to_number<double>(), 20.0);
  EXPECT_EQ(fleet.at("crashLoopSeconds").to_number<double>(), 0.0);
  EXPECT_THAT(ask("GET", "/metrics").body,
              HasSubstr("muster_fleet_crash_loop{fleet=\"duel\"} 1\n"));
  const json::object ended = get("/v1/servers?ended=1");
  ASSERT_EQ(ended.at("ended").as_array().size(), 5u);
  EXPECT_EQ(ended.at("ended").at(0).at("reason").as_string(), "could not be launched");
  EXPECT_EQ(ended.at("ended").at(0).at("exit").as_string(), "exec /bin/duel: gone");
}

TEST_F(AdminTest, AReloadedFleetHasAnotherVersion) {
  const core::ServerId server = launch();
  step(core::ServerReady{server});
  const std::string before =
      get("/v1/servers/" + to_string(server)).at("version").as_string().c_str();
  core::Config next = duel_config();
  next.fleets[0].command = {"/bin/duel2"};
  next.queues.resize(1);
  step(core::ConfigReloaded{std::make_shared<const core::Config>(next)});
  const json::object shown = get("/v1/servers/" + to_string(server));
  EXPECT_EQ(shown.at("version").as_string().c_str(), before);
  EXPECT_TRUE(shown.at("outdated").as_bool());
  const json::object status = get("/v1/status");
  EXPECT_NE(status.at("fleets").at(0).at("version").as_string().c_str(), before);
  EXPECT_EQ(status.at("fleets").at(0).at("outdated").to_number<int>(), 1);
  EXPECT_EQ(status.at("queues").as_array().size(), 1u) << "one that is gone is not shown";
  EXPECT_EQ(status.at("totals").at("reloads").to_number<int>(), 1);
  // The fleet goes, too, and is shown while anything of it runs.
  next.fleets[0].name = "other";
  step(core::ConfigReloaded{std::make_shared<const core::Config>(next)});
  EXPECT_EQ(get("/v1/status").at("fleets").at(0).at("state").as_string(), "removed");
  step(core::ServerExited{server, 0, 0, {}});
  const json::object after = get("/v1/status");
  ASSERT_EQ(after.at("fleets").as_array().size(), 1u);
  EXPECT_EQ(after.at("fleets").at(0).at("name").as_string(), "other");
  EXPECT_THAT(ask("GET", "/metrics").body, testing::Not(HasSubstr("fleet=\"duel\"")));
}

TEST_F(AdminTest, ADrainedNodeIsNotReadyForPlayers) {
  connect_node();
  step(core::DrainNode{"local", true});
  EXPECT_EQ(ask("GET", "/ready").status, 503);
  EXPECT_TRUE(get("/v1/status").at("nodes").at(0).at("draining").as_bool());
  step(core::DrainNode{"local", false});
  EXPECT_EQ(ask("GET", "/ready").status, 200);
}

TEST_F(AdminTest, Refusals) {
  using Headers = std::vector<std::pair<std::string, std::string>>;
  const Headers fine{{"host", "localhost"}, {"content-type", "application/json"}};
  struct Row {
    const char* name;
    const char* method;
    const char* path;
    Headers headers;
    int status;
    const char* code;
  };
  const Row rows[] = {
      {"nothing there", "GET", "/v1/nothing", fine, 404, "not_found"},
      {"no such server", "GET", "/v1/servers/7.1", fine, 404, "not_found"},
      {"no id", "GET", "/v1/servers/x", fine, 404, "not_found"},
      {"no id to stop", "POST", "/v1/servers//stop", fine, 404, "not_found"},
      {"no such server to stop", "POST", "/v1/servers/7.1/stop", fine, 404, "not_found"},
      {"an order by GET", "GET", "/v1/stop", fine, 405, "method_not_allowed"},
      {"a question by POST", "POST", "/v1/status", fine, 404, "not_found"},
      {"another method", "DELETE", "/v1/servers/7.1", fine, 405, "method_not_allowed"},
      {"no Host", "GET", "/v1/status", {}, 403, "host_not_allowed"},
      {"a name that was made to point here",
       "GET",
       "/v1/status",
       {{"host", "evil.example:4180"}},
       403,
       "host_not_allowed"},
      {"a form of a web page",
       "POST",
       "/v1/stop",
       {{"host", "localhost"}, {"content-type", "application/x-www-form-urlencoded"}},
       415,
       "content_type_invalid"},
      {"text of a web page",
       "POST",
       "/v1/stop",
       {{"host", "localhost"}, {"content-type", "text/plain; application/json"}},
       415,
       "content_type_invalid"},
      {"no content type", "POST", "/v1/stop", {{"host", "localhost"}}, 415, "content_type_invalid"},
      {"too many at once", "GET", "/v1/tickets?limit=10001", fine, 400, "query_invalid"},
      {"none at once", "GET", "/v1/tickets?limit=0", fine, 400, "query_invalid"},
      {"a limit that is no number", "GET", "/v1/servers?limit=1x", fine, 400, "query_invalid"},
      {"after what is no id", "GET", "/v1/matches?after=x", fine, 400, "query_invalid"},
      {"too many events", "GET", "/debug/events?last=1001", fine, 400, "query_invalid"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const net::HttpResponse response = ask(row.method, row.path, "", row.headers);
    EXPECT_EQ(response.status, row.status);
    EXPECT_EQ(response.content_type, "application/json");
    EXPECT_EQ(code_of(response), row.code);
    EXPECT_FALSE(stopped_);
  }
}

TEST(AdminHost, LoopbackNamesOnly) {
  for (const char* host : {"localhost", "LocalHost:4180", "127.0.0.1", "127.0.0.1:4180",
                           "127.1.2.3", "[::1]", "[::1]:4180"})
    EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const char* host : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "192.0.2.1", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]",
                           "localhost:", "localhost:x", "::1", "127.0.0.1:1:2", "localhost\t"})
    EXPECT_FALSE(is_loopback_host(host)) << host;
}

TEST_F(AdminTest, ListsComeByPages) {
  connect_node();
  for (std::uint32_t slot = 0; slot < 5; ++slot) connect_player(slot, "p" + std::to_string(slot));
  start_match(0, "large");
  json::object page = get("/v1/tickets?limit=1");
  EXPECT_EQ(page.at("tickets").as_array().size(), 1u);
  EXPECT_EQ(page.at("more"), false);
  for (const std::uint32_t slot : {1u, 2u, 3u}) start_match(slot, "large");
  std::set<std::string> seen;
  std::string path = "/v1/tickets?limit=3";
  page = get(path);
  EXPECT_EQ(page.at("total").to_number<int>(), 4);
  EXPECT_EQ(page.at("more"), true);
  for (const json::value& ticket : page.at("tickets").as_array())
    seen.insert(ticket.at("id").as_string().c_str());
  const std::string last = page.at("tickets").as_array().back().at("id").as_string().c_str();
  page = get(path + "&after=" + last);
  EXPECT_EQ(page.at("more"), false);
  for (const json::value& ticket : page.at("tickets").as_array())
    seen.insert(ticket.at("id").as_string().c_str());
  EXPECT_EQ(seen.size(), 4u) << "each once";
}

TEST_F(AdminTest, PartiesAndTheirTickets) {
  connect_node();
  for (std::uint32_t slot = 0; slot < 3; ++slot) connect_player(slot, "p" + std::to_string(slot));
  step(core::CreateParty{{0, 1}, 2, "ABCDEFGH"});
  step(core::JoinParty{{1, 1}, 2, "ABCDEFGH"});
  start_match(0, "large");
  const json::object page = get("/v1/parties");
  ASSERT_EQ(page.at("total").to_number<int>(), 1);
  const json::object party = page.at("parties").at(0).as_object();
  EXPECT_EQ(party.at("players").at(0).at("name").as_string(), "p0");
  EXPECT_EQ(party.at("players").at(1).at("name").as_string(), "p1");
  const json::object tickets = get("/v1/tickets");
  ASSERT_EQ(tickets.at("total").to_number<int>(), 1);
  const json::object ticket = tickets.at("tickets").at(0).as_object();
  EXPECT_EQ(ticket.at("id"), party.at("ticketId"));
  EXPECT_EQ(ticket.at("seats").to_number<int>(), 2);
  EXPECT_EQ(ticket.at("players").as_array().size(), 2u);
}

TEST_F(AdminTest, WhyATicketWaits) {
  for (const std::uint32_t slot : {0u, 1u}) connect_player(slot, "ann");
  step(core::SetRating{{1, 1}, "ranked", 1700});
  start_match(0, "ranked");
  start_match(1, "ranked");
  const json::object why = get("/v1/tickets/0.1/why");
  EXPECT_EQ(why.at("state").as_string(), "queued");
  EXPECT_EQ(why.at("others").to_number<int>(), 1);
  EXPECT_EQ(why.at("accepted").to_number<int>(), 0);
  EXPECT_EQ(why.at("seatsAccepted").to_number<int>(), 1);
  EXPECT_EQ(why.at("seatsNeeded").to_number<int>(), 2);
  const json::object& rule = why.at("rules").at(0).as_object();
  EXPECT_EQ(rule.at("name").as_string(), "rating_distance");
  EXPECT_EQ(rule.at("excludes").to_number<int>(), 1);
  EXPECT_EQ(rule.at("byTheirs").to_number<int>(), 0);
  EXPECT_EQ(why.at("nearest").at("ticketId").as_string(), "1.1");
  EXPECT_EQ(why.at("nearest").at("ratingApart").to_number<int>(), 200);
  EXPECT_EQ(why.at("nearest").at("excludedBy").at(0).as_string(), "rating_distance");
  EXPECT_EQ(why.at("nextWidening").at("admits").to_number<int>(), 0)
      << "when this ticket's limits widen, the other's have not yet";
  EXPECT_EQ(why.at("nextWidening").at("seatsNeeded").to_number<int>(), 2);
  EXPECT_GT(why.at("nextWidening").at("inSeconds").to_number<double>(), 9.0);
  step(core::SessionClosed{{0, 1}});
  EXPECT_EQ(get("/v1/tickets/0.1/why").at("held"), true);
  EXPECT_EQ(ask("GET", "/v1/tickets/9.1/why").status, 404);
  EXPECT_EQ(ask("GET", "/v1/tickets//why").status, 404);
}

TEST_F(AdminTest, SetsARating) {
  connect_player(0, "ann");
  struct Row {
    const char* name;
    const char* path;
    const char* body;
    int status;
  };
  const Row rows[] = {
      {"as it should be", "/v1/players/0.1/rating", R"({"queue":"duel","rating":1720})", 202},
      {"below zero", "/v1/players/0.1/rating", R"({"queue":"duel","rating":-5})", 202},
      {"nobody", "/v1/players/7.1/rating", R"({"queue":"duel","rating":1})", 404},
      {"no id", "/v1/players//rating", R"({"queue":"duel","rating":1})", 404},
      {"no such queue", "/v1/players/0.1/rating", R"({"queue":"chess","rating":1})", 404},
      {"not whole", "/v1/players/0.1/rating", R"({"queue":"duel","rating":1.5})", 400},
      {"off the scale", "/v1/players/0.1/rating", R"({"queue":"duel","rating":1000001})", 400},
      {"the least number there is", "/v1/players/0.1/rating",
       R"({"queue":"duel","rating":-9223372036854775808})", 400},
      {"a text", "/v1/players/0.1/rating", R"({"queue":"duel","rating":"1"})", 400},
      {"no queue", "/v1/players/0.1/rating", R"({"rating":1})", 400},
      {"one more", "/v1/players/0.1/rating", R"({"queue":"duel","rating":1,"x":1})", 400},
      {"nothing", "/v1/players/0.1/rating", "", 400},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(ask("POST", row.path, row.body).status, row.status);
  }
  loop_.turn();
  const auto& ratings = loop_.core().state().players[{0, 1}].ratings;
  ASSERT_EQ(ratings.size(), 1u);
  EXPECT_EQ(ratings[0].mean, -5) << "the last one";
}

TEST_F(AdminTest, LiveAndReady) {
  EXPECT_EQ(ask("GET", "/live").status, 200);
  EXPECT_EQ(ask("GET", "/ready").status, 503) << "no node";
  connect_node();
  EXPECT_EQ(ask("GET", "/ready").status, 200);
  step(core::LobbyStopping{false});
  EXPECT_EQ(ask("GET", "/ready").status, 503) << "leaving";
  EXPECT_EQ(ask("GET", "/live").status, 200);
}

TEST_F(AdminTest, LastEvents) {
  connect_node();
  connect_player(0, "ann");
  const json::object all = get("/debug/events?last=2");
  ASSERT_EQ(all.at("events").as_array().size(), 2u);
  EXPECT_EQ(all.at("events").at(0).at("name").as_string(), "SessionOpened");
  EXPECT_EQ(all.at("events").at(1).at("name").as_string(), "Hello");
  EXPECT_EQ(all.at("events").at(1).at("number").to_number<int>(), 3);
  EXPECT_EQ(all.at("events").at(1).at("effects").to_number<int>(), 1);
  EXPECT_EQ(get("/debug/events").at("events").as_array().size(), 3u);
}

/// The text format's grammar, as far as it is used: each line a comment or a sample, each sample
/// under its family's TYPE, no sample twice.
TEST_F(AdminTest, MetricsAreWellFormedAndTrue) {
  launch();
  const net::HttpResponse response = ask("GET", "/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.content_type, HasSubstr("text/plain; version=0.0.4"));
  std::istringstream in(response.body);
  std::string family;
  std::set<std::string> samples;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("# HELP ")) continue;
    if (line.starts_with("# TYPE ")) {
      EXPECT_THAT(line, MatchesRegex("# TYPE [a-z_]+ (gauge|counter)"));
      family = line.substr(7, line.rfind(' ') - 7);
      EXPECT_EQ(line.ends_with(" counter"), family.ends_with("_total")) << line;
      continue;
    }
    EXPECT_THAT(line, MatchesRegex("[a-z_]+([{][a-z_]+=\"[^\"]*\"(,[a-z_]+=\"[^\"]*\")*[}])? "
                                   "[0-9.]+(e[+-][0-9]+)?"));
    EXPECT_EQ(line.substr(0, line.find_first_of("{ ")), family) << line;
    EXPECT_TRUE(samples.insert(line.substr(0, line.rfind(' '))).second) << line;
  }
  for (const char* line :
       {"muster_sessions 2\n", "muster_players{state=\"connected\"} 2\n",
        "muster_tickets{queue=\"duel\",state=\"matched\"} 2\n",
        "muster_servers{fleet=\"duel\",state=\"starting\"} 1\n",
        "muster_ports{fleet=\"duel\",state=\"used\"} 1\n", "muster_launches_total 1\n",
        "muster_nodes_connected 1\n", "process_resident_memory_bytes "})
    EXPECT_THAT(response.body, HasSubstr(line));
}

/// The names of all members, at every depth.
void add_keys(const json::value& value, std::set<std::string>& keys) {
  if (const json::array* list = value.if_array())
    for (const json::value& element : *list) add_keys(element, keys);
  if (const json::object* object = value.if_object())
    for (const auto& [key, member] : *object) {
      keys.insert(key);
      add_keys(member, keys);
    }
}

TEST_F(AdminTest, TheDocumentationNamesEveryKeyAndMetric) {
  std::ifstream in(MUSTER_SOURCE_DIR "/docs/admin.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const core::ServerId server = launch();
  std::set<std::string> names;
  for (const char* path : {"/v1/status", "/v1/servers", "/v1/tickets", "/debug/events"})
    add_keys(get(path), names);
  step(core::ServerReady{server});
  add_keys(get("/v1/matches"), names);
  add_keys(get("/v1/servers/" + to_string(server)), names);
  step(core::ServerExited{server, 1, 0, {}});
  add_keys(get("/v1/servers?ended=1"), names);
  std::istringstream metrics(ask("GET", "/metrics").body);
  for (std::string line; std::getline(metrics, line);)
    if (!line.starts_with('#')) names.insert(line.substr(0, line.find_first_of("{ ")));
  EXPECT_GT(names.size(), 60u);
  for (const std::string& name : names)
    EXPECT_NE(text.find("`" + name + "`"), std::string::npos) << name;
}

TEST(Version, IsThatOfTheProject) {
  std::ifstream in(MUSTER_SOURCE_DIR "/CMakeLists.txt");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(text, HasSubstr("project(muster VERSION " + std::string(version) + " "));
}

TEST_F(AdminTest, EveryPathItNamesIsThere) {
  const json::object answer = get("/");
  for (const json::value& path : answer.at("paths").as_array()) {
    const int status = ask("GET", path.as_string().c_str()).status;
    EXPECT_TRUE(status == 200 || status == 503) << path;
  }
}

}  // namespace
}  // namespace muster::server
