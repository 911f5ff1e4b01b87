/* A game server for the bad days of fork parents: fork_days_server DAY. It lets one player after
 * another in, as minimal_server does; each match has one. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../examples/sockets.h"
#include "muster/gs.h"

static int is(const char *day, const char *name) { return strcmp(day, name) == 0; }

static void *sleep_for_ever(void *unused) {
  for (;;) pause();
  return unused;
}

/* From here on the kernel says EAGAIN to whoever asks it for a process. */
static void let_forks_be_refused(void) {
#define REFUSE(number)                                 \
  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN)
  struct sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      REFUSE(SYS_clone),
      REFUSE(SYS_clone3),
#ifdef SYS_fork
      REFUSE(SYS_fork),
#endif
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) perror("seccomp");
}

static void leave_a_process_behind(void) {
  if (fork() != 0) return;
  setsid();
  if (fork() != 0) _exit(0);
  sleep_for_ever(NULL);
}

static void serve(muster_gs *gs, int player) {
  char token[MUSTER_GS_JOIN_TOKEN_BYTES_MAX + 2], answer[256];
  size_t size = 0;
  while (size < sizeof token - 1 && recv(player, token + size, 1, 0) == 1 && token[size] != '\n')
    ++size;
  token[size] = '\0';
  muster_gs_join join;
  const int good = muster_gs_verify_join(gs, token, &join, 1000) == MUSTER_GS_OK;
  const int length = snprintf(answer, sizeof answer, "%s\n", good ? join.name : "no");
  send(player, answer, (size_t)length, MSG_NOSIGNAL);
  close(player);
}

int main(int argc, char **argv) {
  const char *const day = argc == 2 ? argv[1] : "";
  const int is_parent = getenv("MUSTER_FORK") != NULL;
  pthread_t thread;
  if (is(day, "threads")) pthread_create(&thread, NULL, sleep_for_ever, NULL);
  if (is(day, "never") && is_parent) sleep_for_ever(NULL);
  if (is(day, "refused") && is_parent) let_forks_be_refused();
  if (is(day, "exits") && is_parent) {
    fprintf(stderr, "no such map\n");
    return 3;
  }
  if (muster_gs_fork_point() != MUSTER_GS_OK) return 1;
  if (is(day, "crashes") && is_parent) {
    fprintf(stderr, "boom\n");
    abort();
  }
  if (is(day, "leaves")) leave_a_process_behind();

  muster_gs *gs;
  const muster_gs_match *match;
  if (muster_gs_create(&gs) != MUSTER_GS_OK) return 2;
  const int listener = socket_listen(muster_gs_port());
  if (listener < 0 || muster_gs_ready(gs, 10000) != MUSTER_GS_OK) return 1;
  while (muster_gs_wait_match(gs, -1, &match) == MUSTER_GS_OK) {
    serve(gs, accept(listener, NULL, NULL));
    muster_gs_match_over(gs, "", -1);
  }
  return 0;
}
