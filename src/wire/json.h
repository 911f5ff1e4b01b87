#pragma once
// proto3's JSON mapping, for the kinds of fields our messages have (no bytes, no Any and the like).
// By hand, since protobuf 3.21's own costs 10 to 15 microseconds a message, several times what the
// kernel takes to carry it, and accepts much that is not JSON. Tests hold the two against each
// other.

#include <expected>
#include <string>
#include <string_view>

namespace google::protobuf {
class Message;
}

namespace muster::wire {

/// Appends the message as JSON without spaces: fields in the order of the .proto, map entries in
/// the order of their keys. `show_defaults` also writes numbers, texts, enums and lists that are at
/// their default.
void append_json(std::string& out, const google::protobuf::Message& message, bool show_defaults);

/// Reads one JSON object into `out`, which is cleared first. Names may be lowerCamelCase or as in
/// the .proto; whole numbers may be texts; null is the default. Unknown names, values of a wrong
/// type or out of range, and nesting beyond 32 levels are errors: a sentence that says where.
/// Of a name given twice the last counts.
std::expected<void, std::string> parse_json(std::string_view text, google::protobuf::Message& out);

}  // namespace muster::wire
