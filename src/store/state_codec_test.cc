#include "store/state_codec.h"

#include <gtest/gtest.h>

namespace muster::store {
namespace {

using namespace std::chrono_literals;

core::Config config() {
  core::Config config;
  config.fleets.push_back({.name = "duel", .command = {"./duel", "{port}"}, .ports = {7000, 7003}});
  config.queues.push_back({.name = "duel", .players = 2});
  core::QueueConfig ranked{.name = "ranked", .players = 2, .teams = 2};
  ranked.rating_distance = 100;
  ranked.rules.push_back({"mode", "mode", core::RuleKind::any_of, {"ctf", "dm"}, 0});
  ranked.widen.push_back({"rating_distance", 100s, 5000});
  config.queues.push_back(ranked);
  config.queues.push_back({.name = "offered", .players = 3, .accept_timeout = 20s});
  return config;
}

/// A lobby in the middle of things: players away and here, tickets in both queues, a match, a
/// launch.
core::Core busy_core(Time& now) {
  core::Core core(config());
  core::Effects effects;
  const auto step = [&](const core::Event& event) { core.step(event, now += 1ms, effects); };
  step(core::NodeConnected{{0, 1}, "n", "127.0.0.1", {}});
  for (std::uint32_t i = 0; i < 7; ++i) {
    step(core::SessionOpened{{i, 1}});
    step(core::Hello{{i, 1}, 1, "player" + std::to_string(i), {}});
    if (i < 5) step(core::StartMatch{{i, 1}, 2, "duel", 1, {{"elo", 1200.0}}});
    if (i == 1) step(core::ServerReady{{0, 1}});
    if (i == 3) step(core::LaunchFailed{{1, 1}, core::LaunchError::port_taken, "taken"});
  }
  for (std::uint32_t i = 7; i < 10; ++i) {
    step(core::SessionOpened{{i, 1}});
    step(core::Hello{{i, 1}, 1, "player" + std::to_string(i), {}});
    if (i == 7) step(core::SetRating{{7, 1}, "ranked", 3000});
    step(core::StartMatch{{i, 1}, 2, "ranked", 1, {{"mode", std::string(i == 8 ? "dm" : "ctf")}}});
  }
  for (std::uint32_t i = 10; i < 14; ++i) {  // A party, and a match on offer.
    step(core::SessionOpened{{i, 1}});
    step(core::Hello{{i, 1}, 1, "player" + std::to_string(i), {}});
  }
  step(core::CreateParty{{10, 1}, 2, "ABCDEFGH"});
  step(core::JoinParty{{11, 1}, 2, "22222222"});
  step(core::JoinParty{{11, 1}, 3, "ABCDEFGH"});
  step(core::SetPartyAttributes{{11, 1}, 4, {{"role", "healer"}}});
  step(core::StartMatch{{12, 1}, 2, "offered", 1, {}});
  step(core::StartMatch{{13, 1}, 2, "offered", 1, {}});
  step(core::StartMatch{{10, 1}, 3, "offered", 1, {}});
  step(core::DeclineMatch{{12, 1}, 3});
  step(core::AcceptMatch{{11, 1}, 5});
  step(core::SessionClosed{{5, 1}});
  step(core::SessionClosed{{4, 1}});
  step(core::SessionClosed{{8, 1}});
  EXPECT_EQ(core.state().totals.offers, 2u);
  EXPECT_EQ(core.state().totals.penalties, 1u);
  return core;
}

std::string encoded(const core::Core& core) {
  std::string bytes;
  encode_state(core.state(), bytes);
  return bytes;
}

TEST(StateCodec, ALoadedCoreGoesOnAsTheFirstWould) {
  Time now{};
  core::Core core = busy_core(now);
  const std::string bytes = encoded(core);
  auto state = decode_state(bytes_of(bytes));
  ASSERT_TRUE(state);
  core::Core loaded(std::move(state));
  EXPECT_EQ(loaded.digest(), core.digest());
  EXPECT_EQ(encoded(loaded), bytes);

  const core::Event events[] = {
      core::LobbyStarted{10s},
      core::NodeConnected{{1, 1}, "n", "127.0.0.1", {{{0, 1}, "duel", 7000, 9, true, {0, 1}}}},
      core::SessionOpened{{0, 1}},
      core::ResumeSession{{0, 1}, 1, {4, 1}, {}},
      core::SessionOpened{{2, 1}},
      core::ResumeSession{{2, 1}, 1, {7, 1}, {}},
      core::SessionOpened{{3, 1}},
      core::ResumeSession{{3, 1}, 1, {9, 1}, {}},
      core::SessionOpened{{1, 1}},
      core::Hello{{1, 1}, 1, "new", {}},
      core::StartMatch{{1, 1}, 2, "duel", 1, {}},
      core::DeadlineReached{},
  };
  for (const core::Event& event : events) {
    SCOPED_TRACE(core::name_of(event));
    now += 40s;
    core::Effects one, two;
    core.step(event, now, one);
    loaded.step(event, now, two);
    EXPECT_EQ(one.size(), two.size());
    EXPECT_EQ(loaded.digest(), core.digest());
    EXPECT_EQ(encoded(loaded), encoded(core));
    EXPECT_EQ(loaded.next_deadline(), core.next_deadline());
  }
}

TEST(StateCodec, DamagedBytesAreRefusedOrHarmless) {
  Time now{};
  const std::string whole = encoded(busy_core(now));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(decode_state(bytes_of(whole).first(size))) << size;
  for (std::size_t at = 0; at < whole.size();
       ++at) {  // Snapshots have checksums; this may not crash.
    std::string bytes = whole;
    bytes[at] ^= 0x41;
    decode_state(bytes_of(bytes));
  }
}

}  // namespace
}  // namespace muster::store
