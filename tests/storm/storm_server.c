/* The game server of ./dev storm: plays one match after another, each for a moment, and keeps a
 * diary of what it was told and of what was acknowledged to it.
 *
 * storm_server FOLDER: the diary is FOLDER/<pid>.diary. Its lines, each written in one piece after
 * the call it speaks of has returned:
 *   start MATCH       a match was given to it
 *   over MATCH RESULT its end was acknowledged
 *   ended MATCH       the lobby ended it */
#include <fcntl.h>
#include <muster/gs.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int listen_on(uint16_t port) {
  struct sockaddr_in address;
  const int on = 1;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (const struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 16) != 0)
    return -1;
  return fd;
}

static long long now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* 50 to 600 ms, by the match's id: the same in every process. */
static int length_ms(const char* match) {
  uint32_t hash = 2166136261u;
  for (; *match; ++match) hash = (hash ^ (unsigned char)*match) * 16777619u;
  return 50 + (int)(hash % 551);
}

static void note(int diary, const char* word, const char* match, const char* rest) {
  char line[256];
  const int size = snprintf(line, sizeof line, "%s %s%s%s\n", word, match, *rest ? " " : "", rest);
  if (write(diary, line, (size_t)size) != size) _exit(9);
}

/* Until its time is over: 0; the lobby has ended it: 1; there is no going on: -1. */
static int play(muster_gs* gs, int milliseconds) {
  muster_gs_event event;
  const long long until = now_ms() + milliseconds;
  for (long long left = milliseconds; left > 0; left = until - now_ms()) {
    if (muster_gs_poll(gs, (int)left, &event) != MUSTER_GS_OK) return -1;
    if (event.type == MUSTER_GS_EVENT_MATCH_ENDED) return 1;
  }
  return 0;
}

int main(int argc, char** argv) {
  char name[512], match_id[64], result[64];
  muster_gs* gs;
  const muster_gs_match* match;
  if (argc != 2) return 64;
  snprintf(name, sizeof name, "%s/%ld.diary", argv[1], (long)getpid());
  const int diary = open(name, O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (diary < 0 || listen_on(muster_gs_port()) < 0) return 1;
  if (muster_gs_create(&gs) != MUSTER_GS_OK) return 2;
  if (muster_gs_ready(gs, 60000) != MUSTER_GS_OK) return 3;
  while (muster_gs_wait_match(gs, -1, &match) == MUSTER_GS_OK) {
    snprintf(match_id, sizeof match_id, "%s", match->match_id);
    note(diary, "start", match_id, "");
    const int ended = play(gs, length_ms(match_id));
    if (ended < 0) return 0;
    if (ended > 0) {
      note(diary, "ended", match_id, "");
      if (muster_gs_ready(gs, 60000) != MUSTER_GS_OK) return 3;
      continue;
    }
    snprintf(result, sizeof result, "%ld-%lld", (long)getpid(), now_ms());
    const muster_gs_status status = muster_gs_match_over(gs, result, 60000);
    if (status == MUSTER_GS_OK)
      note(diary, "over", match_id, result);
    else if (status != MUSTER_GS_ERR_NO_MATCH || play(gs, 60000) < 0)
      return 4;
    else {
      note(diary, "ended", match_id, "");
      if (muster_gs_ready(gs, 60000) != MUSTER_GS_OK) return 3;
    }
  }
  return 0;
}
