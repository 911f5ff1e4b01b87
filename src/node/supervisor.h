#pragma once
// Launches game servers, keeps what they print, stops them, and knows at once when one has ended.

#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "node/game_server.h"
#include "node/launch_contract.h"
#include "node/limits.h"
#include "node/port_probe.h"
#include "node/record.h"

namespace muster::node {

struct SupervisorOptions {
  std::string log_root;            // Absolute; <log_root>/<fleet>/ is made as needed.
  std::string servers_root;        // Absolute; <servers_root>/<server id>/ as needed.
  std::string outputs_root;        // Absolute: the FIFOs that game servers print into.
  std::size_t logs_kept_max = 50;  // Servers of one fleet whose logs are kept.
  rlim_t open_files_max = 0;       // For the game servers: RLIMIT_NOFILE, soft.
  std::string sdk_local;           // For their environment: unix:/path.
  std::string cgroup_tag;          // Tells this node's cgroups from another's.
};

struct LaunchFailure {
  wire::node::LaunchFailed::Reason reason = wire::node::LaunchFailed::COMMAND_FAILED;
  std::string detail;      // For people.
  std::uint32_t port = 0;  // PORT_TAKEN: which one.
};

/// Single-threaded, like all of the node. Game servers it returns are good until on_exited.
///
/// A launch has two halves, so that the process between them may come from elsewhere than from
/// starting its command, and later: enter(), and then start() or take(). In between, the game
/// server is there without a process; stop() is remembered.
class Supervisor {
 public:
  /// Called once a server has ended, nothing it forked is left and its port is free again. `detail`
  /// is why, if the node knows, else the last line of its output.
  using OnExited = std::function<void(GameServer&, const std::string& detail)>;

  struct Entered {
    GameServer* server = nullptr;
    Command command;
  };

  /// Game servers go on record before they are launched.
  Supervisor(boost::asio::io_context& io, SupervisorOptions options, NodeRecord& record,
             OnExited on_exited);
  ~Supervisor();

  /// A game server that an earlier node launched, as it is on record. Nothing if its process has
  /// ended.
  GameServer* take_over(const Recorded::Server& recorded);
  /// To be called once, after that and before anything is launched: ends what an earlier node has
  /// launched and was not taken over, and removes its files.
  void clear_left_behind();

  /// Looks whether the port is free, and makes what the launch needs but a process. The others
  /// are for its environment.
  std::expected<Entered, LaunchFailure> enter(const wire::node::Launch& launch,
                                              const std::string& sdk_address,
                                              const std::string& join_key,
                                              AgonesPorts agones_ports = {});
  /// Starts the command. After a failure, drop() is all that may become of the server.
  std::expected<void, LaunchFailure> start(GameServer& server, const Command& command);
  /// A process that is there already, with its output.
  std::expected<void, LaunchFailure> take(GameServer& server, Process process);
  /// Forgets a server that has no process.
  void drop(GameServer& server);

  struct Made {
    std::shared_ptr<Child> child;
    Command command;
  };
  /// Makes a child that is no game server from what the launches of a fleet have in common; begin()
  /// starts it. Its log is <log_root>/<fleet>/<name>-<time>.log.
  std::expected<Made, LaunchFailure> make_child(const wire::node::Launch& launch,
                                                const std::string& name,
                                                const std::string& join_key);
  std::expected<void, LaunchFailure> begin(const std::shared_ptr<Child>& child,
                                           const Command& command);

  /// A process of the node's that is nobody's remains: somebody else watches it.
  void keep(pid_t pid) { kept_.insert(pid); }
  void let_go(pid_t pid) { kept_.erase(pid); }
  /// Whether it is one of those, or a child that is watched here.
  bool has(pid_t pid) const { return main_pids().contains(pid); }

  /// SIGTERM to its process group, and after `grace` SIGKILL. Again only brings the end closer.
  void stop(Child& child, std::chrono::milliseconds grace);
  void stop_all(std::chrono::milliseconds grace);

  /// Children that are no game server: grandchildren whose parent has ended come to the node. To be
  /// called on SIGCHLD.
  void reap_orphans();
  /// Kills every such child, and what comes to the node by that. Waits for them, 5 s at most.
  void kill_orphans();

  /// What limits can be enforced here and how, for people.
  std::string limits_text() const { return describe(enforceable_); }

  GameServer* find(std::string_view id);
  bool empty() const { return servers_.empty(); }
  /// No game server, and no other child either.
  bool idle() const { return servers_.empty() && running_.empty(); }
  template <class F>
  void for_each(F&& f) {
    for (auto& [id, server] : servers_) f(*server);
  }

 private:
  using Shared = std::shared_ptr<Child>;

  /// What a process of a fleet is made of, but the process.
  struct Prepared {
    LaunchContext context;
    Command command;
    Cgroup cgroup;
    std::uint64_t memory_bytes_max = 0;
    std::vector<std::string> unenforced;  // Limits; sentences.
  };
  std::expected<Prepared, LaunchFailure> prepare(const wire::node::Launch& launch,
                                                 const std::string& name,
                                                 const std::string& sdk_address,
                                                 const std::string& join_key,
                                                 AgonesPorts agones_ports);
  GameServer& make_server(const wire::node::Launch& launch, const LaunchContext& context,
                          ServerLog log);
  void give(Child& child, Prepared& prepared);
  std::expected<void, LaunchFailure> confine(const std::string& fleet, const std::string& name,
                                             const LimitPlan& plan, Prepared& prepared);
  std::expected<void, LaunchFailure> run(const Shared& child, std::expected<Process, StartError>);
  static void kill_at(Child& child, std::chrono::steady_clock::time_point when);
  void keep_process_ready_later();
  boost::system::error_code watch(const Shared& child);
  void read_output(const Shared& child);
  bool drain(Child& child);
  void on_exit(const Shared& child);
  void clear_remains(const Shared& child);
  bool kill_remains(const Child& child);
  bool kill_by_token(const std::string& token);
  void finish(const Shared& child);
  std::set<pid_t> main_pids() const;
  std::string log_folder(const std::string& fleet);
  ServerLog make_log(const wire::node::Launch& launch, const std::string& name);
  void prune_later(const std::string& fleet);

  boost::asio::io_context& io_;
  SupervisorOptions options_;
  NodeRecord& record_;
  OnExited on_exited_;
  Cgroups cgroups_;
  Enforceable enforceable_;
  PortLook port_look_;
  std::map<std::string, std::shared_ptr<GameServer>, std::less<>> servers_;
  std::set<Shared> running_;  // Those with a process, game servers and others.
  std::set<pid_t> kept_;
  bool will_keep_process_ready_ = false;
  std::set<std::string> log_folders_;
  std::set<std::string> to_prune_;
  Timer prune_timer_;
};

}  // namespace muster::node
