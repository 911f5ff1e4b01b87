// Whatever decodes encodes to bytes that decode to the same again; nothing else happens.
#include "base/check.h"
#include "core/config.h"
#include "core/event.h"
#include "store/codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster;
  store::Reader reader(std::as_bytes(std::span(data, size)));
  core::Event event;
  reader.get(event);
  if (!reader.ok()) return 0;
  std::string once, twice;
  store::Writer(once).put(event);
  core::Event again;
  store::Reader second(std::as_bytes(std::span(once.data(), once.size())));
  second.get(again);
  CHECK(second.ok() && second.left() == 0, "what was encoded decodes, to its end");
  store::Writer(twice).put(again);
  CHECK(once == twice, "to the same");
  return 0;
}
