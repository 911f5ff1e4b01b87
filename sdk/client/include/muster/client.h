/// The player's side of Muster, in C11 with no library but C's: what a game's client links to find
/// a match and the game server to connect to.
///
///     muster_client *client;
///     muster_client_create("lobby.example.org", 4100, &client);
///     muster_client_connect_guest(client, "ann");
///     muster_client_event event;
///     while (muster_client_poll(client, 100, &event) == MUSTER_CLIENT_OK) {
///       if (event.type == MUSTER_CLIENT_EVENT_WELCOME && !event.resumed)
///         muster_client_start_match(client, "duel", NULL, 0, 1, NULL);
///       if (event.type == MUSTER_CLIENT_EVENT_ASSIGNMENT)
///         ... connect to event.assignment->host and port, show it the join_token ...
///     }
///
/// A lost connection is made again from within muster_client_poll, after 0.1 s at first and up to 5
/// s later, each time a little different; the session token, kept inside, brings back the same
/// player with their ticket or assignment. If the lobby no longer knows it, an ERROR event with the
/// code "session_expired" says so and the player becomes a new guest of the same name.
///
/// Threads: there are none inside. One muster_client must not be used by two threads at once;
/// different ones may be. Nothing blocks but muster_client_poll, for the time it is given, and the
/// system's resolver when a connection is made to a host that is a name: give it an address where a
/// pause of some milliseconds matters.
///
/// Text is UTF-8 and ends in NUL. Functions take NULL for a client as MUSTER_CLIENT_ERR_ARGUMENT, 0
/// or NULL.
#ifndef MUSTER_CLIENT_H
#define MUSTER_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(MUSTER_SHARED)
#ifdef MUSTER_CLIENT_BUILD
#define MUSTER_CLIENT_API __declspec(dllexport)
#else
#define MUSTER_CLIENT_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define MUSTER_CLIENT_API __attribute__((visibility("default")))
#else
#define MUSTER_CLIENT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct muster_client muster_client;

/// What a call came to. Numbers are stable. What the lobby refuses is no status but an ERROR event.
typedef enum muster_client_status {
  MUSTER_CLIENT_OK = 0,
  /// An argument is NULL, empty, too long or not UTF-8.
  MUSTER_CLIENT_ERR_ARGUMENT = 1,
  MUSTER_CLIENT_ERR_MEMORY = 2,
  /// Not now: there is no WELCOME yet, or the connection is lost at the moment, or this client was
  /// told to connect already.
  MUSTER_CLIENT_ERR_STATE = 3,
  /// Too much waits to be sent, or too many requests wait for their answer: call
  /// muster_client_poll.
  MUSTER_CLIENT_ERR_BUSY = 4
} muster_client_status;

/// One sentence about a status. Never NULL; static; any thread.
MUSTER_CLIENT_API const char *muster_client_status_text(muster_client_status status);

/* ---- Life ---- */

/// Makes a client of the lobby at `host` (a name of at most 253 bytes, or an address) and `port` (1
/// to 65535; a lobby's default is 4100). Connects to nothing yet. `*out` is set on MUSTER_CLIENT_OK
/// and NULL otherwise.
/// Returns MUSTER_CLIENT_OK, MUSTER_CLIENT_ERR_ARGUMENT or MUSTER_CLIENT_ERR_MEMORY.
MUSTER_CLIENT_API muster_client_status muster_client_create(const char *host, uint16_t port,
                                                            muster_client **out);

/// Sends what is waiting if that can be done at once, closes the connection, and frees everything
/// the client owns. NULL is allowed. The lobby keeps the player for a while (resume_grace): a
/// player who quits for good cancels or leaves first.
MUSTER_CLIENT_API void muster_client_destroy(muster_client *client);

/// Connects as a guest called `name`: 1 to 32 bytes of printable UTF-8, need not be unique. Only
/// begins it: muster_client_poll goes on, and brings CONNECTED and WELCOME.
/// Returns MUSTER_CLIENT_OK; MUSTER_CLIENT_ERR_ARGUMENT; MUSTER_CLIENT_ERR_STATE if this client was
/// told to connect already, unless it has stopped for good (a DISCONNECTED event that was final);
/// or MUSTER_CLIENT_ERR_MEMORY.
MUSTER_CLIENT_API muster_client_status muster_client_connect_guest(muster_client *client,
                                                                   const char *name);

/// Connects as the player with this account, which keeps their ratings; `password` is 1 to 128
/// bytes. The lobby says from where it takes passwords (its `logins`): the connection is not
/// encrypted. Otherwise as muster_client_connect_guest; the password is kept until
/// muster_client_destroy or the next muster_client_connect_…, to log in again when the lobby has
/// forgotten the session.
MUSTER_CLIENT_API muster_client_status muster_client_connect_account(muster_client *client,
                                                                     const char *name,
                                                                     const char *password);

/// The same, and makes the account first. If the name is taken, an ERROR event says so; but if it
/// was taken while the connection was lost, the password decides whether it was by this call.
MUSTER_CLIENT_API muster_client_status muster_client_connect_sign_up(muster_client *client,
                                                                     const char *name,
                                                                     const char *password);

/// Connects as the player whose session token (1 to 512 bytes) an earlier run has kept. If the
/// lobby no longer knows it, an ERROR event says so, and then this is
/// muster_client_connect_guest(name); with NULL for `name` it is the end instead, a final
/// DISCONNECTED. Returns as muster_client_connect_guest does.
MUSTER_CLIENT_API muster_client_status muster_client_connect_resume(muster_client *client,
                                                                    const char *session_token,
                                                                    const char *name);

/// The secret by which the lobby knows this player again: whoever has it is this player. Changes
/// with each WELCOME. NULL before the first; owned by `client`, good until the next
/// muster_client_poll.
MUSTER_CLIENT_API const char *muster_client_session_token(const muster_client *client);

/// The player's id. NULL before the first WELCOME; owned as the session token is.
MUSTER_CLIENT_API const char *muster_client_player_id(const muster_client *client);

/// 1 from WELCOME until the connection is lost, else 0.
MUSTER_CLIENT_API int muster_client_is_welcome(const muster_client *client);

/* ---- Commands ---- */

typedef enum muster_client_attribute_type {
  MUSTER_CLIENT_ATTRIBUTE_NUMBER = 1,
  MUSTER_CLIENT_ATTRIBUTE_TEXT = 2,
  MUSTER_CLIENT_ATTRIBUTE_TEXTS = 3
} muster_client_attribute_type;

/// A fact about the player that the game server is told.
typedef struct muster_client_attribute {
  const char *name;
  muster_client_attribute_type type;
  double number;            /* NUMBER: finite */
  const char *text;         /* TEXT; else NULL */
  const char *const *texts; /* TEXTS */
  size_t texts_count;
} muster_client_attribute;

/// Asks for a match. `attributes` may be NULL if there are none; names must differ. `seats` is how
/// many places of the match this player takes, 0 being 1. `*request`, if not NULL, is the number
/// that the answer bears: a TICKET event, or an ERROR event. Everything is copied. Returns
/// MUSTER_CLIENT_OK: it is said, or will be by the next muster_client_poll;
/// MUSTER_CLIENT_ERR_ARGUMENT; MUSTER_CLIENT_ERR_STATE; or MUSTER_CLIENT_ERR_BUSY.
MUSTER_CLIENT_API muster_client_status muster_client_start_match(
    muster_client *client, const char *queue, const muster_client_attribute *attributes,
    size_t attributes_count, uint32_t seats, uint32_t *request);

/// Takes the ticket back. Answered by a TICKET event in state CANCELLED, or an ERROR event; an
/// ASSIGNMENT may already be on its way. Returns as muster_client_start_match does.
MUSTER_CLIENT_API muster_client_status muster_client_cancel_match(muster_client *client,
                                                                  uint32_t *request);

/// Done with the match one was assigned to, whether it is over or not. Forgets the assignment.
/// Answered by a MATCH_ENDED event with the reason LEFT, or an ERROR event. Returns as
/// muster_client_start_match does.
MUSTER_CLIENT_API muster_client_status muster_client_leave_match(muster_client *client,
                                                                 uint32_t *request);

/// Answers to a ticket in state OFFERED: all must accept before its accept_left_ms are over. Who
/// declines, or does not answer, leaves the queue with everybody on the same ticket, and may not
/// come back for the queue's decline_penalty. Each is answered by a TICKET event, or an ERROR
/// event. Return as muster_client_start_match does.
MUSTER_CLIENT_API muster_client_status muster_client_accept_match(muster_client *client,
                                                                  uint32_t *request);
MUSTER_CLIENT_API muster_client_status muster_client_decline_match(muster_client *client,
                                                                   uint32_t *request);

/* ---- Parties: players who stay together, from match to match ---- */

/// Begins a party of one; others join it by its code. Each command about a party is answered by a
/// PARTY event, or an ERROR event, and all of the party get a PARTY event for every change. They
/// return as muster_client_start_match does.
MUSTER_CLIENT_API muster_client_status muster_client_create_party(muster_client *client,
                                                                  uint32_t *request);
MUSTER_CLIENT_API muster_client_status muster_client_join_party(muster_client *client,
                                                                const char *code,
                                                                uint32_t *request);
/// Out of the party, and of the ticket that it waits on; that goes on with the others.
MUSTER_CLIENT_API muster_client_status muster_client_leave_party(muster_client *client,
                                                                 uint32_t *request);
/// The leader's alone, as muster_client_promote_in_party and muster_client_start_match are.
MUSTER_CLIENT_API muster_client_status muster_client_kick_from_party(muster_client *client,
                                                                     const char *player_id,
                                                                     uint32_t *request);
MUSTER_CLIENT_API muster_client_status muster_client_promote_in_party(muster_client *client,
                                                                      const char *player_id,
                                                                      uint32_t *request);
/// This player's own attributes for the matches that the leader starts.
MUSTER_CLIENT_API muster_client_status
muster_client_set_party_attributes(muster_client *client, const muster_client_attribute *attributes,
                                   size_t attributes_count, uint32_t *request);

/* ---- What the lobby says ---- */

typedef enum muster_client_ticket_state {
  MUSTER_CLIENT_TICKET_UNKNOWN = 0, /* A newer lobby's. */
  MUSTER_CLIENT_TICKET_QUEUED = 1,
  MUSTER_CLIENT_TICKET_MATCHED = 2, /* The players are found; a game server is on its way. */
  MUSTER_CLIENT_TICKET_ASSIGNED = 3,
  MUSTER_CLIENT_TICKET_CANCELLED = 4,
  MUSTER_CLIENT_TICKET_EXPIRED = 5,
  MUSTER_CLIENT_TICKET_FAILED = 6,
  MUSTER_CLIENT_TICKET_OFFERED = 7 /* The players are found, and asked whether they are there. */
} muster_client_ticket_state;

typedef struct muster_client_ticket {
  const char *ticket_id;
  const char *queue;
  muster_client_ticket_state state;
  uint32_t players; /* Seats gathered so far for the match this ticket is next for. */
  uint32_t players_needed;
  const char *error_code;    /* Why, when EXPIRED or FAILED, or by an offer; else "". */
  const char *error_message; /* The same, for people. */
  uint32_t accepted;         /* OFFERED: players who have accepted, */
  uint32_t accepts_needed;   /* of so many; */
  uint32_t accept_left_ms;   /* how long there was to accept when this was told; */
  int you_accepted;          /* 1 if this player has. */
} muster_client_ticket;

typedef struct muster_client_party_member {
  const char *player_id;
  const char *name;
  int away; /* 1: the connection is lost, and they may come back. */
  const muster_client_attribute *attributes;
  size_t attributes_count;
} muster_client_party_member;

typedef struct muster_client_party {
  const char *party_id;                      /* "": this player is in no party any more. */
  const char *code;                          /* Whoever has it may join. */
  const muster_client_party_member *members; /* The leader first. */
  size_t members_count;
  const char *error_code;    /* Without an id: "party_kicked", or "". */
  const char *error_message; /* The same, for people. */
} muster_client_party;

typedef struct muster_client_player {
  const char *player_id;
  const char *name;
  uint32_t team; /* From 0. */
  uint32_t seats;
  const muster_client_attribute *attributes;
  size_t attributes_count;
} muster_client_player;

/// A port of the game server that the fleet's configuration gives a name.
typedef struct muster_client_port {
  const char *name;
  uint16_t port;
} muster_client_port;

/// Where to go. Connect to host and port as the game does, and show the game server the join token.
typedef struct muster_client_assignment {
  const char *match_id;
  const char *server_id;
  const char *host;
  uint16_t port;
  const char *join_token; /* A JWT signed with Ed25519. */
  uint32_t team;
  const char *queue;
  const char *ticket_id;
  const muster_client_player *players; /* All of the match, this one too. */
  size_t players_count;
  const muster_client_port *ports; /* Beside `port`: see muster_client_named_port. */
  size_t ports_count;
} muster_client_assignment;

/// The port of that name, as [fleet.port.NAME] has it; 0 if the game server has none.
MUSTER_CLIENT_API uint16_t muster_client_named_port(const muster_client_assignment *assignment,
                                                    const char *name);

typedef enum muster_client_end_reason {
  MUSTER_CLIENT_END_UNKNOWN = 0, /* A newer lobby's. */
  MUSTER_CLIENT_END_OVER = 1,
  MUSTER_CLIENT_END_SERVER_LOST = 2,
  MUSTER_CLIENT_END_TIMED_OUT = 3,
  MUSTER_CLIENT_END_CANCELLED = 4,
  MUSTER_CLIENT_END_LEFT = 5 /* This player left; the others may play on. */
} muster_client_end_reason;

typedef enum muster_client_event_type {
  MUSTER_CLIENT_EVENT_NONE = 0,      /* Nothing happened in the time. */
  MUSTER_CLIENT_EVENT_CONNECTED = 1, /* The lobby's port answers; WELCOME or ERROR follows. */
  /// The lobby knows this player: commands may be given. `resumed` tells that it is the same player
  /// as before the connection was lost, or, after a login, as the one who was there: their ticket
  /// or assignment, if any, follows as events of its own, and what muster_client_ticket() and
  /// assignment() said before is forgotten until then.
  MUSTER_CLIENT_EVENT_WELCOME = 2,
  MUSTER_CLIENT_EVENT_TICKET = 3,      /* `ticket` */
  MUSTER_CLIENT_EVENT_ASSIGNMENT = 4,  /* `assignment` */
  MUSTER_CLIENT_EVENT_MATCH_ENDED = 5, /* `match_id`, `reason`, `requeued`, `result` */
  /// Something was refused: `code` is stable ("queue_not_found"), `message` is for people,
  /// `request` says what, or is 0. A command whose answer was lost with the connection gets the
  /// code "connection_lost", which only this library uses.
  MUSTER_CLIENT_EVENT_ERROR = 6,
  /// The connection is lost or could not be made; `message` says why. It is tried again in
  /// `retry_in_ms`, or, if `final` is 1, not at all: the lobby refused the name or the password,
  /// has banned the account, or the player has come back by another connection.
  MUSTER_CLIENT_EVENT_DISCONNECTED = 7,
  /// The result of a rated match is recorded, or a season has begun: `queue`, `rating`,
  /// `deviation`, `rating_change`.
  MUSTER_CLIENT_EVENT_RATING_CHANGED = 8,
  MUSTER_CLIENT_EVENT_PARTY = 9 /* `party` */
} muster_client_event_type;

/// All text in it, and what it points to, is owned by the client and good until the next
/// muster_client_poll. Text that has no meaning for the type is "", pointers are NULL, numbers 0.
typedef struct muster_client_event {
  muster_client_event_type type;
  uint32_t request;                   /* The number of the command this answers; 0 for news. */
  const char *player_id;              /* WELCOME */
  const char *name;                   /* WELCOME */
  int resumed;                        /* WELCOME */
  const muster_client_ticket *ticket; /* TICKET */
  const muster_client_assignment *assignment; /* ASSIGNMENT */
  const char *match_id;                       /* MATCH_ENDED */
  muster_client_end_reason reason;            /* MATCH_ENDED */
  int requeued;                               /* MATCH_ENDED: a ticket follows */
  const char *result;                         /* MATCH_ENDED: the game's own text */
  const char *code;                           /* ERROR */
  const char *message;                        /* ERROR, DISCONNECTED */
  uint32_t retry_in_ms;                       /* DISCONNECTED */
  int final;                                  /* DISCONNECTED */
  const char *queue;                          /* RATING_CHANGED */
  int32_t rating;                             /* RATING_CHANGED */
  uint32_t deviation;                         /* RATING_CHANGED: how uncertain it is */
  int32_t rating_change;                      /* RATING_CHANGED: by the result */
  const muster_client_party *party;           /* PARTY */
  uint32_t retry_after_ms; /* ERROR: when it may be tried again, if that is known; else 0 */
} muster_client_event;

/// Waits for the next event, at most `timeout_ms` milliseconds: 0 waits for nothing, below 0
/// without end. Does what is due meanwhile: sends, answers the lobby's pings, connects again. Call
/// it often, for example once per frame with 0, and until it brings NONE. Returns MUSTER_CLIENT_OK
/// with `*event`; or MUSTER_CLIENT_ERR_STATE before muster_client_connect_… and after a final
/// DISCONNECTED.
MUSTER_CLIENT_API muster_client_status muster_client_poll(muster_client *client, int timeout_ms,
                                                          muster_client_event *event);

/// The ticket as it was last told, while it is QUEUED, OFFERED, MATCHED or ASSIGNED; else NULL.
/// Owned by `client`, good until the next muster_client_poll.
MUSTER_CLIENT_API const muster_client_ticket *muster_client_current_ticket(
    const muster_client *client);

/// The party as it was last told; NULL without one. Owned as the ticket is.
MUSTER_CLIENT_API const muster_client_party *muster_client_current_party(
    const muster_client *client);

/// The assignment from its event until MATCH_ENDED, muster_client_leave_match or the next ticket;
/// else NULL. Owned as the ticket is.
MUSTER_CLIENT_API const muster_client_assignment *muster_client_current_assignment(
    const muster_client *client);

/* ---- In a poll loop of one's own ---- */

/// The socket, a descriptor (POSIX) or SOCKET (Windows), to wait on for reading; -1 while there is
/// none. It changes with a reconnection, so ask each time around, and do nothing else with it. When
/// it can be read, call muster_client_poll with 0 until it brings NONE.
MUSTER_CLIENT_API intptr_t muster_client_socket(const muster_client *client);

/// How many milliseconds such a loop may sleep before muster_client_poll must be called though
/// nothing could be read. Negative: any time.
MUSTER_CLIENT_API int muster_client_poll_within_ms(const muster_client *client);

#ifdef __cplusplus
}
#endif

#endif
