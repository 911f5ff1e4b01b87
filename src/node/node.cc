#include "node/node.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <deque>
#include <expected>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "base/check.h"
#include "node/agones_server.h"
#include "node/bound_ports.h"
#include "node/fork_parents.h"
#include "node/lobby_link.h"
#include "node/owner.h"
#include "node/plain_server.h"
#include "node/record.h"
#include "node/sdk_server.h"
#include "node/server_record.h"
#include "node/supervisor.h"
#include "node/text_file.h"
#include "wire/join_token.h"

namespace muster::node {
namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

namespace {

constexpr auto port_look_delay = milliseconds{100};

class Node {
 public:
  Node(const NodeOptions& options, const std::string& data, rlim_t open_files_of_servers);

  std::expected<void, std::string> start();
  void run() { io_.run(); }

 private:
  void on_hello(const wire::node::LobbyHello& hello);
  void on_message(const wire::node::ToNode& message);
  void on_launch(const wire::node::Launch& launch);
  void on_forked(const std::string& server_id, const Command& command,
                 std::expected<ForkParent::Forked, std::string> forked);
  void take_over();
  void report_ended(const std::string& id, const Recorded::Server& recorded);
  void watch_again(GameServer& server, const Recorded::Server& recorded);
  void watch_plain(GameServer& server, const wire::node::Launch& message);
  void cannot_watch(GameServer& server, const std::string& why);
  PlainServer::Tools plain_tools();
  void begun(GameServer& server, std::expected<void, LaunchFailure> result);
  void launch(const wire::node::Launch& launch);
  void launch_next();
  void refuse(const wire::node::Launch& launch, LaunchFailure failure);
  void on_verify_owner(const wire::node::VerifyOwner& query);
  void look_at_port_later(GameServer& server);
  void look_at_port(GameServer& server);
  void on_exited(GameServer& server, const std::string& last_line);
  void wait_for_stop_signal();
  void wait_for_child_signal();
  void stop(milliseconds grace);
  void end_if_stopped();
  void watch_idleness();

  asio::io_context io_{1};
  const NodeOptions options_;
  const std::string data_;
  NodeRecord record_;
  Supervisor servers_;
  ForkParents forks_;
  OwnerFinder owners_;
  SdkServer sdk_;
  AgonesServer agones_;
  LobbyLink lobby_;
  SockDiag diag_;
  PatternCache patterns_;
  asio::signal_set stop_signals_{io_, SIGTERM, SIGINT};
  asio::signal_set child_signals_{io_, SIGCHLD};
  Timer idle_timer_{io_.get_executor()};
  std::string join_key_;                     // base64url
  std::deque<wire::node::Launch> launches_;  // Wait for their turn of the loop.
  bool launched_this_turn_ = false;
  bool stopping_ = false;
};

// Of the data folder, which one node at a time has.
std::string tag_of(const std::string& data) {
  unsigned char digest[8];
  crypto_generichash(digest, sizeof digest, reinterpret_cast<const unsigned char*>(data.data()),
                     data.size(), nullptr, 0);
  char text[2 * sizeof digest + 1];
  return sodium_bin2hex(text, sizeof text, digest, sizeof digest);
}

Node::Node(const NodeOptions& options, const std::string& data, rlim_t open_files_of_servers)
    : options_(options),
      data_(data),
      record_(io_, data + "/node.record", data),
      servers_(io_,
               {data + "/logs", data + "/servers", data + "/output", options.logs_kept_max,
                open_files_of_servers, "unix:" + data + "/sdk.sock", tag_of(data)},
               record_,
               [this](GameServer& server, const std::string& line) { on_exited(server, line); }),
      forks_(
          io_, servers_,
          [this](const wire::node::ForkParent& parent) {
            wire::node::FromNode message;
            *message.mutable_fork_parent() = parent;
            lobby_.reply(message);  // One that is not there will ask.
          },
          [this] { end_if_stopped(); }),
      sdk_(io_, servers_,
           [this](GameServer& server, wire::node::FromNode&& message) {
             if (message.has_ready()) {
               server.was_ready = true;
               forks_.was_ready(server);
               look_at_port_later(server);
             }
             lobby_.report(server.id, std::move(message));
           }),
      agones_(io_, servers_, owners_, record_,
              [this](GameServer& server, wire::node::FromNode&& message) {
                if (message.has_ready()) look_at_port_later(server);
                lobby_.report(server.id, std::move(message));
              }),
      lobby_(io_, {options.name, options.host, servers_.limits_text()}, servers_, record_,
             {[this](const wire::node::LobbyHello& hello) { on_hello(hello); },
              [this](const wire::node::ToNode& message) { on_message(message); },
              [this] {
                launches_.clear();  // The next lobby does not know of them.
                watch_idleness();
              }}) {}

std::expected<void, std::string> Node::start() {
  if (auto opened = record_.open(); !opened) return opened;
  lobby_.go_on();
  take_over();
  if (auto listening = sdk_.listen(data_ + "/node.port"); !listening) return listening;
  if (auto listening = sdk_.listen_locally(data_ + "/sdk.sock"); !listening) return listening;
  if (auto listening = lobby_.listen(data_ + "/node.sock"); !listening) return listening;
  if (options_.link_fd >= 0)
    if (auto adopted = lobby_.adopt_inherited(options_.link_fd); !adopted) return adopted;
  wait_for_stop_signal();
  wait_for_child_signal();
  watch_idleness();
  fmt::print(stderr, "node: limits of game servers: {}\n", servers_.limits_text());
  return {};
}

/// What an earlier node has left running. Before anybody can connect: a game server that is not
/// known yet would be refused.
void Node::take_over() {
  const auto earlier = record_.recorded().servers;
  std::size_t running = 0;
  for (const auto& [id, recorded] : earlier) {
    if (GameServer* const server = servers_.take_over(recorded)) {
      ++running;
      watch_again(*server, recorded);
    } else if (recorded.born.pid() != 0) {
      report_ended(id, recorded);
    } else {  // It has not come to be.
      wire::node_record::Entry entry;
      entry.set_gone(id);
      record_.write(entry);
    }
  }
  servers_.clear_left_behind();
  if (!earlier.empty())
    fmt::print(stderr, "node: {} of {} game servers of the node before this one (pid {}) run on\n",
               running, earlier.size(), record_.earlier_pid());
}

/// While there was no node.
void Node::report_ended(const std::string& id, const Recorded::Server& recorded) {
  ServerLog log(recorded.entered.log(), {});
  log.go_on();
  wire::node::FromNode message;
  wire::node::ServerExited& exited = *message.mutable_exited();
  exited.set_server_id(id);
  exited.set_exit_code(-1);
  exited.set_status_unknown(true);
  exited.set_detail(log.last_line());
  lobby_.report(id, std::move(message));
}

void Node::watch_again(GameServer& server, const Recorded::Server& recorded) {
  const wire::node::Launch& launch = recorded.entered.launch();
  const std::string begun = server.log.go_on();
  if (begun.empty()) server.log.write("[muster: from here on another node keeps this log]\n");
  sdk_.take_over(server);
  if (launch.sdk() == wire::node::SDK_AGONES)
    agones_.take_over(server, launch, recorded.state.agones());
  if (launch.sdk() != wire::node::SDK_NONE) return;
  const auto watched = PlainServer::watch_again(server, launch, plain_tools(), begun);
  if (!watched) cannot_watch(server, watched.error());
}

void Node::on_hello(const wire::node::LobbyHello& hello) {
  wire::JoinPublicKey key;
  CHECK(hello.join_public_key().size() == key.size(), "the link has checked it");
  std::memcpy(key.data(), hello.join_public_key().data(), key.size());
  sdk_.set_join_key(key);
  join_key_ = wire::to_base64url(key);
  idle_timer_.cancel();
}

void Node::on_message(const wire::node::ToNode& message) {
  using wire::node::Launch;
  using wire::node::ToNode;
  const auto with = [&](const auto& about, auto&& act) {
    const auto waiting = std::ranges::find(launches_, about.server_id(), &Launch::server_id);
    if (waiting != launches_.end()) {
      const Launch due = std::move(*waiting);
      launches_.erase(waiting);
      launch(due);
    }
    // One that has just ended: the lobby is being told.
    if (GameServer* server = servers_.find(about.server_id())) {
      act(*server);
      record_state(record_, *server);
    }
  };
  switch (message.body_case()) {
    case ToNode::kLaunch:
      return on_launch(message.launch());
    case ToNode::kStop:
      return with(message.stop(), [&](GameServer& server) {
        agones_.stop(server);
        servers_.stop(server, milliseconds{message.stop().grace_ms()});
      });
    case ToNode::kStartMatch:
      return with(message.start_match(), [&](GameServer& server) {
        sdk_.start_match(server, message.start_match().match());
        agones_.start_match(server, message.start_match().match());
        if (server.plain) server.plain->match_started();
      });
    case ToNode::kRemovePlayer:
      return with(message.remove_player(), [&](GameServer& server) {
        const auto& removed = message.remove_player();
        sdk_.remove_player(server, removed.match_id(), removed.player_id());
        agones_.remove_player(server, removed.match_id(), removed.player_id());
      });
    case ToNode::kEndMatch:
      return with(message.end_match(), [&](GameServer& server) {
        const auto& end = message.end_match();
        if (server.plain) return server.plain->match_ended(end.match_id());
        sdk_.end_match(server, end.match_id(), end.reason());
        agones_.end_match(server, end.match_id(), end.reason());
      });
    case ToNode::kVerifyOwner:
      return on_verify_owner(message.verify_owner());
    case ToNode::kStopNode:
      return stop(milliseconds{message.stop_node().grace_ms()});
    case ToNode::kPrepareForks:
      return forks_.prepare(message.prepare_forks(), join_key_);
    case ToNode::kHello:
    case ToNode::kReportsHeard:  // Both are the link's own.
    case ToNode::BODY_NOT_SET:
      return;  // A newer lobby's word that this node does not know.
  }
}

// Each launch takes the time that the process needs to execute its program. When many come at once,
// the loop turns between them, for those who are running and those who have just begun to.
void Node::on_launch(const wire::node::Launch& message) {
  if (launched_this_turn_) return launches_.push_back(message);
  launch(message);
  launched_this_turn_ = true;
  asio::post(io_, [this] { launch_next(); });
}

void Node::launch_next() {
  launched_this_turn_ = false;
  if (launches_.empty()) return;
  const wire::node::Launch due = std::move(launches_.front());
  launches_.pop_front();
  on_launch(due);
}

void Node::launch(const wire::node::Launch& message) {
  if (stopping_)
    return refuse(message, {wire::node::LaunchFailed::LIMIT_REACHED, "the node is stopping"});
  auto endpoint = agones_.open(message);
  if (!endpoint) return refuse(message, endpoint.error());
  auto entered = servers_.enter(message, sdk_.address(), join_key_,
                                *endpoint ? (*endpoint)->ports() : AgonesPorts{});
  if (!entered) return refuse(message, entered.error());
  const Command& command = entered->command;
  const bool forking = forks_.fork(
      message, command,
      [this, id = message.server_id(), command](auto f) { on_forked(id, command, std::move(f)); });
  if (forking) return;  // With the SDK of ours alone, so that there is no endpoint.
  auto started = servers_.start(*entered->server, command);
  const bool runs = started.has_value();
  begun(*entered->server, std::move(started));
  if (!runs) return;
  if (*endpoint) agones_.attach(*entered->server, message, std::move(*endpoint));
  if (message.sdk() == wire::node::SDK_NONE) watch_plain(*entered->server, message);
}

// One that cannot be watched would never be Ready.
void Node::watch_plain(GameServer& server, const wire::node::Launch& message) {
  const auto watched = PlainServer::watch(server, message, plain_tools());
  if (!watched) cannot_watch(server, watched.error());
}

void Node::cannot_watch(GameServer& server, const std::string& why) {
  server.log.write(fmt::format("[muster: {}]\n", why));
  servers_.stop(server, milliseconds{0});
}

PlainServer::Tools Node::plain_tools() {
  return {io_, diag_, patterns_, [this](GameServer& about, wire::node::FromNode&& news) {
            lobby_.report(about.id, std::move(news));
          }};
}

void Node::on_forked(const std::string& server_id, const Command& command,
                     std::expected<ForkParent::Forked, std::string> forked) {
  GameServer* const server = servers_.find(server_id);
  CHECK(server, "it stays until it is begun");
  const bool stopped = std::exchange(server->stopping, false);
  if (stopped && !forked)
    return begun(*server, std::unexpected(LaunchFailure{wire::node::LaunchFailed::COMMAND_FAILED,
                                                        "it was stopped before it had a process"}));
  if (!forked) return begun(*server, servers_.start(*server, command));
  server->forked_by = forked->parent;
  begun(*server, servers_.take(*server, std::move(forked->process)));
  if (stopped)
    if (GameServer* const still = servers_.find(server_id)) servers_.stop(*still, milliseconds{0});
}

void Node::begun(GameServer& server, std::expected<void, LaunchFailure> result) {
  wire::node::FromNode message;
  if (result) {
    message.mutable_launched()->set_server_id(server.id);
    message.mutable_launched()->set_pid(static_cast<std::uint32_t>(server.process.pid));
    message.mutable_launched()->set_forked(server.forked_by != 0);
    return lobby_.report(server.id, std::move(message));
  }
  message.mutable_launch_failed()->set_server_id(server.id);
  message.mutable_launch_failed()->set_reason(result.error().reason);
  message.mutable_launch_failed()->set_detail(std::move(result.error().detail));
  message.mutable_launch_failed()->set_port(result.error().port);
  lobby_.report(server.id, std::move(message));
  servers_.drop(server);
  watch_idleness();
  end_if_stopped();
}

void Node::refuse(const wire::node::Launch& message, LaunchFailure failure) {
  wire::node::FromNode answer;
  answer.mutable_launch_failed()->set_server_id(message.server_id());
  answer.mutable_launch_failed()->set_reason(failure.reason);
  answer.mutable_launch_failed()->set_detail(std::move(failure.detail));
  answer.mutable_launch_failed()->set_port(failure.port);
  lobby_.report(message.server_id(), std::move(answer));
}

void Node::on_verify_owner(const wire::node::VerifyOwner& query) {
  wire::node::FromNode answer;
  wire::node::OwnerVerified& verified = *answer.mutable_owner_verified();
  verified.set_query(query.query());
  GameServer* const server = servers_.find(query.server_id());
  if (!server || server->process.pid == 0) {
    verified.set_detail(fmt::format("server {} is not running", query.server_id()));
  } else {
    const auto owned =
        owners_.verify({query.peer_address(), static_cast<std::uint16_t>(query.peer_port()),
                        query.local_address(), static_cast<std::uint16_t>(query.local_port())},
                       server->process);
    verified.set_verified(owned.has_value());
    if (owned)
      look_at_port_later(*server);
    else
      verified.set_detail(owned.error());
  }
  lobby_.reply(answer);
}

/// A game server that says it is Ready is believed, and players are on their way. Whether it really
/// listens where they are sent is looked at once they are.
void Node::look_at_port_later(GameServer& server) {
  if (std::exchange(server.port_looked_at, true)) return;
  const auto timer = std::make_shared<Timer>(io_.get_executor());
  timer->expires_after(port_look_delay);
  timer->async_wait([this, timer, id = server.id](error_code error) {
    GameServer* const same = error ? nullptr : servers_.find(id);
    if (same && !same->exit && !same->stopping) look_at_port(*same);
  });
}

void Node::look_at_port(GameServer& server) {
  const auto binds = [&](Transport transport) {
    return find_bound(diag_, server.process, transport, server.port, /*everywhere=*/true);
  };
  const bool tcp = server.protocol != wire::node::PROTOCOL_UDP;
  const bool udp = server.protocol != wire::node::PROTOCOL_TCP;
  if ((tcp && binds(Transport::tcp)) || (udp && binds(Transport::udp))) return;
  wire::node::FromNode message;
  message.mutable_noted()->set_server_id(server.id);
  message.mutable_noted()->set_note(
      "it says Ready, but " +
      describe_bound(diag_, server.process, tcp ? Transport::tcp : Transport::udp, server.port));
  lobby_.report(server.id, std::move(message));
}

void Node::on_exited(GameServer& server, const std::string& last_line) {
  forks_.has_ended(server, last_line);
  sdk_.forget(server);
  agones_.forget(server);
  if (server.plain) server.plain->on_exit();
  wire::node::FromNode message;
  if (!server.port_conflict.empty()) {
    wire::node::LaunchFailed& failed = *message.mutable_launch_failed();
    failed.set_server_id(server.id);
    failed.set_reason(wire::node::LaunchFailed::PORT_TAKEN);
    failed.set_detail(server.port_conflict);
  } else {
    wire::node::ServerExited& exited = *message.mutable_exited();
    exited.set_server_id(server.id);
    exited.set_exit_code(server.exit->exit_code);
    exited.set_signal(server.exit->signal);
    exited.set_status_unknown(server.exit->unknown);
    exited.set_detail(last_line);
    if (server.agones) exited.set_result(server.agones->record().result());
  }
  lobby_.report(server.id, std::move(message));
  watch_idleness();
  end_if_stopped();
}

void Node::wait_for_stop_signal() {
  stop_signals_.async_wait([this](error_code error, int) {
    if (error) return;
    stop(stopping_ ? milliseconds{0} : options_.stop_grace);
    wait_for_stop_signal();
  });
}

void Node::wait_for_child_signal() {
  child_signals_.async_wait([this](error_code error, int) {
    if (error) return;
    servers_.reap_orphans();
    wait_for_child_signal();
  });
}

void Node::stop(milliseconds grace) {
  stopping_ = true;
  for (const wire::node::Launch& never : std::exchange(launches_, {})) launch(never);
  servers_.for_each([this](GameServer& server) { agones_.stop(server); });
  servers_.stop_all(grace);
  forks_.stop(std::min(grace, milliseconds{1000}));  // Nobody plays there.
  asio::post(io_, [this] { end_if_stopped(); });
}

void Node::end_if_stopped() {
  if (!stopping_ || !servers_.idle()) return;
  servers_.kill_orphans();
  lobby_.flush();
  record_.close();
  io_.stop();
}

void Node::watch_idleness() {
  if (lobby_.connected() || !servers_.empty()) return;
  idle_timer_.expires_after(options_.idle_timeout);
  idle_timer_.async_wait([this](error_code error) {
    if (!error && !lobby_.connected() && servers_.empty()) stop(milliseconds{0});
  });
}

// One that was killed may leave a process in the making, which holds it for a moment longer.
constexpr auto lock_patience = milliseconds{1000};

bool lock_in_time(int fd) {
  const auto deadline = std::chrono::steady_clock::now() + lock_patience;
  while (::flock(fd, LOCK_EX | LOCK_NB) < 0) {
    if (errno != EWOULDBLOCK || std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds{1});
  }
  return true;
}

// Held until the process ends. To lock what is inherited and locked already changes nothing.
std::expected<int, std::string> lock(const std::string& path, int inherited) {
  const int fd =
      inherited >= 0 ? inherited : ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return std::unexpected(fmt::format("cannot open {}: {}", path, ::strerrordesc_np(errno)));
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  if (!lock_in_time(fd)) {
    const int error = errno;
    ::close(fd);
    if (error != EWOULDBLOCK)
      return std::unexpected(fmt::format("cannot lock {}: {}", path, ::strerrordesc_np(error)));
    const auto pid = read_number(path);
    return std::unexpected(
        fmt::format("another node{} is running on this data folder ({} is locked); stop it, or use "
                    "another folder",
                    pid ? fmt::format(" (pid {})", *pid) : "", path));
  }
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) < 0 || ::pwrite(fd, text.data(), text.size(), 0) < 0)
    fmt::print(stderr, "node: cannot write {}: {}\n", path, ::strerrordesc_np(errno));
  return fd;
}

std::expected<std::string, std::string> prepare_folder(const std::string& data) {
  std::error_code error;
  std::filesystem::create_directories(data, error);
  if (error)
    return std::unexpected(
        fmt::format("cannot make the data folder {}: {}", data, error.message()));
  const auto absolute = std::filesystem::canonical(data, error);
  if (error) return std::unexpected(fmt::format("data folder {}: {}", data, error.message()));
  return absolute.string();
}

// Whatever started the node may have left the first three closed; a socket must not become one.
void open_standard_streams() {
  for (int fd = ::open("/dev/null", O_RDWR); fd >= 0; fd = ::open("/dev/null", O_RDWR)) {
    if (fd <= STDERR_FILENO) continue;
    ::close(fd);
    return;
  }
}

}  // namespace

int run_node(const NodeOptions& options) {
  open_standard_streams();
  const auto fail = [](const std::string& why) {
    fmt::print(stderr, "node: {}\n", why);
    return 1;
  };
  if (sodium_init() < 0) return fail("libsodium does not work on this machine");
  ::signal(SIGPIPE, SIG_IGN);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t open_files_of_servers = files.rlim_cur;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);

  const auto data = prepare_folder(options.data);
  if (!data) return fail(data.error());
  const auto locked = lock(*data + "/node.lock", options.lock_fd);
  if (!locked) return fail(locked.error());

  NodeOptions complete = options;
  if (complete.name.empty()) {
    char name[256] = "";
    ::gethostname(name, sizeof name - 1);
    complete.name = name;
  }
  Node node(complete, *data, open_files_of_servers);
  if (const auto started = node.start(); !started) return fail(started.error());
  node.run();
  // Asked once more while leaving: it is leaving.
  sigset_t stop_signals;
  ::sigemptyset(&stop_signals);
  ::sigaddset(&stop_signals, SIGTERM);
  ::sigaddset(&stop_signals, SIGINT);
  ::sigprocmask(SIG_BLOCK, &stop_signals, nullptr);
  // The names go before the lock does: the next node's socket must not be the one removed.
  for (const char* name : {"/node.sock", "/sdk.sock"}) ::unlink((*data + name).c_str());
  ::close(*locked);
  return 0;
}

}  // namespace muster::node
