// Law: a client's message that decodes, from binary or JSON, goes through both forms unchanged.
// The first byte chooses the form.
#include "base/check.h"
#include "wire/player_message.h"

using namespace muster::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto encoding = data[0] & 1 ? Encoding::json : Encoding::binary;
  player::ClientMessage message;
  const auto decoded = decode(encoding, Bytes(data + 1, size - 1), message);
  if (!decoded) {
    CHECK(!decoded.error().empty(), "a refusal says why");
    return 0;
  }
  message.DiscardUnknownFields();  // Which JSON cannot carry.
  std::string binary;
  append(Encoding::binary, binary, message);
  for (const auto through : {Encoding::binary, Encoding::json}) {
    std::string bytes, again;
    append(through, bytes, message);
    player::ClientMessage back;
    const Bytes in(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    CHECK(decode(through, in, back), "what we write we can read");
    append(Encoding::binary, again, back);
    CHECK(again == binary, "nothing is lost on the way");
  }
  return 0;
}
