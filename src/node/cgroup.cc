#include "node/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include "node/text_file.h"

namespace muster::node {
namespace {

constexpr std::array<std::string_view, 3> wanted_controllers{"memory", "cpu", "pids"};
constexpr std::string_view host_folder = "muster-host";

// Shorter than the kernel's 100 ms: a server that has used up its share misses less than a tick.
constexpr std::uint64_t cpu_period_us = 20'000;

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(at), text.size());
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// "\040" for a space and so on, as in mountinfo.
std::string unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int code = 0;
    if (text[i] == '\\' && i + 3 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8).ptr ==
            text.data() + i + 4) {
      out += static_cast<char>(code);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Where a cgroup path is, in a mount that shows the part of the hierarchy below `root`.
std::optional<std::string> folder_of(std::string path, const std::string& root,
                                     const std::string& mounted) {
  if (root != "/") {
    if (path != root && !path.starts_with(root + "/")) return std::nullopt;
    path = path.substr(root.size());
  }
  return path.empty() || path == "/" ? mounted : mounted + path;
}

int write_file(const std::string& path, std::string_view text) {
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

bool lists(const std::string& text, std::string_view word) {
  std::string spaced = text;
  std::ranges::replace(spaced, '\n', ' ');
  const std::vector<std::string_view> words = split(spaced, ' ');
  return std::ranges::find(words, word) != words.end();
}

std::vector<pid_t> processes_in(const std::string& folder) {
  std::vector<pid_t> pids;
  const std::string text = read_text(folder + "/cgroup.procs");
  for (const std::string_view line : split(text, '\n')) {
    pid_t pid = 0;
    std::from_chars(line.data(), line.data() + line.size(), pid);
    if (pid > 0) pids.push_back(pid);
  }
  return pids;
}

// Of a server, and of a node: those below first. Only what is empty goes.
void remove_with_children(const std::string& folder) {
  struct Close {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  const std::unique_ptr<DIR, Close> entries(::opendir(folder.c_str()));
  while (const dirent* entry = entries ? ::readdir(entries.get()) : nullptr)
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
      ::rmdir(fmt::format("{}/{}", folder, entry->d_name).c_str());
  ::rmdir(folder.c_str());
}

bool is_root_of_hierarchy(const std::string& folder) { return !exists(folder + "/cgroup.type"); }

bool is_delegated(const std::string& folder) {
  for (const char* name : {"trusted.delegate", "user.delegate"}) {
    char value[8];
    const ssize_t n = ::getxattr(folder.c_str(), name, value, sizeof value);
    if (n == 1 && value[0] == '1') return true;
  }
  return false;
}

// v2: which controllers its children can have, or why none.
void look_at_v2(CgroupHierarchy& v2) {
  if (v2.folder.ends_with('/' + std::string(host_folder)))  // A node was here before this one.
    v2.folder.resize(v2.folder.size() - host_folder.size() - 1);
  const std::string there = read_text(v2.folder + "/cgroup.controllers");
  for (const std::string_view name : wanted_controllers)
    if (lists(there, name)) v2.controllers.emplace(name);
  if (::access(v2.folder.c_str(), W_OK) < 0 ||
      ::access((v2.folder + "/cgroup.subtree_control").c_str(), W_OK) < 0) {
    v2.controllers.clear();
    v2.unusable = fmt::format("{} is not writable", v2.folder);
    return;
  }
  const std::string enabled = read_text(v2.folder + "/cgroup.subtree_control");
  const bool all_enabled = std::ranges::all_of(
      v2.controllers, [&](const std::string& name) { return lists(enabled, name); });
  const bool alone = std::ranges::all_of(
      processes_in(v2.folder), [](pid_t pid) { return pid == ::getpid() || pid == ::getppid(); });
  // A folder whose children have controllers may have no processes, and those in this one are
  // somebody's to move only if that somebody said so.
  if (!is_root_of_hierarchy(v2.folder) && !is_delegated(v2.folder) && !alone &&
      (!all_enabled || v2.controllers.empty())) {
    v2.controllers.clear();
    v2.unusable = fmt::format("{} is not delegated to Muster (systemd: Delegate=yes)", v2.folder);
  } else if (v2.controllers.empty()) {
    v2.unusable = fmt::format("{} has none of the controllers memory, cpu and pids", v2.folder);
  }
}

void look_at_v1(CgroupHierarchy& v1) {
  if (::access(v1.folder.c_str(), W_OK) == 0) return;
  v1.controllers.clear();
  v1.unusable = fmt::format("{} is not writable", v1.folder);
}

std::vector<CgroupHierarchy> look() {
  auto found = parse_cgroups(read_text("/proc/self/mountinfo"), read_text("/proc/self/cgroup"));
  for (CgroupHierarchy& hierarchy : found)
    hierarchy.version == 2 ? look_at_v2(hierarchy) : look_at_v1(hierarchy);
  return found;
}

}  // namespace

std::vector<CgroupHierarchy> parse_cgroups(std::string_view mountinfo, std::string_view own) {
  std::vector<CgroupHierarchy> found;
  for (const std::string_view line : split(mountinfo, '\n')) {
    const std::vector<std::string_view> words = split(line, ' ');
    const auto dash = std::ranges::find(words, "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    const bool v2 = dash[1] == "cgroup2";
    if (!v2 && dash[1] != "cgroup") continue;
    CgroupHierarchy hierarchy;
    hierarchy.version = v2 ? 2 : 1;
    const std::vector<std::string_view> options = split(dash[3], ',');
    if (!v2)
      for (const std::string_view name : wanted_controllers)
        if (std::ranges::find(options, name) != options.end()) hierarchy.controllers.emplace(name);
    if (!v2 && hierarchy.controllers.empty()) continue;
    for (const std::string_view entry : split(own, '\n')) {  // "4:memory:/a", "0::/a"
      const std::size_t first = entry.find(':');
      const std::size_t second = entry.find(':', first + 1);
      if (second == std::string_view::npos) continue;
      const auto names = split(entry.substr(first + 1, second - first - 1), ',');
      const bool same =
          v2 ? names.empty()
             : std::ranges::find(names, *hierarchy.controllers.begin()) != names.end();
      if (!same) continue;
      const auto folder =
          folder_of(std::string(entry.substr(second + 1)), unescape(words[3]), unescape(words[4]));
      if (folder) hierarchy.folder = *folder;
    }
    // Mounted twice: the first will do.
    const bool known = std::ranges::any_of(found, [&](const CgroupHierarchy& other) {
      return other.version == hierarchy.version && other.controllers == hierarchy.controllers;
    });
    if (!hierarchy.folder.empty() && !known) found.push_back(std::move(hierarchy));
  }
  return found;
}

std::vector<CgroupSetting> cgroup_settings(int version, const CgroupLimits& limits) {
  std::vector<CgroupSetting> settings;
  const auto add = [&](const char* controller, const char* file, std::string value,
                       bool optional = false) {
    settings.push_back({controller, file, std::move(value), optional});
  };
  if (limits.memory_bytes > 0) {
    if (version == 2) {
      add("memory", "memory.max", std::to_string(limits.memory_bytes));
      // The server as a whole: half of one is of no use.
      add("memory", "memory.oom.group", "1", true);
    } else {
      add("memory", "memory.limit_in_bytes", std::to_string(limits.memory_bytes));
    }
  }
  if (limits.cpu_thousandths > 0) {
    const std::uint64_t quota = std::max<std::uint64_t>(
        limits.cpu_thousandths * cpu_period_us / 1000, 1000);  // The kernel's least is 1 ms.
    if (version == 2) {
      add("cpu", "cpu.max", fmt::format("{} {}", quota, cpu_period_us));
    } else {
      add("cpu", "cpu.cfs_period_us", std::to_string(cpu_period_us));
      add("cpu", "cpu.cfs_quota_us", std::to_string(quota));
    }
  }
  if (limits.processes > 0) add("pids", "pids.max", std::to_string(limits.processes));
  return settings;
}

Cgroup& Cgroup::operator=(Cgroup&& other) noexcept {
  remove();
  groups_ = std::exchange(other.groups_, {});
  v2_ = std::move(other.v2_);
  return *this;
}

Cgroup::~Cgroup() { remove(); }

void Cgroup::remove() {
  v2_.reset();
  for (Group& group : groups_) {
    group.procs.reset();
    remove_with_children(group.folder);  // It may have made groups of its own in here.
  }
  groups_.clear();
}

std::vector<CgroupPlace> Cgroup::places() const {
  std::vector<CgroupPlace> places;
  for (const Group& group : groups_) places.push_back({group.version, group.folder});
  return places;
}

std::vector<int> Cgroup::procs() const {
  std::vector<int> fds;
  for (const Group& group : groups_)
    if (group.procs) fds.push_back(group.procs.get());
  return fds;
}

bool Cgroup::take_in(pid_t pid) const {
  for (const Group& group : groups_) {
    const int error = write_file(group.folder + "/cgroup.procs", std::to_string(pid));
    if (error == 0) continue;
    errno = error;
    return false;
  }
  return true;
}

bool Cgroup::kill() const {
  bool any = false;
  for (const Group& group : groups_) {
    const std::vector<pid_t> inside = processes_in(group.folder);
    any = any || !inside.empty();
    // Linux 5.14; also reaches who is being forked just now.
    if (!inside.empty() && group.version == 2 &&
        write_file(group.folder + "/cgroup.kill", "1") == 0)
      continue;
    for (const pid_t pid : inside) ::kill(pid, SIGKILL);
  }
  return any;
}

std::uint64_t Cgroup::memory_kills() const {
  for (const Group& group : groups_) {
    const std::string text =
        read_text(group.folder + (group.version == 2 ? "/memory.events" : "/memory.oom_control"));
    for (const std::string_view line : split(text, '\n')) {
      std::uint64_t kills = 0;
      constexpr std::string_view name = "oom_kill ";
      if (!line.starts_with(name)) continue;
      std::from_chars(line.data() + name.size(), line.data() + line.size(), kills);
      if (kills > 0) return kills;
    }
  }
  return 0;
}

Cgroups::Cgroups(std::string tag) : Cgroups(std::move(tag), look()) {}

Cgroups::Cgroups(std::string tag, std::vector<CgroupHierarchy> hierarchies)
    : tag_(std::move(tag)), hierarchies_(std::move(hierarchies)) {
  for (const CgroupHierarchy& hierarchy : hierarchies_)  // Those with a process in them stay.
    if (exists(base(hierarchy))) remove_with_children(base(hierarchy));
}

Cgroup Cgroup::find(const std::vector<CgroupPlace>& places) {
  Cgroup found;
  for (const CgroupPlace& place : places) {
    Cgroup::Group group{place.version, place.folder, {}};
    if (place.version != 2)
      group.procs.reset(::open((place.folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    found.groups_.push_back(std::move(group));
  }
  return found;
}

Cgroups::~Cgroups() {
  for (const std::string& folder : prepared_) remove_with_children(folder);
}

const CgroupHierarchy* Cgroups::with(std::string_view controller) const {
  for (const CgroupHierarchy& hierarchy : hierarchies_)
    if (hierarchy.controllers.contains(std::string(controller))) return &hierarchy;
  return nullptr;
}

bool Cgroups::can(std::string_view controller) const { return with(controller) != nullptr; }

std::string Cgroups::how(std::string_view controller) const {
  if (const CgroupHierarchy* hierarchy = with(controller))
    return fmt::format("cgroup v{}", hierarchy->version);
  for (const CgroupHierarchy& hierarchy : hierarchies_)
    if (!hierarchy.unusable.empty()) return hierarchy.unusable;
  return fmt::format("no cgroup with the controller {} is mounted", controller);
}

std::string Cgroups::base(const CgroupHierarchy& hierarchy) const {
  return fmt::format("{}/muster-{}", hierarchy.folder, tag_);
}

// Makes the folder that servers' groups go into.
std::expected<void, std::string> Cgroups::prepare(const CgroupHierarchy& hierarchy) {
  const std::string folder = base(hierarchy);
  if (prepared_.contains(folder)) return {};
  const auto refuse = [](const std::string& what, int error) {
    return std::unexpected(fmt::format("{}: {}", what, ::strerrordesc_np(error)));
  };
  if (hierarchy.version == 2 && !hierarchy.controllers.empty()) {
    if (!is_root_of_hierarchy(hierarchy.folder)) {
      const std::string host = fmt::format("{}/{}", hierarchy.folder, host_folder);
      if (::mkdir(host.c_str(), 0755) < 0 && errno != EEXIST)
        return refuse("cannot make " + host, errno);
      // Again for those that were forked meanwhile.
      for (int i = 0; i < 16; ++i) {
        const std::vector<pid_t> pids = processes_in(hierarchy.folder);
        if (pids.empty()) break;
        for (const pid_t pid : pids) write_file(host + "/cgroup.procs", std::to_string(pid));
      }
    }
    for (const std::string& name : hierarchy.controllers)
      if (const int error = write_file(hierarchy.folder + "/cgroup.subtree_control", "+" + name))
        return refuse(fmt::format("cannot enable {} in {}", name, hierarchy.folder), error);
  }
  if (::mkdir(folder.c_str(), 0755) < 0 && errno != EEXIST)
    return refuse("cannot make " + folder, errno);
  prepared_.insert(folder);
  if (hierarchy.version == 2)
    for (const std::string& name : hierarchy.controllers)
      if (const int error = write_file(folder + "/cgroup.subtree_control", "+" + name))
        return refuse(fmt::format("cannot enable {} in {}", name, folder), error);
  return {};
}

std::expected<Cgroup, std::string> Cgroups::make(const std::string& server_id,
                                                 const CgroupLimits& limits) {
  Cgroup made;
  for (const CgroupHierarchy& hierarchy : hierarchies_) {
    std::vector<CgroupSetting> settings = cgroup_settings(hierarchy.version, limits);
    std::erase_if(settings, [&](const CgroupSetting& setting) {
      return with(setting.controller) != &hierarchy;
    });
    // A v2 group without limits still kills all that is in it at once, where that costs nobody
    // anything: at the root of the hierarchy.
    const bool to_kill = hierarchy.version == 2 && hierarchy.controllers.empty() &&
                         is_root_of_hierarchy(hierarchy.folder) &&
                         ::access(hierarchy.folder.c_str(), W_OK) == 0;
    if (settings.empty() && !to_kill) continue;
    if (auto prepared = prepare(hierarchy); !prepared) return std::unexpected(prepared.error());
    Cgroup::Group group{hierarchy.version, fmt::format("{}/{}", base(hierarchy), server_id), {}};
    if (::mkdir(group.folder.c_str(), 0755) < 0)
      return std::unexpected(
          fmt::format("cannot make the cgroup {}: {}", group.folder, ::strerrordesc_np(errno)));
    made.groups_.push_back(std::move(group));
    const std::string& folder = made.groups_.back().folder;
    for (const CgroupSetting& setting : settings) {
      const int error = write_file(folder + "/" + setting.file, setting.value);
      if (error != 0 && !setting.optional)
        return std::unexpected(fmt::format("cannot write {} to {}/{}: {}", setting.value, folder,
                                           setting.file, ::strerrordesc_np(error)));
    }
    const bool v2 = hierarchy.version == 2;
    UniqueFd opened(v2 ? ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                       : ::open((folder + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!opened)
      return std::unexpected(
          fmt::format("cannot open the cgroup {}: {}", folder, ::strerrordesc_np(errno)));
    (v2 ? made.v2_ : made.groups_.back().procs) = std::move(opened);
  }
  return made;
}

}  // namespace muster::node
