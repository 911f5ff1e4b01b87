#include "store/accounts.h"

#include <sodium.h>
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "core/name.h"
#include "store/database.h"
#include "store/results.h"
#include "store/tables.h"

namespace muster::store {
namespace {

/// Of a player: costs a hash.
struct Request {
  enum class Kind : std::uint8_t { sign_up, log_in };
  Kind kind;
  std::string name;
  std::string password;
  Accounts::Done done;
};

/// Of an operator, or the lobby: quick. Given no database, it answers that it was not done.
using Task = std::function<void(const Database*)>;

constexpr std::size_t results_at_once_max = 256;  // In one commit.

AccountResult unavailable(std::string why) {
  return {AccountOutcome::storage_unavailable, 0, std::move(why), {}};
}

}  // namespace

class Accounts::Worker {
 public:
  Worker(Database database, PostToLoop post_to_loop, AccountsOptions options, AccountsNews news)
      : database_(std::move(database)),
        post_to_loop_(std::move(post_to_loop)),
        options_(options),
        news_(std::move(news)) {}

  /// False if there is not even memory for one hash.
  bool start() {
    // What an unknown name is verified against, so that it costs what a wrong password costs.
    std::array<char, 32> nobodys_password;
    randombytes_buf(nobodys_password.data(), nobodys_password.size());
    nobodys_hash_ = hash({nobodys_password.data(), nobodys_password.size()});
    if (nobodys_hash_.empty()) return false;
    thread_ = std::thread([this] { run(); });
    return true;
  }

  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    for (const Task& task : tasks_) task(nullptr);
    for (Request& request : waiting_)
      answer(request, unavailable("storage: the lobby is stopping"));
  }

  void post(Request request) {
    if (const auto refusal = check(request)) return answer(request, {*refusal});
    {
      const std::lock_guard lock(mutex_);
      if (!stopping_ && waiting_.size() < options_.requests_max) {
        waiting_.push_back(std::move(request));
        wake_.notify_one();
        return;
      }
    }
    answer(request, unavailable("storage: too many logins are waiting"));
  }

  void record(core::RecordResult result) {
    const std::lock_guard lock(mutex_);
    results_.push_back(std::move(result));
    wake_.notify_one();
  }

  /// `ask` runs on the thread, `answer` on the loop.
  template <class T, class Ask>
  void post_task(Ask ask, Answer<T> answer) {
    Task task = [this, ask = std::move(ask), answer = std::move(answer)](const Database* database) {
      OrError<T> got = database ? ask(*database)
                                : std::unexpected(std::string(
                                      "storage: too much is asked for at once, or the lobby is "
                                      "stopping"));
      post_to_loop_([answer, got = std::move(got)]() mutable { answer(std::move(got)); });
    };
    {
      const std::lock_guard lock(mutex_);
      if (!stopping_ && tasks_.size() < options_.requests_max) {
        tasks_.push_back(std::move(task));
        wake_.notify_one();
        return;
      }
    }
    task(nullptr);
  }

 private:
  /// What needs neither hash nor disk.
  static std::optional<AccountOutcome> check(const Request& request) {
    const bool name_valid = core::name_valid(request.name);
    if (!name_valid && request.kind == Request::Kind::sign_up) return AccountOutcome::name_invalid;
    if (!name_valid || request.password.size() > password_bytes_max)
      return AccountOutcome::login_refused;
    if (request.password.empty() && request.kind == Request::Kind::sign_up)
      return AccountOutcome::login_refused;
    return std::nullopt;
  }

  void run() {
    for (std::unique_lock lock(mutex_);;) {
      const auto something = [&] {
        return stopping_ || !tasks_.empty() || !waiting_.empty() ||
               (!results_.empty() && !retry_at_);
      };
      if (retry_at_)
        wake_.wait_until(lock, *retry_at_, something);
      else
        wake_.wait(lock, something);
      if (stopping_ || (retry_at_ && std::chrono::steady_clock::now() >= *retry_at_))
        retry_at_.reset();
      if (!results_.empty() && !retry_at_) {
        record_waiting(lock);
        if (stopping_ && !results_.empty() && !retry_at_) continue;  // More than one commit's.
      }
      if (stopping_) return;
      if (!tasks_.empty()) {
        const Task task = std::move(tasks_.front());
        tasks_.pop_front();
        lock.unlock();
        task(&database_);
        lock.lock();
      } else if (!waiting_.empty()) {
        Request request = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        answer(request,
               request.kind == Request::Kind::sign_up ? sign_up(request) : log_in(request));
        lock.lock();
      }
    }
  }

  /// Whatever waits, in one commit. If that fails, all of it waits for another time.
  void record_waiting(std::unique_lock<std::mutex>& lock) {
    const std::size_t count = std::min(results_.size(), results_at_once_max);
    const std::vector<core::RecordResult> batch(results_.begin(),
                                                results_.begin() + static_cast<long>(count));
    lock.unlock();
    auto recorded = record_results(database_, batch);
    if (recorded) {
      if (std::exchange(in_trouble_, false)) tell(news_.trouble, std::string());
      tell(news_.recorded, std::move(*recorded));
    } else if (!std::exchange(in_trouble_, true)) {
      tell(news_.trouble, recorded.error());
    }
    lock.lock();
    if (recorded)
      results_.erase(results_.begin(), results_.begin() + static_cast<long>(count));
    else
      retry_at_ = std::chrono::steady_clock::now() + options_.retry_wait;
  }

  template <class T>
  void tell(const std::function<void(T)>& listener, T news) const {
    if (!listener) return;
    post_to_loop_([listener, news = std::move(news)]() mutable { listener(std::move(news)); });
  }

  AccountResult sign_up(const Request& request) {
    // Asked before the hash is made: that a name is taken is no secret here.
    Statement find(database_, "SELECT 1 FROM accounts WHERE name = ?");
    if (!find) return unavailable(database_.error());
    find.bind(1, request.name);
    if (const int found = find.step(); found == SQLITE_ROW)
      return {AccountOutcome::name_taken};
    else if (found != SQLITE_DONE)
      return unavailable(database_.error());

    const std::string password_hash = hash(request.password);
    if (password_hash.empty()) return unavailable("storage: no memory to hash a password");
    // A statement by itself is a transaction: SQLITE_DONE says that it is on the disk.
    Statement insert(database_,
                     "INSERT INTO accounts (name, password_hash, created_at)"
                     " VALUES (?, ?, unixepoch())");
    if (!insert) return unavailable(database_.error());
    insert.bind(1, request.name);
    insert.bind(2, std::string_view(password_hash));
    const int inserted = insert.step();
    if (inserted == SQLITE_CONSTRAINT_UNIQUE) return {AccountOutcome::name_taken};
    if (inserted != SQLITE_DONE) return unavailable(database_.error());
    return {AccountOutcome::ok, sqlite3_last_insert_rowid(database_.handle()), {}, {}};
  }

  AccountResult log_in(const Request& request) {
    std::int64_t account = 0;
    std::string password_hash = nobodys_hash_;
    {
      Statement find(database_, "SELECT id, password_hash FROM accounts WHERE name = ?");
      if (!find) return unavailable(database_.error());
      find.bind(1, request.name);
      const int found = find.step();
      if (found == SQLITE_ROW) {
        account = find.number(0);
        password_hash = find.text(1);
      } else if (found != SQLITE_DONE) {
        return unavailable(database_.error());
      }
    }
    errno = 0;
    if (crypto_pwhash_str_verify(password_hash.c_str(), request.password.data(),
                                 request.password.size()) != 0) {
      // EINVAL is libsodium's "another password"; anything else is no memory, or no argon2 hash.
      if (errno == EINVAL)
        return {account == 0 ? AccountOutcome::name_unknown : AccountOutcome::login_refused};
      return unavailable(
          "storage: a password could not be verified: no memory, or its hash is "
          "damaged");
    }
    if (account == 0) return {AccountOutcome::name_unknown};
    auto banned = ban_of(database_, account);
    if (!banned) return unavailable(banned.error());
    if (*banned) return {AccountOutcome::banned, 0, to_text(**banned), {}};
    auto ratings = stored_ratings(database_, account);
    if (!ratings) return unavailable(ratings.error());
    keep_hash_current(account, password_hash, request.password);
    return {AccountOutcome::ok, account, {}, std::move(*ratings)};
  }

  /// The one moment the password is known is the moment to hash it at today's price. If that cannot
  /// be stored now, a later login does it.
  void keep_hash_current(std::int64_t account, const std::string& password_hash,
                         const std::string& password) {
    if (crypto_pwhash_str_needs_rehash(password_hash.c_str(), options_.hash_passes,
                                       options_.hash_memory_bytes) != 1)
      return;
    const std::string renewed = hash(password);
    Statement update(database_, "UPDATE accounts SET password_hash = ? WHERE id = ?");
    if (renewed.empty() || !update) return;
    update.bind(1, std::string_view(renewed));
    update.bind(2, account);
    update.step();
  }

  /// Empty if there is no memory for it.
  std::string hash(std::string_view password) const {
    char text[crypto_pwhash_STRBYTES];
    if (crypto_pwhash_str(text, password.data(), password.size(), options_.hash_passes,
                          options_.hash_memory_bytes) != 0)
      return {};
    return text;
  }

  void answer(Request& request, AccountResult result) const {
    sodium_memzero(request.password.data(), request.password.size());
    post_to_loop_([done = std::move(request.done), result = std::move(result)]() mutable {
      done(std::move(result));
    });
  }

  Database database_;  // After start() only the thread's.
  const PostToLoop post_to_loop_;
  const AccountsOptions options_;
  const AccountsNews news_;
  bool in_trouble_ = false;  // The thread's.
  std::string nobodys_hash_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Request> waiting_;  // Under mutex_, as all below.
  std::deque<Task> tasks_;
  std::deque<core::RecordResult> results_;
  std::optional<std::chrono::steady_clock::time_point> retry_at_;  // Of results that failed.
  bool stopping_ = false;
  std::thread thread_;
};

std::expected<std::unique_ptr<Accounts>, std::string> Accounts::open(const std::string& path,
                                                                     PostToLoop post_to_loop,
                                                                     AccountsOptions options,
                                                                     AccountsNews news) {
  CHECK(sodium_init() >= 0, "libsodium needs only a source of random bytes");
  auto database = Database::open(path, account_tables, options.lock_wait);
  if (!database) return std::unexpected(database.error());
  auto worker = std::make_unique<Worker>(std::move(*database), std::move(post_to_loop), options,
                                         std::move(news));
  if (!worker->start())
    return std::unexpected(
        std::string("accounts: no memory for one password hash: give the lobby more, or lower its "
                    "hash_memory_bytes"));
  return std::unique_ptr<Accounts>(new Accounts(std::move(worker)));
}

Accounts::Accounts(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
Accounts::~Accounts() = default;

void Accounts::sign_up(std::string name, std::string password, Done done) {
  worker_->post({Request::Kind::sign_up, std::move(name), std::move(password), std::move(done)});
}

void Accounts::log_in(std::string name, std::string password, Done done) {
  worker_->post({Request::Kind::log_in, std::move(name), std::move(password), std::move(done)});
}

void Accounts::record(core::RecordResult result) { worker_->record(std::move(result)); }

void Accounts::read_leaderboard(std::string queue, std::uint64_t offset, std::uint32_t limit,
                                Answer<Leaderboard> answer) {
  worker_->post_task<Leaderboard>(
      [queue = std::move(queue), offset, limit](const Database& database) {
        return leaderboard(database, queue, offset, limit);
      },
      std::move(answer));
}

void Accounts::read_place(std::string queue, std::string name, Answer<Leaderboard> answer) {
  worker_->post_task<Leaderboard>(
      [queue = std::move(queue), name = std::move(name)](const Database& database) {
        return place_of(database, queue, name);
      },
      std::move(answer));
}

void Accounts::read_ratings(std::string name,
                            Answer<std::optional<std::vector<QueueRating>>> answer) {
  worker_->post_task<std::optional<std::vector<QueueRating>>>(
      [name = std::move(name)](const Database& database) { return ratings_of(database, name); },
      std::move(answer));
}

void Accounts::read_ratings_in(std::string queue, std::vector<std::int64_t> accounts,
                               Answer<std::vector<core::AccountRating>> answer) {
  worker_->post_task<std::vector<core::AccountRating>>(
      [queue = std::move(queue), accounts = std::move(accounts)](const Database& database) {
        return ratings_in(database, queue, accounts);
      },
      std::move(answer));
}

void Accounts::end_season(SeasonEnd end, Answer<SeasonEnded> answer) {
  worker_->post_task<SeasonEnded>(
      [end = std::move(end)](const Database& database) { return store::end_season(database, end); },
      std::move(answer));
}

void Accounts::ban(std::string name, std::string reason, std::optional<std::chrono::seconds> for_,
                   Answer<std::optional<Ban>> answer) {
  worker_->post_task<std::optional<Ban>>(
      [name = std::move(name), reason = std::move(reason), for_](const Database& database) {
        return store::ban(database, name, reason, for_);
      },
      std::move(answer));
}

void Accounts::unban(std::string name, Answer<bool> answer) {
  worker_->post_task<bool>(
      [name = std::move(name)](const Database& database) { return store::unban(database, name); },
      std::move(answer));
}

void Accounts::read_bans(std::uint32_t limit, Answer<std::vector<Ban>> answer) {
  worker_->post_task<std::vector<Ban>>(
      [limit](const Database& database) { return bans(database, limit); }, std::move(answer));
}

void Accounts::read_banned(std::vector<std::int64_t> among,
                           Answer<std::vector<std::int64_t>> answer) {
  worker_->post_task<std::vector<std::int64_t>>(
      [among = std::move(among)](const Database& database) {
        return banned_among(database, among);
      },
      std::move(answer));
}

}  // namespace muster::store
