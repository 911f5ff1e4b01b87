// An Agones record from one process to the next.
#include <utility>

#include "agones/record.h"
#include "proto/node_record.pb.h"

namespace muster::agones {
namespace {

using wire::node_record::AgonesState;

std::uint64_t to_ns(Time time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

Time from_ns(std::uint64_t ns) {
  return Time{std::chrono::duration_cast<Duration>(
      std::chrono::nanoseconds{static_cast<std::int64_t>(ns)})};
}

void save_list(const List& list, AgonesState::List& out) {
  out.set_capacity(list.capacity);
  out.mutable_values()->Assign(list.values.begin(), list.values.end());
}

List restored_list(const AgonesState::List& saved) {
  return {saved.capacity(), {saved.values().begin(), saved.values().end()}};
}

}  // namespace

void Record::save(AgonesState& out) const {
  out.set_state(static_cast<std::uint32_t>(state_));
  out.set_launched(to_ns(launched_));
  out.set_revision(revision_);
  out.mutable_labels()->insert(labels_.begin(), labels_.end());
  out.mutable_annotations()->insert(annotations_.begin(), annotations_.end());
  for (const auto& [name, counter] : settings_.counters) {
    AgonesState::Counter& saved = (*out.mutable_counters())[name];
    saved.set_count(counter.count);
    saved.set_capacity(counter.capacity);
  }
  for (const auto& [name, list] : settings_.lists) save_list(list, (*out.mutable_lists())[name]);
  save_list(players_, *out.mutable_players());
  if (reserved_until_) out.set_reserved_until(to_ns(*reserved_until_));
  out.set_health_watched(health_check_.has_value());
  out.set_match_id(match_id_);
}

void Record::restore(const AgonesState& saved, Time now) {
  if (saved.revision() == 0 || saved.state() > static_cast<std::uint32_t>(State::unhealthy)) return;
  state_ = static_cast<State>(saved.state());
  launched_ = from_ns(saved.launched());
  revision_ = saved.revision();
  labels_ = {saved.labels().begin(), saved.labels().end()};
  annotations_ = {saved.annotations().begin(), saved.annotations().end()};
  metadata_count_ = metadata_bytes_ = 0;
  for (const Texts* texts : {&labels_, &annotations_})
    for (const auto& [key, value] : *texts) {
      if (!key.starts_with(key_prefix)) continue;
      ++metadata_count_;
      metadata_bytes_ += key.size() + value.size();
    }
  for (const auto& [name, counter] : saved.counters())
    settings_.counters[name] = {counter.count(), counter.capacity()};
  for (const auto& [name, list] : saved.lists()) settings_.lists[name] = restored_list(list);
  players_ = restored_list(saved.players());
  reserved_until_.reset();
  if (saved.reserved_until() != 0) reserved_until_ = from_ns(saved.reserved_until());
  match_id_ = saved.match_id();
  if (saved.health_watched()) watch_health(now);
}

}  // namespace muster::agones
