// Winsock 2, Windows 7 or newer.
#define WIN32_LEAN_AND_MEAN
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "platform.h"
#include "sockets.h"

_Static_assert(sizeof(SOCKET) <= sizeof(mst_socket), "a socket is kept in one");

// Never undone: a game server has its connection until it ends, and the process's end undoes it.
bool mst_network_start(void) {
  static volatile LONG started;
  if (started) return true;
  WSADATA data;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return false;
  if (InterlockedExchange(&started, 1) != 0) WSACleanup();  // Two threads at once: it is counted.
  return true;
}

static uint64_t ticks(void) {
  LARGE_INTEGER now;
  QueryPerformanceCounter(&now);
  return (uint64_t)now.QuadPart;
}

uint64_t mst_clock_ms(void) {
  LARGE_INTEGER frequency;
  QueryPerformanceFrequency(&frequency);
  const uint64_t now = ticks(), per_second = (uint64_t)frequency.QuadPart;
  return now / per_second * 1000u + now % per_second * 1000u / per_second;
}

uint64_t mst_seed(void) {
  static volatile LONG calls;
  FILETIME now;
  GetSystemTimeAsFileTime(&now);
  const uint64_t time = (uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime;
  return time ^ ticks() ^ (uint64_t)GetCurrentProcessId() << 40 ^
         (uint64_t)InterlockedIncrement(&calls) << 20;
}

bool mst_address_local(mst_address *address, const char *text) {
  (void)address;
  (void)text;
  return false;
}

mst_socket mst_connect(const mst_address *address, int *error) {
  if (!mst_network_start()) {
    *error = WSASYSNOTREADY;
    return MST_SOCKET_NONE;
  }
  struct sockaddr_storage to;
  memcpy(&to, address->storage, sizeof to);
  const SOCKET s = socket(to.ss_family, SOCK_STREAM, IPPROTO_TCP);
  if (s == INVALID_SOCKET) {
    *error = WSAGetLastError();
    return MST_SOCKET_NONE;
  }
  // What this process starts has no business with the connection.
  SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0);
  const DWORD on = 1;
  u_long non_blocking = 1;
  setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (const char *)&on, sizeof on);
  if (ioctlsocket(s, (long)FIONBIO, &non_blocking) != 0 ||
      (connect(s, (const struct sockaddr *)&to, (int)address->size) != 0 &&
       WSAGetLastError() != WSAEWOULDBLOCK)) {
    *error = WSAGetLastError();
    closesocket(s);
    return MST_SOCKET_NONE;
  }
  *error = 0;
  return (mst_socket)s;
}

int mst_connect_error(mst_socket s) {
  int error = 0;
  int size = sizeof error;
  if (getsockopt((SOCKET)s, SOL_SOCKET, SO_ERROR, (char *)&error, &size) != 0)
    return WSAGetLastError();
  return error;
}

static ptrdiff_t transferred(int count, int *error) {
  if (count > 0) return count;
  if (count == 0) {
    *error = 0;
    return MST_CLOSED;
  }
  const int why = WSAGetLastError();
  if (why == WSAEWOULDBLOCK || why == WSAEINTR || why == WSAENOTCONN) return MST_WOULD_BLOCK;
  *error = why;
  return MST_CLOSED;
}

static int at_once(size_t count) { return count > INT_MAX ? INT_MAX : (int)count; }

ptrdiff_t mst_send(mst_socket s, const void *bytes, size_t count, int *error) {
  return transferred(send((SOCKET)s, bytes, at_once(count), 0), error);
}

ptrdiff_t mst_recv(mst_socket s, void *bytes, size_t count, int *error) {
  return transferred(recv((SOCKET)s, bytes, at_once(count), 0), error);
}

void mst_close(mst_socket s) { closesocket((SOCKET)s); }

// select(), since WSAPoll() before Windows 10 2004 keeps silent about a connect that has failed. It
// takes any value of a socket: an fd_set is a list here, not a field of bits.
void mst_wait(mst_socket s, bool for_writing, int timeout_ms) {
  if (s == MST_SOCKET_NONE) {
    Sleep(timeout_ms < 0 ? INFINITE : (DWORD)timeout_ms);
    return;
  }
  fd_set readable = {.fd_count = 1, .fd_array = {(SOCKET)s}};
  fd_set writable = readable, failed = readable;
  struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
  select(0, &readable, for_writing ? &writable : NULL, &failed, timeout_ms < 0 ? NULL : &timeout);
}

void mst_error_text(int error, char *text, size_t size) {
  WCHAR wide[256];
  const DWORD count = FormatMessageW(
      FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK,
      NULL, (DWORD)error, 0, wide, sizeof wide / sizeof *wide, NULL);
  const int written = count == 0 ? 0
                                 : WideCharToMultiByte(CP_UTF8, 0, wide, (int)count, text,
                                                       at_once(size) - 1, NULL, NULL);
  if (written > 0)
    text[written] = '\0';
  else
    snprintf(text, size, "error %d", error);
}
