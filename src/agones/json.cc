#include "agones/json.h"

#include <google/protobuf/util/json_util.h>

#include <boost/json.hpp>

#include "base/check.h"

namespace muster::agones {
namespace util = google::protobuf::util;
namespace json = boost::json;

std::string to_json(const google::protobuf::Message& message) {
  util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  CHECK(util::MessageToJsonString(message, &text, options).ok(),
        "a message of ours can be written");
  return text;
}

std::string to_json(const Status& status) {
  return json::serialize(json::object{{"code", static_cast<int>(status.code)},
                                      {"message", status.message},
                                      {"details", json::array{}}});
}

bool from_json(std::string_view text, google::protobuf::Message& out) {
  if (text.empty()) return true;
  // Stricter than protobuf's own reader, which takes keys without quotes and worse for JSON.
  json::error_code error;
  json::parse(text, error);
  if (error) return false;
  util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  return util::JsonStringToMessage({text.data(), text.size()}, &out, options).ok();
}

std::vector<std::string> keys_of_json(std::string_view text) {
  json::error_code error;
  const json::value value = json::parse(text, error);
  std::vector<std::string> keys;
  if (error || !value.is_object()) return keys;
  for (const auto& [key, member] : value.get_object()) keys.emplace_back(key);
  return keys;
}

int count_json_objects(std::string_view text) {
  constexpr std::string_view space = " \t\r\n";
  int count = 0;
  json::stream_parser parser;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(space), text.size()));
    if (text.empty()) return count;
    parser.reset();
    json::error_code error;
    const std::size_t taken = parser.write_some(text.data(), text.size(), error);
    if (error || !parser.done() || !parser.release().is_object()) return -1;
    text.remove_prefix(taken);
    ++count;
  }
}

}  // namespace muster::agones
