#include "agones/record.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "agones/match_metadata.h"
#include "proto/agones.pb.h"
#include "proto/game_server.pb.h"

namespace muster::agones {
namespace {

using std::chrono::seconds;

constexpr std::string_view last_allocated_key = "agones.dev/last-allocated";
constexpr std::int64_t reserve_seconds_max = 1'000'000'000;  // 31 years: never, within the clock.

Status error(Code code, std::string message) { return {code, std::move(message)}; }

std::int64_t epoch_seconds(Time time) {
  return std::chrono::floor<seconds>(time.time_since_epoch()).count();
}

std::string rfc3339(Time time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(epoch_seconds(time)));
}

template <class Map>
auto* find(Map& map, const std::string& name) {
  const auto found = map.find(name);
  return found == map.end() ? nullptr : &found->second;
}

Status no_counter(const std::string& name) {
  return error(Code::not_found, fmt::format("there is no counter \"{:.80}\": counters are declared "
                                            "in the fleet's configuration",
                                            name));
}
Status no_list(const std::string& name) {
  return error(Code::not_found, fmt::format("there is no list \"{:.80}\": lists are declared in "
                                            "the fleet's configuration",
                                            name));
}

Status too_many_values() {
  return error(Code::resource_exhausted,
               fmt::format("a game server's lists and players may have at most {} KiB together",
                           Record::values_bytes_max / 1024));
}

std::int32_t whole_seconds(Duration duration) {
  return static_cast<std::int32_t>(std::chrono::ceil<seconds>(duration).count());
}

}  // namespace

std::string_view to_string(State state) {
  constexpr std::string_view names[] = {"Scheduled", "Ready",    "Reserved",
                                        "Allocated", "Shutdown", "Unhealthy"};
  return names[static_cast<std::size_t>(state)];
}

Record::Record(Settings settings, Time launched)
    : settings_(std::move(settings)), launched_(launched) {
  labels_["agones.dev/fleet"] = settings_.fleet;
  players_.capacity = settings_.player_capacity;
}

std::vector<Fact> Record::take_facts() { return std::exchange(facts_, {}); }

void Record::become(State state) {
  reserved_until_.reset();
  state_ = state;
  ++revision_;
}

/// The match that was being played is over with it.
void Record::tell(Fact::Kind kind) {
  facts_.push_back({kind, match_id_, result()});
  forget_match();
}

void Record::forget_match() {
  match_id_.clear();
  remove_match(labels_);
  remove_match(annotations_);
  // The next match has a result of its own.
  const std::string key = std::string(key_prefix).append(result_key);
  const auto found = annotations_.find(key);
  if (found == annotations_.end()) return;
  metadata_bytes_ -= key.size() + found->second.size();
  --metadata_count_;
  annotations_.erase(found);
}

std::string Record::result() const {
  if (match_id_.empty()) return {};
  const auto found = annotations_.find(std::string(key_prefix).append(result_key));
  return found == annotations_.end() ? std::string() : found->second;
}

Status Record::ready(Time now) {
  if (final()) return {};
  watch_health(now);
  if (state_ == State::ready) return {};
  become(State::ready);
  tell(Fact::Kind::ready);
  return {};
}

/// While a match is being played there is nothing to add.
Status Record::allocate(Time now) {
  if (final()) return {};
  watch_health(now);
  if (state_ == State::allocated && !annotations_.contains(std::string(match_ended_key))) return {};
  become(State::allocated);
  tell(Fact::Kind::allocated);
  annotations_[std::string(last_allocated_key)] = rfc3339(now);
  return {};
}

Status Record::reserve(std::int64_t for_seconds, Time now) {
  if (for_seconds < 0)
    return error(Code::invalid_argument, "seconds must be 0 (until told otherwise) or more");
  if (final()) return {};
  watch_health(now);
  const bool again = state_ == State::reserved;
  become(State::reserved);
  if (for_seconds > 0) reserved_until_ = now + seconds{std::min(for_seconds, reserve_seconds_max)};
  if (!again) tell(Fact::Kind::reserved);
  return {};
}

Status Record::shutdown() {
  if (final()) return {};
  become(State::shutdown);
  tell(Fact::Kind::shutdown);
  return {};
}

Status Record::health(Time now) {
  health_heard_ = now;
  health_failures_ = 0;
  if (!final()) watch_health(now);
  return {};
}

/// From its first sign of life on; until then the lobby's launch_timeout watches it.
void Record::watch_health(Time now) {
  if (settings_.health.disabled || health_check_) return;
  health_heard_ = std::max(now, launched_ + settings_.health.initial_delay);
  health_check_ = health_heard_ + settings_.health.period;
}

std::optional<Time> Record::next_deadline() const {
  if (final()) return std::nullopt;
  if (!reserved_until_ || !health_check_) return reserved_until_ ? reserved_until_ : health_check_;
  return std::min(*reserved_until_, *health_check_);
}

void Record::deadlines(Time now) {
  if (!final() && reserved_until_ && *reserved_until_ <= now) ready(now);
  // A check that came late counts once: the node was busy, and so may the server have been.
  if (final() || !health_check_ || *health_check_ > now) return;
  if (now - health_heard_ >= settings_.health.period) ++health_failures_;
  health_check_ = now + settings_.health.period;
  if (health_failures_ < settings_.health.failures_max) return;
  become(State::unhealthy);
  tell(Fact::Kind::unhealthy);
}

// ---- Labels and annotations

Status Record::set_metadata(Texts& texts, const std::string& key, const std::string& value) {
  // With its prefix it is a name of at most 63 characters.
  if (key.empty() || !is_label_value("sdk-" + key))
    return error(Code::invalid_argument,
                 fmt::format("the key \"{:.80}\" must be 1 to 59 of A-Z a-z 0-9 . _ -, with a "
                             "letter or digit at its end",
                             key));
  const std::string full = std::string(key_prefix) + key;
  const auto found = texts.find(full);
  const bool is_new = found == texts.end();
  const std::size_t before = is_new ? 0 : full.size() + found->second.size();
  const std::size_t bytes = metadata_bytes_ - before + full.size() + value.size();
  if ((is_new && metadata_count_ >= metadata_max) || bytes > metadata_bytes_max)
    return error(Code::resource_exhausted,
                 fmt::format("a game server may set at most {} labels and annotations, of {} KiB "
                             "together",
                             metadata_max, metadata_bytes_max / 1024));
  metadata_count_ += is_new;
  metadata_bytes_ = bytes;
  texts[full] = value;
  ++revision_;
  return {};
}

Status Record::set_label(const std::string& key, const std::string& value) {
  if (!is_label_value(value))
    return error(Code::invalid_argument,
                 "a label's value must be at most 63 of A-Z a-z 0-9 . _ -, with a letter or digit "
                 "at both ends; an annotation may be any text");
  return set_metadata(labels_, key, value);
}

Status Record::set_annotation(const std::string& key, const std::string& value) {
  if (key == result_key && value.size() > result_bytes_max)
    return error(Code::invalid_argument,
                 fmt::format("a result has at most {} KiB", result_bytes_max / 1024));
  return set_metadata(annotations_, key, value);
}

// ---- Counters

Status Record::get_counter(const std::string& name, wire::agones::Counter& out) const {
  const Counter* const counter = find(settings_.counters, name);
  if (!counter) return no_counter(name);
  out.set_name(name);
  out.set_count(counter->count);
  out.set_capacity(counter->capacity);
  return {};
}

Status Record::update_counter(const std::string& name, const CounterUpdate& update) {
  Counter* const counter = find(settings_.counters, name);
  if (!counter) return no_counter(name);
  Counter next{update.count.value_or(counter->count), update.capacity.value_or(counter->capacity)};
  if (next.capacity < 0) return error(Code::out_of_range, "a capacity must be 0 or more");
  if (__builtin_add_overflow(next.count, update.difference, &next.count) || next.count < 0 ||
      next.count > next.capacity)
    return error(Code::out_of_range, fmt::format("counter \"{}\" must stay within 0 and its "
                                                 "capacity, {}",
                                                 name, next.capacity));
  if (next.count == counter->count && next.capacity == counter->capacity) return {};
  *counter = next;
  ++revision_;
  return {};
}

// ---- Lists and players

std::size_t Record::values_bytes() const {
  std::size_t bytes = 0;
  for (const std::string& value : players_.values) bytes += value.size();
  for (const auto& [name, list] : settings_.lists)
    for (const std::string& value : list.values) bytes += value.size();
  return bytes;
}

Status Record::check_value(const std::string& value) const {
  return values_bytes() + value.size() <= values_bytes_max ? Status{} : too_many_values();
}

Status Record::get_list(const std::string& name, wire::agones::List& out) const {
  const List* const list = find(settings_.lists, name);
  if (!list) return no_list(name);
  out.set_name(name);
  out.set_capacity(list->capacity);
  out.mutable_values()->Assign(list->values.begin(), list->values.end());
  return {};
}

Status Record::update_list(const std::string& name, ListUpdate update) {
  List* const list = find(settings_.lists, name);
  if (!list) return no_list(name);
  const std::int64_t capacity = update.capacity.value_or(list->capacity);
  if (capacity < 0 || capacity > list_capacity_max)
    return error(Code::out_of_range,
                 fmt::format("a list's capacity must be 0 to {}", list_capacity_max));
  std::vector<std::string> values;
  std::set<std::string_view> seen;
  std::size_t bytes = 0;
  for (const std::string& value : update.values ? *update.values : list->values) {
    if (static_cast<std::int64_t>(values.size()) == capacity) break;
    if (!seen.insert(value).second) continue;
    bytes += value.size();
    values.push_back(value);
  }
  std::size_t others = values_bytes();
  for (const std::string& value : list->values) others -= value.size();
  if (bytes + others > values_bytes_max) return too_many_values();
  list->capacity = capacity;
  list->values = std::move(values);
  ++revision_;
  return {};
}

Status Record::add_list_value(const std::string& name, const std::string& value) {
  List* const list = find(settings_.lists, name);
  if (!list) return no_list(name);
  if (std::ranges::find(list->values, value) != list->values.end())
    return error(Code::already_exists, fmt::format("list \"{}\" has that value already", name));
  if (static_cast<std::int64_t>(list->values.size()) >= list->capacity)
    return error(Code::out_of_range,
                 fmt::format("list \"{}\" is full: its capacity is {}", name, list->capacity));
  if (Status status = check_value(value); !status.ok()) return status;
  list->values.push_back(value);
  ++revision_;
  return {};
}

Status Record::remove_list_value(const std::string& name, const std::string& value) {
  List* const list = find(settings_.lists, name);
  if (!list) return no_list(name);
  const auto found = std::ranges::find(list->values, value);
  if (found == list->values.end())
    return error(Code::not_found, fmt::format("list \"{}\" does not have that value", name));
  list->values.erase(found);
  ++revision_;
  return {};
}

Status Record::player_connect(const std::string& id, bool& connected) {
  connected = false;
  if (id.empty()) return error(Code::invalid_argument, "playerID must not be empty");
  if (is_player_connected(id)) return {};
  if (static_cast<std::int64_t>(players_.values.size()) >= players_.capacity)
    return error(Code::out_of_range,
                 fmt::format("players are at their capacity, {}", players_.capacity));
  if (Status status = check_value(id); !status.ok()) return status;
  players_.values.push_back(id);
  connected = true;
  ++revision_;
  return {};
}

Status Record::player_disconnect(const std::string& id, bool& disconnected) {
  const auto found = std::ranges::find(players_.values, id);
  disconnected = found != players_.values.end();
  if (!disconnected) return {};
  players_.values.erase(found);
  ++revision_;
  return {};
}

bool Record::is_player_connected(const std::string& id) const {
  return std::ranges::find(players_.values, id) != players_.values.end();
}

Status Record::set_player_capacity(std::int64_t capacity) {
  if (capacity < 0) return error(Code::out_of_range, "a capacity must be 0 or more");
  players_.capacity = capacity;
  ++revision_;
  return {};
}

// ---- The lobby's side

void Record::start_match(const wire::game_server::MatchStarted& match, Time now) {
  if (final()) return;
  forget_match();
  become(State::allocated);
  match_id_ = match.match_id();
  add_match_labels(match, labels_);
  add_match_annotations(match, annotations_);
  annotations_[std::string(last_allocated_key)] = rfc3339(now);
}

void Record::remove_player(const std::string& match_id, const std::string& player_id) {
  if (match_id_ != match_id) return;
  remove_match_player(player_id, annotations_);
  ++revision_;
}

void Record::end_match(const std::string& match_id, const std::string& reason) {
  if (match_id_.empty() || match_id_ != match_id) return;
  match_id_.clear();
  annotations_[std::string(match_ended_key)] = reason;
  ++revision_;
}

void Record::stop() {
  if (!final()) become(State::shutdown);
}

void Record::show(wire::agones::GameServer& out) const {
  auto& meta = *out.mutable_object_meta();
  meta.set_name(settings_.name);
  meta.set_namespace_("default");
  meta.set_uid(settings_.uid);
  meta.set_resource_version(std::to_string(revision_));
  meta.set_generation(1);
  meta.set_creation_timestamp(epoch_seconds(launched_));
  meta.mutable_labels()->insert(labels_.begin(), labels_.end());
  meta.mutable_annotations()->insert(annotations_.begin(), annotations_.end());

  auto& health = *out.mutable_spec()->mutable_health();
  health.set_disabled(settings_.health.disabled);
  health.set_period_seconds(whole_seconds(settings_.health.period));
  health.set_failure_threshold(static_cast<std::int32_t>(settings_.health.failures_max));
  health.set_initial_delay_seconds(whole_seconds(settings_.health.initial_delay));

  auto& status = *out.mutable_status();
  status.set_state(std::string(to_string(state_)));
  status.set_address(settings_.address);
  for (const Port& port : settings_.ports) {
    auto& shown = *status.add_ports();
    shown.set_name(port.name);
    shown.set_port(port.port);
  }
  status.mutable_players()->set_capacity(players_.capacity);
  status.mutable_players()->set_count(static_cast<std::int64_t>(players_.values.size()));
  status.mutable_players()->mutable_ids()->Assign(players_.values.begin(), players_.values.end());
  for (const auto& [name, counter] : settings_.counters) {
    auto& shown = (*status.mutable_counters())[name];
    shown.set_count(counter.count);
    shown.set_capacity(counter.capacity);
  }
  for (const auto& [name, list] : settings_.lists) {
    auto& shown = (*status.mutable_lists())[name];
    shown.set_capacity(list.capacity);
    shown.mutable_values()->Assign(list.values.begin(), list.values.end());
  }
}

}  // namespace muster::agones
