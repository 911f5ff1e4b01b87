// Bytes that are no state are refused; what decodes encodes to bytes that decode to the same.
#include "base/check.h"
#include "store/state_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster;
  const auto state = store::decode_state(std::as_bytes(std::span(data, size)));
  if (!state) return 0;
  std::string once, twice;
  store::encode_state(*state, once);
  const auto again = store::decode_state(std::as_bytes(std::span(once.data(), once.size())));
  CHECK(again, "what was encoded decodes");
  store::encode_state(*again, twice);
  CHECK(once == twice, "to the same");
  return 0;
}
