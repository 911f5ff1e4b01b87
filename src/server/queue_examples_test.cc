// examples/queues can be copied as they are: `muster check` says nothing against them, their
// players fit them, everybody who comes gets to play, and the documentation shows these very files.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "population/simulation.h"
#include "server/config_file.h"
#include "server/population_file.h"

namespace muster::server {
namespace {

namespace fs = std::filesystem;

const fs::path folder = MUSTER_SOURCE_DIR "/examples/queues";
constexpr std::string_view players_suffix = ".players.toml";

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> files(bool of_players) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().string().ends_with(players_suffix) == of_players)
      found.push_back(entry.path());
  return found;
}

/// Only the game servers' programs are the reader's own.
ServerConfig load(const fs::path& file) {
  Machine machine = this_machine();
  machine.look_for_programs = false;
  auto config = load_config(file, machine);
  if (!config) {
    for (const ConfigProblem& problem : config.error()) ADD_FAILURE() << to_string(problem);
    return {};
  }
  for (const ConfigProblem& warning : config->warnings) ADD_FAILURE() << to_string(warning);
  return std::move(*config);
}

TEST(QueueExamples, AreAcceptedWithoutAWarning) {
  EXPECT_GE(files(false).size(), 5u);
  for (const fs::path& file : files(false)) EXPECT_FALSE(load(file).core.queues.empty()) << file;
}

TEST(QueueExamples, GiveTheirPlayersMatches) {
  EXPECT_GE(files(true).size(), 4u);
  for (const fs::path& file : files(true)) {
    SCOPED_TRACE(file.string());
    std::string rules = file.string();
    rules.replace(rules.size() - players_suffix.size(), players_suffix.size(), ".toml");
    const core::Config config = load(rules).core;
    ASSERT_FALSE(config.queues.empty());
    auto population = load_population(file, std::span(&config, 1));
    if (!population) {
      for (const ConfigProblem& problem : population.error()) ADD_FAILURE() << to_string(problem);
      continue;
    }
    population->players = std::min(population->players, 400u);  // Enough, and sooner done.
    const population::Report report =
        population::Simulation(config, *population, {.title = rules, .hours = 1}).run();
    EXPECT_TRUE(report.refusals.empty()) << report.refusals.begin()->first;
    EXPECT_GT(report.queues[0].matches, 0u);
    EXPECT_EQ(report.queues[0].all.failed, 0u);
  }
}

TEST(QueueExamples, AreWhatTheDocumentationShows) {
  const std::string page = read(MUSTER_SOURCE_DIR "/docs/queue-examples.md");
  for (const bool of_players : {false, true})
    for (const fs::path& file : files(of_players)) {
      const std::string name = file.filename();
      EXPECT_NE(page.find(name), std::string::npos) << name << " is not in docs/queue-examples.md";
      const std::string mark = "<!-- file " + name + " -->\n";
      if (page.find(mark) == std::string::npos) continue;  // Told of by a report alone.
      EXPECT_NE(page.find(mark + "```toml\n" + read(file) + "```\n"), std::string::npos)
          << name << " is another now: ./dev reports";
    }
}

}  // namespace
}  // namespace muster::server
