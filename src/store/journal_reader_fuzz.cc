// A segment of any bytes is read, torn or damaged, and each of these is said; a torn tail that is
// cut off leaves a journal that can be read.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "store/journal_reader.h"

namespace {

struct Folder {
  std::string path = "/tmp/muster-journal-fuzz-" + std::to_string(::getpid());
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster::store;
  static const Folder folder;
  for (const auto& left : std::filesystem::directory_iterator(folder.path))
    std::filesystem::remove(left);
  const std::string file = folder.path + "/" + journal_file_name(1, segment_suffix);
  std::ofstream(file, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  std::uint64_t last = 0, events = 0;
  const auto in_order = [&](std::uint64_t number, muster::Time, muster::core::Event&&) {
    CHECK(last == 0 || number == last + 1, "events count on");
    last = number;
    ++events;
    return true;
  };
  const auto end = read_journal(folder.path, 0, in_order);
  if (!end) {
    CHECK(!to_string(end.error()).empty(), "the damage has words");
    return 0;
  }
  if (!end->torn) return 0;
  CHECK(cut_torn_tail(folder.path, *end->torn), "the tail can be cut off");
  const std::uint64_t whole = events;
  last = events = 0;
  const auto again = read_journal(folder.path, 0, in_order);
  CHECK(again && !again->torn && events == whole, "what is whole is left");
  return 0;
}
