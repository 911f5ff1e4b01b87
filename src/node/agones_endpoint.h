#pragma once
// One game server's Agones SDK endpoint: its two ports on 127.0.0.1, the connections to them, and
// the record that they read and change (src/agones).

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "agones/calls.h"
#include "agones/protocol.h"
#include "node/game_server.h"
#include "node/launch_contract.h"
#include "node/loopback_listener.h"

namespace muster::node {

/// Single-threaded, no thread of its own. Keeps what is bounded in src/agones, for each of at most
/// connections_max connections.
class AgonesEndpoint : public agones::Host, public std::enable_shared_from_this<AgonesEndpoint> {
 public:
  static constexpr std::size_t connections_max = 16;
  using OnFact = std::function<void(agones::Fact&&)>;

  /// Listens; the kernel chooses the ports.
  static std::expected<std::shared_ptr<AgonesEndpoint>, std::string> listen(
      boost::asio::io_context& io, agones::Settings settings);
  /// With a record from another process, on the ports that its endpoint had: for as long as
  /// somebody else has one of them, it is tried again.
  static std::shared_ptr<AgonesEndpoint> listen_again(boost::asio::io_context& io,
                                                      agones::Settings settings,
                                                      const wire::node_record::AgonesState& saved,
                                                      AgonesPorts ports);
  ~AgonesEndpoint() override;

  AgonesPorts ports() const { return {grpc_listener_.port(), http_listener_.port()}; }
  /// From then on; what has happened before is told at once.
  void set_on_fact(OnFact on_fact);
  /// Called after a call has changed the record, before it is answered.
  void set_on_change(std::function<void()> on_change) { on_change_ = std::move(on_change); }

  const agones::Record& record() const { return record_; }
  /// Lets the lobby change the record; then watchers are told.
  template <class F>
  void change(F&& f) {
    f(record_);
    settle();
    tell_watchers();
  }
  static Time now();

  /// A connection that came by another port.
  void adopt_grpc(StreamSocket socket);
  void adopt_http(StreamSocket socket);

  /// Ends every connection; nothing is told any more.
  void close();

  agones::Status call(agones::Method method, const agones::Message& request,
                      agones::Message& reply) override;

 private:
  class Connection;

  AgonesEndpoint(boost::asio::io_context& io, agones::Settings settings);
  void listen_on(AgonesPorts ports);
  void adopt(StreamSocket socket, std::unique_ptr<agones::Protocol> protocol);
  void settle();
  void tell_watchers();
  void arm_timer();

  boost::asio::io_context& io_;
  agones::Record record_;
  OnFact on_fact_;
  std::function<void()> on_change_;
  LoopbackListener grpc_listener_, http_listener_;
  std::list<std::shared_ptr<Connection>> connections_;  // The oldest first.
  Timer timer_;
  Timer listen_timer_;
  std::optional<Time> armed_for_;
  std::uint64_t told_revision_ = 0;
  std::uint64_t settled_revision_ = 0;
  bool telling_posted_ = false;
  bool closed_ = false;
};

}  // namespace muster::node
