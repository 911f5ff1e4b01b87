#pragma once
// The kinds of value that a key of a TOML file can have. For config_file and population_file.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"
#include "server/config_values.h"
#include "server/toml.h"

namespace muster::server {

/// One key of a table. `read` stores the value in T, or says what is wrong with it.
template <class T>
struct Field {
  std::string name;
  std::string type;
  std::string fallback;
  std::string range;
  std::function<std::string(T&, const toml::node&)> read;
};
inline constexpr std::string_view required = "required";

inline std::string wrong_type(const toml::node& node, std::string_view want) {
  const char* what = "a table";
  if (node.is_string()) what = "a string";
  if (node.is_integer() || node.is_floating_point()) what = "a number";
  if (node.is_boolean()) what = "true or false";
  if (node.is_array()) what = "a list";
  if (node.is_date() || node.is_time() || node.is_date_time()) what = "a date or time";
  return fmt::format("is {}; must be {}", what, want);
}

/// A string without zero bytes, which neither an argument, a variable nor a path can have.
inline std::string read_text(std::string& out, const toml::node& node, std::size_t bytes_max) {
  const auto text = node.value_exact<std::string>();
  if (!text) return wrong_type(node, "a string");
  if (text->size() > bytes_max)
    return fmt::format("is {} bytes long; must be at most {}", text->size(), bytes_max);
  if (text->find('\0') != std::string::npos) return "has a zero byte in it";
  out = *text;
  return {};
}

// Access is how to get at the value in a T: a function from T& to a reference to it. The defaults
// shown are those of a T{}, so they cannot differ from what the code does.

template <class T, class Access>
Field<T> duration(std::string name, Access access, Duration min, Duration max) {
  T defaults{};
  std::string range = fmt::format("{} to {}", format_duration(min), format_duration(max));
  return {std::move(name), "duration", format_duration(access(defaults)), range,
          [=](T& out, const toml::node& node) -> std::string {
            const auto text = node.value_exact<std::string>();
            if (!text) return wrong_type(node, "a string with a unit, such as \"30s\"");
            const auto value = parse_duration(*text);
            if (!value) return value.error();
            if (*value < min || *value > max) return fmt::format("is {}; must be {}", *text, range);
            access(out) = *value;
            return {};
          }};
}

template <class T, class Access>
Field<T> count(std::string name, Access access, std::uint32_t min, std::uint32_t max) {
  T defaults{};
  std::string range = fmt::format("{} to {}", min, max);
  return {std::move(name), "number", std::to_string(access(defaults)), range,
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.value_exact<std::int64_t>();
            if (!value) return wrong_type(node, "a whole number, " + range);
            if (*value < min || *value > max)
              return fmt::format("is {}; must be {}", *value, range);
            access(out) = static_cast<std::uint32_t>(*value);
            return {};
          }};
}

template <class T, class Access>
Field<T> bytes(std::string name, Access access, std::uint64_t min, std::uint64_t max) {
  T defaults{};
  std::string range = fmt::format("{} to {}", format_bytes(min), format_bytes(max));
  return {std::move(name), "size", format_bytes(access(defaults)), range,
          [=](T& out, const toml::node& node) -> std::string {
            const auto text = node.value_exact<std::string>();
            if (!text) return wrong_type(node, "a string with a unit, such as \"10MiB\"");
            const auto value = parse_bytes(*text);
            if (!value) return value.error();
            if (*value < min || *value > max) return fmt::format("is {}; must be {}", *text, range);
            access(out) = static_cast<std::remove_reference_t<decltype(access(out))>>(*value);
            return {};
          }};
}

template <class T, class Access>
Field<T> boolean(std::string name, Access access) {
  T defaults{};
  return {std::move(name), "boolean", access(defaults) ? "true" : "false", "true, false",
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.value_exact<bool>();
            if (!value) return wrong_type(node, "true or false");
            access(out) = *value;
            return {};
          }};
}

template <class T, class Access, class Value>
Field<T> choice(std::string name, Access access,
                const std::vector<std::pair<std::string_view, Value>>& of) {
  T defaults{};
  std::vector<std::string_view> words;
  std::string fallback;
  for (const auto& [word, value] : of) {
    words.push_back(word);
    if (value == access(defaults)) fallback = word;
  }
  std::string range = fmt::format("{}", fmt::join(words, ", "));
  return {std::move(name), "choice", fallback, range,
          [=](T& out, const toml::node& node) -> std::string {
            const auto text = node.value_exact<std::string>();
            if (!text) return wrong_type(node, "one of " + range);
            for (const auto& [word, value] : of) {
              if (word != *text) continue;
              access(out) = value;
              return {};
            }
            return fmt::format("is \"{:.60}\"; must be one of {}{}", *text, range,
                               did_you_mean(*text, words));
          }};
}

template <class T, class Access>
Field<T> text(std::string name, Access access, std::size_t bytes_max,
              std::string_view fallback = {}) {
  T defaults{};
  CHECK(access(defaults).empty(), "a text's default is empty, and `fallback` says what that means");
  return {std::move(name), "text", std::string(fallback.empty() ? "empty" : fallback),
          fmt::format("at most {} bytes", bytes_max),
          [=](T& out, const toml::node& node) -> std::string {
            std::string value;
            const std::string problem = read_text(value, node, bytes_max);
            if (problem.empty()) access(out) = value;
            return problem;
          }};
}

/// A path; made absolute by the checks.
template <class T, class Access>
Field<T> path(std::string name, Access access) {
  T defaults{};
  return {std::move(name), "path", access(defaults).string(), "1 to 4096 bytes",
          [=](T& out, const toml::node& node) -> std::string {
            std::string value;
            std::string problem = read_text(value, node, 4096);
            if (problem.empty() && value.empty()) problem = "is empty; must be a path";
            if (problem.empty()) access(out) = value;
            return problem;
          }};
}

/// The name of a fleet or queue.
template <class T, class Access>
Field<T> own_name(Access access) {
  return {"name", "name", std::string(required), "[a-z0-9-], 1 to 32 characters",
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.value_exact<std::string>();
            if (!value) return wrong_type(node, "a string");
            if (!is_config_name(*value))
              return fmt::format("is \"{:.60}\"; must be 1 to 32 of a-z, 0-9 and -", *value);
            access(out) = *value;
            return {};
          }};
}

/// A name that is another table's.
template <class T, class Access>
Field<T> other_name(std::string name, Access access, std::string_view fallback = required) {
  Field<T> field = own_name<T>(access);
  field.fallback = fallback;
  field.name = std::move(name);
  field.range = "the name of a [[fleet]]";
  return field;
}

template <class T, class Access>
Field<T> address(std::string name, Access access) {
  T defaults{};
  return {std::move(name), "address", access(defaults), "IP:port, port 0 to 65535",
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.value_exact<std::string>();
            if (!value) return wrong_type(node, "a string, such as \"127.0.0.1:4100\"");
            const auto parsed = parse_address(*value);
            if (!parsed) return parsed.error();
            access(out) = format_address(*parsed);
            return {};
          }};
}

/// A whole number that may be below zero.
template <class T, class Access>
Field<T> integer(std::string name, Access access, std::int32_t min, std::int32_t max) {
  T defaults{};
  std::string range = fmt::format("{} to {}", min, max);
  return {std::move(name), "number", std::to_string(access(defaults)), range,
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.value_exact<std::int64_t>();
            if (!value) return wrong_type(node, "a whole number, " + range);
            if (*value < min || *value > max)
              return fmt::format("is {}; must be {}", *value, range);
            access(out) = static_cast<std::int32_t>(*value);
            return {};
          }};
}

/// For one whose default, zero, means that there is none.
template <class T>
Field<T> no_limit(Field<T> field) {
  field.fallback = "no limit";
  return field;
}

// Those whose values the core keeps as something other than what is written.

/// Cores: 1, 1.5; kept as thousandths.
template <class T, class Access>
Field<T> cores(std::string name, Access access, std::uint32_t thousandths_min,
               std::uint32_t thousandths_max) {
  std::string range =
      fmt::format("{:g} to {:g}", thousandths_min / 1000.0, thousandths_max / 1000.0);
  return {std::move(name), "number", "no limit", range,
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.value<double>();
            if (!value || node.is_string()) return wrong_type(node, "a number of cores, as 1.5");
            const double thousandths = *value * 1000;  // Also not a number is not in range.
            if (!(thousandths >= thousandths_min && thousandths <= thousandths_max))
              return fmt::format("is {:g}; must be {}", *value, range);
            access(out) = static_cast<std::uint32_t>(std::lround(thousandths));
            return {};
          }};
}

template <class T, class Access>
Field<T> ports(std::string name, Access access) {
  return {std::move(name), "ports", std::string(required), "1 to 65535, as \"7000-7999\"",
          [=](T& out, const toml::node& node) -> std::string {
            const auto number = node.value_exact<std::int64_t>();
            const auto written = node.value_exact<std::string>();
            if (!number && !written) return wrong_type(node, "a string, such as \"7000-7999\"");
            const auto parsed = parse_ports(number ? std::to_string(*number) : *written);
            if (!parsed) return parsed.error();
            access(out) = *parsed;
            return {};
          }};
}

/// A list of strings, not empty.
template <class T, class Access>
Field<T> texts(std::string name, Access access, std::size_t count_max, std::size_t bytes_max) {
  return {std::move(name), "list", std::string(required),
          fmt::format("1 to {} texts of at most {} bytes", count_max, bytes_max),
          [=](T& out, const toml::node& node) -> std::string {
            const toml::array* const list = node.as_array();
            if (!list)
              return wrong_type(node, "a list of strings, such as [\"./server\", \"{port}\"]");
            if (list->empty() || list->size() > count_max)
              return fmt::format("has {} elements; must have 1 to {}", list->size(), count_max);
            std::vector<std::string> values;
            for (const toml::node& element : *list) {
              std::string problem = read_text(values.emplace_back(), element, bytes_max);
              if (!problem.empty()) return fmt::format("element {}: {}", values.size(), problem);
            }
            if (values.front().empty()) return "begins with an empty string; must be the program";
            access(out) = std::move(values);
            return {};
          }};
}

inline std::string read_number(std::int64_t& out, const toml::node& node, std::int64_t max) {
  const auto value = node.value_exact<std::int64_t>();
  if (!value) return wrong_type(node, "a whole number");
  if (*value < 0 || *value > max) return fmt::format("is {}; must be 0 to {}", *value, max);
  out = *value;
  return {};
}

/// A table whose keys are the names of things, and whose values are tables of what each starts
/// with: `read(thing, key, value)` says what is wrong.
template <class T, class Access, class Read>
Field<T> named_things(std::string name, Access access, std::size_t count_max, std::string range,
                      const std::string& example, Read read) {
  return {std::move(name), "table", "none", std::move(range),
          [=](T& out, const toml::node& node) -> std::string {
            const toml::table* const things = node.as_table();
            if (!things) return wrong_type(node, "a table, such as " + example);
            if (things->size() > count_max)
              return fmt::format("has {}; must have at most {}", things->size(), count_max);
            auto& all = access(out);
            all.clear();
            for (const auto& [key, value] : *things) {
              auto& thing = all.emplace_back();
              thing.name = key.str();
              if (!is_agones_name(thing.name))
                return fmt::format("\"{:.60}\" cannot be a name: 1 to 63 of A-Z a-z 0-9 . _ -",
                                   thing.name);
              const toml::table* const members = value.as_table();
              if (!members)
                return fmt::format("{} {}", thing.name,
                                   wrong_type(value, "a table, such as " + example));
              for (const auto& [member, inner] : *members) {
                const std::string problem = read(thing, member.str(), inner);
                if (!problem.empty())
                  return fmt::format("{}.{:.60} {}", thing.name, member.str(), problem);
              }
              if (const std::string problem = read(thing, "", node); !problem.empty())
                return fmt::format("{} {}", thing.name, problem);
            }
            return {};
          }};
}

/// Counters of the Agones SDK.
template <class T, class Access>
Field<T> counters(std::string name, Access access) {
  return named_things<T>(
      std::move(name), access, 64, "at most 64 of { count, capacity }",
      "rooms = { count = 0, capacity = 10 }",
      [](core::AgonesCounter& counter, std::string_view key, const toml::node& node) {
        constexpr auto most = std::numeric_limits<std::int64_t>::max();
        if (key == "count") return read_number(counter.count, node, most);
        if (key == "capacity") return read_number(counter.capacity, node, most);
        if (!key.empty())
          return std::string("is no key of a counter; there are count and capacity");
        return counter.count <= counter.capacity
                   ? std::string{}
                   : fmt::format("has a count of {}, which is more than its capacity, {}",
                                 counter.count, counter.capacity);
      });
}

/// Lists of the Agones SDK.
template <class T, class Access>
Field<T> lists(std::string name, Access access) {
  return named_things<T>(
      std::move(name), access, 64, "at most 64 of { values, capacity }, capacity 0 to 1000",
      "players = { values = [], capacity = 100 }",
      [](core::AgonesList& list, std::string_view key, const toml::node& node) -> std::string {
        if (key == "capacity") return read_number(list.capacity, node, 1000);
        if (key == "values") {
          const toml::array* const values = node.as_array();
          if (!values) return wrong_type(node, "a list of strings");
          for (const toml::node& element : *values) {
            const std::string problem = read_text(list.values.emplace_back(), element, 256);
            if (!problem.empty()) return fmt::format("element {}: {}", list.values.size(), problem);
            if (std::count(list.values.begin(), list.values.end(), list.values.back()) > 1)
              return fmt::format("has \"{}\" twice", list.values.back());
            if (list.values.size() > 1000) return "has more than 1000 values";
          }
          return {};
        }
        if (!key.empty()) return "is no key of a list; there are values and capacity";
        if (static_cast<std::int64_t>(list.values.size()) <= list.capacity) return {};
        return fmt::format("has {} values, which is more than its capacity, {}", list.values.size(),
                           list.capacity);
      });
}

/// A table of environment variables.
template <class T, class Access>
Field<T> variables(std::string name, Access access, std::size_t count_max, std::size_t bytes_max) {
  return {std::move(name), "table", "none",
          fmt::format("at most {} texts of at most {} bytes", count_max, bytes_max),
          [=](T& out, const toml::node& node) -> std::string {
            const toml::table* const table = node.as_table();
            if (!table) return wrong_type(node, "a table of strings");
            if (table->size() > count_max)
              return fmt::format("has {} variables; must have at most {}", table->size(),
                                 count_max);
            std::vector<std::pair<std::string, std::string>> values;
            for (const auto& [key, value] : *table) {
              if (!is_variable_name(key.str()))
                return fmt::format(
                    "\"{:.60}\" cannot be a variable's name: letters, digits and _, "
                    "not a digit first",
                    key.str());
              auto& [variable, text] = values.emplace_back();
              variable = key.str();
              const std::string problem = read_text(text, value, bytes_max);
              if (!problem.empty()) return fmt::format("{}: {}", variable, problem);
            }
            access(out) = std::move(values);
            return {};
          }};
}

}  // namespace muster::server
