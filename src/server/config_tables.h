#pragma once
// Reading the tables of a TOML file: each key by its field, and every problem with its line. For
// config_file and population_file.

#include <fmt/format.h>

#include <algorithm>
#include <expected>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config_check.h"
#include "server/config_fields.h"

namespace muster::server {

/// Or what is wrong with the file, to be read after its name.
std::expected<std::string, std::string> read_config_text(const std::filesystem::path& file);

constexpr std::size_t entries_max = 256;  // Tables of one name: fleets; queues.

inline int line_of(const toml::node& node) { return static_cast<int>(node.source().begin.line); }
inline int line_of(const toml::key& key) { return static_cast<int>(key.source().begin.line); }

/// A table within a table, [fleet.limits]. The checks know its keys as "limits.memory".
template <class T>
struct Subtable {
  std::string name;
  std::function<ConfigLines(const toml::table&, std::string_view name, T&, ConfigProblems&)> read;
};

/// Reads one table of the file into `out` and tells where its keys were.
/// `tables` are the tables in it that are read by others.
template <class T>
ConfigLines read_table(const toml::table& table, std::string_view name,
                       const std::vector<Field<T>>& fields, T& out, ConfigProblems& problems,
                       const std::vector<Subtable<T>>& subtables = {},
                       std::span<const std::string_view> tables_within = {}) {
  ConfigLines lines;
  lines.table = line_of(table);
  std::vector<std::string_view> known;
  for (const Field<T>& field : fields) known.emplace_back(field.name);
  for (const Subtable<T>& subtable : subtables) known.emplace_back(subtable.name);
  known.insert(known.end(), tables_within.begin(), tables_within.end());
  for (const auto& [key, node] : table) {
    if (std::ranges::find(tables_within, key.str()) != tables_within.end()) {
      lines.keys.emplace(key.str(), line_of(key));
      continue;
    }
    const auto field = std::ranges::find(fields, key.str(), &Field<T>::name);
    const std::string full = fmt::format("{}.{:.60}", name, key.str());
    const auto subtable = std::ranges::find(subtables, key.str(), &Subtable<T>::name);
    if (subtable != subtables.end()) {
      lines.keys.emplace(subtable->name, line_of(key));
      if (!node.is_table()) {
        problems.error(line_of(key), full, fmt::format("must be a table: [{}]", full));
        continue;
      }
      const ConfigLines inner = subtable->read(*node.as_table(), full, out, problems);
      for (const auto& [inner_key, line] : inner.keys)
        lines.keys.emplace(fmt::format("{}.{}", subtable->name, inner_key), line);
      continue;
    }
    if (field == fields.end()) {
      lines.keys.emplace("?", line_of(key));  // It may be what somebody else is going to miss.
      problems.error(line_of(key), full,
                     fmt::format("there is no such key{}", did_you_mean(key.str(), known)));
      continue;
    }
    lines.keys.emplace(field->name, line_of(key));
    const std::string problem = field->read(out, node);
    if (!problem.empty()) problems.error(line_of(key), full, problem);
  }
  for (const Field<T>& field : fields)
    if (field.fallback == required && !lines.has(field.name))
      problems.error(lines.table, fmt::format("{}.{}", name, field.name),
                     "is missing, and has no default");
  return lines;
}

inline const toml::table* table_at(const toml::table& root, std::string_view name,
                                   ConfigProblems& problems) {
  const toml::node* const node = root.get(name);
  if (!node) return nullptr;
  if (!node->is_table())
    problems.error(line_of(*node), std::string(name), fmt::format("must be a table: [{}]", name));
  return node->as_table();
}

/// Calls f for each [[full]], which are those of that name in `root`.
template <class F>
void for_each_table(const toml::table& root, std::string_view name, std::string_view full,
                    ConfigProblems& problems, F&& f) {
  const toml::node* const node = root.get(name);
  if (!node) return;
  const toml::array* const array = node->as_array();
  if (!array || !(array->empty() || array->is_homogeneous(toml::node_type::table))) {
    problems.error(line_of(*node), std::string(full),
                   fmt::format("there can be several: write [[{}]], with two brackets", full));
    return;
  }
  if (array->size() > entries_max) {
    problems.error(line_of(*node), std::string(full),
                   fmt::format("there are {}; must be at most {}", array->size(), entries_max));
    return;
  }
  for (const toml::node& element : *array) f(*element.as_table());
}

/// Tables by a name of the user's own, each read into an element.
template <class Read>
ConfigLines read_named_tables(const toml::table& table, std::string_view name,
                              ConfigProblems& problems, Read&& read) {
  ConfigLines lines;
  for (const auto& [key, node] : table) {
    const std::string full = fmt::format("{}.{:.60}", name, key.str());
    const toml::table* const inner = node.as_table();
    if (!inner) {
      problems.error(line_of(key), full, wrong_type(node, "a table"));
      continue;
    }
    const std::string own(key.str());
    lines.keys.emplace(own, line_of(key));
    for (const auto& [inner_key, line] : read(own, *inner, full, line_of(key)).keys)
      lines.keys.emplace(fmt::format("{}.{}", own, inner_key), line);
  }
  return lines;
}

}  // namespace muster::server
