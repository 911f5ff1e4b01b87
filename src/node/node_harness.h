#pragma once
// For tests: a node in a process of its own, and the two kinds of peers it has, played by the test.
// Every wait has a generous deadline, after which the test fails.

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "node/node.h"
#include "node/process_posix.h"
#include "node/unique_fd.h"
#include "proto/game_server.pb.h"
#include "proto/node.pb.h"
#include "wire/frame.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace muster::node::test {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using wire::node::FromNode;
using wire::node::ToNode;

constexpr auto patience = seconds{20};
constexpr std::uint64_t match_started_ms = 1'700'000'000'123;

/// For what has no event to wait for: asks again and again, until the deadline.
inline bool eventually(const std::function<bool()>& holds) {
  const auto deadline = steady_clock::now() + patience;
  while (!holds()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds{2});
  }
  return true;
}

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// A zombie counts as running: somebody has forgotten it.
inline bool is_running(pid_t pid) { return ::kill(pid, 0) == 0 || errno == EPERM; }

class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/muster-node-XXXXXX";
    EXPECT_NE(::mkdtemp(name), nullptr);
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return path_ + '/' + std::string(name); }

 private:
  std::string path_;
};

/// A port nobody has bound just now, outside the range the kernel gives to connections.
inline std::uint16_t free_port() {
  static std::uint16_t next = static_cast<std::uint16_t>(20000 + ::getpid() % 5000);
  for (;;) {
    const std::uint16_t port = next++;
    if (next >= 30000) next = 20000;
    bool free = true;
    for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
      const UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      free = free &&
             ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    if (free) return port;
  }
}

/// Frames over a blocking socket.
template <class In, class Out>
class Peer {
 public:
  Peer() = default;
  explicit Peer(UniqueFd fd) : fd_(std::move(fd)) {}

  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }
  void send(const Out& message) {
    std::string bytes;
    wire::append_frame(bytes, message);
    send_bytes(bytes);
  }
  void send_bytes(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // Closed by the other side, which the test will see when it reads.
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  /// The next message; nothing once the connection is closed, or (a failure) after the deadline.
  std::optional<In> next(milliseconds wait = patience) {
    const auto deadline = steady_clock::now() + wait;
    while (messages_.empty() && !closed_) {
      pollfd ready{fd_.get(), POLLIN, 0};
      const auto left =
          std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now()).count();
      if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0) {
        if (wait == milliseconds{patience}) ADD_FAILURE() << "nothing came";
        return std::nullopt;
      }
      std::uint8_t buffer[65536];
      const ssize_t n = ::read(fd_.get(), buffer, sizeof buffer);
      if (n <= 0) {
        closed_ = true;
        break;
      }
      EXPECT_TRUE(reader_.feed({buffer, static_cast<std::size_t>(n)}, [&](wire::Bytes frame) {
        In said;
        if (!said.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return false;
        // Programs that only play a game server listen nowhere.
        if constexpr (requires { said.noted(); })
          if (said.noted().note().starts_with("it says Ready")) {
            port_note = said.noted().note();
            return true;
          }
        messages_.push_back(std::move(said));
        return true;
      }));
    }
    if (messages_.empty()) return std::nullopt;
    In message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }
  bool is_closed_by_peer() { return !next() && closed_; }

  std::string port_note;  // The last that it listens on another port than its own.

 private:
  UniqueFd fd_;
  wire::FrameReader reader_{16 << 20};
  std::deque<In> messages_;
  bool closed_ = false;
};

class TestLobby : public Peer<FromNode, ToNode> {
 public:
  using Peer::Peer;

  /// Connects to a node's socket, once it is there.
  static TestLobby connect(const std::string& data) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = data + "/node.sock";
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    UniqueFd fd;
    EXPECT_TRUE(eventually([&] {
      fd.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
      return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    })) << path;
    return TestLobby(std::move(fd));
  }

  /// The reports that come first are in `late` afterwards.
  wire::node::NodeHello hello(const std::string& key = std::string(32, 'k'),
                              const wire::node::ReportsHeard& heard = {}) {
    ToNode message;
    message.mutable_hello()->set_protocol(1);
    message.mutable_hello()->set_join_public_key(key);
    *message.mutable_hello()->add_heard() = heard;
    send(message);
    late.clear();
    for (;;) {
      const auto answer = next();
      if (!answer) {
        ADD_FAILURE() << "no NodeHello";
        return {};
      }
      if (answer->has_hello()) return answer->hello();
      EXPECT_GT(answer->number(), 0u) << "before its hello a node says only what it has kept";
      late.push_back(*answer);
    }
  }
  void acknowledge(const std::string& run, std::uint64_t number) {
    ToNode message;
    message.mutable_reports_heard()->set_run(run);
    message.mutable_reports_heard()->set_number(number);
    send(message);
  }
  std::vector<FromNode> late;
  void stop(const std::string& server_id, milliseconds grace) {
    ToNode message;
    message.mutable_stop()->set_server_id(server_id);
    message.mutable_stop()->set_grace_ms(static_cast<std::uint32_t>(grace.count()));
    send(message);
  }
  /// A match that began at match_started_ms.
  void start_match(const std::string& server_id, const std::string& match_id,
                   const std::vector<std::string>& players) {
    ToNode message;
    message.mutable_start_match()->set_server_id(server_id);
    auto* match = message.mutable_start_match()->mutable_match();
    match->set_match_id(match_id);
    match->set_started_ms(match_started_ms);
    for (const std::string& player : players) match->add_players()->set_player_id(player);
    send(message);
  }
  void stop_node(milliseconds grace) {
    ToNode message;
    message.mutable_stop_node()->set_grace_ms(static_cast<std::uint32_t>(grace.count()));
    send(message);
  }
  /// The pid, or 0 with the reason in `failure`.
  pid_t launch(const wire::node::Launch& launch, wire::node::LaunchFailed* failure = nullptr) {
    ToNode message;
    *message.mutable_launch() = launch;
    send(message);
    const auto answer = next();
    if (answer && answer->has_launched()) {
      EXPECT_EQ(answer->launched().server_id(), launch.server_id());
      return static_cast<pid_t>(answer->launched().pid());
    }
    if (!answer || !answer->has_launch_failed()) {
      ADD_FAILURE() << "neither Launched nor LaunchFailed";
    } else if (failure) {
      *failure = answer->launch_failed();
    } else {
      ADD_FAILURE() << answer->launch_failed().detail();
    }
    return 0;
  }
  wire::node::ServerExited next_exit() {
    const auto message = next();
    if (!message || !message->has_exited()) {
      ADD_FAILURE() << "no ServerExited: " << (message ? message->ShortDebugString() : "closed");
      return {};
    }
    return message->exited();
  }
};

class TestSdk : public Peer<wire::game_server::NodeMessage, wire::game_server::ServerMessage> {
 public:
  using Peer::Peer;
  static TestSdk connect(const std::string& address) {  // host:port
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port =
        htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0) << address;
    return TestSdk(std::move(fd));
  }
  static TestSdk connect_locally(const std::string& data) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    const std::string path = data + "/sdk.sock";
    path.copy(to.sun_path, sizeof to.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0) << path;
    return TestSdk(std::move(fd));
  }
  std::optional<wire::game_server::NodeMessage> ask(wire::game_server::ServerMessage message) {
    message.set_request(++request_);
    send(message);
    auto reply = next();
    if (reply) {
      EXPECT_EQ(reply->request(), request_) << reply->ShortDebugString();
    }
    return reply;
  }
  std::optional<wire::game_server::NodeMessage> hello(const std::string& token) {
    wire::game_server::ServerMessage message;
    message.mutable_hello()->set_token(token);
    return ask(message);
  }
  void ready() {
    wire::game_server::ServerMessage message;
    message.mutable_ready();
    const auto reply = ask(message);
    EXPECT_TRUE(reply && reply->has_ok());
  }

 private:
  std::uint32_t request_ = 0;
};

/// run_node() in a process of its own, forked from the test.
class NodeProcess {
 public:
  explicit NodeProcess(NodeOptions options) { start(std::move(options)); }
  /// Another one, once the last has ended.
  void start(NodeOptions options) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    // Nothing of the test's connections may stay open here, nor what it keeps for its processes.
    use_clone_call(CloneCall::automatic);
    unsigned kept = 3;
    for (int* const fd : {&options.link_fd, &options.lock_fd})  // One of them at most.
      if (*fd >= 0) kept = static_cast<unsigned>(*fd = ::dup2(*fd, 3)) + 1;
    ::syscall(SYS_close_range, kept, ~0u, 0u);
    const int code = run_node(options);
#ifdef __SANITIZE_ADDRESS__
    if (__lsan_do_recoverable_leak_check() != 0) ::_exit(99);
#endif
    ::_exit(code);
  }
  NodeProcess(const NodeProcess&) = delete;
  NodeProcess& operator=(const NodeProcess&) = delete;
  ~NodeProcess() {
    if (pid_ > 0) {
      ::kill(pid_, SIGTERM);
      ::kill(pid_, SIGTERM);  // Twice: at once.
      EXPECT_EQ(wait(), 0);
    }
    if (!has_left_children_) return;
    while (::waitpid(-1, nullptr, WNOHANG) > 0) continue;
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
  }
  /// What it has launched becomes the test's own.
  void kill() {
    has_left_children_ = true;
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    ::kill(pid_, SIGKILL);
    EXPECT_EQ(wait(), -1);
  }
  pid_t pid() const { return pid_; }
  void signal(int number) { ::kill(pid_, number); }
  /// Its exit code; -1 if a signal ended it, or it had to be killed after the deadline.
  int wait() {
    int status = 0;
    const pid_t pid = std::exchange(pid_, -1);
    if (!eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; })) {
      ADD_FAILURE() << "the node does not end";
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  bool has_left_children_ = false;
};

/// What `sh -c` runs, as a launch.
inline wire::node::Launch shell(const std::string& server_id, const std::string& script) {
  wire::node::Launch launch;
  launch.set_server_id(server_id);
  launch.set_fleet("duel");
  for (const std::string& argument : {std::string("/bin/sh"), std::string("-c"), script})
    launch.add_command(argument);
  launch.set_port(free_port());
  launch.set_host("127.0.0.1");
  return launch;
}

/// A node with a lobby.
class NodeTest : public testing::Test {
 protected:
  NodeTest() { lobby_hello_ = lobby_.hello(); }
  ~NodeTest() override {
    if (::testing::Test::HasFailure()) {
      for (const auto& entry : std::filesystem::recursive_directory_iterator(data_.path()))
        if (entry.is_regular_file() && entry.path().extension() == ".log")
          std::fprintf(stderr, "--- %s\n%s\n", entry.path().c_str(),
                       read_file(entry.path()).substr(0, 2000).c_str());
    }
  }

  /// Its token and the SDK's address come through a file.
  struct Launched {
    pid_t pid = 0;
    std::string token, sdk;
  };
  Launched launch_sleeper(const std::string& server_id, std::uint32_t health_timeout_ms = 0) {
    const std::string file = data_ / (server_id + ".env");
    auto launch =
        shell(server_id, "printf '%s %s\\n' \"$MUSTER_TOKEN\" \"$MUSTER_SDK\" > " + file +
                             ".new && mv " + file + ".new " + file + " && exec sleep 1000");
    launch.set_health_timeout_ms(health_timeout_ms);
    Launched launched;
    launched.pid = lobby_.launch(launch);
    EXPECT_TRUE(eventually([&] { return std::filesystem::exists(file); }));
    std::ifstream(file) >> launched.token >> launched.sdk;
    return launched;
  }

  /// Another node on the same folder, with a lobby that has heard the reports up to that number.
  void start_node(std::uint64_t heard = 0) {
    // A process that the killed node was making may still listen there for a moment.
    std::filesystem::remove(data_ / "node.sock");
    node_.start(options(data_.path()));
    lobby_ = TestLobby::connect(data_.path());
    wire::node::ReportsHeard reports;
    reports.set_run(lobby_hello_.run());
    reports.set_number(heard);
    lobby_hello_ = lobby_.hello(std::string(32, 'k'), reports);
  }

  NodeOptions options(const std::string& data) {
    NodeOptions options;
    options.data = data;
    options.name = "here";
    options.stop_grace = seconds{10};
    return options;
  }

  TemporaryFolder data_;
  NodeProcess node_{options(data_.path())};
  TestLobby lobby_ = TestLobby::connect(data_.path());
  wire::node::NodeHello lobby_hello_;
};

}  // namespace muster::node::test
