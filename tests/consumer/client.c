#include <muster/client.h>
#include <stdio.h>

int main(void) {
  muster_client *client = NULL;
  if (muster_client_create("127.0.0.1", 4100, &client) != MUSTER_CLIENT_OK) return 1;
  muster_client_event event;
  const muster_client_status status = muster_client_poll(client, 0, &event);
  printf("%s\n", muster_client_status_text(status));
  muster_client_destroy(client);
  return status == MUSTER_CLIENT_ERR_STATE ? 0 : 1; /* Not told to connect. */
}
