// The socket API of the system, for what is the same on all of them. Private to the SDKs.
#ifndef MUSTER_SDK_COMMON_SOCKETS_H
#define MUSTER_SDK_COMMON_SOCKETS_H

#ifdef _WIN32
#include <winsock2.h>  // Before what includes windows.h.
#include <ws2tcpip.h>
#else
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#endif

#endif
