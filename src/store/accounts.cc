#include "store/accounts.h"

#include <sodium.h>
#include <sqlite3.h>

#include <array>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"
#include "core/name.h"
#include "store/database.h"

namespace muster::store {
namespace {

// AUTOINCREMENT: the id of a deleted account is not given to a new one. TEXT compares as bytes.
constexpr Migration migrations[] = {
    {"accounts",
     "CREATE TABLE accounts ("
     " id INTEGER PRIMARY KEY AUTOINCREMENT,"
     " name TEXT NOT NULL UNIQUE,"
     " password_hash TEXT NOT NULL,"
     " created_at INTEGER NOT NULL) STRICT"},
};

struct Request {
  enum class Kind : std::uint8_t { sign_up, log_in };
  Kind kind;
  std::string name;
  std::string password;
  Accounts::Done done;
};

AccountResult unavailable(std::string why) {
  return {AccountOutcome::storage_unavailable, 0, std::move(why)};
}

}  // namespace

class Accounts::Worker {
 public:
  Worker(Database database, PostToLoop post_to_loop, AccountsOptions options)
      : database_(std::move(database)), post_to_loop_(std::move(post_to_loop)), options_(options) {}

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
    for (Request& request : waiting_)
      answer(request, unavailable("storage: the lobby is stopping"));
  }

  void post(Request request) {
    if (const auto refusal = check(request)) return answer(request, {*refusal, 0, {}});
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
      wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      Request request = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      answer(request, request.kind == Request::Kind::sign_up ? sign_up(request) : log_in(request));
      lock.lock();
    }
  }

  AccountResult sign_up(const Request& request) {
    // Asked before the hash is made: that a name is taken is no secret here.
    Statement find(database_, "SELECT 1 FROM accounts WHERE name = ?");
    if (!find) return unavailable(database_.error());
    find.bind(1, request.name);
    if (const int found = find.step(); found == SQLITE_ROW)
      return {AccountOutcome::name_taken, 0, {}};
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
    if (inserted == SQLITE_CONSTRAINT_UNIQUE) return {AccountOutcome::name_taken, 0, {}};
    if (inserted != SQLITE_DONE) return unavailable(database_.error());
    return {AccountOutcome::ok, sqlite3_last_insert_rowid(database_.handle()), {}};
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
        return {account == 0 ? AccountOutcome::name_unknown : AccountOutcome::login_refused, 0, {}};
      return unavailable(
          "storage: a password could not be verified: no memory, or its hash is "
          "damaged");
    }
    if (account == 0) return {AccountOutcome::name_unknown, 0, {}};
    keep_hash_current(account, password_hash, request.password);
    return {AccountOutcome::ok, account, {}};
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
  std::string nobodys_hash_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Request> waiting_;  // Under mutex_.
  bool stopping_ = false;        // Under mutex_.
  std::thread thread_;
};

std::expected<std::unique_ptr<Accounts>, std::string> Accounts::open(const std::string& path,
                                                                     PostToLoop post_to_loop,
                                                                     AccountsOptions options) {
  CHECK(sodium_init() >= 0, "libsodium needs only a source of random bytes");
  auto database = Database::open(path, migrations, options.lock_wait);
  if (!database) return std::unexpected(database.error());
  auto worker = std::make_unique<Worker>(std::move(*database), std::move(post_to_loop), options);
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

}  // namespace muster::store
