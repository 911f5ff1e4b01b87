/* A small dedicated server that knows nothing of Muster, as most existing ones do not: it takes its
 * port from a configuration file, answers on UDP, and prints what happens. docs/servers.md runs it
 * under a lobby.
 *
 *   plain_server server.cfg        "port 27000", and perhaps "map arena", a line each
 *   plain_server --port N [--tcp]  the port as an argument; --tcp listens on TCP as well
 *
 * A datagram is a word and perhaps a name, and gets an answer:
 *   info        info map=arena players=2
 *   join NAME   welcome NAME
 *   leave NAME  bye NAME
 *   win NAME    the match is over
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int port = 27000;
static char map[64] = "arena";
static int players = 0;

static int read_config(const char *path) {
  char line[256];
  FILE *file = fopen(path, "r");
  if (!file) {
    perror(path);
    return 0;
  }
  while (fgets(line, sizeof line, file)) {
    sscanf(line, "port %d", &port);
    sscanf(line, "map %63s", map);
  }
  fclose(file);
  return 1;
}

static int open_port(int type) {
  const int on = 1;
  struct sockaddr_in address;
  const int fd = socket(AF_INET, type, 0);
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (type == SOCK_STREAM) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
      (type == SOCK_STREAM && listen(fd, 16) != 0)) {
    perror("cannot open the port");
    exit(1);
  }
  return fd;
}

static void answer(char *text, char *out, size_t size) {
  char name[64] = "";
  sscanf(text, "%*s %63s", name);
  if (strncmp(text, "join ", 5) == 0) {
    ++players;
    printf("player %s joined\n", name);
    snprintf(out, size, "welcome %s", name);
  } else if (strncmp(text, "leave ", 6) == 0) {
    if (players > 0) --players;
    printf("player %s left\n", name);
    snprintf(out, size, "bye %s", name);
  } else if (strncmp(text, "win ", 4) == 0) {
    printf("match over, winner: %s\n", name);
    snprintf(out, size, "the match is over");
  } else if (strncmp(text, "info", 4) == 0) {
    snprintf(out, size, "info map=%s players=%d", map, players);
  } else {
    snprintf(out, size, "what?");
  }
}

int main(int argc, char **argv) {
  int tcp = 0;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--port") == 0 && i + 1 < argc)
      port = atoi(argv[++i]);
    else if (strcmp(argv[i], "--tcp") == 0)
      tcp = 1;
    else if (!read_config(argv[i]))
      return 1;
  }
  if (tcp) open_port(SOCK_STREAM);
  const int fd = open_port(SOCK_DGRAM);
  printf("listening on port %d, map %s\n", port, map);
  for (;;) {
    /* Into a pipe, too, each line at once; but after the answer that goes with it, since whoever
     * reads "match over" may stop this process. */
    fflush(stdout);
    char text[256], out[256] = "";
    struct sockaddr_in from;
    socklen_t from_size = sizeof from;
    const ssize_t n = recvfrom(fd, text, sizeof text - 1, 0, (struct sockaddr *)&from, &from_size);
    if (n < 0) return 1;
    text[n] = '\0';
    answer(text, out, sizeof out);
    sendto(fd, out, strlen(out), 0, (const struct sockaddr *)&from, from_size);
  }
}
