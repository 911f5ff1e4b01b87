#include "server/recording_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "store/test_folder.h"

namespace muster::server {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t plenty = 1u << 30;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

TEST(RecordingFile, LinesAreAppendedToWhatIsThere) {
  const store::TempFolder folder;
  const std::string path = folder.path + "/lines";
  for (const char* lines : {"a\nb\n", "c\n"}) {
    auto file = RecordingFile::open(path, plenty);
    ASSERT_TRUE(file) << file.error();
    (*file)->append(lines);
  }
  EXPECT_EQ(read_file(path), "a\nb\nc\n");
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u) << "it is nobody else's";
}

TEST(RecordingFile, ALineThatWasCutOffIsRemoved) {
  struct Row {
    std::string before, after;
  };
  const Row rows[] = {
      {"a\nb", "a\nc\n"},
      {"b", "c\n"},
      {"", "c\n"},
      {"a\n" + std::string(10'000, 'x'), "a\nc\n"},
      {std::string(5000, 'x') + "\n" + std::string(4096, 'y'), std::string(5000, 'x') + "\nc\n"},
  };
  for (const Row& row : rows) {
    const store::TempFolder folder;
    const std::string path = folder.path + "/lines";
    std::ofstream(path) << row.before;
    auto file = RecordingFile::open(path, plenty);
    ASSERT_TRUE(file) << file.error();
    (*file)->append("c\n");
    file->reset();
    EXPECT_EQ(read_file(path), row.after);
  }
}

/// Until the thread has seen it. A deadline, so that a mistake is no hang.
bool stops(const RecordingFile& file) {
  for (int i = 0; i < 20'000 && !file.stopped(); ++i) ::usleep(1000);
  return file.stopped();
}

TEST(RecordingFile, ItStopsAtItsSizeWithAWholeLine) {
  const store::TempFolder folder;
  const std::string path = folder.path + "/lines";
  auto file = RecordingFile::open(path, 10);
  ASSERT_TRUE(file) << file.error();
  testing::internal::CaptureStderr();
  (*file)->append("four\nfour\nfour\n");
  EXPECT_TRUE(stops(**file));
  (*file)->append("more\n");
  file->reset();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("has stopped: it has the 10 bytes that --record-size allows"));
  EXPECT_EQ(read_file(path), "four\nfour\n");
}

TEST(RecordingFile, AFullDiskStopsIt) {
  auto file = RecordingFile::open("/dev/full", plenty);
  ASSERT_TRUE(file) << file.error();
  testing::internal::CaptureStderr();
  (*file)->append("a\n");
  EXPECT_TRUE(stops(**file));
  file->reset();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("recording to /dev/full has stopped: No space left on device"));
}

TEST(RecordingFile, AFileThatCannotBeOpened) {
  const auto file = RecordingFile::open("/nonexistent/lines", plenty);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error(), "/nonexistent/lines: cannot be recorded to: No such file or directory");
}

/// A pipe that nobody reads is a disk that does not move.
TEST(RecordingFile, ADiskThatStandsStillHoldsNobodyUp) {
  const store::TempFolder folder;
  const std::string path = folder.path + "/pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const int reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  ASSERT_GE(reader, 0);
  auto file = RecordingFile::open(path, plenty);
  ASSERT_TRUE(file) << file.error();
  const std::string line = std::string(1023, 'x') + '\n';
  std::uint64_t given = 0;
  while ((*file)->left_out() == 0 && given < 100'000) (*file)->append(line), ++given;
  EXPECT_EQ((*file)->left_out(), 1u) << "of " << given;
  EXPECT_GE(given * line.size(), RecordingFile::waiting_bytes_max);

  testing::internal::CaptureStderr();
  std::thread closing([&] { file->reset(); });
  ASSERT_EQ(::fcntl(reader, F_SETFL, 0), 0);
  std::uint64_t bytes = 0;
  std::string block(1 << 16, '\0');
  const std::uint64_t wanted = (given - 1) * line.size();
  while (bytes < wanted) {
    const ssize_t got = ::read(reader, block.data(), block.size());
    if (got <= 0) break;
    bytes += static_cast<std::uint64_t>(got);
  }
  closing.join();
  ::close(reader);
  EXPECT_EQ(bytes, wanted) << "what waited was written";
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("lacks 1 lines"));
}

}  // namespace
}  // namespace muster::server
