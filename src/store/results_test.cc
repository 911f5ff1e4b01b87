// Results, ratings, seasons and bans, in the file they are kept in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <span>

#include "core/core.h"
#include "core/state.h"
#include "store/accounts.h"
#include "store/accounts_test_help.h"
#include "store/database.h"
#include "store/tables.h"

namespace muster::store {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

core::MatchResult duel(std::uint32_t match, std::int64_t winner, std::int64_t loser) {
  core::MatchResult result;
  result.match = {match, 1};
  result.started = Time{1h};
  result.ended = Time{2h};
  result.queue = "ranked";
  result.rating_default = 1500;
  result.rating.system = core::RatingSystem::elo;
  result.players = {{"w", winner, 0, 1, 3, 1000}, {"l", loser, 1, 2, {}, 1000}};
  return result;
}

core::RecordResult numbered(std::uint64_t number, core::MatchResult result) {
  return {number, std::make_shared<const core::MatchResult>(std::move(result))};
}

class ResultsTest : public ::testing::Test {
 protected:
  void open(AccountsOptions options = cheap()) {
    options.retry_wait = 5ms;
    AccountsNews news;
    news.recorded = [this](std::vector<core::ResultRecorded> recorded) {
      for (auto& one : recorded) recorded_.push_back(std::move(one));
    };
    news.trouble = [this](std::string why) { troubles_.push_back(std::move(why)); };
    auto opened = Accounts::open(path_, loop_.poster(), options, std::move(news));
    ASSERT_TRUE(opened) << opened.error();
    accounts_ = std::move(*opened);
  }
  void open_with_two() {
    open();
    ann_ = loop_.sign_up(*accounts_, "ann", "secret").account;
    bob_ = loop_.sign_up(*accounts_, "bob", "secret").account;
  }
  void record(core::RecordResult result) {
    const std::size_t before = recorded_.size();
    accounts_->record(std::move(result));
    ASSERT_TRUE(loop_.run_until([&] { return recorded_.size() == before + 1; }));
  }
  template <class T, class Ask>
  T ask(Ask start) {
    std::optional<OrError<T>> got;
    start([&](OrError<T> answer) { got = std::move(answer); });
    EXPECT_TRUE(loop_.run_until([&] { return got.has_value(); }));
    EXPECT_TRUE(got->has_value()) << got->error();
    return got->value_or(T{});
  }
  Leaderboard board(std::uint64_t offset = 0, std::uint32_t limit = 10) {
    return ask<Leaderboard>(
        [&](auto answer) { accounts_->read_leaderboard("ranked", offset, limit, answer); });
  }
  std::string shown(const Leaderboard& board) {
    std::string text = "season " + std::to_string(board.season) + ":";
    for (const LeaderboardEntry& e : board.entries)
      text += " " + std::to_string(e.place) + "=" + e.name + ":" + std::to_string(e.rating) + "/" +
              std::to_string(e.matches);
    return text;
  }

  TempFolder folder_;
  std::string path_ = folder_.path + "/accounts.db";
  TestLoop loop_;
  std::unique_ptr<Accounts> accounts_;
  std::vector<core::ResultRecorded> recorded_;
  std::vector<std::string> troubles_;
  std::int64_t ann_ = 0, bob_ = 0;
};

TEST_F(ResultsTest, AResultChangesRatingsOnce) {
  open_with_two();
  record(numbered(7, duel(1, ann_, bob_)));
  EXPECT_EQ(recorded_[0].result, 7u);
  EXPECT_THAT(recorded_[0].ratings, ElementsAre(core::AccountRating{ann_, 1516, 0, 16},
                                                core::AccountRating{bob_, 1484, 0, -16}));
  EXPECT_EQ(shown(board()), "season 1: 1=ann:1516/1 2=bob:1484/1");

  // Reported again, as after a death: nothing changes, and what is answered is what is so now.
  record(numbered(8, duel(2, ann_, bob_)));
  record(numbered(7, duel(1, ann_, bob_)));
  EXPECT_EQ(recorded_[2].result, 7u);
  EXPECT_EQ(recorded_[2].ratings[0].change, 0);
  EXPECT_EQ(recorded_[2].ratings[0].mean, recorded_[1].ratings[0].mean);
  EXPECT_EQ(query(path_, "SELECT count(*) FROM results"), "2");
  EXPECT_EQ(query(path_, "SELECT score FROM result_players WHERE result = 1 AND position = 0"),
            "3");
  EXPECT_EQ(query(path_, "SELECT score FROM result_players WHERE result = 1 AND position = 1"),
            "NULL");
  EXPECT_EQ(query(path_, "SELECT mean FROM result_players WHERE result = 1 AND position = 0"),
            "1516.0");

  // It is the start that makes a match's id unique: another lobby on the folder counts anew.
  core::MatchResult later = duel(1, bob_, ann_);
  later.started = Time{5h};
  record(numbered(1, later));
  EXPECT_EQ(query(path_, "SELECT count(*) FROM results"), "3");

  accounts_.reset();
  open();
  EXPECT_THAT(shown(board()), HasSubstr("1=ann:"));
  const auto ann = loop_.log_in(*accounts_, "ann", "secret");
  ASSERT_EQ(ann.ratings.size(), 1u);
  EXPECT_EQ(ann.ratings[0].queue, "ranked");
  EXPECT_EQ(ann.ratings[0].mean, board().entries[0].rating);
}

TEST_F(ResultsTest, AFileFromBeforeThereWereRatings) {
  {
    const auto before =
        Database::open(path_, std::span(account_tables).first(1), std::chrono::milliseconds{100});
    ASSERT_TRUE(before) << before.error();
    EXPECT_EQ(before->run("INSERT INTO accounts VALUES (7, 'old', 'hash', 0)"), SQLITE_OK);
  }
  open_with_two();
  EXPECT_EQ(query(path_, "SELECT name FROM accounts WHERE id = 7"), "old");
  EXPECT_GT(ann_, 7);
  record(numbered(1, duel(1, ann_, 7)));
  EXPECT_EQ(shown(board()), "season 1: 1=ann:1516/1 2=old:1484/1");
}

TEST_F(ResultsTest, WhatIsNotRatedIsRecorded) {
  open_with_two();
  struct Row {
    const char* name;
    core::MatchResult result;
  };
  core::MatchResult guest = duel(1, ann_, 0);
  core::MatchResult twice = duel(2, ann_, ann_);
  core::MatchResult none = duel(3, ann_, bob_);
  none.rating.system = core::RatingSystem::none;
  core::MatchResult alone = duel(4, ann_, bob_);
  alone.players.pop_back();
  for (const Row& row : {Row{"a guest in it", guest}, Row{"an account twice", twice},
                         Row{"no system", none}, Row{"nobody to beat", alone}}) {
    SCOPED_TRACE(row.name);
    record(numbered(1, row.result));
    EXPECT_TRUE(recorded_.back().ratings.empty());
  }
  EXPECT_EQ(query(path_, "SELECT count(*) FROM results WHERE rated = 0"), "4");
  EXPECT_TRUE(board().entries.empty());
}

TEST_F(ResultsTest, EachSystemItsOwn) {
  open_with_two();
  core::MatchResult openskill = duel(1, ann_, bob_);
  openskill.queue = "openskill";
  openskill.rating = {.system = core::RatingSystem::openskill, .deviation = 500, .tau = 0};
  record(numbered(1, openskill));
  // 60 times the paper's 27.635231 and 8.065506.
  EXPECT_THAT(recorded_[0].ratings, ElementsAre(core::AccountRating{ann_, 1658, 484, 158},
                                                core::AccountRating{bob_, 1342, 484, -158}));
  core::MatchResult glicko2 = duel(2, ann_, bob_);
  glicko2.queue = "glicko2";
  glicko2.rating = {.system = core::RatingSystem::glicko2, .deviation = 350, .tau = 500};
  record(numbered(2, glicko2));
  EXPECT_THAT(recorded_[1].ratings, ElementsAre(core::AccountRating{ann_, 1662, 290, 162},
                                                core::AccountRating{bob_, 1338, 290, -162}));
  const auto ratings = ask<std::optional<std::vector<QueueRating>>>(
      [&](auto answer) { accounts_->read_ratings("bob", answer); });
  ASSERT_TRUE(ratings);
  ASSERT_EQ(ratings->size(), 2u);
  EXPECT_EQ((*ratings)[0].queue, "glicko2");
  EXPECT_EQ((*ratings)[0].entry.place, 2u);
  EXPECT_NEAR((*ratings)[0].entry.at_least, 1338 - 2 * 290, 2);
  EXPECT_NEAR((*ratings)[1].entry.at_least, 1342 - 3 * 484, 2);
}

TEST_F(ResultsTest, TeamsAndEverybodyForThemselves) {
  open_with_two();
  const auto cid = loop_.sign_up(*accounts_, "cid", "secret").account;
  const auto dan = loop_.sign_up(*accounts_, "dan", "secret").account;
  core::MatchResult teams = duel(1, ann_, bob_);
  teams.players = {{"ann", ann_, 0, 1, {}, 1000},
                   {"bob", bob_, 1, 2, {}, 1000},
                   {"cid", cid, 0, 1, {}, 0},  // Never came.
                   {"dan", dan, 1, 2, {}, 500}};
  record(numbered(1, teams));
  std::vector<std::int32_t> changes;
  for (const auto& rating : recorded_[0].ratings) changes.push_back(rating.change);
  EXPECT_THAT(changes, ElementsAre(16, -16, 0, -8));

  core::MatchResult crowd = teams;
  crowd.match = {2, 1};
  crowd.queue = "crowd";
  for (std::size_t i = 0; i < crowd.players.size(); ++i) {
    crowd.players[i].team = 0;
    crowd.players[i].rank = static_cast<std::uint32_t>(i + 1);
    crowd.players[i].played = 1000;
  }
  record(numbered(2, crowd));
  changes.clear();
  for (const auto& rating : recorded_[1].ratings) changes.push_back(rating.change);
  EXPECT_THAT(changes, ElementsAre(16, 5, -5, -16));
}

TEST_F(ResultsTest, KilledAfterTheCommitItIsRecordedOnce) {
  open_with_two();
  accounts_.reset();
  const auto die_having_recorded = [&] {
    const pid_t child = ::fork();
    if (child != 0) return child;
    TestLoop loop;
    AccountsNews news;
    news.recorded = [](const auto&) { ::kill(::getpid(), SIGKILL); };
    auto accounts = Accounts::open(path_, loop.poster(), cheap(), std::move(news));
    if (accounts) (*accounts)->record(numbered(1, duel(1, ann_, bob_)));
    loop.run_until([] { return false; });
    ::_exit(1);
  };
  int status = 0;
  ASSERT_EQ(::waitpid(die_having_recorded(), &status, 0) > 0, true);
  ASSERT_TRUE(WIFSIGNALED(status));
  open();
  record(numbered(1, duel(1, ann_, bob_)));
  EXPECT_EQ(recorded_[0].ratings[0].mean, 1516);
  EXPECT_EQ(shown(board()), "season 1: 1=ann:1516/1 2=bob:1484/1");
}

TEST_F(ResultsTest, WhileTheFileIsLockedTheyWaitAndThenComeInOrder) {
  open_with_two();
  accounts_.reset();
  AccountsOptions options = cheap();
  options.lock_wait = 10ms;
  open(options);
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  for (std::uint32_t i = 1; i <= 600; ++i) accounts_->record(numbered(i, duel(i, ann_, bob_)));
  ASSERT_TRUE(loop_.run_until([&] { return !troubles_.empty(); }));
  EXPECT_THAT(troubles_[0], HasSubstr("is locked by another program"));
  EXPECT_TRUE(recorded_.empty());
  EXPECT_EQ(loop_.log_in(*accounts_, "ann", "secret").outcome, AccountOutcome::ok)
      << "players come in meanwhile";
  EXPECT_EQ(loop_.sign_up(*accounts_, "eve", "secret").outcome,
            AccountOutcome::storage_unavailable);
  EXPECT_EQ(sqlite3_close(other), SQLITE_OK);
  ASSERT_TRUE(loop_.run_until([&] { return recorded_.size() == 600; }));
  for (std::size_t i = 0; i < recorded_.size(); ++i) EXPECT_EQ(recorded_[i].result, i + 1);
  EXPECT_THAT(troubles_, ElementsAre(StartsWith("storage:"), "")) << "told once, and taken back";
  EXPECT_EQ(query(path_, "SELECT count(*) FROM results"), "600");
}

TEST_F(ResultsTest, WhatWaitsWhenTheLobbyLeavesIsRecorded) {
  open_with_two();
  for (std::uint32_t i = 1; i <= 700; ++i) accounts_->record(numbered(i, duel(i, ann_, bob_)));
  accounts_.reset();
  EXPECT_EQ(query(path_, "SELECT count(*) FROM results"), "700");
}

TEST_F(ResultsTest, ASeasonEnds) {
  open_with_two();
  for (std::uint32_t i = 1; i <= 3; ++i) record(numbered(i, duel(i, ann_, bob_)));
  const core::Rating before = board().entries[0].rating;
  SeasonEnd end;
  end.queue = "ranked";
  end.rating = duel(1, ann_, bob_).rating;
  const auto ended = ask<SeasonEnded>([&](auto answer) { accounts_->end_season(end, answer); });
  EXPECT_EQ(ended.season, 1u);
  EXPECT_EQ(ended.players, 2u);
  const Leaderboard next = board();
  EXPECT_EQ(next.season, 2u);
  EXPECT_NEAR(next.entries[0].rating, 1500 + (before - 1500) / 2.0, 1);
  EXPECT_EQ(next.entries[0].matches, 0u);
  EXPECT_EQ(query(path_, "SELECT matches FROM season_ratings WHERE season = 1 AND account = 1"),
            "3");
  record(numbered(9, duel(9, ann_, bob_)));
  EXPECT_EQ(query(path_, "SELECT season FROM results WHERE id = 4"), "2");
  const auto ratings = ask<std::vector<core::AccountRating>>(
      [&](auto answer) { accounts_->read_ratings_in("ranked", {ann_, 99, bob_}, answer); });
  ASSERT_EQ(ratings.size(), 2u);
  EXPECT_EQ(ratings[0].mean, board().entries[0].rating);

  end.keep = 0;
  ask<SeasonEnded>([&](auto answer) { accounts_->end_season(end, answer); });
  EXPECT_EQ(board().entries[0].rating, 1500);
}

TEST_F(ResultsTest, PagesAndPlaces) {
  open();
  std::vector<std::int64_t> ids;
  for (const char* name : {"a", "b", "c", "d", "e"})
    ids.push_back(loop_.sign_up(*accounts_, name, "secret").account);
  // b beats a, c beats b, …: the later, the better; e and d have not lost to anybody worse.
  for (std::uint32_t i = 1; i < ids.size(); ++i) record(numbered(i, duel(i, ids[i], ids[i - 1])));
  const Leaderboard whole = board();
  EXPECT_EQ(whole.players, 5u);
  ASSERT_EQ(whole.entries.size(), 5u);
  for (std::size_t i = 1; i < whole.entries.size(); ++i)
    EXPECT_GE(whole.entries[i - 1].at_least, whole.entries[i].at_least);
  const Leaderboard middle = board(2, 2);
  ASSERT_EQ(middle.entries.size(), 2u);
  EXPECT_EQ(middle.entries[0].place, 3u);
  EXPECT_EQ(middle.entries[0].name, whole.entries[2].name);
  for (const LeaderboardEntry& entry : whole.entries) {
    const auto place =
        ask<Leaderboard>([&](auto answer) { accounts_->read_place("ranked", entry.name, answer); });
    ASSERT_EQ(place.entries.size(), 1u);
    EXPECT_EQ(place.entries[0].place, entry.place);
  }
  EXPECT_TRUE(ask<Leaderboard>([&](auto answer) {
                accounts_->read_place("ranked", "nobody", answer);
              }).entries.empty());
  EXPECT_TRUE(board(5, 10).entries.empty());
  EXPECT_FALSE(ask<std::optional<std::vector<QueueRating>>>(
      [&](auto answer) { accounts_->read_ratings("nobody", answer); }));
}

TEST_F(ResultsTest, BansHoldUntilTheyDoNot) {
  open_with_two();
  const auto ban = [&](const char* name, const char* reason,
                       std::optional<std::chrono::seconds> for_) {
    return ask<std::optional<Ban>>(
        [&](auto answer) { accounts_->ban(name, reason, for_, answer); });
  };
  const auto unban = [&](const char* name) {
    return ask<bool>([&](auto answer) { accounts_->unban(name, answer); });
  };
  const auto all = [&] {
    return ask<std::vector<Ban>>([&](auto answer) { accounts_->read_bans(10, answer); });
  };
  EXPECT_FALSE(ban("nobody", "", {}));
  const auto banned = ban("ann", "cheating", 168h);
  ASSERT_TRUE(banned);
  EXPECT_EQ(banned->account, ann_);
  EXPECT_EQ(*banned->until - banned->since, 7 * 24 * 3600);
  auto login = loop_.log_in(*accounts_, "ann", "secret");
  EXPECT_EQ(login.outcome, AccountOutcome::banned);
  EXPECT_THAT(login.detail, StartsWith("cheating; until 20"));
  EXPECT_EQ(loop_.log_in(*accounts_, "ann", "wrong").outcome, AccountOutcome::login_refused)
      << "who does not know the password is told nothing";
  EXPECT_EQ(loop_.log_in(*accounts_, "bob", "secret").outcome, AccountOutcome::ok);

  accounts_.reset();
  open();
  ASSERT_EQ(all().size(), 1u);
  EXPECT_EQ(all()[0].name, "ann");
  ban("ann", "", {});  // Changed.
  EXPECT_EQ(loop_.log_in(*accounts_, "ann", "secret").detail, "for good");
  EXPECT_TRUE(unban("ann"));
  EXPECT_FALSE(unban("ann"));
  EXPECT_EQ(loop_.log_in(*accounts_, "ann", "secret").outcome, AccountOutcome::ok);

  ban("bob", "late", 1h);
  query(path_, "UPDATE bans SET until = unixepoch() - 1");
  EXPECT_EQ(loop_.log_in(*accounts_, "bob", "secret").outcome, AccountOutcome::ok) << "it is over";
  EXPECT_TRUE(all().empty());
  EXPECT_FALSE(unban("bob"));
}

/// A core and its recorder, as the lobby has them: a match is played, everybody dies, it is rated
/// once.
TEST_F(ResultsTest, ThroughTheCore) {
  open_with_two();
  core::Config config;
  config.fleets.push_back({.name = "duel", .command = {"./duel"}, .ports = {7000, 7003}});
  config.queues.push_back({.name = "ranked", .players = 2, .teams = 2});
  config.queues[0].rating.system = core::RatingSystem::elo;
  core::Core core(config);
  Time now{1h};
  core::Effects effects;
  const auto step = [&](const core::Event& event) {
    effects.clear();
    core.step(event, now += 1ms, effects);
    for (const core::Effect& effect : effects)
      if (const auto* result = std::get_if<core::RecordResult>(&effect))
        if (accounts_) accounts_->record(*result);
  };
  step(core::NodeConnected{{0, 1}, "n", "127.0.0.1", {}});
  for (std::uint32_t i = 0; i < 2; ++i) {
    step(core::SessionOpened{{i, 1}});
    step(core::Hello{{i, 1}, 1, i == 0 ? "ann" : "bob", {}, i == 0 ? ann_ : bob_, {}});
    step(core::StartMatch{{i, 1}, 2, "ranked", 1, {}});
  }
  step(core::ServerReady{{0, 1}});
  step(core::MatchOver{{0, 1}, {0, 1}, "", {{{}, 0, 1}, {{}, 1, 2}}});
  ASSERT_TRUE(loop_.run_until([&] { return recorded_.size() == 1; }));
  // The lobby dies before it has heard. The next one asks again.
  recorded_.clear();
  step(core::LobbyStarted{});
  ASSERT_TRUE(loop_.run_until([&] { return recorded_.size() == 1; }));
  EXPECT_EQ(core.state().results.size(), 1u);
  step(recorded_[0]);
  EXPECT_TRUE(core.state().results.empty());
  EXPECT_EQ(core.state().totals.results_recorded, 1u);
  EXPECT_EQ(query(path_, "SELECT count(*) FROM results"), "1");
  EXPECT_EQ(core.state().players[core.state().accounts.at(ann_)].ratings[0].mean, 1516);
  EXPECT_EQ(shown(board()), "season 1: 1=ann:1516/1 2=bob:1484/1");
}

}  // namespace
}  // namespace muster::store
