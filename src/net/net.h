#pragma once
// The player-facing side: one port, four dialects (native, WebSocket, classic, plain HTTP). Turns
// what clients say into the core's events, and the core's effects into what clients hear.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/effect.h"
#include "core/event.h"
#include "net/options.h"

namespace boost::asio {
class io_context;  // NOLINT(readability-identifier-naming): Boost's.
}

namespace muster::net {

/// Both ends of a session's connection, as the client's own kernel names them: "127.0.0.1", 40112.
struct SessionEnds {
  std::string peer_address;
  std::uint16_t peer_port = 0;
  std::string local_address;
  std::uint16_t local_port = 0;
};

/// Counters since the start, and sessions as they are.
struct NetStats {
  // Connections now, by what their first bytes said; `closing` of any dialect wait for the other
  // side's end.
  std::uint32_t sessions_unknown = 0;
  std::uint32_t sessions_http = 0;
  std::uint32_t sessions_native = 0;
  std::uint32_t sessions_websocket = 0;
  std::uint32_t sessions_classic = 0;
  std::uint32_t sessions_closing = 0;

  std::uint64_t accepted = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0;

  std::uint64_t refused_full = 0;           // sessions_max.
  std::uint64_t refused_no_descriptor = 0;  // The process had no file descriptor left.
  std::uint64_t refused_dialect = 0;        // TLS, or classic where it is not allowed.
  std::uint64_t refused_malformed = 0;      // Not the dialect it began as; closed.
  std::uint64_t refused_messages = 0;       // Well framed but not understood; answered.
  std::uint64_t refused_rate = 0;           // Messages over the rate.
  std::uint64_t dropped_slow = 0;           // hello_, frame_ and write_timeout, outbound_bytes_max.
  std::uint64_t dropped_silent = 0;         // silence_timeout.
};

/// Not thread-safe: everything happens on the thread that runs the io_context. May be destroyed at
/// any time but from inside a call of `post`.
class Net {
 public:
  /// `post` gets the events, in order, on the io_context's thread. SessionOpened comes once the
  /// dialect is known to be a player's or a game server's, and SessionClosed exactly once after it.
  /// post is called from net's own handlers only, never from inside apply() or flush(); it may call
  /// those itself.
  Net(boost::asio::io_context& io, NetOptions options, std::function<void(core::Event&&)> post);
  ~Net();
  Net(const Net&) = delete;
  Net& operator=(const Net&) = delete;

  /// Listens. An error is a sentence for people: which address, what is wrong, what to do.
  /// `inherited`: see Listener::start().
  std::expected<void, std::string> start(int inherited = -1);
  int listening_socket();
  /// Stops listening. Sessions stay.
  void stop();
  /// Ends every session, with `why` as its last word where the dialect has one, and sends that.
  void close_all(core::Error why);
  /// The port listened on, once started.
  std::uint16_t port() const;

  /// Takes an effect meant for a session (Send…, CloseSession): true. Others are not net's: false.
  /// One for a session that is gone is dropped. Nothing is sent before flush().
  bool apply(const core::Effect& effect);
  /// The end of a turn: sends what apply() gathered, one write per session.
  void flush();

  /// Nothing if the session is gone.
  std::optional<SessionEnds> ends_of(core::SessionId session) const;
  NetStats stats() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace muster::net
