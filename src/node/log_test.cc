#include "node/log.h"

#include <sys/stat.h>

#include "node/node_harness.h"

namespace muster::node::test {
namespace {

namespace fs = std::filesystem;

TEST(ServerLog, IsMadeWithTheFirstByte) {
  TemporaryFolder folder;
  ServerLog log(folder / "a.log", {});
  EXPECT_FALSE(fs::exists(log.path()));
  log.write("one\n");
  log.write("two");
  EXPECT_EQ(read_file(log.path()), "one\ntwo");
  struct stat status{};
  ::stat(log.path().c_str(), &status);
  EXPECT_EQ(status.st_mode & 0777 & ~0640u, 0u);
  ServerLog again(folder / "a.log", {});  // A restart in the same second.
  again.write("\nthree\n");
  EXPECT_EQ(read_file(log.path()), "one\ntwo\nthree\n");
}

TEST(ServerLog, RotatesAtLineEnds) {
  for (const std::uint32_t files : {1u, 2u, 4u}) {
    TemporaryFolder folder;
    ServerLog log(folder / "a.log", {64 << 10, files});
    std::string all;
    for (int i = 0; all.size() < 1 << 20; ++i) {
      const std::string line = "line " + std::to_string(i) + std::string(i % 90, '.') + '\n';
      log.write(line);
      all += line;
    }
    std::string kept;
    std::uint32_t count = 0;
    for (std::uint32_t i = files; i-- > 0;) {
      const std::string path = log.path() + (i == 0 ? "" : '.' + std::to_string(i));
      const std::string content = read_file(path);
      EXPECT_LE(content.size(), 64u << 10);
      EXPECT_TRUE(content.starts_with("line ")) << path;
      kept += content;
      ++count;
    }
    EXPECT_TRUE(all.ends_with(kept));
    EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), count);
  }
}

TEST(ServerLog, ALineLongerThanAFileIsCut) {
  TemporaryFolder folder;
  ServerLog log(folder / "a.log", {64 << 10, 2});
  log.write(std::string(300 << 10, 'x'));
  EXPECT_EQ(read_file(log.path()).size() + read_file(log.path() + ".1").size(), (64u + 44u) << 10);
}

TEST(ServerLog, LastLine) {
  struct Row {
    std::vector<std::string> written;
    std::string want;
  };
  const Row rows[] = {
      {{}, ""},
      {{"\n\n \t\r\n"}, ""},
      {{"one\n"}, "one"},
      {{"one\ntwo"}, "two"},
      {{"on", "e\n\n", "  "}, "one"},
      {{"caf\xc3\xa9 \xe7\x8c\xab\n"}, "caf\xc3\xa9 \xe7\x8c\xab"},
      {{"caf\xc3"}, "caf?"},
      {{"a\xff\xfe\x1b[31mb\r\n"}, "a???[31mb?"},
      {{"\xed\xa0\x80 \xc0\xaf \xf5\x80\x80\x80"}, "??? ?? ????"},
      {{std::string(300, 'x') + "\n"}, std::string(200, 'x')},
      {{std::string(199, 'x') + "\xc3\xa9"}, std::string(199, 'x') + "?"},
      {{std::string(100'000, 'x') + "\nend\n"}, "end"},
  };
  TemporaryFolder folder;
  for (const Row& row : rows) {
    ServerLog log(folder / "a.log", {});
    for (const std::string& part : row.written) log.write(part);
    EXPECT_EQ(log.last_line(), row.want);
    EXPECT_LE(log.last_line().size(), 200u);
  }
}

TEST(ServerLog, OutputThatCannotBeKeptIsCountedAndSaid) {
  ServerLog full("/dev/full", {});
  testing::internal::CaptureStderr();
  full.write("one\n");
  full.write("two\n");
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("No space left on device"), std::string::npos);
  EXPECT_EQ(said.find("dropped"), said.rfind("dropped")) << "once";
  EXPECT_EQ(full.bytes_lost(), 8u);
  EXPECT_EQ(full.last_line(), "two");

  TemporaryFolder folder;
  ServerLog log(folder / "later/a.log", {});
  testing::internal::CaptureStderr();
  log.write("lost\n");
  testing::internal::GetCapturedStderr();
  fs::create_directory(folder / "later");
  log.write("kept\n");
  EXPECT_EQ(read_file(log.path()), "[muster: 5 bytes of output lost here]\nkept\n");
}

TEST(ServerLog, WhatIsDroppedIsSaidInItsPlace) {
  TemporaryFolder folder;
  ServerLog log(folder / "a.log", {});
  log.write("kept\nhalf a li");
  log.drop("ne\nmuch\n");
  log.drop("more\nlast");
  EXPECT_EQ(log.last_line(), "last");
  EXPECT_EQ(log.bytes_lost(), 17u);
  log.write(" one\n");
  EXPECT_EQ(log.last_line(), "last one");
  EXPECT_EQ(read_file(log.path()),
            "kept\nhalf a li\n[muster: 17 bytes of output lost here]\n one\n");
}

TEST(PruneLogs, KeepsTheNewestAndThoseInUse) {
  TemporaryFolder folder;
  const auto now = fs::file_time_type::clock::now();
  for (int i = 0; i < 6; ++i)
    for (const char* suffix : {".log", ".log.1"}) {
      const std::string path = folder / ("0." + std::to_string(i) + suffix);
      std::ofstream(path) << "x";
      fs::last_write_time(path, now - seconds{100 - i});
    }
  std::ofstream(folder / "notes.txt") << "not a log";
  prune_logs(folder.path(), 3, [&](const std::string& path) { return path == folder / "0.0.log"; });
  std::set<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    left.insert(entry.path().filename().string());
  EXPECT_EQ(left, (std::set<std::string>{"notes.txt", "0.0.log", "0.0.log.1", "0.4.log",
                                         "0.4.log.1", "0.5.log", "0.5.log.1"}));
  prune_logs(folder / "missing", 3, [](const std::string&) { return false; });
}

}  // namespace
}  // namespace muster::node::test
