// What earlier builds wrote is read: a journal with a snapshot of each format that was released,
// kept in tests/formats with what `muster replay` said of it then.
//
// To add one, with the build that is released:
//   MUSTER_WRITE_FORMAT=tests/formats/NAME muster_cli_test --gtest_filter='Formats.*'
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "cli/replay.h"
#include "sim/world.h"
#include "store/journal.h"
#include "store/snapshot.h"
#include "store/test_folder.h"

namespace muster::cli {
namespace {

namespace fs = std::filesystem;

const fs::path formats = fs::path(MUSTER_SOURCE_DIR) / "tests/formats";
constexpr const char* expectation = "replayed.txt";

/// Of a lobby's life with people, matches, faults, reloads: until then, and so many events more.
constexpr std::uint64_t snapshot_at = 3000, events_after = 1500;

/// The first whose run is that long.
std::uint64_t lively_seed() {
  for (std::uint64_t seed = 1;; ++seed) {
    std::uint64_t events = 0;
    sim::World(seed, {.on_step = [&](auto&&...) { ++events; }}).run();
    if (events >= snapshot_at + events_after) return seed;
  }
}

std::string contents(const fs::path& file) {
  std::ostringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

/// What is there after the last event, as people read it.
std::string replayed(const fs::path& folder) {
  std::FILE* const out = std::tmpfile();
  std::FILE* const err = std::tmpfile();
  const int code =
      run_replay({.folder = folder.string(), .from = 0, .last = 200, .state = true}, out, err);
  std::string text = code == 0 ? "" : "it cannot be replayed\n";
  for (std::FILE* const file : {out, err}) {
    std::rewind(file);
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file))
      text.push_back(static_cast<char>(c));
    std::fclose(file);
  }
  // A digest is of all fields there are in a build.
  const std::size_t digest = text.find("; digest ");
  return digest == std::string::npos ? text : text.erase(digest, text.find('\n', digest) - digest);
}

/// Writes the folder, and returns the kinds of event that are in its journal.
std::set<std::size_t> write_format(const fs::path& folder) {
  const std::string inside = (folder / "journal").string();
  fs::remove_all(folder);
  std::set<std::size_t> kinds;
  std::uint64_t number = 0;
  std::unique_ptr<store::Journal> journal;
  sim::WorldOptions options;
  options.on_step = [&](Time time, const core::Event& event, const core::State& state) {
    ++number;
    if (journal && number <= snapshot_at + events_after) {
      journal->add(number, time, event);
      ASSERT_TRUE(journal->commit());
      kinds.insert(event.index());
    }
    if (number != snapshot_at) return;
    auto begun = store::Journal::begin({.folder = inside, .build = "format"}, number + 1, time);
    ASSERT_TRUE(begun) << begun.error();
    journal = std::move(*begun);
    const auto written =
        store::write_snapshot(inside, {.build = "format", .number = number, .time = time}, state);
    ASSERT_TRUE(written) << written.error();
  };
  sim::World(lively_seed(), options).run();
  return kinds;
}

TEST(Formats, ThoseOfEarlierBuildsAreRead) {
  if (const char* name = std::getenv("MUSTER_WRITE_FORMAT")) {
    write_format(name);
    std::ofstream(fs::path(name) / expectation) << replayed(name);
  }
  int count = 0;
  for (const auto& entry : fs::directory_iterator(formats)) {
    if (!entry.is_directory()) continue;
    ++count;
    const std::string expected = contents(entry.path() / expectation);
    EXPECT_THAT(expected,
                testing::HasSubstr(fmt::format("to event {}", snapshot_at + events_after)));
    EXPECT_EQ(replayed(entry.path()), expected) << entry.path();
  }
  EXPECT_GE(count, 1) << formats << " has none";
}

TEST(Formats, OfThisBuildIsReadAndHasMostKindsOfEvents) {
  const store::TempFolder temp;
  const fs::path folder = fs::path(temp.path) / "format";
  const std::set<std::size_t> kinds = write_format(folder);
  EXPECT_GE(kinds.size(), 20u) << "of " << std::variant_size_v<core::Event>;
  const std::string text = replayed(folder);
  EXPECT_THAT(
      text, testing::HasSubstr(fmt::format("from the snapshot of event {}, {} events to event {}",
                                           snapshot_at, events_after, snapshot_at + events_after)));
}

}  // namespace
}  // namespace muster::cli
