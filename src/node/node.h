#pragma once
// The node: a small single-threaded process that is the parent of game servers. It launches them,
// watches them, keeps their logs, talks to their SDKs, and tells the lobby; it decides nothing.
//
// In the data folder: node.lock (held while it runs; has its pid), node.sock (the lobby connects
// here), node.port (the port of the SDK endpoint, kept over restarts), sdk.sock (the same endpoint
// for SDKs on this machine), logs/<fleet>/, node.record and output/ (for the next node: record.h).
//
// Without a lobby it goes on: matches are played on, and the next lobby takes its servers back.
// With neither lobby nor server for a minute it ends by itself. SIGTERM and SIGINT, like StopNode,
// stop every server first (SIGTERM, after a grace time SIGKILL; at once when told twice).
//
// If it is killed, its servers go on, and the next node on the same folder takes them over: those
// that are on record. It reads what they print, learns of their end and is asked by their SDKs as
// the first one was; only how one of them ended it cannot know, since it is not their parent.

#include <chrono>
#include <string>

namespace muster::node {

struct NodeOptions {
  std::string data;  // The data folder; made if it is not there.
  std::string name;  // Of the machine; empty: its host name.
  std::string host;  // What players connect to; empty: the lobby knows.
  int link_fd = -1;  // An inherited socket whose other end is a lobby; -1: none.
  int lock_fd = -1;  // An inherited node.lock, locked by who started this; -1: locks it itself.
  std::chrono::milliseconds stop_grace{
      10'000};  // SIGTERM to SIGKILL when told to stop by a signal.
  std::chrono::milliseconds idle_timeout{60'000};  // Ends after so long without lobby and servers.
  std::size_t logs_kept_max = 50;                  // Servers per fleet whose logs are kept.
};

/// Runs until it is told to stop, or has nothing to do. 0, or 1 if it could not start; why is then
/// on standard error. Changes its process: signal handling, subreaper, descriptor limit. Once per
/// process, from its main thread, without others.
int run_node(const NodeOptions& options);

}  // namespace muster::node
