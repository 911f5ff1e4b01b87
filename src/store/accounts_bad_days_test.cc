// Full disks, locks, damage: what the operator is told, and that it passes when its cause does.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "store/accounts.h"
#include "store/accounts_test_help.h"

namespace muster::store {
namespace {

using ::testing::HasSubstr;

std::string error_of_open(const std::string& path) {
  TestLoop loop;
  const auto accounts = Accounts::open(path, loop.poster(), cheap());
  return accounts ? "opened" : accounts.error();
}

/// Signs up until storage is unavailable; returns why. Every account acknowledged is counted.
std::string fill(Accounts& accounts, TestLoop& loop, int& acknowledged) {
  for (int i = 0; i < 100'000; ++i) {
    const auto result = loop.sign_up(accounts, "p" + std::to_string(acknowledged), "secret");
    if (result.outcome == AccountOutcome::storage_unavailable) return result.detail;
    EXPECT_EQ(result.outcome, AccountOutcome::ok);
    ++acknowledged;
  }
  return "it never filled up";
}

/// The other half of both full-disk tests: with room again, all is as if nothing had been.
void expect_recovered(Accounts& accounts, TestLoop& loop, const std::string& path,
                      int acknowledged) {
  EXPECT_EQ(loop.sign_up(accounts, "after", "secret").outcome, AccountOutcome::ok);
  EXPECT_EQ(loop.log_in(accounts, "p0", "secret").outcome, AccountOutcome::ok);
  EXPECT_EQ(query(path, "SELECT count(*) FROM accounts"), std::to_string(acknowledged + 1));
  EXPECT_EQ(query(path, "PRAGMA integrity_check"), "ok");
}

TEST(AccountsBadDays, AFullFileSystemRefusesAndRecovers) {
  TempFolder folder;
  std::string no_mount;
  // The mount is in a mount namespace of this thread (and of those it starts): it goes with them.
  std::thread([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=256k") != 0) {
      no_mount = std::strerror(errno);
      return;
    }
    const std::string path = folder.path + "/accounts.db";
    const std::string ballast = folder.path + "/ballast";
    {
      std::ofstream(ballast) << std::string(64u << 10, 'b');
      TestLoop loop;
      const auto accounts = open_or_die(path, loop);
      int acknowledged = 0;
      EXPECT_THAT(fill(*accounts, loop, acknowledged), HasSubstr("has no space left"));
      EXPECT_GT(acknowledged, 0);
      EXPECT_EQ(loop.log_in(*accounts, "p0", "secret").outcome, AccountOutcome::ok)
          << "what only reads goes on";
      EXPECT_EQ(::unlink(ballast.c_str()), 0);
      expect_recovered(*accounts, loop, path, acknowledged);
    }
    {  // And a lobby that starts on a full disk is told so.
      std::ofstream full(ballast);
      while (full << std::string(1024, 'b') << std::flush) continue;
    }
    EXPECT_THAT(error_of_open(folder.path + "/second.db"), HasSubstr("space"));
    ::umount(folder.path.c_str());
  }).join();
  if (!no_mount.empty())
    GTEST_SKIP() << "no tmpfs can be mounted here (" << no_mount
                 << "); AFileSizeLimitRefusesAndRecovers covers a failing write";
}

/// Results wait while there is no room, and are recorded once there is.
TEST(AccountsBadDays, ResultsOutlastAFullDisk) {
  TempFolder folder;
  std::string no_mount;
  std::thread([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=512k") != 0) {
      no_mount = std::strerror(errno);
      return;
    }
    const std::string path = folder.path + "/accounts.db";
    const std::string ballast = folder.path + "/ballast";
    {
      TestLoop loop;
      AccountsOptions options = cheap();
      options.retry_wait = std::chrono::milliseconds(5);
      std::uint64_t recorded = 0;
      std::vector<std::string> troubles;
      AccountsNews news;
      news.recorded = [&](const std::vector<core::ResultRecorded>& all) {
        for (const core::ResultRecorded& one : all) EXPECT_EQ(one.result, ++recorded);
      };
      news.trouble = [&](std::string why) { troubles.push_back(std::move(why)); };
      auto accounts = Accounts::open(path, loop.poster(), options, std::move(news));
      ASSERT_TRUE(accounts);
      const auto ann = loop.sign_up(**accounts, "ann", "secret").account;
      const auto bob = loop.sign_up(**accounts, "bob", "secret").account;
      std::ofstream(ballast) << std::string(128u << 10, 'b');
      std::uint32_t handed_in = 0;
      const auto play = [&] {
        core::MatchResult result;
        result.match = {++handed_in, 1};
        result.queue = "ranked";
        result.rating.system = core::RatingSystem::elo;
        result.players = {{"ann", ann, 0, 1, {}, 1000}, {"bob", bob, 1, 2, {}, 1000}};
        (*accounts)->record({handed_in, std::make_shared<const core::MatchResult>(result)});
      };
      while (troubles.empty() && handed_in < 100'000) {
        play();
        ASSERT_TRUE(loop.run_until([&] { return recorded == handed_in || !troubles.empty(); }));
      }
      ASSERT_FALSE(troubles.empty()) << "it never filled up";
      EXPECT_THAT(troubles[0], HasSubstr("has no space left"));
      for (int i = 0; i < 300; ++i) play();
      EXPECT_EQ(loop.log_in(**accounts, "ann", "secret").outcome, AccountOutcome::ok);
      EXPECT_LT(recorded, handed_in);
      EXPECT_EQ(::unlink(ballast.c_str()), 0);
      ASSERT_TRUE(loop.run_until([&] { return recorded == handed_in; }));
      EXPECT_EQ(troubles.back(), "");
      EXPECT_EQ(query(path, "SELECT count(*) FROM results"), std::to_string(handed_in));
      EXPECT_EQ(query(path, "SELECT matches FROM ratings WHERE account = 1"),
                std::to_string(handed_in));
      EXPECT_EQ(query(path, "PRAGMA integrity_check"), "ok");
    }
    ::umount(folder.path.c_str());
  }).join();
  if (!no_mount.empty()) GTEST_SKIP() << "no tmpfs can be mounted here: " << no_mount;
}

TEST(AccountsBadDays, AFileSizeLimitRefusesAndRecovers) {
  TempFolder folder;
  const std::string path = folder.path + "/accounts.db";
  TestLoop loop;
  const auto accounts = open_or_die(path, loop);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 200u << 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  int acknowledged = 0;
  const std::string why = fill(*accounts, loop, acknowledged);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_THAT(why, HasSubstr(path + " cannot be read or written"));
  EXPECT_GT(acknowledged, 0);
  expect_recovered(*accounts, loop, path, acknowledged);
}

TEST(AccountsBadDays, LockedByAnotherProgram) {
  TempFolder folder;
  const std::string path = folder.path + "/accounts.db";
  TestLoop loop;
  AccountsOptions options = cheap();
  options.lock_wait = std::chrono::milliseconds(20);
  const auto accounts = open_or_die(path, loop, options);
  ASSERT_EQ(loop.sign_up(*accounts, "ann", "secret").outcome, AccountOutcome::ok);

  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto refused = loop.sign_up(*accounts, "bob", "secret");
  EXPECT_EQ(refused.outcome, AccountOutcome::storage_unavailable);
  EXPECT_THAT(refused.detail, HasSubstr("is locked by another program"));
  EXPECT_EQ(loop.log_in(*accounts, "ann", "secret").outcome, AccountOutcome::ok)
      << "readers do not wait for writers";
  EXPECT_EQ(sqlite3_close(other), SQLITE_OK);
  EXPECT_EQ(loop.sign_up(*accounts, "bob", "secret").outcome, AccountOutcome::ok);
}

TEST(AccountsBadDays, WhatCannotBeOpenedSaysWhy) {
  TempFolder folder;
  const std::string missing = folder.path + "/nowhere/accounts.db";
  EXPECT_THAT(error_of_open(missing), HasSubstr(missing + " cannot be created: No such file"));
  EXPECT_THAT(error_of_open(folder.path), HasSubstr(folder.path));

  const std::string text = folder.path + "/text";
  std::ofstream(text) << std::string(5000, 'x');
  EXPECT_THAT(error_of_open(text), HasSubstr(text + " is damaged or not a SQLite database"));

  const std::string newer = folder.path + "/newer";
  ASSERT_EQ(error_of_open(newer), "opened");
  query(newer, "INSERT INTO migrations VALUES (99, 'from the future', 0)");
  EXPECT_THAT(error_of_open(newer), HasSubstr("version 99; this program knows up to 2"));
}

TEST(AccountsBadDays, DamageIsFoundAtStart) {
  TempFolder folder;
  const std::string path = folder.path + "/accounts.db";
  {
    TestLoop loop;
    const auto accounts = open_or_die(path, loop);
    for (int i = 0; i < 200; ++i)
      ASSERT_EQ(loop.sign_up(*accounts, "p" + std::to_string(i), "secret").outcome,
                AccountOutcome::ok);
  }
  ASSERT_EQ(query(path, "PRAGMA wal_checkpoint(TRUNCATE)"), "0");
  ASSERT_GT(std::filesystem::file_size(path), 30'000u);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(16'384) << std::string(8192, '\xa5');  // Two pages in the middle.
  file.close();
  EXPECT_THAT(error_of_open(path), HasSubstr(path + " is damaged"));
}

TEST(AccountsBadDays, ReadOnly) {
  TempFolder folder;
  const std::string path = folder.path + "/accounts.db";
  ASSERT_EQ(error_of_open(path), "opened");
  ASSERT_EQ(::chmod(path.c_str(), 0444), 0);
  std::string error, new_file_error;
  // Root may write anything, so a root test looks with the eyes of nobody: of this thread alone.
  std::thread([&] {
    if (::geteuid() == 0) {
      ASSERT_EQ(::chmod(folder.path.c_str(), 0755), 0);
      ::setfsuid(65534);
      ASSERT_EQ(::setfsuid(65534), 65534) << "the file-system user did not change";
    } else {
      ASSERT_EQ(::chmod(folder.path.c_str(), 0555), 0);
    }
    error = error_of_open(path);
    new_file_error = error_of_open(folder.path + "/new.db");
  }).join();
  ASSERT_EQ(::chmod(folder.path.c_str(), 0755), 0);
  // The owner's mode is repaired; for everyone else it cannot be.
  if (::geteuid() == 0) {
    EXPECT_THAT(error, HasSubstr(path + " can be read by others"));
  }
  EXPECT_THAT(new_file_error, HasSubstr("new.db cannot be created: Permission denied"));

  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  std::thread([&] {
    if (::geteuid() == 0) {
      ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
      ::setfsuid(65534);
    }
    error = error_of_open(path);
  }).join();
  EXPECT_THAT(error, HasSubstr(path + " is read-only"));
}

}  // namespace
}  // namespace muster::store
