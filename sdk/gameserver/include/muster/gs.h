/// The game server's side of Muster, in C11 with no library but C's.
///
/// A game server launched by Muster binds the port it was given, says that it is ready, waits for a
/// match, plays it, reports the result, and waits for the next one:
///
///     muster_gs *gs;
///     if (muster_gs_create(&gs) != MUSTER_GS_OK) ...        /* not launched by Muster */
///     ... bind and listen on muster_gs_port() ...
///     muster_gs_ready(gs, 5000);
///     const muster_gs_match *match;
///     while (muster_gs_wait_match(gs, -1, &match) == MUSTER_GS_OK) {
///       ... play ...
///       muster_gs_match_over(gs, "{\"winner\":\"ann\"}", 5000);
///     }
///     muster_gs_destroy(gs);
///
/// The connection goes to the node, the small process on the same machine that launched the game
/// server, not to the lobby: it stays while the lobby restarts. When it is lost, it is made again
/// from within muster_gs_poll and the waiting calls; what had been said (ready, who joined) is said
/// again.
///
/// Threads: there are none inside. One muster_gs must not be used by two threads at once; different
/// ones may be. Functions that take none (status_text, port) may be called from any thread.
///
/// Timeouts are `timeout_ms`, in milliseconds: 0 does what can be done without waiting, a negative
/// one waits without end. Text is UTF-8 and ends in NUL. Functions take NULL for an object as
/// MUSTER_GS_ERR_ARGUMENT, 0 or NULL.
#ifndef MUSTER_GS_H
#define MUSTER_GS_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(MUSTER_SHARED)
#ifdef MUSTER_GS_BUILD
#define MUSTER_GS_API __declspec(dllexport)
#else
#define MUSTER_GS_API __declspec(dllimport)
#endif
#elif defined(__GNUC__)
#define MUSTER_GS_API __attribute__((visibility("default")))
#else
#define MUSTER_GS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// The longest result of a match, in bytes without the NUL.
#define MUSTER_GS_RESULT_BYTES_MAX 16384
/// The most standings of a match, and the highest rank.
#define MUSTER_GS_STANDINGS_MAX 512
#define MUSTER_GS_RANK_MAX 1000
/// The longest join token that is looked at, in bytes without the NUL.
#define MUSTER_GS_JOIN_TOKEN_BYTES_MAX 4096

typedef struct muster_gs muster_gs;

/// What a call came to. Numbers are stable.
typedef enum muster_gs_status {
  MUSTER_GS_OK = 0,
  /// The process was not launched by Muster: MUSTER_SDK or MUSTER_TOKEN is not in its environment.
  /// A game server started by hand sees this, and may go on without a lobby.
  MUSTER_GS_ERR_NOT_LAUNCHED = 1,
  /// An argument is NULL, too long, not UTF-8, or names a player who is not of this match.
  MUSTER_GS_ERR_ARGUMENT = 2,
  MUSTER_GS_ERR_MEMORY = 3,
  /// The time was over first. Calling again is safe.
  MUSTER_GS_ERR_TIMEOUT = 4,
  /// Not now: the function says when. muster_gs_error_text() says what is in the way.
  MUSTER_GS_ERR_STATE = 5,
  /// The node does not know this game server's launch token. Final: exit.
  MUSTER_GS_ERR_REFUSED = 6,
  /// No match is running, or the lobby has ended it: muster_gs_poll brings MATCH_ENDED.
  MUSTER_GS_ERR_NO_MATCH = 7,
  /// A join token that the lobby did not sign, or one for another server or match.
  MUSTER_GS_ERR_JOIN_INVALID = 8,
  /// A join token that was good once.
  MUSTER_GS_ERR_JOIN_EXPIRED = 9,
  /// The node refused for another reason; muster_gs_error_text() has it.
  MUSTER_GS_ERR_NODE = 10,
  /// Too many events wait inside: call muster_gs_poll until it brings none, then call again.
  MUSTER_GS_ERR_POLL_FIRST = 11,
  /// This system, or this process on it, cannot do that.
  MUSTER_GS_ERR_NOT_SUPPORTED = 12,
  /// More than one thread runs at the fork point.
  MUSTER_GS_ERR_THREADS = 13
} muster_gs_status;

/// One sentence about a status. Never NULL; static.
MUSTER_GS_API const char *muster_gs_status_text(muster_gs_status status);

/// The port this game server must bind: MUSTER_PORT of its environment. 0 if it was not launched by
/// Muster.
MUSTER_GS_API uint16_t muster_gs_port(void);

/* ---- The fork point ---- */

/// Call it after maps and assets are loaded, and before the port is known, muster_gs_create is
/// called or a thread is started. In a fleet with `fork = true` one process stops here, loaded, and
/// each launch is a copy of it that returns from here: a game server of its own, with its own
/// environment, output, session and process group, that shares what was loaded until it writes to
/// it. In every other process it returns at once, so the same program can be launched plainly, and
/// started by hand.
///
///     load_everything();
///     if (muster_gs_fork_point() != MUSTER_GS_OK) return 1;
///     muster_gs_create(&gs);
///     ... bind and listen on muster_gs_port(), not on a port from the arguments ...
///
/// In the loaded process the environment names no port and no node; its arguments are those of all
/// its children. It ends here when the node wants it to, without running atexit handlers. A child
/// has everything else as it was: open descriptors, signal handlers, the random generator's state,
/// what was cached of time or process id. pthread_atfork handlers do not run as a rule: treat them
/// as not there. docs/fork-servers.md has what to observe.
///
/// Returns MUSTER_GS_OK in a process that is to be a game server. Otherwise exit; the node has been
/// told, and launches are plain: MUSTER_GS_ERR_THREADS; MUSTER_GS_ERR_NOT_SUPPORTED if this is not
/// Linux, /proc is not there, or a program between the node and this one has closed the descriptor
/// that MUSTER_FORK names; or MUSTER_GS_ERR_MEMORY. Call it from the main thread.
MUSTER_GS_API muster_gs_status muster_gs_fork_point(void);

/* ---- Life ---- */

/// Where to find the node when the environment is not to be asked, as in tests.
typedef struct muster_gs_options {
  const char *address; /* "127.0.0.1:7801" or "[::1]:7801"; numbers, no names. MUSTER_SDK. */
  const char *token;   /* The launch token, 1 to 512 bytes. MUSTER_TOKEN. */
} muster_gs_options;

/// Makes an SDK object from the environment Muster launched this process with: MUSTER_TOKEN, and
/// MUSTER_SDK_LOCAL or, where that cannot be reached, MUSTER_SDK. Connects to nothing yet. `*out`
/// is set on MUSTER_GS_OK and NULL otherwise. Returns MUSTER_GS_OK; MUSTER_GS_ERR_NOT_LAUNCHED;
/// MUSTER_GS_ERR_ARGUMENT if MUSTER_SDK is no address; or MUSTER_GS_ERR_MEMORY.
MUSTER_GS_API muster_gs_status muster_gs_create(muster_gs **out);

/// The same, from options. They are copied.
MUSTER_GS_API muster_gs_status muster_gs_create_with(const muster_gs_options *options,
                                                     muster_gs **out);

/// Closes the connection and frees everything the object owns. NULL is allowed. The node takes the
/// game server's exit, not this, as its end.
MUSTER_GS_API void muster_gs_destroy(muster_gs *gs);

/* ---- Being there ---- */

/// Connects to the node and identifies this game server. Need not be called: muster_gs_ready, poll
/// and the other waiting calls connect as well. Attempts are repeated until the time is over.
/// Returns MUSTER_GS_OK, also when connected already; MUSTER_GS_ERR_TIMEOUT, and calling again is
/// safe; or MUSTER_GS_ERR_REFUSED.
MUSTER_GS_API muster_gs_status muster_gs_connect(muster_gs *gs, int timeout_ms);

/// Tells the lobby that this game server accepts players. Call it after its port is bound and
/// listening, and again after a MATCH_ENDED event; not needed after muster_gs_match_over. Waits for
/// the answer; with a timeout of 0 it only sees to it that it is said as soon as possible, and
/// calling it again, or muster_gs_is_ready, tells whether it was.
/// Returns MUSTER_GS_OK, also when ready already; MUSTER_GS_ERR_TIMEOUT, and calling again is safe;
/// MUSTER_GS_ERR_STATE while a match runs, or while the event that it ended is waiting in
/// muster_gs_poll; MUSTER_GS_ERR_NODE; or MUSTER_GS_ERR_REFUSED.
MUSTER_GS_API muster_gs_status muster_gs_ready(muster_gs *gs, int timeout_ms);

/// 1 while connected to the node and identified, else 0. For logs: a lost connection is made again
/// without the caller's help.
MUSTER_GS_API int muster_gs_is_connected(const muster_gs *gs);

/// 1 if the node has taken the game server for ready, else 0.
MUSTER_GS_API int muster_gs_is_ready(const muster_gs *gs);

/// Tells the node that the game server is alive, now. Need not be called: muster_gs_poll does so at
/// half the interval the node asks for. So a game server whose main loop hangs goes silent, which
/// is what the lobby wants to know.
/// Returns MUSTER_GS_OK; MUSTER_GS_ERR_TIMEOUT if there is no connection at the moment.
MUSTER_GS_API muster_gs_status muster_gs_health(muster_gs *gs);

/// Tells the lobby that this game server is about to exit and must not be given another match.
/// Waits for the answer. Exiting is then the caller's; the lobby stops the process if it stays.
/// Returns MUSTER_GS_OK; MUSTER_GS_ERR_TIMEOUT, and calling again is safe; MUSTER_GS_ERR_NODE; or
/// MUSTER_GS_ERR_REFUSED.
MUSTER_GS_API muster_gs_status muster_gs_shutdown(muster_gs *gs, int timeout_ms);

/* ---- The match ---- */

typedef enum muster_gs_attribute_type {
  MUSTER_GS_ATTRIBUTE_NUMBER = 1,
  MUSTER_GS_ATTRIBUTE_TEXT = 2,
  MUSTER_GS_ATTRIBUTE_TEXTS = 3
} muster_gs_attribute_type;

/// A fact about a player, from their StartMatch.
typedef struct muster_gs_attribute {
  const char *name;
  muster_gs_attribute_type type;
  double number;            /* NUMBER */
  const char *text;         /* TEXT; else NULL */
  const char *const *texts; /* TEXTS */
  size_t texts_count;
} muster_gs_attribute;

typedef struct muster_gs_player {
  const char *player_id;
  const char *name;
  uint32_t team;  /* From 0. */
  uint32_t seats; /* How many places of the match they take; at least 1. */
  const muster_gs_attribute *attributes;
  size_t attributes_count;
} muster_gs_player;

/* Seats of a team that no player has, for the game's own. */
typedef struct muster_gs_bots {
  uint32_t team;
  uint32_t count;
} muster_gs_bots;

typedef struct muster_gs_match {
  const char *match_id;
  const char *queue;
  const char *map; /* Empty if the queue has none. */
  const muster_gs_player *players;
  size_t players_count;
  uint64_t started_ms;        /* Since the Unix epoch; as mst in the match's join tokens. */
  const muster_gs_bots *bots; /* Of teams that have any, in their order; mostly none. */
  size_t bots_count;
} muster_gs_match;

/// The match that is being played: from the MATCH_STARTED event until the MATCH_ENDED event or
/// muster_gs_match_over. NULL if there is none. What it points to is owned by `gs` and stays good
/// until the next MATCH_STARTED event is returned, also after the match, or `gs` is destroyed.
MUSTER_GS_API const muster_gs_match *muster_gs_current_match(const muster_gs *gs);

/// The player of that id in the current match, as the match lists them; NULL if there is none.
MUSTER_GS_API const muster_gs_player *muster_gs_find_player(const muster_gs *gs,
                                                            const char *player_id);

typedef enum muster_gs_event_type {
  /// Nothing happened in the time.
  MUSTER_GS_EVENT_NONE = 0,
  /// Players are on their way: muster_gs_current_match() says who. Also after a reconnection, for a
  /// match that this object did not know of.
  MUSTER_GS_EVENT_MATCH_STARTED = 1,
  /// `player_id` left the match from the lobby's side: do not wait for them.
  MUSTER_GS_EVENT_PLAYER_REMOVED = 2,
  /// The lobby ended the match; `reason` is "timed_out", "cancelled", or "lost" if the node no
  /// longer knew of it after a reconnection. Wind up, then call muster_gs_ready for another.
  MUSTER_GS_EVENT_MATCH_ENDED = 3
} muster_gs_event_type;

/// Its text is owned by `gs` and good until the next muster_gs_poll or muster_gs_wait_match.
typedef struct muster_gs_event {
  muster_gs_event_type type;
  const char *match_id;  /* "" for NONE */
  const char *player_id; /* PLAYER_REMOVED; else "" */
  const char *reason;    /* MATCH_ENDED; else "" */
} muster_gs_event;

/// Waits for the next event, at most so long, and does what is due: health, reconnecting. Call it
/// often, for example once per frame with a timeout of 0, also while no event is expected.
/// Returns MUSTER_GS_OK with `*event`, whose type is NONE if nothing happened; or
/// MUSTER_GS_ERR_REFUSED. A lost connection is no error here.
MUSTER_GS_API muster_gs_status muster_gs_poll(muster_gs *gs, int timeout_ms,
                                              muster_gs_event *event);

/// Waits for a match, for servers that do nothing meanwhile. Returns at once if one is running.
/// Events other than MATCH_STARTED are passed over; if the lobby ended the last match, this says
/// ready again for a server that had said so before.
/// Returns MUSTER_GS_OK with `*match` as muster_gs_current_match() has it; MUSTER_GS_ERR_TIMEOUT;
/// or MUSTER_GS_ERR_REFUSED.
MUSTER_GS_API muster_gs_status muster_gs_wait_match(muster_gs *gs, int timeout_ms,
                                                    const muster_gs_match **match);

/// Whom a join token stands for. Its text is owned by `gs` and good until the next
/// muster_gs_verify_join.
typedef struct muster_gs_join {
  const char *player_id;
  const char *name;
  const char *match_id;
  uint32_t team;
  uint32_t seats;
} muster_gs_join;

/// Checks the join token a connecting player shows: signed by this lobby, not expired, for this
/// server and its running match. One round trip to the node on the same machine, about 0.1 ms, so a
/// game loop may simply wait for it; give it a timeout of some 1000 ms for bad days. A player
/// proves nothing else: the same token may come again, as when a client reconnects. A MATCH_STARTED
/// event may still be waiting in muster_gs_poll when a token for that match is good; compare
/// `match_id`. Returns MUSTER_GS_OK with `*join`; MUSTER_GS_ERR_JOIN_INVALID or
/// MUSTER_GS_ERR_JOIN_EXPIRED: turn the player away; MUSTER_GS_ERR_NO_MATCH; MUSTER_GS_ERR_ARGUMENT
/// for a token that is empty, too long or not UTF-8; MUSTER_GS_ERR_TIMEOUT if the node did not
/// answer in time; MUSTER_GS_ERR_POLL_FIRST; MUSTER_GS_ERR_NODE; or MUSTER_GS_ERR_REFUSED.
MUSTER_GS_API muster_gs_status muster_gs_verify_join(muster_gs *gs, const char *join_token,
                                                     muster_gs_join *join, int timeout_ms);

/// Tells the lobby that a player of the current match is here, or has left. Does not wait. Said
/// again after a reconnection, so nothing is lost; a player may leave and join again.
/// Returns MUSTER_GS_OK; MUSTER_GS_ERR_NO_MATCH; or MUSTER_GS_ERR_ARGUMENT if the match has no such
/// player.
MUSTER_GS_API muster_gs_status muster_gs_player_joined(muster_gs *gs, const char *player_id);
MUSTER_GS_API muster_gs_status muster_gs_player_left(muster_gs *gs, const char *player_id);

/// Ends the current match with a result: the game's own text, such as JSON, at most
/// MUSTER_GS_RESULT_BYTES_MAX bytes; NULL is empty. It is passed to the players as it is. Waits for
/// the answer, across a reconnection if need be. Afterwards the game server is ready for the next
/// match, or is told to stop, as the fleet's after_match says.
/// Returns MUSTER_GS_OK; MUSTER_GS_ERR_NO_MATCH; MUSTER_GS_ERR_ARGUMENT if the result is too long
/// or not UTF-8; MUSTER_GS_ERR_TIMEOUT, and calling again is safe; MUSTER_GS_ERR_POLL_FIRST;
/// MUSTER_GS_ERR_NODE; or MUSTER_GS_ERR_REFUSED.
MUSTER_GS_API muster_gs_status muster_gs_match_over(muster_gs *gs, const char *result,
                                                    int timeout_ms);

/// How one player, or one team, came out of the match. All that is zero says: everybody was there.
typedef struct muster_gs_standing {
  const char *player_id; /* NULL or empty: all of `team` that have no standing of their own. */
  uint32_t team;
  uint32_t rank; /* 1 to MUSTER_GS_RANK_MAX; 1 is first, equal ones are a draw. */
  int has_score; /* Whether `score` says something: the game's own, kept with the result. */
  int64_t score;
  double missed; /* 0 to 1: the part of the match they were not there for. */
} muster_gs_standing;

/// Ends the current match as muster_gs_match_over does, and says how everybody came out of it: in a
/// queue that is rated, ratings change by that. Every player whom the match began with needs a
/// standing, of their own or of their team, also those who have left; players of one team have one
/// rank. In a match of one team everybody plays for themselves, and has a standing of their own.
/// Returns what muster_gs_match_over does; and MUSTER_GS_ERR_ARGUMENT, and the match goes on, if a
/// standing is of nobody of the match or a number is out of its range.
MUSTER_GS_API muster_gs_status muster_gs_match_over_ranked(muster_gs *gs, const char *result,
                                                           const muster_gs_standing *standings,
                                                           size_t count, int timeout_ms);

/* ---- In a poll loop of one's own ---- */

/// The socket to the node, a descriptor (POSIX) or SOCKET (Windows), to wait for reading on beside
/// the game's own; -1 while there is none. It changes with a reconnection, so ask each time around,
/// and do nothing else with it. When it can be read, call muster_gs_poll with a timeout of 0 until
/// it brings NONE.
MUSTER_GS_API intptr_t muster_gs_socket(const muster_gs *gs);

/// How many milliseconds such a loop may sleep before muster_gs_poll must be called though nothing
/// could be read: an event is waiting, health is due, or an attempt to connect. Negative: any time.
MUSTER_GS_API int muster_gs_poll_within_ms(const muster_gs *gs);

/// What the last call that did not return MUSTER_GS_OK has to say, for a log: the node's own words,
/// or why there is no connection. Never NULL; owned by `gs`, good until the next call.
MUSTER_GS_API const char *muster_gs_error_text(const muster_gs *gs);

#ifdef __cplusplus
}
#endif

#endif
