#pragma once
// A process the node has and watches: a game server, or the loaded parent of some.

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "node/log.h"
#include "node/process_posix.h"

namespace muster::node {

using Executor = boost::asio::io_context::executor_type;
using Timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;

struct Child : std::enable_shared_from_this<Child> {
  Child(boost::asio::io_context& io, std::string child_token, ServerLog output_log)
      : token(std::move(child_token)),
        exit_watch(io.get_executor()),
        output(io.get_executor()),
        process_timer(io.get_executor()),
        log(std::move(output_log)) {}
  ~Child() {
    if (exit_watch.is_open()) exit_watch.release();  // `process` owns it.
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::string token;  // MUSTER_TOKEN: also marks what it leaves behind.
  std::string name;   // For people: "server 41.3".
  Process process;    // Its pid is 0 until there is one.
  Descriptor exit_watch;
  Descriptor output;
  Timer process_timer;  // To SIGKILL; after its end, to the next look for what it left behind.
  ServerLog log;
  bool stopping = false;
  std::optional<ExitStatus> exit;
  std::chrono::steady_clock::time_point exited_at;
  /// Nothing it started is left. `last_line` of its output.
  std::function<void(const std::string& last_line)> on_ended;
};

}  // namespace muster::node
