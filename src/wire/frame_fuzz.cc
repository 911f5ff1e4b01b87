// Law: how a stream is cut changes nothing. The first byte chooses the cut.
#include <string>

#include "base/check.h"
#include "wire/frame.h"

namespace {

std::string read_all(muster::wire::Bytes bytes, std::size_t step) {
  muster::wire::FrameReader reader{64};
  std::string said;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(step, bytes.size()));
    bytes = bytes.subspan(part.size());
    const bool good = reader.feed(part, [&](muster::wire::Bytes payload) {
      CHECK(payload.size() <= 64, "a frame is no longer than allowed");
      said += std::to_string(payload.size()) + ":" + std::string(payload.begin(), payload.end());
      return true;
    });
    if (!good) return said + "!";
  }
  return said + (reader.unfinished() ? "+" : "");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const muster::wire::Bytes stream(data + 1, size - 1);
  CHECK(read_all(stream, 1 + data[0]) == read_all(stream, size), "the cut does not matter");
  return 0;
}
