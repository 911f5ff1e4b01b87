#pragma once

#include <cstdio>
#include <string>

namespace CLI {
class App;
}

namespace muster::cli {

/// `muster backup DATA TO`: exit code 0, or 1 with the reason on `err`.
void add_backup_command(CLI::App& app, int& exit_code);
int run_backup(const std::string& data, const std::string& to, std::FILE* out, std::FILE* err);

}  // namespace muster::cli
