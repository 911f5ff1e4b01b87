#include "store/snapshot.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "store/journal.h"
#include "store/state_codec.h"

namespace muster::store {

std::expected<void, std::string> write_snapshot(const std::string& folder,
                                                const SnapshotHeader& header,
                                                const core::State& state) {
  const std::string path =
      fmt::format("{}/{}", folder, journal_file_name(header.number, snapshot_suffix));
  const std::string unfinished = path + ".new";
  const auto refuse = [&](const char* what) {
    const int error = errno;
    ::unlink(unfinished.c_str());
    return std::unexpected(
        fmt::format("cannot {} the snapshot {}: {}", what, path, ::strerrordesc_np(error)));
  };
  std::string bytes(snapshot_magic);
  append_frame(bytes, 0, [&](std::string& out) { Writer(out).put(header); });
  const std::uint32_t salt =
      salt_of(bytes_of(bytes).subspan(snapshot_magic.size() + frame_head_bytes));
  append_frame(bytes, salt, [&](std::string& out) { encode_state(state, out); });

  const int fd = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return refuse("make");
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      const int error = wrote < 0 ? errno : ENOSPC;
      ::close(fd);
      errno = error;
      return refuse("write");
    }
    done += static_cast<std::size_t>(wrote);
  }
  const bool synced = ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  errno = error;
  if (!synced) return refuse("sync");
  if (::rename(unfinished.c_str(), path.c_str()) < 0) return refuse("rename");
  sync_folder(folder);
  return {};
}

std::expected<Snapshot, std::string> load_snapshot(const std::string& path) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(fmt::format("{}: {}", path, why));
  };
  const auto text = read_whole(path);
  if (!text) return std::unexpected(text.error());
  Bytes bytes = bytes_of(*text);
  if (!text->starts_with(snapshot_magic)) return refuse("not a snapshot");
  bytes = bytes.subspan(snapshot_magic.size());
  const auto head = read_frame(bytes, 0);
  if (!head) return refuse("its header is not whole");
  Snapshot snapshot;
  snapshot.path = path;
  Reader reader(*head);
  reader.get(snapshot.header);
  if (!reader.ok()) return refuse("its header is of a newer build");
  const auto body = read_frame(bytes.subspan(frame_head_bytes + head->size()), salt_of(*head));
  if (!body) return refuse("it is not whole, or a checksum does not match");
  snapshot.state = decode_state(*body);
  if (!snapshot.state)
    return refuse(fmt::format("this build cannot read it; it was written by build {}",
                              snapshot.header.build));
  return snapshot;
}

std::expected<std::optional<Snapshot>, std::string> newest_snapshot(
    const std::string& folder, std::vector<std::string>& passed_over, std::uint64_t number_max) {
  auto files = list_journal(folder, snapshot_suffix);
  if (!files) return std::unexpected(files.error());
  std::erase_if(*files, [&](const JournalFile& file) { return file.number > number_max; });
  for (auto file = files->rbegin(); file != files->rend(); ++file) {
    auto snapshot = load_snapshot(file->path);
    if (snapshot) return std::optional(std::move(*snapshot));
    passed_over.push_back(snapshot.error());
  }
  if (!files->empty())
    return std::unexpected("none of the journal's snapshots can be loaded: " + passed_over.back());
  return std::nullopt;
}

std::expected<SnapshotProcess, std::string> fork_snapshot(const std::string& folder,
                                                          const SnapshotHeader& header,
                                                          const core::State& state) {
  // A half-full buffer must not be printed twice.
  std::fflush(stdout);
  const pid_t pid = ::fork();
  if (pid < 0)
    return std::unexpected(fmt::format("cannot fork for a snapshot: {}", ::strerrordesc_np(errno)));
  if (pid == 0) {
    // Players' connections that the lobby closes meanwhile must be closed, not held in here; and
    // signals meant for the lobby's loop must not be handled by a copy of it.
    ::signal(SIGTERM, SIG_DFL);
    ::signal(SIGINT, SIG_IGN);
    ::syscall(SYS_close_range, 3u, ~0u, 0u);
    [[maybe_unused]] const int nicer = ::nice(10);
    const auto written = write_snapshot(folder, header, state);
    if (!written) {
      const std::string line = fmt::format("muster: {}\n", written.error());
      [[maybe_unused]] const ssize_t said = ::write(STDERR_FILENO, line.data(), line.size());
    }
    ::_exit(written ? 0 : 1);
  }
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  return SnapshotProcess{pid, pidfd};
}

}  // namespace muster::store
