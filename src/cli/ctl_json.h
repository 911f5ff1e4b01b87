#pragma once
// Reading the admin API's answers, for `muster ctl`. What is not there is blank.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

/// "players.connected": a member of a member. Null if it is not there.
const boost::json::value* member(const boost::json::object& object, std::string_view path);
/// The same as text; "-" for null, "" if it is not there.
std::string text(const boost::json::object& object, std::string_view path);
/// "1h 4m" for a number of seconds.
std::string age(const boost::json::object& object, std::string_view path);
bool flag(const boost::json::object& object, std::string_view path);

template <class F>
void for_each(const boost::json::object& object, std::string_view name, F&& f) {
  const boost::json::value* value = member(object, name);
  const boost::json::array* list = value ? value->if_array() : nullptr;
  if (!list) return;
  for (const boost::json::value& element : *list)
    if (const boost::json::object* o = element.if_object()) f(*o);
}

using Rows = std::vector<std::vector<std::string>>;

/// The table, or `nothing` if it has only its heading; and how to see more, if that was not all.
std::string list_text(const Rows& rows, std::string_view nothing, const boost::json::object& answer,
                      std::string_view more = "--limit and --after show more");

}  // namespace muster::cli
