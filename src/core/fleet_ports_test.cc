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
    EXPECT_EQ(main_ports(row.fleet.ports, port_offsets(row.fleet)), row.want);
  }
  EXPECT_EQ(servers_by_ports(fleet({7000, 7009}, {{"query", {27000, 27001}, 0, {}}})), 2u);
  EXPECT_EQ(servers_by_ports(fleet({7000, 7009}, {at_offset("query", 1)})), 5u);
}

TEST(FleetPorts, AreGivenAllOrNone) {
  const FleetConfig config =
      fleet({7000, 7009}, {{"query", {27000, 27001}, 0, {}}, at_offset("rcon", 1)});
  PortPool main(config.ports, port_offsets(config));
  std::vector<NamedPool> named = named_pools(config);
  const auto first = acquire_ports(config, main, named, start);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->main, 7000);
  EXPECT_EQ(first->named, (NamedPorts{{"query", 27000}, {"rcon", 7001}}));
  EXPECT_EQ(acquire_ports(config, main, named, start)->named,
            (NamedPorts{{"query", 27001}, {"rcon", 7003}}));
  EXPECT_FALSE(acquire_ports(config, main, named, start)) << "there is no query port left";
  EXPECT_EQ(main.free_count(), 3u) << "and so no main port was taken";
  EXPECT_FALSE(ports_return(main, named, start));
  named[0].pool.set_aside(27000, start + seconds{10});
  EXPECT_EQ(ports_return(main, named, start), start + seconds{10});
  EXPECT_FALSE(acquire_ports(config, main, named, start + seconds{9}));
  EXPECT_EQ(acquire_ports(config, main, named, start + seconds{10})->named[0].port, 27000);
}

TEST(PortPool, ComesBackWhenItsNeighboursHave) {
  PortPool pool({7000, 7003}, {1});
  EXPECT_EQ(pool.acquire(start), 7000);
  pool.release(7000);
  EXPECT_EQ(pool.free_count(), 1u);
  EXPECT_EQ(pool.used_count(), 1u);
  pool.set_aside(7001, start + seconds{10});
  EXPECT_EQ(pool.next_return(), start + seconds{10}) << "the whole of it rests";
  EXPECT_TRUE(pool.acquire_exactly(7003)) << "found running";
  EXPECT_FALSE(pool.acquire_exactly(7003));
  EXPECT_FALSE(pool.available(start)) << "7002 is not given while its neighbour is in use";
}

}  // namespace
}  // namespace muster::core
