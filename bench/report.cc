#include "bench/report.h"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace muster::bench {
namespace {

std::string number(std::optional<double> value) {
  if (!value) return "-";
  return *value < 10 ? fmt::format("{:.2f}", *value) : fmt::format("{:.0f}", *value);
}

std::optional<double> ratio(const Row& row) {
  if (!row.product || !row.floor || *row.floor <= 0) return std::nullopt;
  return *row.product / *row.floor;
}

std::optional<double> beyond(const Row& row) {
  if (!row.product || !row.floor) return std::nullopt;
  return *row.product - *row.floor;
}

}  // namespace

std::string as_table(const std::vector<Row>& rows) {
  constexpr const char* line = "{:<37} {:<6} {:>9} {:>9} {:>7} {:>9}  {}\n";
  std::string out = fmt::format(line, "", "unit", "muster", "floor", "ratio", "beyond", "aim");
  for (const Row& row : rows)
    out += fmt::format(line, row.name, row.unit, number(row.product), number(row.floor),
                       number(ratio(row)), number(beyond(row)), row.aim);
  return out;
}

std::string as_json(const std::vector<Row>& rows) {
  const auto value = [](std::optional<double> v) -> boost::json::value {
    if (!v) return nullptr;
    return *v;
  };
  boost::json::array list;
  for (const Row& row : rows)
    list.push_back({{"name", row.name},
                    {"unit", row.unit},
                    {"product", value(row.product)},
                    {"floor", value(row.floor)},
                    {"ratio", value(ratio(row))},
                    {"aim", row.aim}});
  return boost::json::serialize(boost::json::object{{"rows", list}}) + "\n";
}

}  // namespace muster::bench
