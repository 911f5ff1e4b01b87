#include <muster/client.h>
#include <muster/gs.h>

int main(void) {
  muster_gs *gs = NULL;
  muster_client *client = NULL;
  const int ok = muster_gs_create(&gs) == MUSTER_GS_ERR_NOT_LAUNCHED &&
                 muster_client_create("localhost", 4100, &client) == MUSTER_CLIENT_OK;
  muster_client_destroy(client);
  return ok ? 0 : 1;
}
