#pragma once
// Starting, signalling and reaping one game server process. Linux 5.4 or newer.
//
// A process is started with clone3 or clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD): nothing is
// copied, so it costs the same however large the caller is, and the pidfd names the process for
// good. It is a session and process group of its own; its standard input is /dev/null, its standard
// output and error are one pipe (output_pipe.h); no other descriptor (but the one asked for),
// ignored signal or blocked signal is inherited.
//
// A process outlives the caller if it is on record (BirthRegister) before it runs its program, so
// that the next node can find it. Otherwise, if the caller dies, however it dies, the kernel kills
// the process (PR_SET_PDEATHSIG): nobody would be left to watch it, and its port would stay taken.
// That does not reach what the process itself has forked. It is tied to the calling thread: start
// processes from a thread that lives as long as they should.

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "node/output_pipe.h"
#include "node/unique_fd.h"

namespace muster::node {

/// What puts a process on record, once its pid and the time are filled in: little-endian, at these
/// places of the bytes. They are written with one call, by the process itself if need be.
struct BirthNote {
  int file = -1;
  std::string bytes;
  std::size_t pid_at = 0;   // 4 bytes.
  std::size_t time_at = 0;  // 8 bytes: CLOCK_BOOTTIME in ns.
};

/// Keeps a record of which process is which, for whoever comes after the caller.
class BirthRegister {
 public:
  virtual ~BirthRegister() = default;
  /// Nothing if it cannot be written.
  virtual std::optional<BirthNote> note(const std::string& who, const std::string& output) = 0;
  /// What came of the last note; `whole`: all of it is in the file.
  virtual void noted(const BirthNote& filled_in, bool whole) = 0;
};

/// What the process may use and be. Applied before its program runs; a step that fails is a
/// StartError.
struct Confinement {
  struct Resource {
    int which = 0;  // RLIMIT_…
    rlimit limit{};
  };
  struct User {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string name;  // For people.
  };
  std::vector<Resource> resources;
  int nice = 0;              // Set, not added. 0: as it is.
  std::optional<User> user;  // Without supplementary groups. Needs root.
  bool no_new_privileges = false;
  int cgroup = -1;                // A cgroup v2 folder to begin in.
  std::vector<int> cgroup_procs;  // Open for writing: the cgroup.procs of others to join.
};

struct Command {
  std::string program;                   // A path; relative ones start at working_directory.
  std::vector<std::string> arguments;    // All of them, argv[0] first.
  std::vector<std::string> environment;  // All of it, "NAME=value".
  std::string working_directory;         // Empty: the caller's.
  rlim_t open_files_max = 0;             // RLIMIT_NOFILE, soft. 0: as it is.
  Confinement confinement;
  int inherited = -1;                       // Becomes its descriptor 3. -1: none.
  BirthRegister* birth_register = nullptr;  // None: it ends with the caller.
  std::string registered_as;
};

struct Process {
  pid_t pid = 0;            // Also its process group and session.
  UniqueFd pidfd;           // Readable once it has ended.
  UniqueFd output;          // Its standard output and error; non-blocking.
  std::string output_name;  // Of its FIFO; empty: it has none.
  bool is_child = true;     // Of this process. Another's cannot be asked how it ended.
};

struct StartError {
  int error = 0;       // errno
  std::string detail;  // For people: the step that failed, on what, and why.
};

/// Starts a process. On return it runs its program, or nothing is left of it. Which signals the
/// caller ignores is looked up at its first start only; from then on three descriptors are kept
/// ready for the next one. Always from the same thread.
std::expected<Process, StartError> start_process(const Command& command);

/// Makes the next process ahead, when there is time: a child that has all but its program, which
/// saves the next start some 50 us of 150. Called "muster-spare" by ps; it holds no descriptor but
/// its own streams, and dies with its parent. Without effect if there is one. (A process that
/// begins in a cgroup or gets a descriptor is made when it is wanted.)
void keep_process_ready();
/// Its pid; 0: there is none. A child of this process that is no game server.
pid_t process_kept_ready();

/// Puts a process that is there already, and has not begun to be what it is registered as, on
/// record. False if that cannot be: it is to end with the caller.
bool put_on_record(BirthRegister& birth_register, const std::string& who, const std::string& output,
                   pid_t pid);

/// A process that an earlier caller has put on record, without its output. Nothing if it has ended,
/// also if somebody else has its pid by now: they began later than it was seen alive.
std::optional<Process> find_process(pid_t pid, std::uint64_t alive_at);

/// For tests: how start_process() clones from now on; also forgets what it keeps. `automatic` is
/// clone3, and clone where the kernel or a sandbox does not have that.
enum class CloneCall { automatic, clone_only };
void use_clone_call(CloneCall call);

/// Whether an errno of start_process() means that the machine or this process has reached a limit
/// (descriptors, processes, memory), rather than that the command is wrong.
bool is_limit(int error);

struct ExitStatus {
  int exit_code = 0;     // -1 if a signal ended it.
  int signal = 0;        // 0 if it exited.
  bool unknown = false;  // It was no child of this process.
};

/// How it ended, if it has. A child stays a zombie, which keeps its pid, and so its process group
/// and session, from being given to somebody else.
std::optional<ExitStatus> exit_status(const Process& process);

/// Frees the pid. Only after exit_status() has said how it ended.
void reap(Process& process);

/// To every process in its group. Only before reap().
void signal_group(const Process& process, int signal);

}  // namespace muster::node
