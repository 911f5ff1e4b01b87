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
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <thread>

#include "base/check.h"
#include "node/launch_contract.h"
#include "node/plain_server.h"
#include "node/port_probe.h"
#include "node/proc.h"
#include "node/server_files.h"
#include "node/server_record.h"

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

std::unexpected<LaunchFailure> refuse(LaunchFailed::Reason reason, std::string detail) {
  return std::unexpected(LaunchFailure{reason, std::move(detail)});
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

LogLimits log_limits(const wire::node::Launch& launch) {
  LogLimits limits;
  if (launch.log_bytes_max() > 0) limits.bytes_max = launch.log_bytes_max();
  if (launch.log_files_max() > 0) limits.files_max = std::min(launch.log_files_max(), 100u);
  return limits;
}

// By its name; or as the process itself has it, if somebody has removed that. If it cannot be
// found, one that has ended.
UniqueFd find_output(const Process& process, const std::string& name) {
  if (UniqueFd fifo = open_output(name)) return fifo;
  UniqueFd pipe(
      ::open(fmt::format("/proc/{}/fd/1", process.pid).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat status{};
  if (pipe && ::fstat(pipe.get(), &status) == 0 && S_ISFIFO(status.st_mode)) return pipe;
  fmt::print(stderr, "node: what process {} prints cannot be read: {}/{} is gone\n", process.pid,
             outputs_folder(), name);
  auto ended = make_output_pipe();
  if (!ended) return UniqueFd();
  remove_output(ended->name);
  return std::move(ended->reader);
}

std::expected<void, LaunchFailure> look_at_ports(const wire::node::Launch& launch,
                                                 PortLook& port_look) {
  const auto look = [&](std::uint32_t port,
                        wire::node::Protocol protocol) -> std::expected<void, LaunchFailure> {
    if (port == 0 || port > 65535)
      return std::unexpected(
          LaunchFailure{LaunchFailed::COMMAND_FAILED, fmt::format("{} is no port", port)});
    const PortUse use{protocol != wire::node::PROTOCOL_UDP, protocol != wire::node::PROTOCOL_TCP};
    if (auto free = port_look.look(static_cast<std::uint16_t>(port), use); !free)
      return std::unexpected(LaunchFailure{
          free.error().limit_reached ? LaunchFailed::LIMIT_REACHED : LaunchFailed::PORT_TAKEN,
          std::move(free.error().detail), port});
    return {};
  };
  if (auto free = look(launch.port(), launch.protocol()); !free) return free;
  for (const wire::node::Port& port : launch.ports())
    if (auto free = look(port.port(), port.protocol()); !free) return free;
  return {};
}

}  // namespace

Supervisor::Supervisor(boost::asio::io_context& io, SupervisorOptions options, NodeRecord& record,
                       OnExited on_exited)
    : io_(io),
      options_(std::move(options)),
      record_(record),
      on_exited_(std::move(on_exited)),
      cgroups_(options_.cgroup_tag),
      enforceable_(look_at_enforceable(cgroups_)),
      prune_timer_(io.get_executor()) {
  keep_outputs_in(options_.outputs_root);
}

Supervisor::~Supervisor() {
  use_clone_call(CloneCall::automatic);  // Nothing is kept ready any more.
  std::error_code ignored;
  if (servers_.empty()) std::filesystem::remove(options_.outputs_root, ignored);
}

void Supervisor::clear_left_behind() {
  namespace fs = std::filesystem;
  std::set<std::string> names, tokens;
  for_each([&](const GameServer& server) {
    names.insert(server.id);
    names.insert(server.process.output_name);
    tokens.insert(server.token);
  });
  for (const std::string& folder : {options_.servers_root, options_.outputs_root}) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
      if (!names.contains(it->path().filename().string()))
        remove_server_folder(it->path().string());
  }
  // Nobody knows what they are, nor watches them; and their ports are taken. (One that was forked
  // has the environment of its parent there: its session says whose it is.)
  const std::set<pid_t> mains = main_pids();
  for (const pid_t pid : all_processes()) {
    if (environment_value(pid, "MUSTER_SDK_LOCAL") != options_.sdk_local) continue;
    if (mains.contains(::getsid(pid))) continue;
    const std::string token = environment_value(pid, "MUSTER_TOKEN");
    if (token.empty() || tokens.contains(token)) continue;
    fmt::print(stderr, "node: process {} of a game server that is not on record is ended\n", pid);
    ::kill(pid, SIGKILL);
  }
  keep_process_ready();
}

std::expected<Supervisor::Entered, LaunchFailure> Supervisor::enter(
    const wire::node::Launch& launch, const std::string& sdk_address, const std::string& join_key,
    AgonesPorts agones_ports) {
  if (!is_file_name(launch.server_id()) || !is_file_name(launch.fleet()))
    return refuse(LaunchFailed::COMMAND_FAILED,
                  fmt::format("server id \"{}\" or fleet name \"{}\" cannot be a file name",
                              launch.server_id(), launch.fleet()));
  if (servers_.contains(launch.server_id()))
    return refuse(LaunchFailed::COMMAND_FAILED,
                  fmt::format("this node already runs a server {}", launch.server_id()));

  auto prepared = prepare(launch, launch.server_id(), sdk_address, join_key, agones_ports);
  if (!prepared) return std::unexpected(prepared.error());
  if (auto free = look_at_ports(launch, port_look_); !free)
    return std::unexpected(std::move(free.error()));
  const std::string server_dir = prepared->context.server_dir;
  if (!server_dir.empty())
    if (auto written =
            write_server_files(launch, prepared->context, prepared->command.confinement.user);
        !written)
      return refuse(LaunchFailed::COMMAND_FAILED, std::move(written.error()));

  GameServer& server = make_server(launch, prepared->context, make_log(launch, launch.server_id()));
  give(server, *prepared);
  wire::node_record::Entry entry;
  *entry.mutable_entered() = entered_of(server, launch);
  record_.write(entry);
  prune_later(launch.fleet());
  prepared->command.birth_register = &record_;
  prepared->command.registered_as = server.id;
  return Entered{&server, std::move(prepared->command)};
}

GameServer& Supervisor::make_server(const wire::node::Launch& launch, const LaunchContext& context,
                                    ServerLog log) {
  const auto server = std::make_shared<GameServer>(io_, context.token, std::move(log));
  server->id = launch.server_id();
  server->name = "server " + server->id;
  server->fleet = launch.fleet();
  server->port = static_cast<std::uint16_t>(launch.port());
  server->protocol = launch.protocol();
  server->version = launch.version();
  server->ports.assign(launch.ports().begin(), launch.ports().end());
  server->context = context;
  server->health_timeout = milliseconds{launch.health_timeout_ms()};
  server->on_output = [raw = server.get()](std::string_view bytes) {
    if (raw->plain) raw->plain->on_output(bytes);
  };
  server->on_ended = [this, id = server->id](const std::string& detail) {
    GameServer& ended = *servers_.find(id)->second;
    if (!ended.ready && !ended.stopping && !ended.exit->unknown && ended.exit->exit_code != 0)
      if (const auto probe = probe_port(ended.port); !probe && !probe.error().limit_reached)
        ended.port_conflict = probe.error().detail;
    if (!ended.context.server_dir.empty()) remove_server_folder(ended.context.server_dir);
    const auto gone = servers_.extract(id);
    on_exited_(ended, detail);
  };
  return *servers_.emplace(server->id, server).first->second;
}

GameServer* Supervisor::take_over(const Recorded::Server& recorded) {
  const wire::node_record::Entered& entered = recorded.entered;
  const wire::node::Launch& launch = entered.launch();
  std::vector<CgroupPlace> places;
  for (const auto& cgroup : entered.cgroups())
    places.push_back({static_cast<int>(cgroup.version()), cgroup.folder()});
  Cgroup cgroup = Cgroup::find(places);
  auto process = find_process(static_cast<pid_t>(recorded.born.pid()), recorded.born.alive_at());
  if (process) process->output = find_output(*process, recorded.born.output());
  if (!process) {
    cgroup.kill();
    return nullptr;
  }
  process->output_name = recorded.born.output();
  LaunchContext context;
  context.token = entered.token();
  context.log_dir = entered.log_dir();
  context.server_dir = entered.server_dir();
  context.agones = {static_cast<std::uint16_t>(entered.grpc_port()),
                    static_cast<std::uint16_t>(entered.http_port())};
  log_folder(launch.fleet());
  GameServer& server = make_server(launch, context, {entered.log(), log_limits(launch)});
  server.cgroup = std::move(cgroup);
  server.memory_bytes_max = entered.memory_bytes_max();
  restore(server, recorded);
  if (!run(servers_.find(server.id)->second, std::move(*process))) {  // Out of descriptors.
    servers_.erase(server.id);
    return nullptr;
  }
  if (recorded.state.stopping()) {
    server.stopping = true;
    kill_at(server, from_boot(recorded.state.kill_at()));
  }
  return &server;
}

std::expected<void, LaunchFailure> Supervisor::start(GameServer& server, const Command& command) {
  return begin(servers_.find(server.id)->second, command);
}

std::expected<void, LaunchFailure> Supervisor::take(GameServer& server, Process process) {
  const bool confined = server.cgroup.take_in(process.pid);
  const int error = errno;
  auto taken = run(servers_.find(server.id)->second, std::move(process));
  // Rather none than one without its limits.
  if (taken && !confined) {
    server.log.write(fmt::format("[muster: cannot enter the cgroup of its limits: {}]\n",
                                 ::strerrordesc_np(error)));
    signal_group(server.process, SIGKILL);
  }
  return taken;
}

void Supervisor::drop(GameServer& server) {
  CHECK(server.process.pid == 0, "a process would be forgotten");
  if (!server.context.server_dir.empty()) remove_server_folder(server.context.server_dir);
  wire::node_record::Entry entry;
  entry.set_gone(server.id);
  record_.write(entry);
  servers_.erase(server.id);
}

std::expected<Supervisor::Made, LaunchFailure> Supervisor::make_child(
    const wire::node::Launch& launch, const std::string& name, const std::string& join_key) {
  if (!is_file_name(launch.fleet()))
    return refuse(LaunchFailed::COMMAND_FAILED,
                  fmt::format("fleet name \"{}\" cannot be a file name", launch.fleet()));
  auto prepared = prepare(launch, fmt::format("{}-{}", name, launch.fleet()), {}, join_key, {});
  if (!prepared) return std::unexpected(prepared.error());
  auto child = std::make_shared<Child>(io_, prepared->context.token, make_log(launch, name));
  child->name = fmt::format("{} of {}", name, launch.fleet());
  give(*child, *prepared);
  return Made{std::move(child), std::move(prepared->command)};
}

std::expected<Supervisor::Prepared, LaunchFailure> Supervisor::prepare(
    const wire::node::Launch& launch, const std::string& name, const std::string& sdk_address,
    const std::string& join_key, AgonesPorts agones_ports) {
  const std::string folder = log_folder(launch.fleet());
  const auto plan = plan_limits(launch.limits(), enforceable_);
  if (!plan)
    return refuse(LaunchFailed::COMMAND_FAILED,
                  fmt::format("fleet {}: {}", launch.fleet(), plan.error()));
  LaunchContext context{
      random_token(),     sdk_address, join_key, folder,       options_.open_files_max,
      options_.sdk_local, {},          {},       agones_ports, {}};
  if (needs_server_folder(launch) && !launch.server_id().empty())
    context.server_dir = fmt::format("{}/{}", options_.servers_root, launch.server_id());
  if (plan->account) {
    context.user = plan->account->name;
    context.home = plan->account->home;
    context.log_dir = folder + '/' + plan->account->name;
    if (const auto made = make_user_folder(options_.log_root, folder, *plan->account); !made)
      return refuse(LaunchFailed::COMMAND_FAILED, made.error());
  }
  auto command = make_command(launch, context);
  if (!command) return refuse(LaunchFailed::COMMAND_FAILED, command.error());
  Prepared prepared{
      std::move(context), std::move(*command), {}, plan->cgroup.memory_bytes, plan->unenforced};
  if (const auto confined = confine(launch.fleet(), name, *plan, prepared); !confined)
    return std::unexpected(confined.error());
  return prepared;
}

void Supervisor::give(Child& child, Prepared& prepared) {
  child.cgroup = std::move(prepared.cgroup);
  child.memory_bytes_max = prepared.memory_bytes_max;
  for (const std::string& what : prepared.unenforced)
    child.log.write(fmt::format("[muster: not enforced: {}]\n", what));
}

// Groups are made before the process, so that it begins in them.
std::expected<void, LaunchFailure> Supervisor::confine(const std::string& fleet,
                                                       const std::string& name,
                                                       const LimitPlan& plan, Prepared& prepared) {
  Confinement& confinement = prepared.command.confinement;
  confinement = plan.confinement;
  if (!plan.needs_cgroup()) return {};
  auto made = cgroups_.make(name, plan.cgroup);
  if (!made)
    return refuse(LaunchFailed::LIMIT_REACHED,
                  fmt::format("fleet {}: its limits cannot be enforced: {}", fleet, made.error()));
  prepared.cgroup = std::move(*made);
  confinement.cgroup = prepared.cgroup.folder();
  confinement.cgroup_procs = prepared.cgroup.procs();
  return {};
}

std::expected<void, LaunchFailure> Supervisor::begin(const std::shared_ptr<Child>& child,
                                                     const Command& command) {
  return run(child, start_process(command));
}

std::expected<void, LaunchFailure> Supervisor::run(const Shared& child,
                                                   std::expected<Process, StartError> process) {
  if (!process)
    return refuse(is_limit(process.error().error) ? LaunchFailed::LIMIT_REACHED
                                                  : LaunchFailed::COMMAND_FAILED,
                  process.error().detail);
  child->process = std::move(*process);
  if (const auto error = watch(child); error) {
    signal_group(child->process, SIGKILL);
    reap(child->process);
    remove_output(child->process.output_name);
    child->process.pid = 0;
    return refuse(LaunchFailed::LIMIT_REACHED,
                  fmt::format("cannot watch the process: {}", error.message()));
  }
  running_.insert(child);
  keep_process_ready_later();
  return {};
}

// Not between launches that came together: a process made ahead costs more in all.
void Supervisor::keep_process_ready_later() {
  if (std::exchange(will_keep_process_ready_, true)) return;
  boost::asio::post(io_, [this] {
    will_keep_process_ready_ = false;
    keep_process_ready();
  });
}

std::string Supervisor::log_folder(const std::string& fleet) {
  std::string folder = fmt::format("{}/{}", options_.log_root, fleet);
  if (log_folders_.insert(folder).second) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) fmt::print(stderr, "node: cannot make {}: {}\n", folder, error.message());
  }
  return folder;
}

ServerLog Supervisor::make_log(const wire::node::Launch& launch, const std::string& name) {
  const auto now = std::chrono::system_clock::now();
  return {fmt::format("{}/{}-{:%Y%m%dT%H%M%S}.log", log_folder(launch.fleet()), name,
                      fmt::gmtime(std::chrono::system_clock::to_time_t(now))),
          log_limits(launch)};
}

void Supervisor::stop(Child& child, milliseconds grace) {
  if (child.exit) return;
  if (child.process.pid == 0) {
    child.stopping = true;
    return;
  }
  const auto deadline = steady_clock::now() + grace;
  if (child.stopping && child.process_timer.expiry() <= deadline) return;
  if (!child.stopping) signal_group(child.process, SIGTERM);
  child.stopping = true;
  if (grace <= milliseconds{0}) {
    child.process_timer.expires_at(deadline);
    return signal_group(child.process, SIGKILL);
  }
  kill_at(child, deadline);
}

void Supervisor::kill_at(Child& child, steady_clock::time_point when) {
  child.process_timer.expires_at(when);
  child.process_timer.async_wait([late = child.shared_from_this()](auto error) {
    if (!error && !late->exit) signal_group(late->process, SIGKILL);
  });
}

void Supervisor::stop_all(milliseconds grace) {
  for_each([&](GameServer& server) { stop(server, grace); });
}

boost::system::error_code Supervisor::watch(const Shared& child) {
  boost::system::error_code watch_error;
  child->exit_watch.assign(child->process.pidfd.get(), watch_error);
  if (!watch_error) child->output.assign(child->process.output.get(), watch_error);
  if (watch_error) return watch_error;
  child->process.output.release();
  child->exit_watch.async_wait(Descriptor::wait_read, [this, child](auto error) {
    if (!error) on_exit(child);
  });
  read_output(child);
  return {};
}

// One read per turn: a server that prints without end waits for the others, and for its own pipe.
// Once it prints more than is kept it is read by the clock, from a larger pipe: it hardly waits up
// to a hundred megabytes a second, and the node does little more than throw them away.
void Supervisor::read_output(const Shared& child) {
  const auto go_on = [this, child](auto error) {
    if (!error && child->output.is_open() && drain(*child)) read_output(child);
  };
  if (!child->output_rate.flooded()) {
    child->output.async_wait(Descriptor::wait_read, go_on);
    return;
  }
  ::fcntl(child->output.native_handle(), F_SETPIPE_SZ, flooded_pipe_bytes);
  child->output_timer.expires_after(flooded_pause);
  child->output_timer.async_wait(go_on);
}

// False at the end of the output.
bool Supervisor::drain(Child& child) {
  static char buffer[flooded_pipe_bytes];
  const std::size_t room = child.output_rate.flooded() ? sizeof buffer : 64 * 1024;
  const ssize_t n = ::read(child.output.native_handle(), buffer, room);
  if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
  const std::string_view bytes(buffer, static_cast<std::size_t>(n));
  if (child.output_rate.keeps(n, steady_clock::now()))
    child.log.write(bytes);
  else
    child.log.drop(bytes);
  if (child.on_output) child.on_output(bytes);
  return true;
}

void Supervisor::on_exit(const Shared& child) {
  if (child->exit) return;
  child->exit = exit_status(child->process);
  CHECK(child->exit, "its pidfd became readable");
  child->process_timer.cancel();
  child->exited_at = steady_clock::now();
  clear_remains(child);
}

// The process is a zombie until finish(), so that nobody else can get its pid, group or session.
void Supervisor::clear_remains(const Shared& child) {
  const bool any_left = kill_remains(*child);
  const auto waited = steady_clock::now() - child->exited_at;
  if (!any_left) return finish(child);
  if (waited > remains_patience) {
    fmt::print(stderr, "node: processes that {} left behind do not die\n", child->name);
    return finish(child);
  }
  child->process_timer.expires_after(std::max<steady_clock::duration>(milliseconds{1}, waited / 4));
  child->process_timer.async_wait([this, child](auto error) {
    if (!error) clear_remains(child);
  });
}

// Its group dies by one signal. Children that made a group or session of their own came to the node
// (it is their subreaper) and are known by the session they are in, or by the token in their
// environment; if nothing else is running, they can be nobody else's.
//
// Those of a process that an earlier node started do not come to this one: the token is their mark.
bool Supervisor::kill_remains(const Child& of) {
  signal_group(of.process, SIGKILL);
  bool any = of.cgroup.kill();
  if (!of.process.is_child && kill_by_token(of.token)) any = true;
  reap_orphans();
  const std::set<pid_t> mains = main_pids();
  const std::string mark = "MUSTER_TOKEN=" + of.token;
  const bool alone = running_.size() == 1 && kept_.empty();
  for (const pid_t child : children_of(::getpid())) {
    if (mains.contains(child)) continue;
    if (!alone && ::getsid(child) != of.process.pid && !environment_has(child, mark)) continue;
    any = true;
    ::kill(child, SIGKILL);
  }
  return any;
}

bool Supervisor::kill_by_token(const std::string& token) {
  bool any = false;
  if (token.empty()) return any;
  for (const pid_t pid : all_processes()) {
    if (environment_value(pid, "MUSTER_TOKEN") != token) continue;
    any = true;
    ::kill(pid, SIGKILL);
  }
  return any;
}

void Supervisor::finish(const Shared& child) {
  // What it printed last; more than this only if somebody else still prints into the pipe.
  for (int reads = 0; reads < 32 && child->output.is_open(); ++reads) {
    pollfd ready{child->output.native_handle(), POLLIN, 0};
    if (::poll(&ready, 1, 0) <= 0 || !drain(*child)) break;
  }
  boost::system::error_code ignored;
  child->output_timer.cancel();
  child->output.close(ignored);
  child->exit_watch.release();
  remove_output(child->process.output_name);
  reap(child->process);
  std::string detail = child->log.last_line();
  if (child->memory_bytes_max > 0 && child->cgroup.memory_kills() > 0)
    detail = fmt::format("over its memory limit, {}", format_memory(child->memory_bytes_max));
  child->cgroup = {};
  running_.erase(child);
  if (child->on_ended) child->on_ended(detail);
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
  std::set<pid_t> pids = kept_;
  if (const pid_t spare = process_kept_ready(); spare != 0) pids.insert(spare);
  for (const Shared& child : running_) pids.insert(child->process.pid);
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
    for (const Shared& child : running_) in_use.insert(child->log.path());
    for (const std::string& name : std::exchange(to_prune_, {}))
      prune_logs(fmt::format("{}/{}", options_.log_root, name), options_.logs_kept_max,
                 [&](const std::string& path) { return in_use.contains(path); });
  });
}

}  // namespace muster::node
