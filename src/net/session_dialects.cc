// What a session's bytes mean, dialect by dialect.
#include <algorithm>
#include <string>
#include <utility>

#include "net/convert.h"
#include "net/player_http.h"
#include "net/session.h"

namespace muster::net {
namespace {

constexpr std::uint32_t http_head_bytes_max = 16u << 10;
constexpr std::uint32_t http_body_bytes_max = 4096;  // Nothing here takes one.
constexpr std::uint8_t logins_refused_max = 5;       // Then the connection is closed.

enum class First : std::uint8_t { more, http, tls, native, other };

// What the first bytes say. Every classic packet begins with a size of 2, 4 or 44, which none of
// the others does.
First first_of(wire::Bytes bytes) {
  struct Row {
    std::string_view prefix;
    First first;
  };
  static constexpr Row rows[] = {{"MUST", First::native},
                                 {"GET ", First::http},
                                 {"POST", First::http},
                                 {"HEAD", First::http},
                                 {"\x16\x03", First::tls}};
  for (const Row& row : rows) {
    const std::size_t n = std::min(bytes.size(), row.prefix.size());
    if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n),
                    row.prefix.begin(),
                    [](std::uint8_t a, char b) { return a == std::uint8_t(b); }))
      continue;
    return n == row.prefix.size() ? row.first : First::more;
  }
  return First::other;
}

bool is_loopback(const Socket& socket) {
  boost::system::error_code ec;
  const auto address = socket.remote_endpoint(ec).address();
  if (ec) return false;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, address.to_v6())
        .is_loopback();
  return address.is_loopback();
}

bool is_from(AllowedFrom allowed, const Socket& socket) {
  return allowed == AllowedFrom::any || (allowed == AllowedFrom::loopback && is_loopback(socket));
}

}  // namespace

void Session::take(std::span<std::uint8_t> bytes) {
  while (!bytes.empty() && stage_ == Stage::open) {
    switch (dialect_) {
      case Dialect::unknown:
        begin(bytes);
        break;
      case Dialect::http:
        take_http(bytes);
        break;
      case Dialect::native:
        take_native(bytes);
        break;
      case Dialect::ws_binary:
      case Dialect::ws_json:
        take_websocket(bytes);
        break;
      case Dialect::classic:
        take_classic(bytes);
        break;
    }
  }
}

bool Session::unfinished() const {
  switch (dialect_) {
    case Dialect::unknown:
    case Dialect::http:
      return false;  // hello_timeout covers these.
    case Dialect::native:
      return std::get<wire::FrameReader>(reader_).unfinished();
    case Dialect::ws_binary:
    case Dialect::ws_json:
      return std::get<wire::WsReader>(reader_).unfinished();
    case Dialect::classic:
      return std::get<wire::classic::LobbyReader>(reader_).unfinished();
  }
  return false;
}

void Session::begin(std::span<std::uint8_t>& bytes) {
  auto& held = std::get<FirstBytes>(reader_);
  const std::size_t before = held.count;
  std::array<std::uint8_t, 4> all = held.bytes;
  const std::size_t count = std::min(all.size(), before + bytes.size());
  std::copy_n(bytes.begin(), count - before, all.begin() + static_cast<std::ptrdiff_t>(before));
  bytes = bytes.subspan(count - before);

  switch (first_of(wire::Bytes(all).first(count))) {
    case First::more:
      held.bytes = all;
      held.count = static_cast<std::uint8_t>(count);
      return;
    case First::http:
      dialect_ = Dialect::http;
      reader_ = std::make_unique<wire::HttpReader>(http_head_bytes_max, http_body_bytes_max);
      return take(std::span(all).first(count));
    case First::tls:
      // TLS has its place here and is not built in yet.
      ++host_.stats.refused_dialect;
      host_.log_rarely(
          "a client began with TLS, which is not built in: put a proxy that ends TLS "
          "before this port. The connection was closed.");
      return close({});
    case First::native:
      dialect_ = Dialect::native;
      reader_ = wire::FrameReader(host_.options.message_bytes_max);
      if (refused_) return close(core::Error::lobby_full);
      return open();
    case First::other:
      break;
  }
  const bool allowed = is_from(host_.options.classic, connection_.socket());
  if (!allowed || refused_) {
    if (!allowed) ++host_.stats.refused_dialect;
    return close({});
  }
  dialect_ = Dialect::classic;
  reader_ = wire::classic::LobbyReader{};
  set_options(connection_.socket(), true);
  take(std::span(all).first(count));
}

void Session::take_http(std::span<std::uint8_t>& bytes) {
  wire::HttpReader& reader = *std::get<HttpReaderPtr>(reader_);
  wire::Bytes rest = bytes;
  HttpRequest request;
  const auto read = reader.next(rest, request);
  bytes = bytes.last(rest.size());
  if (read == wire::HttpReader::Read::more) return;

  std::string& out = connection_.outbound(host_.buffers);
  if (read == wire::HttpReader::Read::failed) {
    ++host_.stats.refused_malformed;
    wire::append_response(out,
                          {.status = reader.status(),
                           .content_type = "text/plain; charset=utf-8",
                           .body = std::string(wire::status_text(reader.status())) + "\n"},
                          false, false);
    return close({});
  }
  const auto answer = answer_player_http(request);
  if (const auto* response = std::get_if<HttpResponse>(&answer)) {
    wire::append_response(out, *response, false, request.method == "HEAD");
    return close({});
  }
  const auto& upgrade = std::get<WebSocketUpgrade>(answer);
  out += upgrade.head;
  note_outbound();
  dialect_ = upgrade.encoding == wire::Encoding::binary ? Dialect::ws_binary : Dialect::ws_json;
  reader_.emplace<wire::WsReader>(wire::WsReader::Role::server, host_.options.message_bytes_max);
  if (refused_) return close(core::Error::lobby_full);
  open();
}

void Session::take_native(std::span<std::uint8_t>& bytes) {
  // on_frame may close this session, but what it runs in stays: closing frees the reader's memory
  // only after feed() has returned.
  auto reader = std::move(std::get<wire::FrameReader>(reader_));
  const bool good = reader.feed(std::exchange(bytes, {}), [&](wire::Bytes payload) {
    message_done_ = true;
    handle(wire::Encoding::binary, payload);
    return stage_ == Stage::open;
  });
  if (stage_ != Stage::open) return;
  reader_ = std::move(reader);
  if (good) return;
  ++host_.stats.refused_malformed;
  close(core::Error::message_invalid, "it is longer than a message may be");
}

void Session::take_websocket(std::span<std::uint8_t>& bytes) {
  wire::WsMessage message;
  auto& reader = std::get<wire::WsReader>(reader_);
  switch (reader.next(bytes, message)) {
    case wire::WsRead::more:
      return;
    case wire::WsRead::failed: {
      ++host_.stats.refused_malformed;
      const std::uint16_t code = reader.error();
      if (code == wire::ws_too_big)
        send_error(0, core::Error::message_invalid, "it is longer than a message may be");
      return close_websocket(code, "");
    }
    case wire::WsRead::message:
      break;
  }
  switch (message.opcode) {
    case wire::WsOpcode::text:
    case wire::WsOpcode::binary: {
      message_done_ = true;
      const bool is_text = message.opcode == wire::WsOpcode::text;
      if (is_text != (dialect_ == Dialect::ws_json)) {
        ++host_.stats.refused_malformed;
        return close_websocket(wire::ws_unsupported,
                               is_text ? "muster.v1.proto is binary" : "muster.v1.json is text");
      }
      return handle(is_text ? wire::Encoding::json : wire::Encoding::binary, message.payload);
    }
    case wire::WsOpcode::ping:
      if (!reader.fragmented()) message_done_ = true;
      if (!allow_message() || !room()) return;
      wire::append_ws_frame(
          connection_.outbound(host_.buffers), wire::WsOpcode::pong,
          {reinterpret_cast<const char*>(message.payload.data()), message.payload.size()});
      return note_outbound();
    case wire::WsOpcode::close:
      return close_websocket(message.close_code, "");
    case wire::WsOpcode::pong:
    case wire::WsOpcode::continuation:
      if (!reader.fragmented()) message_done_ = true;
      return;
  }
}

void Session::take_classic(std::span<std::uint8_t>& bytes) {
  wire::Bytes rest = bytes;
  wire::classic::ToLobby packet;
  const auto read = std::get<wire::classic::LobbyReader>(reader_).next(rest, packet);
  bytes = bytes.last(rest.size());
  switch (read) {
    case wire::classic::Read::more:
      return;
    case wire::classic::Read::malformed:
      ++host_.stats.refused_malformed;
      return close({});
    case wire::classic::Read::packet:
      message_done_ = true;
      return handle(packet);
  }
}

bool Session::allow_message() {
  ++host_.stats.messages_in;
  const NetOptions& o = host_.options;
  if (!flood_.allow(host_.now, o.messages_per_second * 10, o.messages_burst * 10)) {
    ++host_.stats.refused_rate;
    close(core::Error::rate_limited);
    return false;
  }
  if (rate_.allow(host_.now, o.messages_per_second, o.messages_burst)) return true;
  ++host_.stats.refused_rate;
  send_error(0, core::Error::rate_limited);
  return false;
}

void Session::handle(wire::Encoding encoding, wire::Bytes payload) {
  if (!allow_message()) return;
  auto& message = host_.incoming;
  const auto decoded = wire::decode(encoding, payload, message);
  if (!decoded) {
    ++host_.stats.refused_messages;
    send_error(0, core::Error::message_invalid, decoded.error());
  } else if (message.body_case() == wire::player::ClientMessage::kPing) {
    host_.outgoing.Clear();
    host_.outgoing.set_request(message.request());
    host_.outgoing.mutable_pong()->set_number(message.ping().number());
    send(host_.outgoing);
  } else if (message.has_hello() && message.hello().has_account()) {
    log_in(message.request(), *message.mutable_hello()->mutable_account());
  } else if (message.body_case() != wire::player::ClientMessage::kPong) {
    auto event = to_event(id_, message);
    if (event) {
      host_.post(*std::move(event));
    } else {
      ++host_.stats.refused_messages;
      send_error(message.request(), event.error().error, event.error().detail);
    }
  }
  // One message of many small parts would otherwise leave its memory behind for good.
  if (payload.size() > 4096) message = {};
}

void Session::handle(const wire::classic::ToLobby& packet) {
  namespace classic = wire::classic;
  if (!allow_message()) return;
  open();
  if (stage_ != Stage::open) return;
  if (const auto* p = std::get_if<classic::ServerLogin>(&packet)) {
    server_login_ = true;
    host_.post(core::ClassicServerLogin{id_, p->port});
  } else if (std::holds_alternative<classic::ServerReset>(packet)) {
    host_.post(core::ClassicServerReset{id_});
  } else if (const auto* login = std::get_if<classic::Login>(&packet)) {
    sign_in({AccountRequest::Kind::log_in, login->name, login->password, classic_login_request});
  } else if (const auto* sign_up = std::get_if<classic::SignUp>(&packet)) {
    sign_in(
        {AccountRequest::Kind::sign_up, sign_up->name, sign_up->password, classic_login_request});
  } else if (const auto* request = std::get_if<classic::MatchRequest>(&packet)) {
    const std::int32_t seats = request->amount == -1 ? 1 : request->amount;
    host_.post(core::StartMatch{id_, classic_match_request, "", seats, {}});
  }
}

/// A hello with a password, of a dialect that has errors.
void Session::log_in(std::uint32_t request, wire::player::Account& account) {
  if (!is_from(host_.options.logins, connection_.socket())) {
    ++host_.stats.refused_messages;
    return send_error(request, core::Error::encryption_required);
  }
  if (identified_ || account_pending_) return send_error(request, core::Error::already_identified);
  sign_in({account.sign_up() ? AccountRequest::Kind::sign_up : AccountRequest::Kind::log_in,
           std::move(*account.mutable_name()), std::move(*account.mutable_password()), request});
}

void Session::sign_in(AccountRequest request) {
  const auto& name = request.name;
  const bool valid =
      !name.empty() &&
      wire::is_utf8({reinterpret_cast<const std::uint8_t*>(name.data()), name.size()});
  if (!valid || account_pending_)
    return answer_sign_in(request, {.outcome = AccountOutcome::login_refused});
  if (!host_.options.accounts)
    return answer_sign_in(request, {.outcome = AccountOutcome::name_unknown});
  account_pending_ = true;
  host_.check_account(id_, std::move(request));
}

void Session::account_checked(const AccountRequest& request, const AccountReply& reply) {
  account_pending_ = false;
  answer_sign_in(request, reply);
}

void Session::answer_sign_in(const AccountRequest& request, const AccountReply& reply) {
  if (stage_ != Stage::open || !room()) return;
  if (dialect_ == Dialect::classic) return answer_classic(request, reply);
  if (reply.outcome == AccountOutcome::ok) return host_.post(account_hello(id_, request, reply));
  send_error(request.request, to_error(reply.outcome), reply.detail);
  // Guessing takes a new connection now and then, and all of them wait for the same few hashes.
  if (to_error(reply.outcome) == core::Error::login_refused &&
      ++logins_refused_ == logins_refused_max)
    close({});
}

void Session::answer_classic(const AccountRequest& request, const AccountReply& reply) {
  const bool ok = reply.outcome == AccountOutcome::ok;
  if (request.kind == AccountRequest::Kind::sign_up) {
    wire::classic::append(connection_.outbound(host_.buffers),
                          wire::classic::FromLobby{wire::classic::SignUpOk{ok}});
    return note_outbound();
  }
  const bool guest = reply.outcome == AccountOutcome::name_unknown &&
                     (host_.options.classic_guests || !host_.options.accounts);
  if (ok || guest) return host_.post(account_hello(id_, request, reply));
  deliver(core::SendError{id_, classic_login_request, core::Error::login_refused, {}});
}

}  // namespace muster::net
