#include "agones/calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "proto/agones.pb.h"

namespace muster::agones {
namespace pb = wire::agones;
namespace {

struct Row {
  Method method;
  std::string_view path;
  const Message& (*request)();
  const Message& (*reply)();
};

template <class M>
const Message& prototype() {
  return M::default_instance();
}

template <class Request, class Reply>
constexpr Row row(Method method, std::string_view path) {
  return {method, path, prototype<Request>, prototype<Reply>};
}

constexpr Row rows[] = {
    row<pb::Empty, pb::Empty>(Method::ready, "/agones.dev.sdk.SDK/Ready"),
    row<pb::Empty, pb::Empty>(Method::allocate, "/agones.dev.sdk.SDK/Allocate"),
    row<pb::Empty, pb::Empty>(Method::shutdown, "/agones.dev.sdk.SDK/Shutdown"),
    row<pb::Empty, pb::Empty>(Method::health, "/agones.dev.sdk.SDK/Health"),
    row<pb::Empty, pb::GameServer>(Method::get_game_server, "/agones.dev.sdk.SDK/GetGameServer"),
    row<pb::Empty, pb::GameServer>(Method::watch_game_server,
                                   "/agones.dev.sdk.SDK/WatchGameServer"),
    row<pb::KeyValue, pb::Empty>(Method::set_label, "/agones.dev.sdk.SDK/SetLabel"),
    row<pb::KeyValue, pb::Empty>(Method::set_annotation, "/agones.dev.sdk.SDK/SetAnnotation"),
    row<pb::Duration, pb::Empty>(Method::reserve, "/agones.dev.sdk.SDK/Reserve"),
    row<pb::GetCounterRequest, pb::Counter>(Method::get_counter,
                                            "/agones.dev.sdk.beta.SDK/GetCounter"),
    row<pb::UpdateCounterRequest, pb::Counter>(Method::update_counter,
                                               "/agones.dev.sdk.beta.SDK/UpdateCounter"),
    row<pb::GetListRequest, pb::List>(Method::get_list, "/agones.dev.sdk.beta.SDK/GetList"),
    row<pb::UpdateListRequest, pb::List>(Method::update_list,
                                         "/agones.dev.sdk.beta.SDK/UpdateList"),
    row<pb::ListValueRequest, pb::List>(Method::add_list_value,
                                        "/agones.dev.sdk.beta.SDK/AddListValue"),
    row<pb::ListValueRequest, pb::List>(Method::remove_list_value,
                                        "/agones.dev.sdk.beta.SDK/RemoveListValue"),
    row<pb::PlayerID, pb::Bool>(Method::player_connect, "/agones.dev.sdk.alpha.SDK/PlayerConnect"),
    row<pb::PlayerID, pb::Bool>(Method::player_disconnect,
                                "/agones.dev.sdk.alpha.SDK/PlayerDisconnect"),
    row<pb::PlayerID, pb::Bool>(Method::is_player_connected,
                                "/agones.dev.sdk.alpha.SDK/IsPlayerConnected"),
    row<pb::Count, pb::Empty>(Method::set_player_capacity,
                              "/agones.dev.sdk.alpha.SDK/SetPlayerCapacity"),
    row<pb::Empty, pb::Count>(Method::get_player_capacity,
                              "/agones.dev.sdk.alpha.SDK/GetPlayerCapacity"),
    row<pb::Empty, pb::Count>(Method::get_player_count, "/agones.dev.sdk.alpha.SDK/GetPlayerCount"),
    row<pb::Empty, pb::PlayerIDList>(Method::get_connected_players,
                                     "/agones.dev.sdk.alpha.SDK/GetConnectedPlayers"),
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < std::size(rows); ++i)
    if (rows[i].method != static_cast<Method>(i)) return false;
  return rows[std::size(rows) - 1].method == Method::get_connected_players;
}
static_assert(in_order(), "one row per Method, in the enum's order");

const Row& row_of(Method method) { return rows[static_cast<std::size_t>(method)]; }

template <class M>
const M& as(const Message& message) {
  CHECK(message.GetDescriptor() == M::descriptor(), "a call's messages are of its types");
  return static_cast<const M&>(message);
}
template <class M>
M& as(Message& message) {
  CHECK(message.GetDescriptor() == M::descriptor(), "a call's messages are of its types");
  return static_cast<M&>(message);
}

Status update_counter(Record& record, const pb::CounterUpdateRequest& request, pb::Counter& reply) {
  Record::CounterUpdate update;
  if (request.has_capacity()) update.capacity = request.capacity().value();
  if (request.has_count()) update.count = request.count().value();
  update.difference = request.countdiff();
  Status status = record.update_counter(request.name(), update);
  if (status.ok()) status = record.get_counter(request.name(), reply);
  return status;
}

/// Without a mask, the fields that are set: Agones' own npm client sends an empty one.
Status update_list(Record& record, const pb::UpdateListRequest& request, pb::List& reply) {
  const pb::List& list = request.list();
  const auto& paths = request.update_mask().paths();
  bool capacity = paths.empty() && list.capacity() != 0;
  bool values = paths.empty() && list.values_size() > 0;
  for (const std::string& path : paths) {
    if (path == "capacity")
      capacity = true;
    else if (path == "values")
      values = true;
    else if (path != "name")
      return {Code::invalid_argument,
              fmt::format("update_mask has \"{:.80}\"; it may have capacity and values", path)};
  }
  Record::ListUpdate update;
  if (capacity) update.capacity = list.capacity();
  if (values) update.values.emplace(list.values().begin(), list.values().end());
  Status status = record.update_list(list.name(), std::move(update));
  if (status.ok()) status = record.get_list(list.name(), reply);
  return status;
}

}  // namespace

std::optional<Method> method_of_path(std::string_view path) {
  const auto* const found = std::ranges::find(rows, path, &Row::path);
  if (found == std::end(rows)) return std::nullopt;
  return found->method;
}

const Message& request_of(Method method) { return row_of(method).request(); }
const Message& reply_of(Method method) { return row_of(method).reply(); }

Status call(Record& record, Method method, const Message& request, Message& reply, Time now) {
  switch (method) {
    case Method::ready:
      return record.ready(now);
    case Method::allocate:
      return record.allocate(now);
    case Method::shutdown:
      return record.shutdown();
    case Method::health:
      return record.health(now);
    case Method::get_game_server:
    case Method::watch_game_server:
      record.show(as<pb::GameServer>(reply));
      return {};
    case Method::set_label: {
      const auto& label = as<pb::KeyValue>(request);
      return record.set_label(label.key(), label.value());
    }
    case Method::set_annotation: {
      const auto& annotation = as<pb::KeyValue>(request);
      return record.set_annotation(annotation.key(), annotation.value());
    }
    case Method::reserve:
      return record.reserve(as<pb::Duration>(request).seconds(), now);
    case Method::get_counter:
      return record.get_counter(as<pb::GetCounterRequest>(request).name(), as<pb::Counter>(reply));
    case Method::update_counter:
      return update_counter(record, as<pb::UpdateCounterRequest>(request).counterupdaterequest(),
                            as<pb::Counter>(reply));
    case Method::get_list:
      return record.get_list(as<pb::GetListRequest>(request).name(), as<pb::List>(reply));
    case Method::update_list:
      return update_list(record, as<pb::UpdateListRequest>(request), as<pb::List>(reply));
    case Method::add_list_value:
    case Method::remove_list_value: {
      const auto& change = as<pb::ListValueRequest>(request);
      Status status = method == Method::add_list_value
                          ? record.add_list_value(change.name(), change.value())
                          : record.remove_list_value(change.name(), change.value());
      if (status.ok()) status = record.get_list(change.name(), as<pb::List>(reply));
      return status;
    }
    case Method::player_connect:
    case Method::player_disconnect: {
      const std::string& id = as<pb::PlayerID>(request).playerid();
      bool changed = false;
      Status status = method == Method::player_connect ? record.player_connect(id, changed)
                                                       : record.player_disconnect(id, changed);
      as<pb::Bool>(reply).set_bool_(changed);
      return status;
    }
    case Method::is_player_connected:
      as<pb::Bool>(reply).set_bool_(
          record.is_player_connected(as<pb::PlayerID>(request).playerid()));
      return {};
    case Method::set_player_capacity:
      return record.set_player_capacity(as<pb::Count>(request).count());
    case Method::get_player_capacity:
      as<pb::Count>(reply).set_count(record.player_capacity());
      return {};
    case Method::get_player_count:
      as<pb::Count>(reply).set_count(static_cast<std::int64_t>(record.players().size()));
      return {};
    case Method::get_connected_players:
      as<pb::PlayerIDList>(reply).mutable_list()->Assign(record.players().begin(),
                                                         record.players().end());
      return {};
  }
  return {Code::unimplemented, "there is no such call"};
}

}  // namespace muster::agones
