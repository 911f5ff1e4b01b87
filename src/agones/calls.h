#pragma once
// The calls of the Agones SDK API: their names, their messages, and what each does to a record.

#include <cstdint>
#include <optional>
#include <string_view>

#include "agones/record.h"

namespace google::protobuf {
class Message;
}

namespace muster::agones {

using google::protobuf::Message;

enum class Method : std::uint8_t {
  ready,
  allocate,
  shutdown,
  health,  // A stream of requests; each one is a call.
  get_game_server,
  watch_game_server,  // A stream of replies: the first at once, then one for each change.
  set_label,
  set_annotation,
  reserve,
  get_counter,
  update_counter,
  get_list,
  update_list,
  add_list_value,
  remove_list_value,
  player_connect,
  player_disconnect,
  is_player_connected,
  set_player_capacity,
  get_player_capacity,
  get_player_count,
  get_connected_players,  // The last.
};

/// Of a gRPC request's :path, "/agones.dev.sdk.SDK/Ready".
std::optional<Method> method_of_path(std::string_view path);

/// Empty ones, to make others of.
const Message& request_of(Method method);
const Message& reply_of(Method method);

/// `request` and `reply` are of the method's types. An error leaves the record as it was.
Status call(Record& record, Method method, const Message& request, Message& reply, Time now);

/// Whose calls a connection carries.
class Host {
 public:
  virtual ~Host() = default;
  /// Like call() above, for the host's record.
  virtual Status call(Method method, const Message& request, Message& reply) = 0;
};

}  // namespace muster::agones
