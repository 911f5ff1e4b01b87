#pragma once
// What the tests of the store share: a loop to post to, a folder to write in, a look from outside.

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>

#include "store/accounts.h"
#include "store/test_folder.h"

namespace muster::store {

/// Stands for the caller's loop: functions are posted from any thread and run by run_until().
class TestLoop {
 public:
  Accounts::PostToLoop poster() {
    return [this](std::function<void()> function) {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(function));
      wake_.notify_one();
    };
  }

  /// False if it has not come true within 20 s.
  bool run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      std::unique_lock lock(mutex_);
      if (!wake_.wait_until(lock, deadline, [&] { return !posted_.empty(); })) return false;
      const std::function<void()> next = std::move(posted_.front());
      posted_.pop_front();
      lock.unlock();
      next();
    }
    return true;
  }

  AccountResult sign_up(Accounts& accounts, std::string name, std::string password) {
    return ask([&](Accounts::Done done) { accounts.sign_up(name, password, std::move(done)); });
  }
  AccountResult log_in(Accounts& accounts, std::string name, std::string password) {
    return ask([&](Accounts::Done done) { accounts.log_in(name, password, std::move(done)); });
  }

 private:
  template <class Start>
  AccountResult ask(Start start) {
    std::optional<AccountResult> answer;
    start([&](AccountResult result) { answer = std::move(result); });
    EXPECT_TRUE(run_until([&] { return answer.has_value(); })) << "no answer within 20 s";
    return answer.value_or(AccountResult{});
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> posted_;
};

/// A hash that costs next to nothing.
inline AccountsOptions cheap() {
  AccountsOptions options;
  options.hash_memory_bytes = 8192;
  options.hash_passes = 1;
  return options;
}

inline std::unique_ptr<Accounts> open_or_die(const std::string& path, TestLoop& loop,
                                             AccountsOptions options = cheap()) {
  auto accounts = Accounts::open(path, loop.poster(), options);
  if (!accounts) throw std::runtime_error(accounts.error());
  return std::move(*accounts);
}

/// The first column of the last row, asked by a connection of its own; "error: …" if it fails.
inline std::string query(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  std::string answer;
  const auto keep = [](void* to, int, char** columns, char**) {
    *static_cast<std::string*>(to) = columns[0] ? columns[0] : "NULL";
    return 0;
  };
  sqlite3_open(path.c_str(), &db);
  sqlite3_busy_timeout(db, 10'000);
  if (sqlite3_exec(db, sql, keep, &answer, nullptr) != SQLITE_OK)
    answer = std::string("error: ") + sqlite3_errmsg(db);
  sqlite3_close(db);
  return answer;
}

}  // namespace muster::store
