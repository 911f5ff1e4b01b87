// Every story of tests/scenarios, told by cores that are saved and loaded after every step:
// whatever the codec lost or changed, the story would go on otherwise.
#include <gtest/gtest.h>

#include "core/scenario_test.h"
#include "store/state_codec.h"

namespace muster::store {
namespace {

/// Through bytes, and through them again: what is loaded must be saved as the same bytes.
std::unique_ptr<core::State> through_bytes(const core::State& state) {
  std::string first, second;
  encode_state(state, first);
  auto loaded = decode_state(bytes_of(first));
  if (!loaded) return nullptr;
  encode_state(*loaded, second);
  EXPECT_EQ(first, second) << "a loaded state is saved as other bytes";
  return loaded;
}

/// Before main(), like the stories' own registration.
const bool connected = [] {
  core::scenario_through_bytes = through_bytes;
  return true;
}();

TEST(ScenarioBytes, AreGoneThrough) {
  ASSERT_TRUE(connected);
  core::Config config;
  core::configure(config, core::ScenarioLine("fleet duel ports=7000-7001"));
  core::configure(config, core::ScenarioLine("queue duel players=2"));
  int times = 0;
  core::scenario_through_bytes = [&](const core::State& state) {
    ++times;
    return through_bytes(state);
  };
  core::Scenario scenario(config);
  scenario.play("node-connected n1", {});
  core::scenario_through_bytes = through_bytes;
  EXPECT_GT(times, 0);
}

}  // namespace
}  // namespace muster::store
