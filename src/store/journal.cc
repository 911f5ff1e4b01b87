#include "store/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/check.h"

namespace muster::store {

Journal::Journal(JournalOptions options) : options_(std::move(options)) {}

std::expected<std::unique_ptr<Journal>, std::string> Journal::begin(JournalOptions options,
                                                                    std::uint64_t first_number,
                                                                    Time now) {
  std::error_code error;
  std::filesystem::create_directories(options.folder, error);
  if (error)
    return std::unexpected(
        fmt::format("cannot make the folder {}: {}", options.folder, error.message()));
  ::chmod(options.folder.c_str(), 0700);
  std::unique_ptr<Journal> journal(new Journal(std::move(options)));
  journal->next_number_ = first_number;
  if (auto opened = journal->open_segment(now); !opened) return std::unexpected(opened.error());
  if (journal->options_.sync_interval.count() > 0)
    journal->syncer_ = std::jthread([raw = journal.get()] { raw->sync_behind(); });
  return journal;
}

Journal::~Journal() {
  if (syncer_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      leaving_ = true;
    }
    wake_.notify_one();
    syncer_.join();
  }
  std::unique_lock lock(mutex_);
  sync_all(lock);
  for (const Unsynced& segment : unsynced_) ::close(segment.fd);
  if (fd_ >= 0) ::close(fd_);
}

std::unexpected<std::string> Journal::fail(const std::string& what, int error) {
  broken_ = fmt::format("journal: cannot {} {}: {}", what, path_, ::strerrordesc_np(error));
  if (error == ENOSPC || error == EDQUOT)
    broken_ += "; live play goes on without it: make space on that disk";
  return std::unexpected(broken_);
}

std::expected<void, std::string> Journal::open_segment(Time now) {
  path_ = fmt::format("{}/{}", options_.folder, journal_file_name(next_number_, segment_suffix));
  // A segment without a whole record may be there, of a lobby that ended before its first event.
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (fd_ < 0) return fail("make", errno);
  offset_ = 0;
  std::string bytes(segment_magic);
  append_frame(bytes, 0, [&](std::string& out) {
    Writer(out).put(SegmentHeader{options_.build, options_.config_digest, next_number_, now,
                                  std::exchange(options_.after_gap, false)});
  });
  salt_ = salt_of(bytes_of(bytes).subspan(segment_magic.size() + frame_head_bytes));
  if (auto written = write_all(bytes); !written) return written;
  const int fd = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
  if (fd < 0) return fail("make", errno);
  {
    const std::lock_guard lock(mutex_);
    unsynced_.push_back({fd, next_number_ - 1});
    dirty_ = true;
  }
  wake_.notify_one();
  return {};
}

void Journal::add(std::uint64_t number, Time time, const core::Event& event) {
  if (broken()) return;
  CHECK(number == next_number_ + head_.events, "events are numbered without a gap");
  if (head_.events == 0) {
    head_.first_number = number;
    head_.time = time;
    events_.clear();
  }
  CHECK(time == head_.time, "the events of one turn have one time");
  ++head_.events;
  Writer(events_).put(event);
}

std::expected<void, std::string> Journal::commit(std::uint64_t digest) {
  if (head_.events == 0) return {};
  const std::uint32_t events = head_.events;
  head_.synced = synced_.load(std::memory_order_relaxed);
  head_.digest = digest;
  record_.clear();
  append_frame(record_, salt_, [&](std::string& out) {
    Writer(out).put(head_);
    out += events_;
  });
  head_.events = 0;
  const Time time = head_.time;
  if (auto written = write_all(record_); !written) return written;
  next_number_ += events;
  bool first = false;
  {
    std::unique_lock lock(mutex_);
    unsynced_.back().through = next_number_ - 1;
    first = !std::exchange(dirty_, true);
    if (!syncer_.joinable() && !sync_all(lock)) return fail("sync", errno);
  }
  if (first) wake_.notify_one();
  if (offset_ >= options_.segment_bytes_max) return roll(time);
  return {};
}

std::expected<void, std::string> Journal::roll(Time now) {
  CHECK(head_.events == 0, "a segment ends with a whole turn");
  if (broken()) return std::unexpected(broken_);
  ::close(fd_);
  return open_segment(now);
}

/// All of it or nothing: what was written of a record is taken back, so that the segment ends with
/// its last whole one.
std::expected<void, std::string> Journal::write_all(std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = ::write(fd_, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const int error = wrote < 0 ? errno : ENOSPC;
      if (done > 0 && ::ftruncate(fd_, static_cast<off_t>(offset_)) < 0)
        fmt::print(stderr, "muster: journal: cannot take back half a record of {}: {}\n", path_,
                   ::strerrordesc_np(errno));
      return fail("write to", error);
    }
    done += static_cast<std::size_t>(wrote);
  }
  offset_ += bytes.size();
  bytes_written_ += bytes.size();
  return {};
}

void Journal::sync_behind() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return dirty_ || leaving_; });
    // What comes meanwhile goes to the disk with it.
    wake_.wait_for(lock, options_.sync_interval, [this] { return leaving_; });
    if (leaving_) return;  // The destructor syncs.
    sync_all(lock);
  }
}

/// Everything written so far; the lock is open meanwhile. False, with errno, if a disk said no:
/// then nothing more is taken for synced than was.
bool Journal::sync_all(std::unique_lock<std::mutex>& lock) {
  dirty_ = false;
  const std::vector<Unsynced> segments = unsynced_;
  if (segments.empty()) return true;
  lock.unlock();
  bool synced = sync_folder(options_.folder);
  for (const Unsynced& segment : segments) synced = synced && ::fdatasync(segment.fd) == 0;
  const int error = errno;
  lock.lock();
  if (!synced) {
    errno = error;
    return false;
  }
  // All but the one being written are done with.
  for (std::size_t i = 0; i + 1 < segments.size(); ++i) ::close(segments[i].fd);
  unsynced_.erase(unsynced_.begin(),
                  unsynced_.begin() + static_cast<std::ptrdiff_t>(segments.size()) - 1);
  synced_.store(segments.back().through, std::memory_order_relaxed);
  return true;
}

void prune_journal(const std::string& folder, std::uint64_t number, std::size_t keep) {
  const auto segments = list_journal(folder, segment_suffix);
  const auto snapshots = list_journal(folder, snapshot_suffix);
  if (!segments || !snapshots) return;
  // The oldest snapshot that stays needs what follows it.
  std::uint64_t oldest = number;
  for (std::size_t i = 0; i < snapshots->size(); ++i) {
    if (i + keep < snapshots->size())
      ::unlink((*snapshots)[i].path.c_str());
    else
      oldest = std::min(oldest, (*snapshots)[i].number);
  }
  for (std::size_t i = 0; i + 1 < segments->size(); ++i)
    if ((*segments)[i + 1].number <= oldest + 1) ::unlink((*segments)[i].path.c_str());
}

bool sync_folder(const std::string& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

}  // namespace muster::store
