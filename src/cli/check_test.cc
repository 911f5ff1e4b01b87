#include "cli/check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX's.

#include <filesystem>
#include <fstream>
#include <string>

namespace muster::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Check : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "muster-check-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// The exit code; what was printed is in text_.
  int check(const std::string& config) {
    const fs::path file = folder_ / "muster.toml";
    std::ofstream(file) << config;
    server::Machine machine;
    machine.look_for_programs = false;
    machine.address = "192.0.2.10";
    machine.ephemeral_ports = {32768, 60999};
    std::FILE* const out = std::tmpfile();
    const int code = run_check(file.string(), machine, out);
    text_.assign(static_cast<std::size_t>(std::ftell(out)), '\0');
    std::rewind(out);
    text_.resize(std::fread(text_.data(), 1, text_.size(), out));
    std::fclose(out);
    return code;
  }

  fs::path folder_;
  std::string text_;
};

TEST_F(Check, SaysOkAndWhatItAmountsTo) {
  EXPECT_EQ(
      check("[[fleet]]\nname = \"duel\"\ncommand = [\"./s\", \"{port}\"]\nports = \"40000-40009\"\n"
            "[[queue]]\nname = \"quick\"\nfleet = \"duel\"\nplayers = 4\nteams = 2\n"),
      0);
  EXPECT_THAT(text_, HasSubstr("muster.toml:4: warning: fleet.ports"));
  EXPECT_THAT(text_, HasSubstr("\nok\n"));
  EXPECT_THAT(text_, HasSubstr("players connect to 0.0.0.0:4100, classic packets from loopback\n"));
  EXPECT_THAT(text_, HasSubstr("at 192.0.2.10\n"));
  EXPECT_THAT(text_, HasSubstr("\nquick  duel         4      2  10m\n"));
}

TEST_F(Check, SaysAllThatIsWrong) {
  EXPECT_EQ(check("[lobby]\nadmin = \"0.0.0.0:4180\"\nclasic = \"off\"\n"), 1);
  EXPECT_THAT(text_, HasSubstr("muster.toml:2: lobby.admin: "));
  EXPECT_THAT(
      text_,
      HasSubstr("muster.toml:3: lobby.clasic: there is no such key, did you mean \"classic\"?"));
  EXPECT_THAT(text_, HasSubstr("\n2 errors in "));
  EXPECT_THAT(text_, testing::Not(HasSubstr("ok\n")));
}

}  // namespace
}  // namespace muster::cli
