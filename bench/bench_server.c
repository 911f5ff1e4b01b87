/* The trivial game server of the benchmarks, a static program.
 *
 * bench_server PORT: as a lobby launches it. Every match is over as soon as it starts, so that the
 * next can begin.
 * bench_server --assets MEGABYTES: the same on the port of its environment, after it has filled so
 * much memory and passed its fork point.
 * bench_server PORT --hold: its match goes on until it is stopped.
 * bench_server --bare PORT REGISTER_PORT: the floor. Binds and listens on PORT, connects to
 * 127.0.0.1:REGISTER_PORT, sends one packet of 4 bytes, and ends when that connection does.
 * bench_server --agones PORT SDK_PORT: listens on PORT and says Ready to the Agones SDK API, gRPC
 * on 127.0.0.1:SDK_PORT. The floor is the same to somebody who only reads the bytes. bench_server
 * --plain PORT: a server without an SDK. Listens on PORT, binds it for UDP too, prints a line, and
 * answers every datagram. */
#include <arpa/inet.h>
#include <muster/gs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address;
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((uint16_t)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/* A listening socket for players, or -1. */
static int listen_on(int port) {
  const struct sockaddr_in address = loopback(port);
  const int on = 1;
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, (const struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 16) != 0)
    return -1;
  return fd;
}

static int run_bare(int port, int register_port) {
  const struct sockaddr_in address = loopback(register_port);
  const unsigned char packet[4] = {4, 100, (unsigned char)port, (unsigned char)(port >> 8)};
  char byte;
  if (listen_on(port) < 0) return 1;
  const int lobby = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(lobby, (const struct sockaddr*)&address, sizeof address) != 0) return 2;
  if (write(lobby, packet, sizeof packet) != (ssize_t)sizeof packet) return 3;
  return read(lobby, &byte, 1) == 0 ? 0 : 4;
}

/* One gRPC call as bytes: the preface, SETTINGS, HEADERS and DATA of HTTP/2 (RFC 9113), the header
 * block without Huffman codes or the dynamic table (RFC 7541). */
static int run_agones(int port, int sdk_port) {
  static const char call[] =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
      "\0\0\0\x04\0\0\0\0\0"
      "\0\0\x48\x01\x04\0\0\0\x01"
      "\x83\x86"
      "\x04\x19/agones.dev.sdk.SDK/Ready"
      "\x01\x09localhost"
      "\x0f\x10\x10"
      "application/grpc"
      "\0\x02te\x08trailers"
      "\0\0\x05\0\x01\0\0\0\x01"
      "\0\0\0\0\0";
  const struct sockaddr_in address = loopback(sdk_port);
  char bytes[512];
  if (listen_on(port) < 0) return 1;
  const int sdk = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(sdk, (const struct sockaddr*)&address, sizeof address) != 0) return 2;
  if (write(sdk, call, sizeof call - 1) != (ssize_t)(sizeof call - 1)) return 3;
  while (read(sdk, bytes, sizeof bytes) > 0) continue;
  return 0;
}

static int run_plain(int port) {
  const struct sockaddr_in address = loopback(port);
  struct sockaddr_in from;
  char bytes[64];
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  if (listen_on(port) < 0) return 1;
  if (bind(fd, (const struct sockaddr*)&address, sizeof address) != 0) return 2;
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 3;
  for (;;) {
    socklen_t size = sizeof from;
    if (recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr*)&from, &size) < 0) return 4;
    sendto(fd, "pong", 4, 0, (const struct sockaddr*)&from, size);
  }
}

static int run_launched(int port, int hold) {
  muster_gs* gs;
  const muster_gs_match* match;
  if (listen_on(port) < 0) return 1;
  if (muster_gs_create(&gs) != MUSTER_GS_OK) return 2;
  if (muster_gs_ready(gs, 10000) != MUSTER_GS_OK) return 3;
  if (hold) {
    muster_gs_event event;
    while (muster_gs_poll(gs, -1, &event) == MUSTER_GS_OK) continue;
    return 5;
  }
  while (muster_gs_wait_match(gs, -1, &match) == MUSTER_GS_OK)
    if (muster_gs_match_over(gs, "", 10000) != MUSTER_GS_OK) return 4;
  return 0;
}

/* As a game loads maps and models: in pieces, each of which stays. */
static int run_with_assets(int megabytes) {
  const size_t piece_bytes = 64 << 10;
  for (int i = 0; i < megabytes * 16; ++i) {
    unsigned char* const piece = malloc(piece_bytes);
    if (!piece) return 5;
    for (size_t at = 0; at < piece_bytes; ++at) piece[at] = (unsigned char)(at * 31 + (size_t)i);
  }
  if (muster_gs_fork_point() != MUSTER_GS_OK) return 6;
  return run_launched(muster_gs_port(), 0);
}

int main(int argc, char** argv) {
  if (argc == 4 && strcmp(argv[1], "--bare") == 0) return run_bare(atoi(argv[2]), atoi(argv[3]));
  if (argc == 3 && strcmp(argv[1], "--assets") == 0) return run_with_assets(atoi(argv[2]));
  if (argc == 3 && strcmp(argv[1], "--plain") == 0) return run_plain(atoi(argv[2]));
  if (argc == 4 && strcmp(argv[1], "--agones") == 0)
    return run_agones(atoi(argv[2]), atoi(argv[3]));
  if (argc == 2) return run_launched(atoi(argv[1]), 0);
  if (argc == 3 && strcmp(argv[2], "--hold") == 0) return run_launched(atoi(argv[1]), 1);
  return 64;
}
