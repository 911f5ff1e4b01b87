#pragma once
// What must hold between the keys of a configuration, and between it and the machine. Part of
// config_file.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/config_file.h"

namespace muster::server {

/// Where the keys of one table were written.
struct ConfigLines {
  int table = 0;
  std::map<std::string, int, std::less<>> keys;

  bool has(std::string_view key) const { return keys.find(key) != keys.end(); }
  int of(std::string_view key) const {
    const auto found = keys.find(key);
    return found == keys.end() ? table : found->second;
  }
};

/// A rule as it is written: whether it needs a limit depends on its kind.
struct WrittenRule {
  core::RuleConfig rule;
  std::optional<std::int64_t> limit;  // Thousandths.
};

/// A region as it was written: its fleet is found from the name.
struct WrittenRegion {
  core::RegionConfig region;
  std::string fleet;
};

/// The tables inside a [[queue]], and where their keys were written. Those of teams and widenings
/// are in the queue itself.
struct QueueParts {
  std::vector<WrittenRule> rules;
  std::vector<WrittenRegion> regions;
  std::vector<ConfigLines> team_lines, rule_lines, widen_lines, region_lines;
};

/// A configuration whose values are each in range. What could not be read is left as it was.
struct ConfigDraft {
  ServerConfig config;
  ConfigLines lobby;
  ConfigLines limits;
  std::vector<ConfigLines> fleets;        // Beside config.core.fleets.
  std::vector<ConfigLines> queues;        // Beside config.core.queues.
  std::vector<QueueParts> queue_parts;    // The same.
  std::vector<std::string> queue_fleets;  // Names; config.core.queues[i].fleet is found from them.
};

class ConfigProblems {
 public:
  explicit ConfigProblems(std::string file) : file_(std::move(file)) {}

  void error(int line, std::string key, std::string text) {
    add({file_, line, std::move(key), std::move(text), false});
    failed_ = true;
  }
  /// In another file: a template.
  void error(std::string file, int line, std::string text) {
    add({std::move(file), line, "", std::move(text), false});
    failed_ = true;
  }
  void warn(int line, std::string key, std::string text) {
    add({file_, line, std::move(key), std::move(text), true});
  }
  bool failed() const { return failed_; }
  /// In the order of the file; then those of its templates.
  std::vector<ConfigProblem> take();

 private:
  struct Found {
    ConfigProblem problem;
    std::size_t order = 0;
  };
  void add(ConfigProblem problem) { all_.push_back({std::move(problem), all_.size()}); }

  std::string file_;
  std::vector<Found> all_;
  bool failed_ = false;
};

/// Finds what is wrong, and fills in what depends on other keys: the fleets of queues, the host,
/// absolute paths.
void check_config(ConfigDraft& draft, const std::filesystem::path& folder, const Machine& machine,
                  ConfigProblems& problems);

}  // namespace muster::server
