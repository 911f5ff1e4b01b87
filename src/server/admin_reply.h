#pragma once
// What the parts of the admin API have in common: answers, and what is asked for.

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/http.h"

namespace muster::server {

net::HttpResponse reply(int status, const boost::json::object& body);
net::HttpResponse refuse(int status, std::string_view code, std::string_view message);
/// "There is no WHAT."
net::HttpResponse not_found(std::string_view what);

struct Range {
  std::uint32_t min = 0, max = 0;
};
/// A whole number in the query: `fallback` if it is not there, nothing if it is not in range.
std::optional<std::uint32_t> number(const net::HttpRequest& request, std::string_view name,
                                    std::uint32_t fallback, Range range);
net::HttpResponse out_of_range(std::string_view name, Range range);

/// The body as an object; an empty one is {}.
std::optional<boost::json::object> body_of(const net::HttpRequest& request);

/// What stands between the two, if anything does.
std::optional<std::string_view> between(std::string_view path, std::string_view prefix,
                                        std::string_view suffix);

}  // namespace muster::server
