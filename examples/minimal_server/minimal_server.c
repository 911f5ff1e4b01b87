/* The smallest game server on Muster's SDK: minimal_server PORT. A player sends their join token as
 * a line, gets their name back as a line (or "no"), and is done; so is the match when all are. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "muster/gs.h"

/* Serves one player; 1 if they were one of the match. */
static int serve(muster_gs *gs, int player) {
  const struct timeval patience = {1, 0};
  setsockopt(player, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  char token[MUSTER_GS_JOIN_TOKEN_BYTES_MAX + 2];
  size_t size = 0;
  for (ssize_t n; size < sizeof token - 1 && (n = recv(player, token + size, 1, 0)) == 1; ++size)
    if (token[size] == '\n') break;
  token[size] = '\0';
  muster_gs_join join;
  const int good = muster_gs_verify_join(gs, token, &join, 1000) == MUSTER_GS_OK;
  char answer[256];
  const int length = snprintf(answer, sizeof answer, "%s\n", good ? join.name : "no");
  send(player, answer, (size_t)length, MSG_NOSIGNAL);
  close(player);
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
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(listener, (const struct sockaddr *)&here, sizeof here) != 0 ||
      listen(listener, 16) != 0 || muster_gs_ready(gs, 10000) != MUSTER_GS_OK)
    return 1;

  for (size_t awaited = 0;;) {
    struct pollfd fds[] = {{listener, POLLIN, 0}, {(int)muster_gs_socket(gs), POLLIN, 0}};
    poll(fds, 2, muster_gs_poll_within_ms(gs));
    const int player = fds[0].revents ? accept(listener, NULL, NULL) : -1;
    const int served = player >= 0 && serve(gs, player);
    hear(gs, &awaited);
    if (served && awaited > 0 && --awaited == 0) muster_gs_match_over(gs, "", -1);
  }
}
