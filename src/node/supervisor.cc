#include "node/supervisor.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <thread>

#include "base/check.h"
#include "node/launch_contract.h"
#include "node/proc.h"

namespace muster::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using wire::node::LaunchFailed;

// Both become file names.
bool is_file_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text.front() != '.' &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

std::string random_token() {
  unsigned char bytes[16];
  randombytes_buf(bytes, sizeof bytes);
  char text[2 * sizeof bytes + 1];
  return sodium_bin2hex(text, sizeof text, bytes, sizeof bytes);
}

constexpr auto remains_patience = seconds{5};
constexpr auto flooded_pause = milliseconds{10};
constexpr std::size_t flooded_pipe_bytes = 1 << 20;  // What any user may make a pipe.

// A folder of that user's in the fleet's, for what the game server itself writes. The node's own
// logs beside it stay out of its reach; the folders above may be passed through, not read.
std::expected<void, std::string> make_user_folder(const std::string& log_root,
                                                  const std::string& log_folder,
                                                  const Account& account) {
  const auto refuse = [](const std::string& what) {
    return std::unexpected(fmt::format("cannot {}: {}", what, ::strerrordesc_np(errno)));
  };
  const std::string data = log_root.substr(0, log_root.rfind('/'));
  for (const std::string& passage : {data, log_root, log_folder}) {
    struct stat status{};
    if (::stat(passage.c_str(), &status) < 0) return refuse("look at " + passage);
    if ((status.st_mode & S_IXOTH) == 0 &&
        ::chmod(passage.c_str(), (status.st_mode & 07777) | S_IXGRP | S_IXOTH) < 0)
      return refuse("let others pass through " + passage);
  }
  const std::string folder = log_folder + '/' + account.name;
  if (::mkdir(folder.c_str(), 0750) < 0 && errno != EEXIST) return refuse("make " + folder);
  struct stat status{};
  if (::lstat(folder.c_str(), &status) < 0 || !S_ISDIR(status.st_mode))
    return std::unexpected(folder + " is not a folder");
  if (status.st_uid != account.uid && ::chown(folder.c_str(), account.uid, account.gid) < 0)
    return refuse(fmt::format("give {} to {}", folder, account.name));
  return {};
}

}  // namespace

Supervisor::Supervisor(boost::asio::io_context& io, SupervisorOptions options, OnExited on_exited)
    : io_(io),
      options_(std::move(options)),
      on_exited_(std::move(on_exited)),
      cgroups_(options_.cgroup_tag),
      enforceable_(look_at_enforceable(cgroups_)),
      prune_timer_(io.get_executor()) {}

std::expected<GameServer*, LaunchFailure> Supervisor::launch(const wire::node::Launch& launch,
                                                             const std::string& sdk_address,
                                                             const std::string& join_key,
                                                             AgonesPorts agones_ports) {
  const auto refuse = [](LaunchFailed::Reason reason, std::string detail) {
    return std::unexpected(LaunchFailure{reason, std::move(detail)});
  };
  if (!is_file_name(launch.server_id()) || !is_file_name(launch.fleet()))
    return refuse(LaunchFailed::COMMAND_FAILED,
                  fmt::format("server id \"{}\" or fleet name \"{}\" cannot be a file name",
                              launch.server_id(), launch.fleet()));
  if (servers_.contains(launch.server_id()))
    return refuse(LaunchFailed::COMMAND_FAILED,
                  fmt::format("this node already runs a server {}", launch.server_id()));
  if (launch.port() == 0 || launch.port() > 65535)
    return refuse(LaunchFailed::COMMAND_FAILED, fmt::format("{} is no port", launch.port()));
  const auto port = static_cast<std::uint16_t>(launch.port());

  const std::string log_folder = fmt::format("{}/{}", options_.log_root, launch.fleet());
  if (log_folders_.insert(log_folder).second) {
    std::error_code error;
    std::filesystem::create_directories(log_folder, error);
    if (error) fmt::print(stderr, "node: cannot make {}: {}\n", log_folder, error.message());
  }

  const auto plan = plan_limits(launch.limits(), enforceable_);
  if (!plan)
    return refuse(LaunchFailed::COMMAND_FAILED,
                  fmt::format("fleet {}: {}", launch.fleet(), plan.error()));
  LaunchContext context{
      random_token(),     sdk_address, join_key, log_folder,  options_.open_files_max,
      options_.sdk_local, {},          {},       agones_ports};
  if (plan->account) {
    context.user = plan->account->name;
    context.home = plan->account->home;
    context.log_dir = log_folder + '/' + plan->account->name;
    if (const auto made = make_user_folder(options_.log_root, log_folder, *plan->account); !made)
      return refuse(LaunchFailed::COMMAND_FAILED, made.error());
  }
  auto command = make_command(launch, context);
  if (!command) return refuse(LaunchFailed::COMMAND_FAILED, command.error());
  if (const auto probe = port_look_.look(port); !probe)
    return refuse(
        probe.error().limit_reached ? LaunchFailed::LIMIT_REACHED : LaunchFailed::PORT_TAKEN,
        probe.error().detail);
  Cgroup cgroup;
  if (const auto confined = confine(launch, *plan, cgroup, *command); !confined)
    return std::unexpected(confined.error());
  auto process = start_process(*command);
  if (!process)
    return refuse(is_limit(process.error().error) ? LaunchFailed::LIMIT_REACHED
                                                  : LaunchFailed::COMMAND_FAILED,
                  process.error().detail);

  LogLimits limits;
  if (launch.log_bytes_max() > 0) limits.bytes_max = launch.log_bytes_max();
  if (launch.log_files_max() > 0) limits.files_max = std::min(launch.log_files_max(), 100u);
  const auto now = std::chrono::system_clock::now();
  ServerLog log(fmt::format("{}/{}-{:%Y%m%dT%H%M%S}.log", log_folder, launch.server_id(),
                            fmt::gmtime(std::chrono::system_clock::to_time_t(now))),
                limits);
  const auto server = std::make_shared<GameServer>(io_, std::move(log));
  server->id = launch.server_id();
  server->fleet = launch.fleet();
  server->token = context.token;
  server->port = port;
  server->version = launch.version();
  server->health_timeout = milliseconds{launch.health_timeout_ms()};
  server->process = std::move(*process);
  server->cgroup = std::move(cgroup);
  server->memory_bytes_max = plan->cgroup.memory_bytes;
  for (const std::string& what : plan->unenforced)
    server->log.write(fmt::format("[muster: not enforced: {}]\n", what));
  if (const auto error = watch(server); error) {
    signal_group(server->process, SIGKILL);
    reap(server->process);
    return refuse(LaunchFailed::LIMIT_REACHED,
                  fmt::format("cannot watch the process: {}", error.message()));
  }
  servers_.emplace(server->id, server);
  prune_later(launch.fleet());
  return server.get();
}

// Groups are made before the process, so that it begins in them.
std::expected<void, LaunchFailure> Supervisor::confine(const wire::node::Launch& launch,
                                                       const LimitPlan& plan, Cgroup& cgroup,
                                                       Command& command) {
  command.confinement = plan.confinement;
  if (!plan.needs_cgroup()) return {};
  auto made = cgroups_.make(launch.server_id(), plan.cgroup);
  if (!made)
    return std::unexpected(LaunchFailure{
        LaunchFailed::LIMIT_REACHED,
        fmt::format("fleet {}: its limits cannot be enforced: {}", launch.fleet(), made.error())});
  cgroup = std::move(*made);
  command.confinement.cgroup = cgroup.folder();
  command.confinement.cgroup_procs = cgroup.procs();
  return {};
}

void Supervisor::stop(GameServer& server, milliseconds grace) {
  if (server.exit) return;
  const auto deadline = steady_clock::now() + grace;
  if (server.stopping && server.process_timer.expiry() <= deadline) return;
  if (!server.stopping) signal_group(server.process, SIGTERM);
  server.stopping = true;
  if (grace <= milliseconds{0}) return signal_group(server.process, SIGKILL);
  server.process_timer.expires_at(deadline);
  server.process_timer.async_wait([this, id = server.id](boost::system::error_code error) {
    GameServer* const late = error ? nullptr : find(id);
    if (late && !late->exit) signal_group(late->process, SIGKILL);
  });
}

void Supervisor::stop_all(milliseconds grace) {
  for_each([&](GameServer& server) { stop(server, grace); });
}

boost::system::error_code Supervisor::watch(const Shared& server) {
  boost::system::error_code watch_error;
  server->exit_watch.assign(server->process.pidfd.get(), watch_error);
  if (!watch_error) server->output.assign(server->process.output.get(), watch_error);
  if (watch_error) return watch_error;
  server->process.output.release();
  server->exit_watch.async_wait(Descriptor::wait_read, [this, server](auto error) {
    if (!error) on_exit(server);
  });
  read_output(server);
  return {};
}

// One read per turn: a server that prints without end waits for the others, and for its own pipe.
// Once it prints more than is kept it is read by the clock, from a larger pipe: it hardly waits up
// to a hundred megabytes a second, and the node does little more than throw them away.
void Supervisor::read_output(const Shared& server) {
  const auto go_on = [this, server](auto error) {
    if (!error && server->output.is_open() && drain(*server)) read_output(server);
  };
  if (!server->output_rate.flooded()) {
    server->output.async_wait(Descriptor::wait_read, go_on);
    return;
  }
  ::fcntl(server->output.native_handle(), F_SETPIPE_SZ, flooded_pipe_bytes);
  server->output_timer.expires_after(flooded_pause);
  server->output_timer.async_wait(go_on);
}

// False at the end of the output.
bool Supervisor::drain(GameServer& server) {
  static char buffer[flooded_pipe_bytes];
  const std::size_t room = server.output_rate.flooded() ? sizeof buffer : 64 * 1024;
  const ssize_t n = ::read(server.output.native_handle(), buffer, room);
  if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
  const std::string_view bytes(buffer, static_cast<std::size_t>(n));
  if (server.output_rate.keeps(n, steady_clock::now()))
    server.log.write(bytes);
  else
    server.log.drop(bytes);
  return true;
}

void Supervisor::on_exit(const Shared& server) {
  if (server->exit) return;
  server->exit = exit_status(server->process);
  CHECK(server->exit, "its pidfd became readable");
  server->process_timer.cancel();
  server->exited_at = steady_clock::now();
  clear_remains(server);
}

// The process is a zombie until finish(), so that nobody else can get its pid, group or session.
void Supervisor::clear_remains(const Shared& server) {
  const bool any_left = kill_remains(*server);
  const auto waited = steady_clock::now() - server->exited_at;
  if (!any_left) return finish(server);
  if (waited > remains_patience) {
    fmt::print(stderr, "node: processes that server {} left behind do not die\n", server->id);
    return finish(server);
  }
  server->process_timer.expires_after(
      std::max<steady_clock::duration>(milliseconds{1}, waited / 4));
  server->process_timer.async_wait([this, server](auto error) {
    if (!error) clear_remains(server);
  });
}

// Its group dies by one signal. Children that made a group or session of their own came to the node
// (it is their subreaper) and are known by the session they are in, or by the token in their
// environment; if no other server is running, they can be nobody else's.
bool Supervisor::kill_remains(const GameServer& server) {
  signal_group(server.process, SIGKILL);
  bool any = server.cgroup.kill();
  reap_orphans();
  const std::set<pid_t> mains = main_pids();
  const std::string mark = "MUSTER_TOKEN=" + server.token;
  for (const pid_t child : children_of(::getpid())) {
    if (mains.contains(child)) continue;
    if (servers_.size() > 1 && ::getsid(child) != server.process.pid &&
        !environment_has(child, mark))
      continue;
    any = true;
    ::kill(child, SIGKILL);
  }
  return any;
}

void Supervisor::finish(const Shared& server) {
  // What it printed last; more than this only if somebody else still prints into the pipe.
  for (int reads = 0; reads < 32 && server->output.is_open(); ++reads) {
    pollfd ready{server->output.native_handle(), POLLIN, 0};
    if (::poll(&ready, 1, 0) <= 0 || !drain(*server)) break;
  }
  boost::system::error_code ignored;
  server->output_timer.cancel();
  server->output.close(ignored);
  server->exit_watch.release();
  reap(server->process);
  std::string detail = server->log.last_line();
  if (server->memory_bytes_max > 0 && server->cgroup.memory_kills() > 0)
    detail = fmt::format("over its memory limit, {}", format_memory(server->memory_bytes_max));
  server->cgroup = {};
  if (!server->ready && !server->stopping && server->exit->exit_code != 0)
    if (const auto probe = probe_port(server->port); !probe && !probe.error().limit_reached)
      server->port_conflict = probe.error().detail;
  servers_.erase(server->id);
  on_exited_(*server, detail);
}

void Supervisor::reap_orphans() {
  const std::set<pid_t> mains = main_pids();
  for (const pid_t child : children_of(::getpid()))
    if (!mains.contains(child)) ::waitpid(child, nullptr, WNOHANG);
}

void Supervisor::kill_orphans() {
  const auto deadline = steady_clock::now() + remains_patience;
  const std::set<pid_t> mains = main_pids();
  for (;;) {
    bool any = false;
    for (const pid_t child : children_of(::getpid())) {
      if (mains.contains(child)) continue;
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, WNOHANG);
      any = true;  // If it is reaped already: its children are the node's now, in the next list.
    }
    if (!any || steady_clock::now() > deadline) return;
    std::this_thread::sleep_for(milliseconds{1});
  }
}

GameServer* Supervisor::find(std::string_view id) {
  const auto it = servers_.find(id);
  return it == servers_.end() ? nullptr : it->second.get();
}

std::set<pid_t> Supervisor::main_pids() const {
  std::set<pid_t> pids;
  for (const auto& [id, server] : servers_) pids.insert(server->process.pid);
  return pids;
}

// Not during a launch: somebody is waiting for it.
void Supervisor::prune_later(const std::string& fleet) {
  const bool first = to_prune_.empty();
  to_prune_.insert(fleet);
  if (!first) return;
  prune_timer_.expires_after(seconds{1});
  prune_timer_.async_wait([this](auto error) {
    if (error) return;
    std::set<std::string> in_use;
    for_each([&](GameServer& server) { in_use.insert(server.log.path()); });
    for (const std::string& name : std::exchange(to_prune_, {}))
      prune_logs(fmt::format("{}/{}", options_.log_root, name), options_.logs_kept_max,
                 [&](const std::string& path) { return in_use.contains(path); });
  });
}

}  // namespace muster::node
