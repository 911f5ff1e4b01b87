/// The game server's side of Muster in C++17: gs.h with owners and std types. Header-only; throws
/// nothing of its own. What each call does, how long it may take and what it returns is said in
/// gs.h.
///
///     auto server = muster::gs::Server::create();
///     if (!server) ...                                        // not launched by Muster
///     ... bind and listen on muster::gs::port() ...
///     server->ready(5s);
///     while (auto match = server->wait_match()) {
///       ... play ...
///       server->match_over(R"({"winner":"ann"})", 5s);
///     }
#ifndef MUSTER_GS_HPP
#define MUSTER_GS_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "muster/gs.h"

namespace muster {
namespace gs {

/// MUSTER_GS_OK and the MUSTER_GS_ERR_… of gs.h.
using Status = muster_gs_status;
using Timeout = std::chrono::milliseconds;

/// Waits without end.
inline constexpr Timeout forever{-1};

inline const char* to_string(Status status) { return muster_gs_status_text(status); }

/// Where a fleet with `fork = true` makes copies of the loaded process. Anything but MUSTER_GS_OK:
/// exit. What must be observed is said in gs.h.
inline Status fork_point() { return muster_gs_fork_point(); }

/// The port to bind; 0 if the process was not launched by Muster.
inline std::uint16_t port() { return muster_gs_port(); }

struct Attribute {
  std::string name;
  std::variant<double, std::string, std::vector<std::string>> value;
};

struct Player {
  std::string player_id;
  std::string name;
  std::uint32_t team = 0;
  std::uint32_t seats = 1;
  std::vector<Attribute> attributes;
};

/// How one player came out of the match, or, without a player, one team.
struct Standing {
  std::string player_id;
  std::uint32_t team = 0;
  std::uint32_t rank = 0;  // 1 is first; equal ones are a draw.
  std::optional<std::int64_t> score;
  double missed = 0;  // 0 to 1: the part of the match they were not there for.
};

/// Seats of a team that no player has, for the game's own.
struct Bots {
  std::uint32_t team = 0;
  std::uint32_t count = 0;
};

struct Match {
  std::string match_id;
  std::string queue;
  std::string map;
  std::vector<Player> players;
  std::uint64_t started_ms = 0;  // Since the Unix epoch; as mst in the match's join tokens.
  std::vector<Bots> bots;        // Of teams that have any, in their order; mostly none.

  const Player* find(std::string_view player_id) const {
    for (const Player& player : players)
      if (player.player_id == player_id) return &player;
    return nullptr;
  }
};

struct Join {
  std::string player_id;
  std::string name;
  std::string match_id;
  std::uint32_t team = 0;
  std::uint32_t seats = 1;
};

enum class EventType {
  none = MUSTER_GS_EVENT_NONE,
  match_started = MUSTER_GS_EVENT_MATCH_STARTED,
  player_removed = MUSTER_GS_EVENT_PLAYER_REMOVED,
  match_ended = MUSTER_GS_EVENT_MATCH_ENDED
};

struct Event {
  EventType type = EventType::none;
  std::string match_id;
  std::string player_id;
  std::string reason;
};

namespace detail {

inline int milliseconds(Timeout timeout) {
  const auto count = timeout.count();
  constexpr auto most = std::numeric_limits<int>::max();
  return count < 0 ? -1 : count > most ? most : static_cast<int>(count);
}

inline Attribute copy(const muster_gs_attribute& from) {
  Attribute to{from.name, from.number};
  if (from.type == MUSTER_GS_ATTRIBUTE_TEXT) to.value = std::string(from.text);
  if (from.type == MUSTER_GS_ATTRIBUTE_TEXTS)
    to.value = std::vector<std::string>(from.texts, from.texts + from.texts_count);
  return to;
}

inline Match copy(const muster_gs_match& from) {
  Match to{from.match_id, from.queue, from.map, {}, from.started_ms, {}};
  for (std::size_t i = 0; i < from.bots_count; ++i)
    to.bots.push_back({from.bots[i].team, from.bots[i].count});
  to.players.reserve(from.players_count);
  for (std::size_t i = 0; i < from.players_count; ++i) {
    const muster_gs_player& p = from.players[i];
    Player player{p.player_id, p.name, p.team, p.seats, {}};
    for (std::size_t a = 0; a < p.attributes_count; ++a)
      player.attributes.push_back(copy(p.attributes[a]));
    to.players.push_back(std::move(player));
  }
  return to;
}

}  // namespace detail

/// Owns a muster_gs. Movable; a moved-from Server may only be assigned to or destroyed.
/// Not thread-safe.
class Server {
 public:
  /// From the environment. Nothing if that fails; `why`, where given, then says so.
  static std::optional<Server> create(Status* why = nullptr) {
    muster_gs* gs = nullptr;
    const Status status = muster_gs_create(&gs);
    return adopt(gs, status, why);
  }

  /// From a node's address ("127.0.0.1:7801") and a launch token.
  static std::optional<Server> create(const std::string& address, const std::string& token,
                                      Status* why = nullptr) {
    const muster_gs_options options{address.c_str(), token.c_str()};
    muster_gs* gs = nullptr;
    const Status status = muster_gs_create_with(&options, &gs);
    return adopt(gs, status, why);
  }

  Status connect(Timeout timeout) {
    return muster_gs_connect(gs_.get(), detail::milliseconds(timeout));
  }
  Status ready(Timeout timeout) {
    return muster_gs_ready(gs_.get(), detail::milliseconds(timeout));
  }
  Status shutdown(Timeout timeout) {
    return muster_gs_shutdown(gs_.get(), detail::milliseconds(timeout));
  }
  Status health() { return muster_gs_health(gs_.get()); }
  bool is_connected() const { return muster_gs_is_connected(gs_.get()) != 0; }
  bool is_ready() const { return muster_gs_is_ready(gs_.get()) != 0; }

  /// The next event, whose type is none if nothing happened. Nothing if the node has refused this
  /// server for good.
  std::optional<Event> poll(Timeout timeout) {
    muster_gs_event event;
    if (muster_gs_poll(gs_.get(), detail::milliseconds(timeout), &event) != MUSTER_GS_OK)
      return std::nullopt;
    return Event{static_cast<EventType>(event.type), event.match_id, event.player_id, event.reason};
  }

  /// Nothing if the time is over, or the node has refused this server for good: `why` says which.
  std::optional<Match> wait_match(Timeout timeout = forever, Status* why = nullptr) {
    const muster_gs_match* match = nullptr;
    const Status status = muster_gs_wait_match(gs_.get(), detail::milliseconds(timeout), &match);
    if (why) *why = status;
    return match ? std::optional<Match>(detail::copy(*match)) : std::nullopt;
  }

  std::optional<Match> current_match() const {
    const muster_gs_match* match = muster_gs_current_match(gs_.get());
    return match ? std::optional<Match>(detail::copy(*match)) : std::nullopt;
  }

  /// Nothing if the token is not to be believed, or could not be checked: `why` says which.
  std::optional<Join> verify_join(const std::string& join_token, Timeout timeout,
                                  Status* why = nullptr) {
    muster_gs_join join;
    const Status status =
        muster_gs_verify_join(gs_.get(), join_token.c_str(), &join, detail::milliseconds(timeout));
    if (why) *why = status;
    if (status != MUSTER_GS_OK) return std::nullopt;
    return Join{join.player_id, join.name, join.match_id, join.team, join.seats};
  }

  Status player_joined(const std::string& player_id) {
    return muster_gs_player_joined(gs_.get(), player_id.c_str());
  }
  Status player_left(const std::string& player_id) {
    return muster_gs_player_left(gs_.get(), player_id.c_str());
  }
  Status match_over(const std::string& result, Timeout timeout) {
    return muster_gs_match_over(gs_.get(), result.c_str(), detail::milliseconds(timeout));
  }

  Status match_over(const std::string& result, const std::vector<Standing>& standings,
                    Timeout timeout) {
    std::vector<muster_gs_standing> all;
    for (const Standing& s : standings)
      all.push_back(
          {s.player_id.c_str(), s.team, s.rank, s.score ? 1 : 0, s.score.value_or(0), s.missed});
    return muster_gs_match_over_ranked(gs_.get(), result.c_str(), all.data(), all.size(),
                                       detail::milliseconds(timeout));
  }

  std::intptr_t socket() const { return muster_gs_socket(gs_.get()); }
  /// How long a loop of one's own may sleep; negative: any time.
  Timeout poll_within() const { return Timeout(muster_gs_poll_within_ms(gs_.get())); }
  std::string error_text() const { return muster_gs_error_text(gs_.get()); }

  /// The C object, still owned here.
  muster_gs* get() const { return gs_.get(); }

 private:
  struct Destroy {
    void operator()(muster_gs* gs) const { muster_gs_destroy(gs); }
  };

  explicit Server(muster_gs* gs) : gs_(gs) {}

  static std::optional<Server> adopt(muster_gs* gs, Status status, Status* why) {
    if (why) *why = status;
    return gs ? std::optional<Server>(Server(gs)) : std::nullopt;
  }

  std::unique_ptr<muster_gs, Destroy> gs_;
};

}  // namespace gs
}  // namespace muster

#endif
