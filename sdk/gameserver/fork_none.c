// Where there is no fork point: plain launches pass through, and a parent cannot be.
#include <stdlib.h>

#include "muster/gs.h"

#ifndef __linux__

muster_gs_status muster_gs_fork_point(void) {
  return getenv("MUSTER_FORK") ? MUSTER_GS_ERR_NOT_SUPPORTED : MUSTER_GS_OK;
}

#endif
