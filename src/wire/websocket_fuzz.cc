// Laws: how a stream is cut changes nothing; a message is never longer than allowed, and text is
// UTF-8; what a client sends, a server reads. The first byte chooses the cut and the role.
#include <string>

#include "base/check.h"
#include "wire/websocket.h"

namespace {

using namespace muster::wire;

std::string read_all(std::string stream, std::size_t step, WsReader::Role role) {
  constexpr std::size_t message_bytes_max = 300;
  WsReader reader{role, message_bytes_max};
  std::string said;
  std::span<std::uint8_t> bytes(reinterpret_cast<std::uint8_t*>(stream.data()), stream.size());
  while (!bytes.empty()) {
    auto part = bytes.first(std::min(step, bytes.size()));
    bytes = bytes.subspan(part.size());
    WsMessage message;
    WsRead read;
    while ((read = reader.next(part, message)) == WsRead::message) {
      CHECK(message.opcode != WsOpcode::continuation, "fragments are joined");
      CHECK(message.payload.size() <= message_bytes_max, "within the limit");
      CHECK(message.opcode != WsOpcode::text || is_utf8(message.payload), "text is text");
      said += std::to_string(static_cast<int>(message.opcode)) + "," +
              std::to_string(message.close_code) + "," + std::to_string(message.payload.size()) +
              ":" + std::string(message.payload.begin(), message.payload.end());
    }
    if (read == WsRead::failed) return said + "!" + std::to_string(reader.error());
    CHECK(part.empty(), "all bytes are taken");
  }
  return said + (reader.unfinished() ? "+" : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string stream(data + 1, data + size);
  const std::size_t step = 1 + (data[0] >> 1);
  const auto role = data[0] & 1 ? WsReader::Role::server : WsReader::Role::client;
  CHECK(read_all(stream, step, role) == read_all(stream, size, role), "the cut does not matter");

  if (stream.size() <= 300) {
    std::string sent;
    append_ws_masked_frame(sent, WsOpcode::binary, stream,
                           static_cast<std::uint32_t>(size * 0x01020304u));
    CHECK(read_all(sent, step, WsReader::Role::server) ==
              "2,0," + std::to_string(stream.size()) + ":" + stream,
          "what a client sends, a server reads");
  }
  return 0;
}
