#pragma once
// Child processes: started here, ended by pid here; and what the kernel says they cost.

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace muster::bench {

/// Thrown where a benchmark waits, once SIGINT or SIGTERM has come, so that destructors clean up.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};
void catch_interrupts();
void check_interrupted();

/// Stops its process when it goes.
class Child {
 public:
  Child() = default;
  explicit Child(pid_t pid, int stop_signal) : pid_(pid), stop_signal_(stop_signal) {}
  ~Child() { stop(); }
  Child(Child&& other) noexcept
      : pid_(std::exchange(other.pid_, 0)), stop_signal_(other.stop_signal_) {}
  Child& operator=(Child&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(stop_signal_, other.stop_signal_);
    return *this;
  }

  pid_t pid() const { return pid_; }
  /// Reaps it if it has ended.
  bool running();
  /// Its stop signal, after `grace` SIGKILL; returns when it is gone. Nothing if there is none.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds(10));
  /// SIGKILL, at once.
  void kill();

 private:
  pid_t pid_ = 0;
  int stop_signal_ = 0;
};

/// A copy of this process that runs `body` and exits; it does not outlive its parent.
Child fork_and_run(const std::function<void()>& body);
/// Standard output and error go to `log_file`. Stopped by, and on its parent's death sent, SIGINT:
/// what makes a lobby take its node and game servers with it.
Child run_program(const std::vector<std::string>& command, const std::string& log_file);

/// CPU time of all its threads, user and system, so far.
double cpu_microseconds(pid_t pid);
/// Returns once it has all but stopped using CPU (under 2 % for 50 ms), or after 10 s. A lobby uses
/// the time after its start, and after a match, to make ready what the next ones need.
void wait_until_idle(pid_t pid);
/// Bytes that are its own (private pages, clean or dirty).
std::uint64_t private_bytes(pid_t pid);

/// A folder for one benchmark, removed with all in it when it goes.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace muster::bench
