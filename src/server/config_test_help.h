#pragma once
// For tests of the configuration file: texts, a folder with files, and the documentation of keys.

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX's.

#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/config_file.h"

namespace muster::server {

/// A machine on which nothing is looked for, so that a test is about its text alone.
inline Machine plain_machine() {
  Machine machine;
  machine.uid = 1000;
  machine.uid_of = [](const std::string& user) -> std::optional<std::uint32_t> {
    if (user == "me") return 1000;
    if (user == "games") return 5;
    return std::nullopt;
  };
  machine.address = "192.0.2.10";
  machine.ephemeral_ports = {32768, 60999};
  machine.look_for_programs = false;
  return machine;
}

inline ConfigResult parse(const std::string& text, const Machine& machine = plain_machine()) {
  return parse_config(text, "muster.toml", "/srv/game", machine);
}

inline std::string shown(const std::vector<ConfigProblem>& problems) {
  std::string all;
  for (const ConfigProblem& p : problems) all += to_string(p) + "\n";
  return all;
}

/// Each key has its row in a table of the page, with its default and range, below a heading that
/// ends with its [table]; and each row has its key. Returns the number of keys.
inline std::size_t expect_documented(const std::vector<ConfigKey>& keys, const std::string& page,
                                     std::string_view heading) {
  std::ifstream in(page);
  EXPECT_TRUE(in) << page << " is missing";
  std::set<std::string> rows;
  std::string table;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(heading)) {
      const std::size_t open = line.find_last_of('[');
      const std::size_t close = line.find(']');
      table = open == std::string::npos ? "" : line.substr(open + 1, close - open - 1);
    }
    if (line.starts_with("| `") && !table.empty()) {
      std::size_t end = 0;  // Of the fourth column.
      for (int column = 0; column < 5; ++column) end = line.find('|', end) + 1;
      rows.insert(table + " " + line.substr(0, end));
    }
  }
  // The parts of a query, which is a value: their table has two columns.
  std::erase_if(rows, [](const std::string& row) { return row.find('`') == std::string::npos; });
  std::set<std::string> wanted;
  for (const ConfigKey& key : keys)
    wanted.insert(key.table + " | `" + key.name + "` | " + key.type + " | " + key.fallback + " | " +
                  key.range + " |");
  for (const std::string& row : wanted) EXPECT_TRUE(rows.contains(row)) << "not there: " << row;
  for (const std::string& row : rows) EXPECT_TRUE(wanted.contains(row)) << "no such key: " << row;
  return wanted.size();
}

// Line 1 on; rows below are appended, so that their first line is 11.
inline const std::string good =
    "[[fleet]]\n"
    "name = \"duel\"\n"
    "command = [\"bin/duel\", \"{port}\"]\n"
    "ports = \"7000-7009\"\n"
    "\n"
    "[[queue]]\n"
    "name = \"duel\"\n"
    "fleet = \"duel\"\n"
    "players = 2\n"
    "\n";

/// A folder with a program, a file that is none, and a subfolder.
class ConfigOnDisk : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "muster-config-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    std::ofstream(folder_ / "server") << "#!/bin/sh\n";
    std::filesystem::permissions(folder_ / "server", std::filesystem::perms::owner_all);
    std::ofstream(folder_ / "notes") << "text";
    std::filesystem::create_directory(folder_ / "sub");
    machine_ = plain_machine();
    machine_.look_for_programs = true;
    machine_.search_path = "relative:" + folder_.string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  ConfigResult load(const std::string& command, const std::string& more = "") {
    std::ofstream(folder_ / "muster.toml")
        << "[[fleet]]\nname = \"f\"\nports = 7000\ncommand = [\"" << command << "\"]\n"
        << more << "[[queue]]\nname = \"q\"\nfleet = \"f\"\n";
    return load_config(folder_ / "muster.toml", machine_);
  }

  std::filesystem::path folder_;
  Machine machine_;
};

}  // namespace muster::server
