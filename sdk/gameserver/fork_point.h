// What the fork point's tests may turn. Private to the game-server SDK.
#ifndef MUSTER_SDK_GAMESERVER_FORK_POINT_H
#define MUSTER_SDK_GAMESERVER_FORK_POINT_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Children are made by the C library's fork alone, as where clone() cannot do it.
extern bool fork_by_library_only;

#ifdef __cplusplus
}
#endif

#endif
