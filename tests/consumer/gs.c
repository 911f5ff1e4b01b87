#include <muster/gs.h>
#include <stdio.h>

int main(void) {
  muster_gs *gs = NULL;
  const muster_gs_status status = muster_gs_create(&gs);
  printf("%s\n", muster_gs_status_text(status));
  muster_gs_destroy(gs);
  return status == MUSTER_GS_ERR_NOT_LAUNCHED && muster_gs_port() == 0 ? 0 : 1;
}
