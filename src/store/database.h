#pragma once
// A SQLite file of the lobby's own: opened so that a commit outlasts a power failure, migrated to
// the version this program knows, and readable by its owner alone.

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace muster::store {

/// A step from one version of the tables to the next. Version n is the nth of its list, from 1;
/// one that has been released is never changed.
struct Migration {
  const char* name;
  const char* sql;
};

/// One connection; one thread at a time. Journal mode WAL, synchronous FULL.
class Database {
 public:
  /// Creates the file (mode 0600) if it is missing, checks it, and applies the migrations it has
  /// not seen, all or none. An error is one sentence that names the file and what to do.
  /// `lock_wait`: how long a statement waits for another process that holds the file.
  static std::expected<Database, std::string> open(const std::string& path,
                                                   std::span<const Migration> migrations,
                                                   std::chrono::milliseconds lock_wait);

  /// "storage: data/accounts.db is full (…)": what the last failed call met, for the log.
  std::string error() const;

  sqlite3* handle() const { return db_.get(); }
  /// Statements without values. SQLITE_OK, or what went wrong.
  int run(const char* sql) const;

 private:
  struct Close {
    void operator()(sqlite3* db) const;
  };

  Database(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}
  std::expected<void, std::string> set_up(std::chrono::milliseconds lock_wait);
  std::expected<void, std::string> migrate(std::span<const Migration> migrations);

  std::string path_;
  std::unique_ptr<sqlite3, Close> db_;
};

/// What is written in between is written together at commit(), or not at all. Statements end before
/// it does.
class Transaction {
 public:
  /// Waits for other writers as long as a statement does. Empty if it cannot begin.
  explicit Transaction(const Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  explicit operator bool() const { return open_; }
  /// True: it is on the disk.
  bool commit();

 private:
  const Database& database_;
  bool open_ = false;
};

/// A prepared statement. Bind, step, read; destroying it ends what it began.
class Statement {
 public:
  /// Empty if it cannot be prepared: Database::error() says why.
  Statement(const Database& database, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  explicit operator bool() const { return statement_ != nullptr; }
  void bind(int position, std::string_view text);
  void bind(int position, std::int64_t number);
  void bind_real(int position, double number);  // What is not bound is NULL.
  /// SQLITE_ROW, SQLITE_DONE, or an extended result code that says what went wrong.
  int step();
  /// To be bound and stepped again.
  void reset();
  std::int64_t number(int column) const;
  double real(int column) const;
  bool is_null(int column) const;
  /// Good until the next step.
  std::string_view text(int column) const;

 private:
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace muster::store
