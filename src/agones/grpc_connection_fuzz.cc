// Laws: whatever bytes come, however they are cut, no more is sent at once than was asked for and
// one frame, and what is no HTTP/2 ends the connection rather than the process. The first byte
// chooses the cut.
#include <algorithm>

#include "agones/grpc_connection.h"
#include "agones/test_host.h"
#include "base/check.h"

using namespace muster;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // So that what is made up need not begin with it.
  static constexpr std::string_view preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  agones::TestHost host;
  agones::GrpcConnection connection(host);
  if ((data[0] & 1) != 0)
    connection.feed({reinterpret_cast<const std::uint8_t*>(preface.data()), preface.size()});
  const std::size_t step = 1 + data[0] / 2;
  wire::Bytes rest(data + 1, size - 1);
  while (!rest.empty()) {
    const auto part = rest.first(std::min(step, rest.size()));
    rest = rest.subspan(part.size());
    const bool open = connection.feed(part);
    connection.changed();
    std::string out;
    connection.produce(out, 1 << 12);
    CHECK(out.size() < (1 << 12) + (1 << 16), "no more than asked for and one frame");
    if (!open) break;
  }
  return 0;
}
