// Laws: how a stream is cut changes nothing, and what decodes encodes to packets that decode to the
// same. The first byte chooses the cut and the direction.
#include <vector>

#include "base/check.h"
#include "wire/classic_packet.h"

namespace {

namespace classic = muster::wire::classic;
using muster::wire::Bytes;

template <class Packet>
std::vector<Packet> read_all(Bytes bytes, std::size_t step, classic::Read& end) {
  classic::Reader<Packet> reader;
  std::vector<Packet> packets;
  end = classic::Read::more;
  while (!bytes.empty()) {
    Bytes part = bytes.first(std::min(step, bytes.size()));
    bytes = bytes.subspan(part.size());
    Packet packet;
    while ((end = reader.next(part, packet)) == classic::Read::packet) packets.push_back(packet);
    if (end == classic::Read::malformed) break;
  }
  return packets;
}

template <class Packet>
void check(Bytes stream, std::size_t step) {
  classic::Read cut_end, whole_end;
  const auto packets = read_all<Packet>(stream, step, cut_end);
  CHECK(packets == read_all<Packet>(stream, stream.size() + 1, whole_end), "the cut is nothing");
  CHECK(cut_end == whole_end, "nor does it change how it ends");
  for (const Packet& packet : packets) {
    std::string bytes;
    classic::append(bytes, packet);
    const Bytes again(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    const auto back = read_all<Packet>(again, bytes.size(), cut_end);
    CHECK(back.size() == 1, "one packet is one packet");
    std::string twice;
    classic::append(twice, back[0]);
    CHECK(twice == bytes, "what was encoded decodes to the same");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Bytes stream(data + 1, size - 1);
  const std::size_t step = 1 + (data[0] >> 1);
  if (data[0] & 1)
    check<classic::ToLobby>(stream, step);
  else
    check<classic::FromLobby>(stream, step);
  return 0;
}
