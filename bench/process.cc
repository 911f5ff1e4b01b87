#include "bench/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

namespace muster::bench {
namespace {

std::atomic<bool> interrupted = false;

void on_interrupt(int) { interrupted = true; }

void die_with_parent(int signal, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, signal);
  if (::getppid() != parent) ::_exit(1);  // It was gone before the line above.
}

}  // namespace

void catch_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void check_interrupted() {
  if (interrupted) throw Interrupted();
}

bool Child::running() {
  if (pid_ == 0) return false;
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) return true;
  pid_ = 0;
  return false;
}

void Child::kill() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

void Child::stop(std::chrono::milliseconds grace) {
  if (pid_ == 0) return;
  ::kill(pid_, stop_signal_);
  const auto deadline = std::chrono::steady_clock::now() + grace;
  while (running()) {
    if (std::chrono::steady_clock::now() > deadline) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
      pid_ = 0;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

Child fork_and_run(const std::function<void()>& body) {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error(fmt::format("fork: {}", std::strerror(errno)));
  if (pid > 0) return Child(pid, SIGKILL);
  die_with_parent(SIGKILL, parent);
  std::signal(SIGINT, SIG_IGN);
  try {
    body();
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench: child {}: {}\n", ::getpid(), e.what());
    ::_exit(1);
  }
  ::_exit(0);
}

Child run_program(const std::vector<std::string>& command, const std::string& log_file) {
  const pid_t parent = ::getpid();
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error(fmt::format("fork: {}", std::strerror(errno)));
  if (pid > 0) return Child(pid, SIGINT);
  die_with_parent(SIGINT, parent);
  ::setpgid(0, 0);  // Ctrl-C is for the benchmark, which then stops this.
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(arguments[0], arguments.data());
  fmt::print(stderr, "exec {}: {}\n", arguments[0], std::strerror(errno));
  ::_exit(127);
}

double cpu_microseconds(pid_t pid) {
  clockid_t clock;
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0)
    throw std::runtime_error(fmt::format("no CPU clock of process {}: it has ended", pid));
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

void wait_until_idle(pid_t pid) {
  constexpr std::chrono::milliseconds window(50);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (double before = cpu_microseconds(pid); std::chrono::steady_clock::now() < deadline;) {
    check_interrupted();
    std::this_thread::sleep_for(window);
    const double now = cpu_microseconds(pid);
    if (now - before < 1000) return;
    before = now;
  }
}

std::uint64_t private_bytes(pid_t pid) {
  std::ifstream rollup(fmt::format("/proc/{}/smaps_rollup", pid));
  std::uint64_t total = 0, kilobytes = 0;
  for (std::string line; std::getline(rollup, line);)
    if (std::sscanf(line.c_str(), "Private_Clean: %lu", &kilobytes) == 1 ||
        std::sscanf(line.c_str(), "Private_Dirty: %lu", &kilobytes) == 1)
      total += kilobytes << 10;
  if (total == 0)
    throw std::runtime_error(fmt::format("cannot read the memory of process {}", pid));
  return total;
}

TempFolder::TempFolder() {
  std::string name = std::filesystem::temp_directory_path() / "muster_bench_XXXXXX";
  if (!::mkdtemp(name.data())) throw std::runtime_error("no temporary folder: " + name);
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace muster::bench
