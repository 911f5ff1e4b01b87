#include "process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <thread>

extern char** environ;

namespace muster::e2e {
namespace {

/// Texts that end in NUL, one after the other, as /proc has them.
std::vector<std::string> texts_of(const std::string& file) {
  const std::string all = read_file(file);
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\0', at), all.size());
    texts.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  return texts;
}

}  // namespace

bool eventually(const std::function<bool()>& holds) {
  const auto deadline = steady_clock::now() + patience;
  while (!holds()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds{5});
  }
  return true;
}

void wait_until(std::string_view what, const std::function<bool()>& holds) {
  if (!eventually(holds)) throw std::runtime_error(fmt::format("waited in vain: {}", what));
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, std::string_view text, unsigned mode) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  if (!out || ::chmod(path.c_str(), mode) != 0)
    throw std::system_error(errno, std::generic_category(), path);
}

TempFolder::TempFolder() {
  std::string name = std::filesystem::temp_directory_path() / "muster_e2e_XXXXXX";
  if (!::mkdtemp(name.data())) throw std::system_error(errno, std::generic_category(), name);
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Process::Process(std::vector<std::string> command, ProcessOptions options)
    : name_(std::filesystem::path(command.front()).filename()) {
  // posix_spawn cannot set limits; a shell can, and then becomes the program.
  if (options.open_files_max > 0) {
    const std::string script =
        fmt::format("ulimit -n {} && exec \"$0\" \"$@\"", options.open_files_max);
    command.insert(command.begin(), {"/bin/sh", "-c", script});
  }
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, options.output.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int error =
      ::posix_spawn(&pid_, arguments[0], &actions, &attributes, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) throw std::system_error(error, std::generic_category(), arguments[0]);
}

Process::~Process() {
  if (!running()) return;
  signal(SIGKILL);
  reap(0);
}

bool Process::reap(int options) {
  int status = 0;
  if (reaped_ || ::waitpid(pid_, &status, options) != pid_) return reaped_;
  reaped_ = true;
  result_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return true;
}

bool Process::running() { return !reap(WNOHANG); }

void Process::signal(int number) const {
  if (!reaped_ && pid_ > 0) ::kill(pid_, number);
}

int Process::wait() {
  wait_until(name_ + " to end", [&] { return !running(); });
  return result_;
}

Ran run(std::vector<std::string> command, const std::string& folder) {
  const TempFolder temp;
  Process process(std::move(command), {.folder = folder, .output = temp / "output"});
  const int exit_code = process.wait();
  return {exit_code, read_file(temp / "output")};
}

std::vector<pid_t> processes_in(const std::string& folder) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc{} || *end != '\0') continue;
    std::error_code gone;
    const std::string where = std::filesystem::read_symlink(entry.path() / "cwd", gone);
    if (!gone && (where == folder || where.starts_with(folder + '/'))) found.push_back(pid);
  }
  return found;
}

std::vector<std::string> arguments_of(pid_t pid) {
  return texts_of(fmt::format("/proc/{}/cmdline", pid));
}

std::string environment_of(pid_t pid, std::string_view name) {
  const std::string start = std::string(name) + '=';
  for (const std::string& text : texts_of(fmt::format("/proc/{}/environ", pid)))
    if (text.starts_with(start)) return text.substr(start.size());
  return {};
}

}  // namespace muster::e2e
