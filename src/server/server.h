#pragma once
// The lobby: builds every adapter around the core and runs it. The only place that knows them all.

#include <cstdint>
#include <string>

namespace muster::server {

struct ServeOptions {
  std::string config_file;
  std::string program;  // The muster executable: how the node is started.
  bool quiet = false;   // Say nothing but errors.
  /// Goes on in the place of the lobby that runs on the same data folder, which leaves: players of
  /// that one have to reconnect, and nobody who connects is refused.
  bool takeover = false;
  std::string record;  // A file that what players do is recorded to; empty: none.
  std::uint64_t record_bytes_max = 1u << 30;
};

/// Runs a lobby until it is told to stop; returns the exit code. Errors go to stderr.
///
/// SIGINT and POST /v1/stop end everything: tickets fail, matches end, game servers are stopped,
/// the node leaves. SIGTERM (and "keepServers") ends the lobby alone: the node and its matches go
/// on, and the next lobby on the same data folder takes them back. A second SIGINT has the game
/// servers killed at once; a third does not wait for that.
int run_serve(const ServeOptions& options);

}  // namespace muster::server
