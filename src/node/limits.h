#pragma once
// How the limits of a launch are enforced here: by cgroup where the node may, by resource limits
// otherwise, and what can be enforced by neither.

#include <sys/resource.h>

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "node/cgroup.h"
#include "node/process_posix.h"

namespace muster::wire::node {
class ProcessLimits;
}

namespace muster::node {

/// A user of this machine.
struct Account {
  std::string name;
  std::string home;
  uid_t uid = 0;
  gid_t gid = 0;
};

/// What this node may do.
struct Enforceable {
  bool memory_by_cgroup = false;
  bool cpu_by_cgroup = false;
  bool processes_by_cgroup = false;
  std::string no_memory_cgroup, no_cpu_cgroup, no_processes_cgroup;  // Else: why, a clause.
  bool root = false;  // May become another user, and be given more than it has.
  rlim_t open_files_hard = RLIM_INFINITY;
  rlimit core_dumps{};  // What game servers would inherit.
  uid_t uid = 0;
  /// None if there is no such user.
  std::function<std::optional<Account>(const std::string& name)> find_account;
};

/// Looks at this process and machine.
Enforceable look_at_enforceable(const Cgroups& cgroups);

/// Asks the system's list of users.
std::optional<Account> find_account(const std::string& name);

/// For node.log and `muster ctl status`: "memory: cgroup v2; cpu: nice only (…); …".
std::string describe(const Enforceable& can);

struct LimitPlan {
  CgroupLimits cgroup;  // All zero: none is needed.
  Confinement confinement;
  std::optional<Account> account;
  std::vector<std::string> unenforced;  // Sentences.

  bool needs_cgroup() const {
    return cgroup.memory_bytes > 0 || cgroup.cpu_thousandths > 0 || cgroup.processes > 0;
  }
};

/// The error is a sentence: a user that is not there or cannot be become; or, if the limits are
/// required, one that cannot be enforced.
std::expected<LimitPlan, std::string> plan_limits(const wire::node::ProcessLimits& limits,
                                                  const Enforceable& can);

/// "512MiB", "1.5GiB".
std::string format_memory(std::uint64_t bytes);

}  // namespace muster::node
