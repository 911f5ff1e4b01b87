#pragma once
// `muster serve` on a folder of its own, with ports that were free a moment ago.

#include <sys/types.h>

#include <boost/json.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "process.h"

namespace muster::e2e {

/// The programs that are built beside the tests.
namespace programs {
extern const std::string muster, duel_server, duel_client, plain_server, classic_server,
    minimal_server, fork_server, fork_days_server;
}

/// `sh -c script`, as a fleet's command. {port} and the like are filled in. It starts in the
/// lobby's folder.
std::vector<std::string> shell(const std::string& script);

/// Stands for the lobby's own port in a command.
inline const std::string lobby_port_mark = "@LOBBY_PORT@";

/// One fleet "game" and one queue "duel" on it; further lines of TOML for each table.
struct LobbyOptions {
  std::vector<std::string> command = {programs::minimal_server, "{port}"};
  std::uint16_t ports = 4;
  std::uint32_t players = 2;
  std::string fleet, queue, lobby, limits;
  std::string data = "data";
  std::uint32_t open_files_max = 0;    // 0: as many as the test.
  std::vector<std::string> arguments;  // Of `serve`, after the file.
  bool has_node = true;                // Whether one can be started, and is waited for.
};

class Lobby {
 public:
  explicit Lobby(LobbyOptions options = {});
  /// Ends everything and fails the test if a process of it remains.
  ~Lobby();
  Lobby(const Lobby&) = delete;
  Lobby& operator=(const Lobby&) = delete;

  /// Starts it, again if it has ended, and waits until it listens.
  void start();
  /// Another process goes on in its place. Returns the exit code of the one that left.
  int take_over();
  /// Sends a signal and waits for the lobby's end. Returns its exit code, or minus the signal.
  int end(int signal);
  bool running() { return process_ && process_->running(); }
  pid_t pid() const { return process_->pid(); }

  std::uint16_t port() const { return port_; }
  std::uint16_t admin_port() const { return admin_port_; }
  /// The fleet's.
  std::uint16_t first_port() const { return first_port_; }
  std::string folder() const { return folder_.path(); }
  std::string operator/(std::string_view name) const { return folder_ / name; }
  std::string config_file() const { return folder_ / "muster.toml"; }
  /// What it has printed.
  std::string output() const { return read_file(folder_ / "output"); }

  /// Writes the configuration anew; it is not read again by that.
  void change(const std::function<void(LobbyOptions&)>& change);
  void signal(int number) const { process_->signal(number); }

  /// `muster ctl ARGUMENTS`.
  Ran ctl(std::vector<std::string> arguments) const;
  /// `muster ctl WHAT --json`; throws if it fails.
  boost::json::value ask(const std::string& what) const;
  /// The list of `muster ctl servers|tickets|matches`.
  boost::json::array list(const std::string& what) const;
  /// The only game server; throws if there is another number of them.
  boost::json::value server() const;
  /// Waits until the only game server is in that state, and returns it.
  boost::json::value server_in(std::string_view state) const;

  /// Throws if there is none: no pid but a real one may come near kill().
  pid_t node_pid() const;

 private:
  std::string configuration() const;
  std::optional<pid_t> find_node() const;
  void end_all();
  void show_logs() const;

  LobbyOptions options_;
  TempFolder folder_;
  std::uint16_t port_ = 0, admin_port_ = 0, first_port_ = 0;
  std::unique_ptr<Process> process_;
};

/// Members of an answer, for brevity: text(server, "/state"), number(status, "/servers/ready").
std::string text(const boost::json::value& value, std::string_view pointer);
std::int64_t number(const boost::json::value& value, std::string_view pointer);
/// Of a game server. Throws if it has none.
pid_t pid_of(const boost::json::value& server);

}  // namespace muster::e2e
