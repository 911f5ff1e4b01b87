#pragma once
// The lobby's side of the node link (proto/node.proto): finds or starts the node of this machine,
// and turns effects into its messages and its messages into events.

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/effect.h"
#include "core/event.h"
#include "net/net.h"
#include "wire/frame.h"
#include "wire/join_token.h"

namespace muster::wire::node {
class FromNode;
class NodeHello;
}  // namespace muster::wire::node

namespace muster::net {

/// Which of a node's reports have been heard for good: stepped, and in the journal.
struct HeardReports {
  std::string run;  // Of the node.
  std::uint64_t number = 0;
};

struct NodeLinkOptions {
  std::string data;     // The data folder, which the node shares: node.sock, node.lock, node.log.
  std::string program;  // Run as `<program> node --data DIR --link-fd N --lock-fd N`.
  std::string host;     // What players connect to, unless the node was told another.
  wire::JoinPublicKey join_public_key{};
  // Between tries to reach a node that is gone: doubles from first to last.
  std::chrono::milliseconds retry_first{10}, retry_last{5000};
};

/// Everything happens on the thread that runs `io`. A node that is lost is found or started again,
/// for as long as this lives; each time it gets a new NodeId. Destroying this leaves the node, and
/// the game servers, running.
class NodeLink {
 public:
  using Post = std::function<void(core::Event&&)>;
  /// Nothing if the session is gone.
  using EndsOf = std::function<std::optional<SessionEnds>(core::SessionId)>;

  /// Of every node that the core knows.
  using Heard = std::function<std::vector<HeardReports>()>;

  NodeLink(boost::asio::io_context& io, NodeLinkOptions options, Post post, EndsOf ends_of,
           Heard heard);
  ~NodeLink();
  NodeLink(const NodeLink&) = delete;
  NodeLink& operator=(const NodeLink&) = delete;

  /// Connects to the node of the data folder, or starts one. NodeConnected is posted when it has
  /// said what it runs, and NodeLost when it is gone.
  void start();

  /// Carries out LaunchServer, StopServer, StartServerMatch, RemoveServerPlayer, EndServerMatch,
  /// AcknowledgeReports and VerifyOwner; others, and those for a node that is gone, are ignored
  /// (NodeLost has been posted). Every VerifyOwner is answered, at the latest before NodeLost.
  void apply(const core::Effect& effect);
  /// Which fleets of this configuration want a fork parent: told to the node now, and to each that
  /// connects later. To be called before start(), and when the configuration has changed.
  void prepare_forks(const core::Config& config);
  /// Sends what was applied: at the end of a turn.
  void flush();

  /// Tells the node to stop every game server and itself; NodeLost is posted when it has. It is not
  /// started again. One that is only just starting is waited for, and told then: ask stopped().
  /// Again with a shorter grace is fine.
  void stop_node(Duration grace);

  /// After stop_node(): whether no node runs on the data folder any more.
  bool stopped() const;

  bool connected() const { return static_cast<bool>(node_); }

 private:
  using Executor = boost::asio::io_context::executor_type;
  using Protocol = boost::asio::local::stream_protocol;
  using Socket = boost::asio::basic_stream_socket<Protocol, Executor>;
  using Timer = boost::asio::basic_waitable_timer<
      std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
  using Descriptor = boost::asio::posix::basic_stream_descriptor<Executor>;
  struct Question {
    core::SessionId session;
    core::ServerId server;
  };

  void reach_node();
  int connect_to_node();
  int lock_node();
  int start_node();
  void watch_child(int pid);
  void begin(int fd);
  void wait_to_read();
  void on_readable();
  bool on_message(const wire::node::FromNode& message);
  bool on_hello(const wire::node::NodeHello& hello);
  bool on_report(const wire::node::FromNode& message);
  std::uint64_t heard_of(const std::string& run) const;
  void say_reported();
  void on_question(const core::VerifyOwner& question);
  void answer(const Question& question, bool verified, std::string detail);
  void lose(const std::string& why);
  void say_stop();
  void complain(const std::string& what);

  const NodeLinkOptions options_;
  const Post post_;
  const EndsOf ends_of_;
  const Heard heard_;

  Socket socket_;
  Timer timer_;       // Next try; while connecting, the deadline for the node's hello.
  Descriptor child_;  // pidfd of a node started from here, to reap it.
  int child_pid_ = 0;
  std::chrono::milliseconds retry_after_;
  wire::FrameReader frames_;
  std::string out_;
  std::string prepare_forks_;  // The message, framed.
  std::size_t out_written_ = 0;
  bool waiting_to_write_ = false;
  bool stopping_ = false;
  Duration stop_grace_{};
  core::NodeId node_;  // None while not connected.
  std::uint32_t generation_ = 0;
  std::string host_;
  struct Report {
    std::uint64_t number = 0;
    std::optional<core::Event> event;  // Nothing: it means nothing to the core.
  };
  std::vector<Report> early_;   // Those that came before the node's hello.
  std::string run_;             // Of the node that was linked last.
  std::uint64_t reported_ = 0;  // Its last report that was posted,
  std::uint64_t said_ = 0;      // and the one that NodeReported was posted for.
  std::uint64_t last_question_ = 0;
  std::map<std::uint64_t, Question> questions_;
  std::string last_complaint_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // Handlers outlive this.
};

}  // namespace muster::net
