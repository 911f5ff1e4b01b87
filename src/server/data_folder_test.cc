#include "server/data_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace muster::server {
namespace {

class DataFolderTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/muster-test-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::filesystem::path root_;
};

TEST_F(DataFolderTest, IsMadeForItsOwnerOnly) {
  const auto folder = DataFolder::open(root_ / "a" / "data");
  ASSERT_TRUE(folder) << folder.error();
  struct stat status{};
  ASSERT_EQ(stat(folder->path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0700u);
}

TEST_F(DataFolderTest, OneLobbyAtATime) {
  {
    const auto first = DataFolder::open(root_);
    ASSERT_TRUE(first) << first.error();
    const auto second = DataFolder::open(root_);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().find("in use by another lobby (process " + std::to_string(getpid())),
              std::string::npos)
        << second.error();
  }
  EXPECT_TRUE(DataFolder::open(root_)) << "free again";
}

TEST_F(DataFolderTest, AFileIsNotAFolder) {
  std::ofstream(root_ / "file") << "x";
  const auto folder = DataFolder::open(root_ / "file");
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().find("is not a folder"), std::string::npos) << folder.error();
}

TEST_F(DataFolderTest, WhereNothingCanBeWrittenIsSaid) {
  // /proc takes no new folders, whoever asks: root included.
  const auto folder = DataFolder::open("/proc/muster-data");
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().find("cannot be made"), std::string::npos) << folder.error();
}

}  // namespace
}  // namespace muster::server
