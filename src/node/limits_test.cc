#include "node/limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/node.pb.h"

namespace muster::node {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A machine that can do everything, as root.
Enforceable able() {
  Enforceable can;
  can.memory_by_cgroup = can.cpu_by_cgroup = can.processes_by_cgroup = true;
  can.root = true;
  can.open_files_hard = 20'000;
  can.find_account = [](const std::string& name) -> std::optional<Account> {
    if (name == "games") return Account{"games", "/usr/games", 5, 60};
    if (name == "root") return Account{"root", "/root", 0, 0};
    return std::nullopt;
  };
  return can;
}

/// One that has no cgroups, as an ordinary user.
Enforceable unable() {
  Enforceable can = able();
  can.memory_by_cgroup = can.cpu_by_cgroup = can.processes_by_cgroup = false;
  can.no_memory_cgroup = can.no_cpu_cgroup = can.no_processes_cgroup = "there is none";
  can.root = false;
  can.uid = 1000;
  return can;
}

wire::node::ProcessLimits all_of_them() {
  wire::node::ProcessLimits limits;
  limits.set_memory_bytes(512u << 20);
  limits.set_cpu_thousandths(1500);
  limits.set_processes(64);
  limits.set_open_files(1024);
  limits.set_nice(-5);
  limits.set_servers_max(10);
  return limits;
}

std::optional<rlim_t> resource(const LimitPlan& plan, int which) {
  for (const Confinement::Resource& one : plan.confinement.resources)
    if (one.which == which) return one.limit.rlim_cur;
  return std::nullopt;
}

TEST(Limits, ByCgroupWhereThereIsOne) {
  const auto plan = plan_limits(all_of_them(), able());
  ASSERT_TRUE(plan) << plan.error();
  EXPECT_TRUE(plan->needs_cgroup());
  EXPECT_EQ(plan->cgroup.memory_bytes, 512u << 20);
  EXPECT_EQ(plan->cgroup.cpu_thousandths, 1500u);
  EXPECT_EQ(plan->cgroup.processes, 64u);
  EXPECT_EQ(resource(*plan, RLIMIT_DATA), std::nullopt);
  EXPECT_EQ(resource(*plan, RLIMIT_NPROC), std::nullopt);
  EXPECT_EQ(resource(*plan, RLIMIT_NOFILE), 1024u);
  EXPECT_EQ(plan->confinement.nice, -5);
  EXPECT_THAT(plan->unenforced, IsEmpty());
}

TEST(Limits, ByWhatThereIsOtherwise) {
  const auto plan = plan_limits(all_of_them(), unable());
  ASSERT_TRUE(plan) << plan.error();
  EXPECT_FALSE(plan->needs_cgroup());
  EXPECT_EQ(resource(*plan, RLIMIT_DATA), 512u << 20);
  EXPECT_EQ(resource(*plan, RLIMIT_NPROC), std::nullopt)
      << "it would count what is not the server's";
  EXPECT_EQ(plan->confinement.nice, 0) << "one was chosen, and may not be set";
  EXPECT_THAT(
      plan->unenforced,
      ElementsAre("nice -5: below 0 needs root", "cpu 1.5: needs a cgroup, and there is none",
                  "processes 64: needs a cgroup or limits.user, and there is none"));

  auto limits = all_of_them();
  limits.set_nice(0);
  EXPECT_EQ(plan_limits(limits, unable())->confinement.nice, 5) << "in place of a share of the CPU";
}

TEST(Limits, RequiredOnesFailTheLaunch) {
  auto limits = all_of_them();
  limits.set_required(true);
  EXPECT_TRUE(plan_limits(limits, able()));
  const auto plan = plan_limits(limits, unable());
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error(), HasSubstr("limits.required is set and this node cannot enforce nice"));
  EXPECT_THAT(plan.error(), HasSubstr("cpu 1.5"));

  wire::node::ProcessLimits memory;
  memory.set_memory_bytes(1 << 20);
  memory.set_required(true);
  EXPECT_TRUE(plan_limits(memory, unable())) << "a resource limit is one";
}

TEST(Limits, AnotherUser) {
  wire::node::ProcessLimits limits;
  limits.set_user("games");
  limits.set_processes(64);
  limits.set_servers_max(10);
  Enforceable can = able();
  auto plan = plan_limits(limits, can);
  ASSERT_TRUE(plan) << plan.error();
  ASSERT_TRUE(plan->confinement.user && plan->account);
  EXPECT_EQ(plan->confinement.user->uid, 5u);
  EXPECT_EQ(plan->confinement.user->gid, 60u);
  EXPECT_EQ(plan->account->home, "/usr/games");
  EXPECT_EQ(resource(*plan, RLIMIT_NPROC), std::nullopt);

  can.processes_by_cgroup = false;
  EXPECT_EQ(resource(*plan_limits(limits, can), RLIMIT_NPROC), 640u) << "of all its game servers";

  limits.set_user("root");
  plan = plan_limits(limits, able());
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->confinement.user) << "the node is root already";

  limits.set_user("nobdy");
  EXPECT_THAT(plan_limits(limits, able()).error(), HasSubstr("no user \"nobdy\""));
  limits.set_user("games");
  EXPECT_THAT(plan_limits(limits, unable()).error(), HasSubstr("only root may start"));
}

TEST(Limits, MoreFilesThanTheNodeMayHave) {
  wire::node::ProcessLimits limits;
  limits.set_open_files(50'000);
  const auto plan = plan_limits(limits, able());
  EXPECT_EQ(resource(*plan, RLIMIT_NOFILE), 20'000u);
  EXPECT_THAT(plan->unenforced,
              ElementsAre("open_files 50000: the node itself may give only 20000"));
}

TEST(Limits, NoneIsNone) {
  const auto plan = plan_limits({}, unable());
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->needs_cgroup());
  EXPECT_EQ(plan->confinement.nice, 0);
  EXPECT_FALSE(plan->confinement.no_new_privileges);
  EXPECT_THAT(plan->unenforced, IsEmpty());
  EXPECT_EQ(resource(*plan, RLIMIT_NOFILE), std::nullopt);
  EXPECT_EQ(resource(*plan, RLIMIT_CORE), std::nullopt) << "there would be none";
}

TEST(Limits, CoreDumps) {
  Enforceable can = able();
  can.core_dumps = {RLIM_INFINITY, RLIM_INFINITY};
  wire::node::ProcessLimits limits;
  EXPECT_EQ(resource(*plan_limits(limits, can), RLIMIT_CORE), 0u);
  limits.set_core_dumps(true);
  EXPECT_EQ(resource(*plan_limits(limits, can), RLIMIT_CORE), std::nullopt);
  can.core_dumps.rlim_cur = 0;
  EXPECT_EQ(resource(*plan_limits(limits, can), RLIMIT_CORE), RLIM_INFINITY);
}

TEST(Limits, InWords) {
  EXPECT_EQ(describe(able()),
            "memory by cgroup, cpu by cgroup, processes by cgroup, open_files by RLIMIT_NOFILE, "
            "another user");
  EXPECT_EQ(describe(unable()),
            "memory by RLIMIT_DATA, for each process (there is none), cpu not, only nice (there is "
            "none), processes not (there is none), open_files by RLIMIT_NOFILE, no other user and "
            "no nice below 0 (not root)");
  EXPECT_EQ(format_memory(512u << 20), "512MiB");
  EXPECT_EQ(format_memory(3ull << 29), "1.5GiB");
  EXPECT_EQ(format_memory(4096), "4KiB");
}

// ---- What /proc says of cgroups.

struct Found {
  int version;
  std::string folder, controllers;
  bool operator==(const Found&) const = default;
};
void PrintTo(const Found& f, std::ostream* out) {
  *out << f.version << ' ' << f.folder << ' ' << f.controllers;
}

std::vector<Found> found(std::string_view mountinfo, std::string_view own) {
  std::vector<Found> all;
  for (const CgroupHierarchy& hierarchy : parse_cgroups(mountinfo, own)) {
    std::string names;
    for (const std::string& name : hierarchy.controllers)
      names += (names.empty() ? "" : ",") + name;
    all.push_back({hierarchy.version, hierarchy.folder, names});
  }
  return all;
}

TEST(Cgroups, FoundWhereTheyAreMounted) {
  const char* const unified =
      "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
      "30 25 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 "
      "rw,nsdelegate\n";
  EXPECT_THAT(found(unified, "0::/system.slice/muster.service\n"),
              ElementsAre(Found{2, "/sys/fs/cgroup/system.slice/muster.service", ""}));
  EXPECT_THAT(found(unified, "0::/\n"), ElementsAre(Found{2, "/sys/fs/cgroup", ""}));

  const char* const hybrid =
      "31 30 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
      "32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:12 - cgroup cgroup rw,cpu,cpuacct\n"
      "33 30 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
      "34 30 0:30 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
      "35 30 0:31 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n"
      "36 30 0:29 / /mnt/again rw - cgroup cgroup rw,memory\n";
  const char* const own_hybrid =
      "9:name=systemd:/a\n5:pids:/\n4:memory:/a/b\n3:cpu,cpuacct:/a\n2:freezer:/\n0::/c\n";
  EXPECT_THAT(found(hybrid, own_hybrid),
              ElementsAre(Found{2, "/sys/fs/cgroup/unified/c", ""},
                          Found{1, "/sys/fs/cgroup/cpu,cpuacct/a", "cpu"},
                          Found{1, "/sys/fs/cgroup/memory/a/b", "memory"},
                          Found{1, "/sys/fs/cgroup/pids", "pids"}));

  // A container that sees only its own part, with a space in the path.
  const char* const part =
      "40 39 0:28 /docker/ab /sys/fs/my\\040cgroup/cpu ro - cgroup cgroup rw,cpu\n";
  EXPECT_THAT(found(part, "3:cpu:/docker/ab/x\n"),
              ElementsAre(Found{1, "/sys/fs/my cgroup/cpu/x", "cpu"}));
  EXPECT_THAT(found(part, "3:cpu:/docker/ab\n"),
              ElementsAre(Found{1, "/sys/fs/my cgroup/cpu", "cpu"}));
  EXPECT_THAT(found(part, "3:cpu:/docker/abc\n"), IsEmpty()) << "not in this part";
  EXPECT_THAT(found("", ""), IsEmpty());
  EXPECT_THAT(found("a b\n- - -\n1 2 3 4 5 6 - cgroup\n", ":\n::\n"), IsEmpty());
}

TEST(Cgroups, WhatIsWritten) {
  const auto written = [](int version, const CgroupLimits& limits) {
    std::vector<std::string> all;
    for (const CgroupSetting& setting : cgroup_settings(version, limits))
      all.push_back(setting.file + "=" + setting.value);
    return all;
  };
  const CgroupLimits limits{512u << 20, 1500, 64};
  EXPECT_THAT(written(2, limits), ElementsAre("memory.max=536870912", "memory.oom.group=1",
                                              "cpu.max=30000 20000", "pids.max=64"));
  EXPECT_THAT(written(1, limits),
              ElementsAre("memory.limit_in_bytes=536870912", "cpu.cfs_period_us=20000",
                          "cpu.cfs_quota_us=30000", "pids.max=64"));
  EXPECT_THAT(written(2, {0, 50, 0}), ElementsAre("cpu.max=1000 20000"));
  EXPECT_THAT(written(2, {}), IsEmpty());
}

}  // namespace
}  // namespace muster::node
