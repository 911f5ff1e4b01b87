#pragma once
// What must hold in the tables inside a [[fleet]], and the placeholders of launches. Part of
// config_check.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "server/config_check.h"

namespace muster::server {

/// Checks named ports, [fleet.ready], [fleet.end] and [fleet.files]; reads the files' templates, if
/// `look_at_files`.
void check_plain(core::FleetConfig& fleet, const ConfigLines& lines,
                 const std::filesystem::path& folder, bool look_at_files, ConfigProblems& problems);

/// The words in braces that the node would fill in: "{port}" has "port". JSON and the like are left
/// alone, and so is what follows "{{".
std::vector<std::string> placeholders_in(std::string_view text);

/// What is wrong with such a word; empty if the node knows it.
std::string unknown_placeholder(std::string_view name, const core::FleetConfig& fleet);

}  // namespace muster::server
