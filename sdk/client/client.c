#include "muster/client.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "client_session.h"

enum {
  frame_bytes_max = 1 << 20,
  out_bytes_max = 64 << 10,
  retry_first_ms = 100,
  retry_last_ms = 5000,
  silence_default_ms = 15000,
  host_bytes_max = 253,
  name_bytes_max = 32,
  password_bytes_max = 128,
  session_token_bytes_max = 512,
  queue_bytes_max = 64,
  id_bytes_max = 64,
  attributes_max = 256
};

static bool is_text(const char *text, size_t bytes_min, size_t bytes_max) {
  if (!text) return false;
  const size_t size = strlen(text);
  return size >= bytes_min && size <= bytes_max && mst_utf8_valid(text, size);
}

// ---- Life.

muster_client_status muster_client_create(const char *host, uint16_t port, muster_client **out) {
  if (!out) return MUSTER_CLIENT_ERR_ARGUMENT;
  *out = NULL;
  if (!is_text(host, 1, host_bytes_max) || port == 0) return MUSTER_CLIENT_ERR_ARGUMENT;
  muster_client *const c = calloc(1, sizeof *c);
  if (!c || !(c->host = mst_strdup(host))) {
    free(c);
    return MUSTER_CLIENT_ERR_MEMORY;
  }
  c->port = port;
  c->silence_ms = silence_default_ms;
  mst_link_init(&c->link, frame_bytes_max, out_bytes_max);
  mst_backoff_init(&c->backoff, retry_first_ms, retry_last_ms);
  *out = c;
  return MUSTER_CLIENT_OK;
}

void muster_client_destroy(muster_client *client) {
  if (!client) return;
  if (client->phase == CLIENT_WELCOMED) mst_link_flush(&client->link);
  client_session_free(client);
  free(client);
}

/// As somebody with a name, a name and a password, or a session token.
typedef struct identity {
  const char *name, *password, *session_token;
  bool sign_up;
} identity;

static muster_client_status start(muster_client *c, identity who) {
  if (c->phase != CLIENT_IDLE && c->phase != CLIENT_STOPPED) return MUSTER_CLIENT_ERR_STATE;
  char *const name = who.name ? mst_strdup(who.name) : NULL;
  char *const password = who.password ? mst_strdup(who.password) : NULL;
  char *const token = who.session_token ? mst_strdup(who.session_token) : NULL;
  if ((who.name && !name) || (who.password && !password) || (who.session_token && !token)) {
    free(name);
    free(password);
    free(token);
    return MUSTER_CLIENT_ERR_MEMORY;
  }
  free(c->name);
  client_forget_password(c);
  free(c->session_token);
  c->name = name;
  c->password = password;
  c->session_token = token;
  c->sign_up = who.sign_up;
  c->sign_up_lost = false;
  c->phase = CLIENT_DOWN;
  c->retry_at = 0;
  c->has_ticket = c->has_assignment = c->has_party = false;
  mst_backoff_reset(&c->backoff);
  return MUSTER_CLIENT_OK;
}

muster_client_status muster_client_connect_guest(muster_client *client, const char *name) {
  if (!client || !is_text(name, 1, name_bytes_max)) return MUSTER_CLIENT_ERR_ARGUMENT;
  return start(client, (identity){.name = name});
}

static muster_client_status connect_account(muster_client *client, const char *name,
                                            const char *password, bool sign_up) {
  if (!client || !is_text(name, 1, name_bytes_max) || !is_text(password, 1, password_bytes_max))
    return MUSTER_CLIENT_ERR_ARGUMENT;
  return start(client, (identity){.name = name, .password = password, .sign_up = sign_up});
}

muster_client_status muster_client_connect_account(muster_client *client, const char *name,
                                                   const char *password) {
  return connect_account(client, name, password, false);
}

muster_client_status muster_client_connect_sign_up(muster_client *client, const char *name,
                                                   const char *password) {
  return connect_account(client, name, password, true);
}

muster_client_status muster_client_connect_resume(muster_client *client, const char *session_token,
                                                  const char *name) {
  if (!client || !is_text(session_token, 1, session_token_bytes_max) ||
      (name && !is_text(name, 1, name_bytes_max)))
    return MUSTER_CLIENT_ERR_ARGUMENT;
  return start(client, (identity){.name = name, .session_token = session_token});
}

const char *muster_client_session_token(const muster_client *client) {
  return client ? client->session_token : NULL;
}

const char *muster_client_player_id(const muster_client *client) {
  return client ? client->player_id : NULL;
}

int muster_client_is_welcome(const muster_client *client) {
  return client && client->phase == CLIENT_WELCOMED;
}

// ---- Commands.

static bool is_attribute(const muster_client_attribute *a) {
  if (!is_text(a->name, 1, out_bytes_max)) return false;
  switch (a->type) {
    case MUSTER_CLIENT_ATTRIBUTE_NUMBER:
      return fabs(a->number) <= DBL_MAX;  // isfinite() of mingw-w64 does not compile cleanly.
    case MUSTER_CLIENT_ATTRIBUTE_TEXT:
      return is_text(a->text, 0, out_bytes_max);
    case MUSTER_CLIENT_ATTRIBUTE_TEXTS:
      if (a->texts_count > 0 && !a->texts) return false;
      for (size_t i = 0; i < a->texts_count; ++i)
        if (!is_text(a->texts[i], 0, out_bytes_max)) return false;
      return true;
  }
  return false;
}

static bool are_attributes(const muster_client_attribute *attributes, size_t count) {
  if (count > attributes_max || (count > 0 && !attributes)) return false;
  for (size_t i = 0; i < count; ++i) {
    if (!is_attribute(&attributes[i])) return false;
    for (size_t j = 0; j < i; ++j)
      if (strcmp(attributes[i].name, attributes[j].name) == 0) return false;
  }
  return true;
}

/// May a command be given?
static muster_client_status check_command(const muster_client *c) {
  if (c->phase != CLIENT_WELCOMED) return MUSTER_CLIENT_ERR_STATE;
  if (c->pending_count == client_requests_max) return MUSTER_CLIENT_ERR_BUSY;
  return MUSTER_CLIENT_OK;
}

/// A command was written with this number: sends it, and waits for its answer.
static void sent(muster_client *c, uint32_t number, uint32_t *request) {
  c->pending[c->pending_count++] = number;
  if (request) *request = number;
  client_flush(c);
}

muster_client_status muster_client_start_match(muster_client *client, const char *queue,
                                               const muster_client_attribute *attributes,
                                               size_t attributes_count, uint32_t seats,
                                               uint32_t *request) {
  if (!client || !is_text(queue, 1, queue_bytes_max) ||
      !are_attributes(attributes, attributes_count))
    return MUSTER_CLIENT_ERR_ARGUMENT;
  const muster_client_status status = check_command(client);
  if (status != MUSTER_CLIENT_OK) return status;
  const bool others_wait = client->link.out.size > 0;
  const uint32_t number = client_next_request(client);
  if (!client_write_start_match(&client->link.out, number, queue, attributes, attributes_count,
                                seats))
    return others_wait ? MUSTER_CLIENT_ERR_BUSY : MUSTER_CLIENT_ERR_ARGUMENT;
  sent(client, number, request);
  return MUSTER_CLIENT_OK;
}

static muster_client_status command(muster_client *client, uint32_t *request,
                                    bool (*write)(mst_buffer *out, uint32_t number)) {
  if (!client) return MUSTER_CLIENT_ERR_ARGUMENT;
  const muster_client_status status = check_command(client);
  if (status != MUSTER_CLIENT_OK) return status;
  const uint32_t number = client_next_request(client);
  if (!write(&client->link.out, number)) return MUSTER_CLIENT_ERR_BUSY;
  sent(client, number, request);
  return MUSTER_CLIENT_OK;
}

muster_client_status muster_client_cancel_match(muster_client *client, uint32_t *request) {
  return command(client, request, client_write_cancel_match);
}

muster_client_status muster_client_leave_match(muster_client *client, uint32_t *request) {
  const muster_client_status status = command(client, request, client_write_leave_match);
  if (status == MUSTER_CLIENT_OK) client->has_assignment = client->has_ticket = false;
  return status;
}

muster_client_status muster_client_accept_match(muster_client *client, uint32_t *request) {
  return command(client, request, client_write_accept_match);
}

muster_client_status muster_client_decline_match(muster_client *client, uint32_t *request) {
  return command(client, request, client_write_decline_match);
}

muster_client_status muster_client_create_party(muster_client *client, uint32_t *request) {
  return command(client, request, client_write_create_party);
}

muster_client_status muster_client_leave_party(muster_client *client, uint32_t *request) {
  return command(client, request, client_write_leave_party);
}

static muster_client_status command_with(muster_client *client, const char *text, uint32_t *request,
                                         bool (*write)(mst_buffer *out, uint32_t number,
                                                       const char *text)) {
  if (!client || !is_text(text, 1, id_bytes_max)) return MUSTER_CLIENT_ERR_ARGUMENT;
  const muster_client_status status = check_command(client);
  if (status != MUSTER_CLIENT_OK) return status;
  const uint32_t number = client_next_request(client);
  if (!write(&client->link.out, number, text)) return MUSTER_CLIENT_ERR_BUSY;
  sent(client, number, request);
  return MUSTER_CLIENT_OK;
}

muster_client_status muster_client_join_party(muster_client *client, const char *code,
                                              uint32_t *request) {
  return command_with(client, code, request, client_write_join_party);
}

muster_client_status muster_client_kick_from_party(muster_client *client, const char *player_id,
                                                   uint32_t *request) {
  return command_with(client, player_id, request, client_write_kick_from_party);
}

muster_client_status muster_client_promote_in_party(muster_client *client, const char *player_id,
                                                    uint32_t *request) {
  return command_with(client, player_id, request, client_write_promote_in_party);
}

muster_client_status muster_client_set_party_attributes(muster_client *client,
                                                        const muster_client_attribute *attributes,
                                                        size_t attributes_count,
                                                        uint32_t *request) {
  if (!client || !are_attributes(attributes, attributes_count)) return MUSTER_CLIENT_ERR_ARGUMENT;
  const muster_client_status status = check_command(client);
  if (status != MUSTER_CLIENT_OK) return status;
  const bool others_wait = client->link.out.size > 0;
  const uint32_t number = client_next_request(client);
  if (!client_write_set_party_attributes(&client->link.out, number, attributes, attributes_count))
    return others_wait ? MUSTER_CLIENT_ERR_BUSY : MUSTER_CLIENT_ERR_ARGUMENT;
  sent(client, number, request);
  return MUSTER_CLIENT_OK;
}

// ---- What the lobby says.

muster_client_status muster_client_poll(muster_client *client, int timeout_ms,
                                        muster_client_event *event) {
  if (!client || !event) return MUSTER_CLIENT_ERR_ARGUMENT;
  *event = client_no_event();
  const uint64_t deadline = mst_deadline(timeout_ms);
  for (;;) {
    if (client_step(client, event)) return MUSTER_CLIENT_OK;
    *event = client_no_event();
    if (client->phase == CLIENT_IDLE || client->phase == CLIENT_STOPPED)
      return MUSTER_CLIENT_ERR_STATE;
    if (mst_until(deadline) == 0) return MUSTER_CLIENT_OK;
    const uint64_t due = client_due(client);
    mst_link_wait(&client->link, mst_until(due < deadline ? due : deadline));
  }
}

const muster_client_ticket *muster_client_current_ticket(const muster_client *client) {
  return client && client->has_ticket ? &client->ticket : NULL;
}

const muster_client_party *muster_client_current_party(const muster_client *client) {
  return client && client->has_party ? &client->party : NULL;
}

uint16_t muster_client_named_port(const muster_client_assignment *assignment, const char *name) {
  for (size_t i = 0; assignment && name && i < assignment->ports_count; ++i)
    if (strcmp(assignment->ports[i].name, name) == 0) return assignment->ports[i].port;
  return 0;
}

const muster_client_assignment *muster_client_current_assignment(const muster_client *client) {
  return client && client->has_assignment ? &client->assignment : NULL;
}

// ---- In a poll loop of one's own.

intptr_t muster_client_socket(const muster_client *client) {
  return client ? client->link.socket : -1;
}

int muster_client_poll_within_ms(const muster_client *client) {
  enum { unsent_ms = 5 };
  if (!client) return -1;
  const int due = mst_until(client_due(client));
  // Unsent bytes would need waiting for writing, which the caller does not do.
  return client->link.out.size > 0 && (due < 0 || due > unsent_ms) ? unsent_ms : due;
}

const char *muster_client_status_text(muster_client_status status) {
  switch (status) {
    case MUSTER_CLIENT_OK:
      return "ok";
    case MUSTER_CLIENT_ERR_ARGUMENT:
      return "an argument is missing, empty, too long or not UTF-8";
    case MUSTER_CLIENT_ERR_MEMORY:
      return "out of memory";
    case MUSTER_CLIENT_ERR_STATE:
      return "not now: not welcomed by the lobby yet, or told to connect already";
    case MUSTER_CLIENT_ERR_BUSY:
      return "too many commands wait for their answer: call muster_client_poll";
  }
  return "unknown status";
}
