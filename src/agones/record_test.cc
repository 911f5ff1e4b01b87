#include "agones/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "agones/match_metadata.h"
#include "agones/test_host.h"
#include "proto/agones.pb.h"
#include "proto/game_server.pb.h"

namespace muster::agones {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using Kind = Fact::Kind;

constexpr Time start{seconds{1'800'000'000}};

wire::agones::GameServer shown(const Record& record) {
  wire::agones::GameServer server;
  record.show(server);
  return server;
}
std::string annotation(const Record& record, const std::string& key) {
  const auto server = shown(record);
  const auto found = server.object_meta().annotations().find(key);
  return found == server.object_meta().annotations().end() ? "-" : found->second;
}
std::string label(const Record& record, const std::string& key) {
  const auto server = shown(record);
  const auto found = server.object_meta().labels().find(key);
  return found == server.object_meta().labels().end() ? "-" : found->second;
}

wire::game_server::MatchStarted match(const std::string& id = "9.1") {
  wire::game_server::MatchStarted match;
  match.set_match_id(id);
  match.set_queue("duel");
  match.set_map("de dust");
  auto& ann = *match.add_players();
  ann.set_player_id("1.1");
  ann.set_name("ann");
  ann.set_seats(1);
  auto& rank = *ann.add_attributes();
  rank.set_name("rank");
  rank.set_number(12);
  auto& bob = *match.add_players();
  bob.set_player_id("2.1");
  bob.set_name("bob");
  bob.set_team(1);
  bob.set_seats(1);
  return match;
}

TEST(Record, StatesAndWhatTheLobbyHearsOfThem) {
  // What the game server says, or "match" and "end" for what the lobby does; the state after it and
  // the facts that came of all of it.
  struct Row {
    const char* name;
    std::vector<const char*> said;
    State state;
    std::vector<Kind> facts;
  };
  const Row rows[] = {
      {"launched", {}, State::scheduled, {}},
      {"ready", {"ready"}, State::ready, {Kind::ready}},
      {"ready twice is once", {"ready", "ready"}, State::ready, {Kind::ready}},
      {"allocates itself", {"ready", "allocate"}, State::allocated, {Kind::ready, Kind::allocated}},
      {"also before Ready", {"allocate"}, State::allocated, {Kind::allocated}},
      {"twice is once", {"allocate", "allocate"}, State::allocated, {Kind::allocated}},
      {"recycles itself", {"allocate", "ready"}, State::ready, {Kind::allocated, Kind::ready}},
      {"reserves itself", {"ready", "reserve"}, State::reserved, {Kind::ready, Kind::reserved}},
      {"reserving again is no news", {"reserve", "reserve"}, State::reserved, {Kind::reserved}},
      {"reserved, then allocated",
       {"reserve", "allocate"},
       State::allocated,
       {Kind::reserved, Kind::allocated}},
      {"plays a match", {"ready", "match"}, State::allocated, {Kind::ready}},
      {"allocated already", {"ready", "match", "allocate"}, State::allocated, {Kind::ready}},
      {"a match after which it is Ready",
       {"ready", "match", "ready"},
       State::ready,
       {Kind::ready, Kind::ready}},
      {"a match while it is reserved, as the lobby did not know",
       {"ready", "reserve", "match"},
       State::allocated,
       {Kind::ready, Kind::reserved}},
      {"shuts down", {"ready", "shutdown"}, State::shutdown, {Kind::ready, Kind::shutdown}},
      {"shuts down before Ready", {"shutdown"}, State::shutdown, {Kind::shutdown}},
      {"after which nothing counts",
       {"shutdown", "ready", "allocate", "reserve", "shutdown"},
       State::shutdown,
       {Kind::shutdown}},
      {"stopped by the lobby", {"ready", "stop", "ready"}, State::shutdown, {Kind::ready}},
      {"a match that the lobby ends", {"ready", "match", "end"}, State::allocated, {Kind::ready}},
      {"and Ready after it",
       {"ready", "match", "end", "ready"},
       State::ready,
       {Kind::ready, Kind::ready}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Record record(test_settings(), start);
    for (const std::string_view said : row.said) {
      Status status;
      if (said == "ready") status = record.ready(start);
      if (said == "allocate") status = record.allocate(start);
      if (said == "reserve") status = record.reserve(30, start);
      if (said == "shutdown") status = record.shutdown();
      if (said == "match") record.start_match(match(), start);
      if (said == "end") record.end_match("9.1", "timed_out");
      if (said == "stop") record.stop();
      EXPECT_TRUE(status.ok()) << status.message;
    }
    EXPECT_EQ(to_string(record.state()), to_string(row.state));
    std::vector<Kind> facts;
    for (const Fact& fact : record.take_facts()) facts.push_back(fact.kind);
    EXPECT_EQ(facts, row.facts);
  }
}

TEST(Record, WhatEndsAMatchCarriesItsIdAndResult) {
  struct Row {
    const char* name;
    std::function<void(Record&)> end;
    Kind kind;
  };
  const Row rows[] = {
      {"ready", [](Record& r) { r.ready(start); }, Kind::ready},
      {"reserve", [](Record& r) { r.reserve(0, start); }, Kind::reserved},
      {"shutdown", [](Record& r) { r.shutdown(); }, Kind::shutdown},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Record record(test_settings(), start);
    record.ready(start);
    record.set_annotation("muster-result", "of nothing");
    record.start_match(match(), start);
    EXPECT_EQ(annotation(record, "agones.dev/sdk-muster-result"), "-") << "each match has its own";
    EXPECT_TRUE(record.set_annotation("muster-result", R"({"winner":1})").ok());
    EXPECT_EQ(record.result(), R"({"winner":1})");
    record.take_facts();
    row.end(record);
    const auto facts = record.take_facts();
    ASSERT_EQ(facts.size(), 1u);
    EXPECT_EQ(facts[0].kind, row.kind);
    EXPECT_EQ(facts[0].match_id, "9.1");
    EXPECT_EQ(facts[0].result, R"({"winner":1})");
    EXPECT_EQ(record.match_id(), "");
    EXPECT_EQ(label(record, "muster.dev/match-id"), "-");
    EXPECT_EQ(annotation(record, "muster.dev/roster"), "-");
  }
}

TEST(Record, AMatchIsToldByLabelsAndAnnotations) {
  Record record(test_settings(), start);
  record.ready(start);
  const auto before = record.revision();
  record.start_match(match(), start + seconds{5});
  EXPECT_GT(record.revision(), before) << "watchers are told";
  EXPECT_EQ(label(record, "muster.dev/match-id"), "9.1");
  EXPECT_EQ(label(record, "muster.dev/queue"), "duel");
  EXPECT_EQ(label(record, "muster.dev/map"), "-") << "it has a space, which no label may";
  EXPECT_EQ(annotation(record, "muster.dev/map"), "de dust");
  EXPECT_EQ(annotation(record, "muster.dev/players"), "1.1,2.1");
  EXPECT_EQ(annotation(record, "muster.dev/roster"),
            R"([{"playerId":"1.1","name":"ann","team":0,"seats":1,"attributes":{"rank":1.2E1}},)"
            R"({"playerId":"2.1","name":"bob","team":1,"seats":1,"attributes":{}}])");
  EXPECT_EQ(annotation(record, "agones.dev/last-allocated"), "2027-01-15T08:00:05Z");

  record.remove_player("8.1", "1.1");
  EXPECT_EQ(annotation(record, "muster.dev/players"), "1.1,2.1") << "of another match";
  record.remove_player("9.1", "1.1");
  EXPECT_EQ(annotation(record, "muster.dev/players"), "2.1");
  EXPECT_THAT(annotation(record, "muster.dev/roster"), testing::Not(testing::HasSubstr("ann")));

  record.end_match("8.1", "timed_out");
  EXPECT_EQ(annotation(record, "muster.dev/match-ended"), "-");
  record.end_match("9.1", "timed_out");
  EXPECT_EQ(annotation(record, "muster.dev/match-ended"), "timed_out");
  record.ready(start);
  EXPECT_EQ(annotation(record, "muster.dev/match-ended"), "-");
  EXPECT_EQ(label(record, "agones.dev/fleet"), "duel") << "that stays";
}

TEST(Record, ReserveGoesBackToReadyByItself) {
  struct Row {
    const char* name;
    std::int64_t seconds;
    std::function<void(Record&)> then;
    std::optional<Time> due;
  };
  auto settings = test_settings();
  settings.health.disabled = true;
  const auto nothing = [](Record&) {};
  const Row rows[] = {
      {"after its seconds", 30, nothing, start + seconds{30}},
      {"never, with 0", 0, nothing, std::nullopt},
      {"not once Ready", 30, [](Record& r) { r.ready(start); }, std::nullopt},
      {"not once allocated", 30, [](Record& r) { r.allocate(start); }, std::nullopt},
      {"not once shut down", 30, [](Record& r) { r.shutdown(); }, std::nullopt},
      {"not once a match is there", 30, [](Record& r) { r.start_match(match(), start); }, {}},
      {"later, if reserved again", 30, [](Record& r) { r.reserve(60, start); },
       start + seconds{60}},
      {"not in any clock's time", std::numeric_limits<std::int64_t>::max(), nothing,
       start + seconds{1'000'000'000}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Record record(settings, start);
    EXPECT_TRUE(record.reserve(row.seconds, start).ok());
    row.then(record);
    EXPECT_EQ(record.next_deadline(), row.due);
    if (!row.due) continue;
    record.take_facts();
    record.deadlines(*row.due - std::chrono::nanoseconds{1});
    EXPECT_EQ(record.state(), State::reserved);
    record.deadlines(*row.due);
    EXPECT_EQ(record.state(), State::ready);
    EXPECT_EQ(record.take_facts().at(0).kind, Kind::ready);
  }
  Record record(settings, start);
  EXPECT_EQ(record.reserve(-1, start).code, Code::invalid_argument);
}

/// Runs the deadlines as a node does, until a time.
void run(Record& record, Time until) {
  while (const auto due = record.next_deadline()) {
    if (*due > until) return;
    record.deadlines(*due);
  }
}

TEST(Record, HealthIsWatchedByPeriodAndThreshold) {
  struct Row {
    const char* name;
    Health health;
    std::vector<int> ready_and_pings;  // Seconds since launch.
    std::optional<int> unhealthy;
  };
  const Health usual{false, seconds{5}, 3, seconds{5}};
  const Row rows[] = {
      {"silent after Ready", usual, {1}, 20},
      {"each ping counts from its time on", usual, {1, 8, 14}, 30},
      {"threshold of one", {false, seconds{5}, 1, seconds{0}}, {1}, 6},
      {"a long initial delay", {false, seconds{5}, 3, seconds{60}}, {1}, 75},
      {"never, when disabled", {true, seconds{5}, 3, seconds{5}}, {1}, std::nullopt},
      {"never, before it has said anything: the lobby's launch_timeout watches", usual, {}, {}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    auto settings = test_settings();
    settings.health = row.health;
    Record record(settings, start);
    for (const int at : row.ready_and_pings) {
      run(record, start + seconds{at});
      at == row.ready_and_pings.front() ? record.ready(start + seconds{at})
                                        : record.health(start + seconds{at});
    }
    record.take_facts();
    if (!row.unhealthy) {
      run(record, start + seconds{100000});
      EXPECT_NE(record.state(), State::unhealthy);
      continue;
    }
    run(record, start + seconds{*row.unhealthy} - std::chrono::nanoseconds{1});
    EXPECT_NE(record.state(), State::unhealthy);
    run(record, start + seconds{*row.unhealthy});
    EXPECT_EQ(record.state(), State::unhealthy);
    EXPECT_EQ(record.take_facts().at(0).kind, Kind::unhealthy);
    EXPECT_TRUE(record.ready(start).ok());
    EXPECT_EQ(record.state(), State::unhealthy) << "for good";
    EXPECT_EQ(record.next_deadline(), std::nullopt);
  }
}

TEST(Record, PingsInTimeKeepItHealthy) {
  auto settings = test_settings();
  Record record(settings, start);
  record.ready(start);
  for (int i = 1; i < 100; ++i) {
    run(record, start + seconds{7 * i});
    record.health(start + seconds{7 * i});
  }
  EXPECT_EQ(record.state(), State::ready) << "every second period is missed, never three in a row";
  record.deadlines(start + seconds{100'000});
  EXPECT_EQ(record.state(), State::ready) << "a check that comes late counts once";
}

TEST(Record, LabelsAndAnnotations) {
  struct Row {
    const char* name;
    bool is_label;
    std::string key, value;
    Code want;
  };
  const Row rows[] = {
      {"a label", true, "color", "red", Code::ok},
      {"an empty label", true, "color", "", Code::ok},
      {"a label that is long", true, "color", std::string(63, 'x'), Code::ok},
      {"a label that is too long", true, "color", std::string(64, 'x'), Code::invalid_argument},
      {"a label with spaces", true, "color", "dark red", Code::invalid_argument},
      {"a label that ends in a dot", true, "color", "red.", Code::invalid_argument},
      {"an annotation is any text", false, "color", "dark red, \"ünïcode\"", Code::ok},
      {"no key", false, "", "x", Code::invalid_argument},
      {"a key with a space", false, "a b", "x", Code::invalid_argument},
      {"a key with a folder", false, "a/b", "x", Code::invalid_argument},
      {"a key that ends in a dash", false, "a-", "x", Code::invalid_argument},
      {"a key that is long", false, std::string(59, 'k'), "x", Code::ok},
      {"a key that is too long", false, std::string(60, 'k'), "x", Code::invalid_argument},
      {"a result", false, "muster-result", std::string(16384, 'x'), Code::ok},
      {"a result that is too long", false, "muster-result", std::string(16385, 'x'),
       Code::invalid_argument},
      {"too much of it", false, "big", std::string(64 * 1024, 'x'), Code::resource_exhausted},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Record record(test_settings(), start);
    const auto before = record.revision();
    const Status status = row.is_label ? record.set_label(row.key, row.value)
                                       : record.set_annotation(row.key, row.value);
    EXPECT_EQ(status.code, row.want) << status.message;
    EXPECT_EQ(status.ok(), status.message.empty());
    EXPECT_EQ(record.revision(), before + status.ok());
    const std::string full = "agones.dev/sdk-" + row.key;
    EXPECT_EQ(row.is_label ? label(record, full) : annotation(record, full),
              status.ok() ? row.value : "-");
  }
}

TEST(Record, WhatAGameServerSetsIsBounded) {
  Record record(test_settings(), start);
  for (std::size_t i = 0; i < Record::metadata_max; ++i)
    ASSERT_TRUE(record.set_label("k" + std::to_string(i), "v").ok());
  EXPECT_EQ(record.set_annotation("one-more", "v").code, Code::resource_exhausted);
  EXPECT_TRUE(record.set_label("k1", "again").ok()) << "another value for a known key";
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(record.set_label("k1", std::string(60, 'x')).ok());
    EXPECT_TRUE(record.set_label("k1", "").ok());
  }
}

TEST(Record, Counters) {
  using Update = Record::CounterUpdate;
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  struct Row {
    const char* name;
    Update update;
    Code want;
    std::int64_t count, capacity;  // After it; 1 of 10 before.
  };
  const Row rows[] = {
      {"nothing", {}, Code::ok, 1, 10},
      {"set", {{}, 3, 0}, Code::ok, 3, 10},
      {"set to 0", {{}, 0, 0}, Code::ok, 0, 10},
      {"add", {{}, {}, 9}, Code::ok, 10, 10},
      {"subtract", {{}, {}, -1}, Code::ok, 0, 10},
      {"over its capacity", {{}, {}, 10}, Code::out_of_range, 1, 10},
      {"below 0", {{}, {}, -2}, Code::out_of_range, 1, 10},
      {"set over its capacity", {{}, 11, 0}, Code::out_of_range, 1, 10},
      {"capacity first, then count, then the difference", {20, 18, 2}, Code::ok, 20, 20},
      {"all or nothing", {20, 18, 3}, Code::out_of_range, 1, 10},
      {"capacity below the count", {0, {}, 0}, Code::out_of_range, 1, 10},
      {"capacity below 0", {-1, 0, 0}, Code::out_of_range, 1, 10},
      {"a sum that no number holds", {most, most, most}, Code::out_of_range, 1, 10},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Record record(test_settings(), start);
    const Status status = record.update_counter("rooms", row.update);
    EXPECT_EQ(status.code, row.want) << status.message;
    wire::agones::Counter counter;
    EXPECT_TRUE(record.get_counter("rooms", counter).ok());
    EXPECT_EQ(counter.count(), row.count);
    EXPECT_EQ(counter.capacity(), row.capacity);
    EXPECT_EQ(shown(record).status().counters().at("rooms").count(), row.count);
  }
  Record record(test_settings(), start);
  wire::agones::Counter counter;
  EXPECT_EQ(record.get_counter("doors", counter).code, Code::not_found);
  EXPECT_EQ(record.update_counter("doors", {}).code, Code::not_found);
}

TEST(Record, Lists) {
  struct Row {
    const char* name;
    std::function<Status(Record&)> change;
    Code want;
    std::vector<std::string> values;  // After it; a, b before.
    std::int64_t capacity = 3;
  };
  const auto update = [](std::optional<std::int64_t> capacity,
                         std::optional<std::vector<std::string>> values) {
    return [=](Record& r) { return r.update_list("names", {capacity, values}); };
  };
  const auto add = [](const char* value) {
    return [=](Record& r) { return r.add_list_value("names", value); };
  };
  const auto remove = [](const char* value) {
    return [=](Record& r) { return r.remove_list_value("names", value); };
  };
  const Row rows[] = {
      {"add", add("c"), Code::ok, {"a", "b", "c"}},
      {"add what is there", add("a"), Code::already_exists, {"a", "b"}},
      {"case counts", add("A"), Code::ok, {"a", "b", "A"}},
      {"remove", remove("a"), Code::ok, {"b"}},
      {"remove what is not there", remove("x"), Code::not_found, {"a", "b"}},
      {"a new capacity", update(2, {}), Code::ok, {"a", "b"}, 2},
      {"values past the capacity are cut off", update(1, {}), Code::ok, {"a"}, 1},
      {"none at all", update(0, {}), Code::ok, {}, 0},
      {"new values", update({}, {{"x", "y"}}), Code::ok, {"x", "y"}},
      {"too many are cut", update({}, {{"w", "x", "y", "z"}}), Code::ok, {"w", "x", "y"}},
      {"each once", update({}, {{"x", "x", "y"}}), Code::ok, {"x", "y"}},
      {"no values", update({}, {{}}), Code::ok, {}},
      {"the greatest capacity", update(1000, {}), Code::ok, {"a", "b"}, 1000},
      {"one greater", update(1001, {}), Code::out_of_range, {"a", "b"}},
      {"below 0", update(-1, {}), Code::out_of_range, {"a", "b"}},
      {"too large",
       add(std::string(257 * 1024, 'x').c_str()),
       Code::resource_exhausted,
       {"a", "b"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    auto settings = test_settings();
    settings.lists["names"] = {3, {"a", "b"}};
    Record record(settings, start);
    if (std::string_view(row.name) == "too large") {
      EXPECT_EQ(record.add_list_value("names", std::string(257 * 1024, 'x')).code, row.want);
    } else {
      const Status status = row.change(record);
      EXPECT_EQ(status.code, row.want) << status.message;
    }
    wire::agones::List list;
    EXPECT_TRUE(record.get_list("names", list).ok());
    EXPECT_THAT(list.values(), testing::ElementsAreArray(row.values));
    EXPECT_EQ(list.capacity(), row.capacity);
  }
  Record record(test_settings(), start);
  wire::agones::List list;
  EXPECT_EQ(record.get_list("x", list).code, Code::not_found);
  EXPECT_EQ(record.update_list("x", {}).code, Code::not_found);
  EXPECT_EQ(record.add_list_value("x", "v").code, Code::not_found);
  EXPECT_EQ(record.remove_list_value("x", "v").code, Code::not_found);
}

TEST(Record, ListsAreBoundedTogether) {
  Settings settings;
  settings.lists["one"] = {};
  settings.lists["two"] = {};
  Record record(settings, start);
  std::vector<std::string> values;
  for (int i = 0; i < 200; ++i) values.push_back(std::to_string(i) + std::string(1000, 'x'));
  EXPECT_TRUE(record.update_list("one", {{}, values}).ok());
  EXPECT_EQ(record.update_list("two", {{}, values}).code, Code::resource_exhausted);
  EXPECT_TRUE(record.update_list("one", {{}, values}).ok()) << "what it replaces does not count";
  values.resize(100);
  EXPECT_TRUE(record.update_list("one", {{}, values}).ok());
  EXPECT_TRUE(record.update_list("two", {{}, values}).ok());
  Record empty(settings, start);
  for (int i = 0; i < 300; ++i) values.push_back(std::to_string(i) + std::string(1000, 'y'));
  EXPECT_EQ(empty.update_list("one", {{}, values}).code, Code::resource_exhausted);
}

TEST(Record, AFullListTakesNoMore) {
  auto settings = test_settings();
  settings.lists["names"] = {1, {"a"}};
  Record record(settings, start);
  EXPECT_EQ(record.add_list_value("names", "b").code, Code::out_of_range);
  EXPECT_EQ(record.add_list_value("names", "a").code, Code::already_exists);
}

TEST(Record, Players) {
  Record record(test_settings(), start);
  bool did = false;
  const auto connect = [&](const char* id) { return record.player_connect(id, did).code; };
  EXPECT_EQ(connect("p1"), Code::ok);
  EXPECT_TRUE(did);
  EXPECT_EQ(connect("p1"), Code::ok);
  EXPECT_FALSE(did) << "is there already";
  EXPECT_EQ(connect("p2"), Code::ok);
  EXPECT_EQ(connect("p3"), Code::out_of_range);
  EXPECT_EQ(connect(""), Code::invalid_argument);
  EXPECT_TRUE(record.is_player_connected("p1"));
  EXPECT_FALSE(record.is_player_connected("p3"));
  EXPECT_THAT(record.players(), ElementsAre("p1", "p2"));
  EXPECT_EQ(shown(record).status().players().count(), 2);
  EXPECT_TRUE(record.player_disconnect("p1", did).ok() && did);
  EXPECT_TRUE(record.player_disconnect("p1", did).ok() && !did);
  EXPECT_EQ(record.set_player_capacity(-1).code, Code::out_of_range);
  EXPECT_TRUE(record.set_player_capacity(0).ok()) << "those who are there stay";
  EXPECT_THAT(record.players(), ElementsAre("p2"));
  EXPECT_EQ(connect("p4"), Code::out_of_range);
}

TEST(Record, ShowsEverything) {
  Record record(test_settings(), start);
  const auto server = shown(record);
  EXPECT_EQ(server.object_meta().name(), "duel-1.1");
  EXPECT_EQ(server.object_meta().creation_timestamp(), 1'800'000'000);
  EXPECT_EQ(server.spec().health().period_seconds(), 5);
  EXPECT_EQ(server.status().state(), "Scheduled");
  EXPECT_EQ(server.status().address(), "127.0.0.1");
  EXPECT_EQ(server.status().ports(0).name(), "default");
  EXPECT_EQ(server.status().ports(0).port(), 7000);
  EXPECT_THAT(server.status().lists().at("players").values(),
              ElementsAre("test0", "test1", "test2"));
}

}  // namespace
}  // namespace muster::agones
