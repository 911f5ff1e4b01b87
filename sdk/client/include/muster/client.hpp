/// The player's side of Muster in C++17: client.h with owners and std types. Header-only; throws
/// nothing of its own. What each call does, how long it may take and what it returns is said in
/// client.h.
///
///     auto client = muster::client::Client::create("lobby.example.org", 4100);
///     client->connect_guest("ann");
///     while (auto event = client->poll(100ms)) {
///       if (event->type == EventType::welcome && !event->resumed) client->start_match("duel");
///       if (event->type == EventType::assignment) ... event->assignment->host, port, join_token
///       ...
///     }
#ifndef MUSTER_CLIENT_HPP
#define MUSTER_CLIENT_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "muster/client.h"

namespace muster {
namespace client {

/// MUSTER_CLIENT_OK and the MUSTER_CLIENT_ERR_… of client.h.
using Status = muster_client_status;
using Timeout = std::chrono::milliseconds;

/// Waits without end.
inline constexpr Timeout forever{-1};

inline const char* to_string(Status status) { return muster_client_status_text(status); }

struct Attribute {
  std::string name;
  std::variant<double, std::string, std::vector<std::string>> value;
};

enum class TicketState { unknown, queued, matched, assigned, cancelled, expired, failed, offered };

struct Ticket {
  std::string ticket_id;
  std::string queue;
  TicketState state = TicketState::unknown;
  std::uint32_t players = 0;
  std::uint32_t players_needed = 0;
  std::string error_code;
  std::string error_message;
  std::uint32_t accepted = 0;
  std::uint32_t accepts_needed = 0;
  Timeout accept_left{0};
  bool you_accepted = false;
};

struct PartyMember {
  std::string player_id;
  std::string name;
  bool away = false;
  std::vector<Attribute> attributes;
};

struct Party {
  std::string party_id;  // Empty: in none any more.
  std::string code;
  std::vector<PartyMember> members;  // The leader first.
  std::string error_code;
  std::string error_message;
};

struct Player {
  std::string player_id;
  std::string name;
  std::uint32_t team = 0;
  std::uint32_t seats = 1;
  std::vector<Attribute> attributes;
};

struct Assignment {
  std::string match_id;
  std::string server_id;
  std::string host;
  std::uint16_t port = 0;
  std::string join_token;
  std::uint32_t team = 0;
  std::string queue;
  std::string ticket_id;
  std::vector<Player> players;
  std::map<std::string, std::uint16_t> ports;  // Beside `port`: those with a name.
};

enum class EndReason { unknown, over, server_lost, timed_out, cancelled, left };

enum class EventType {
  none,
  connected,
  welcome,
  ticket,
  assignment,
  match_ended,
  error,
  disconnected,
  rating_changed,
  party
};

/// Which members have a meaning for which type is said at muster_client_event.
struct Event {
  EventType type = EventType::none;
  std::uint32_t request = 0;
  std::string player_id;
  std::string name;
  bool resumed = false;
  std::optional<Ticket> ticket;
  std::optional<Assignment> assignment;
  std::string match_id;
  EndReason reason = EndReason::unknown;
  bool requeued = false;
  std::string result;
  std::string code;
  std::string message;
  Timeout retry_in{0};
  bool final = false;
  std::string queue;
  std::int32_t rating = 0;
  std::uint32_t deviation = 0;
  std::int32_t rating_change = 0;
  std::optional<Party> party;
  Timeout retry_after{0};
};

namespace detail {

inline int milliseconds(Timeout timeout) {
  const auto count = timeout.count();
  constexpr auto most = std::numeric_limits<int>::max();
  return count < 0 ? -1 : count > most ? most : static_cast<int>(count);
}

inline Attribute copy(const muster_client_attribute& from) {
  Attribute to{from.name, from.number};
  if (from.type == MUSTER_CLIENT_ATTRIBUTE_TEXT) to.value = std::string(from.text);
  if (from.type == MUSTER_CLIENT_ATTRIBUTE_TEXTS)
    to.value = std::vector<std::string>(from.texts, from.texts + from.texts_count);
  return to;
}

inline Ticket copy(const muster_client_ticket& from) {
  return {from.ticket_id,
          from.queue,
          static_cast<TicketState>(from.state),
          from.players,
          from.players_needed,
          from.error_code,
          from.error_message,
          from.accepted,
          from.accepts_needed,
          Timeout(from.accept_left_ms),
          from.you_accepted != 0};
}

inline Party copy(const muster_client_party& from) {
  Party to{from.party_id, from.code, {}, from.error_code, from.error_message};
  for (std::size_t i = 0; i < from.members_count; ++i) {
    const muster_client_party_member& m = from.members[i];
    PartyMember member{m.player_id, m.name, m.away != 0, {}};
    for (std::size_t a = 0; a < m.attributes_count; ++a)
      member.attributes.push_back(copy(m.attributes[a]));
    to.members.push_back(std::move(member));
  }
  return to;
}

inline Assignment copy(const muster_client_assignment& from) {
  Assignment to{from.match_id, from.server_id, from.host,      from.port, from.join_token,
                from.team,     from.queue,     from.ticket_id, {},        {}};
  to.players.reserve(from.players_count);
  for (std::size_t i = 0; i < from.players_count; ++i) {
    const muster_client_player& p = from.players[i];
    Player player{p.player_id, p.name, p.team, p.seats, {}};
    for (std::size_t a = 0; a < p.attributes_count; ++a)
      player.attributes.push_back(copy(p.attributes[a]));
    to.players.push_back(std::move(player));
  }
  for (std::size_t i = 0; i < from.ports_count; ++i)
    to.ports[from.ports[i].name] = from.ports[i].port;
  return to;
}

inline Event copy(const muster_client_event& from) {
  Event to;
  to.type = static_cast<EventType>(from.type);
  to.request = from.request;
  to.player_id = from.player_id;
  to.name = from.name;
  to.resumed = from.resumed != 0;
  if (from.ticket) to.ticket = copy(*from.ticket);
  if (from.assignment) to.assignment = copy(*from.assignment);
  to.match_id = from.match_id;
  to.reason = static_cast<EndReason>(from.reason);
  to.requeued = from.requeued != 0;
  to.result = from.result;
  to.code = from.code;
  to.message = from.message;
  to.retry_in = Timeout(from.retry_in_ms);
  to.final = from.final != 0;
  to.queue = from.queue;
  to.rating = from.rating;
  to.deviation = from.deviation;
  to.rating_change = from.rating_change;
  if (from.party) to.party = copy(*from.party);
  to.retry_after = Timeout(from.retry_after_ms);
  return to;
}

/// Attributes as C has them: pointers into the C++ ones, good while those are.
class AttributeViews {
 public:
  explicit AttributeViews(const std::vector<Attribute>& attributes) : texts_(attributes.size()) {
    for (std::size_t i = 0; i < attributes.size(); ++i) add(attributes[i], texts_[i]);
  }
  const muster_client_attribute* data() const { return views_.empty() ? nullptr : views_.data(); }
  std::size_t size() const { return views_.size(); }

 private:
  void add(const Attribute& a, std::vector<const char*>& texts) {
    muster_client_attribute view{
        a.name.c_str(), MUSTER_CLIENT_ATTRIBUTE_NUMBER, 0, nullptr, nullptr, 0};
    if (const auto* number = std::get_if<double>(&a.value)) {
      view.number = *number;
    } else if (const auto* text = std::get_if<std::string>(&a.value)) {
      view.type = MUSTER_CLIENT_ATTRIBUTE_TEXT;
      view.text = text->c_str();
    } else if (const auto* list = std::get_if<std::vector<std::string>>(&a.value)) {
      for (const std::string& one : *list) texts.push_back(one.c_str());
      view.type = MUSTER_CLIENT_ATTRIBUTE_TEXTS;
      view.texts = texts.data();
      view.texts_count = texts.size();
    }
    views_.push_back(view);
  }

  std::vector<muster_client_attribute> views_;
  std::vector<std::vector<const char*>> texts_;
};

inline std::string text_or_empty(const char* text) { return text ? text : ""; }

}  // namespace detail

/// Owns a muster_client. Movable; a moved-from Client may only be assigned to or destroyed.
/// Not thread-safe.
class Client {
 public:
  /// Nothing if that fails; `why`, where given, then says so.
  static std::optional<Client> create(const std::string& host, std::uint16_t port,
                                      Status* why = nullptr) {
    muster_client* client = nullptr;
    const Status status = muster_client_create(host.c_str(), port, &client);
    if (why) *why = status;
    return client ? std::optional<Client>(Client(client)) : std::nullopt;
  }

  Status connect_guest(const std::string& name) {
    return muster_client_connect_guest(client_.get(), name.c_str());
  }
  Status connect_account(const std::string& name, const std::string& password) {
    return muster_client_connect_account(client_.get(), name.c_str(), password.c_str());
  }
  Status connect_sign_up(const std::string& name, const std::string& password) {
    return muster_client_connect_sign_up(client_.get(), name.c_str(), password.c_str());
  }
  Status connect_resume(const std::string& session_token,
                        const std::optional<std::string>& name = std::nullopt) {
    return muster_client_connect_resume(client_.get(), session_token.c_str(),
                                        name ? name->c_str() : nullptr);
  }

  Status start_match(const std::string& queue, const std::vector<Attribute>& attributes = {},
                     std::uint32_t seats = 1, std::uint32_t* request = nullptr) {
    const detail::AttributeViews views(attributes);
    return muster_client_start_match(client_.get(), queue.c_str(), views.data(), views.size(),
                                     seats, request);
  }
  Status cancel_match(std::uint32_t* request = nullptr) {
    return muster_client_cancel_match(client_.get(), request);
  }
  Status leave_match(std::uint32_t* request = nullptr) {
    return muster_client_leave_match(client_.get(), request);
  }

  Status accept_match(std::uint32_t* request = nullptr) {
    return muster_client_accept_match(client_.get(), request);
  }
  Status decline_match(std::uint32_t* request = nullptr) {
    return muster_client_decline_match(client_.get(), request);
  }
  Status create_party(std::uint32_t* request = nullptr) {
    return muster_client_create_party(client_.get(), request);
  }
  Status join_party(const std::string& code, std::uint32_t* request = nullptr) {
    return muster_client_join_party(client_.get(), code.c_str(), request);
  }
  Status leave_party(std::uint32_t* request = nullptr) {
    return muster_client_leave_party(client_.get(), request);
  }
  Status kick_from_party(const std::string& player_id, std::uint32_t* request = nullptr) {
    return muster_client_kick_from_party(client_.get(), player_id.c_str(), request);
  }
  Status promote_in_party(const std::string& player_id, std::uint32_t* request = nullptr) {
    return muster_client_promote_in_party(client_.get(), player_id.c_str(), request);
  }
  Status set_party_attributes(const std::vector<Attribute>& attributes,
                              std::uint32_t* request = nullptr) {
    const detail::AttributeViews views(attributes);
    return muster_client_set_party_attributes(client_.get(), views.data(), views.size(), request);
  }

  /// The next event, whose type is none if nothing happened. Nothing before connect_… and after a
  /// final disconnected.
  std::optional<Event> poll(Timeout timeout) {
    muster_client_event event;
    if (muster_client_poll(client_.get(), detail::milliseconds(timeout), &event) !=
        MUSTER_CLIENT_OK)
      return std::nullopt;
    return detail::copy(event);
  }

  bool is_welcome() const { return muster_client_is_welcome(client_.get()) != 0; }
  /// Empty before the first welcome.
  std::string session_token() const {
    return detail::text_or_empty(muster_client_session_token(client_.get()));
  }
  std::string player_id() const {
    return detail::text_or_empty(muster_client_player_id(client_.get()));
  }
  std::optional<Ticket> current_ticket() const {
    const muster_client_ticket* ticket = muster_client_current_ticket(client_.get());
    return ticket ? std::optional<Ticket>(detail::copy(*ticket)) : std::nullopt;
  }
  std::optional<Party> current_party() const {
    const muster_client_party* party = muster_client_current_party(client_.get());
    return party ? std::optional<Party>(detail::copy(*party)) : std::nullopt;
  }
  std::optional<Assignment> current_assignment() const {
    const muster_client_assignment* a = muster_client_current_assignment(client_.get());
    return a ? std::optional<Assignment>(detail::copy(*a)) : std::nullopt;
  }

  std::intptr_t socket() const { return muster_client_socket(client_.get()); }
  /// How long a loop of one's own may sleep; negative: any time.
  Timeout poll_within() const { return Timeout(muster_client_poll_within_ms(client_.get())); }

  /// The C object, still owned here.
  muster_client* get() const { return client_.get(); }

 private:
  struct Destroy {
    void operator()(muster_client* client) const { muster_client_destroy(client); }
  };

  explicit Client(muster_client* client) : client_(client) {}

  std::unique_ptr<muster_client, Destroy> client_;
};

}  // namespace client
}  // namespace muster

#endif
