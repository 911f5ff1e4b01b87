#include "node/lobby_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <utility>

#include "node/server_record.h"

namespace muster::node {
namespace asio = boost::asio;
using asio::local::stream_protocol;
using boost::system::error_code;

namespace {
constexpr auto hello_timeout = std::chrono::seconds{10};
constexpr std::size_t strangers_max = 16;

/// What need not be kept at all costs: the inventory says it too, or it is about one player.
bool is_droppable(const wire::node::FromNode& message) {
  using wire::node::FromNode;
  switch (message.body_case()) {
    case FromNode::kLaunched:
    case FromNode::kReady:
    case FromNode::kPlayerJoined:
    case FromNode::kPlayerLeft:
    case FromNode::kPlayersCounted:
    case FromNode::kNoted:
    case FromNode::kAllocated:
      return true;
    case FromNode::kReserved:
      return message.reserved().match_id().empty();
    default:
      return false;
  }
}

}  // namespace

struct LobbyLink::Peer {
  Peer(asio::io_context& io, std::shared_ptr<Connection> its_connection)
      : connection(std::move(its_connection)), hello_timer(io.get_executor()) {}
  std::shared_ptr<Connection> connection;
  Timer hello_timer;
};

LobbyLink::LobbyLink(asio::io_context& io, LobbyLinkOptions options, Supervisor& servers,
                     NodeRecord& record, Handlers handlers)
    : io_(io),
      options_(std::move(options)),
      servers_(servers),
      record_(record),
      handlers_(std::move(handlers)),
      acceptor_(io.get_executor()),
      accept_pause_(io.get_executor()) {}

LobbyLink::~LobbyLink() {  // A connection and its handlers hold each other until it is closed.
  for (const auto& peer : strangers_) peer->connection->close();
  if (lobby_) lobby_->connection->close();
}

void LobbyLink::go_on() {
  run_ = record_.recorded().begun.run();
  wire::node_record::Entry nothing_new;
  for (const auto& [number, report] : record_.recorded().reports)
    keep(report.server_id(), report.message(), nothing_new);
}

std::expected<void, std::string> LobbyLink::listen(const std::string& path) {
  auto listening = listen_on_unix(path, 0600);
  if (!listening) return std::unexpected(listening.error());
  error_code error;
  acceptor_.assign(stream_protocol(), listening->get(), error);
  if (error) return std::unexpected(fmt::format("cannot listen on {}: {}", path, error.message()));
  listening->release();
  accept();
  return {};
}

std::expected<void, std::string> LobbyLink::adopt_inherited(int fd) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 || type != SOCK_STREAM)
    return std::unexpected(fmt::format("descriptor {} is not a stream socket", fd));
  return adopt(fd);
}

void LobbyLink::accept() {
  acceptor_.async_accept([this](error_code error, stream_protocol::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) {  // Out of descriptors: somebody has to leave first.
      accept_pause_.expires_after(std::chrono::milliseconds{100});
      accept_pause_.async_wait([this](error_code e) {
        if (!e) accept();
      });
      return;
    }
    if (const auto adopted = adopt(socket.release(error)); !adopted)
      fmt::print(stderr, "node: {}\n", adopted.error());
    accept();
  });
}

std::expected<void, std::string> LobbyLink::adopt(int fd) {
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  StreamSocket socket(io_.get_executor());
  error_code error;
  socket.assign(asio::generic::stream_protocol(stream_protocol()), fd, error);
  if (error) {
    ::close(fd);
    return std::unexpected(fmt::format("cannot use a lobby's connection: {}", error.message()));
  }
  const auto peer = std::make_shared<Peer>(
      io_, std::make_shared<Connection>(std::move(socket),
                                        Connection::Limits{frame_bytes_max, out_bytes_max}));
  if (strangers_.size() >= strangers_max) {
    strangers_.front()->connection->close();
    strangers_.pop_front();
  }
  strangers_.push_back(peer);
  peer->hello_timer.expires_after(hello_timeout);
  peer->hello_timer.async_wait([this, weak = std::weak_ptr(peer)](error_code e) {
    const auto late = weak.lock();
    if (e || !late) return;
    late->connection->close();
    strangers_.remove(late);
  });
  peer->connection->start({[this, peer](wire::Bytes frame) { return on_frame(peer, frame); },
                           [this, peer] { on_closed(peer); }});
  return {};
}

bool LobbyLink::on_frame(const std::shared_ptr<Peer>& peer, wire::Bytes frame) {
  wire::node::ToNode message;
  if (!message.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return false;
  if (peer == lobby_) {
    if (message.has_hello()) return false;
    if (message.has_reports_heard()) {
      if (message.reports_heard().run() == run_) heard(message.reports_heard().number());
      return true;
    }
    handlers_.on_message(message);
    return true;
  }
  if (!message.has_hello()) return false;
  on_hello(peer, message.hello());
  return true;
}

void LobbyLink::on_hello(const std::shared_ptr<Peer>& peer, const wire::node::LobbyHello& hello) {
  wire::node::FromNode message;
  wire::node::NodeHello& answer = *message.mutable_hello();
  answer.set_protocol(protocol);
  answer.set_name(options_.name);
  answer.set_host(options_.host);
  answer.set_limits(options_.limits);
  answer.set_run(run_);
  answer.set_pid(static_cast<std::uint32_t>(::getpid()));
  if (hello.protocol() != protocol)
    answer.set_error(
        fmt::format("this node speaks protocol {}, the lobby {}: stop the node so that "
                    "the lobby starts its own",
                    protocol, hello.protocol()));
  else if (hello.join_public_key().size() != 32)
    answer.set_error("join_public_key must be 32 bytes");
  peer->hello_timer.cancel();
  strangers_.remove(peer);
  if (!answer.error().empty()) {
    peer->connection->send(message);
    peer->connection->close_after_send();
    return;
  }

  if (lobby_) {  // The newer one takes the link.
    const auto older = lobby_;
    lose_lobby();
    older->connection->close();
  }
  lobby_ = peer;
  for (const wire::node::ReportsHeard& known : hello.heard())
    if (known.run() == run_) heard(known.number());
  for (const auto& [number, report] : kept_) peer->connection->send(report.message);
  servers_.for_each([&](GameServer& server) { *answer.add_servers() = server.inventory_entry(); });
  peer->connection->send(message);
  handlers_.on_hello(hello);
}

void LobbyLink::on_closed(const std::shared_ptr<Peer>& peer) {
  peer->hello_timer.cancel();
  strangers_.remove(peer);
  if (peer == lobby_) lose_lobby();
}

void LobbyLink::lose_lobby() {
  lobby_ = nullptr;
  handlers_.on_lost();
}

// On record first, and with what it says has changed: a lobby that has heard it, or a game server
// that is told Ok, can rely on the next node.
void LobbyLink::report(const std::string& server_id, wire::node::FromNode&& message) {
  message.set_number(record_.next_number());
  wire::node_record::Entry entry;
  keep(server_id, message, entry);
  if (GameServer* const server = servers_.find(server_id))
    *entry.mutable_state() = state_of(*server);
  else
    entry.set_gone(server_id);
  record_.write(entry);
  if (!lobby_) return;
  lobby_->connection->send(message);
  // Players wait for this one: it goes before what the server itself is still to be told.
  if (message.has_ready()) lobby_->connection->flush();
}

void LobbyLink::keep(const std::string& server_id, const wire::node::FromNode& message,
                     wire::node_record::Entry& entry) {
  KeptOf& kept = kept_of_[server_id];
  ++kept.reports;  // First, so that it stays while an older one goes.
  std::uint64_t* const last = message.has_players_counted() ? &kept.counted
                              : message.has_noted()         ? &kept.noted
                                                            : nullptr;
  if (last && *last != 0) {
    entry.add_dropped(*last);
    drop(kept_.find(*last));
  }
  const std::uint64_t number = message.number();
  const bool droppable = is_droppable(message);
  if (droppable && kept.droppable >= kept_max) {
    --kept.reports;
    return;
  }
  kept.droppable += droppable ? 1 : 0;
  if (last) *last = number;
  entry.mutable_report()->set_server_id(server_id);
  *entry.mutable_report()->mutable_message() = message;
  kept_.emplace(number, Report{server_id, droppable, message});
}

void LobbyLink::drop(std::map<std::uint64_t, Report>::iterator report) {
  const auto found = kept_of_.find(report->second.server_id);
  KeptOf& kept = found->second;
  for (std::uint64_t* const last : {&kept.counted, &kept.noted})
    if (*last == report->first) *last = 0;
  kept.droppable -= report->second.droppable ? 1 : 0;
  if (--kept.reports == 0) kept_of_.erase(found);
  kept_.erase(report);
}

void LobbyLink::heard(std::uint64_t number) {
  if (kept_.empty() || kept_.begin()->first > number) return;
  wire::node_record::Entry entry;
  entry.set_heard(number);
  record_.write(entry);
  while (!kept_.empty() && kept_.begin()->first <= number) drop(kept_.begin());
}

void LobbyLink::reply(const wire::node::FromNode& message) {
  if (lobby_) lobby_->connection->send(message);
}

void LobbyLink::flush() {
  if (lobby_) lobby_->connection->flush();
}

}  // namespace muster::node
