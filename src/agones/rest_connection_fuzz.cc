// Laws: how a stream is cut changes nothing that is answered, and every answer is well-formed. The
// first byte chooses the cut.
#include <algorithm>

#include "agones/rest_connection.h"
#include "agones/test_host.h"
#include "base/check.h"

namespace {

using namespace muster;

std::string answers(wire::Bytes bytes, std::size_t step) {
  agones::TestHost host;
  agones::RestConnection connection(host);
  std::string out;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(step, bytes.size()));
    bytes = bytes.subspan(part.size());
    const bool open = connection.feed(part);
    connection.produce(out, out.size() + (64 << 20));
    if (!open) break;
  }
  CHECK(out.empty() || out.starts_with("HTTP/1.1 "), "an answer is HTTP");
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const wire::Bytes stream(data + 1, std::min<std::size_t>(size - 1, 1 << 16));
  CHECK(answers(stream, 1 + data[0]) == answers(stream, stream.size() + 1),
        "the cut does not matter");
  return 0;
}
