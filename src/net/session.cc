#include "net/session.h"

#include <utility>

#include "net/convert.h"

namespace muster::net {

Session::Session(Socket socket, SessionHost& host, bool refused)
    : host_(host),
      connection_(std::move(socket)),
      since_(host.now),
      heard_(host.now),
      refused_(refused) {}

void Session::start(core::SessionId id) {
  id_ = id;
  set_options(connection_.socket(), false);
  arm_read();
}

void Session::arm_read() {
  if (read_waited_) return;
  read_waited_ = true;
  host_.wait_read(id_, connection_.socket());
}

void Session::readable() {
  read_waited_ = false;
  if (stage_ == Stage::gone) return;
  const auto [status, bytes] = connection_.receive(host_.buffers);
  if (status == Connection::Status::closed) return drop();
  host_.stats.bytes_in += bytes.size();
  if (stage_ == Stage::open && !bytes.empty()) {
    heard_ = host_.now;
    pinged_ = false;
    message_done_ = false;
    const bool was_unfinished = unfinished();
    take(bytes);
    if (stage_ == Stage::open && unfinished() && (!was_unfinished || message_done_))
      unfinished_since_ = host_.now;
  }
  if (stage_ != Stage::gone) arm_read();
}

void Session::writable() {
  write_waited_ = false;
  flush();
}

void Session::flush() {
  outbound_noted_ = false;
  if (stage_ == Stage::gone || stage_ == Stage::lingering) return;
  switch (connection_.send(host_.buffers, host_.stats.bytes_out)) {
    case Connection::Status::closed:
      return drop();
    case Connection::Status::blocked:
      if (!std::exchange(blocked_, true)) blocked_since_ = host_.now;
      if (!std::exchange(write_waited_, true)) host_.wait_write(id_, connection_.socket());
      return;
    case Connection::Status::ok:
      blocked_ = false;
      if (stage_ != Stage::closing) return;
      // Closing a socket with bytes still to be read resets the connection, and the reset may
      // overtake our last words. So: end our side, read on until the other ends its own.
      connection_.end_sending();
      become(Stage::lingering);
  }
}

void Session::become(Stage stage) {
  stage_ = stage;
  since_ = host_.now;
  host_.note_leaving(id_);
}

void Session::close(core::Error error, std::string_view detail) {
  if (stage_ != Stage::open) return;
  if (error != core::Error::none) send_error(0, error, detail);
  if (is_websocket())
    return close_websocket(error == core::Error::none             ? wire::ws_normal
                           : error == core::Error::lobby_stopping ? wire::ws_going_away
                                                                  : wire::ws_policy,
                           error == core::Error::none ? "" : core::code(error));
  begin_closing();
}

void Session::close_websocket(std::uint16_t code, std::string_view reason) {
  if (stage_ != Stage::open) return;
  wire::append_ws_close(connection_.outbound(host_.buffers), code, reason);
  begin_closing();
}

void Session::begin_closing() {
  if (stage_ != Stage::open) return;
  reader_ = FirstBytes{};  // Frees what it held.
  become(Stage::closing);
  note_outbound();
}

void Session::drop() {
  if (stage_ == Stage::gone) return;
  become(Stage::gone);
}

void Session::drop_slow() {
  ++host_.stats.dropped_slow;
  drop();
}

bool Session::take_closed() {
  if (stage_ == Stage::open || !opened_ || closed_told_) return false;
  closed_told_ = true;
  return true;
}

void Session::open() {
  if (std::exchange(opened_, true)) return;
  host_.post(core::SessionOpened{id_, dialect_ != Dialect::classic});
}

// Is there room for one more message? What waits is bounded before it is added to, so that one
// large message (a roster of many players) is never by itself a reason to drop anybody.
bool Session::room() {
  if (stage_ != Stage::open) return false;
  if (connection_.outbound_bytes() <= host_.options.outbound_bytes_max) return true;
  flush();
  if (stage_ != Stage::open) return false;
  if (connection_.outbound_bytes() <= host_.options.outbound_bytes_max) return true;
  drop_slow();
  return false;
}

void Session::note_outbound() {
  if (!std::exchange(outbound_noted_, true)) host_.note_outbound(id_);
}

void Session::send(const wire::player::LobbyMessage& message) {
  if (!room()) return;
  std::string& out = connection_.outbound(host_.buffers);
  switch (dialect_) {
    case Dialect::native:
      wire::append_frame(out, message);
      break;
    case Dialect::ws_binary:
      wire::append_ws_header(out, wire::WsOpcode::binary, message.ByteSizeLong());
      wire::append(wire::Encoding::binary, out, message);
      break;
    case Dialect::ws_json:
      host_.scratch.clear();
      wire::append(wire::Encoding::json, host_.scratch, message);
      wire::append_ws_frame(out, wire::WsOpcode::text, host_.scratch);
      break;
    case Dialect::unknown:
    case Dialect::http:
    case Dialect::classic:
      return;
  }
  ++host_.stats.messages_out;
  note_outbound();
}

void Session::send_error(std::uint32_t request, core::Error error, std::string_view detail) {
  to_error(request, error, detail, host_.outgoing);
  send(host_.outgoing);
}

void Session::deliver(const core::Effect& effect) {
  if (stage_ != Stage::open) return;
  if (const auto* e = std::get_if<core::CloseSession>(&effect)) return close(e->error);
  if (std::holds_alternative<core::SendWelcome>(effect) ||
      std::holds_alternative<core::SendServerLoginOk>(effect))
    identified_ = true;
  if (dialect_ != Dialect::classic) {
    if (to_message(effect, host_.options.sign_join_token, host_.outgoing)) send(host_.outgoing);
    return;
  }
  // Nothing in the classic packets refuses a game server: the connection's end does.
  if (server_login_ && std::holds_alternative<core::SendError>(effect)) return close({});
  if (!room()) return;
  if (!append_classic(effect, connection_.outbound(host_.buffers))) return;
  ++host_.stats.messages_out;
  note_outbound();
}

bool Session::sweep(std::uint32_t pings_left) {
  const NetOptions& o = host_.options;
  const Time now = host_.now;
  switch (stage_) {
    case Stage::gone:
      return false;
    case Stage::lingering:
      if (now - since_ > o.linger_timeout) drop();
      return false;
    case Stage::closing:
      if (now - since_ > o.write_timeout) drop_slow();
      return false;
    case Stage::open:
      break;
  }
  if (blocked_ && now - blocked_since_ > o.write_timeout) {
    drop_slow();
    return false;
  }
  if (unfinished() && now - unfinished_since_ > o.frame_timeout) {
    ++host_.stats.dropped_slow;
    close(core::Error::message_invalid, "its end did not come in time");
    return false;
  }
  if (!identified_ && !account_pending_ && now - since_ > o.hello_timeout) {
    ++host_.stats.dropped_slow;
    close(core::Error::not_identified);
    return false;
  }
  if (dialect_ == Dialect::classic) return false;  // Has no ping; TCP's keepalive watches it.
  const Duration silence = now - heard_;
  if (o.silence_timeout > Duration::zero() && silence > o.silence_timeout) {
    ++host_.stats.dropped_silent;
    close({});
    return false;
  }
  if (o.ping_interval == Duration::zero() || silence <= o.ping_interval || pinged_ ||
      pings_left == 0 || !identified_ || !room())
    return false;
  pinged_ = true;
  if (is_websocket()) {
    wire::append_ws_frame(connection_.outbound(host_.buffers), wire::WsOpcode::ping, "");
    note_outbound();
  } else {
    host_.outgoing.Clear();
    host_.outgoing.mutable_ping();
    send(host_.outgoing);
  }
  return true;
}

}  // namespace muster::net
