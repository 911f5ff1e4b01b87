#pragma once
// One client's connection: its first bytes decide the dialect, and the dialect what bytes mean.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/effect.h"
#include "core/event.h"
#include "net/connection.h"
#include "net/net.h"
#include "net/options.h"
#include "proto/player.pb.h"
#include "wire/classic_packet.h"
#include "wire/frame.h"
#include "wire/http_reader.h"
#include "wire/player_message.h"
#include "wire/websocket.h"

namespace muster::net {

enum class Dialect : std::uint8_t { unknown, http, native, ws_binary, ws_json, classic };

/// What all sessions of a Net share. Session calls the virtual functions; none of them calls back.
class SessionHost {
 public:
  explicit SessionHost(NetOptions o, std::function<void(core::Event&&)> p)
      : options(std::move(o)), post(std::move(p)) {}
  virtual ~SessionHost() = default;

  /// Call Session::readable / writable once when there is reason to.
  virtual void wait_read(core::SessionId id, Socket& socket) = 0;
  virtual void wait_write(core::SessionId id, Socket& socket) = 0;
  /// Call Session::flush before this turn ends.
  virtual void note_outbound(core::SessionId id) = 0;
  /// The session is closing or gone: see Session::stage when this turn ends.
  virtual void note_leaving(core::SessionId id) = 0;
  /// Ask options.accounts, and call Session::account_checked with what it says.
  virtual void check_account(core::SessionId id, AccountRequest request) = 0;
  /// For the operator; the same cause is reported once in a while, not each time.
  virtual void log_rarely(std::string_view line) = 0;

  const NetOptions options;
  const std::function<void(core::Event&&)> post;
  Time now{};  // Of this turn.
  NetStats stats;
  Buffers buffers;
  // Reused for every message, since making them costs more than filling them.
  wire::player::ClientMessage incoming;
  wire::player::LobbyMessage outgoing;
  std::string scratch;
};

/// Sends of up to N messages at once and a sustained rate, in the memory of one time (the "generic
/// cell rate algorithm").
class RateLimit {
 public:
  bool allow(Time now, std::uint32_t per_second, std::uint32_t burst) {
    const Duration each = Duration{std::chrono::seconds{1}} / per_second;
    if (paid_until_ < now) paid_until_ = now;
    if (paid_until_ - now > each * (burst - 1)) return false;
    paid_until_ += each;
    return true;
  }

 private:
  Time paid_until_{};
};

/// What has come while the dialect is not known.
struct FirstBytes {
  std::array<std::uint8_t, 4> bytes{};
  std::uint8_t count = 0;
};

/// An idle session holds no memory but this. Not thread-safe. Never destroys itself: its host does,
/// after the turn in which it became `gone`.
class Session {
 public:
  enum class Stage : std::uint8_t {
    open,
    closing,    ///< Sends what is pending; what comes is thrown away.
    lingering,  ///< Has ended its side and waits for the other's, so that the last bytes arrive.
    gone,
  };

  /// `refused`: there are too many sessions, and this one will be told so and closed.
  Session(Socket socket, SessionHost& host, bool refused);

  void start(core::SessionId id);
  void readable();
  void writable();
  /// Sends what is pending, as far as the kernel takes it.
  void flush();
  /// An effect for this session.
  void deliver(const core::Effect& effect);
  void account_checked(const AccountRequest& request, const AccountReply& reply);
  /// Deadlines. True if it used one of `pings_left`.
  bool sweep(std::uint32_t pings_left);

  Stage stage() const { return stage_; }
  Dialect dialect() const { return dialect_; }
  /// True once, if the core was told that the session opened and not yet that it closed.
  bool take_closed();
  const Socket& socket() const { return connection_.socket(); }

 private:
  // session.cc: the connection's life.
  void close(core::Error error, std::string_view detail = {});
  void close_websocket(std::uint16_t code, std::string_view reason);
  void begin_closing();
  void drop();
  void become(Stage stage);
  void open();
  bool room();
  void note_outbound();
  void send(const wire::player::LobbyMessage& message);
  void send_error(std::uint32_t request, core::Error error, std::string_view detail = {});
  void drop_slow();
  void arm_read();

  // session_dialects.cc: what bytes mean.
  void take(std::span<std::uint8_t> bytes);
  void begin(std::span<std::uint8_t>& bytes);
  void take_http(std::span<std::uint8_t>& bytes);
  void take_native(std::span<std::uint8_t>& bytes);
  void take_websocket(std::span<std::uint8_t>& bytes);
  void take_classic(std::span<std::uint8_t>& bytes);
  void handle(wire::Encoding encoding, wire::Bytes payload);
  void handle(const wire::classic::ToLobby& packet);
  void sign_in(AccountRequest request);
  void log_in(std::uint32_t request, wire::player::Account& account);
  void answer_sign_in(const AccountRequest& request, const AccountReply& reply);
  void answer_classic(const AccountRequest& request, const AccountReply& reply);
  bool allow_message();
  bool unfinished() const;
  bool is_websocket() const {
    return dialect_ == Dialect::ws_binary || dialect_ == Dialect::ws_json;
  }

  using HttpReaderPtr = std::unique_ptr<wire::HttpReader>;

  SessionHost& host_;
  core::SessionId id_;
  Connection connection_;
  std::variant<FirstBytes, HttpReaderPtr, wire::FrameReader, wire::WsReader,
               wire::classic::LobbyReader>
      reader_;
  Time since_;               // When it connected, or came to its stage.
  Time heard_;               // When bytes last came.
  Time unfinished_since_{};  // When the unfinished message began.
  Time blocked_since_{};     // When the kernel stopped taking bytes, if it is blocked_.
  RateLimit rate_, flood_;
  Dialect dialect_ = Dialect::unknown;
  Stage stage_ = Stage::open;
  bool refused_;
  bool opened_ = false;       // The core knows of it.
  bool closed_told_ = false;  // … and that it closed.
  bool identified_ = false;   // Welcome, or a game server's login: no longer on probation.
  bool account_pending_ = false;
  std::uint8_t logins_refused_ = 0;
  bool server_login_ = false;  // Classic: said that it is a game server.
  bool message_done_ = false;  // In these bytes a message became whole.
  bool pinged_ = false;        // Since bytes last came.
  bool blocked_ = false;
  bool outbound_noted_ = false;
  bool write_waited_ = false;
  bool read_waited_ = false;
};

}  // namespace muster::net
