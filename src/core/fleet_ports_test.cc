#include "core/fleet_ports.h"

#include <gtest/gtest.h>

namespace muster::core {
namespace {

constexpr Time start{};

FleetConfig fleet(PortRange ports, std::vector<PortConfig> named = {}) {
  FleetConfig config;
  config.ports = ports;
  config.named_ports = std::move(named);
  return config;
}
PortConfig at_offset(const char* name, std::uint16_t offset) { return {name, {}, offset, {}}; }

TEST(MainPorts, LeaveRoomForThoseAtTheirOffsets) {
  using Ports = std::vector<std::uint16_t>;
  struct Row {
    const char* name;
    FleetConfig fleet;
    Ports want;
  };
  const Row rows[] = {
      {"all, if there are no others", fleet({7000, 7003}), {7000, 7001, 7002, 7003}},
      {"every second", fleet({7000, 7004}, {at_offset("query", 1)}), {7000, 7002}},
      {"two neighbours", fleet({7000, 7006}, {at_offset("a", 1), at_offset("b", 2)}), {7000, 7003}},
      {"far apart, as many as fit",
       fleet({7000, 7007}, {at_offset("rcon", 3)}),
       {7000, 7001, 7002}},
      {"a range of its own takes none here",
       fleet({7000, 7001}, {{"query", {27000, 27001}, 0, {}}}),
       {7000, 7001}},
      {"no room", fleet({7000, 7001}, {at_offset("rcon", 2)}), {}},
      {"to the last port there is", fleet({65534, 65535}), {65534, 65535}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(main_ports(row.fleet), row.want);
  }
  EXPECT_EQ(servers_by_ports(fleet({7000, 7009}, {{"query", {27000, 27001}, 0, {}}})), 2u);
  EXPECT_EQ(servers_by_ports(fleet({7000, 7009}, {at_offset("query", 1)})), 5u);
}

TEST(FleetPorts, AreGivenAllOrNone) {
  FleetPorts ports(fleet({7000, 7009}, {{"query", {27000, 27001}, 0, {}}, at_offset("rcon", 1)}));
  const auto first = ports.acquire(start);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->main, 7000);
  EXPECT_EQ(first->named, (NamedPorts{{"query", 27000}, {"rcon", 7001}}));
  const auto second = ports.acquire(start);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->named, (NamedPorts{{"query", 27001}, {"rcon", 7003}}));
  EXPECT_FALSE(ports.acquire(start)) << "there is no query port left";
  EXPECT_EQ(ports.free_count(), 3u) << "and so no main port was taken";
  EXPECT_FALSE(ports.next_return(start));
  ports.release(*first);
  EXPECT_EQ(ports.acquire(start)->named[0].port, 27000);
}

TEST(FleetPorts, OnlyTheTakenOneIsSetAside) {
  FleetPorts ports(fleet({7000, 7005}, {{"query", {27000, 27001}, 0, {}}, at_offset("rcon", 1)}));
  const auto set_aside = [&] {
    std::vector<std::uint16_t> all;
    for (const auto& [until, port] : ports.aside()) all.push_back(port);
    for (const auto& [until, port] : ports.named()[0].pool.aside()) all.push_back(port);
    return all;
  };
  const Time until = start + seconds{60};
  ports.release(*ports.acquire(start), 27000, until);
  EXPECT_EQ(set_aside(), (std::vector<std::uint16_t>{27000}));
  ports.release(*ports.acquire(start), 0, until);
  EXPECT_EQ(set_aside(), (std::vector<std::uint16_t>{7002, 27000})) << "0 is the main one";
  ports.release(*ports.acquire(start), 7005, until);
  EXPECT_EQ(set_aside(), (std::vector<std::uint16_t>{7002, 7004, 27000}))
      << "its neighbour goes with it";
  ASSERT_EQ(ports.acquire(start)->main, 7000);
  EXPECT_FALSE(ports.acquire(start));
  EXPECT_EQ(ports.next_return(start), until);
}

TEST(FleetPorts, ComeBackWhenEveryKindHas) {
  FleetPorts ports(fleet({7000, 7000}, {{"query", {27000, 27000}, 0, {}}}));
  const auto both = ports.acquire(start);
  ports.set_aside(*both, start + seconds{10});
  EXPECT_EQ(ports.next_return(start), start + seconds{10});
  EXPECT_FALSE(ports.acquire(start + seconds{9}));
  EXPECT_TRUE(ports.acquire(start + seconds{10}));
}

TEST(FleetPorts, AreTakenBackAsTheyWere) {
  FleetPorts ports(fleet({7000, 7005}, {{"query", {27000, 27001}, 0, {}}, at_offset("rcon", 1)}));
  const auto whole = ports.acquire_exactly({7002, {{"rcon", 7003}, {"query", 27001}}});
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->named, (NamedPorts{{"query", 27001}, {"rcon", 7003}}));
  EXPECT_FALSE(ports.acquire_exactly({7002, {}})) << "in use";
  EXPECT_FALSE(ports.acquire_exactly({7001, {}})) << "no main port";
  const auto part = ports.acquire_exactly({7000, {{"query", 27001}, {"rcon", 7004}}});
  ASSERT_TRUE(part);
  EXPECT_TRUE(part->named.empty()) << "one is in use, the other at no offset of its";
  ports.release(*part);
  ports.release(*whole);
  EXPECT_EQ(ports.free_count(), ports.count());
}

}  // namespace
}  // namespace muster::core
