#include "store/accounts.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <thread>
#include <vector>

#include "store/accounts_test_help.h"

namespace muster::store {
namespace {

using ::testing::HasSubstr;

class AccountsTest : public ::testing::Test {
 protected:
  TempFolder folder_;
  TestLoop loop_;
  std::string path_ = folder_.path + "/accounts.db";
};

TEST_F(AccountsTest, SignUpAndLogIn) {
  const auto accounts = open_or_die(path_, loop_);
  const auto ann = loop_.sign_up(*accounts, "ann", "secret");
  ASSERT_EQ(ann.outcome, AccountOutcome::ok) << ann.detail;
  EXPECT_GE(ann.account, 1);
  struct Row {
    const char* what;
    AccountResult got;
    AccountOutcome want;
  };
  const Row rows[] = {
      {"the right password", loop_.log_in(*accounts, "ann", "secret"), AccountOutcome::ok},
      {"a wrong one", loop_.log_in(*accounts, "ann", "Secret"), AccountOutcome::login_refused},
      {"its beginning", loop_.log_in(*accounts, "ann", "secre"), AccountOutcome::login_refused},
      {"none", loop_.log_in(*accounts, "ann", ""), AccountOutcome::login_refused},
      {"unknown", loop_.log_in(*accounts, "bob", "secret"), AccountOutcome::name_unknown},
      {"names are bytes", loop_.log_in(*accounts, "Ann", "secret"), AccountOutcome::name_unknown},
      {"no name", loop_.log_in(*accounts, "", "secret"), AccountOutcome::login_refused},
      {"SQL", loop_.log_in(*accounts, "' OR 1=1 --", "secret"), AccountOutcome::name_unknown},
      {"taken", loop_.sign_up(*accounts, "ann", "other"), AccountOutcome::name_taken},
      {"not taken in another case", loop_.sign_up(*accounts, "Ann", "x"), AccountOutcome::ok},
      {"bad name", loop_.sign_up(*accounts, "a\nb", "secret"), AccountOutcome::name_invalid},
      {"33 bytes", loop_.sign_up(*accounts, std::string(33, 'x'), "s"),
       AccountOutcome::name_invalid},
      {"not UTF-8", loop_.sign_up(*accounts, "\xff", "secret"), AccountOutcome::name_invalid},
      {"no password", loop_.sign_up(*accounts, "cid", ""), AccountOutcome::login_refused},
      {"128 bytes", loop_.sign_up(*accounts, "d", std::string(128, 'p')), AccountOutcome::ok},
      {"129", loop_.sign_up(*accounts, "e", std::string(129, 'p')), AccountOutcome::login_refused},
  };
  for (const Row& row : rows) EXPECT_EQ(row.got.outcome, row.want) << row.what;
  EXPECT_EQ(loop_.log_in(*accounts, "ann", "secret").account, ann.account);
  EXPECT_EQ(loop_.log_in(*accounts, "ann", "other").outcome, AccountOutcome::login_refused)
      << "a refused sign-up changes nothing";
}

TEST_F(AccountsTest, OnDiskBeforeItIsAcknowledged) {
  // A child that dies by SIGKILL the moment it hears "ok".
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    TestLoop loop;
    const auto accounts = open_or_die(path_, loop);
    if (loop.sign_up(*accounts, "ann", "secret").outcome == AccountOutcome::ok)
      ::kill(::getpid(), SIGKILL);
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child's sign-up was refused";
  const auto accounts = open_or_die(path_, loop_);
  EXPECT_EQ(loop_.log_in(*accounts, "ann", "secret").outcome, AccountOutcome::ok);
  EXPECT_EQ(loop_.sign_up(*accounts, "bob", "secret").account, 2);
}

TEST_F(AccountsTest, ReadableByItsOwnerAlone) {
  std::ofstream(path_).close();  // An empty file that was there before, open to all.
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
  const auto accounts = open_or_die(path_, loop_);
  ASSERT_EQ(loop_.sign_up(*accounts, "ann", "secret").outcome, AccountOutcome::ok);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info{};
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
  std::ifstream wal(path_ + "-wal", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(wal), {}};
  EXPECT_THAT(bytes, HasSubstr("$argon2id$"));
  EXPECT_THAT(bytes, ::testing::Not(HasSubstr("secret")));
}

TEST_F(AccountsTest, AnUnknownNameCostsWhatAWrongPasswordCosts) {
  AccountsOptions options;  // Two passes over 4 MiB: a few ms, far more than anything else here.
  options.hash_memory_bytes = 4u << 20;
  const auto accounts = open_or_die(path_, loop_, options);
  ASSERT_EQ(loop_.sign_up(*accounts, "ann", "secret").outcome, AccountOutcome::ok);
  const auto cpu_time_of_login = [&](const char* name) {
    double least = 1e9;  // CPU time, and the least of five: a busy machine changes neither much.
    for (int i = 0; i < 5; ++i) {
      timespec before{}, after{};
      ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
      EXPECT_NE(loop_.log_in(*accounts, name, "guess").outcome, AccountOutcome::ok);
      ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
      least = std::min(least, static_cast<double>(after.tv_sec - before.tv_sec) +
                                  1e-9 * static_cast<double>(after.tv_nsec - before.tv_nsec));
    }
    return least;
  };
  const double known = cpu_time_of_login("ann");
  const double unknown = cpu_time_of_login("bob");
  EXPECT_GT(unknown, known * 0.6);
  EXPECT_LT(unknown, known * 1.7);
}

TEST_F(AccountsTest, AHashIsRenewedWhenThePriceGoesUp) {
  {
    ASSERT_EQ(loop_.sign_up(*open_or_die(path_, loop_), "ann", "secret").account, 1);
  }
  AccountsOptions dearer = cheap();
  dearer.hash_memory_bytes = 64u << 10;
  {
    const auto accounts = open_or_die(path_, loop_, dearer);
    EXPECT_EQ(loop_.log_in(*accounts, "ann", "guess").outcome, AccountOutcome::login_refused);
    EXPECT_THAT(query(path_, "SELECT password_hash FROM accounts"), HasSubstr("m=8,"));
    EXPECT_EQ(loop_.log_in(*accounts, "ann", "secret").outcome, AccountOutcome::ok);
    EXPECT_EQ(loop_.log_in(*accounts, "ann", "secret").outcome, AccountOutcome::ok);
  }
  EXPECT_THAT(query(path_, "SELECT password_hash FROM accounts"), HasSubstr("m=64,"));
}

TEST_F(AccountsTest, TheQueueIsBoundedAndEveryRequestIsAnsweredOnce) {
  AccountsOptions options = cheap();
  options.requests_max = 3;
  options.hash_memory_bytes = 4u << 20;  // Slow enough that 50 requests outrun it.
  constexpr int requests = 50;
  std::vector<int> answers(requests, 0);
  std::vector<AccountOutcome> outcomes(requests);
  const auto accounts = open_or_die(path_, loop_, options);
  for (int i = 0; i < requests; ++i)
    accounts->sign_up("p" + std::to_string(i), "secret", [&, i](const AccountResult& result) {
      ++answers[i];
      outcomes[i] = result.outcome;
    });
  EXPECT_THAT(answers, ::testing::Each(0)) << "done is never called from within";
  ASSERT_TRUE(loop_.run_until([&] { return std::ranges::count(answers, 1) == requests; }));
  EXPECT_GE(std::ranges::count(outcomes, AccountOutcome::ok), 3);
  EXPECT_GE(std::ranges::count(outcomes, AccountOutcome::storage_unavailable), 1);
  EXPECT_EQ(loop_.sign_up(*accounts, "later", "secret").outcome, AccountOutcome::ok);
}

TEST_F(AccountsTest, TheDestructorAnswersWhatWaits) {
  AccountsOptions options = cheap();
  options.hash_memory_bytes = 4u << 20;
  constexpr int requests = 20;
  int answers = 0;
  {
    const auto accounts = open_or_die(path_, loop_, options);
    for (int i = 0; i < requests; ++i)
      accounts->log_in("ann", "secret", [&](const AccountResult&) { ++answers; });
  }
  EXPECT_TRUE(loop_.run_until([&] { return answers == requests; }));
}

TEST_F(AccountsTest, TwoAtOnceAgreeOnWhoHasAName) {
  const auto one = open_or_die(path_, loop_);
  const auto two = open_or_die(path_, loop_);
  constexpr int names = 30;
  int ok = 0, taken = 0;
  const auto count = [&](const AccountResult& result) {
    ok += result.outcome == AccountOutcome::ok;
    taken += result.outcome == AccountOutcome::name_taken;
  };
  std::thread other([&] {
    for (int i = 0; i < names; ++i) two->sign_up("p" + std::to_string(i), "two", count);
  });
  for (int i = 0; i < names; ++i) one->sign_up("p" + std::to_string(i), "one", count);
  other.join();
  ASSERT_TRUE(loop_.run_until([&] { return ok + taken == 2 * names; }));
  EXPECT_EQ(ok, names);
  EXPECT_EQ(query(path_, "SELECT count(*) FROM accounts"), std::to_string(names));
}

}  // namespace
}  // namespace muster::store
