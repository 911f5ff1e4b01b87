#pragma once
// What one game server's Agones SDK can read and change: state, labels, annotations, counters,
// lists, players, reserve and health. No I/O; time comes in as a value.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace muster::wire::game_server {
class MatchStarted;
}
namespace muster::wire::node_record {
class AgonesState;
}
namespace muster::wire::agones {
class GameServer;
class List;
class Counter;
}  // namespace muster::wire::agones

namespace muster::agones {

/// gRPC's numbers.
enum class Code : std::uint8_t {
  ok = 0,
  invalid_argument = 3,
  not_found = 5,
  already_exists = 6,
  resource_exhausted = 8,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
};
/// `message` is a sentence for people; empty for ok.
struct Status {
  Code code = Code::ok;
  std::string message;
  bool ok() const { return code == Code::ok; }
};

struct Counter {
  std::int64_t count = 0;  // 0 to capacity.
  std::int64_t capacity = 1000;
};
struct List {
  std::int64_t capacity = 1000;     // 0 to list_capacity_max.
  std::vector<std::string> values;  // Each once, in the order added; at most capacity.
};
struct Health {
  bool disabled = false;
  Duration period = std::chrono::seconds{5};
  std::uint32_t failures_max = 3;  // So many periods in a row without a ping: unhealthy.
  Duration initial_delay = std::chrono::seconds{5};
};
struct Port {
  std::string name;
  std::uint16_t port = 0;
};

/// What a game server is launched with.
struct Settings {
  std::string name, uid, fleet, address;
  std::vector<Port> ports;
  Health health;
  std::map<std::string, Counter> counters;
  std::map<std::string, List> lists;
  std::int64_t player_capacity = 0;
};

/// As Agones names them. Scheduled is from launch to the first Ready; shutdown and unhealthy are
/// final: what the game server says after them changes nothing.
enum class State : std::uint8_t { scheduled, ready, reserved, allocated, shutdown, unhealthy };
std::string_view to_string(State state);

/// Something that the lobby should know.
struct Fact {
  enum class Kind : std::uint8_t { ready, allocated, reserved, shutdown, unhealthy };
  Kind kind = Kind::ready;
  std::string match_id;  // The match that this ends, if one was being played.
  std::string result;    // Of that match: the annotation that result_key names.
};

class Record {
 public:
  // Bounds on what a game server can make its node keep.
  static constexpr std::int64_t list_capacity_max = 1000;
  static constexpr std::size_t metadata_max = 128;  // Labels and annotations that it has set,
  static constexpr std::size_t metadata_bytes_max = 64u << 10;  // and their keys and values.
  static constexpr std::size_t values_bytes_max = 256u << 10;   // Of all lists, and players.
  static constexpr std::size_t result_bytes_max = 16u << 10;

  /// Every label and annotation that a game server sets gets this before its key.
  static constexpr std::string_view key_prefix = "agones.dev/sdk-";
  /// The key (without prefix) of the annotation whose value is the result of its match.
  static constexpr std::string_view result_key = "muster-result";

  Record(Settings settings, Time launched);

  State state() const { return state_; }
  /// Grows with every change that a watcher should see.
  std::uint64_t revision() const { return revision_; }
  /// What came of the calls since the last time.
  std::vector<Fact> take_facts();

  // ---- Said by the game server.
  Status ready(Time now);
  Status allocate(Time now);
  Status reserve(std::int64_t seconds, Time now);
  Status shutdown();
  Status health(Time now);
  Status set_label(const std::string& key, const std::string& value);
  Status set_annotation(const std::string& key, const std::string& value);

  Status get_counter(const std::string& name, wire::agones::Counter& out) const;
  struct CounterUpdate {
    std::optional<std::int64_t> capacity, count;  // Applied in this order,
    std::int64_t difference = 0;                  // then this: all of them or none.
  };
  Status update_counter(const std::string& name, const CounterUpdate& update);
  Status get_list(const std::string& name, wire::agones::List& out) const;
  struct ListUpdate {
    std::optional<std::int64_t> capacity;
    std::optional<std::vector<std::string>> values;  // Cut at the capacity; each value once.
  };
  Status update_list(const std::string& name, ListUpdate update);
  Status add_list_value(const std::string& name, const std::string& value);
  Status remove_list_value(const std::string& name, const std::string& value);

  Status player_connect(const std::string& id, bool& connected);
  Status player_disconnect(const std::string& id, bool& disconnected);
  bool is_player_connected(const std::string& id) const;
  Status set_player_capacity(std::int64_t capacity);
  std::int64_t player_capacity() const { return players_.capacity; }
  const std::vector<std::string>& players() const { return players_.values; }

  // ---- Said by the lobby.
  /// Allocated, with labels and annotations that say for whom (match_metadata.h).
  void start_match(const wire::game_server::MatchStarted& match, Time now);
  /// A player will not come, or has left.
  void remove_player(const std::string& match_id, const std::string& player_id);
  /// The match is over for the lobby; the reason becomes an annotation. Its next Ready ends none.
  void end_match(const std::string& match_id, const std::string& reason);
  /// It is being stopped.
  void stop();
  /// The match being played, or "".
  const std::string& match_id() const { return match_id_; }
  /// What the result annotation says by now, if a match is being played.
  std::string result() const;

  // ---- Time.
  std::optional<Time> next_deadline() const;
  void deadlines(Time now);

  /// For another process, to whose record `restore` gives all of it. What a silence of the game
  /// server means begins anew there.
  void save(wire::node_record::AgonesState& out) const;
  void restore(const wire::node_record::AgonesState& saved, Time now);

  /// Everything, as GetGameServer shows it.
  void show(wire::agones::GameServer& out) const;

 private:
  using Texts = std::map<std::string, std::string>;

  bool final() const { return state_ == State::shutdown || state_ == State::unhealthy; }
  void become(State state);
  void tell(Fact::Kind kind);
  void forget_match();
  void watch_health(Time now);
  Status set_metadata(Texts& texts, const std::string& key, const std::string& value);
  std::size_t values_bytes() const;
  Status check_value(const std::string& value) const;

  Settings settings_;
  Time launched_;
  State state_ = State::scheduled;
  std::uint64_t revision_ = 1;
  std::vector<Fact> facts_;
  Texts labels_, annotations_;
  std::size_t metadata_count_ = 0, metadata_bytes_ = 0;  // What the game server has set.
  List players_;                                         // Its capacity is not bounded.
  std::optional<Time> reserved_until_;
  std::optional<Time> health_check_;  // The next; none before it is watched, or if it never is.
  Time health_heard_{};
  std::uint32_t health_failures_ = 0;
  std::string match_id_;
};

}  // namespace muster::agones
