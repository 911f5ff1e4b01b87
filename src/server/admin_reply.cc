#include "server/admin_reply.h"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <utility>

namespace muster::server {

namespace json = boost::json;
using net::HttpRequest;
using net::HttpResponse;

HttpResponse reply(int status, const json::object& body) {
  return {.status = status, .body = json::serialize(body) + "\n"};
}

HttpResponse refuse(int status, std::string_view code, std::string_view message) {
  return reply(status, {{"error", {{"code", code}, {"message", message}}}});
}

HttpResponse not_found(std::string_view what) {
  return refuse(404, "not_found", fmt::format("There is no {:.100}.", what));
}

std::optional<std::uint32_t> number(const HttpRequest& request, std::string_view name,
                                    std::uint32_t fallback, Range range) {
  const std::string text = request.query_value(name);
  if (text.empty()) return fallback;
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end || value < range.min || value > range.max)
    return std::nullopt;
  return value;
}

HttpResponse out_of_range(std::string_view name, Range range) {
  return refuse(400, "query_invalid",
                fmt::format("{} must be {} to {}.", name, range.min, range.max));
}

std::optional<json::object> body_of(const HttpRequest& request) {
  if (request.body.empty()) return json::object{};
  json::error_code error;
  json::parse_options options;
  options.max_depth = 8;
  json::value body = json::parse(request.body, error, {}, options);
  if (error || !body.is_object()) return std::nullopt;
  return std::move(body.get_object());
}

std::optional<std::string_view> between(std::string_view path, std::string_view prefix,
                                        std::string_view suffix) {
  if (!path.starts_with(prefix) || !path.ends_with(suffix) ||
      path.size() <= prefix.size() + suffix.size())
    return std::nullopt;
  return path.substr(prefix.size(), path.size() - prefix.size() - suffix.size());
}

}  // namespace muster::server
