#pragma once
// What a game server prints, kept in <data>/logs/<fleet>/<server id>-<start time>.log.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "node/unique_fd.h"

namespace muster::node {

struct LogLimits {
  std::uint64_t bytes_max = 10u << 20;  // Of one file; at least 64 KiB.
  std::uint32_t files_max = 2;  // At least 1: x.log, and older ones x.log.1, x.log.2 and so on.
};

/// One server's log: never more than bytes_max * files_max on disk. The file (0640, appended to)
/// is made with the first byte. If it cannot be made or written (disk full), output is dropped and
/// counted; one line on standard error says so, and one in the log once writing works again.
class ServerLog {
 public:
  /// `path` ends in ".log"; its folder must exist by the first write.
  ServerLog(std::string path, LogLimits limits);

  void write(std::string_view bytes);
  /// Goes on with a file that an earlier node has written. Returns the beginning of a line that is
  /// not ended there.
  std::string go_on();
  /// Output that came faster than is kept: counted, and said with the next that is written.
  void drop(std::string_view bytes);

  /// The last line that is not blank, at most 200 bytes, printable UTF-8.
  std::string last_line() const;

  const std::string& path() const { return path_; }
  std::uint64_t bytes_lost() const { return bytes_lost_; }

 private:
  bool open();
  void rotate();
  bool append(std::string_view bytes);
  void lose(std::size_t bytes, int error);
  void remember_lines(std::string_view bytes);

  std::string path_;
  LogLimits limits_;
  UniqueFd file_;
  std::uint64_t file_bytes_ = 0;
  bool at_line_start_ = true;
  std::uint64_t bytes_lost_ = 0;
  std::uint64_t lost_unsaid_ = 0;
  bool said_ = false;
  std::string last_line_;     // Whole, without its end.
  std::string current_line_;  // Begun, not ended yet.
};

/// Deletes the oldest logs (with their rotated files) in a fleet's folder until at most `keep`
/// servers have one. Those for which in_use(path of the .log) is true stay.
void prune_logs(const std::string& folder, std::size_t keep,
                const std::function<bool(const std::string&)>& in_use);

}  // namespace muster::node
