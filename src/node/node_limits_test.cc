// Limits, on real processes. What this machine cannot enforce is skipped, with the reason; resource
// limits, which every machine has, are in process_posix_test.cc.
#include "node/limits.h"
#include "node/node_harness.h"
#include "node/proc.h"
#include "node/text_file.h"

namespace muster::node::test {
namespace {

Enforceable here() { return look_at_enforceable(Cgroups("muster-test")); }

class NodeLimitsTest : public NodeTest {
 protected:
  /// What is left of this test's cgroups, for one game server's.
  std::vector<std::string> cgroups_of(const std::string& server_id) {
    std::vector<std::string> left;
    for (const CgroupHierarchy& hierarchy :
         parse_cgroups(read_text("/proc/self/mountinfo"),
                       read_text("/proc/" + std::to_string(node_.pid()) + "/cgroup"))) {
      std::error_code error;
      for (const auto& entry : std::filesystem::directory_iterator(hierarchy.folder, error))
        if (entry.path().filename().string().starts_with("muster-") &&
            std::filesystem::exists(entry.path() / server_id, error))
          left.push_back(entry.path() / server_id);
    }
    return left;
  }
  double cpu_seconds(pid_t pid) {
    const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
    std::istringstream fields(stat.substr(stat.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
};

TEST_F(NodeLimitsTest, TheNodeSaysWhatItCanEnforce) {
  EXPECT_EQ(lobby_hello_.limits(), describe(here()));
}

TEST_F(NodeLimitsTest, OverItsMemoryItIsKilledAndThatIsTheReason) {
  if (!here().memory_by_cgroup) GTEST_SKIP() << here().no_memory_cgroup;
  auto launch = shell("0.1", "echo starting; exec tail /dev/zero");
  launch.mutable_limits()->set_memory_bytes(32u << 20);
  ASSERT_GT(lobby_.launch(launch), 0);
  const auto exited = lobby_.next_exit();
  EXPECT_EQ(exited.signal(), SIGKILL);
  EXPECT_EQ(exited.detail(), "over its memory limit, 32MiB");
  ASSERT_GT(lobby_.launch(launch), 0) << "the same id again: its cgroup is gone";
  lobby_.next_exit();
}

TEST_F(NodeLimitsTest, AShareOfTheCpu) {
  if (!here().cpu_by_cgroup) GTEST_SKIP() << here().no_cpu_cgroup;
  auto launch = shell("0.1", "while :; do :; done");
  launch.mutable_limits()->set_cpu_thousandths(100);
  const pid_t pid = lobby_.launch(launch);
  ASSERT_GT(pid, 0);
  const auto begun = steady_clock::now();
  const double before = cpu_seconds(pid);
  while (steady_clock::now() < begun + seconds{1}) std::this_thread::sleep_for(milliseconds{10});
  const double used = cpu_seconds(pid) - before;
  const std::chrono::duration<double> took = steady_clock::now() - begun;
  EXPECT_LT(used, 0.1 * took.count() + 0.1);
}

TEST_F(NodeLimitsTest, SoManyProcesses) {
  if (!here().processes_by_cgroup) GTEST_SKIP() << here().no_processes_cgroup;
  auto launch = shell("0.1", "for i in 1 2 3 4 5 6 7 8 9; do sleep 1000 & done; echo all; wait");
  launch.mutable_limits()->set_processes(5);
  ASSERT_GT(lobby_.launch(launch), 0);
  const auto exited = lobby_.next_exit();
  EXPECT_NE(exited.exit_code(), 0);
  EXPECT_THAT(exited.detail(), testing::HasSubstr("annot fork"));
}

// A daemon that hides its origin, while another game server runs: only the cgroup knows whose it
// is.
TEST_F(NodeLimitsTest, AllThatIsInItsCgroupEndsWithIt) {
  if (!here().processes_by_cgroup) GTEST_SKIP() << here().no_processes_cgroup;
  const std::string file = data_ / "daemon";
  ASSERT_GT(lobby_.launch(shell("0.1", "exec sleep 1000")), 0);
  auto launch = shell("0.2", "env -i /usr/bin/setsid /bin/sh -c 'echo $$ > " + file +
                                 "; exec /bin/sleep 1000' & while ! [ -s " + file +
                                 " ]; do sleep 0.01; done; echo; read line");
  launch.mutable_limits()->set_processes(50);
  ASSERT_GT(lobby_.launch(launch), 0);
  EXPECT_EQ(lobby_.next_exit().server_id(), "0.2");
  pid_t daemon = 0;
  std::ifstream(file) >> daemon;
  ASSERT_GT(daemon, 0);
  EXPECT_FALSE(is_running(daemon));
  EXPECT_THAT(cgroups_of("0.2"), testing::IsEmpty());
}

TEST_F(NodeLimitsTest, TheCgroupsGoWithTheNode) {
  if (!here().memory_by_cgroup) GTEST_SKIP() << here().no_memory_cgroup;
  auto launch = shell("0.1", "exec sleep 1000");
  launch.mutable_limits()->set_memory_bytes(256u << 20);
  ASSERT_GT(lobby_.launch(launch), 0);
  const std::vector<std::string> folders = cgroups_of("0.1");
  ASSERT_FALSE(folders.empty());
  lobby_.stop_node(milliseconds{0});
  EXPECT_EQ(node_.wait(), 0);
  for (const std::string& folder : folders)
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(folder).parent_path())) << folder;
}

TEST_F(NodeLimitsTest, WhatTheKernelSetsForEveryProcess) {
  const std::string out = data_ / "out";
  auto launch = shell("0.1",
                      "{ ulimit -n; ulimit -Hn; ulimit -c; nice; "
                      "grep NoNewPrivs /proc/self/status; } > " +
                          out);
  wire::node::ProcessLimits& limits = *launch.mutable_limits();
  limits.set_open_files(64);
  limits.set_nice(7);
  limits.set_no_new_privileges(true);
  ASSERT_GT(lobby_.launch(launch), 0);
  EXPECT_EQ(lobby_.next_exit().exit_code(), 0);
  EXPECT_EQ(read_file(out), "64\n64\n0\n7\nNoNewPrivs:\t1\n");

  rlimit core{};
  ASSERT_EQ(::getrlimit(RLIMIT_CORE, &core), 0);
  limits.Clear();
  limits.set_core_dumps(true);
  ASSERT_GT(lobby_.launch(launch), 0);
  EXPECT_EQ(lobby_.next_exit().exit_code(), 0);
  std::istringstream lines(read_file(out));
  std::string soft, hard, dumps;
  lines >> soft >> hard >> dumps;
  EXPECT_EQ(dumps == "0", core.rlim_max == 0);
}

TEST_F(NodeLimitsTest, WhatCannotBeEnforcedIsSaidFirstInItsLog) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  if (files.rlim_max >= 1'000'000'000) GTEST_SKIP() << "the node may have any number of files";
  auto launch = shell("0.1", "echo started");
  launch.mutable_limits()->set_open_files(1'000'000'000);
  ASSERT_GT(lobby_.launch(launch), 0);
  lobby_.next_exit();
  std::string log;
  for (const auto& entry : std::filesystem::directory_iterator(data_ / "logs/duel"))
    log = read_file(entry.path());
  EXPECT_EQ(log, "[muster: not enforced: open_files 1000000000: the node itself may give only " +
                     std::to_string(files.rlim_max) + "]\nstarted\n");

  launch.mutable_limits()->set_required(true);
  wire::node::LaunchFailed failure;
  EXPECT_EQ(lobby_.launch(launch, &failure), 0);
  EXPECT_THAT(failure.detail(), testing::HasSubstr("limits.required"));
}

TEST_F(NodeLimitsTest, AsAnotherUser) {
  const auto nobody = find_account("nobody");
  if (::geteuid() != 0 || !nobody) GTEST_SKIP() << "needs root, and a user nobody";
  auto launch = shell("0.1",
                      "cd {log_dir} && { id -u; id -g; id -G; echo $USER $HOME; } > id && "
                      "touch ready && exec sleep 1000");
  launch.mutable_limits()->set_user("nobody");
  launch.set_working_directory("/");
  const pid_t pid = lobby_.launch(launch);
  ASSERT_GT(pid, 0);
  const std::string folder = data_ / "logs/duel/nobody";
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder + "/ready"); }));
  const std::string group = std::to_string(nobody->gid) + "\n";
  EXPECT_EQ(read_file(folder + "/id"),
            std::to_string(nobody->uid) + "\n" + group + group + "nobody " + nobody->home + "\n");
  struct stat status{};
  ASSERT_EQ(::stat(data_.path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0007, 0001u) << "others may pass through the data folder, not look";

  auto failing = shell("0.2", "exit 0");
  failing.mutable_limits()->set_user("no-such-user");
  wire::node::LaunchFailed failure;
  EXPECT_EQ(lobby_.launch(failing, &failure), 0);
  EXPECT_THAT(failure.detail(), testing::HasSubstr("no user \"no-such-user\""));

  node_.kill();  // Another user's is taken over as well.
  start_node();
  ASSERT_EQ(lobby_hello_.servers_size(), 1);
  EXPECT_EQ(lobby_hello_.servers(0).pid(), static_cast<std::uint32_t>(pid));
  lobby_.stop("0.1", milliseconds{0});
  EXPECT_TRUE(lobby_.next_exit().status_unknown());
}

}  // namespace
}  // namespace muster::node::test
