// Whatever stands in a record: what is read of it, written and read again, is the same.
#include <cstdint>

#include "base/check.h"
#include "node/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster::node;
  Recorded recorded;
  const std::size_t good = read_record({data, size}, recorded);
  CHECK(good <= size, "no more is read than there is");
  const std::string written = write_record(recorded);
  Recorded again;
  const std::size_t read =
      read_record({reinterpret_cast<const std::uint8_t*>(written.data()), written.size()}, again);
  CHECK(read == written.size(), "what is written is whole");
  CHECK(write_record(again) == written, "and says the same");
  return 0;
}
