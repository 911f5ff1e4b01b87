#include "store/backup.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "store/journal.h"
#include "store/journal_reader.h"
#include "store/snapshot.h"

namespace muster::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

/// A running lobby removes old files between their listing and their opening: then they are listed
/// again.
constexpr int listings_max = 100;
constexpr auto accounts_patience = seconds{10};

std::unexpected<std::string> refuse(std::string_view what, const std::string& path, int error) {
  return std::unexpected(fmt::format("cannot {} {}: {}", what, path, ::strerrordesc_np(error)));
}

std::expected<void, std::string> write_synced(const std::string& path, std::string_view bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return refuse("make", path, errno);
  int error = 0;
  for (std::size_t done = 0; done < bytes.size() && error == 0;) {
    const ssize_t wrote = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0)
      error = wrote < 0 ? errno : ENOSPC;
    else
      done += static_cast<std::size_t>(wrote);
  }
  if (error == 0 && ::fsync(fd) < 0) error = errno;
  ::close(fd);
  if (error != 0) return refuse("write", path, error);
  return {};
}

std::expected<std::uint64_t, std::string> copy_file(const std::string& from,
                                                    const std::string& to) {
  const auto bytes = read_whole(from);
  if (!bytes) return std::unexpected(bytes.error());
  if (auto written = write_synced(to, *bytes); !written) return std::unexpected(written.error());
  return bytes->size();
}

bool is_there(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

// ---- Accounts: SQLite's own way, which minds whoever writes meanwhile.

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
using Handle = std::unique_ptr<sqlite3, CloseDatabase>;

std::expected<Handle, std::string> open_database(const std::string& path, int flags) {
  sqlite3* db = nullptr;
  const int result = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  Handle handle(db);
  if (result == SQLITE_OK) return handle;
  return std::unexpected(fmt::format("cannot open {}: {}", path, sqlite3_errstr(result)));
}

std::expected<std::uint64_t, std::string> copy_accounts(const std::string& from,
                                                        const std::string& to) {
  const auto source = open_database(from, SQLITE_OPEN_READWRITE);
  if (!source) return std::unexpected(source.error());
  if (auto made = write_synced(to, ""); !made) return std::unexpected(made.error());
  const auto copy = open_database(to, SQLITE_OPEN_READWRITE);
  if (!copy) return std::unexpected(copy.error());
  sqlite3_backup* const backup = sqlite3_backup_init(copy->get(), "main", source->get(), "main");
  if (!backup)
    return std::unexpected(fmt::format("cannot copy {}: {}", from, sqlite3_errmsg(copy->get())));
  const auto deadline = steady_clock::now() + accounts_patience;
  int result = SQLITE_OK;
  do {
    result = sqlite3_backup_step(backup, -1);
    const bool busy = result == SQLITE_BUSY || result == SQLITE_LOCKED;
    if (busy && steady_clock::now() < deadline)
      std::this_thread::sleep_for(milliseconds{5});
    else if (result != SQLITE_OK)
      break;
  } while (true);
  sqlite3_backup_finish(backup);
  if (result != SQLITE_DONE)
    return std::unexpected(fmt::format("cannot copy {}: {}", from, sqlite3_errstr(result)));
  std::error_code error;
  return std::filesystem::file_size(to, error);
}

// ---- The journal: files that are only ever appended to, or come and go as a whole.

/// Once open, a file is there whoever removes it.
struct OpenFile {
  explicit OpenFile(const JournalFile& file)
      : path(file.path), fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  OpenFile(OpenFile&& other) noexcept
      : path(std::move(other.path)), fd(std::exchange(other.fd, -1)) {}
  OpenFile& operator=(OpenFile&&) = delete;
  ~OpenFile() {
    if (fd >= 0) ::close(fd);
  }
  std::string path;
  int fd;
};

/// The newest snapshot, and the segments that do not end before it. None: some have been removed
/// meanwhile.
std::expected<std::vector<OpenFile>, std::string> open_journal(const std::string& from) {
  // Segments first: a snapshot made in between needs fewer of them, not others.
  const auto segments = list_journal(from, segment_suffix);
  const auto snapshots = list_journal(from, snapshot_suffix);
  if (!snapshots) return std::unexpected(snapshots.error());
  if (!segments) return std::unexpected(segments.error());
  if (snapshots->empty()) return std::unexpected(fmt::format("{} has no snapshot", from));
  std::vector<OpenFile> files;
  files.emplace_back(snapshots->back());
  for (std::size_t i = 0; i < segments->size(); ++i)
    if (i + 1 == segments->size() || (*segments)[i + 1].number > snapshots->back().number + 1)
      files.emplace_back((*segments)[i]);
  for (const OpenFile& file : files) {
    if (file.fd >= 0) continue;
    if (!is_there(file.path)) return std::vector<OpenFile>();
    return refuse("open", file.path, EACCES);
  }
  return files;
}

std::expected<Backup, std::string> copy_journal(const std::string& from, const std::string& to) {
  std::expected<std::vector<OpenFile>, std::string> files = open_journal(from);
  for (int i = 0; i < listings_max && files && files->empty(); ++i) files = open_journal(from);
  if (!files) return std::unexpected(files.error());
  if (files->empty())
    return std::unexpected(fmt::format("the files of {} come and go too fast to be copied", from));
  if (::mkdir(to.c_str(), 0700) < 0) return refuse("make", to, errno);
  Backup done;
  const auto copy_of = [&](const OpenFile& file) {
    return to + '/' + std::filesystem::path(file.path).filename().string();
  };
  for (const OpenFile& file : *files) {
    const auto bytes = read_whole(fmt::format("/proc/self/fd/{}", file.fd));
    if (!bytes) return std::unexpected(bytes.error());
    if (auto written = write_synced(copy_of(file), *bytes); !written)
      return std::unexpected(written.error());
    done.journal_bytes += bytes->size();
  }
  const auto snapshot = load_snapshot(copy_of(files->front()));
  if (!snapshot) return std::unexpected(snapshot.error());
  const auto end = read_journal(to, snapshot->header.number, [](auto&&...) { return true; });
  if (!end) return std::unexpected(to_string(end.error()));
  if (end->torn) {  // Of a turn that was being written.
    if (auto cut = cut_torn_tail(to, *end->torn); !cut) return std::unexpected(cut.error());
    ::unlink((end->torn->file + ".torn").c_str());
  }
  done.event = end->number;
  if (!sync_folder(to)) return refuse("sync", to, errno);
  return done;
}

std::expected<Backup, std::string> copy_all(const std::string& data, const std::string& to) {
  Backup done;
  if (is_there(data + "/journal")) {
    auto journal = copy_journal(data + "/journal", to + "/journal");
    if (!journal) return journal;
    done = *journal;
  }
  if (is_there(data + "/accounts.db")) {
    const auto bytes = copy_accounts(data + "/accounts.db", to + "/accounts.db");
    if (!bytes) return std::unexpected(bytes.error());
    done.accounts_bytes = *bytes;
  }
  if (is_there(data + "/join.key"))
    if (auto key = copy_file(data + "/join.key", to + "/join.key"); !key)
      return std::unexpected(key.error());
  if (!sync_folder(to)) return refuse("sync", to, errno);
  return done;
}

}  // namespace

std::expected<Backup, std::string> back_up(const std::string& data, const std::string& to) {
  if (!is_there(data + "/join.key") && !is_there(data + "/journal"))
    return std::unexpected(
        fmt::format("{} is no lobby's data folder: neither join.key nor journal is in it", data));
  if (is_there(to))
    return std::unexpected(
        fmt::format("{} is there already: name a folder that is not, one for each backup", to));
  const std::string part = to + ".part";
  if (::mkdir(part.c_str(), 0700) < 0) {
    if (errno == EEXIST)
      return std::unexpected(
          fmt::format("{} is there: another backup makes it just now, or one was not finished; "
                      "then remove it",
                      part));
    return refuse("make", part, errno);
  }
  auto done = copy_all(data, part);
  std::error_code error;
  if (done && ::rename(part.c_str(), to.c_str()) < 0) done = refuse("make", to, errno);
  if (!done) {
    std::filesystem::remove_all(part, error);
    return done;
  }
  const std::string parent = std::filesystem::absolute(to, error).parent_path();
  sync_folder(parent);
  return done;
}

}  // namespace muster::store
