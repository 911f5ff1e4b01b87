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

namespace muster::node {

struct SupervisorOptions {
  std::string log_root;            // Absolute; <log_root>/<fleet>/ is made as needed.
  std::size_t logs_kept_max = 50;  // Servers of one fleet whose logs are kept.
  rlim_t open_files_max = 0;       // For the game servers: RLIMIT_NOFILE, soft.
  std::string sdk_local;           // For their environment: unix:/path.
  std::string cgroup_tag;          // Tells this node's cgroups from another's.
};

struct LaunchFailure {
  wire::node::LaunchFailed::Reason reason = wire::node::LaunchFailed::COMMAND_FAILED;
  std::string detail;  // For people.
};

/// Single-threaded, like all of the node. Game servers it returns are good until on_exited.
class Supervisor {
 public:
  /// Called once a server has ended, nothing it forked is left and its port is free again. `detail`
  /// is why, if the node knows, else the last line of its output.
  using OnExited = std::function<void(GameServer&, const std::string& detail)>;

  Supervisor(boost::asio::io_context& io, SupervisorOptions options, OnExited on_exited);

  /// Looks whether the port is free, and starts the command. The others are for its environment.
  std::expected<GameServer*, LaunchFailure> launch(const wire::node::Launch& launch,
                                                   const std::string& sdk_address,
                                                   const std::string& join_key,
                                                   AgonesPorts agones_ports = {});

  /// SIGTERM to its process group, and after `grace` SIGKILL. Again only brings the end closer.
  void stop(GameServer& server, std::chrono::milliseconds grace);
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
  template <class F>
  void for_each(F&& f) {
    for (auto& [id, server] : servers_) f(*server);
  }

 private:
  using Shared = std::shared_ptr<GameServer>;

  std::expected<void, LaunchFailure> confine(const wire::node::Launch& launch,
                                             const LimitPlan& plan, Cgroup& cgroup,
                                             Command& command);
  boost::system::error_code watch(const Shared& server);
  void read_output(const Shared& server);
  bool drain(GameServer& server);
  void on_exit(const Shared& server);
  void clear_remains(const Shared& server);
  bool kill_remains(const GameServer& server);
  void finish(const Shared& server);
  std::set<pid_t> main_pids() const;
  void prune_later(const std::string& fleet);

  boost::asio::io_context& io_;
  SupervisorOptions options_;
  OnExited on_exited_;
  Cgroups cgroups_;
  Enforceable enforceable_;
  PortLook port_look_;
  std::map<std::string, Shared, std::less<>> servers_;
  std::set<std::string> log_folders_;
  std::set<std::string> to_prune_;
  Timer prune_timer_;
};

}  // namespace muster::node
