#pragma once
// `muster replay`: production's events, stepped again.

#include <cstdint>
#include <cstdio>
#include <string>

namespace CLI {
class App;
}

namespace muster::cli {

struct ReplayOptions {
  std::string folder;                // The data folder, or the journal in it.
  std::uint64_t until = UINT64_MAX;  // The last event to step through.
  std::uint64_t from = UINT64_MAX;   // Begin at the newest snapshot before this one; 0: the oldest.
  std::uint32_t last = 20;           // So many events are printed, with their effects.
  bool state = false;                // Print tickets, matches and servers at the end.
};

/// Steps the journal and prints. 0; or 1 if it cannot be read: why goes to `err`.
int run_replay(const ReplayOptions& options, std::FILE* out, std::FILE* err);

void add_replay_command(CLI::App& app, int& exit_code);

}  // namespace muster::cli
