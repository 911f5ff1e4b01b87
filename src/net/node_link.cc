#include "net/node_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "net/node_link_convert.h"
#include "proto/node.pb.h"

extern char** environ;

namespace muster::net {
namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::node::FromNode;
using wire::node::ToNode;

namespace {
constexpr std::uint32_t protocol = 1;
constexpr std::uint32_t frame_bytes_max = 4u << 20;
constexpr std::size_t out_bytes_max = 32u << 20;
constexpr off_t node_log_bytes_max = 10 << 20;
constexpr auto hello_timeout = seconds{10};
constexpr auto locked_patience =
    milliseconds{500};  // Of a node that leaves; about a second in all.
constexpr int link_fd_in_node = 3;
constexpr int lock_fd_in_node = 4;

/// A node holds the lock from before it is started until it has left. Asked only while stopping,
/// since looking takes the lock for a moment.
bool node_runs(const std::string& data) {
  const int fd = ::open((data + "/node.lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool free = ::flock(fd, LOCK_SH | LOCK_NB) == 0;
  ::close(fd);
  return !free;
}

}  // namespace

NodeLink::NodeLink(asio::io_context& io, NodeLinkOptions options, Post post, EndsOf ends_of,
                   Heard heard)
    : options_(std::move(options)),
      post_(std::move(post)),
      ends_of_(std::move(ends_of)),
      heard_(std::move(heard)),
      socket_(io.get_executor()),
      timer_(io.get_executor()),
      child_(io.get_executor()),
      retry_after_(options_.retry_first),
      frames_(frame_bytes_max) {}

NodeLink::~NodeLink() { *alive_ = false; }

void NodeLink::start() { reach_node(); }

void NodeLink::apply(const core::Effect& effect) {
  if (const auto* question = std::get_if<core::VerifyOwner>(&effect)) return on_question(*question);
  if (!node_ || node_of(effect) != node_) return;
  ToNode message;
  if (to_node(effect, host_, message)) wire::append_frame(out_, message);
}

void NodeLink::on_question(const core::VerifyOwner& question) {
  const Question asked{question.session, question.server};
  if (!node_ || question.node != node_) return answer(asked, false, "the node is not connected");
  const auto ends = ends_of_(question.session);
  if (!ends) return answer(asked, false, "the connection is gone");
  ToNode message;
  wire::node::VerifyOwner& query = *message.mutable_verify_owner();
  query.set_query(++last_question_);
  query.set_server_id(to_string(question.server));
  query.set_peer_address(ends->peer_address);
  query.set_peer_port(ends->peer_port);
  query.set_local_address(ends->local_address);
  query.set_local_port(ends->local_port);
  questions_.emplace(last_question_, asked);
  wire::append_frame(out_, message);
}

void NodeLink::prepare_forks(const core::Config& config) {
  ToNode message;
  to_prepare_forks(config, message);
  prepare_forks_.clear();
  wire::append_frame(prepare_forks_, message);
  if (!node_) return;
  out_ += prepare_forks_;
  flush();
}

void NodeLink::flush() {
  if (!socket_.is_open()) return;
  if (out_.size() - out_written_ > out_bytes_max) return lose("it does not read");
  if (waiting_to_write_) return;
  while (out_written_ < out_.size()) {
    const ssize_t n = ::send(socket_.native_handle(), out_.data() + out_written_,
                             out_.size() - out_written_, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      out_written_ += static_cast<std::size_t>(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return;  // Reading will tell that it is gone.
    out_.erase(0, std::exchange(out_written_, 0));
    waiting_to_write_ = true;
    socket_.async_wait(Socket::wait_write, [this, alive = alive_](error_code error) {
      if (!*alive || error) return;  // lose() has made an end of waiting.
      waiting_to_write_ = false;
      flush();
    });
    return;
  }
  out_.clear();
  out_written_ = 0;
}

void NodeLink::stop_node(Duration grace) {
  stopping_ = true;
  stop_grace_ = grace;
  if (socket_.is_open()) {
    say_stop();
    flush();
  } else {
    reach_node();
  }
}

void NodeLink::say_stop() {
  ToNode message;
  message.mutable_stop_node()->set_grace_ms(to_milliseconds(stop_grace_));
  wire::append_frame(out_, message);
}

bool NodeLink::stopped() const { return !socket_.is_open() && !node_runs(options_.data); }

void NodeLink::reach_node() {
  int fd = connect_to_node();
  // One that was started from here and is not listening yet will be, or it will be reaped; one that
  // was started by another lobby, or leaves, has the lock.
  if (fd < 0 && child_pid_ == 0 && !stopping_) fd = start_node();
  if (fd >= 0) return begin(fd);
  lose("");
}

// -1: nobody is there.
int NodeLink::connect_to_node() {
  const std::string path = options_.data + "/node.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    complain(fmt::format("{} is too long for a unix socket: use a data folder with a shorter path",
                         path));
    return -1;
  }
  path.copy(address.sun_path, path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) {
    complain(fmt::format("cannot connect to the node: {}", ::strerrordesc_np(errno)));
    return -1;
  }
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno != ENOENT && errno != ECONNREFUSED)
    complain(fmt::format("cannot connect to {}: {}", path, ::strerrordesc_np(errno)));
  ::close(fd);
  return -1;
}

// The lock of the data folder's node. -1: somebody has it, or it cannot be had.
int NodeLink::lock_node() {
  const std::string path = options_.data + "/node.lock";
  const int opened = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  // Not one of the numbers under which a node is given things.
  const int fd = opened < 0 ? -1 : ::fcntl(opened, F_DUPFD_CLOEXEC, lock_fd_in_node + 1);
  if (opened >= 0) ::close(opened);
  if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK)
    complain(fmt::format("cannot start the node: {}: {}", path, ::strerrordesc_np(errno)));
  else if (retry_after_ >= std::min(locked_patience, options_.retry_last))
    complain(
        fmt::format("the node that holds {} does not listen on node.sock: if it hangs, kill "
                    "it (its pid is in that file)",
                    path));
  if (fd >= 0) ::close(fd);
  return -1;
}

// The node starts with one end of a pair of sockets and with its lock: there is no moment in which
// it is not there to connect to, and none in which another could be started beside it. -1: it
// cannot be started.
int NodeLink::start_node() {
  const int lock = lock_node();
  if (lock < 0) return -1;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0) {
    complain(fmt::format("cannot start the node: {}", ::strerrordesc_np(errno)));
    ::close(lock);
    return -1;
  }
  const std::string log = options_.data + "/node.log";
  struct stat status{};
  if (::stat(log.c_str(), &status) == 0 && status.st_size > node_log_bytes_max)
    ::rename(log.c_str(), (log + ".1").c_str());

  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // First: the others may be put where this one is. (It may itself be 3: the copy is kept open.)
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], link_fd_in_node);
  ::posix_spawn_file_actions_adddup2(&actions, lock, lock_fd_in_node);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                     O_WRONLY | O_CREAT | O_APPEND, 0640);
  ::posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, lock_fd_in_node + 1);

  std::string link_fd = std::to_string(link_fd_in_node), lock_fd = std::to_string(lock_fd_in_node);
  std::string words[] = {options_.program, "node",  "--data",    options_.data,
                         "--link-fd",      link_fd, "--lock-fd", lock_fd};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, options_.program.c_str(), &actions, &attributes,
                                  arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  ::close(lock);  // The node's copy holds it.
  if (error != 0) {
    ::close(ends[0]);
    complain(
        fmt::format("cannot start the node, {}: {}", options_.program, ::strerrordesc_np(error)));
    return -1;
  }
  watch_child(pid);
  return ends[0];
}

void NodeLink::watch_child(int pid) {
  child_pid_ = pid;
  const auto pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  error_code error;
  child_.close(error);
  if (pidfd >= 0) child_.assign(pidfd, error);
  if (pidfd < 0 || error) {
    // It is reaped when its link ends, which is soon after it does.
    if (pidfd >= 0) ::close(pidfd);
    return;
  }
  child_.async_wait(Descriptor::wait_read, [this, alive = alive_](error_code e) {
    if (!*alive || e) return;
    ::waitpid(std::exchange(child_pid_, 0), nullptr, WNOHANG);
    child_.close(e);
  });
}

void NodeLink::begin(int fd) {
  error_code error;
  socket_.assign(Protocol(), fd, error);
  if (error) {
    ::close(fd);
    return lose(error.message());
  }
  frames_ = wire::FrameReader(frame_bytes_max);
  timer_.expires_after(hello_timeout);
  timer_.async_wait([this, alive = alive_](error_code e) {
    if (*alive && !e && !node_ && socket_.is_open()) lose("it does not answer");
  });
  ToNode message;
  message.mutable_hello()->set_protocol(protocol);
  message.mutable_hello()->set_join_public_key(options_.join_public_key.data(),
                                               options_.join_public_key.size());
  std::vector<HeardReports> heard = heard_();
  heard.push_back({run_, reported_});  // Perhaps not stepped yet.
  for (const HeardReports& reports : heard) {
    if (reports.run.empty()) continue;
    wire::node::ReportsHeard& out = *message.mutable_hello()->add_heard();
    out.set_run(reports.run);
    out.set_number(reports.number);
  }
  out_.clear();
  wire::append_frame(out_, message);
  if (stopping_) say_stop();
  flush();
  wait_to_read();
}

void NodeLink::wait_to_read() {
  socket_.async_wait(Socket::wait_read, [this, alive = alive_](error_code error) {
    if (*alive && !error) on_readable();
  });
}

void NodeLink::on_readable() {
  static thread_local std::uint8_t buffer[64 * 1024];
  error_code error;
  const std::size_t n = socket_.read_some(asio::buffer(buffer), error);
  if (error == asio::error::would_block) return wait_to_read();
  if (error == asio::error::eof) return lose("it has ended");
  if (error) return lose(error.message());
  const bool good = frames_.feed(wire::Bytes(buffer, n), [&](wire::Bytes frame) {
    FromNode message;
    return message.ParseFromArray(frame.data(), static_cast<int>(frame.size())) &&
           on_message(message);
  });
  say_reported();
  if (!socket_.is_open()) return;  // Lost on the way.
  if (!good) return lose("it does not speak this protocol");
  wait_to_read();
}

bool NodeLink::on_message(const FromNode& message) {
  if (message.has_hello()) return on_hello(message.hello());
  if (message.number() > 0) return on_report(message);
  if (!node_) return false;
  if (message.has_owner_verified()) {
    const auto& verified = message.owner_verified();
    const auto question = questions_.extract(verified.query());
    if (question) answer(question.mapped(), verified.verified(), verified.detail());
    return true;
  }
  if (auto event = to_event(message)) post_(std::move(*event));
  return true;
}

/// What this node has said about its game servers. Before its hello it is what was not heard
/// before: it is stepped when its run is known, in one turn with the hello.
bool NodeLink::on_report(const FromNode& message) {
  if (!node_) {
    early_.push_back({message.number(), to_event(message)});
    return true;
  }
  if (message.number() <= reported_) return true;
  reported_ = message.number();
  if (auto event = to_event(message)) post_(std::move(*event));
  return true;
}

std::uint64_t NodeLink::heard_of(const std::string& run) const {
  std::uint64_t number = run == run_ ? reported_ : 0;
  for (const HeardReports& reports : heard_())
    if (reports.run == run) number = std::max(number, reports.number);
  return number;
}

/// In the turn of the reports, so that the journal has both or neither.
void NodeLink::say_reported() {
  if (!node_ || said_ == reported_) return;
  said_ = reported_;
  post_(core::NodeReported{node_, reported_});
}

bool NodeLink::on_hello(const wire::node::NodeHello& hello) {
  if (node_) return false;
  if (!hello.error().empty()) {
    lose(hello.error());
    return true;
  }
  if (hello.protocol() != protocol) return false;
  timer_.cancel();
  retry_after_ = options_.retry_first;
  last_complaint_.clear();
  node_ = {0, ++generation_};
  host_ = hello.host().empty() ? options_.host : hello.host();
  reported_ = heard_of(hello.run());
  run_ = hello.run();
  for (Report& report : std::exchange(early_, {})) {
    if (report.number <= reported_) continue;
    reported_ = report.number;
    if (report.event) post_(std::move(*report.event));
  }
  said_ = reported_;
  core::NodeConnected connected = to_event(hello, node_, host_);
  connected.reported = reported_;
  post_(std::move(connected));
  out_ += prepare_forks_;
  flush();
  return true;
}

void NodeLink::answer(const Question& question, bool verified, std::string detail) {
  post_(core::OwnerVerified{question.session, question.server, verified, std::move(detail)});
}

void NodeLink::lose(const std::string& why) {
  error_code ignored;
  socket_.close(ignored);
  out_.clear();
  out_written_ = 0;
  waiting_to_write_ = false;
  early_.clear();
  if (!child_.is_open() && child_pid_ != 0 && ::waitpid(child_pid_, nullptr, WNOHANG) != 0)
    child_pid_ = 0;
  if (!why.empty() && !stopping_)
    complain(fmt::format("the link to the node is lost: {} (see {}/node.log)", why, options_.data));
  for (const auto& [query, question] : std::exchange(questions_, {}))
    answer(question, false, "the node was lost before it answered");
  if (node_) post_(core::NodeLost{std::exchange(node_, {})});
  if (stopping_ && !node_runs(options_.data)) return;
  timer_.expires_after(retry_after_);
  retry_after_ = std::min(retry_after_ * 2, options_.retry_last);
  timer_.async_wait([this, alive = alive_](error_code error) {
    if (*alive && !error) reach_node();
  });
}

// Once per trouble, not once per try.
void NodeLink::complain(const std::string& what) {
  if (what == last_complaint_) return;
  last_complaint_ = what;
  fmt::print(stderr, "lobby: {}\n", what);
}

}  // namespace muster::net
