#pragma once
// What /proc says about other processes. All of it may be out of date by the time it is read; a pid
// may even be somebody else's by then. Callers check again what must hold.

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace muster::node {

/// Its children, of all its threads. Empty if the process is gone.
std::vector<pid_t> children_of(pid_t pid);

/// The same for a kernel without CONFIG_PROC_CHILDREN, by looking at every process there is.
std::vector<pid_t> children_by_scan(pid_t pid);

/// 0 if it is gone.
pid_t parent_of(pid_t pid);

/// Whether the environment it was started with has this "NAME=value".
bool environment_has(pid_t pid, std::string_view entry);

/// Whether one of its descriptors is the socket with that inode. The error is errno: the process is
/// gone (ENOENT, ESRCH) or may not be looked into (EACCES).
std::expected<bool, int> has_socket(pid_t pid, std::uint64_t inode);

}  // namespace muster::node
