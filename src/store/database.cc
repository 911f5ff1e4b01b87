#include "store/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace muster::store {
namespace {

/// The file, made for its owner alone before SQLite sees it; -wal and -shm take its mode.
/// A file already there is never opened here: closing it would drop the locks that SQLite has on it
/// elsewhere in this process.
std::expected<void, std::string> create_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return {};
  }
  if (errno != EEXIST)
    return std::unexpected(
        fmt::format("storage: {} cannot be created: {}. Check that its folder exists, is writable "
                    "and has space.",
                    path, std::strerror(errno)));
  struct stat info;
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0 &&
      ::chmod(path.c_str(), 0600) != 0)
    return std::unexpected(
        fmt::format("storage: {} can be read by others and its mode cannot be changed: {}. It "
                    "holds password hashes: chmod 600 it as its owner.",
                    path, std::strerror(errno)));
  return {};
}

/// What went wrong, as a person would say it; what to do about it.
std::pair<const char*, const char*> explain(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {"has no space left", "Free some space; nothing need be restarted."};
    case SQLITE_READONLY:
      return {"is read-only", "Make the file and its folder writable."};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {"is locked by another program", "Close what else has it open."};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {"is damaged or not a SQLite database",
              "Put a backup in its place, or move it away to begin with an empty one."};
    case SQLITE_CANTOPEN:
      return {"cannot be opened", "Check that it and its folder are there, and their owner."};
    case SQLITE_IOERR:
      return {"cannot be read or written", "Look at the disk and its limits."};
    default:
      return {"does not work", "This is not expected: please report it."};
  }
}

std::string describe(const std::string& path, int code, const char* message) {
  const auto [what, remedy] = explain(code);
  return fmt::format("storage: {} {} (SQLite {}: {}). {}", path, what, code, message, remedy);
}

}  // namespace

std::expected<Database, std::string> Database::open(const std::string& path,
                                                    std::span<const Migration> migrations,
                                                    std::chrono::milliseconds lock_wait) {
  if (auto created = create_private(path); !created) return std::unexpected(created.error());
  sqlite3* db = nullptr;
  const int opened =
      sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(path, db);
  if (opened != SQLITE_OK)
    return std::unexpected(describe(path, opened, db ? sqlite3_errmsg(db) : "out of memory"));
  if (auto ok = database.set_up(lock_wait); !ok) return std::unexpected(ok.error());
  if (auto ok = database.migrate(migrations); !ok) return std::unexpected(ok.error());
  return database;
}

std::expected<void, std::string> Database::set_up(std::chrono::milliseconds lock_wait) {
  sqlite3_extended_result_codes(db_.get(), 1);
  sqlite3_busy_timeout(db_.get(), static_cast<int>(lock_wait.count()));
  // SQLite falls back to reading if the file cannot be written; we would rather know now.
  if (sqlite3_db_readonly(db_.get(), "main") == 1)
    return std::unexpected(describe(path_, SQLITE_READONLY, "opened read-only"));
  if (run("PRAGMA journal_mode = WAL") != SQLITE_OK) return std::unexpected(error());
  if (run("PRAGMA synchronous = FULL") != SQLITE_OK) return std::unexpected(error());
  // Damage found at start is a sentence to the operator; found later, it is a player's failed
  // login.
  Statement check(*this, "PRAGMA quick_check(1)");
  if (!check || check.step() != SQLITE_ROW) return std::unexpected(error());
  if (check.text(0) != "ok")
    return std::unexpected(describe(path_, SQLITE_CORRUPT, std::string(check.text(0)).c_str()));
  return {};
}

std::expected<void, std::string> Database::migrate(std::span<const Migration> migrations) {
  const auto give_up = [&] {
    const std::string why = error();
    run("ROLLBACK");
    return std::unexpected(why);
  };
  // IMMEDIATE: of two programs that start at once, the second waits and then finds nothing to do.
  if (run("BEGIN IMMEDIATE") != SQLITE_OK) return std::unexpected(error());
  if (run("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL,"
          " applied_at INTEGER NOT NULL) STRICT") != SQLITE_OK)
    return give_up();
  std::int64_t version = 0;
  {
    Statement newest(*this, "SELECT coalesce(max(version), 0) FROM migrations");
    if (!newest || newest.step() != SQLITE_ROW) return give_up();
    version = newest.number(0);
  }
  if (version > std::ssize(migrations)) {
    run("ROLLBACK");
    return std::unexpected(
        fmt::format("storage: {} has tables of version {}; this program knows up to {}. Run the "
                    "newer muster that wrote it.",
                    path_, version, migrations.size()));
  }
  for (const Migration& next : migrations.subspan(static_cast<std::size_t>(version))) {
    if (run(next.sql) != SQLITE_OK) return give_up();
    Statement note(*this, "INSERT INTO migrations VALUES (?, ?, unixepoch())");
    if (!note) return give_up();
    note.bind(1, ++version);
    note.bind(2, std::string_view(next.name));
    if (note.step() != SQLITE_DONE) return give_up();
  }
  if (run("COMMIT") != SQLITE_OK) return give_up();
  return {};
}

std::string Database::error() const {
  return describe(path_, sqlite3_extended_errcode(db_.get()), sqlite3_errmsg(db_.get()));
}

int Database::run(const char* sql) const {
  return sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
}

void Database::Close::operator()(sqlite3* db) const { sqlite3_close_v2(db); }

Transaction::Transaction(const Database& database)
    : database_(database), open_(database.run("BEGIN IMMEDIATE") == SQLITE_OK) {}

Transaction::~Transaction() {
  if (open_) database_.run("ROLLBACK");
}

bool Transaction::commit() {
  // One that fails may or may not have been rolled back by SQLite itself.
  if (database_.run("COMMIT") != SQLITE_OK) return false;
  open_ = false;
  return true;
}

Statement::Statement(const Database& database, std::string_view sql) {
  sqlite3_prepare_v2(database.handle(), sql.data(), static_cast<int>(sql.size()), &statement_,
                     nullptr);
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::bind(int position, std::string_view text) {
  const int bound = sqlite3_bind_text(statement_, position, text.data(),
                                      static_cast<int>(text.size()), SQLITE_TRANSIENT);
  CHECK(bound == SQLITE_OK || bound == SQLITE_NOMEM, "the statement has this parameter");
}

void Statement::bind(int position, std::int64_t number) {
  CHECK(sqlite3_bind_int64(statement_, position, number) == SQLITE_OK,
        "the statement has this parameter");
}

void Statement::bind_real(int position, double number) {
  CHECK(sqlite3_bind_double(statement_, position, number) == SQLITE_OK,
        "the statement has this parameter");
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

double Statement::real(int column) const { return sqlite3_column_double(statement_, column); }

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

int Statement::step() { return sqlite3_step(statement_); }

std::int64_t Statement::number(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return {bytes ? bytes : "", static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

}  // namespace muster::store
