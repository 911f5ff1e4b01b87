#pragma once
// What /proc says about other processes. All of it may be out of date by the time it is read; a pid
// may even be somebody else's by then. Callers check again what must hold.

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::node {

/// Its children, of all its threads. Empty if the process is gone.
std::vector<pid_t> children_of(pid_t pid);

/// Asks `holds(pid)` of the process and then of its descendants, 1024 of them at most, until one
/// says true; says whether one did.
template <class F>
bool any_in_family(pid_t pid, F&& holds) {
  constexpr std::size_t processes_max = 1024;
  std::vector<pid_t> pids{pid};
  for (std::size_t i = 0; i < pids.size(); ++i) {
    if (holds(pids[i])) return true;
    for (const pid_t child : children_of(pids[i]))
      if (pids.size() < processes_max) pids.push_back(child);
  }
  return false;
}
/// The same for a kernel without CONFIG_PROC_CHILDREN, by looking at every process there is.
std::vector<pid_t> children_by_scan(pid_t pid);

/// 0 if it is gone.
pid_t parent_of(pid_t pid);

/// When it began: CLOCK_BOOTTIME in ns, never later than it was, and up to 10 ms earlier. Nothing
/// if it is gone.
std::optional<std::uint64_t> began_at(pid_t pid);

/// What the environment it was started with has of that name; empty if that is nothing.
std::string environment_value(pid_t pid, std::string_view name);

/// Every process there is.
std::vector<pid_t> all_processes();

/// Whether the environment it was started with has this "NAME=value".
bool environment_has(pid_t pid, std::string_view entry);

/// Whether one of its descriptors is the socket with that inode. The error is errno: the process is
/// gone (ENOENT, ESRCH) or may not be looked into (EACCES).
std::expected<bool, int> has_socket(pid_t pid, std::uint64_t inode);

/// The inodes of all its sockets. The error is as above.
std::expected<std::vector<std::uint64_t>, int> sockets_of(pid_t pid);

}  // namespace muster::node
