#pragma once
// Processes and files of the tests. What goes wrong is thrown: GoogleTest turns it into a failure,
// and destructors see to it that nothing is left behind.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::e2e {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

/// How long anything is waited for. Generous: the machine may be busy with other things.
constexpr auto patience = seconds{20};

/// For what has no event to wait for: asks again and again. False once patience is over.
bool eventually(const std::function<bool()>& holds);
/// The same, but throws, naming `what` did not come.
void wait_until(std::string_view what, const std::function<bool()>& holds);

std::string read_file(const std::string& path);
void write_file(const std::string& path, std::string_view text, unsigned mode = 0644);

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + '/' + std::string(name); }

 private:
  std::string path_;
};

struct ProcessOptions {
  std::string folder = "/";          // Where it starts.
  std::string output = "/dev/null";  // The file for its stdout and stderr, appended to.
  std::uint32_t open_files_max = 0;  // Descriptors it may have, for good; 0: as many as the test.
};

/// A child of the test, started in its own process group.
class Process {
 public:
  Process(std::vector<std::string> command, ProcessOptions options);
  /// Kills it if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void signal(int number) const;
  /// Its exit code, or minus the signal that ended it. Throws if it does not end.
  int wait();

 private:
  bool reap(int options);

  pid_t pid_ = -1;
  bool reaped_ = false;
  int result_ = 0;
  std::string name_;
};

struct Ran {
  int exit_code = 0;
  std::string output;  // stdout and stderr.
};
/// Runs a program to its end.
Ran run(std::vector<std::string> command, const std::string& folder = "/");

/// Processes whose current folder is `folder` or in it: the lobby, node and game servers of a test
/// that has its own.
std::vector<pid_t> processes_in(const std::string& folder);
/// The arguments of a process.
std::vector<std::string> arguments_of(pid_t pid);
/// A variable of a process's environment; empty if it has none.
std::string environment_of(pid_t pid, std::string_view name);

}  // namespace muster::e2e
