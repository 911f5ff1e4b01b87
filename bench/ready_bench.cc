// From a launch to Ready, by each way a game server can become it. The product is a node whose
// lobby is played here; the floor launches the same program and hears of the same event directly.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <deque>
#include <optional>
#include <stdexcept>
#include <thread>

#include "bench/benchmarks.h"
#include "bench/process.h"
#include "bench/sockets.h"
#include "bench/stats.h"
#include "proto/node.pb.h"
#include "wire/frame.h"

namespace muster::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using wire::node::FromNode;
using wire::node::Launch;
using wire::node::Ready;
using wire::node::ToNode;

constexpr auto patience = std::chrono::seconds(10);
constexpr std::uint16_t first_port = 20000, ports = 2000;

double microseconds_since(steady_clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(steady_clock::now() - begin).count();
}

std::uint16_t next_port() {
  static std::uint32_t next = 0;
  return static_cast<std::uint16_t>(first_port + next++ % ports);
}

/// `muster node` and the lobby's end of its link.
class Node {
 public:
  explicit Node(const std::string& muster) {
    const std::string data = folder_.path() + "/data";
    ::mkdir(data.c_str(), 0700);
    process_ =
        run_program({muster, "node", "--data", data, "--name", "bench"}, folder_.path() + "/log");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (data + "/node.sock").copy(address.sun_path, sizeof address.sun_path - 1);
    const auto deadline = steady_clock::now() + patience;
    do {
      check_interrupted();
      if (steady_clock::now() > deadline) throw std::runtime_error("the node does not listen");
      std::this_thread::sleep_for(milliseconds(5));
      link_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    } while (::connect(link_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
             0);
    ToNode hello;
    hello.mutable_hello()->set_protocol(1);
    hello.mutable_hello()->set_join_public_key(std::string(32, 'k'));
    send(hello);
    next(FromNode::kHello);
  }

  /// Microseconds from the launch to Ready; the game server is gone when this returns.
  double launch(Launch launch) {
    const std::string id = fmt::format("{}.1", ++launches_);
    launch.set_server_id(id);
    launch.set_fleet("bench");
    launch.set_host("127.0.0.1");
    launch.set_port(next_port());
    ToNode message;
    *message.mutable_launch() = std::move(launch);
    const auto begin = steady_clock::now();
    send(message);
    next(FromNode::kReady);
    const double took = microseconds_since(begin);
    message.mutable_stop()->set_server_id(id);
    send(message);
    next(FromNode::kExited);
    return took;
  }

 private:
  void send(const ToNode& message) {
    std::string bytes;
    wire::append_frame(bytes, message);
    if (!send_all(link_.get(), bytes)) throw std::runtime_error("the node is gone");
  }

  /// Others before it are passed over.
  void next(FromNode::BodyCase kind) {
    for (bool came = false; !came;) {
      pollfd ready{link_.get(), POLLIN, 0};
      check_interrupted();
      if (::poll(&ready, 1, static_cast<int>(milliseconds(patience).count())) == 0)
        throw std::runtime_error("the node says nothing");
      std::uint8_t buffer[65536];
      const ssize_t n = ::recv(link_.get(), buffer, sizeof buffer, 0);
      if (n == 0 || (n < 0 && errno != EINTR)) throw std::runtime_error("the node is gone");
      if (n < 0) continue;
      std::string refused;
      frames_.feed({buffer, static_cast<std::size_t>(n)}, [&](wire::Bytes frame) {
        FromNode message;
        if (!message.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return false;
        came = came || message.body_case() == kind;
        if (message.has_launch_failed()) refused = message.launch_failed().detail();
        return true;
      });
      if (!refused.empty()) throw std::runtime_error("a launch failed: " + refused);
    }
  }

  TempFolder folder_;
  Child process_;
  Fd link_;
  wire::FrameReader frames_{1u << 20};
  std::uint32_t launches_ = 0;
};

struct Program {
  char* const* arguments;
  int output;  // -1: as it is.
};

int child_main(void* argument) {
  const auto& program = *static_cast<const Program*>(argument);
  if (program.output >= 0) ::dup2(program.output, STDOUT_FILENO);
  ::execv(program.arguments[0], program.arguments);
  ::_exit(127);
}

pid_t start(std::vector<std::string> command, int output) {
  alignas(16) static char stack[64 * 1024];
  std::vector<char*> arguments;
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  Program program{arguments.data(), output};
  const pid_t pid =
      ::clone(child_main, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &program);
  if (pid < 0) throw std::runtime_error(fmt::format("clone: {}", std::strerror(errno)));
  return pid;
}

void end(pid_t pid) {
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

void wait_for(int fd) {
  pollfd ready{fd, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(milliseconds(patience).count())) != 1)
    throw std::runtime_error("the floor's program says nothing");
}

/// Its line of output, written when its ports are open: read from a pipe.
double floor_line(const std::string& game_server) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const Fd ours(ends[0]), theirs(ends[1]);
  const std::string port = std::to_string(next_port());
  const auto begin = steady_clock::now();
  const pid_t pid = start({game_server, "--plain", port}, theirs.get());
  wait_for(ours.get());
  const double took = microseconds_since(begin);
  end(pid);
  return took;
}

/// Its connection to us and what it sends first.
double floor_connection(const std::string& game_server, const char* way) {
  static const Fd listener = listen_on_loopback();
  const std::string port = std::to_string(next_port());
  const std::string register_port = std::to_string(port_of(listener));
  const auto begin = steady_clock::now();
  const pid_t pid = start({game_server, way, port, register_port}, -1);
  wait_for(listener.get());
  const Fd connection = accept_from(listener);
  wait_for(connection.get());
  const double took = microseconds_since(begin);
  end(pid);
  return took;
}

double floor_bare(const std::string& game_server) {
  return floor_connection(game_server, "--bare");
}
double floor_agones(const std::string& game_server) {
  return floor_connection(game_server, "--agones");
}

}  // namespace

std::vector<Row> bench_ready(const BenchOptions& options) {
  const int rounds = options.quick ? 40 : 300;
  Launch sdk, plain;
  sdk.add_command(options.game_server);
  sdk.add_command("{port}");
  plain.set_sdk(wire::node::SDK_NONE);
  plain.add_command(options.game_server);
  plain.add_command("--plain");
  plain.add_command("{port}");
  plain.mutable_ready()->set_launch_timeout_ms(10'000);
  Launch tcp = plain, udp = plain, log = plain;
  tcp.mutable_ready()->set_kind(Ready::TCP);
  udp.mutable_ready()->set_kind(Ready::UDP);
  udp.mutable_ready()->mutable_query()->set_send("ping");
  udp.mutable_ready()->mutable_query()->set_expect("^pong$");
  log.mutable_ready()->set_kind(Ready::LOG);
  log.mutable_ready()->set_log("^ready");
  Launch agones;
  agones.set_sdk(wire::node::SDK_AGONES);
  for (const char* const word :
       {options.game_server.c_str(), "--agones", "{port}", "{sdk_grpc_port}"})
    agones.add_command(word);

  struct Way {
    const char* name;
    Launch launch;
    double (*floor)(const std::string&);
    std::vector<double> product_us, floor_us;
  };
  Way ways[] = {{"ready by SDK", sdk, floor_bare, {}, {}},
                {"ready by tcp", tcp, floor_line, {}, {}},
                {"ready by udp query", udp, floor_line, {}, {}},
                {"ready by log line", log, floor_line, {}, {}},
                {"ready by Agones gRPC", agones, floor_agones, {}, {}}};
  std::optional<Node> node;
  if (!options.muster.empty()) node.emplace(options.muster);
  for (int round = 0; round < rounds + 5; ++round) {  // The first are to warm up.
    for (Way& way : ways) {
      const double bare = way.floor(options.game_server);
      const double full = node ? node->launch(way.launch) : 0;
      if (round < 5) continue;
      way.floor_us.push_back(bare);
      if (node) way.product_us.push_back(full);
    }
  }
  std::vector<Row> rows;
  for (const Way& way : ways)
    for (const auto& [part, words, aim] : {std::tuple{0.5, ", median", "ratio 1.2 and 1 ms"},
                                           std::tuple{0.99, ", 99th percentile", ""}})
      rows.push_back({std::string(way.name) + words, "us",
                      node ? std::optional(percentile(way.product_us, part)) : std::nullopt,
                      percentile(way.floor_us, part), aim});
  return rows;
}

}  // namespace muster::bench
