// What the SDKs need of the operating system. One file implements it per system, platform_posix.c
// and platform_windows.c; address.c and resolve.c are for all. Private to the SDKs.
#ifndef MUSTER_SDK_COMMON_PLATFORM_H
#define MUSTER_SDK_COMMON_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Wide enough for a POSIX descriptor and for a Winsock SOCKET.
typedef intptr_t mst_socket;
#define MST_SOCKET_NONE ((mst_socket) - 1)

/// An address and port, IPv4 or IPv6; or the path of a unix socket.
typedef struct mst_address {
  uint64_t storage[16];
  uint32_t size;
} mst_address;

/// What a transfer came to when it moved no byte; otherwise the number of bytes moved.
enum { MST_WOULD_BLOCK = 0, MST_CLOSED = -1 };

/// Milliseconds of a clock that never runs backwards.
uint64_t mst_clock_ms(void);
/// A number that differs between processes and calls. Not for secrets.
uint64_t mst_seed(void);

/// What a system wants before the first socket or resolver call; called by those here, and cheap to
/// repeat. False if it has no network to offer.
bool mst_network_start(void);

/// "127.0.0.1:4000", "[::1]:4000" and "localhost:4000" (taken as 127.0.0.1). Never asks a resolver.
bool mst_address_parse(mst_address *address, const char *text);
/// "unix:/path". False also on a system without unix sockets.
bool mst_address_local(mst_address *address, const char *text);
/// Asks the system's resolver, which may block for seconds unless `host` is numeric. Returns how
/// many of at most `count_max` addresses it found, 0 if none.
size_t mst_address_resolve(mst_address *addresses, size_t count_max, const char *host,
                           uint16_t port);

/// Begins to connect: non-blocking, closed on exec, without Nagle's delay. MST_SOCKET_NONE and
/// *error if that fails at once.
mst_socket mst_connect(const mst_address *address, int *error);
/// After the socket became writable: 0 if it is connected, else the error.
int mst_connect_error(mst_socket s);
/// MST_WOULD_BLOCK also while the connection is still being made. MST_CLOSED sets *error, 0 if the
/// peer just closed.
ptrdiff_t mst_send(mst_socket s, const void *bytes, size_t count, int *error);
ptrdiff_t mst_recv(mst_socket s, void *bytes, size_t count, int *error);
void mst_close(mst_socket s);
/// Waits until the socket can be read (or, if asked, written), or the time is over; MST_SOCKET_NONE
/// just waits. `timeout_ms` below 0 waits without end. May return early.
void mst_wait(mst_socket s, bool for_writing, int timeout_ms);
/// The system's words for an error.
void mst_error_text(int error, char *text, size_t size);

#ifdef __cplusplus
}
#endif

#endif
