#include "node/process_posix.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <concepts>
#include <cstring>
#include <ctime>
#include <memory>
#include <utility>

#include "base/check.h"
#include "node/proc.h"

namespace muster::node {
namespace {

enum class Step {
  none,
  session,
  cgroup,
  parent_death,
  signals,
  standard_streams,
  descriptors,
  limits,
  nice,
  user,
  no_new_privileges,
  working_directory,
  execute
};

constexpr int signals_count = 64;

// What the child needs, prepared before the clone, and what it reports back through the memory it
// shares with the parent until it executes.
struct Attempt {
  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* working_directory = nullptr;
  int input = -1, output = -1, inherited = -1;
  pid_t parent = 0;
  bool handlers_cleared = false;  // By clone3.
  std::uint64_t ignored = 0;      // Signals: bit n - 1.
  const int* cgroup_procs = nullptr;
  std::size_t cgroup_procs_count = 0;
  const Confinement::Resource* resources = nullptr;
  std::size_t resources_count = 0;
  int nice = 0;
  bool change_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  bool no_new_privileges = false;
  // The note that puts it on record, if the process is to write that itself.
  std::uint8_t* note = nullptr;
  std::size_t note_size = 0, note_pid_at = 0, note_time_at = 0;
  int note_file = -1;
  bool on_record = false;  // So it need not die with the node.
  Step failed = Step::none;
  int error = 0;
  bool executing = false;  // It has come to the last step.
};

// The child runs in the parent's memory. It makes bare system calls only: sanitizers put wrappers
// with state of their own around the library's functions, and that state is the parent's; so is
// errno, which is left alone where the machine is known. Negative results are errno.
#define MUSTER_BARE __attribute__((no_sanitize("address", "undefined", "thread")))

struct Words {
  long of[5];
};

#if defined(__x86_64__)
constexpr bool has_bare_calls = true;
MUSTER_BARE inline long bare_call(long number, const Words& words) {
  long result;
  register long fourth asm("r10") = words.of[3];
  register long fifth asm("r8") = words.of[4];
  asm volatile("syscall"
               : "=a"(result)
               : "0"(number), "D"(words.of[0]), "S"(words.of[1]), "d"(words.of[2]), "r"(fourth),
                 "r"(fifth)
               : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
constexpr bool has_bare_calls = true;
MUSTER_BARE inline long bare_call(long number, const Words& words) {
  register long which asm("x8") = number;
  register long first asm("x0") = words.of[0];
  register long second asm("x1") = words.of[1];
  register long third asm("x2") = words.of[2];
  register long fourth asm("x3") = words.of[3];
  register long fifth asm("x4") = words.of[4];
  asm volatile("svc #0"
               : "+r"(first)
               : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth)
               : "memory");
  return first;
}
#else
constexpr bool has_bare_calls = false;
MUSTER_BARE inline long bare_call(long number, const Words& words) {
  const long result =
      ::syscall(number, words.of[0], words.of[1], words.of[2], words.of[3], words.of[4]);
  return result < 0 ? -errno : result;
}
#endif

MUSTER_BARE inline long word(std::integral auto number) { return static_cast<long>(number); }
MUSTER_BARE inline long word(const volatile void* pointer) {
  return reinterpret_cast<long>(pointer);
}

template <class... Arguments>
MUSTER_BARE inline long bare(long number, Arguments... arguments) {
  return bare_call(number, {{word(arguments)...}});
}

MUSTER_BARE bool failed(Attempt* attempt, Step step, long result) {
  if (result >= 0) return false;
  attempt->failed = step;
  attempt->error = static_cast<int>(-result);
  return true;
}

// To the default before unblocking: a handler of the parent must not run in here. The kernel's
// sigaction is at most this large, and all zero is SIG_DFL without flags. Signals that may not be
// set (SIGKILL, SIGSTOP) fail, which does not matter.
MUSTER_BARE void reset_signals(const Attempt* a) {
  alignas(16) const unsigned char as_default[64] = {};
  for (int signal = 1; signal <= signals_count; ++signal)
    if (!a->handlers_cleared || ((a->ignored >> (signal - 1)) & 1) != 0)
      bare(SYS_rt_sigaction, signal, as_default, nullptr, std::size_t{8});
}

MUSTER_BARE bool take_streams(Attempt* a) {
  if (failed(a, Step::standard_streams, bare(SYS_dup3, a->input, STDIN_FILENO, 0)) ||
      failed(a, Step::standard_streams, bare(SYS_dup3, a->output, STDOUT_FILENO, 0)) ||
      failed(a, Step::standard_streams, bare(SYS_dup3, a->output, STDERR_FILENO, 0)))
    return false;
  unsigned first_closed = 3;
  if (a->inherited >= 0) {
    const long kept =
        a->inherited == 3 ? bare(SYS_fcntl, 3, F_SETFD, 0) : bare(SYS_dup3, a->inherited, 3, 0);
    if (failed(a, Step::descriptors, kept)) return false;
    first_closed = 4;
  }
  // Kernels before 5.9 lack it; everything of the node's own is close-on-exec anyway.
  const long closed = bare(SYS_close_range, first_closed, ~0u, 0u);
  return closed == -ENOSYS || !failed(a, Step::descriptors, closed);
}

MUSTER_BARE bool confine(Attempt* a) {
  for (std::size_t i = 0; i < a->resources_count; ++i)
    if (failed(a, Step::limits,
               bare(SYS_prlimit64, 0, a->resources[i].which, &a->resources[i].limit, nullptr)))
      return false;
  if (a->nice != 0 && failed(a, Step::nice, bare(SYS_setpriority, long{PRIO_PROCESS}, 0, a->nice)))
    return false;
  if (a->change_user && (failed(a, Step::user, bare(SYS_setgroups, 0, nullptr)) ||
                         failed(a, Step::user, bare(SYS_setresgid, a->gid, a->gid, a->gid)) ||
                         failed(a, Step::user, bare(SYS_setresuid, a->uid, a->uid, a->uid))))
    return false;
  return !a->no_new_privileges ||
         !failed(a, Step::no_new_privileges, bare(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

MUSTER_BARE void put(std::uint8_t* at, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) at[i] = static_cast<std::uint8_t>(number >> (8 * i));
}

MUSTER_BARE void fill_in(std::uint8_t* pid_at, std::uint8_t* time_at, pid_t pid) {
  timespec now{};
  bare(SYS_clock_gettime, CLOCK_BOOTTIME, &now);
  put(pid_at, static_cast<std::uint64_t>(pid), 4);
  put(time_at,
      static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
          static_cast<std::uint64_t>(now.tv_nsec),
      8);
}

// From then on it is known to whoever comes after the node.
MUSTER_BARE void go_on_record(Attempt* a) {
  if (!a->note) return;
  fill_in(a->note + a->note_pid_at, a->note + a->note_time_at,
          static_cast<pid_t>(bare(SYS_getpid)));
  a->on_record = bare(SYS_write, a->note_file, a->note, a->note_size) == word(a->note_size);
}

MUSTER_BARE bool die_with_parent(Attempt* a) {
  if (failed(a, Step::parent_death, bare(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)))
    return false;
  // It may have died before that could take effect.
  return bare(SYS_getppid) == a->parent || !failed(a, Step::parent_death, -ESRCH);
}

MUSTER_BARE bool join_cgroups(Attempt* a) {
  for (std::size_t i = 0; i < a->cgroup_procs_count; ++i)  // "0" is who writes it.
    if (failed(a, Step::cgroup, bare(SYS_write, a->cgroup_procs[i], "0", std::size_t{1})))
      return false;
  return true;
}

// What is the same for every program.
MUSTER_BARE bool leave_the_node(Attempt* a) {
  if (failed(a, Step::session, bare(SYS_setsid))) return false;
  reset_signals(a);
  return take_streams(a);
}

MUSTER_BARE bool become_the_program(Attempt* a) {
  // The parent's death after a change of user, which would undo it.
  if (!confine(a)) return false;
  if (a->on_record)
    bare(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0);  // Of one that was made ahead.
  else if (!die_with_parent(a))
    return false;
  if (a->working_directory &&
      failed(a, Step::working_directory, bare(SYS_chdir, a->working_directory)))
    return false;
  const std::uint64_t nothing_blocked = 0;
  if (failed(a, Step::signals,
             bare(SYS_rt_sigprocmask, SIG_SETMASK, &nothing_blocked, nullptr, std::size_t{8})))
    return false;
  a->executing = true;
  return !failed(a, Step::execute, bare(SYS_execve, a->program, a->arguments, a->environment));
}

MUSTER_BARE int child_main(void* argument) {
  auto* const attempt = static_cast<Attempt*>(argument);
  go_on_record(attempt);  // While the record is still open here.
  if (join_cgroups(attempt) && leave_the_node(attempt)) become_the_program(attempt);
  bare(SYS_exit_group, 127);
  return 127;
}

// clone3 with the parent's own stack: like vfork, the child runs below this frame, which the parent
// leaves only once the child has executed or ended. glibc has no wrapper. -1 with errno.
MUSTER_BARE __attribute__((noinline)) long clone3_and_become(clone_args* args, Attempt* attempt) {
  long result = -ENOSYS;
#if defined(__x86_64__)
  asm volatile("syscall"
               : "=a"(result)
               : "0"(static_cast<long>(SYS_clone3)), "D"(args), "S"(sizeof *args)
               : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long number asm("x8") = SYS_clone3;
  register long first asm("x0") = reinterpret_cast<long>(args);
  register long second asm("x1") = sizeof *args;
  asm volatile("svc #0" : "+r"(first) : "r"(number), "r"(second) : "memory");
  result = first;
#endif
  if (result == 0) child_main(attempt);
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

// For the next process. Made while the last one starts, so that nobody waits for it.
struct Streams {
  UniqueFd input;  // /dev/null; kept.
  std::optional<OutputPipe> output;
};
Streams prepared;

// 0, or errno.
int prepare_streams() {
  if (!prepared.input) prepared.input.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!prepared.input) return errno;
  if (prepared.output) return 0;
  auto made = make_output_pipe();
  if (!made) return made.error();
  prepared.output = std::move(*made);
  return 0;
}

CloneCall clone_call = CloneCall::automatic;
std::optional<std::uint64_t> ignored_at_first_start;

// A child made before it is needed: it has done what is the same for every program, and waits to be
// told which one it becomes. Like every child before it executes it runs in the node's memory, here
// beside the node, on this stack.
struct Spare {
  alignas(16) std::byte stack[16 * 1024];
  Attempt setup;               // Of what is done ahead.
  Attempt* attempt = nullptr;  // Set before `go`.
  std::uint32_t go = 0;        // Futex.
  std::uint32_t alive = 1;     // Futex; the kernel clears it once this memory is not used any more.
  pid_t pid = 0;
  UniqueFd pidfd;
  OutputPipe output;
};
std::unique_ptr<Spare> spare;

MUSTER_BARE int spare_main(void* argument) {
  auto* const s = static_cast<Spare*>(argument);
  bare(SYS_prctl, PR_SET_NAME, "muster-spare");
  if (leave_the_node(&s->setup) && die_with_parent(&s->setup)) {
    while (__atomic_load_n(&s->go, __ATOMIC_ACQUIRE) == 0)
      bare(SYS_futex, &s->go, FUTEX_WAIT, 0, nullptr);
    become_the_program(s->attempt);
  }
  bare(SYS_exit_group, 127);
  return 127;
}

// It may have gone by itself, or by somebody's hand.
void forget_spare() {
  if (!spare) return;
  ::kill(spare->pid, SIGKILL);  // Nobody else's: it is not reaped.
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(spare->pidfd.get()), &info, WEXITED) < 0 &&
         errno == EINTR) {
  }
  remove_output(spare->output.name);
  spare.reset();
}

bool can_use_spare(const Command& command) {
  return spare && command.inherited < 0 && command.confinement.cgroup < 0 &&
         command.confinement.cgroup_procs.empty();
}

// Nothing: there is no such child any more, and nothing has been done.
std::optional<Process> start_spare(const Command& command, Attempt& attempt) {
  attempt.note = nullptr;  // It has no descriptor of the record, and its pid is known.
  attempt.on_record =
      command.birth_register &&
      put_on_record(*command.birth_register, command.registered_as, spare->output.name, spare->pid);
  spare->attempt = &attempt;
  __atomic_store_n(&spare->go, 1, __ATOMIC_RELEASE);
  bare(SYS_futex, &spare->go, FUTEX_WAKE, 1);
  while (__atomic_load_n(&spare->alive, __ATOMIC_ACQUIRE) != 0)
    bare(SYS_futex, &spare->alive, FUTEX_WAIT, 1, nullptr);
  if (!attempt.executing && attempt.failed == Step::none) {
    forget_spare();
    return std::nullopt;
  }
  Process process{spare->pid, std::move(spare->pidfd), std::move(spare->output.reader),
                  std::move(spare->output.name)};
  spare.reset();
  return process;
}

// Not there (before 5.3, or 5.5 and 5.7 for the flags), or a sandbox that cannot look at its
// arguments and so refuses it.
bool lacks_clone3(int error) {
  return error == ENOSYS || error == EINVAL || error == EPERM || error == E2BIG;
}

long clone3_pidfd(const Command& command, Attempt& attempt, int& pidfd) {
  clone_args args{};
  args.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (command.confinement.cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(command.confinement.cgroup);
  }
  attempt.handlers_cleared = true;
  return clone3_and_become(&args, &attempt);
}

long clone_pidfd(const Command& command, Attempt& attempt, int& pidfd) {
  attempt.handlers_cleared = false;
  std::vector<int> procs = command.confinement.cgroup_procs;
  UniqueFd own;
  if (command.confinement.cgroup >= 0) {
    own.reset(::openat(command.confinement.cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC));
    if (!own) return -1;
    procs.push_back(own.get());
    attempt.cgroup_procs = procs.data();
    attempt.cgroup_procs_count = procs.size();
  }
  constexpr std::size_t stack_bytes = 64 * 1024;
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(stack_bytes);
  const auto top =
      reinterpret_cast<std::uintptr_t>(stack.get() + stack_bytes) & ~std::uintptr_t{15};
  return ::clone(child_main, reinterpret_cast<void*>(top),
                 CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &attempt, &pidfd);
}

std::uint64_t ignored_signals() {
  std::uint64_t ignored = 0;
  struct sigaction action{};
  for (int signal = 1; signal <= signals_count; ++signal)
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
      ignored |= std::uint64_t{1} << (signal - 1);
  return ignored;
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
    case Step::user:
      return fmt::format("cannot become user {}: {}", command.confinement.user->name, why);
    case Step::nice:
      return fmt::format("cannot set nice {}: {}", command.confinement.nice, why);
    case Step::cgroup:
      return fmt::format("cannot enter the cgroup of its limits: {}", why);
    case Step::limits:
      return fmt::format("cannot set its resource limits: {}", why);
    case Step::none:
      return fmt::format("cannot start a process: {}", why);
    case Step::session:
    case Step::parent_death:
    case Step::signals:
    case Step::standard_streams:
    case Step::descriptors:
    case Step::no_new_privileges:
      break;
  }
  return fmt::format("cannot prepare the process of {}: {}", command.program, why);
}

std::expected<Process, int> clone_process(const Command& command, Attempt& attempt) {
  if (const int error = prepare_streams(); error != 0) return std::unexpected(error);
  OutputPipe output = *std::exchange(prepared.output, {});
  attempt.input = prepared.input.get();
  attempt.output = output.writer.get();
  attempt.on_record = false;
  std::optional<BirthNote> note;
  if (command.birth_register && !output.name.empty())
    note = command.birth_register->note(command.registered_as, output.name);
  if (note) {
    attempt.note = reinterpret_cast<std::uint8_t*>(note->bytes.data());
    attempt.note_size = note->bytes.size();
    attempt.note_pid_at = note->pid_at;
    attempt.note_time_at = note->time_at;
    attempt.note_file = note->file;
  }
  if (!ignored_at_first_start) ignored_at_first_start = ignored_signals();
  attempt.ignored = *ignored_at_first_start;

  // No signal may be handled in the child: the handler would run in the parent's memory.
  sigset_t everything, before;
  ::sigfillset(&everything);
  ::pthread_sigmask(SIG_SETMASK, &everything, &before);
  int pidfd = -1;
  long pid = -1;
  if (clone_call == CloneCall::automatic) {
    pid = clone3_pidfd(command, attempt, pidfd);
    if (pid < 0 && lacks_clone3(errno)) clone_call = CloneCall::clone_only;
  }
  if (pid < 0 && clone_call == CloneCall::clone_only) pid = clone_pidfd(command, attempt, pidfd);
  const int clone_error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  attempt.note = nullptr;
  if (note && pid >= 0) command.birth_register->noted(*note, attempt.on_record);
  if (pid < 0) {
    remove_output(output.name);
    return std::unexpected(clone_error);
  }
  return Process{static_cast<pid_t>(pid), UniqueFd(pidfd), std::move(output.reader),
                 std::move(output.name)};
}

// The error is errno; of what the child itself could not do the attempt knows.
std::expected<Process, int> start(const Command& command, Attempt& attempt) {
  if (can_use_spare(command))
    if (auto process = start_spare(command, attempt)) return std::move(*process);
  return clone_process(command, attempt);
}

}  // namespace

void keep_process_ready() {
  if (spare || clone_call != CloneCall::automatic || !has_bare_calls || prepare_streams() != 0)
    return;
  auto made = std::make_unique<Spare>();
  made->setup.input = prepared.input.get();
  made->setup.output = prepared.output->writer.get();
  made->setup.parent = ::getpid();
  sigset_t everything, before;
  ::sigfillset(&everything);
  ::pthread_sigmask(SIG_SETMASK, &everything, &before);
  int pidfd = -1;
  // CLONE_CHILD_CLEARTID is what tells that it has executed or ended.
  made->pid = ::clone(spare_main, made->stack + sizeof made->stack,
                      CLONE_VM | CLONE_PIDFD | CLONE_CHILD_CLEARTID | SIGCHLD, made.get(), &pidfd,
                      nullptr, &made->alive);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (made->pid < 0) return;
  made->pidfd.reset(pidfd);
  made->output = *std::exchange(prepared.output, {});
  made->output.writer.reset();
  spare = std::move(made);
}

pid_t process_kept_ready() { return spare ? spare->pid : 0; }

std::expected<Process, StartError> start_process(const Command& command) {
  CHECK(!command.program.empty() && !command.arguments.empty(), "there is a program to execute");
  const auto refuse = [&](Step step, int error) {
    return std::unexpected(StartError{error, explain(command, step, error)});
  };

  const std::vector<char*> arguments = pointers_to(command.arguments);
  const std::vector<char*> environment = pointers_to(command.environment);
  Attempt attempt;
  attempt.program = command.program.c_str();
  attempt.arguments = arguments.data();
  attempt.environment = environment.data();
  if (!command.working_directory.empty())
    attempt.working_directory = command.working_directory.c_str();
  attempt.inherited = command.inherited;
  attempt.parent = ::getpid();
  const Confinement& confinement = command.confinement;
  std::vector<Confinement::Resource> resources;
  rlimit files{};
  if (command.open_files_max > 0 && ::getrlimit(RLIMIT_NOFILE, &files) == 0)
    resources.push_back(
        {RLIMIT_NOFILE, {std::min(command.open_files_max, files.rlim_max), files.rlim_max}});
  resources.insert(resources.end(), confinement.resources.begin(), confinement.resources.end());
  attempt.resources = resources.data();
  attempt.resources_count = resources.size();
  attempt.cgroup_procs = confinement.cgroup_procs.data();
  attempt.cgroup_procs_count = confinement.cgroup_procs.size();
  attempt.nice = confinement.nice;
  attempt.no_new_privileges = confinement.no_new_privileges;
  if (confinement.user) {
    attempt.change_user = true;
    attempt.uid = confinement.user->uid;
    attempt.gid = confinement.user->gid;
  }

  const int dumpable = attempt.change_user ? ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) : 0;
  std::expected<Process, int> process = start(command, attempt);
  // The child's change of user made the memory they shared untouchable: no core dump of the node,
  // and its /proc files root's.
  if (dumpable == 1) ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  if (!process) return refuse(Step::none, process.error());
  if (attempt.failed != Step::none) {
    reap(*process);
    remove_output(process->output_name);
    return refuse(attempt.failed, attempt.error);
  }
  prepare_streams();  // If that fails, the next launch will say so.
  return std::move(*process);
}

void use_clone_call(CloneCall call) {
  forget_spare();
  clone_call = call;
  ignored_at_first_start.reset();
  if (prepared.output) remove_output(prepared.output->name);
  prepared = {};
}

bool is_limit(int error) {
  return error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE ||
         error == ENOBUFS || error == ENOSPC;
}

bool put_on_record(BirthRegister& birth_register, const std::string& who, const std::string& output,
                   pid_t pid) {
  if (output.empty()) return false;  // Nobody could read what it prints.
  auto note = birth_register.note(who, output);
  if (!note) return false;
  auto* const bytes = reinterpret_cast<std::uint8_t*>(note->bytes.data());
  fill_in(bytes + note->pid_at, bytes + note->time_at, pid);
  const bool whole = ::write(note->file, note->bytes.data(), note->bytes.size()) ==
                     static_cast<ssize_t>(note->bytes.size());
  birth_register.noted(*note, whole);
  return whole;
}

std::optional<Process> find_process(pid_t pid, std::uint64_t alive_at) {
  if (pid <= 1) return std::nullopt;
  Process found{pid, UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))), {}, {}, false};
  // Looked at after the pidfd was opened, so that both are of one process.
  const auto began = began_at(pid);
  if (!found.pidfd || !began || *began > alive_at || exit_status(found)) return std::nullopt;
  return found;
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

// Another's child, which it may have reaped already.
std::optional<ExitStatus> look_for_end(const Process& process) {
  pollfd ended{process.pidfd.get(), POLLIN, 0};
  if (::poll(&ended, 1, 0) <= 0) return std::nullopt;
  return ExitStatus{-1, 0, true};
}

#ifndef PIDFD_SIGNAL_PROCESS_GROUP
#define PIDFD_SIGNAL_PROCESS_GROUP 4
#endif

// The pid of another's child may be given to somebody else once it has ended. Linux 6.9 knows its
// group by the pidfd; before, its group is signalled while nobody else has the number.
void signal_group_of_other(const Process& process, int signal) {
  if (::syscall(SYS_pidfd_send_signal, process.pidfd.get(), signal, nullptr,
                PIDFD_SIGNAL_PROCESS_GROUP) == 0 ||
      errno == ESRCH)
    return;
  if (!exit_status(process) || !began_at(process.pid)) ::kill(-process.pid, signal);
}
}  // namespace

std::optional<ExitStatus> exit_status(const Process& process) {
  return process.is_child ? wait_for(process, WNOHANG | WNOWAIT) : look_for_end(process);
}

void reap(Process& process) {
  if (process.is_child) wait_for(process, 0);
  process.pidfd.reset();
}

void signal_group(const Process& process, int signal) {
  CHECK(process.pid > 1 && process.pidfd, "its pid is still its own");
  if (process.is_child)
    ::kill(-process.pid, signal);
  else
    signal_group_of_other(process, signal);
}

}  // namespace muster::node
