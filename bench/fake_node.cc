#include "bench/fake_node.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <new>
#include <stdexcept>
#include <utility>

#include "proto/node.pb.h"
#include "wire/frame.h"

namespace muster::bench {

using wire::node::FromNode;
using wire::node::ToNode;

struct FakeNode::Shared {
  std::atomic<std::uint32_t> servers_ready = 0;
};

namespace {

Fd listen_on_path(const std::string& path) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("path too long: " + path);
  path.copy(address.sun_path, path.size());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 8) != 0)
    throw std::runtime_error(fmt::format("{}: {}", path, std::strerror(errno)));
  return fd;
}

/// What it would run, by id; and what becomes of a match that starts.
struct Servers {
  std::map<std::string, wire::node::Server> all;
  bool keep_matches = false;
};

/// The link to one lobby, until it closes.
class Link {
 public:
  Link(Fd lobby, Servers& servers, std::atomic<std::uint32_t>& ready)
      : lobby_(std::move(lobby)), servers_(servers), ready_(ready) {
    FromNode hello;
    for (const auto& [id, server] : servers_.all) *hello.mutable_hello()->add_servers() = server;
    hello.mutable_hello()->set_protocol(1);
    hello.mutable_hello()->set_name("bench");
    hello.mutable_hello()->set_host("127.0.0.1");
    hello.mutable_hello()->set_pid(static_cast<std::uint32_t>(::getpid()));
    wire::append_frame(out_, hello);
    flush();
  }

  /// False once the lobby is gone.
  bool receive() {
    const std::size_t held = unread_.size();
    unread_.resize(held + (64u << 10));
    const ssize_t got = ::recv(lobby_.get(), unread_.data() + held, 64u << 10, 0);
    unread_.resize(held + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got <= 0) return false;
    if (!holding_) read();
    return true;
  }

  void hold(bool on) {
    holding_ = on;
    if (!holding_) read();
  }

  int fd() const { return lobby_.get(); }

 private:
  void read() {
    const wire::Bytes bytes(reinterpret_cast<const std::uint8_t*>(unread_.data()), unread_.size());
    if (!frames_.feed(bytes, [&](wire::Bytes payload) { return take(payload); }))
      throw std::runtime_error("the lobby sent the node something undecodable");
    unread_.clear();
    flush();
  }

  bool take(wire::Bytes payload) {
    ToNode message;
    if (!message.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) return false;
    FromNode answer;
    if (message.has_launch()) {
      note(message.launch());
      answer.mutable_launched()->set_server_id(message.launch().server_id());
      answer.mutable_launched()->set_pid(1);
      wire::append_frame(out_, answer);
      answer.mutable_ready()->set_server_id(message.launch().server_id());
      wire::append_frame(out_, answer);
    } else if (message.has_stop()) {
      servers_.all.erase(message.stop().server_id());
      answer.mutable_exited()->set_server_id(message.stop().server_id());
      wire::append_frame(out_, answer);
    } else if (message.has_start_match() && servers_.keep_matches) {
      servers_.all[message.start_match().server_id()].set_match_id(
          message.start_match().match().match_id());
    } else if (message.has_start_match()) {
      answer.mutable_match_over()->set_server_id(message.start_match().server_id());
      answer.mutable_match_over()->set_match_id(message.start_match().match().match_id());
      wire::append_frame(out_, answer);
    } else if (message.has_stop_node()) {
      ::_exit(0);
    }
    return true;
  }

  void note(const wire::node::Launch& launch) {
    wire::node::Server& server = servers_.all[launch.server_id()];
    server.set_server_id(launch.server_id());
    server.set_fleet(launch.fleet());
    server.set_port(launch.port());
    server.set_pid(1);
    server.set_ready(true);
    server.set_version(launch.version());
  }

  void flush() {
    send_all(lobby_.get(), out_);
    out_.clear();
    ready_ = static_cast<std::uint32_t>(servers_.all.size());
  }

  Fd lobby_;
  Servers& servers_;
  std::atomic<std::uint32_t>& ready_;
  std::string unread_, out_;
  wire::FrameReader frames_{16u << 20};
  bool holding_ = false;
};

/// `control` brings 'h', 'k' and 'e': hold_matches(), keep_matches() and end_matches().
void run_node(const Fd& listener, const Fd& control, std::atomic<std::uint32_t>& ready) {
  Servers servers;
  for (;;) {
    Link link(Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC)), servers, ready);
    Epoll epoll;
    epoll.add(link.fd(), 0);
    epoll.add(control.get(), 1);
    for (bool linked = true; linked;) {
      epoll.wait(std::chrono::milliseconds(-1), [&](std::uint64_t tag) {
        char byte;
        if (tag == 0) linked = linked && link.receive();
        if (tag != 1 || ::recv(control.get(), &byte, 1, 0) != 1) return;
        servers.keep_matches = byte == 'k';
        link.hold(byte == 'h');
      });
    }
  }
}

}  // namespace

FakeNode::FakeNode(const std::string& socket_path) {
  void* memory =
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no shared memory");
  shared_ = new (memory) Shared;
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw std::runtime_error("no socketpair");
  control_ = Fd(ends[0]);
  const Fd theirs(ends[1]);
  const Fd listener = listen_on_path(socket_path);
  process_ = fork_and_run([&] { run_node(listener, theirs, shared_->servers_ready); });
}

std::uint32_t FakeNode::servers_ready() const { return shared_->servers_ready; }

void FakeNode::hold_matches() { send_all(control_.get(), "h"); }

void FakeNode::keep_matches() { send_all(control_.get(), "k"); }

void FakeNode::end_matches() { send_all(control_.get(), "e"); }

}  // namespace muster::bench
