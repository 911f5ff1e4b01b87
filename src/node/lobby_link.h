#pragma once
// The node's side of the node link (proto/node.proto): lobbies connect to a unix socket in the data
// folder; the newest that has said hello is the lobby.
//
// While there is none, what it should know is kept with each server. The next lobby is told, in its
// NodeHello, of the servers as they were when the last one was lost, and then of what happened
// since, in order: inventory and messages together are the truth. So the result of a match that
// ended, and of a server that exited, in between is not lost; such a server is still in the
// inventory, and its ServerExited follows.
//
// What had been written to the socket of a lobby that died before it read it is lost with it.

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstdint>
#include <expected>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "node/connection.h"
#include "node/supervisor.h"

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
  static constexpr std::size_t untold_max =
      256;  // Kept per server: joins and leaves beyond are not.

  struct Handlers {
    std::function<void(const wire::node::LobbyHello&)>
        on_hello;  // A new lobby, before its messages.
    std::function<void(const wire::node::ToNode&)> on_message;
    std::function<void()> on_lost;
  };

  LobbyLink(boost::asio::io_context& io, LobbyLinkOptions options, Supervisor& servers,
            Handlers handlers);
  ~LobbyLink();

  /// Listens on a unix socket that only this user may connect to. Whatever has that name is
  /// replaced: the caller holds the folder's lock.
  std::expected<void, std::string> listen(const std::string& path);
  /// A connection to a lobby that is there already: an inherited descriptor.
  std::expected<void, std::string> adopt_inherited(int fd);

  bool connected() const { return lobby_ != nullptr; }

  /// Tells the lobby about a server, now or later.
  void report(GameServer& server, wire::node::FromNode&& message);
  /// The server is gone after what was reported last.
  void forget(GameServer& server);
  /// Answers the lobby; nothing if it is gone, since the question is gone with it.
  void reply(const wire::node::FromNode& message);
  /// Writes out what the lobby should still get before the node ends.
  void flush();

 private:
  struct Departed {
    wire::node::Server as_lobby_knows;
    std::deque<wire::node::FromNode> untold;
  };
  struct Peer;

  void accept();
  std::expected<void, std::string> adopt(int fd);
  bool on_frame(const std::shared_ptr<Peer>& peer, wire::Bytes frame);
  void on_hello(const std::shared_ptr<Peer>& peer, const wire::node::LobbyHello& hello);
  void on_closed(const std::shared_ptr<Peer>& peer);
  void lose_lobby();

  boost::asio::io_context& io_;
  LobbyLinkOptions options_;
  Supervisor& servers_;
  Handlers handlers_;
  boost::asio::basic_socket_acceptor<boost::asio::local::stream_protocol, Executor> acceptor_;
  Timer accept_pause_;
  std::list<std::shared_ptr<Peer>> strangers_;  // Have not said hello.
  std::shared_ptr<Peer> lobby_;
  std::vector<Departed> departed_;  // Exited while there was no lobby.
};

}  // namespace muster::node
