#pragma once
// A node whose game servers are only numbers: every launch is Ready at once, and matches end when
// told. A process of its own, so that the lobby's cost is measured and not ours.

#include <cstdint>
#include <string>

#include "bench/process.h"
#include "bench/sockets.h"

namespace muster::bench {

class FakeNode {
 public:
  /// Listens on the unix socket where a lobby looks for its node.
  explicit FakeNode(const std::string& socket_path);

  /// Launches answered so far.
  std::uint32_t servers_ready() const;

  /// From here on matches that start are only collected, unread, so that this process takes little
  /// of the machine while the lobby is measured.
  void hold_matches();
  /// From here on matches that start go on, and a lobby that comes back hears of them.
  void keep_matches();
  /// Ends those held, and from here on (as at first) each match as soon as it starts.
  void end_matches();

 private:
  struct Shared;
  Shared* shared_;  // In memory that both processes see.
  Fd control_;
  Child process_;
};

}  // namespace muster::bench
