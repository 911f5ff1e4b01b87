// The fork point on Linux: the loaded parent makes children for the node, which become its game
// servers. What they say to each other is in proto/fork.proto.
//
// A child must be the node's own, as a launched process is: the node then hears of its end, and the
// kernel ends it when the node ends, for as long as it is not on the node's record.
// clone(CLONE_PARENT) does that in one copy. Where it cannot be used, the C library's fork does it
// in two: the process between ends at once, and its child goes to the nearest subreaper, which the
// node is.
#define _GNU_SOURCE
#include "muster/gs.h"

#ifdef __linux__
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fork_point.h"
#include "fork_wire.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum {
  message_bytes_max = 128 << 10,
  arena_bytes_max = 4 << 20,
  huge_page_bytes = 2 << 20,
  reparent_ms_max = 1000
};

bool fork_by_library_only = false;

// ---- Packets.

static bool say(int channel, const mst_buffer *message) {
  ssize_t sent;
  do {
    sent = send(channel, message->bytes, message->size, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == (ssize_t)message->size;
}

static bool say_waiting(int channel) {
  mst_buffer out;
  mst_buffer_init(&out, message_bytes_max);
  const bool said = fork_write_waiting(&out) && say(channel, &out);
  mst_buffer_free(&out);
  return said;
}

static void say_refused(int channel, const char *why) {
  mst_buffer out;
  mst_buffer_init(&out, message_bytes_max);
  if (fork_write_refused(&out, why)) say(channel, &out);
  mst_buffer_free(&out);
}

static void say_failed(int channel, uint32_t number, int error) {
  mst_buffer out;
  mst_buffer_init(&out, message_bytes_max);
  if (fork_write_failed(&out, number, (uint32_t)error)) say(channel, &out);
  mst_buffer_free(&out);
}

/// The next packet and the descriptor that comes with it, -1 if none. 0: the channel has ended.
static ssize_t hear(int channel, uint8_t *bytes, int *descriptor) {
  *descriptor = -1;
  struct iovec part = {bytes, message_bytes_max};
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {.msg_iov = &part,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof control.bytes};
  ssize_t size;
  do {
    size = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size <= 0) return 0;
  const struct cmsghdr *const c = CMSG_FIRSTHDR(&message);
  if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
      c->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(descriptor, CMSG_DATA(c), sizeof *descriptor);
  return message.msg_flags & MSG_TRUNC ? 0 : size;  // None of ours is so long.
}

// ---- The parent.

/// The descriptor of the channel, which a program between the node and this one may have closed.
static int channel_named(const char *text) {
  char *end;
  const long channel = strtol(text, &end, 10);
  int type = 0;
  socklen_t size = sizeof type;
  if (*end || end == text || channel < 0 || channel > 1 << 20 ||
      getsockopt((int)channel, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET)
    return -1;
  return (int)channel;
}

/// 0 if that cannot be known.
static unsigned count_threads(void) {
  DIR *const folder = opendir("/proc/self/task");
  if (!folder) return 0;
  unsigned count = 0;
  for (const struct dirent *entry; (entry = readdir(folder));)
    if (entry->d_name[0] != '.') ++count;
  closedir(folder);
  return count;
}

/// Makes huge pages of large memory that is mostly in use. A fork copies an entry per page: for 200
/// MB of assets, that is 1.2 ms in small pages and 0.1 ms in huge ones. What a child writes to is
/// still copied 4 KiB at a time. Takes about half a millisecond per MB, once; where the kernel
/// (6.1) or the machine has no such pages, nothing changes.
static void make_forks_cheap(void) {
  FILE *const maps = fopen("/proc/self/smaps", "re");
  if (!maps) return;
  char line[512], permissions[8] = "";
  unsigned long begin = 0, end = 0, inode = 0, resident_kb;
  while (fgets(line, sizeof line, maps)) {
    unsigned long from, to, file;
    char rights[8];
    if (sscanf(line, "%lx-%lx %7s %*x %*s %lu", &from, &to, rights, &file) == 4) {
      begin = from, end = to, inode = file;
      memcpy(permissions, rights, sizeof permissions);
    } else if (sscanf(line, "Rss: %lu kB", &resident_kb) == 1) {
      const unsigned long first = (begin + huge_page_bytes - 1) & ~(huge_page_bytes - 1ul);
      const unsigned long last = end & ~(huge_page_bytes - 1ul);
      const bool is_anonymous = inode == 0 && strcmp(permissions, "rw-p") == 0;
      if (is_anonymous && first < last && resident_kb * 1024 >= (end - begin) / 4 * 3)
        madvise((void *)first, last - first, MADV_COLLAPSE);
    }
  }
  fclose(maps);
}

/// clone() behind the C library's back. What its fork does beside is not needed in a process with
/// one thread, but for two things that the kernel or the library keeps for each thread: the
/// thread's own id, where the library has put it, and the list of robust locks.
static pid_t clone_sibling(void) {
  pid_t *thread_id = NULL;
  // musl lends the kernel another address than that of the id: it does not hold the id then.
  if (fork_by_library_only || prctl(PR_GET_TID_ADDRESS, &thread_id, 0, 0, 0) != 0 || !thread_id ||
      *thread_id != (pid_t)syscall(SYS_gettid))
    return -ENOSYS;
  void *locks = NULL;
  size_t locks_size = 0;
  const bool has_locks = syscall(SYS_get_robust_list, 0, &locks, &locks_size) == 0;
  const unsigned long flags = CLONE_PARENT | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
#if defined(__x86_64__)
  const long pid = syscall(SYS_clone, flags, NULL, NULL, thread_id, 0ul);
#elif defined(__aarch64__) || defined(__arm__) || defined(__i386__) || defined(__riscv)
  const long pid = syscall(SYS_clone, flags, NULL, NULL, 0ul, thread_id);
#else
  errno = ENOSYS;
  const long pid = -1;
  (void)flags;
#endif
  if (pid < 0) return -errno;
  if (pid == 0 && has_locks) syscall(SYS_set_robust_list, locks, locks_size);
  return (pid_t)pid;
}

static void wait_to_be_reparented(pid_t node) {
  const struct timespec moment = {0, 100000};
  for (int tries = 0; getppid() != node; ++tries) {
    if (tries > reparent_ms_max * 10) _exit(1);
    nanosleep(&moment, NULL);
  }
}

static pid_t fork_twice(pid_t node) {
  const pid_t between = fork();
  if (between < 0) return -errno;
  if (between == 0) {
    const pid_t child = fork();
    if (child != 0) _exit(child < 0 ? errno : 0);
    wait_to_be_reparented(node);
    return 0;
  }
  int status = 0;
  while (waitpid(between, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? -WEXITSTATUS(status) : between;
}

/// 0 in the child; in the parent a number above 0, or -errno.
static pid_t make_child(pid_t node) {
  // Started by a shell, say, the parent's own parent is not the node.
  const pid_t pid = getppid() == node ? clone_sibling() : -ENOSYS;
  if (pid >= 0 || pid == -EAGAIN || pid == -ENOMEM) return pid;
  return fork_twice(node);
}

// ---- The child.

static bool change_environment(const fork_message *begin) {
  for (size_t i = 0; i < begin->environment_count; ++i) {
    char *const name = begin->environment[i];
    char *const equals = strchr(name, '=');
    if (!equals || equals == name) continue;
    *equals = '\0';
    const char *const value = equals + 1;
    char *const old = getenv(name);
    // The launch token where the old one was: so /proc/PID/environ has it, by which the node finds
    // what a game server leaves behind.
    if (old && strcmp(name, "MUSTER_TOKEN") == 0 && strlen(old) == strlen(value))
      memcpy(old, value, strlen(value));
    else if (setenv(name, value, 1) != 0)
      return false;
  }
  return unsetenv("MUSTER_FORK") == 0;
}

/// Waits to be told which game server to be, and becomes it. Ends the process if it is not to be.
static void become_server(int channel, pid_t node, uint8_t *bytes) {
  setsid();
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != node) _exit(1);  // It ended before the line above could take effect.
  if (!say_waiting(channel)) _exit(0);
  mst_arena arena;
  mst_arena_init(&arena, arena_bytes_max);
  fork_message begin;
  int output = -1;
  do {
    const ssize_t size = hear(channel, bytes, &output);
    if (size == 0) _exit(0);
    if (!fork_read(bytes, (size_t)size, &arena, &begin)) _exit(1);
  } while (begin.type != FORK_BEGIN);
  if (output < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0 ||
      !change_environment(&begin))
    _exit(1);
  if (begin.outlives_node) prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
  if (output > STDERR_FILENO) close(output);
  close(channel);
  mst_arena_free(&arena);
}

/// Returns in a child, with its own channel in *child_channel; and the node's pid.
static pid_t serve_as_parent(int channel, uint8_t *bytes, int *child_channel) {
  mst_arena arena;
  mst_arena_init(&arena, arena_bytes_max);
  for (;;) {
    int descriptor;
    const ssize_t size = hear(channel, bytes, &descriptor);
    if (size == 0) _exit(0);  // The node has no more use for this process, or is gone.
    fork_message message;
    if (fork_read(bytes, (size_t)size, &arena, &message) && message.type == FORK_MAKE_CHILD) {
      const pid_t node = (pid_t)message.node_pid;
      const pid_t made = descriptor < 0 ? -EBADF : make_child(node);
      if (made == 0) {
        mst_arena_free(&arena);
        *child_channel = descriptor;
        return node;
      }
      if (made < 0) say_failed(channel, message.number, -made);
    }
    if (descriptor >= 0) close(descriptor);
    mst_arena_free(&arena);
  }
}

muster_gs_status muster_gs_fork_point(void) {
  const char *const named = getenv("MUSTER_FORK");
  if (!named) return MUSTER_GS_OK;
  const int channel = channel_named(named);
  if (channel < 0) return MUSTER_GS_ERR_NOT_SUPPORTED;
  const unsigned threads = count_threads();
  if (threads != 1) {
    char why[128];
    snprintf(why, sizeof why,
             threads == 0 ? "/proc/self/task cannot be read, so its threads are not known"
                          : "%u threads run at the fork point: call muster_gs_fork_point() before "
                            "any is started",
             threads);
    say_refused(channel, why);
    return threads == 0 ? MUSTER_GS_ERR_NOT_SUPPORTED : MUSTER_GS_ERR_THREADS;
  }
  uint8_t *const bytes = malloc(message_bytes_max);
  if (!bytes) {
    say_refused(channel, "out of memory at the fork point");
    return MUSTER_GS_ERR_MEMORY;
  }
  fcntl(channel, F_SETFD, FD_CLOEXEC);
  fflush(NULL);  // Or each child would print it again.
  make_forks_cheap();
  if (!say_waiting(channel)) _exit(0);
  int child_channel;
  const pid_t node = serve_as_parent(channel, bytes, &child_channel);
  close(channel);
  become_server(child_channel, node, bytes);
  free(bytes);
  return MUSTER_GS_OK;
}

#endif
