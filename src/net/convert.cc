#include "net/convert.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "wire/websocket.h"  // is_utf8

namespace muster::net {
namespace {

namespace player = wire::player;
using core::Error;

core::Secret fresh_secret() {
  core::Secret secret;
  CHECK(::getentropy(secret.data(), secret.size()) == 0, "the kernel has random bytes");
  return secret;
}

/// Its alphabet has 32 characters, so every byte gives one, and all are equally likely.
std::string fresh_party_code() {
  static_assert(core::party_code_alphabet.size() == 32);
  std::array<std::uint8_t, core::party_code_bytes> random;
  CHECK(::getentropy(random.data(), random.size()) == 0, "the kernel has random bytes");
  std::string code;
  for (const std::uint8_t byte : random) code += core::party_code_alphabet[byte % 32];
  return code;
}

std::string upper_case(std::string text) {
  for (char& c : text)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return text;
}

// Text that came from elsewhere than a protobuf message (a process's output, a config file) may be
// anything; what goes out must be UTF-8 or the whole message could not be read.
std::string utf8(std::string_view text) {
  const auto valid = [](std::string_view t) {
    return wire::is_utf8({reinterpret_cast<const std::uint8_t*>(t.data()), t.size()});
  };
  if (valid(text)) return std::string(text);
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t n = 1;
    while (n <= 4 && !valid(text.substr(i, n))) ++n;
    const bool good = n <= 4 && i + n <= text.size();
    out += good ? text.substr(i, n) : "\xef\xbf\xbd";
    i += good ? n : 1;
  }
  return out;
}

std::expected<std::vector<core::Attribute>, Refusal> to_attributes(
    const google::protobuf::Map<std::string, player::Attribute>& in) {
  const auto refuse = [](std::string detail) {
    return std::unexpected(Refusal{Error::attributes_invalid, std::move(detail)});
  };
  std::vector<core::Attribute> out;
  out.reserve(in.size());
  std::size_t bytes = 0;
  for (const auto& [name, value] : in) {
    if (name.empty() || name.size() > attribute_name_bytes_max)
      return refuse(fmt::format("a name of {} bytes", name.size()));
    bytes += name.size();
    core::Attribute attribute{name, {}};
    switch (value.value_case()) {
      case player::Attribute::kNumber:
        if (!std::isfinite(value.number())) return refuse(fmt::format("\"{}\"", name));
        attribute.value = value.number();
        break;
      case player::Attribute::kText:
        if (value.text().size() > attribute_text_bytes_max)
          return refuse(fmt::format("\"{}\"", name));
        bytes += value.text().size();
        attribute.value = value.text();
        break;
      case player::Attribute::kTexts: {
        const auto& texts = value.texts().values();
        if (static_cast<std::size_t>(texts.size()) > attribute_texts_max)
          return refuse(fmt::format("\"{}\" has {} texts", name, texts.size()));
        std::vector<std::string> values;
        for (const std::string& text : texts) {
          if (text.size() > attribute_text_bytes_max) return refuse(fmt::format("\"{}\"", name));
          bytes += text.size();
          values.push_back(text);
        }
        attribute.value = std::move(values);
        break;
      }
      case player::Attribute::VALUE_NOT_SET:
        return refuse(fmt::format("\"{}\" has no value", name));
    }
    if (bytes > attributes_bytes_max)
      return refuse(
          fmt::format("all names and texts together are more than {} bytes", attributes_bytes_max));
    out.push_back(std::move(attribute));
  }
  // The map has no order of its own, and the core must not see a different one in each process.
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

std::expected<std::optional<std::vector<core::PlayerId>>, Refusal> to_block_list(
    const player::StartMatch& start) {
  if (!start.has_blocked()) return std::nullopt;
  std::vector<core::PlayerId> players;
  for (const std::string& id : start.blocked().player_ids()) {
    const auto parsed = parse_id<core::PlayerId>(id);
    if (!parsed)
      return std::unexpected(
          Refusal{Error::blocked_invalid, fmt::format("\"{:.40}\" is no player's id", id)});
    players.push_back(*parsed);
  }
  return players;
}

/// By name: a map has no order.
std::vector<core::RegionLatency> to_latency(
    const google::protobuf::Map<std::string, std::uint32_t>& in) {
  std::vector<core::RegionLatency> out;
  for (const auto& [region, ms] : in) out.push_back({region, ms});
  std::ranges::sort(out, {}, &core::RegionLatency::region);
  return out;
}

void add_attributes(const std::vector<core::Attribute>& in,
                    google::protobuf::Map<std::string, player::Attribute>& out) {
  for (const core::Attribute& attribute : in) {
    player::Attribute& to = out[utf8(attribute.name)];
    if (const auto* number = std::get_if<double>(&attribute.value)) {
      to.set_number(*number);
    } else if (const auto* text = std::get_if<std::string>(&attribute.value)) {
      to.set_text(utf8(*text));
    } else {
      for (const auto& value : std::get<std::vector<std::string>>(attribute.value))
        to.mutable_texts()->add_values(utf8(value));
    }
  }
}

player::Ticket::State to_wire(core::TicketState state) {
  switch (state) {
    case core::TicketState::queued:
      return player::Ticket::QUEUED;
    case core::TicketState::matched:
      return player::Ticket::MATCHED;
    case core::TicketState::assigned:
      return player::Ticket::ASSIGNED;
    case core::TicketState::cancelled:
      return player::Ticket::CANCELLED;
    case core::TicketState::expired:
      return player::Ticket::EXPIRED;
    case core::TicketState::failed:
      return player::Ticket::FAILED;
    case core::TicketState::offered:
      return player::Ticket::OFFERED;
  }
  return player::Ticket::STATE_UNSPECIFIED;
}

player::MatchEnded::Reason to_wire(core::MatchEnd end) {
  switch (end) {
    case core::MatchEnd::over:
      return player::MatchEnded::OVER;
    case core::MatchEnd::server_lost:
      return player::MatchEnded::SERVER_LOST;
    case core::MatchEnd::timed_out:
      return player::MatchEnded::TIMED_OUT;
    case core::MatchEnd::cancelled:
      return player::MatchEnded::MATCH_CANCELLED;
    case core::MatchEnd::left:
      return player::MatchEnded::LEFT;
  }
  return player::MatchEnded::REASON_UNSPECIFIED;
}

/// Upwards, so that who waits so long has waited long enough.
std::uint32_t milliseconds_of(Duration duration) {
  return static_cast<std::uint32_t>(
      std::chrono::ceil<std::chrono::milliseconds>(std::max(duration, Duration::zero())).count());
}

void set(player::Error& out, Error error, std::string_view detail) {
  out.set_code(std::string(code(error)));
  out.set_message(detail.empty() ? std::string(core::message(error))
                                 : fmt::format("{} ({})", core::message(error), utf8(detail)));
}

void fill(const core::SendWelcome& e, const SignJoinToken&, player::LobbyMessage& out) {
  player::Welcome& welcome = *out.mutable_welcome();
  welcome.set_player_id(to_string(e.player));
  welcome.set_session_token(session_token(e.player, e.secret));
  welcome.set_name(utf8(e.name));
  welcome.set_resumed(e.resumed);
}

void fill(const core::SendError& e, const SignJoinToken&, player::LobbyMessage& out) {
  const auto left = milliseconds_of(e.retry_after);
  const std::string wait = left > 0 ? fmt::format("{} s left", (left + 999) / 1000) : "";
  set(*out.mutable_error(), e.error,
      e.detail.empty() || wait.empty() ? e.detail + wait : e.detail + ", " + wait);
  out.mutable_error()->set_retry_after_ms(left);
}

void fill(const core::SendTicket& e, const SignJoinToken&, player::LobbyMessage& out) {
  player::Ticket& ticket = *out.mutable_ticket();
  ticket.set_ticket_id(to_string(e.ticket));
  ticket.set_queue(utf8(e.queue));
  ticket.set_state(to_wire(e.state));
  ticket.set_players(e.players);
  ticket.set_players_needed(e.players_needed);
  if (e.error != Error::none) set(*ticket.mutable_error(), e.error, {});
  ticket.set_accepted(e.accepted);
  ticket.set_accepts_needed(e.accepts_needed);
  ticket.set_accept_left_ms(milliseconds_of(e.accept_left));
  ticket.set_you_accepted(e.you_accepted);
  if (!e.wait) return;
  const auto ms = [](Duration duration) {
    return static_cast<std::uint32_t>(duration / std::chrono::milliseconds{1});
  };
  ticket.mutable_wait_estimate()->set_ms(ms(e.wait->median));
  ticket.mutable_wait_estimate()->set_low_ms(ms(e.wait->low));
  ticket.mutable_wait_estimate()->set_high_ms(ms(e.wait->high));
}

void fill(const core::SendParty& e, const SignJoinToken&, player::LobbyMessage& out) {
  player::Party& party = *out.mutable_party();
  if (e.party) party.set_party_id(to_string(e.party));
  party.set_code(e.code);
  for (const core::PartyView& member : e.members) {
    player::PartyMember& to = *party.add_members();
    to.set_player_id(to_string(member.player));
    to.set_name(utf8(member.name));
    to.set_away(member.away);
    add_attributes(member.attributes, *to.mutable_attributes());
  }
  if (e.error != Error::none) set(*party.mutable_error(), e.error, {});
}

void fill(const core::SendAssignment& e, const SignJoinToken& sign, player::LobbyMessage& out) {
  player::Assignment& assignment = *out.mutable_assignment();
  assignment.set_match_id(to_string(e.match));
  assignment.set_server_id(to_string(e.server));
  assignment.set_host(utf8(e.host));
  assignment.set_port(e.port);
  if (sign) assignment.set_join_token(sign(e));
  assignment.set_team(e.team);
  assignment.set_queue(utf8(e.queue));
  assignment.set_ticket_id(to_string(e.ticket));
  assignment.set_region(e.region);
  for (const core::NamedPort& port : e.ports) (*assignment.mutable_ports())[port.name] = port.port;
  if (!e.roster) return;
  for (const core::RosterEntry& entry : *e.roster) {
    player::MatchPlayer& to = *assignment.add_players();
    to.set_player_id(to_string(entry.player));
    to.set_name(utf8(entry.name));
    to.set_team(entry.team);
    to.set_seats(entry.seats);
    add_attributes(entry.attributes, *to.mutable_attributes());
  }
}

void fill(const core::SendMatchEnded& e, const SignJoinToken&, player::LobbyMessage& out) {
  player::MatchEnded& ended = *out.mutable_match_ended();
  ended.set_match_id(to_string(e.match));
  ended.set_reason(to_wire(e.end));
  ended.set_requeued(e.requeued);
  ended.set_result(utf8(e.result));
}

void fill(const core::SendRating& e, const SignJoinToken&, player::LobbyMessage& out) {
  player::RatingChanged& changed = *out.mutable_rating_changed();
  changed.set_queue(utf8(e.queue));
  changed.set_rating(e.rating);
  changed.set_deviation(e.deviation);
  changed.set_change(e.change);
}

/// What is no id is nobody's.
core::PlayerId player_id_of(const std::string& text) {
  return parse_id<core::PlayerId>(text).value_or(core::PlayerId{});
}

template <class E>
concept has_request = requires(const E& e) { e.request; };
template <class E>
concept has_session = requires(const E& e) { e.session; } && !std::is_same_v<E, core::VerifyOwner>;

constexpr std::string_view url_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

std::expected<core::Event, Refusal> to_event(core::SessionId session,
                                             const player::ClientMessage& message) {
  const std::uint32_t request = message.request();
  switch (message.body_case()) {
    case player::ClientMessage::kHello:
      switch (message.hello().identity_case()) {
        case player::Hello::kGuest:
          return core::Hello{session, request, message.hello().guest().name(), fresh_secret()};
        case player::Hello::kResume: {
          const auto known = parse_session_token(message.hello().resume().session_token());
          if (!known) return std::unexpected(Refusal{Error::session_token_invalid, {}});
          return core::ResumeSession{session, request, known->first, known->second};
        }
        case player::Hello::kAccount:  // Is checked first: see Session::log_in.
        case player::Hello::IDENTITY_NOT_SET:
          break;
      }
      return std::unexpected(
          Refusal{Error::message_invalid, "hello needs guest, account or resume"});
    case player::ClientMessage::kStartMatch: {
      const player::StartMatch& start = message.start_match();
      auto attributes = to_attributes(start.attributes());
      if (!attributes) return std::unexpected(attributes.error());
      // More than the core's type holds is more than any match has: let the core say so.
      const auto seats = static_cast<std::int32_t>(std::min(start.seats(), 0x7fffffffu));
      auto blocked = to_block_list(start);
      if (!blocked) return std::unexpected(blocked.error());
      return core::StartMatch{session,
                              request,
                              start.queue(),
                              seats == 0 ? 1 : seats,
                              *std::move(attributes),
                              to_latency(start.latency()),
                              *std::move(blocked)};
    }
    case player::ClientMessage::kCancelMatch:
      return core::CancelMatch{session, request};
    case player::ClientMessage::kLeaveMatch:
      return core::LeaveMatch{session, request};
    case player::ClientMessage::kCreateParty:
      return core::CreateParty{session, request, fresh_party_code()};
    case player::ClientMessage::kJoinParty:
      return core::JoinParty{session, request, upper_case(message.join_party().code())};
    case player::ClientMessage::kLeaveParty:
      return core::LeaveParty{session, request};
    case player::ClientMessage::kKickFromParty:
      return core::KickFromParty{session, request,
                                 player_id_of(message.kick_from_party().player_id())};
    case player::ClientMessage::kPromoteInParty:
      return core::PromoteInParty{session, request,
                                  player_id_of(message.promote_in_party().player_id())};
    case player::ClientMessage::kSetPartyAttributes: {
      auto attributes = to_attributes(message.set_party_attributes().attributes());
      if (!attributes) return std::unexpected(attributes.error());
      return core::SetPartyAttributes{session, request, *std::move(attributes)};
    }
    case player::ClientMessage::kAcceptMatch:
      return core::AcceptMatch{session, request};
    case player::ClientMessage::kDeclineMatch:
      return core::DeclineMatch{session, request};
    case player::ClientMessage::kPing:
    case player::ClientMessage::kPong:
    case player::ClientMessage::BODY_NOT_SET:
      break;
  }
  return std::unexpected(Refusal{Error::message_invalid, "the message has no command"});
}

core::Hello account_hello(core::SessionId session, const AccountRequest& request,
                          const AccountReply& reply) {
  return {session, request.request, request.name, fresh_secret(), reply.account, reply.ratings};
}

Error to_error(AccountOutcome outcome) {
  switch (outcome) {
    case AccountOutcome::ok:
      return Error::none;
    case AccountOutcome::name_unknown:  // Nobody is told which names there are.
    case AccountOutcome::login_refused:
      return Error::login_refused;
    case AccountOutcome::name_taken:
      return Error::name_taken;
    case AccountOutcome::name_invalid:
      return Error::name_invalid;
    case AccountOutcome::banned:
      return Error::banned;
    case AccountOutcome::storage_unavailable:
      return Error::storage_unavailable;
  }
  return Error::storage_unavailable;
}

bool to_message(const core::Effect& effect, const SignJoinToken& sign_join_token,
                player::LobbyMessage& out) {
  out.Clear();
  return std::visit(
      [&]<class E>(const E& e) {
        if constexpr (has_request<E>) {
          out.set_request(e.request);
          fill(e, sign_join_token, out);
          return true;
        }
        return false;
      },
      effect);
}

void to_error(std::uint32_t request, Error error, std::string_view detail,
              player::LobbyMessage& out) {
  out.Clear();
  out.set_request(request);
  set(*out.mutable_error(), error, detail);
}

bool append_classic(const core::Effect& effect, std::string& out) {
  namespace classic = wire::classic;
  const auto say = [&](const classic::FromLobby& packet) {
    classic::append(out, packet);
    return true;
  };
  if (const auto* e = std::get_if<core::SendWelcome>(&effect))
    return say(classic::LoginOk{
        .id = static_cast<std::int32_t>(e->player.slot), .name = e->name, .success = 1});
  if (const auto* e = std::get_if<core::SendError>(&effect)) {
    if (e->request == classic_login_request) return say(classic::LoginOk{.success = 0});
    // A second request while the first one stands changes nothing.
    const bool stands = e->error == Error::already_queued || e->error == Error::already_in_match;
    return e->request == classic_match_request && !stands && say(classic::MatchUpdate{0});
  }
  if (const auto* e = std::get_if<core::SendTicket>(&effect)) {
    switch (e->state) {
      case core::TicketState::queued:
      case core::TicketState::offered:
      case core::TicketState::matched:
        return say(classic::MatchUpdate{static_cast<std::int32_t>(e->players)});
      case core::TicketState::assigned:
        return false;  // The assignment follows.
      case core::TicketState::cancelled:
      case core::TicketState::expired:
      case core::TicketState::failed:
        return say(classic::MatchUpdate{0});
    }
  }
  if (const auto* e = std::get_if<core::SendAssignment>(&effect))
    return say(classic::MatchResponse{.port = e->port});
  if (std::holds_alternative<core::SendServerLoginOk>(effect)) return say(classic::ServerLoginOk{});
  return false;
}

core::SessionId session_of(const core::Effect& effect) {
  return std::visit(
      []<class E>(const E& e) -> core::SessionId {
        if constexpr (has_session<E>) return e.session;
        return {};
      },
      effect);
}

std::string session_token(core::PlayerId player, const core::Secret& secret) {
  std::array<std::uint8_t, 24> bytes;
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[i] = static_cast<std::uint8_t>(player.slot >> (8 * i));
    bytes[4 + i] = static_cast<std::uint8_t>(player.generation >> (8 * i));
  }
  std::copy(secret.begin(), secret.end(), bytes.begin() + 8);
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned group = static_cast<unsigned>(bytes[i]) << 16 |
                           static_cast<unsigned>(bytes[i + 1]) << 8 | bytes[i + 2];
    for (int shift = 18; shift >= 0; shift -= 6) out.push_back(url_digits[group >> shift & 63]);
  }
  return out;
}

std::optional<std::pair<core::PlayerId, core::Secret>> parse_session_token(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  std::array<std::uint8_t, 24> bytes;
  for (std::size_t i = 0; i < 8; ++i) {
    unsigned group = 0;
    for (const char c : text.substr(4 * i, 4)) {
      const auto digit = url_digits.find(c);
      if (digit == std::string_view::npos) return std::nullopt;
      group = group << 6 | static_cast<unsigned>(digit);
    }
    for (std::size_t k = 0; k < 3; ++k)
      bytes[3 * i + k] = static_cast<std::uint8_t>(group >> (16 - 8 * k));
  }
  core::PlayerId player;
  for (std::size_t i = 0; i < 4; ++i) {
    player.slot |= static_cast<std::uint32_t>(bytes[i]) << (8 * i);
    player.generation |= static_cast<std::uint32_t>(bytes[4 + i]) << (8 * i);
  }
  if (!player) return std::nullopt;
  core::Secret secret;
  std::copy(bytes.begin() + 8, bytes.end(), secret.begin());
  return std::pair{player, secret};
}

}  // namespace muster::net
