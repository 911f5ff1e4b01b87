#include "node/limits.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "proto/node.pb.h"

namespace muster::node {
namespace {

// Without a share of the CPU that can be enforced, the others at least go first.
constexpr int nice_without_cgroup = 5;

void limit(LimitPlan& plan, int which, rlim_t value) {
  plan.confinement.resources.push_back({which, {value, value}});
}

std::expected<void, std::string> plan_user(const std::string& name, const Enforceable& can,
                                           LimitPlan& plan) {
  const auto account = can.find_account(name);
  if (!account)
    return std::unexpected(fmt::format("limits.user: this machine has no user \"{}\"", name));
  if (account->uid == can.uid) return {};
  if (!can.root)
    return std::unexpected(fmt::format(
        "limits.user: the node runs as uid {} and only root may start a game server as {}", can.uid,
        name));
  plan.confinement.user = Confinement::User{account->uid, account->gid, account->name};
  plan.account = account;
  return {};
}

void plan_memory(std::uint64_t bytes, const Enforceable& can, LimitPlan& plan) {
  if (can.memory_by_cgroup)
    plan.cgroup.memory_bytes = bytes;
  else
    limit(plan, RLIMIT_DATA, bytes);
}

void plan_cpu(std::uint32_t thousandths, bool nice_chosen, const Enforceable& can,
              LimitPlan& plan) {
  if (can.cpu_by_cgroup) {
    plan.cgroup.cpu_thousandths = thousandths;
    return;
  }
  if (!nice_chosen) plan.confinement.nice = nice_without_cgroup;
  plan.unenforced.push_back(
      fmt::format("cpu {:g}: needs a cgroup, and {}", thousandths / 1000.0, can.no_cpu_cgroup));
}

// RLIMIT_NPROC counts all that a user runs, so it is of use only for one that runs nothing else,
// and then for all its game servers together. It does not hold root.
void plan_processes(const wire::node::ProcessLimits& limits, const Enforceable& can,
                    LimitPlan& plan) {
  if (can.processes_by_cgroup) {
    plan.cgroup.processes = limits.processes();
  } else if (plan.account && plan.account->uid != 0) {
    limit(plan, RLIMIT_NPROC,
          static_cast<rlim_t>(limits.processes()) * std::max(limits.servers_max(), 1u));
  } else {
    plan.unenforced.push_back(fmt::format("processes {}: needs a cgroup or limits.user, and {}",
                                          limits.processes(), can.no_processes_cgroup));
  }
}

void plan_open_files(rlim_t wanted, const Enforceable& can, LimitPlan& plan) {
  limit(plan, RLIMIT_NOFILE, std::min(wanted, can.open_files_hard));
  if (wanted > can.open_files_hard)
    plan.unenforced.push_back(fmt::format("open_files {}: the node itself may give only {}", wanted,
                                          can.open_files_hard));
}

void plan_nice(int nice, const Enforceable& can, LimitPlan& plan) {
  if (nice >= 0 || can.root)
    plan.confinement.nice = nice;
  else
    plan.unenforced.push_back(fmt::format("nice {}: below 0 needs root", nice));
}

void plan_core_dumps(bool wanted, const rlimit& now, LimitPlan& plan) {
  const rlim_t value = wanted ? now.rlim_max : 0;
  if (now.rlim_cur != value)
    plan.confinement.resources.push_back({RLIMIT_CORE, {value, now.rlim_max}});
}

}  // namespace

Enforceable look_at_enforceable(const Cgroups& cgroups) {
  Enforceable can;
  const auto look = [&](const char* controller, bool& by_cgroup, std::string& why_not) {
    by_cgroup = cgroups.can(controller);
    if (!by_cgroup) why_not = cgroups.how(controller);
  };
  look("memory", can.memory_by_cgroup, can.no_memory_cgroup);
  look("cpu", can.cpu_by_cgroup, can.no_cpu_cgroup);
  look("pids", can.processes_by_cgroup, can.no_processes_cgroup);
  can.uid = ::geteuid();
  can.root = can.uid == 0;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) can.open_files_hard = files.rlim_max;
  ::getrlimit(RLIMIT_CORE, &can.core_dumps);
  can.find_account = find_account;
  return can;
}

std::optional<Account> find_account(const std::string& name) {
  std::array<char, 16384> texts{};
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, texts.data(), texts.size(), &found) != 0 || !found)
    return std::nullopt;
  return Account{entry.pw_name, entry.pw_dir, entry.pw_uid, entry.pw_gid};
}

std::string describe(const Enforceable& can) {
  std::string text =
      can.memory_by_cgroup
          ? "memory by cgroup"
          : fmt::format("memory by RLIMIT_DATA, for each process ({})", can.no_memory_cgroup);
  text += can.cpu_by_cgroup ? ", cpu by cgroup"
                            : fmt::format(", cpu not, only nice ({})", can.no_cpu_cgroup);
  text += can.processes_by_cgroup
              ? ", processes by cgroup"
              : fmt::format(", processes {} ({})",
                            can.root ? "only with a user, by RLIMIT_NPROC" : "not",
                            can.no_processes_cgroup);
  text += ", open_files by RLIMIT_NOFILE";
  text += can.root ? ", another user" : ", no other user and no nice below 0 (not root)";
  return text;
}

std::expected<LimitPlan, std::string> plan_limits(const wire::node::ProcessLimits& limits,
                                                  const Enforceable& can) {
  LimitPlan plan;
  if (!limits.user().empty())
    if (auto planned = plan_user(limits.user(), can, plan); !planned)
      return std::unexpected(planned.error());
  if (limits.nice() != 0) plan_nice(limits.nice(), can, plan);
  if (limits.memory_bytes() > 0) plan_memory(limits.memory_bytes(), can, plan);
  if (limits.cpu_thousandths() > 0)
    plan_cpu(limits.cpu_thousandths(), limits.nice() != 0, can, plan);
  if (limits.processes() > 0) plan_processes(limits, can, plan);
  if (limits.open_files() > 0) plan_open_files(limits.open_files(), can, plan);
  plan_core_dumps(limits.core_dumps(), can.core_dumps, plan);
  plan.confinement.no_new_privileges = limits.no_new_privileges();
  if (limits.required() && !plan.unenforced.empty())
    return std::unexpected(fmt::format("limits.required is set and this node cannot enforce {}",
                                       fmt::join(plan.unenforced, "; ")));
  return plan;
}

std::string format_memory(std::uint64_t bytes) {
  constexpr std::uint64_t kib = 1024, mib = kib * 1024, gib = mib * 1024;
  if (bytes >= gib) return fmt::format("{:g}GiB", static_cast<double>(bytes) / gib);
  if (bytes >= mib) return fmt::format("{:g}MiB", static_cast<double>(bytes) / mib);
  return fmt::format("{:g}KiB", static_cast<double>(bytes) / kib);
}

}  // namespace muster::node
