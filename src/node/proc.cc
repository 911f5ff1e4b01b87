#include "node/proc.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <memory>

#include "node/text_file.h"

namespace muster::node {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

}  // namespace

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const std::string path = fmt::format("/proc/{}/task", pid);
  const Folder tasks(::opendir(path.c_str()));
  if (!tasks) return children;
  while (const dirent* entry = ::readdir(tasks.get())) {
    if (entry->d_name[0] == '.') continue;
    const std::string file = fmt::format("{}/{}/children", path, entry->d_name);
    const std::string text = read_text(file);
    // Also absent if that thread has ended just now; the other way only costs more.
    if (text.empty() && ::access(file.c_str(), F_OK) != 0) return children_by_scan(pid);
    const char* at = text.data();
    const char* const end = at + text.size();
    pid_t child = 0;
    for (;;) {
      const auto [next, error] = std::from_chars(at, end, child);
      if (error != std::errc{}) break;
      children.push_back(child);
      at = next == end ? end : next + 1;  // A space follows each.
    }
  }
  return children;
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  const Folder processes(::opendir("/proc"));
  while (const dirent* entry = processes ? ::readdir(processes.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

std::vector<pid_t> children_by_scan(pid_t pid) {
  std::vector<pid_t> children = all_processes();
  std::erase_if(children, [&](pid_t candidate) { return parent_of(candidate) != pid; });
  return children;
}

pid_t parent_of(pid_t pid) {
  const std::string stat = read_text(fmt::format("/proc/{}/stat", pid));
  const std::size_t name_end = stat.rfind(')');  // The name may hold anything, brackets too.
  if (name_end == std::string::npos || name_end + 4 >= stat.size()) return 0;
  pid_t parent = 0;  // ") S 123 …"
  std::from_chars(stat.data() + name_end + 4, stat.data() + stat.size(), parent);
  return parent;
}

std::optional<std::uint64_t> began_at(pid_t pid) {
  constexpr int spaces_before = 20;  // Field 22, after the name, which is the second.
  const std::string stat = read_text(fmt::format("/proc/{}/stat", pid));
  std::size_t at = stat.rfind(')');
  for (int i = 0; i < spaces_before && at != std::string::npos; ++i) at = stat.find(' ', at + 1);
  std::uint64_t ticks = 0;
  if (at == std::string::npos ||
      std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks).ec != std::errc{})
    return std::nullopt;
  return ticks * (1'000'000'000u / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK)));
}

std::string environment_value(pid_t pid, std::string_view name) {
  const std::string environment = read_text(fmt::format("/proc/{}/environ", pid));
  std::string_view rest = environment;
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find('\0'));
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return std::string(entry.substr(name.size() + 1));
    rest.remove_prefix(std::min(entry.size() + 1, rest.size()));
  }
  return {};
}

bool environment_has(pid_t pid, std::string_view entry) {
  const std::string environment = read_text(fmt::format("/proc/{}/environ", pid));
  std::string_view rest = environment;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\0'), rest.size());
    if (rest.substr(0, end) == entry) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

namespace {
/// Calls f with what each descriptor leads to, until it says false.
template <class F>
std::expected<void, int> for_each_descriptor(pid_t pid, F&& f) {
  const Folder folder(::opendir(fmt::format("/proc/{}/fd", pid).c_str()));
  if (!folder) return std::unexpected(errno);
  const int folder_fd = ::dirfd(folder.get());
  char target[64];
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (!entry) break;
    const ssize_t n = ::readlinkat(folder_fd, entry->d_name, target, sizeof target);
    if (n > 0 && !f(std::string_view(target, static_cast<std::size_t>(n)))) return {};
  }
  if (errno != 0) return std::unexpected(errno);
  return {};
}
}  // namespace

std::expected<bool, int> has_socket(pid_t pid, std::uint64_t inode) {
  const std::string wanted = fmt::format("socket:[{}]", inode);
  bool found = false;
  const auto looked = for_each_descriptor(pid, [&](std::string_view target) {
    found = target == wanted;
    return !found;
  });
  if (!found && !looked) return std::unexpected(looked.error());
  return found;
}

std::expected<std::vector<std::uint64_t>, int> sockets_of(pid_t pid) {
  constexpr std::string_view prefix = "socket:[";
  std::vector<std::uint64_t> inodes;
  const auto looked = for_each_descriptor(pid, [&](std::string_view target) {
    std::uint64_t inode = 0;
    if (target.starts_with(prefix) &&
        std::from_chars(target.data() + prefix.size(), target.data() + target.size(), inode).ec ==
            std::errc{})
      inodes.push_back(inode);
    return true;
  });
  if (!looked) return std::unexpected(looked.error());
  return inodes;
}

}  // namespace muster::node
