#pragma once
/* Sockets for the examples, the same on POSIX systems and on Windows, where Winsock has other names
 * for a few things. sockets_start() comes first. */
#ifdef _WIN32
#include <winsock2.h>
#include <ws2tcpip.h>

typedef SOCKET socket_t;
typedef WSAPOLLFD pollfd_t;
enum { MSG_NOSIGNAL = 0 }; /* There is no SIGPIPE. */

static inline int sockets_start(void) {
  WSADATA data;
  return WSAStartup(MAKEWORD(2, 2), &data) == 0;
}
static inline int socket_good(socket_t s) { return s != INVALID_SOCKET; }
static inline void socket_close(socket_t s) { closesocket(s); }
static inline int sockets_poll(pollfd_t *fds, size_t count, int timeout_ms) {
  return WSAPoll(fds, (ULONG)count, timeout_ms);
}
static inline void socket_receive_timeout(socket_t s, int timeout_ms) {
  const DWORD timeout = (DWORD)timeout_ms;
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&timeout, sizeof timeout);
}
/* A port in TIME_WAIT can be bound as it is; SO_REUSEADDR would allow far more here. */
static inline void socket_reuse_address(socket_t s) { (void)s; }

#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

typedef int socket_t;
typedef struct pollfd pollfd_t;

static inline int sockets_start(void) { return 1; }
static inline int socket_good(socket_t s) { return s >= 0; }
static inline void socket_close(socket_t s) { close(s); }
static inline int sockets_poll(pollfd_t *fds, size_t count, int timeout_ms) {
  return poll(fds, (nfds_t)count, timeout_ms);
}
static inline void socket_receive_timeout(socket_t s, int timeout_ms) {
  const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
  setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}
static inline void socket_reuse_address(socket_t s) {
  const int on = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}
#endif

/* Listens on the port of every address of this machine; a socket that is not good if it is taken.
 */
static inline socket_t socket_listen(int port) {
  socket_t listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  if (!socket_good(listener)) return listener;
  socket_reuse_address(listener);
  if (bind(listener, (const struct sockaddr *)&here, sizeof here) != 0 ||
      listen(listener, 16) != 0) {
    socket_close(listener);
    listener = (socket_t)-1;
  }
  return listener;
}
