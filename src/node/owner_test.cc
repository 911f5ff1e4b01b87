#include "node/owner.h"

#include "node/node_harness.h"
#include "node/proc.h"

namespace muster::node::test {
namespace {

/// A listener, and a connection that somebody makes to it.
struct Listener {
  explicit Listener(int family) {
    fd.reset(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address{};
    socklen_t size = 0;
    if (family == AF_INET) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(address);
      v4.sin_family = AF_INET;
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      size = sizeof v4;
    } else {
      auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
      v6.sin6_family = AF_INET6;
      v6.sin6_addr = in6addr_any;
      const int no = 0;
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
      size = sizeof v6;
    }
    EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(fd.get(), 8), 0);
    size = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);  // Both families have it there.
  }
  /// As the lobby sees it.
  ConnectionAddresses accept() {
    pollfd ready{fd.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ready, 1, 20'000), 1) << "nobody connects";
    sockaddr_storage peer{}, local{};
    socklen_t peer_size = sizeof peer, local_size = sizeof local;
    accepted.emplace_back(
        ::accept4(fd.get(), reinterpret_cast<sockaddr*>(&peer), &peer_size, SOCK_CLOEXEC));
    ::getsockname(accepted.back().get(), reinterpret_cast<sockaddr*>(&local), &local_size);
    return {text(peer), port_of(peer), text(local), port_of(local)};
  }
  static std::uint16_t port_of(const sockaddr_storage& a) {
    return ntohs(reinterpret_cast<const sockaddr_in&>(a).sin_port);
  }
  static std::string text(const sockaddr_storage& a) {
    char out[INET6_ADDRSTRLEN];
    const void* address =
        a.ss_family == AF_INET
            ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in&>(a).sin_addr)
            : &reinterpret_cast<const sockaddr_in6&>(a).sin6_addr;
    return ::inet_ntop(a.ss_family, address, out, sizeof out);
  }
  UniqueFd fd;
  std::uint16_t port = 0;
  std::vector<UniqueFd> accepted;
};

struct Running {
  explicit Running(const std::string& script) {
    const auto started =
        start_process({"/bin/bash", {"/bin/bash", "-c", script}, {"PATH=/usr/bin:/bin"}, "", 0});
    if (!started) {
      ADD_FAILURE() << started.error().detail;
      return;
    }
    process = std::move(const_cast<Process&>(*started));
  }
  ~Running() {
    if (!process.pidfd) return;
    // Also those that made a session of their own; what is dead cannot have more.
    std::vector<pid_t> all{process.pid};
    for (std::size_t i = 0; i < all.size(); ++i)
      for (const pid_t child : children_of(all[i])) all.push_back(child);
    for (const pid_t pid : all) ::kill(pid, SIGKILL);
    reap(process);
  }
  Process process;
};

std::string connect_to(const std::string& host, std::uint16_t port) {
  return "exec 3<>/dev/tcp/" + host + '/' + std::to_string(port);
}

TEST(Owner, TheLaunchedProcessAndItsDescendants) {
  struct Row {
    const char* name;
    int family;
    const char* host;
    const char* script;  // After CONNECT.
  };
  const Row rows[] = {
      {"itself, IPv4", AF_INET, "127.0.0.1", "CONNECT; exec sleep 1000"},
      {"itself, IPv6", AF_INET6, "::1", "CONNECT; exec sleep 1000"},
      {"itself, IPv4 to a listener for both", AF_INET6, "127.0.0.1", "CONNECT; exec sleep 1000"},
      {"a child", AF_INET, "127.0.0.1", "(CONNECT; exec sleep 1000) & wait"},
      {"a grandchild", AF_INET, "127.0.0.1", "( (CONNECT; exec sleep 1000) & wait) & wait"},
      {"a child with a session of its own", AF_INET, "127.0.0.1",
       "setsid bash -c 'CONNECT; exec sleep 1000' & wait"},
      {"among many descriptors", AF_INET, "127.0.0.1",
       "for i in $(seq 10 200); do eval \"exec $i</dev/null\"; done; CONNECT; exec sleep 1000"},
  };
  Running stranger("exec sleep 1000");
  OwnerFinder finder;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Listener listener(row.family);
    std::string script = row.script;
    script.replace(script.find("CONNECT"), 7, connect_to(row.host, listener.port));
    Running server(script);
    const ConnectionAddresses connection = listener.accept();
    const auto owned = finder.verify(connection, server.process);
    EXPECT_TRUE(owned) << owned.error();
    const auto foreign = finder.verify(connection, stranger.process);
    ASSERT_FALSE(foreign);
    EXPECT_NE(foreign.error().find("neither the launched process"), std::string::npos)
        << foreign.error();
  }
}

TEST(Owner, AnotherProcessIsNot) {
  Listener listener(AF_INET);
  Running server("exec sleep 1000");
  Running impostor(connect_to("127.0.0.1", listener.port) + "; exec sleep 1000");
  OwnerFinder finder;
  EXPECT_FALSE(finder.verify(listener.accept(), server.process));
}

TEST(Owner, WhatTheKernelSaidInstead) {
  Listener listener(AF_INET);
  Running server(connect_to("127.0.0.1", listener.port) + "; exec sleep 1000");
  const ConnectionAddresses good = listener.accept();
  OwnerFinder finder;
  ASSERT_TRUE(finder.verify(good, server.process));
  const auto changed = [&](auto change) {
    ConnectionAddresses connection = good;
    change(connection);
    const auto owned = finder.verify(connection, server.process);
    return owned ? "verified" : owned.error();
  };
  using testing::HasSubstr;
  EXPECT_THAT(changed([](auto& c) { c.peer_address = "nonsense"; }),
              HasSubstr("are not addresses of one connection"));
  EXPECT_THAT(changed([](auto& c) { c.peer_address = "::1"; }),
              HasSubstr("are not addresses of one connection"));
  EXPECT_THAT(changed([](auto& c) { c.peer_port ^= 1; }), HasSubstr("has no connection from"));
  EXPECT_THAT(changed([](auto& c) { c.local_port ^= 1; }), HasSubstr("has no connection from"));
  EXPECT_THAT(changed([](auto& c) { c.peer_address = "127.0.0.2"; }),
              HasSubstr("has no connection from"));
  // The listening side has the same ports the other way round, and is a listener on one: neither
  // is the far end.
  EXPECT_THAT(changed([](auto& c) {
                std::swap(c.peer_address, c.local_address);
                std::swap(c.peer_port, c.local_port);
              }),
              HasSubstr("neither the launched process"));
  EXPECT_THAT(changed([](auto& c) {
                c.peer_port = c.local_port;
                c.local_port = 1;
              }),
              HasSubstr("has no connection from"));
  EXPECT_TRUE(finder.verify(good, server.process)) << "refusals leave nothing behind";

  signal_group(server.process, SIGKILL);
  ASSERT_TRUE(eventually([&] { return exit_status(server.process).has_value(); }));
  EXPECT_FALSE(finder.verify(good, server.process));
}

// The same over the link, with a server that the node has launched.
TEST_F(NodeTest, OwnerIsVerified) {
  Listener listener(AF_INET);
  auto launch = shell("0.1", "");
  launch.mutable_command()->Clear();
  for (const std::string& word : {std::string("bash"), std::string("-c"),
                                  connect_to("127.0.0.1", listener.port) + "; exec sleep 1000"})
    launch.add_command(word);
  ASSERT_GT(lobby_.launch(launch), 0);
  ASSERT_GT(lobby_.launch(shell("0.2", "exec sleep 1000")), 0);
  const ConnectionAddresses connection = listener.accept();
  for (const auto& [server, verified] : {std::pair{"0.1", true}, {"0.2", false}}) {
    ToNode message;
    auto& query = *message.mutable_verify_owner();
    query.set_query(7);
    query.set_server_id(server);
    query.set_peer_address(connection.peer_address);
    query.set_peer_port(connection.peer_port);
    query.set_local_address(connection.local_address);
    query.set_local_port(connection.local_port);
    lobby_.send(message);
    const auto answer = lobby_.next();
    ASSERT_TRUE(answer && answer->has_owner_verified());
    EXPECT_EQ(answer->owner_verified().query(), 7u);
    EXPECT_EQ(answer->owner_verified().verified(), verified);
    EXPECT_EQ(answer->owner_verified().detail().empty(), verified);
  }
}

}  // namespace
}  // namespace muster::node::test
