// Apart from address.c, so that a program that never resolves a name links no resolver: a
// statically linked game server, for one.
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>

#include "platform.h"
#include "sockets.h"

size_t mst_address_resolve(mst_address *addresses, size_t count_max, const char *host,
                           uint16_t port) {
  if (!mst_network_start()) return 0;
  char service[8];
  snprintf(service, sizeof service, "%u", (unsigned)port);
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
  struct addrinfo *found = NULL;
  if (getaddrinfo(host, service, &hints, &found) != 0) return 0;
  size_t count = 0;
  for (const struct addrinfo *at = found; at && count < count_max; at = at->ai_next) {
    if (at->ai_addrlen > sizeof addresses->storage) continue;
    memset(&addresses[count], 0, sizeof addresses[count]);
    memcpy(addresses[count].storage, at->ai_addr, at->ai_addrlen);
    addresses[count++].size = (uint32_t)at->ai_addrlen;
  }
  freeaddrinfo(found);
  return count;
}
