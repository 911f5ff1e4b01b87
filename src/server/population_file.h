#pragma once
// The population file of `muster sim`: TOML in, a checked Population or everything that is wrong
// with it out. docs/simulator.md describes each key; a test keeps the two together.

#include <expected>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "population/population.h"
#include "server/config_file.h"

namespace muster::server {

using PopulationResult = std::expected<population::Population, std::vector<ConfigProblem>>;

/// `rules` are the configurations it is to be used with: a queue or attribute that none of them has
/// is a mistake.
PopulationResult parse_population(std::string_view text, const std::string& file,
                                  std::span<const core::Config> rules);
PopulationResult load_population(const std::filesystem::path& file,
                                 std::span<const core::Config> rules);

/// Every key there is, by table.
std::vector<ConfigKey> population_keys();

}  // namespace muster::server
