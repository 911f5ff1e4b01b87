#pragma once
// `muster trace`: the life of one ticket, match or game server, each change with its cause.

#include <cstdio>
#include <string>

namespace CLI {
class App;
}

namespace muster::cli {

struct TraceOptions {
  std::string kind;  // "ticket", "match", "server"
  std::string id;    // "41.3"
  std::string data;  // The data folder, or the journal in it. May be a running lobby's.
  bool perfetto = false;
};

/// Prints a line for each change of it, and of the match and the game servers it comes to. 0; or 1
/// if the journal cannot be read or has nothing of that id: why goes to `err`.
int run_trace(const TraceOptions& options, std::FILE* out, std::FILE* err);

void add_trace_command(CLI::App& app, int& exit_code);

}  // namespace muster::cli
