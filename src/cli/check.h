#pragma once

#include <cstdio>
#include <string>

#include "server/config_file.h"

namespace CLI {
class App;
}

namespace muster::cli {

/// `muster check FILE`: sets `exit_code` to 0, or to 1 if the file is refused.
void add_check_command(CLI::App& app, int& exit_code);

/// "ok", and what the configuration amounts to.
std::string summary(const server::ServerConfig& config);

/// Prints the problems, or "ok" and the summary; returns the exit code.
int run_check(const std::string& file, const server::Machine& machine, std::FILE* out);

}  // namespace muster::cli
