#pragma once
// The SDK's messages as JSON, in the form of Agones' REST gateway: the names of the proto file,
// every field written, 64-bit numbers as strings; read as numbers or strings, unknown fields left
// alone.

#include <string>
#include <string_view>
#include <vector>

#include "agones/record.h"

namespace google::protobuf {
class Message;
}

namespace muster::agones {

std::string to_json(const google::protobuf::Message& message);
/// {"code":5,"message":"…","details":[]}
std::string to_json(const Status& status);

/// Empty text is an empty message. False, and `out` is of no use, if it is no such JSON.
bool from_json(std::string_view text, google::protobuf::Message& out);

/// The keys of a JSON object; none if the text is not one.
std::vector<std::string> keys_of_json(std::string_view text);
/// How many JSON objects stand one after another; -1 if something else does.
int count_json_objects(std::string_view text);

}  // namespace muster::agones
