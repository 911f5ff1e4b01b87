#pragma once
// The game client that `muster play` starts for an assignment.

#include <sys/types.h>

#include <expected>
#include <muster/client.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::cli {

/// The words {host} {port} {token} {match_id} {player_id} {name} {team} {queue}, and {port.NAME}
/// for a named port, in `text`, filled in; {{ is a brace. An unknown word in braces is an error,
/// which says so.
std::expected<std::string, std::string> expand(std::string_view text,
                                               const client::Assignment& assignment,
                                               std::string_view player_id, std::string_view name);

/// A child process. Ended by SIGTERM, and waited for, at the latest by the destructor.
class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  /// Starts a program, looked for in PATH unless its name has a slash; no shell. It shares the
  /// terminal. An error is a sentence.
  static std::expected<Child, std::string> start(const std::vector<std::string>& command);

  explicit operator bool() const { return pid_ > 0; }
  /// Readable once the process has ended.
  int descriptor() const { return pidfd_; }
  void terminate();
  /// The exit code if it has ended: 128 and the signal's number if one did it.
  std::optional<int> ended();

 private:
  void release();

  pid_t pid_ = -1;
  int pidfd_ = -1;
};

}  // namespace muster::cli
