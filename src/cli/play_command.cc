#include "cli/play_command.h"

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

extern char** environ;

namespace muster::cli {

namespace {

std::optional<std::string> value_of(std::string_view word, const client::Assignment& a,
                                    std::string_view player_id, std::string_view name) {
  if (word == "host") return a.host;
  if (word == "port") return std::to_string(a.port);
  if (word == "token") return a.join_token;
  if (word == "match_id") return a.match_id;
  if (word == "player_id") return std::string(player_id);
  if (word == "name") return std::string(name);
  if (word == "team") return std::to_string(a.team);
  if (word == "queue") return a.queue;
  if (word.starts_with("port."))
    if (const auto port = a.ports.find(std::string(word.substr(5))); port != a.ports.end())
      return std::to_string(port->second);
  return std::nullopt;
}

}  // namespace

std::expected<std::string, std::string> expand(std::string_view text,
                                               const client::Assignment& assignment,
                                               std::string_view player_id, std::string_view name) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '{') {
      out += text[at];
      continue;
    }
    if (text.substr(at, 2) == "{{") {
      out += text[at++];
      continue;
    }
    const std::size_t end = text.find('}', at);
    const std::string_view word =
        text.substr(at + 1, (end == std::string_view::npos ? text.size() : end) - at - 1);
    const std::string_view letters = word.starts_with("port.")
                                         ? "abcdefghijklmnopqrstuvwxyz_.0123456789"
                                         : "abcdefghijklmnopqrstuvwxyz_";
    // JSON and the like in an argument are left alone: only a bare word asks to be filled in.
    if (end == std::string_view::npos || word.empty() ||

        word.find_first_not_of(letters) != std::string_view::npos) {
      out += text[at];
      continue;
    }
    const auto value = value_of(word, assignment, player_id, name);
    if (!value)
      return std::unexpected(fmt::format(
          "there is no {{{}}}; there are {{host}} {{port}} {{token}} {{match_id}} {{player_id}} "
          "{{name}} {{team}} {{queue}}, {{port.NAME}} for a port that the fleet names, and {{{{ is "
          "a "
          "brace",
          word));
    out += *value;
    at = end;
  }
  return out;
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), pidfd_(std::exchange(other.pidfd_, -1)) {}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    release();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::exchange(other.pidfd_, -1);
  }
  return *this;
}

Child::~Child() { release(); }

void Child::release() {
  if (pid_ > 0) {
    terminate();
    waitpid(pid_, nullptr, 0);
  }
  if (pidfd_ >= 0) close(pidfd_);
  pid_ = pidfd_ = -1;
}

std::expected<Child, std::string> Child::start(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));  // posix_spawn does not write there.
  arguments.push_back(nullptr);

  // We block the signals that we read from a descriptor; the game client must not.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  Child child;
  const int error =
      posix_spawnp(&child.pid_, arguments[0], nullptr, &attributes, arguments.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    child.pid_ = -1;
    return std::unexpected(fmt::format("{}: {}", command.front(), std::strerror(error)));
  }
  // The call itself: glibc 2.36 declares its wrapper without extern "C".
  child.pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, child.pid_, 0));
  if (child.pidfd_ < 0)
    return std::unexpected(
        fmt::format("{}: cannot be watched: {}", command.front(), std::strerror(errno)));
  return child;
}

void Child::terminate() {
  if (pid_ > 0) kill(pid_, SIGTERM);
}

std::optional<int> Child::ended() {
  int status = 0;
  if (pid_ <= 0 || waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  release();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace muster::cli
