#include "node/process_posix.h"

#include <fmt/format.h>
#include <sys/prctl.h>

#include "node/node_harness.h"
#include "node/port_probe.h"
#include "node/proc.h"

namespace muster::node::test {
namespace {

Command sh(const std::string& script) {
  return {"/bin/sh", {"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}, "", 0, {}};
}

std::string all_output(const Process& process) {
  std::string out;
  char buffer[4096];
  for (;;) {
    pollfd ready{process.output.get(), POLLIN, 0};
    if (::poll(&ready, 1, 20'000) != 1) return "no end";
    const ssize_t n = ::read(process.output.get(), buffer, sizeof buffer);
    if (n <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(n));
  }
}

struct Way {
  const char* name;
  CloneCall call;
  bool ahead;
};

/// Each way to a process, in turn.
class ProcessClone : public testing::TestWithParam<Way> {
 protected:
  ProcessClone() {
    use_clone_call(GetParam().call);
    if (GetParam().ahead) keep_process_ready();
  }
  ~ProcessClone() override { use_clone_call(CloneCall::automatic); }
};
INSTANTIATE_TEST_SUITE_P(Ways, ProcessClone,
                         testing::Values(Way{"clone3", CloneCall::automatic, false},
                                         Way{"clone", CloneCall::clone_only, false},
                                         Way{"ahead", CloneCall::automatic, true}),
                         [](const auto& way) { return way.param.name; });

TEST(ProcessKeptReady, HoldsNothingOfTheCallers) {
  use_clone_call(CloneCall::automatic);
  keep_process_ready();
  const pid_t pid = process_kept_ready();
  ASSERT_GT(pid, 0);
  eventually([&] {
    return std::distance(std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid)),
                         {}) == 3;
  });
  auto process = start_process(sh("echo $$"));
  ASSERT_TRUE(process) << process.error().detail;
  EXPECT_EQ(process->pid, pid);
  EXPECT_EQ(all_output(*process), fmt::format("{}\n", pid));
  EXPECT_EQ(process_kept_ready(), 0);
  reap(*process);
}

TEST(ProcessKeptReady, IsNotMissedIfSomebodyKilledIt) {
  use_clone_call(CloneCall::automatic);
  keep_process_ready();
  const pid_t pid = process_kept_ready();
  ::kill(pid, SIGKILL);
  auto process = start_process(sh("echo here"));
  ASSERT_TRUE(process) << process.error().detail;
  EXPECT_NE(process->pid, pid);
  EXPECT_EQ(all_output(*process), "here\n");
  EXPECT_FALSE(is_running(pid));
  reap(*process);
}

TEST_P(ProcessClone, RunsAndIsReaped) {
  auto process = start_process(sh("echo out; echo err >&2; exit 5"));
  ASSERT_TRUE(process);
  EXPECT_EQ(all_output(*process), "out\nerr\n");
  pollfd ended{process->pidfd.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 20'000), 1);
  for (int i = 0; i < 2; ++i) {  // Asking does not reap.
    const auto status = exit_status(*process);
    ASSERT_TRUE(status);
    EXPECT_EQ(status->exit_code, 5);
  }
  EXPECT_TRUE(is_running(process->pid));
  reap(*process);
  EXPECT_FALSE(is_running(process->pid));
}

TEST_P(ProcessClone, FailureLeavesNothing) {
  const auto open_files = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  ASSERT_FALSE(start_process({"/no/such", {"/no/such"}, {}, "", 0, {}})) << "what is kept is there";
  const auto before = open_files();
  for (int i = 0; i < 50; ++i) {
    const auto process = start_process({"/no/such", {"/no/such"}, {}, "", 0, {}});
    ASSERT_FALSE(process);
    EXPECT_EQ(process.error().error, ENOENT);
    EXPECT_FALSE(is_limit(process.error().error));
  }
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
}

TEST(Process, LimitsAreKnownAsSuch) {
  rlimit files{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  rlimit none = files;
  none.rlim_cur = 3;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto process = start_process(sh("exit 0"));
  const auto port = probe_port(7001);
  ::setrlimit(RLIMIT_NOFILE, &files);
  ASSERT_FALSE(process);
  EXPECT_TRUE(is_limit(process.error().error));
  EXPECT_EQ(process.error().detail, "cannot start a process: Too many open files");
  ASSERT_FALSE(port);
  EXPECT_TRUE(port.error().limit_reached);
}

TEST_P(ProcessClone, StateOfTheCallerIsNotInherited) {
  const auto before = ::signal(SIGUSR1, SIG_IGN);
  sigset_t block, old;
  ::sigemptyset(&block);
  ::sigaddset(&block, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &block, &old);
  const UniqueFd leaky(::open("/dev/null", O_RDONLY));  // Without close-on-exec.
  std::string script = "grep Sig[IB] /proc/self/status; ulimit -n";
  for (int fd = 0; fd < 64; ++fd)
    script += fmt::format("; test -e /proc/$$/fd/{0} && echo {0}", fd);
  Command command = sh(script);
  command.open_files_max = 77;
  auto process = start_process(command);
  sigset_t after;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_TRUE(::sigismember(&after, SIGUSR2)) << "and the caller's is as it was";
  EXPECT_FALSE(::sigismember(&after, SIGTERM));
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  ::signal(SIGUSR1, before);
  ASSERT_TRUE(process);
  const std::string out = all_output(*process);
  EXPECT_GE(leaky.get(), 3);
  EXPECT_EQ(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n77\n0\n1\n2\n");
  reap(*process);
}

std::string output_and_reap(const Command& command) {
  auto process = start_process(command);
  if (!process) return process.error().detail;
  std::string out = all_output(*process);
  reap(*process);
  return out;
}

TEST_P(ProcessClone, ResourceLimitsAndNice) {
  Command command = sh("ulimit -n; ulimit -Hn; nice");
  command.open_files_max = 99;
  command.confinement.resources.push_back({RLIMIT_NOFILE, {33, 44}});
  command.confinement.nice = 3;
  EXPECT_EQ(output_and_reap(command), "33\n44\n3\n") << "the limit counts for more";

  Command hungry = sh("exec tail /dev/zero");
  hungry.confinement.resources.push_back({RLIMIT_DATA, {32u << 20, 32u << 20}});
  EXPECT_THAT(output_and_reap(hungry), testing::HasSubstr("memory exhausted"));
}

TEST_P(ProcessClone, AnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  Command command =
      sh("id -u; id -g; id -G; (sleep 0.01 & sleep 0.01 & sleep 0.01 & wait) && echo");
  command.confinement.user = Confinement::User{65'432, 65'431, "nobody-else"};
  // Nobody else has this uid, so all that counts is what is started here.
  command.confinement.resources.push_back({RLIMIT_NPROC, {2, 2}});
  EXPECT_THAT(output_and_reap(command), testing::StartsWith("65432\n65431\n65431\n"));
  EXPECT_THAT(output_and_reap(command), testing::HasSubstr("fork"));
  EXPECT_EQ(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1) << "the caller is as it was";
}

TEST_P(ProcessClone, InACgroup) {
  const std::string folder = "/sys/fs/cgroup/unified/muster-test-" + std::to_string(::getpid());
  const std::string v2 = std::filesystem::exists("/sys/fs/cgroup/cgroup.procs")
                             ? "/sys/fs/cgroup" + folder.substr(folder.rfind('/'))
                             : folder;
  if (::mkdir(v2.c_str(), 0755) < 0)
    GTEST_SKIP() << "cannot make " << v2 << ": " << ::strerror(errno);
  {
    const UniqueFd opened(::open(v2.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    Command command = sh("grep ^0: /proc/self/cgroup");
    command.confinement.cgroup = opened.get();
    EXPECT_EQ(output_and_reap(command), "0::" + v2.substr(v2.rfind('/')) + "\n");
  }
  EXPECT_EQ(::rmdir(v2.c_str()), 0);
}

TEST(Process, TheGroupIsSignalled) {
  auto process = start_process(sh("sleep 1000 & echo $!; wait"));
  ASSERT_TRUE(process);
  pollfd ready{process->output.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ready, 1, 20'000), 1);
  signal_group(*process, SIGKILL);
  const std::string out = all_output(*process);  // Ends only when the child, too, is gone.
  EXPECT_GT(std::stoi(out), 0);
  pollfd ended{process->pidfd.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&ended, 1, 20'000), 1);
  EXPECT_EQ(exit_status(*process)->signal, SIGKILL);
  reap(*process);
}

TEST(Proc, ChildrenWithAndWithoutTheKernelsList) {
  auto first = start_process(sh("exec sleep 1000"));
  auto second = start_process(sh("exec sleep 1000"));
  ASSERT_TRUE(first && second);
  for (std::vector<pid_t> children : {children_of(::getpid()), children_by_scan(::getpid())}) {
    EXPECT_THAT(children, testing::IsSupersetOf({first->pid, second->pid}));
    EXPECT_THAT(children, testing::Not(testing::Contains(::getpid())));
  }
  for (Process* process : {&*first, &*second}) {
    signal_group(*process, SIGKILL);
    reap(*process);
  }
}

TEST(PortLook, SeesWhatIsInTheWay) {
  PortLook looks;
  const std::uint16_t port = free_port();
  EXPECT_TRUE(looks.look(port));
  for (const int type : {SOCK_STREAM, SOCK_DGRAM})
    for (const std::uint32_t host : {INADDR_ANY, INADDR_LOOPBACK}) {
      UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(host);
      address.sin_port = htons(port);
      ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      if (type == SOCK_STREAM) {
        ASSERT_EQ(::listen(socket.get(), 1), 0);
      }
      const auto taken = looks.look(port);
      ASSERT_FALSE(taken);
      EXPECT_EQ(taken.error().detail, std::string(type == SOCK_STREAM ? "TCP" : "UDP") + " port " +
                                          std::to_string(port) + ": Address already in use");
      socket.reset();
      EXPECT_TRUE(looks.look(port));
    }
}

TEST(PortProbe, SeesListenersButNotWhatIsClosing) {
  const std::uint16_t port = free_port();
  EXPECT_TRUE(probe_port(port));
  EXPECT_TRUE(probe_port(port)) << "it leaves the port free";
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const int yes = 1;
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  const auto taken = probe_port(port);
  ASSERT_FALSE(taken) << "also on one address only";
  EXPECT_FALSE(taken.error().limit_reached);
  EXPECT_EQ(taken.error().detail, "TCP port " + std::to_string(port) + ": Address already in use");

  // The server closes first, so its end waits in TIME_WAIT.
  UniqueFd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  UniqueFd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  accepted.reset();
  char byte;
  EXPECT_EQ(::read(client.get(), &byte, 1), 0);
  client.reset();
  listener.reset();
  EXPECT_TRUE(probe_port(port));
}

}  // namespace
}  // namespace muster::node::test
