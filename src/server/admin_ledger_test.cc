// Leaderboards, seasons and bans over the admin API: a real file behind a real loop.
#include "server/admin_ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/state.h"
#include "server/admin.h"
#include "store/test_folder.h"

namespace muster::server {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

core::Config ranked_config() {
  core::Config config;
  config.fleets.push_back({.name = "duel", .command = {"/bin/duel"}, .ports = {7000, 7009}});
  config.queues.push_back({.name = "ranked", .players = 2});
  config.queues[0].rating.system = core::RatingSystem::elo;
  config.queues.push_back({.name = "casual", .players = 2});
  return config;
}

class AdminLedgerTest : public testing::Test {
 protected:
  AdminLedgerTest() {
    loop_.connect({.apply =
                       [this](const core::Effect& effect) {
                         if (!ledger_->apply(effect)) effects_.push_back(effect);
                       },
                   .flush = [] {},
                   .work_when_idle = {}});
    start();
  }
  void start() {
    ledger_.emplace(io_, loop_);
    const auto opened = ledger_->open(
        folder_.path + "/accounts.db",
        {.hash_memory_bytes = 8192, .hash_passes = 1, .lock_wait = 10ms, .retry_wait = 5ms});
    ASSERT_TRUE(opened) << opened.error();
    ledger_part_.emplace(loop_, *ledger_);
    admin_.emplace(loop_, Admin::Orders{}, journal_, ledger_->status(), &*ledger_part_);
  }
  bool until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      io_.restart();
      io_.run_one_for(2ms);
      loop_.turn();
    }
    return true;
  }
  void step(core::Event event) {
    loop_.post(std::move(event));
    loop_.turn();
  }

  /// Signs up, says hello; the account.
  std::int64_t come(std::uint32_t slot, const std::string& name) {
    std::optional<net::AccountReply> reply;
    ledger_->check_account({net::AccountRequest::Kind::sign_up, name, "secret"},
                           [&](net::AccountReply given) { reply = std::move(given); });
    EXPECT_TRUE(until([&] { return reply.has_value(); }));
    EXPECT_EQ(reply->outcome, net::AccountOutcome::ok);
    step(core::SessionOpened{{slot, 1}});
    step(core::Hello{{slot, 1}, 1, name, {}, reply->account, {}});
    return reply->account;
  }
  /// Slot 0 wins against slot 1.
  void play() {
    if (loop_.core().state().nodes.size() == 0)
      step(core::NodeConnected{{0, 1}, "n", "127.0.0.1", {}});
    for (const std::uint32_t slot : {0u, 1u}) step(core::StartMatch{{slot, 1}, 2, "ranked", 1, {}});
    for (const core::Effect& effect : effects_)
      if (const auto* launched = std::get_if<core::LaunchServer>(&effect))
        server_ = launched->server;
    effects_.clear();
    step(core::ServerReady{server_});
    core::MatchId match;
    loop_.core().state().matches.for_each([&](core::MatchId id, const auto&) { match = id; });
    std::vector<core::Standing> standings;
    for (const auto& [account, player] : loop_.core().state().accounts)
      standings.push_back({.player = player, .rank = account == 1 ? 1u : 2u});
    step(core::MatchOver{server_, match, "", standings});
  }
  std::uint64_t recorded() const { return loop_.core().state().totals.results_recorded; }

  net::HttpResponse ask(std::string method, const std::string& path, std::string body = "") {
    net::HttpRequest request;
    request.method = std::move(method);
    const std::size_t question = path.find('?');
    request.path = path.substr(0, question);
    if (question != std::string::npos) request.query = path.substr(question + 1);
    request.headers = {{"host", "localhost"}, {"content-type", "application/json"}};
    request.body = std::move(body);
    std::optional<net::HttpResponse> response;
    admin_->handle(request, [&](net::HttpResponse given) { response = std::move(given); });
    EXPECT_TRUE(until([&] { return response.has_value(); })) << path;
    loop_.turn();
    return response.value_or(net::HttpResponse{});
  }
  json::object get(const std::string& path) {
    const net::HttpResponse response = ask("GET", path);
    EXPECT_EQ(response.status, 200) << response.body;
    return json::parse(response.body).as_object();
  }
  std::vector<std::string> board(const std::string& query = "") {
    std::vector<std::string> lines;
    const json::object board = get("/v1/leaderboards/ranked" + query);
    for (const json::value& e : board.at("entries").as_array())
      lines.push_back(std::to_string(e.at("place").to_number<int>()) + " " +
                      e.at("name").as_string().c_str() + " " +
                      std::to_string(e.at("rating").to_number<int>()) + " " +
                      std::to_string(e.at("matches").to_number<int>()));
    return lines;
  }
  int rating_in_core(std::int64_t account) const {
    const core::State& state = loop_.core().state();
    const auto& ratings = state.players[state.accounts.at(account)].ratings;
    return ratings.empty() ? -1 : ratings[0].mean;
  }

  store::TempFolder folder_;
  boost::asio::io_context io_{1};
  Loop loop_{io_, core::Core{ranked_config()}};
  core::Effects effects_;
  core::ServerId server_;
  JournalStatus journal_;
  std::optional<Ledger> ledger_;
  std::optional<AdminLedger> ledger_part_;
  std::optional<Admin> admin_;
};

TEST_F(AdminLedgerTest, LeaderboardRatingsAndSeason) {
  EXPECT_TRUE(board().empty());
  const auto ann = come(0, "ann"), bob = come(1, "bob");
  play();
  ASSERT_TRUE(until([&] { return recorded() == 1; }));
  EXPECT_THAT(board(), ElementsAre("1 ann 1516 1", "2 bob 1484 1"));
  EXPECT_THAT(board("?limit=1"), ElementsAre("1 ann 1516 1"));
  EXPECT_TRUE(get("/v1/leaderboards/ranked?limit=1").at("more").as_bool());
  EXPECT_THAT(board("?limit=1&offset=1"), ElementsAre("2 bob 1484 1"));
  EXPECT_FALSE(get("/v1/leaderboards/ranked?limit=1&offset=1").at("more").as_bool());
  EXPECT_THAT(board("?name=bob"), ElementsAre("2 bob 1484 1"));
  EXPECT_TRUE(board("?name=nobody").empty());
  const json::object ratings = get("/v1/ratings?name=bob");
  EXPECT_EQ(ratings.at("ratings").at(0).at("place").to_number<int>(), 2);
  EXPECT_EQ(ratings.at("ratings").at(0).at("queue").as_string(), "ranked");

  const net::HttpResponse ended =
      ask("POST", "/v1/leaderboards/ranked/season", R"({"keep": 0.25})");
  EXPECT_EQ(ended.status, 200) << ended.body;
  EXPECT_EQ(json::parse(ended.body).at("season").to_number<int>(), 2);
  EXPECT_THAT(board(), ElementsAre("1 ann 1504 0", "2 bob 1496 0"));
  ASSERT_TRUE(until([&] { return rating_in_core(ann) == 1504; })) << "who is here is told";
  EXPECT_EQ(rating_in_core(bob), 1496);
}

TEST_F(AdminLedgerTest, ABannedPlayerGoesAndStaysOut) {
  const auto ann = come(0, "ann");
  effects_.clear();
  const net::HttpResponse banned =
      ask("POST", "/v1/bans", R"({"name": "ann", "reason": "cheating", "forSeconds": 3600})");
  EXPECT_EQ(banned.status, 200) << banned.body;
  EXPECT_FALSE(loop_.core().state().accounts.contains(ann));
  bool closed = false;
  for (const core::Effect& effect : effects_)
    if (const auto* close = std::get_if<core::CloseSession>(&effect))
      closed = close->error == core::Error::banned;
  EXPECT_TRUE(closed);
  const auto log_in = [&] {
    std::optional<net::AccountReply> reply;
    ledger_->check_account({net::AccountRequest::Kind::log_in, "ann", "secret"},
                           [&](net::AccountReply given) { reply = std::move(given); });
    EXPECT_TRUE(until([&] { return reply.has_value(); }));
    return *reply;
  };
  EXPECT_EQ(log_in().outcome, net::AccountOutcome::banned);
  EXPECT_THAT(log_in().detail, HasSubstr("cheating; until 20"));
  const json::object bans = get("/v1/bans");
  ASSERT_EQ(bans.at("bans").as_array().size(), 1u);
  EXPECT_EQ(bans.at("bans").at(0).at("untilUnix").as_int64() -
                bans.at("bans").at(0).at("sinceUnix").as_int64(),
            3600);
  EXPECT_EQ(ask("POST", "/v1/unban", R"({"name": "ann"})").status, 200);
  EXPECT_EQ(log_in().outcome, net::AccountOutcome::ok);
  EXPECT_TRUE(get("/v1/bans").at("bans").as_array().empty());
}

/// The lobby died when the ban was on the disk and its core had not heard of it.
TEST_F(AdminLedgerTest, ALobbyThatIsBackKnowsWhoWasBanned) {
  const auto ann = come(0, "ann"), bob = come(1, "bob");
  bool stored = false;
  ledger_->accounts().ban("ann", "", {}, [&](const auto&) { stored = true; });
  ASSERT_TRUE(until([&] { return stored; }));
  EXPECT_TRUE(loop_.core().state().accounts.contains(ann));
  ledger_->refresh();
  ASSERT_TRUE(until([&] { return !loop_.core().state().accounts.contains(ann); }));
  EXPECT_TRUE(loop_.core().state().accounts.contains(bob));
}

TEST_F(AdminLedgerTest, WhileTheFileCannotBeWritten) {
  come(0, "ann"), come(1, "bob");
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((folder_.path + "/accounts.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  play();
  ASSERT_TRUE(until([&] { return !ledger_->status().healthy; }));
  const json::value results = get("/v1/status").at("results");
  EXPECT_FALSE(results.at("healthy").as_bool());
  EXPECT_EQ(results.at("outstanding").to_number<int>(), 1);
  EXPECT_THAT(results.at("lastError").as_string().c_str(), HasSubstr("is locked"));
  EXPECT_THAT(ask("GET", "/metrics").body, HasSubstr("muster_results_outstanding 1\n"));
  for (const auto& [path, body] : {std::pair{"/v1/bans", R"({"name": "ann"})"},
                                   {"/v1/unban", R"({"name": "ann"})"},
                                   {"/v1/leaderboards/ranked/season", "{}"}}) {
    const net::HttpResponse refused = ask("POST", path, body);
    EXPECT_EQ(refused.status, 503) << path;
    EXPECT_THAT(refused.body, HasSubstr("storage_unavailable"));
  }
  EXPECT_EQ(loop_.core().state().players.size(), 2u) << "nothing half done";
  EXPECT_TRUE(board().empty()) << "reading goes on";
  play();
  EXPECT_EQ(sqlite3_close(other), SQLITE_OK);
  ASSERT_TRUE(until([&] { return recorded() == 2; }));
  EXPECT_TRUE(ledger_->status().healthy);
  EXPECT_EQ(ledger_->status().failures, 1u);
  EXPECT_THAT(board(), ElementsAre("1 ann 1531 2", "2 bob 1469 2"));
}

TEST_F(AdminLedgerTest, Refusals) {
  struct Row {
    const char* method;
    const char* path;
    const char* body;
    int status;
    const char* code;
  };
  const Row rows[] = {
      {"GET", "/v1/leaderboards/nothing", "", 404, "not_found"},
      {"GET", "/v1/leaderboards/", "", 404, "not_found"},
      {"GET", "/v1/leaderboards/ranked?limit=0", "", 400, "query_invalid"},
      {"GET", "/v1/leaderboards/ranked?limit=1001", "", 400, "query_invalid"},
      {"GET", "/v1/leaderboards/ranked?offset=-1", "", 400, "query_invalid"},
      {"POST", "/v1/leaderboards/nothing/season", "{}", 404, "not_found"},
      {"POST", "/v1/leaderboards/casual/season", "{}", 409, "not_rated"},
      {"POST", "/v1/leaderboards/ranked/season", R"({"keep": 2})", 400, "body_invalid"},
      {"POST", "/v1/leaderboards/ranked/season", R"({"kept": 1})", 400, "body_invalid"},
      {"POST", "/v1/leaderboards/ranked/season", R"({"keep": "1"})", 400, "body_invalid"},
      {"POST", "/v1/leaderboards/ranked/season", "[", 400, "body_invalid"},
      {"GET", "/v1/ratings", "", 404, "not_found"},
      {"GET", "/v1/ratings?name=nobody", "", 404, "not_found"},
      {"GET", "/v1/bans?limit=x", "", 400, "query_invalid"},
      {"POST", "/v1/bans", "{}", 400, "body_invalid"},
      {"POST", "/v1/bans", R"({"name": 1})", 400, "body_invalid"},
      {"POST", "/v1/bans", R"({"name": "ann", "for": 1})", 400, "body_invalid"},
      {"POST", "/v1/bans", R"({"name": "ann", "forSeconds": 0})", 400, "body_invalid"},
      {"POST", "/v1/bans", R"({"name": "ann", "forSeconds": 1e9})", 400, "body_invalid"},
      {"POST", "/v1/bans", R"({"name": "ann", "reason": 1})", 400, "body_invalid"},
      {"POST", "/v1/bans", R"({"name": "nobody"})", 404, "not_found"},
      {"POST", "/v1/unban", R"({"name": "nobody"})", 404, "not_found"},
      {"POST", "/v1/unban", "{}", 400, "body_invalid"},
      {"GET", "/v1/unban", "", 404, "not_found"},
      {"GET", "/v1/status", "", 200, "version"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.method) + " " + row.path + " " + row.body);
    const net::HttpResponse response = ask(row.method, row.path, row.body);
    EXPECT_EQ(response.status, row.status) << response.body;
    EXPECT_THAT(response.body, HasSubstr(row.code));
  }
  EXPECT_EQ(
      ask("POST", "/v1/bans", R"({"name": "ann", "reason": ")" + std::string(257, 'x') + "\"}")
          .status,
      400);
}

TEST_F(AdminLedgerTest, TheDocumentationNamesEveryKey) {
  std::ifstream in(MUSTER_SOURCE_DIR "/docs/admin.md");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  come(0, "ann"), come(1, "bob");
  play();
  ASSERT_TRUE(until([&] { return recorded() == 1; }));
  ask("POST", "/v1/bans", R"({"name": "ann"})");
  std::set<std::string> names;
  const auto add = [&](const json::object& object) {
    for (const auto& [key, value] : object) names.insert(key);
  };
  const json::object board = get("/v1/leaderboards/ranked"), bans = get("/v1/bans");
  const json::object ratings = get("/v1/ratings?name=ann");
  for (const json::object& answer :
       {board, board.at("entries").at(0).as_object(), bans, bans.at("bans").at(0).as_object(),
        ratings, ratings.at("ratings").at(0).as_object(),
        json::parse(ask("POST", "/v1/leaderboards/ranked/season").body).as_object()})
    add(answer);
  EXPECT_GT(names.size(), 12u);
  for (const std::string& name : names)
    EXPECT_NE(text.find("`" + name + "`"), std::string::npos) << name;
}

}  // namespace
}  // namespace muster::server
