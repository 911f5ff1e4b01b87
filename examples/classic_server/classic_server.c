/* A game server that speaks only the classic packets, and knows nothing of Muster:
 *
 *   classic_server PORT [LOBBY_PORT]
 *
 * It binds and listens on PORT, connects to the lobby on this machine (port 4100, or
 * MUSTER_LOBBY_PORT of its environment) and logs in with its port. Once it is believed it takes
 * players; when the last one has left, the match is over and it asks to be made ready again. A
 * player gets back what they send. It exits when the lobby goes.
 *
 * Packets: one byte size of the whole, one byte type, then the rest, little-endian. */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../sockets.h"

enum { gl_login = 100, gl_server_reset = 101, lg_login_ok = 1 };
enum { lobby_port_default = 4100, players_max = 64 };

static int fail(const char *what) {
  fprintf(stderr, "%s failed\n", what);
  return 1;
}

int main(int argc, char **argv) {
  const int port = argc > 1 ? atoi(argv[1]) : 0;
  const char *const lobby_text = argc > 2 ? argv[2] : getenv("MUSTER_LOBBY_PORT");
  const int lobby_port = lobby_text ? atoi(lobby_text) : lobby_port_default;
  if (port <= 0 || port > 65535 || lobby_port <= 0 || lobby_port > 65535) {
    fprintf(stderr, "usage: classic_server PORT [LOBBY_PORT]\n");
    return 2;
  }

  if (!sockets_start()) return fail("sockets");
  const socket_t listener = socket_listen(port);
  if (!socket_good(listener)) return fail("binding and listening");

  const socket_t lobby = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)lobby_port)};
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(lobby, (const struct sockaddr *)&there, sizeof there) != 0)
    return fail("connecting to the lobby");
  const uint8_t login[4] = {sizeof login, gl_login, (uint8_t)port, (uint8_t)(port >> 8)};
  if (send(lobby, (const char *)login, sizeof login, MSG_NOSIGNAL) != sizeof login)
    return fail("sending the login");

  uint8_t answer[2];
  if (recv(lobby, (char *)answer, sizeof answer, MSG_WAITALL) != sizeof answer ||
      answer[0] != sizeof answer || answer[1] != lg_login_ok) {
    fprintf(stderr, "the lobby did not accept this server on port %d\n", port);
    return 1;
  }
  printf("login ok on port %d\n", port);
  fflush(stdout);

  pollfd_t fds[2 + players_max] = {{lobby, POLLIN, 0}, {listener, POLLIN, 0}};
  size_t used = 2; /* The lobby, the listener, then the players. */
  for (;;) {
    fds[1].events = used < 2 + players_max ? POLLIN : 0; /* When full, others wait. */
    if (sockets_poll(fds, used, -1) < 0) return fail("waiting");
    char bytes[512];
    if (fds[0].revents && recv(lobby, bytes, sizeof bytes, 0) <= 0) return 0;

    for (size_t i = 2; i < used; ++i) {
      if (!fds[i].revents) continue;
      const int count = (int)recv(fds[i].fd, bytes, sizeof bytes, 0);
      if (count > 0 && send(fds[i].fd, bytes, (size_t)count, MSG_NOSIGNAL) == count) continue;
      socket_close(fds[i].fd);
      fds[i--] = fds[--used];
      if (used > 2) continue;
      const char reset[2] = {sizeof reset, gl_server_reset};
      if (send(lobby, reset, sizeof reset, MSG_NOSIGNAL) != sizeof reset)
        return fail("sending the reset");
      printf("the last player has left\n");
      fflush(stdout);
    }

    if (fds[1].revents & POLLIN) {
      const pollfd_t player = {accept(listener, NULL, NULL), POLLIN, 0};
      if (socket_good(player.fd)) fds[used++] = player;
    }
  }
}
