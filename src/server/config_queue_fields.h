#pragma once
// The keys of the tables inside a [[queue]]. Part of config_file.cc.

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/config_check.h"
#include "server/config_fields.h"

namespace muster::server {

/// A whole number that may be negative.
template <class T, class Access>
Field<T> whole(std::string name, Access access, std::int32_t min, std::int32_t max) {
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

/// A count that limits nothing if it is not there.
template <class T, class Access>
Field<T> limit(std::string name, Access access, std::uint32_t max,
               std::string_view fallback = "no limit") {
  std::string range = fmt::format("0 to {}", max);
  return {std::move(name), "number", std::string(fallback), range,
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.value_exact<std::int64_t>();
            if (!value) return wrong_type(node, "a whole number, " + range);
            if (*value < 0 || *value > max) return fmt::format("is {}; must be {}", *value, range);
            access(out) = static_cast<std::uint32_t>(*value);
            return {};
          }};
}

/// A count that is another's unless it is there.
template <class T, class Access>
Field<T> count_or(std::string name, Access access, std::string_view fallback) {
  return {std::move(name), "number", std::string(fallback), "1 to 256",
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.value_exact<std::int64_t>();
            if (!value) return wrong_type(node, "a whole number, 1 to 256");
            if (*value < 1 || *value > 256) return fmt::format("is {}; must be 1 to 256", *value);
            access(out) = static_cast<std::uint32_t>(*value);
            return {};
          }};
}

/// A number with up to three decimal places, in thousandths.
template <class T, class Access>
Field<T> thousandths(std::string name, Access access, std::string_view fallback) {
  return {std::move(name), "decimal", std::string(fallback), "-1000000000 to 1000000000",
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.is_number() ? node.value<double>() : std::nullopt;
            if (!value) return wrong_type(node, "a number");
            if (!(std::abs(*value) <= core::rule_number_max))
              return fmt::format("is {}; must be -1000000000 to 1000000000", *value);
            access(out) = std::llround(*value * 1000);
            return {};
          }};
}

/// A number that is kept as a whole one, so many times as large.
template <class T, class Access>
Field<T> scaled(std::string name, Access access, std::uint32_t scale, double min, double max,
                std::string_view fallback) {
  std::string range = fmt::format("{:g} to {:g}", min, max);
  return {std::move(name), scale == 1 ? "number" : "decimal", std::string(fallback), range,
          [=](T& out, const toml::node& node) -> std::string {
            const auto value = node.is_number() ? node.value<double>() : std::nullopt;
            if (!value || (scale == 1 && !node.is_integer()))
              return wrong_type(node, scale == 1 ? "a whole number" : "a number");
            if (!(*value >= min && *value <= max))
              return fmt::format("is {:g}; must be {}", *value, range);
            access(out) = static_cast<std::uint32_t>(std::llround(*value * scale));
            return {};
          }};
}

/// A list of different strings.
template <class T, class Access>
Field<T> values(std::string name, Access access, std::size_t count_max, std::size_t bytes_max) {
  return {std::move(name), "list", "none",
          fmt::format("1 to {} texts of at most {} bytes", count_max, bytes_max),
          [=](T& out, const toml::node& node) -> std::string {
            const toml::array* const list = node.as_array();
            if (!list) return wrong_type(node, "a list of strings, such as [\"ctf\", \"dm\"]");
            if (list->empty() || list->size() > count_max)
              return fmt::format("has {} elements; must have 1 to {}", list->size(), count_max);
            std::vector<std::string> found;
            for (const toml::node& element : *list) {
              std::string value;
              const std::string problem = read_text(value, element, bytes_max);
              if (!problem.empty()) return fmt::format("element {}: {}", found.size() + 1, problem);
              if (std::ranges::find(found, value) != found.end())
                return fmt::format("has \"{:.60}\" twice", value);
              found.push_back(std::move(value));
            }
            access(out) = std::move(found);
            return {};
          }};
}

/// A text that must be there.
template <class T, class Access>
Field<T> required_text(std::string name, Access access, std::size_t bytes_max) {
  return {std::move(name), "text", std::string(required), fmt::format("1 to {} bytes", bytes_max),
          [=](T& out, const toml::node& node) -> std::string {
            std::string value;
            std::string problem = read_text(value, node, bytes_max);
            if (problem.empty() && value.empty()) problem = "is empty";
            if (problem.empty()) access(out) = value;
            return problem;
          }};
}

// The value of a key, for the field's kind.
#define AT(expression) [](auto& c) -> auto& { return c.expression; }

inline const std::vector<Field<core::TeamConfig>>& team_fields() {
  using core::TeamConfig;
  static const std::vector<Field<TeamConfig>> fields{
      own_name<TeamConfig>(AT(name)),
      count<TeamConfig>("players", AT(players), 1, 256),
      count<TeamConfig>("count", AT(count), 1, 256),
      count_or<TeamConfig>("players_min", AT(players_min), "`players`"),
      count_or<TeamConfig>("count_min", AT(count_min), "`count`"),
  };
  return fields;
}

inline const std::vector<Field<WrittenRule>>& rule_fields() {
  using core::RuleKind;
  static const std::vector<Field<WrittenRule>> fields{
      required_text<WrittenRule>("attribute", AT(rule.attribute), 64),
      text<WrittenRule>("name", AT(rule.name), 64, "the attribute's"),
      choice<WrittenRule>(
          "is", AT(rule.kind),
          std::vector<std::pair<std::string_view, RuleKind>>{{"equal", RuleKind::equal},
                                                             {"any-of", RuleKind::any_of},
                                                             {"distance", RuleKind::distance},
                                                             {"min", RuleKind::min},
                                                             {"max", RuleKind::max}}),
      values<WrittenRule>("values", AT(rule.values), 63, 256),
      thousandths<WrittenRule>("limit", AT(limit), "none"),
  };
  return fields;
}

inline const std::vector<Field<core::WidenConfig>>& widen_fields() {
  using core::WidenConfig;
  static const std::vector<Field<WidenConfig>> fields{
      required_text<WidenConfig>("limit", AT(limit), 64),
      duration<WidenConfig>("after", AT(after), core::seconds{0}, std::chrono::hours{24}),
      thousandths<WidenConfig>("to", AT(to), required),
  };
  return fields;
}

inline const std::vector<Field<WrittenRegion>>& region_fields() {
  static const std::vector<Field<WrittenRegion>> fields{
      own_name<WrittenRegion>(AT(region.name)),
      other_name<WrittenRegion>("fleet", AT(fleet)),
  };
  return fields;
}
#undef AT

}  // namespace muster::server
