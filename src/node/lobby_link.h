#pragma once
// The node's side of the node link (proto/node.proto): lobbies connect to a unix socket in the data
// folder; the newest that has said hello is the lobby.
//
// What is said about a game server is a report: numbered, sent, and kept until the lobby has
// acknowledged it, which it does once its journal has it. A lobby that says hello is first told
// what it has not heard, in order, and then what there is now. So nothing that a game server said
// is lost with a lobby, and nothing is heard twice.

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "node/connection.h"
#include "node/supervisor.h"
#include "proto/node.pb.h"

namespace muster::node {

struct LobbyLinkOptions {
  std::string name;    // Of the machine, for NodeHello.
  std::string host;    // For players, or empty.
  std::string limits;  // What it can enforce.
};

class LobbyLink {
 public:
  static constexpr std::uint32_t protocol = 1;
  static constexpr std::uint32_t frame_bytes_max = 4u << 20;
  static constexpr std::size_t out_bytes_max = 32u << 20;  // Then the lobby counts as lost.
  /// Kept per server: beyond, what the inventory says too and players' joins and leaves are sent
  /// but not kept. The others are few by nature: a match begins only with a lobby, so at most one
  /// can be over without it.
  static constexpr std::size_t kept_max = 256;

  struct Handlers {
    std::function<void(const wire::node::LobbyHello&)>
        on_hello;  // A new lobby, before its messages.
    std::function<void(const wire::node::ToNode&)> on_message;
    std::function<void()> on_lost;
  };

  LobbyLink(boost::asio::io_context& io, LobbyLinkOptions options, Supervisor& servers,
            NodeRecord& record, Handlers handlers);
  ~LobbyLink();

  /// Goes on with the run and the reports that are on record: before a lobby can be heard.
  void go_on();
  /// Listens on a unix socket that only this user may connect to. Whatever has that name is
  /// replaced: the caller holds the folder's lock.
  std::expected<void, std::string> listen(const std::string& path);
  /// A connection to a lobby that is there already: an inherited descriptor.
  std::expected<void, std::string> adopt_inherited(int fd);

  bool connected() const { return lobby_ != nullptr; }

  /// Tells the lobby about a server, now or later.
  void report(const std::string& server_id, wire::node::FromNode&& message);
  /// Answers the lobby; nothing if it is gone, since the question is gone with it.
  void reply(const wire::node::FromNode& message);
  /// Writes out what the lobby should still get before the node ends.
  void flush();

 private:
  struct Report {
    std::string server_id;
    bool droppable = false;
    wire::node::FromNode message;
  };
  /// Of the reports kept about one server.
  struct KeptOf {
    std::size_t reports = 0, droppable = 0;
    std::uint64_t counted = 0, noted = 0;  // Of these only the last counts.
  };
  struct Peer;

  void accept();
  std::expected<void, std::string> adopt(int fd);
  bool on_frame(const std::shared_ptr<Peer>& peer, wire::Bytes frame);
  void on_hello(const std::shared_ptr<Peer>& peer, const wire::node::LobbyHello& hello);
  void on_closed(const std::shared_ptr<Peer>& peer);
  void lose_lobby();
  void keep(const std::string& server_id, const wire::node::FromNode& message,
            wire::node_record::Entry& entry);
  void drop(std::map<std::uint64_t, Report>::iterator report);
  void heard(std::uint64_t number);

  boost::asio::io_context& io_;
  LobbyLinkOptions options_;
  Supervisor& servers_;
  NodeRecord& record_;
  Handlers handlers_;
  boost::asio::basic_socket_acceptor<boost::asio::local::stream_protocol, Executor> acceptor_;
  Timer accept_pause_;
  std::list<std::shared_ptr<Peer>> strangers_;  // Have not said hello.
  std::shared_ptr<Peer> lobby_;
  std::string run_;
  std::map<std::uint64_t, Report> kept_;  // By number.
  std::map<std::string, KeptOf> kept_of_;
};

}  // namespace muster::node
