#pragma once
// What was measured, as a table for people or as JSON.

#include <optional>
#include <string>
#include <vector>

namespace muster::bench {

struct Row {
  std::string name;  // "warm, median"
  std::string unit;  // "us", "ms", "bytes", "%"
  std::optional<double> product;
  std::optional<double> floor;
  std::string aim;  // "2.0 times the floor"
};

/// One line per row: name, product, floor, product / floor, product - floor, aim.
std::string as_table(const std::vector<Row>& rows);
/// {"rows":[{"name":"warm, median","unit":"us","product":…,"floor":…,"ratio":…,"aim":"…"}]}
std::string as_json(const std::vector<Row>& rows);

}  // namespace muster::bench
