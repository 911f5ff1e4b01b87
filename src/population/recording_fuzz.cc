// Any bytes as lines of a recording: what is read is written as something that is read the same.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "population/recording.h"

namespace {

muster::population::Recording read_all(std::string_view text, bool all_good) {
  muster::population::RecordingReader reader;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto read = reader.read(line);
    CHECK(read || !all_good, "what was written can be read");
    if (!read) CHECK(!read.error().empty(), "a refusal says why");
  }
  auto recording = reader.take();
  return recording ? std::move(*recording) : muster::population::Recording{};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster::population;
  const Recording recording =
      read_all(std::string_view(reinterpret_cast<const char*>(data), size), false);
  std::string again = recording_line();
  for (const RecordedTicket& ticket : recording.tickets) again += to_line(ticket);
  const Recording second = read_all(again, true);
  CHECK(second.tickets.size() == recording.tickets.size(), "no ticket is lost");
  // Numbers are kept in thousandths, so it is the second writing that changes nothing any more.
  std::string third = recording_line();
  for (const RecordedTicket& ticket : second.tickets) third += to_line(ticket);
  CHECK(third == again, "reading and writing changes nothing");
  return 0;
}
