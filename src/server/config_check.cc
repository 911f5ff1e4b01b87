#include "server/config_check.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <tuple>

#include "core/fleet_ports.h"
#include "core/match_rules.h"
#include "server/config_check_plain.h"
#include "server/config_queue_check.h"
#include "server/config_rating.h"
#include "server/config_values.h"

namespace muster::server {
namespace {

namespace fs = std::filesystem;
using core::FleetConfig;
using core::PortRange;
using core::QueueConfig;

// The launch contract's own variables.
constexpr std::array<std::string_view, 3> reserved_env{"PORT", "MUSTER_", "AGONES_SDK_"};

bool holds(PortRange range, std::uint16_t port) {
  return port != 0 && range.first <= port && port <= range.last;
}
std::optional<PortRange> overlap(PortRange a, PortRange b) {
  const PortRange both{std::max(a.first, b.first), std::min(a.last, b.last)};
  if (a.first == 0 || b.first == 0 || both.last < both.first) return std::nullopt;
  return both;
}

/// Why the file cannot be executed; empty if it can.
std::string not_executable(const fs::path& program) {
  struct stat info{};
  if (::stat(program.c_str(), &info) != 0) {
    if (errno == ENOENT) return "does not exist; build it, or correct the path";
    return fmt::format("cannot be looked at: {}", std::strerror(errno));
  }
  if (!S_ISREG(info.st_mode)) return "is not a file";
  if (::access(program.c_str(), X_OK) != 0) return "is not executable; chmod +x it";
  return {};
}

std::optional<fs::path> find_program(const std::string& name, std::string_view search_path) {
  while (!search_path.empty()) {
    const std::size_t colon = search_path.find(':');
    const fs::path candidate = fs::path(search_path.substr(0, colon)) / name;
    // An empty or relative entry of PATH means the current folder, which is nobody's intention
    // here.
    if (candidate.is_absolute() && not_executable(candidate).empty()) return candidate;
    if (colon == std::string_view::npos) break;
    search_path.remove_prefix(colon + 1);
  }
  return std::nullopt;
}

fs::path absolute_in(const fs::path& folder, const fs::path& path) {
  return (path.is_absolute() ? path : folder / path).lexically_normal();
}

class Checker {
 public:
  Checker(ConfigDraft& draft, const fs::path& folder, const Machine& machine,
          ConfigProblems& problems)
      : draft_(draft), folder_(folder), machine_(machine), problems_(problems) {}

  void check() {
    unique_names("fleet", fleets_, draft_.fleets);
    unique_names("queue", queues_, draft_.queues);
    check_lobby();
    check_limits();
    for (std::size_t i = 0; i < fleets_.size(); ++i) {
      check_ports(i);
      check_servers(fleets_[i], draft_.fleets[i]);
      check_launch(fleets_[i], draft_.fleets[i]);
      check_plain(fleets_[i], draft_.fleets[i], folder_, machine_.look_for_programs, problems_);
    }
    for (std::size_t i = 0; i < queues_.size(); ++i) check_queue(i);
    if (queues_.empty() && !problems_.failed())
      problems_.warn(0, "queue", "there is no [[queue]], so there is nothing to play");
  }

 private:
  template <class T>
  void unique_names(std::string_view table, const std::vector<T>& all,
                    const std::vector<ConfigLines>& lines) {
    std::map<std::string, int> seen;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].name.empty()) continue;
      const auto [first, added] = seen.emplace(all[i].name, lines[i].of("name"));
      if (!added)
        problems_.error(
            lines[i].of("name"), fmt::format("{}.name", table),
            fmt::format("\"{}\" is the name of the {} in line {} too; each needs its own",
                        all[i].name, table, first->second));
    }
  }

  void check_lobby() {
    const ConfigLines& lines = draft_.lobby;
    const auto listen = parse_address(config_.listen);
    const auto admin = parse_address(config_.admin);
    if (admin && !admin->loopback)
      problems_.error(
          lines.of("admin"), "lobby.admin",
          fmt::format("{} can be reached from other machines, and the admin API does not "
                      "ask who is calling; use 127.0.0.1 and, from elsewhere, an SSH "
                      "tunnel",
                      config_.admin));
    if (listen && admin && listen->port != 0 && listen->port == admin->port)
      problems_.error(lines.of(lines.has("admin") ? "admin" : "listen"), "lobby.admin",
                      fmt::format("port {} is lobby.listen's already", admin->port));
    config_.data = absolute_in(folder_, config_.data);
    // The longest name in there that a unix socket has.
    constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - sizeof "/node.sock";
    if (config_.data.native().size() > path_bytes_max)
      problems_.error(
          lines.of("data"), "lobby.data",
          fmt::format("{} is {} bytes long, and the lobby reaches its node by a unix socket in it, "
                      "whose path may not be longer than {}: use a folder with at most {}",
                      config_.data.string(), config_.data.native().size(),
                      sizeof(sockaddr_un::sun_path) - 1, path_bytes_max));
    if (config_.host.empty() && listen)
      config_.host = listen->any ? machine_.address : listen->host;

    const std::string& queue = config_.core.classic_queue;
    if (!queue.empty() && std::ranges::find(queues_, queue, &QueueConfig::name) == queues_.end())
      problems_.error(
          lines.of("classic_queue"), "lobby.classic_queue",
          fmt::format("there is no queue \"{}\"{}", queue, did_you_mean(queue, names_of(queues_))));
  }

  void check_limits() {
    const NetLimits& limits = config_.limits;
    if (limits.ping_interval >= limits.silence_timeout)
      problems_.error(draft_.limits.of(draft_.limits.has("ping_interval") ? "ping_interval"
                                                                          : "silence_timeout"),
                      "limits.ping_interval",
                      fmt::format("{} is not below silence_timeout, {}: a client would be closed "
                                  "before it is asked for a sign of life",
                                  format_duration(limits.ping_interval),
                                  format_duration(limits.silence_timeout)));
  }

  void check_ports(std::size_t index) {
    const FleetConfig& fleet = fleets_[index];
    check_ports(index, "ports", fleet.ports);
    for (const core::PortConfig& port : fleet.named_ports)
      check_ports(index, "port." + port.name + ".ports", port.ports);
    if (fleet.ports.first != 0 && core::main_ports(fleet.ports, core::port_offsets(fleet)).empty())
      problems_.error(draft_.fleets[index].of("ports"), "fleet.ports",
                      fmt::format("{} has no room for a port and those at its offsets",
                                  format_ports(fleet.ports)));
  }

  void check_ports(std::size_t index, const std::string& name, PortRange range) {
    const ConfigLines& lines = draft_.fleets[index];
    const int line = lines.of(name);
    const std::string key = "fleet." + name;
    for (const OwnedPorts& other : owned_) {
      if (const auto both = overlap(other.range, range))
        problems_.error(
            line, key,
            fmt::format("{} of {} are also {} of fleet \"{}\" (line {}); no port may be in two "
                        "{}",
                        format_ports(*both), format_ports(range),
                        other.name == "ports" ? "the ports" : other.name, fleets_[other.fleet].name,
                        draft_.fleets[other.fleet].of(other.name),
                        other.fleet == index ? "ranges" : "fleets"));
    }
    owned_.push_back({index, name, range});
    for (const auto& [owner, text] :
         {std::pair{"lobby.listen", &config_.listen}, std::pair{"lobby.admin", &config_.admin}}) {
      const auto address = parse_address(*text);
      if (address && holds(range, address->port))
        problems_.error(line, key,
                        fmt::format("{} contains port {}, which is {}'s", format_ports(range),
                                    address->port, owner));
    }
    if (const auto taken = overlap(range, machine_.ephemeral_ports); taken && !reserved(*taken))
      problems_.warn(
          line, key,
          fmt::format("{} of {} are in net.ipv4.ip_local_port_range ({}): connections that any "
                      "program opens take ports there, and a game server then cannot bind its own. "
                      "Choose others, or reserve these with sysctl "
                      "net.ipv4.ip_local_reserved_ports={}",
                      format_ports(*taken), format_ports(range),
                      format_ports(machine_.ephemeral_ports), format_ports(*taken)));
    if (range.first != 0 && range.first < 1024)
      problems_.warn(line, key,
                     "ports below 1024 need root or CAP_NET_BIND_SERVICE for the game server");
  }

  bool reserved(PortRange range) const {
    std::uint32_t next = range.first;                   // What is before it is reserved.
    for (const PortRange& r : machine_.reserved_ports)  // The kernel lists them in order.
      if (r.first <= next && next <= r.last) next = r.last + 1u;
    return next > range.last;
  }

  void check_servers(FleetConfig& fleet, const ConfigLines& lines) {
    const std::uint32_t ports = core::servers_by_ports(fleet);
    if (ports != 0 && fleet.servers_max > ports) {
      if (lines.has("servers_max"))
        problems_.error(
            lines.of("servers_max"), "fleet.servers_max",
            fleet.named_ports.empty()
                ? fmt::format("{} servers need as many ports, and {} has {}", fleet.servers_max,
                              format_ports(fleet.ports), ports)
                : fmt::format("{} servers need as many ports of each kind, and there are enough "
                              "for {}",
                              fleet.servers_max, ports));
      else
        fleet.servers_max = ports;
    }
    if (fleet.ready_min > fleet.servers_max)
      problems_.error(
          lines.of("ready_min"), "fleet.ready_min",
          fmt::format("{} is more than servers_max, {}", fleet.ready_min, fleet.servers_max));
    if (fleet.ready_max < fleet.ready_min)
      problems_.error(lines.of("ready_max"), "fleet.ready_max",
                      fmt::format("{} is less than ready_min, {}: servers would be launched and "
                                  "stopped without end",
                                  fleet.ready_max, fleet.ready_min));
    if (fleet.scale_to_zero_after != Duration::zero() &&
        fleet.scale_to_zero_after < core::seconds{1})
      problems_.error(lines.of("scale_to_zero_after"), "fleet.scale_to_zero_after",
                      fmt::format("is {}; must be 0s (never) or at least 1s",
                                  format_duration(fleet.scale_to_zero_after)));
  }

  void check_launch(FleetConfig& fleet, const ConfigLines& lines) {
    check_working_directory(fleet, lines);
    check_program(fleet, lines);
    check_user(fleet, lines);
    bool names_port = false;
    for (const std::string& argument : fleet.command) {
      for (const std::string& name : placeholders_in(argument)) {
        names_port = names_port || name == "port";
        if (std::string why = unknown_placeholder(name, fleet); !why.empty())
          problems_.error(lines.of("command"), "fleet.command", std::move(why));
      }
    }
    if (fleet.sdk == core::SdkKind::classic) {
      if (config_.classic == AllowedFrom::off)
        problems_.error(lines.of("sdk"), "fleet.sdk",
                        "classic game servers log in with classic packets, and lobby.classic is "
                        "\"off\"; make it \"loopback\"");
      if (!fleet.command.empty() && !names_port)
        problems_.warn(lines.of("command"), "fleet.command",
                       "a classic game server is told its port as an argument, and no {port} is "
                       "among these");
      if (fleet.health_timeout != Duration::zero())
        problems_.error(lines.of("health_timeout"), "fleet.health_timeout",
                        "classic game servers have no health message; leave it out");
    }
    if (fleet.sdk == core::SdkKind::agones) {
      if (fleet.health_timeout != Duration::zero())
        problems_.error(lines.of("health_timeout"), "fleet.health_timeout",
                        "is for sdk = \"muster\"; an Agones SDK's health has its own keys, in "
                        "[fleet.agones]");
    } else {
      for (const std::string_view key : {"agones", "counters", "lists"})
        if (lines.has(key))
          problems_.error(lines.of(key), fmt::format("fleet.{}", key),
                          "is for sdk = \"agones\"; leave it out");
    }
    check_fork(fleet, lines, names_port);
    if (fleet.health_timeout != Duration::zero() && fleet.health_timeout < core::seconds{1})
      problems_.error(lines.of("health_timeout"), "fleet.health_timeout",
                      fmt::format("is {}; must be 0s (not watched) or at least 1s",
                                  format_duration(fleet.health_timeout)));
    for (const auto& [name, value] : fleet.env)
      for (const std::string& word : placeholders_in(value))
        if (std::string why = unknown_placeholder(word, fleet); !why.empty())
          problems_.error(lines.of("env"), "fleet.env", fmt::format("{}: {}", name, why));
    for (const auto& [name, value] : fleet.env)
      for (const std::string_view ours : reserved_env)
        if (ours.ends_with('_') ? name.starts_with(ours) : name == ours)
          problems_.error(
              lines.of("env"), "fleet.env",
              fmt::format("{} is one of the variables that the launch sets itself", name));
  }

  void check_fork(const FleetConfig& fleet, const ConfigLines& lines, bool names_port) {
    if (!fleet.fork) return;
    if (fleet.sdk != core::SdkKind::muster)
      problems_.error(
          lines.of("fork"), "fleet.fork",
          "forked servers stop at a fork point of Muster's SDK, and this fleet's do not "
          "use it; leave it out, or make sdk \"muster\"");
    else if (names_port)
      problems_.warn(
          lines.of("command"), "fleet.command",
          "{port} is 0 in a forked server, whose arguments are those of its fork parent; "
          "it must take its port from muster_gs_port() after the fork point");
  }

  void check_working_directory(FleetConfig& fleet, const ConfigLines& lines) {
    fleet.working_directory = absolute_in(folder_, fleet.working_directory).string();
    if (!machine_.look_for_programs || !lines.has("working_directory")) return;
    std::error_code error;
    if (!fs::is_directory(fleet.working_directory, error))
      problems_.error(lines.of("working_directory"), "fleet.working_directory",
                      fmt::format("{} is not a folder", fleet.working_directory));
  }

  void check_user(const FleetConfig& fleet, const ConfigLines& lines) {
    const std::string& user = fleet.limits.user;
    if (user.empty() || !machine_.uid_of) return;
    const auto refuse = [&](std::string text) {
      problems_.error(lines.of("limits.user"), "fleet.limits.user", std::move(text));
    };
    const auto uid = machine_.uid_of(user);
    if (!uid)
      refuse(fmt::format("this machine has no user \"{:.60}\"", user));
    else if (*uid != machine_.uid && machine_.uid != 0)
      refuse(
          fmt::format("only a lobby that runs as root may start game servers as {}; run it as "
                      "root, or leave this out",
                      user));
  }

  void check_program(FleetConfig& fleet, const ConfigLines& lines) {
    if (fleet.command.empty()) return;
    std::string& program = fleet.command.front();
    const int line = lines.of("command");
    if (!placeholders_in(program).empty()) {
      problems_.error(line, "fleet.command", "the program itself cannot be a placeholder");
      return;
    }
    if (program.find('/') != std::string::npos) {
      const fs::path path = absolute_in(folder_, program);
      const std::string why = machine_.look_for_programs ? not_executable(path) : std::string{};
      if (!why.empty())
        problems_.error(line, "fleet.command", fmt::format("{} {}", path.string(), why));
      program = path.string();
    } else if (machine_.look_for_programs) {
      if (const auto path = find_program(program, machine_.search_path)) {
        program = path->string();
      } else {
        problems_.error(
            line, "fleet.command",
            fmt::format("no program \"{}\" in PATH ({}); one in a folder is written with "
                        "its folder, \"./{}\"",
                        program, machine_.search_path, program));
      }
    }
  }

  void check_queue(std::size_t index) {
    QueueConfig& queue = queues_[index];
    const ConfigLines& lines = draft_.queues[index];
    find_fleet(draft_.queue_fleets[index], lines, "queue.fleet", queue.fleet);
    find_region_fleets(index);
    check_queue_rules(queue, lines, draft_.queue_parts[index], problems_);
    check_rating(queue, lines, problems_);
    check_timeout_queue(index);
    if (const std::uint32_t least = core::players_least(queue);
        least > config_.core.players_max && queue.players > 1)
      problems_.error(lines.table, "queue.players",
                      fmt::format("a match takes {} players, and limits.players_max lets {} in: "
                                  "nobody can ever play",
                                  least, config_.core.players_max));
    if (!queue.team.empty()) return;
    if (queue.teams > queue.players)
      problems_.error(
          lines.of("teams"), "queue.teams",
          fmt::format("{} teams for {} players: some would be empty", queue.teams, queue.players));
    else if (queue.players % queue.teams != 0)
      problems_.warn(lines.of("teams"), "queue.teams",
                     fmt::format("{} players in {} teams: the first ones get one more",
                                 queue.players, queue.teams));
  }

  void find_fleet(const std::string& name, const ConfigLines& lines, std::string_view key,
                  std::uint32_t& out) {
    const auto fleet = std::ranges::find(fleets_, name, &FleetConfig::name);
    if (fleet != fleets_.end())
      out = static_cast<std::uint32_t>(fleet - fleets_.begin());
    else if (!name.empty())
      problems_.error(
          lines.of("fleet"), std::string(key),
          fmt::format("there is no fleet \"{}\"{}", name, did_you_mean(name, names_of(fleets_))));
  }

  /// A queue has a fleet, or regions with theirs.
  void find_region_fleets(std::size_t index) {
    QueueConfig& queue = queues_[index];
    const ConfigLines& lines = draft_.queues[index];
    QueueParts& parts = draft_.queue_parts[index];
    for (std::size_t i = 0; i < parts.regions.size(); ++i) {
      WrittenRegion& written = parts.regions[i];
      find_fleet(written.fleet, parts.region_lines[i], "queue.region.fleet", written.region.fleet);
      queue.region.push_back(written.region);
    }
    if (!queue.region.empty() && lines.has("fleet"))
      problems_.error(lines.of("fleet"), "queue.fleet",
                      "each region says its fleet; leave it out here");
    else if (!queue.region.empty())
      queue.fleet = queue.region.front().fleet;
    else if (!lines.has("fleet"))
      problems_.error(lines.table, "queue.fleet", "is missing, and has no default");
  }

  /// Tickets must not go round in a circle.
  void check_timeout_queue(std::size_t index) {
    const ConfigLines& lines = draft_.queues[index];
    const std::string& name = queues_[index].timeout_queue;
    if (name.empty()) return;
    if (std::ranges::find(queues_, name, &QueueConfig::name) == queues_.end())
      return problems_.error(
          lines.of("timeout_queue"), "queue.timeout_queue",
          fmt::format("there is no queue \"{}\"{}", name, did_you_mean(name, names_of(queues_))));
    std::size_t steps = 0;
    for (auto at = queues_.begin() + static_cast<std::ptrdiff_t>(index);
         at != queues_.end() && !at->timeout_queue.empty();
         at = std::ranges::find(queues_, at->timeout_queue, &QueueConfig::name))
      if (steps++ > queues_.size())
        return problems_.error(lines.of("timeout_queue"), "queue.timeout_queue",
                               fmt::format("\"{}\" leads back to where it came from: nobody would "
                                           "ever expire. Leave it out in one of them",
                                           name));
  }

  template <class T>
  static std::vector<std::string_view> names_of(const std::vector<T>& all) {
    std::vector<std::string_view> names;
    for (const T& one : all) names.emplace_back(one.name);
    return names;
  }

  /// The ranges seen so far.
  struct OwnedPorts {
    std::size_t fleet = 0;
    std::string name;  // "ports", "port.query.ports"
    PortRange range;
  };
  std::vector<OwnedPorts> owned_;
  ConfigDraft& draft_;
  ServerConfig& config_ = draft_.config;
  std::vector<FleetConfig>& fleets_ = config_.core.fleets;
  std::vector<QueueConfig>& queues_ = config_.core.queues;
  const fs::path& folder_;
  const Machine& machine_;
  ConfigProblems& problems_;
};

}  // namespace

std::vector<ConfigProblem> ConfigProblems::take() {
  // Not stable_sort: clang refuses libstdc++ 12's, for a deprecated function inside it.
  std::ranges::sort(all_, {}, [this](const Found& f) {
    return std::tuple(f.problem.file != file_, f.problem.line, f.order);
  });
  std::vector<ConfigProblem> problems;
  for (Found& found : all_) problems.push_back(std::move(found.problem));
  return problems;
}

void check_config(ConfigDraft& draft, const fs::path& folder, const Machine& machine,
                  ConfigProblems& problems) {
  Checker(draft, folder, machine, problems).check();
}

}  // namespace muster::server
