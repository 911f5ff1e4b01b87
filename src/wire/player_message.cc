#include "wire/player_message.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <memory>
#include <string_view>

#include "base/check.h"

namespace muster::wire {
namespace {

namespace pb = google::protobuf;

template <class Message>
std::expected<void, std::string> decode_any(Encoding encoding, Bytes bytes, Message& out) {
  if (encoding == Encoding::binary) {
    if (out.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
    return std::unexpected("The bytes are not a " + Message::descriptor()->name() + ".");
  }
  out.Clear();
  const pb::StringPiece text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto status = pb::util::JsonStringToMessage(text, &out);
  if (status.ok()) return {};
  return std::unexpected(std::string(status.message()));
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

// MessageToJsonString() in two steps, since its own first step does not sort maps.
void append_json(std::string& out, const pb::Message& message, bool show_defaults) {
  static const std::unique_ptr<pb::util::TypeResolver> types{
      pb::util::NewTypeResolverForDescriptorPool("type.googleapis.com",
                                                 pb::DescriptorPool::generated_pool())};
  std::string binary;
  append_binary(binary, message);
  pb::util::JsonPrintOptions options;
  options.always_print_primitive_fields = show_defaults;
  pb::io::ArrayInputStream in(binary.data(), static_cast<int>(binary.size()));
  pb::io::StringOutputStream stream(&out);
  const auto status = pb::util::BinaryToJsonStream(
      types.get(), "type.googleapis.com/" + message.GetDescriptor()->full_name(), &in, &stream,
      options);
  CHECK(status.ok(), "a message that serialises has a JSON form");
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
