#pragma once
// A process the node has and watches: a game server, or the loaded parent of some.

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "node/cgroup.h"
#include "node/log.h"
#include "node/output_rate.h"
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
        output_timer(io.get_executor()),
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
  Timer output_timer;  // To the next read, while it prints more than is kept.
  OutputRate output_rate{std::chrono::steady_clock::now()};
  Timer process_timer;  // To SIGKILL; after its end, to the next look for what it left behind.
  ServerLog log;
  bool stopping = false;
  std::optional<ExitStatus> exit;
  std::chrono::steady_clock::time_point exited_at;
  Cgroup cgroup;                       // Empty unless its limits need one.
  std::uint64_t memory_bytes_max = 0;  // Of that; 0: no limit.
  /// Nothing it started is left. `detail` is why it ended, if the node knows, else the last line of
  /// its output.
  std::function<void(const std::string& detail)> on_ended;
};

}  // namespace muster::node
