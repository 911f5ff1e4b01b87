#pragma once
// Control groups for game servers that have limits: cgroup v2 where it has the controllers and was
// delegated to the node, the older v1 hierarchies where they have them.
//
//   v2   <own folder>/muster-<tag>/<server id>/     and, so that a folder with limits has no
//        <own folder>/muster-host/                  process of its own, everybody else in here
//   v1   <own folder>/muster-<tag>/<server id>/     in each hierarchy that is needed
//
// Nothing is made before the first server with such limits is launched; all is removed with the
// last. What a killed node left behind, the next one of the same tag takes over or removes.

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/unique_fd.h"

namespace muster::node {

struct CgroupLimits {
  std::uint64_t memory_bytes = 0;     // 0: no limit, of each.
  std::uint32_t cpu_thousandths = 0;  // Of one core.
  std::uint32_t processes = 0;
};

/// One mounted hierarchy, as this process is in it.
struct CgroupHierarchy {
  int version = 2;
  std::string folder;                 // Of this process, absolute.
  std::set<std::string> controllers;  // Of "memory", "cpu", "pids", those that can be used here.
  std::string unusable;               // Why there are none, for people; empty if there are.
};

/// From the text of /proc/self/mountinfo and /proc/self/cgroup. The controllers of v2 are not in
/// there, and access is not looked at.
std::vector<CgroupHierarchy> parse_cgroups(std::string_view mountinfo, std::string_view own);

/// What is written where, in order.
struct CgroupSetting {
  std::string controller;
  std::string file;
  std::string value;
  bool optional = false;  // An older kernel may not have it.
};
std::vector<CgroupSetting> cgroup_settings(int version, const CgroupLimits& limits);

/// One group, for the node's record.
struct CgroupPlace {
  int version = 2;
  std::string folder;
};

/// One server's groups; removed with it. They must be empty by then.
class Cgroup {
 public:
  Cgroup() = default;
  Cgroup(Cgroup&&) noexcept = default;
  Cgroup& operator=(Cgroup&& other) noexcept;
  ~Cgroup();

  /// The v2 folder, for clone3; -1 if there is none.
  int folder() const { return v2_.get(); }
  /// The cgroup.procs of the v1 groups, open for writing.
  std::vector<int> procs() const;
  /// Moves a process into it. False, with errno, if that fails.
  bool take_in(pid_t pid) const;
  /// SIGKILL to every process in it. False if there was none.
  bool kill() const;
  std::vector<CgroupPlace> places() const;
  /// The same in another process, for a server that still runs in them.
  static Cgroup find(const std::vector<CgroupPlace>& places);
  /// How many of its processes the kernel has killed for want of memory.
  std::uint64_t memory_kills() const;

 private:
  friend class Cgroups;
  struct Group {
    int version = 2;
    std::string folder;
    UniqueFd procs;  // v1
  };
  void remove();

  std::vector<Group> groups_;
  UniqueFd v2_;
};

class Cgroups {
 public:
  /// Looks at what there is. `tag` tells nodes apart that share a cgroup.
  explicit Cgroups(std::string tag);
  /// The same, for given hierarchies.
  Cgroups(std::string tag, std::vector<CgroupHierarchy> hierarchies);
  ~Cgroups();

  bool can(std::string_view controller) const;
  /// "cgroup v1" and so on; if it cannot, why, as a clause.
  std::string how(std::string_view controller) const;

  /// Groups with these limits, all of which must be possible (`can`). The error is a sentence.
  std::expected<Cgroup, std::string> make(const std::string& server_id, const CgroupLimits& limits);

 private:
  const CgroupHierarchy* with(std::string_view controller) const;
  std::expected<void, std::string> prepare(const CgroupHierarchy& hierarchy);
  std::string base(const CgroupHierarchy& hierarchy) const;

  std::string tag_;
  std::vector<CgroupHierarchy> hierarchies_;
  std::set<std::string> prepared_;  // Their bases.
};

}  // namespace muster::node
