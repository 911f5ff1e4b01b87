#include "server/recording_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string_view>

namespace muster::server {
namespace {

/// The end of the last whole line of a file of so many bytes; nothing: it cannot be read.
std::optional<std::uint64_t> end_of_lines(int fd, std::uint64_t bytes) {
  char block[4096];
  while (bytes > 0) {
    const std::uint64_t from = bytes - std::min<std::uint64_t>(bytes, sizeof block);
    const ssize_t got = ::pread(fd, block, bytes - from, static_cast<off_t>(from));
    if (got <= 0) return std::nullopt;
    const std::string_view text(block, static_cast<std::size_t>(got));
    if (const std::size_t newline = text.rfind('\n'); newline != std::string_view::npos)
      return from + newline + 1;
    bytes = from;
  }
  return 0;
}

}  // namespace

std::expected<std::unique_ptr<RecordingFile>, std::string> RecordingFile::open(
    const std::string& path, std::uint64_t bytes_max) {
  const auto refused = [&](int error) {
    return std::unexpected(
        fmt::format("{}: cannot be recorded to: {}", path, std::strerror(error)));
  };
  const int fd = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return refused(errno);
  struct stat status{};
  std::uint64_t bytes = 0;
  if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
    const auto size = static_cast<std::uint64_t>(status.st_size);
    const auto end = end_of_lines(fd, size);
    if (!end || (*end < size && ::ftruncate(fd, static_cast<off_t>(*end)) != 0)) {
      const int error = errno;
      ::close(fd);
      return refused(error);
    }
    bytes = *end;
  }
  return std::unique_ptr<RecordingFile>(new RecordingFile(path, fd, bytes, bytes_max));
}

RecordingFile::RecordingFile(std::string path, int fd, std::uint64_t bytes, std::uint64_t bytes_max)
    : path_(std::move(path)), fd_(fd), bytes_max_(bytes_max), bytes_(bytes) {
  thread_ = std::thread([this] { run(); });
}

RecordingFile::~RecordingFile() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_one();
  thread_.join();
  ::close(fd_);
  if (left_out_ > 0)
    fmt::print(stderr, "muster: {} lacks {} lines, for which its disk was too slow\n", path_,
               left_out_);
}

void RecordingFile::append(std::string_view lines) {
  if (stopped_ || lines.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + lines.size() > waiting_bytes_max) {
      left_out_ += static_cast<std::uint64_t>(std::ranges::count(lines, '\n'));
      return;
    }
    waiting_ += lines;
  }
  changed_.notify_one();
}

void RecordingFile::run() {
  std::string lines;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty() || stopped_) return;
    lines.clear();
    lines.swap(waiting_);
    lock.unlock();
    write(lines);
    lock.lock();
  }
}

void RecordingFile::write(std::string_view lines) {
  bool full = false;
  if (lines.size() > bytes_max_ - std::min(bytes_, bytes_max_)) {
    full = true;
    const std::size_t room = bytes_max_ - std::min(bytes_, bytes_max_);
    const std::size_t newline = lines.substr(0, room).rfind('\n');
    lines = lines.substr(0, newline == std::string_view::npos ? 0 : newline + 1);
  }
  std::string_view left = lines;
  while (!left.empty()) {
    const ssize_t put = ::write(fd_, left.data(), left.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      const int error = errno;
      // Whole lines alone, as far as they came. What cannot be cut is no file.
      const std::string_view written = lines.substr(0, lines.size() - left.size());
      const std::size_t newline = written.rfind('\n');
      bytes_ += newline == std::string_view::npos ? 0 : newline + 1;
      [[maybe_unused]] const int cut = ::ftruncate(fd_, static_cast<off_t>(bytes_));
      return stop(std::strerror(error));
    }
    left.remove_prefix(static_cast<std::size_t>(put));
  }
  bytes_ += lines.size();
  if (full) stop(fmt::format("it has the {} bytes that --record-size allows", bytes_max_));
}

void RecordingFile::stop(const std::string& why) {
  stopped_ = true;
  fmt::print(stderr, "muster: recording to {} has stopped: {}\n", path_, why);
}

}  // namespace muster::server
