#include "node/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include "node/printable.h"

namespace muster::node {
namespace {

constexpr std::size_t line_bytes_max = 200;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

ServerLog::ServerLog(std::string path, LogLimits limits) : path_(std::move(path)), limits_(limits) {
  limits_.bytes_max = std::max<std::uint64_t>(limits_.bytes_max, 64 << 10);
  limits_.files_max = std::max<std::uint32_t>(limits_.files_max, 1);
}

void ServerLog::write(std::string_view bytes) {
  remember_lines(bytes);
  while (!bytes.empty()) {
    if (!file_ && !open()) return lose(bytes.size(), errno);
    if (lost_unsaid_ > 0) {
      const std::string note = fmt::format("{}[muster: {} bytes of output lost here]\n",
                                           at_line_start_ ? "" : "\n", lost_unsaid_);
      if (!append(note)) return lose(bytes.size(), errno);
      lost_unsaid_ = 0;
    }
    const std::uint64_t room = limits_.bytes_max - std::min(file_bytes_, limits_.bytes_max);
    std::string_view part = bytes.substr(0, room);
    if (part.size() < bytes.size()) {  // The next file begins with a whole line if it can.
      const std::size_t line_end = part.rfind('\n');
      if (line_end != std::string_view::npos)
        part = part.substr(0, line_end + 1);
      else if (file_bytes_ > 0 && at_line_start_)
        part = {};
    }
    if (!part.empty() && !append(part)) return lose(bytes.size(), errno);
    bytes.remove_prefix(part.size());
    if (!bytes.empty()) rotate();
  }
}

std::string ServerLog::go_on() {
  constexpr std::size_t looked_at = 8 << 10;
  const UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) < 0 || !S_ISREG(status.st_mode)) return {};
  const off_t from = std::max<off_t>(0, status.st_size - static_cast<off_t>(looked_at));
  std::string end(looked_at, '\0');
  const ssize_t n = ::pread(file.get(), end.data(), end.size(), from);
  end.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  if (end.empty()) return {};
  remember_lines(end);
  at_line_start_ = end.ends_with('\n');
  return end.substr(end.rfind('\n') + 1);
}

std::string ServerLog::last_line() const {
  return printable(is_blank(current_line_) ? last_line_ : current_line_, line_bytes_max);
}

bool ServerLog::open() {
  // Not waiting: somebody's FIFO of that name must not stop the node.
  file_.reset(::open(path_.c_str(),
                     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640));
  if (!file_) return false;
  struct stat status{};
  file_bytes_ = ::fstat(file_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  return true;
}

void ServerLog::rotate() {
  file_.reset();
  file_bytes_ = 0;
  for (std::uint32_t i = limits_.files_max - 1; i >= 1; --i) {
    const std::string older = fmt::format("{}.{}", path_, i);
    const std::string newer = i == 1 ? path_ : fmt::format("{}.{}", path_, i - 1);
    ::rename(newer.c_str(), older.c_str());
  }
  // Left only if there are no older files, or renaming failed: the bound counts for more.
  ::unlink(path_.c_str());
}

// All or nothing is not to be had on a full disk; what did get in counts as written.
bool ServerLog::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    file_bytes_ += static_cast<std::uint64_t>(n);
    if (n > 0) at_line_start_ = bytes[static_cast<std::size_t>(n) - 1] == '\n';
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void ServerLog::drop(std::string_view bytes) {
  remember_lines(bytes);
  bytes_lost_ += bytes.size();
  lost_unsaid_ += bytes.size();
}

void ServerLog::lose(std::size_t bytes, int error) {
  bytes_lost_ += bytes;
  lost_unsaid_ += bytes;
  if (said_) return;
  said_ = true;
  fmt::print(stderr, "node: output of a game server is being dropped: {}: {}\n", path_,
             ::strerrordesc_np(error));
}

void ServerLog::remember_lines(std::string_view bytes) {
  // Only the end can matter; a server that prints megabytes costs a look at its last bytes.
  constexpr std::size_t looked_at = 4096;
  if (bytes.size() > looked_at) {
    bytes.remove_prefix(bytes.size() - looked_at);
    current_line_.clear();
  }
  for (;;) {
    const std::size_t end = bytes.find('\n');
    if (current_line_.size() < line_bytes_max)
      current_line_ += bytes.substr(0, std::min(end, line_bytes_max - current_line_.size()));
    if (end == std::string_view::npos) return;
    if (!is_blank(current_line_)) last_line_ = current_line_;
    current_line_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void prune_logs(const std::string& folder, std::size_t keep,
                const std::function<bool(const std::string&)>& in_use) {
  namespace fs = std::filesystem;
  struct Log {
    fs::file_time_type written;
    std::vector<fs::path> files;
  };
  std::map<std::string, Log> logs;  // By the path of the .log.
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path().string();
    const std::size_t suffix = path.rfind(".log");
    if (suffix == std::string::npos || !it->is_regular_file(error)) continue;
    Log& log = logs[path.substr(0, suffix + 4)];
    log.written = std::max(log.written, it->last_write_time(error));
    log.files.push_back(it->path());
  }
  std::size_t count = logs.size();
  std::erase_if(logs, [&](const auto& entry) { return in_use(entry.first); });
  std::vector<const Log*> oldest_first;
  for (const auto& [path, log] : logs) oldest_first.push_back(&log);
  std::ranges::sort(oldest_first, {}, &Log::written);
  for (const Log* log : oldest_first) {
    if (count <= keep) return;
    for (const fs::path& file : log->files) fs::remove(file, error);
    --count;
  }
}

}  // namespace muster::node
