#include "server/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX's.

#include <fstream>
#include <map>
#include <set>
#include <string>

#include "core/config.h"

namespace muster::server {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string fleet_head =
    "[[fleet]]\nname = \"duel\"\ncommand = [\"/bin/duel\", \"{port}\"]\nports = \"7000-7009\"\n";

class Reload : public testing::Test {
 protected:
  Reload() {
    std::string pattern = (fs::temp_directory_path() / "muster-reload-XXXXXX").string();
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    machine_.address = "192.0.2.10";
    machine_.look_for_programs = false;
  }
  ~Reload() override { fs::remove_all(folder_); }

  void write(const std::string& text) { std::ofstream(folder_ / "muster.toml") << text; }
  ServerConfig start(const std::string& text) {
    write(text);
    auto config = load_config(folder_ / "muster.toml", machine_);
    EXPECT_TRUE(config);
    return config ? std::move(*config) : ServerConfig{};
  }
  ConfigResult reload(const ServerConfig& running, const std::string& text) {
    write(text);
    return reload_config(running, machine_);
  }

  fs::path folder_;
  Machine machine_;
};

std::string lobby(const std::string& keys, const std::string& limits = "") {
  return "[lobby]\n" + keys + "\n[limits]\n" + limits + "\n" + fleet_head +
         "[[queue]]\nname = \"duel\"\nfleet = \"duel\"\n";
}

TEST_F(Reload, TakesWhatTheFileSaysNow) {
  const ServerConfig running = start(lobby(""));
  const auto next = reload(running, lobby("resume_grace = \"5s\"") + "players = 7\n");
  ASSERT_TRUE(next);
  EXPECT_EQ(next->core.resume_grace, core::seconds{5});
  EXPECT_EQ(next->core.queues[0].players, 7u);
  EXPECT_THAT(next->warnings, testing::IsEmpty());
  EXPECT_EQ(next->file, running.file);
}

TEST_F(Reload, AnythingWrongIsSaidAsAtTheStart) {
  const ServerConfig running = start(lobby(""));
  const std::string wrong = lobby("lisen = 4") + "players = 0\n";
  const auto next = reload(running, wrong);
  ASSERT_FALSE(next);
  const auto started = load_config(folder_ / "muster.toml", machine_);
  ASSERT_FALSE(started);
  ASSERT_EQ(next.error().size(), 2u);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(to_string(next.error()[i]), to_string(started.error()[i]));
  fs::remove(folder_ / "muster.toml");
  EXPECT_FALSE(reload_config(running, machine_)) << "it is gone";
}

/// Another value of each key of [lobby] and [limits]: it is taken, or named as one that waits for
/// the next start.
TEST_F(Reload, EveryKeyIsTakenOrNamed) {
  const std::map<std::string, std::string> values{
      {"lobby.listen", "\"0.0.0.0:4101\""},  {"lobby.admin", "\"127.0.0.1:4181\""},
      {"lobby.classic", "\"off\""},          {"lobby.classic_guests", "false"},
      {"lobby.logins", "\"any\""},           {"limits.results_outstanding_max", "5"},
      {"lobby.classic_queue", "\"duel\""},   {"lobby.data", "\"elsewhere\""},
      {"lobby.host", "\"play.example\""},    {"lobby.resume_grace", "\"7s\""},
      {"lobby.port_set_aside", "\"7s\""},    {"limits.players_max", "77"},
      {"limits.sessions_max", "77"},         {"limits.attributes_max", "7"},
      {"limits.party_size_max", "7"},        {"limits.hello_timeout", "\"7s\""},
      {"limits.frame_timeout", "\"7s\""},    {"limits.ping_interval", "\"7s\""},
      {"limits.silence_timeout", "\"77s\""}, {"limits.message_bytes_max", "\"7KiB\""},
      {"limits.messages_per_second", "7"},   {"limits.outbound_bytes_max", "\"7KiB\""},
  };
  const std::set<std::string> taken{"lobby.classic_queue",   "lobby.resume_grace",
                                    "lobby.port_set_aside",  "limits.players_max",
                                    "limits.attributes_max", "limits.results_outstanding_max",
                                    "limits.party_size_max"};
  const ServerConfig running = start(lobby(""));
  std::size_t keys = 0;
  for (const ConfigKey& key : config_keys()) {
    if (key.table != "lobby" && key.table != "limits") continue;
    const std::string name = key.table + "." + key.name;
    SCOPED_TRACE(name);
    ASSERT_TRUE(values.contains(name)) << "a new key: taken, or only at a start?";
    ++keys;
    const std::string line = key.name + " = " + values.at(name);
    const auto next = reload(running, key.table == "lobby" ? lobby(line) : lobby("", line));
    ASSERT_TRUE(next);
    if (taken.contains(name)) {
      EXPECT_THAT(next->warnings, testing::IsEmpty());
      continue;
    }
    ASSERT_EQ(next->warnings.size(), 1u);
    EXPECT_EQ(next->warnings[0].key, name);
    EXPECT_THAT(next->warnings[0].text, HasSubstr("when the lobby is started again"));
    EXPECT_NE(std::ranges::count(keys_for_restart(), name), 0);
  }
  EXPECT_EQ(keys, keys_for_restart().size() + taken.size());
}

/// Another value of each key of a fleet: it makes another launch template, or it does not.
TEST_F(Reload, EveryKeyOfAFleetMakesAnotherVersionOrNone) {
  struct Row {
    const char* value;
    bool version;
  };
  const std::map<std::string, Row> rows{
      {"name", {"\"arena\"", false}},
      {"command", {"[\"/bin/duel\", \"{port}\", \"-v\"]", true}},
      {"env", {"{ MODE = \"hard\" }", true}},
      {"working_directory", {"\"/srv\"", true}},
      {"ports", {"\"7000-7010\"", false}},
      {"protocol", {"\"tcp\"", true}},
      {"sdk", {"\"classic\"", true}},
      {"ready_min", {"1", false}},
      {"ready_max", {"5", false}},
      {"servers_max", {"5", false}},
      {"launch_timeout", {"\"7s\"", false}},
      {"launch_attempts_max", {"7", false}},
      {"after_match", {"\"exit\"", false}},
      {"idle_timeout", {"\"7s\"", false}},
      {"scale_to_zero_after", {"\"7s\"", false}},
      {"crash_loop_after", {"7", false}},
      {"match_timeout", {"\"7s\"", false}},
      {"stop_grace", {"\"7s\"", false}},
      {"health_timeout", {"\"7s\"", true}},
      {"fork", {"true", false}},  // Copies are what plain launches are.
      {"log_bytes_max", {"\"7MiB\"", true}},
      {"log_files_max", {"7", true}},
      {"counters", {"{ rooms = { capacity = 7 } }", true}},
      {"lists", {"{ players = { capacity = 7 } }", true}},
  };
  const auto version_with = [&](const std::string& key, const std::string& value) {
    std::map<std::string, std::string> keys{{"name", "\"duel\""},
                                            {"command", "[\"/bin/duel\", \"{port}\"]"},
                                            {"ports", "\"7000-7009\""}};
    if (!key.empty()) keys[key] = value;
    if (key == "counters" || key == "lists") keys["sdk"] = "\"agones\"";
    std::string text = "[[fleet]]\n";
    for (const auto& [name, written] : keys) text += name + " = " + written + "\n";
    const auto config = parse_config(text, "muster.toml", "/srv/game", machine_);
    EXPECT_TRUE(config);
    return config ? core::launch_version(config->core.fleets[0]) : 0;
  };
  const std::uint32_t plain = version_with("", "");
  EXPECT_NE(plain, 0u);
  std::set<std::uint32_t> versions{plain};
  for (const ConfigKey& key : config_keys()) {
    if (key.table != "fleet") continue;
    SCOPED_TRACE(key.name);
    ASSERT_TRUE(rows.contains(key.name)) << "a new key: does it go to the node with a launch?";
    const Row& row = rows.at(key.name);
    const std::uint32_t version = version_with(key.name, row.value);
    if (row.version)
      EXPECT_TRUE(versions.insert(version).second) << "its own version";
    else
      EXPECT_EQ(version, plain);
  }
}

/// Game servers that run are known by it after an upgrade of the lobby: it must not change.
TEST(LaunchVersion, IsTheSameForEver) {
  core::FleetConfig fleet;
  EXPECT_EQ(core::version_text(core::launch_version(fleet)), "e17d05ac");
  fleet.command = {"./duel", "{port}"};
  fleet.env = {{"MODE", "duel"}};
  EXPECT_EQ(core::version_text(core::launch_version(fleet)), "955d21d4");
  EXPECT_EQ(core::version_text(0), "unknown");
}

}  // namespace
}  // namespace muster::server
