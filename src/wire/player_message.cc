#include "wire/player_message.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <string_view>

#include "base/check.h"
#include "wire/json.h"

namespace muster::wire {
namespace {

namespace pb = google::protobuf;

template <class Message>
std::expected<void, std::string> decode_any(Encoding encoding, Bytes bytes, Message& out) {
  if (encoding == Encoding::binary) {
    if (out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
    return std::unexpected("The bytes are not a " + Message::descriptor()->name() + ".");
  }
  return parse_json({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, out);
}

// Maps are unordered in memory and, left alone, on the wire; sorted, a message has one form.
void append_binary(std::string& out, const pb::MessageLite& message) {
  const std::size_t start = out.size(), bytes = message.ByteSizeLong();
  out.resize(start + bytes);
  pb::io::ArrayOutputStream array(out.data() + start, static_cast<int>(bytes));
  pb::io::CodedOutputStream stream(&array);
  stream.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&stream);
  CHECK(!stream.HadError(), "there is room for exactly the message");
}

}  // namespace

std::expected<void, std::string> decode(Encoding encoding, Bytes bytes,
                                        player::ClientMessage& out) {
  return decode_any(encoding, bytes, out);
}
std::expected<void, std::string> decode(Encoding encoding, Bytes bytes, player::LobbyMessage& out) {
  return decode_any(encoding, bytes, out);
}

void append(Encoding encoding, std::string& out, const player::ClientMessage& message) {
  if (encoding == Encoding::binary) return append_binary(out, message);
  append_json(out, message, false);
}

void append(Encoding encoding, std::string& out, const player::LobbyMessage& message) {
  if (encoding == Encoding::binary) return append_binary(out, message);
  const std::size_t start = out.size();
  append_json(out, message, true);
  constexpr std::string_view no_request = "{\"request\":0,";
  if (std::string_view(out).substr(start).starts_with(no_request))
    out.erase(start + 1, no_request.size() - 1);
}

}  // namespace muster::wire
