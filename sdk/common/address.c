#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "platform.h"
#include "sockets.h"

_Static_assert(sizeof(struct sockaddr_storage) == sizeof(((mst_address *)0)->storage), "copied");

bool mst_address_parse(mst_address *address, const char *text) {
  const char *const colon = strrchr(text, ':');
  if (!colon || colon[1] < '0' || colon[1] > '9') return false;
  char *end;
  const unsigned long port = strtoul(colon + 1, &end, 10);
  if (*end || port == 0 || port > 65535) return false;

  char host[64];
  size_t size = (size_t)(colon - text);
  const bool six = size >= 2 && text[0] == '[' && colon[-1] == ']';
  if (six) ++text, size -= 2;
  if (size == 0 || size >= sizeof host) return false;
  memcpy(host, text, size);
  host[size] = '\0';

  memset(address, 0, sizeof *address);
  if (six) {
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET6, host, &in6.sin6_addr) != 1) return false;
    memcpy(address->storage, &in6, sizeof in6);
    address->size = sizeof in6;
    return true;
  }
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (strcmp(host, "localhost") == 0) memcpy(host, "127.0.0.1", sizeof "127.0.0.1");
  if (inet_pton(AF_INET, host, &in.sin_addr) != 1) return false;
  memcpy(address->storage, &in, sizeof in);
  address->size = sizeof in;
  return true;
}
