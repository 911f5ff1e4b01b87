#include "cli/ctl_json.h"

#include <fmt/format.h>

#include <boost/json/serialize.hpp>

#include "cli/table.h"

namespace muster::cli {

namespace json = boost::json;

const json::value* member(const json::object& object, std::string_view path) {
  const json::object* at = &object;
  for (;;) {
    const std::size_t dot = path.find('.');
    const json::value* value = at->if_contains(path.substr(0, dot));
    if (!value || dot == std::string_view::npos) return value;
    at = value->if_object();
    if (!at) return nullptr;
    path.remove_prefix(dot + 1);
  }
}

std::string text(const json::object& object, std::string_view path) {
  const json::value* value = member(object, path);
  if (!value) return {};
  if (value->is_null()) return "-";
  if (const json::string* string = value->if_string())
    return std::string(string->c_str(), string->size());
  return json::serialize(*value);
}

std::string age(const json::object& object, std::string_view path) {
  const json::value* value = member(object, path);
  boost::system::error_code error;
  const double seconds = value && value->is_number() ? value->to_number<double>(error) : 0.0;
  return value ? format_age(seconds) : std::string{};
}

bool flag(const json::object& object, std::string_view path) {
  const json::value* value = member(object, path);
  const bool* set = value ? value->if_bool() : nullptr;
  return set && *set;
}

std::string list_text(const Rows& rows, std::string_view nothing, const json::object& answer,
                      std::string_view more) {
  if (rows.size() == 1) return std::string(nothing) + '\n';
  std::string out = format_table(rows);
  if (!flag(answer, "more")) return out;
  const std::string total = text(answer, "total");
  return out +
         fmt::format("… {}{}{}; {}\n", rows.size() - 1, total.empty() ? "" : " of ", total, more);
}

}  // namespace muster::cli
