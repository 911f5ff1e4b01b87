#pragma once
// For tests and fuzz targets: a record whose calls come by a connection, at a time that the test says.

#include "agones/calls.h"
#include "agones/protocol.h"

namespace muster::agones {

inline Settings test_settings() {
  Settings settings{.name = "duel-1.1", .uid = "1.1", .fleet = "duel", .address = "127.0.0.1"};
  settings.ports = {{"default", 7000}};
  settings.counters["rooms"] = {1, 10};
  settings.lists["players"] = {100, {"test0", "test1", "test2"}};
  settings.player_capacity = 2;
  return settings;
}

class TestHost : public Host {
 public:
  explicit TestHost(Settings settings = test_settings()) : record(std::move(settings), now) {}
  Status call(Method method, const Message& request, Message& reply) override {
    ++calls;
    return agones::call(record, method, request, reply, now);
  }

  Time now{std::chrono::seconds{1'800'000'000}};
  Record record;
  int calls = 0;
};

}  // namespace muster::agones
