#include "core/scenario_test.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>

namespace muster::core {
namespace {

constexpr std::string_view rule = "----";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::filesystem::path folder() {
  return std::filesystem::path(MUSTER_SOURCE_DIR) / "tests/scenarios";
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool is_configuration(const std::string& line) {
  return line.starts_with("config ") || line.starts_with("fleet ") || line.starts_with("queue ");
}

/// Plays a whole file and returns it as it should read: the same text, with what really came.
std::string play(const std::string& text) {
  std::string actual;
  Config config;
  std::unique_ptr<Scenario> scenario;
  const std::vector<std::string> lines = lines_of(text);
  std::string came;  // Of the block so far.
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    try {
      if (line == rule) {
        actual += line + '\n' + (came.empty() ? "-\n" : came);
        came.clear();
        while (i + 1 < lines.size() && !lines[i + 1].empty()) ++i;  // What was expected.
        continue;
      }
      actual += line + '\n';
      if (line.empty() || line.starts_with('#')) continue;
      if (is_configuration(line)) {
        if (scenario) throw std::runtime_error("the configuration stands at the head of the file");
        configure(config, ScenarioLine(line));
        continue;
      }
      if (!scenario) scenario = std::make_unique<Scenario>(config);
      std::vector<std::string> indented;
      while (i + 1 < lines.size() && lines[i + 1].starts_with("  ")) {
        indented.push_back(lines[++i]);
        actual += lines[i] + '\n';
      }
      came += scenario->play(line, indented);
    } catch (const std::exception& error) {
      throw std::runtime_error("line " + std::to_string(i + 1) + ": " + line + ": " + error.what());
    }
  }
  if (!came.empty()) throw std::runtime_error("the last command has no ---- after it:\n" + came);
  if (!scenario) throw std::runtime_error("nothing happens");
  EXPECT_TRUE(scenario->replays()) << "the same events led another core to another digest";
  return actual;
}

class ScenarioFile : public testing::Test {
 public:
  explicit ScenarioFile(std::filesystem::path file) : file_(std::move(file)) {}

  void TestBody() override {
    const std::string expected = text_of(file_);
    std::string actual;
    try {
      actual = play(expected);
    } catch (const std::exception& error) {
      FAIL() << file_.string() << ": " << error.what();
    }
    if (actual == expected) return;
    if (std::getenv("UPDATE_EXPECT")) {
      std::ofstream(file_, std::ios::binary) << actual;
      return;
    }
    // The first difference, with what stands around it; gtest would compare as one long string.
    const auto want = lines_of(expected), got = lines_of(actual);
    std::size_t at = 0;
    while (at < want.size() && at < got.size() && want[at] == got[at]) ++at;
    std::string shown;
    for (std::size_t i = at < 8 ? 0 : at - 8; i < at; ++i) shown += "  " + want[i] + '\n';
    for (std::size_t i = at; i < std::min(at + 6, want.size()); ++i) shown += "- " + want[i] + '\n';
    for (std::size_t i = at; i < std::min(at + 6, got.size()); ++i) shown += "+ " + got[i] + '\n';
    FAIL() << file_.string() << ":" << at + 1 << ": not as expected (-) but so (+):\n"
           << shown << "If the new way is right: UPDATE_EXPECT=1, then read the change.";
  }

 private:
  std::filesystem::path file_;
};

/// Before main(): one test per file, named as it is.
const bool registered = [] {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder()))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files)
    testing::RegisterTest("Scenario", file.stem().c_str(), nullptr, nullptr, __FILE__, __LINE__,
                          [file]() -> testing::Test* { return new ScenarioFile(file); });
  return !files.empty();
}();

TEST(Scenarios, ShowEveryCodeThatTheCoreGives) {
  std::string all;
  for (const auto& entry : std::filesystem::directory_iterator(folder()))
    if (entry.path().extension() == ".txt") all += text_of(entry.path());
  // What others find out: net, accounts, the admin API.
  const std::set<Error> not_ours = {Error::message_invalid,     Error::rate_limited,
                                    Error::login_refused,       Error::name_taken,
                                    Error::storage_unavailable, Error::server_not_found};
  for (int i = 0; i <= static_cast<int>(Error::server_not_found); ++i) {
    const Error error{static_cast<std::uint8_t>(i)};
    if (not_ours.contains(error)) continue;
    EXPECT_NE(all.find(' ' + std::string(code(error))), all.npos) << code(error);
  }
}

TEST(Scenarios, AreThere) { EXPECT_TRUE(registered) << "tests/scenarios holds no .txt"; }

}  // namespace
}  // namespace muster::core
