#include "node/process_posix.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/check.h"

namespace muster::node {
namespace {

enum class Step {
  none,
  session,
  parent_death,
  signals,
  standard_streams,
  descriptors,
  working_directory,
  limits,
  execute
};

// What the child needs, prepared before the clone, and what it reports back through the memory it
// shares with the parent until it executes.
struct Attempt {
  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* working_directory = nullptr;
  int input = -1, output = -1, inherited = -1;
  pid_t parent = 0;
  bool limit_files = false;
  rlimit files{};
  Step failed = Step::none;
  int error = 0;
};

// The child runs in the parent's memory while the parent's thread waits. It makes bare system calls
// only: sanitizers put wrappers with state of their own around the library's functions, and that
// state is the parent's. errno is the parent's as well, which the parent expects.
#define MUSTER_BARE __attribute__((no_sanitize("address", "undefined", "thread")))

MUSTER_BARE bool failed(Attempt* attempt, Step step, long result) {
  if (result >= 0) return false;
  attempt->failed = step;
  attempt->error = errno;
  return true;
}

MUSTER_BARE bool become_the_program(Attempt* a) {
  if (failed(a, Step::session, ::syscall(SYS_setsid))) return false;
  if (failed(a, Step::parent_death, ::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)))
    return false;
  if (::syscall(SYS_getppid) != a->parent) {  // It died before the line above could take effect.
    errno = ESRCH;
    return !failed(a, Step::parent_death, -1);
  }
  // To the default before unblocking: a handler of the parent must not run in here. The kernel's
  // sigaction is at most this large, and all zero is SIG_DFL without flags. Signals that may not be
  // set (SIGKILL, SIGSTOP) fail, which does not matter.
  alignas(16) const unsigned char as_default[64] = {};
  for (int signal = 1; signal <= 64; ++signal)
    ::syscall(SYS_rt_sigaction, signal, as_default, nullptr, std::size_t{8});

  if (failed(a, Step::standard_streams, ::syscall(SYS_dup3, a->input, STDIN_FILENO, 0)) ||
      failed(a, Step::standard_streams, ::syscall(SYS_dup3, a->output, STDOUT_FILENO, 0)) ||
      failed(a, Step::standard_streams, ::syscall(SYS_dup3, a->output, STDERR_FILENO, 0)))
    return false;
  unsigned first_closed = 3;
  if (a->inherited >= 0) {
    const long kept = a->inherited == 3 ? ::syscall(SYS_fcntl, 3, F_SETFD, 0)
                                        : ::syscall(SYS_dup3, a->inherited, 3, 0);
    if (failed(a, Step::descriptors, kept)) return false;
    first_closed = 4;
  }
  // Kernels before 5.9 lack it; everything of the node's own is close-on-exec anyway.
  if (::syscall(SYS_close_range, first_closed, ~0u, 0u) < 0 && errno != ENOSYS)
    return !failed(a, Step::descriptors, -1);
  if (a->working_directory &&
      failed(a, Step::working_directory, ::syscall(SYS_chdir, a->working_directory)))
    return false;
  if (a->limit_files &&
      failed(a, Step::limits, ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &a->files, nullptr)))
    return false;
  const std::uint64_t nothing_blocked = 0;
  if (failed(a, Step::signals,
             ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &nothing_blocked, nullptr, std::size_t{8})))
    return false;
  return !failed(a, Step::execute, ::syscall(SYS_execve, a->program, a->arguments, a->environment));
}

MUSTER_BARE int child_main(void* argument) {
  become_the_program(static_cast<Attempt*>(argument));
  ::syscall(SYS_exit_group, 127);
  return 127;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::string explain(const Command& command, Step step, int error) {
  const char* const why = ::strerrordesc_np(error);
  switch (step) {
    case Step::working_directory:
      return fmt::format("cannot enter the working directory {}: {}", command.working_directory,
                         why);
    case Step::execute: {
      std::string text = fmt::format("cannot execute {}: {}", command.program, why);
      if (!command.working_directory.empty() && command.program.front() != '/')
        text += fmt::format(" (in {})", command.working_directory);
      if (error == ENOEXEC) text += " (is its \"#!\" line missing?)";
      return text;
    }
    case Step::none:
      return fmt::format("cannot start a process: {}", why);
    case Step::session:
    case Step::parent_death:
    case Step::signals:
    case Step::standard_streams:
    case Step::descriptors:
    case Step::limits:
      break;
  }
  return fmt::format("cannot prepare the process of {}: {}", command.program, why);
}

}  // namespace

std::expected<Process, StartError> start_process(const Command& command) {
  CHECK(!command.program.empty() && !command.arguments.empty(), "there is a program to execute");
  const auto refuse = [&](Step step, int error) {
    return std::unexpected(StartError{error, explain(command, step, error)});
  };

  int pipe_ends[2];
  if (::pipe2(pipe_ends, O_CLOEXEC) < 0) return refuse(Step::none, errno);
  UniqueFd output(pipe_ends[0]);
  const UniqueFd output_of_child(pipe_ends[1]);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
  const UniqueFd input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!input) return refuse(Step::none, errno);

  const std::vector<char*> arguments = pointers_to(command.arguments);
  const std::vector<char*> environment = pointers_to(command.environment);
  Attempt attempt;
  attempt.program = command.program.c_str();
  attempt.arguments = arguments.data();
  attempt.environment = environment.data();
  if (!command.working_directory.empty())
    attempt.working_directory = command.working_directory.c_str();
  attempt.input = input.get();
  attempt.output = output_of_child.get();
  attempt.inherited = command.inherited;
  attempt.parent = ::getpid();
  if (command.open_files_max > 0 && ::getrlimit(RLIMIT_NOFILE, &attempt.files) == 0) {
    attempt.files.rlim_cur = std::min(command.open_files_max, attempt.files.rlim_max);
    attempt.limit_files = true;
  }

  constexpr std::size_t stack_bytes = 64 * 1024;
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(stack_bytes);
  const auto top =
      reinterpret_cast<std::uintptr_t>(stack.get() + stack_bytes) & ~std::uintptr_t{15};

  // No signal may be handled in the child: the handler would run in the parent's memory.
  sigset_t everything, before;
  ::sigfillset(&everything);
  ::pthread_sigmask(SIG_SETMASK, &everything, &before);
  int pidfd = -1;
  const int pid = ::clone(child_main, reinterpret_cast<void*>(top),
                          CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &attempt, &pidfd);
  const int clone_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return refuse(Step::none, clone_error);

  Process process{pid, UniqueFd(pidfd), std::move(output)};
  if (attempt.failed != Step::none) {
    reap(process);
    return refuse(attempt.failed, attempt.error);
  }
  return process;
}

bool is_limit(int error) {
  return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE ||
         error == ENOBUFS || error == ENOSPC;
}

namespace {
std::optional<ExitStatus> wait_for(const Process& process, int options) {
  siginfo_t info{};
  int result;
  do {
    result = ::waitid(P_PIDFD, static_cast<id_t>(process.pidfd.get()), &info, WEXITED | options);
  } while (result < 0 && errno == EINTR);
  if (result < 0 || info.si_pid == 0) return std::nullopt;
  if (info.si_code == CLD_EXITED) return ExitStatus{info.si_status, 0};
  return ExitStatus{-1, info.si_status};
}
}  // namespace

std::optional<ExitStatus> exit_status(const Process& process) {
  return wait_for(process, WNOHANG | WNOWAIT);
}

void reap(Process& process) {
  wait_for(process, 0);
  process.pidfd.reset();
}

void signal_group(const Process& process, int signal) {
  CHECK(process.pid > 1 && process.pidfd, "its pid is still its own");
  ::kill(-process.pid, signal);
}

}  // namespace muster::node
