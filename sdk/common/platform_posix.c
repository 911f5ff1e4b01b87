#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "platform.h"

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

static uint64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool mst_network_start(void) { return true; }

uint64_t mst_clock_ms(void) { return clock_ns(CLOCK_MONOTONIC) / 1000000u; }

uint64_t mst_seed(void) {
  static unsigned calls;
  return clock_ns(CLOCK_REALTIME) ^ (uint64_t)getpid() << 40 ^ (uint64_t)++calls << 20;
}

bool mst_address_local(mst_address *address, const char *text) {
  static const char scheme[] = "unix:";
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  if (strncmp(text, scheme, sizeof scheme - 1) != 0) return false;
  const char *const path = text + sizeof scheme - 1;
  const size_t size = strlen(path);
  if (size == 0 || size >= sizeof un.sun_path) return false;
  memcpy(un.sun_path, path, size);
  memset(address, 0, sizeof *address);
  memcpy(address->storage, &un, sizeof un);
  address->size = sizeof un;
  return true;
}

mst_socket mst_connect(const mst_address *address, int *error) {
  struct sockaddr_storage to;
  memcpy(&to, address->storage, sizeof to);
  const int fd = socket(to.ss_family, SOCK_STREAM, 0);
  if (fd < 0) {
    *error = errno;
    return MST_SOCKET_NONE;
  }
  const int on = 1;
  if (to.ss_family != AF_UNIX) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef SO_NOSIGPIPE
  setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
  if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
      (connect(fd, (const struct sockaddr *)&to, (socklen_t)address->size) < 0 &&
       errno != EINPROGRESS && errno != EINTR)) {
    *error = errno;
    close(fd);
    return MST_SOCKET_NONE;
  }
  *error = 0;
  return fd;
}

int mst_connect_error(mst_socket s) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt((int)s, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return errno;
  return error;
}

static ptrdiff_t transferred(ssize_t count, int *error) {
  if (count > 0) return count;
  if (count == 0) {
    *error = 0;
    return MST_CLOSED;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOTCONN)
    return MST_WOULD_BLOCK;
  *error = errno;
  return MST_CLOSED;
}

ptrdiff_t mst_send(mst_socket s, const void *bytes, size_t count, int *error) {
  return transferred(send((int)s, bytes, count, MSG_NOSIGNAL), error);
}

ptrdiff_t mst_recv(mst_socket s, void *bytes, size_t count, int *error) {
  return transferred(recv((int)s, bytes, count, 0), error);
}

void mst_close(mst_socket s) { close((int)s); }

void mst_wait(mst_socket s, bool for_writing, int timeout_ms) {
  struct pollfd p = {.fd = (int)s, .events = POLLIN};  // A descriptor below 0 is passed over.
  if (for_writing) p.events |= POLLOUT;
  poll(&p, 1, timeout_ms);
}

void mst_error_text(int error, char *text, size_t size) {
  if (strerror_r(error, text, size) != 0) snprintf(text, size, "error %d", error);
}
