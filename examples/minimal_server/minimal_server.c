/* The smallest game server on Muster's SDK: minimal_server PORT. A player sends their join token as
 * a line, gets their name back as a line (or "no"), and is done; so is the match when all are. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../sockets.h"
#include "muster/gs.h"

/* Serves one player; 1 if they were one of the match. */
static int serve(muster_gs *gs, socket_t player) {
  socket_receive_timeout(player, 1000);
  char token[MUSTER_GS_JOIN_TOKEN_BYTES_MAX + 2];
  size_t size = 0;
  for (; size < sizeof token - 1 && recv(player, token + size, 1, 0) == 1; ++size)
    if (token[size] == '\n') break;
  token[size] = '\0';
  muster_gs_join join;
  const int good = muster_gs_verify_join(gs, token, &join, 1000) == MUSTER_GS_OK;
  char answer[256];
  const int length = snprintf(answer, sizeof answer, "%s\n", good ? join.name : "no");
  send(player, answer, (size_t)length, MSG_NOSIGNAL);
  socket_close(player);
  return good;
}

/* Hears what Muster says. `awaited` counts the players of the match who are neither served nor
 * removed. */
static void hear(muster_gs *gs, size_t *awaited) {
  muster_gs_event event;
  do {
    if (muster_gs_poll(gs, 0, &event) != MUSTER_GS_OK) exit(1);
    if (event.type == MUSTER_GS_EVENT_MATCH_STARTED)
      *awaited = muster_gs_current_match(gs)->players_count;
    if (event.type == MUSTER_GS_EVENT_PLAYER_REMOVED && *awaited > 0 && --*awaited == 0)
      muster_gs_match_over(gs, "", -1);
    if (event.type == MUSTER_GS_EVENT_MATCH_ENDED) muster_gs_ready(gs, 0);
  } while (event.type != MUSTER_GS_EVENT_NONE);
}

int main(int argc, char **argv) {
  muster_gs *gs;
  const muster_gs_status status = muster_gs_create(&gs);
  if (argc != 2 || status != MUSTER_GS_OK) {
    fprintf(stderr, "minimal_server PORT: %s\n", muster_gs_status_text(status));
    return 2;
  }
  if (!sockets_start()) return 1;
  const socket_t listener = socket_listen(atoi(argv[1]));
  if (!socket_good(listener) || muster_gs_ready(gs, 10000) != MUSTER_GS_OK) return 1;

  for (size_t awaited = 0;;) {
    pollfd_t fds[] = {{listener, POLLIN, 0}, {(socket_t)muster_gs_socket(gs), POLLIN, 0}};
    sockets_poll(fds, 2, muster_gs_poll_within_ms(gs));
    const int served = fds[0].revents && serve(gs, accept(listener, NULL, NULL));
    hear(gs, &awaited);
    if (served && awaited > 0 && --awaited == 0) muster_gs_match_over(gs, "", -1);
  }
}
