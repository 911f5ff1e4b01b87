// Players and game servers that speak only the classic packets.
#include <gtest/gtest.h>

#include "net/net.h"
#include "net/test_world.h"
#include "wire/classic_packet.h"

namespace muster::net {
namespace {

namespace classic = wire::classic;
using namespace std::chrono_literals;

std::string to_lobby(const classic::ToLobby& packet) {
  std::string out;
  classic::append(out, packet);
  return out;
}
std::string from_lobby(const std::vector<classic::FromLobby>& packets) {
  std::string out;
  for (const auto& packet : packets) classic::append(out, packet);
  return out;
}
classic::LoginOk login_ok(std::int32_t id, std::string name) {
  return {.id = id, .name = std::move(name), .success = 1};
}

TEST(ClassicPlayer, TheWholeWay) {
  TestWorld world;
  world.welcome_all();
  TestClient client(world.io, world.net.port());
  client.send(to_lobby(classic::Login{"ann", "pw"}) + to_lobby(classic::MatchRequest{-1}));
  ASSERT_TRUE(world.until_event<core::StartMatch>());
  EXPECT_EQ(world.names(), "SessionOpened Hello StartMatch ");
  EXPECT_FALSE(world.find<core::SessionOpened>()->resumable);
  EXPECT_EQ(world.find<core::Hello>()->name, "ann");
  const auto* start = world.find<core::StartMatch>();
  EXPECT_EQ(start->queue, "");
  EXPECT_EQ(start->seats, 1);
  const auto r = start->request;
  using S = core::TicketState;
  world.net.apply(core::SendTicket{world.last, r, {1, 1}, "q", S::queued, 1, 2, {}});
  world.net.apply(core::SendTicket{world.last, 0, {1, 1}, "q", S::matched, 2, 2, {}});
  world.net.apply(core::SendTicket{world.last, 0, {1, 1}, "q", S::assigned, 2, 2, {}});
  core::SendAssignment assignment{.session = world.last};
  assignment.port = 40000;
  world.net.apply(assignment);
  world.net.apply(core::SendMatchEnded{world.last, 0, {1, 1}, {}, false, ""});  // Not told.
  world.net.flush();
  const std::string want = from_lobby({login_ok(7, "ann"), classic::MatchUpdate{1},
                                       classic::MatchUpdate{2}, classic::MatchResponse{40000, 0}});
  ASSERT_TRUE(client.until_bytes(want.size()));
  EXPECT_EQ(client.received, want);
}

TEST(ClassicPlayer, EffectsAndTheirPackets) {
  using S = core::TicketState;
  struct Row {
    const char* name;
    core::Effect effect;
    std::vector<classic::FromLobby> packets;
  };
  const core::SessionId s{0, 1};
  const Row rows[] = {
      {"a refused login", core::SendError{s, 1, core::Error::lobby_full, ""}, {classic::LoginOk{}}},
      {"a refused request is nobody gathered",
       core::SendError{s, 2, core::Error::queue_not_found, ""},
       {classic::MatchUpdate{0}}},
      {"a second request leaves the first",
       core::SendError{s, 2, core::Error::already_queued, ""},
       {}},
      {"a failed ticket",
       core::SendTicket{s, 0, {1, 1}, "q", S::failed, 2, 2, {}},
       {classic::MatchUpdate{0}}},
      {"an expired ticket",
       core::SendTicket{s, 0, {1, 1}, "q", S::expired, 1, 2, {}},
       {classic::MatchUpdate{0}}},
      {"a game server's login", core::SendServerLoginOk{s}, {classic::ServerLoginOk{}}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    TestWorld world;
    TestClient client(world.io, world.net.port());
    client.send(to_lobby(classic::MatchRequest{3}));
    ASSERT_TRUE(world.until_event<core::StartMatch>());
    EXPECT_EQ(world.find<core::StartMatch>()->seats, 3);
    ASSERT_EQ(world.last, s);
    world.say(row.effect);
    world.say(core::CloseSession{s, {}});
    ASSERT_TRUE(client.until_ended());
    EXPECT_EQ(client.received, from_lobby(row.packets));
  }
}

TEST(ClassicPlayer, AccountsDecideWhoComesIn) {
  using Kind = AccountRequest::Kind;
  struct Row {
    const char* name;
    Kind kind;
    AccountOutcome reply;
    bool guests;
    bool hello;
    std::vector<classic::FromLobby> packets;
  };
  const Row rows[] = {
      {"right password", Kind::log_in, AccountOutcome::ok, false, true, {login_ok(7, "ann")}},
      {"wrong password",
       Kind::log_in,
       AccountOutcome::login_refused,
       true,
       false,
       {classic::LoginOk{}}},
      {"unknown, guests allowed",
       Kind::log_in,
       AccountOutcome::name_unknown,
       true,
       true,
       {login_ok(7, "ann")}},
      {"unknown, no guests",
       Kind::log_in,
       AccountOutcome::name_unknown,
       false,
       false,
       {classic::LoginOk{}}},
      {"no storage",
       Kind::log_in,
       AccountOutcome::storage_unavailable,
       true,
       false,
       {classic::LoginOk{}}},
      {"signed up", Kind::sign_up, AccountOutcome::ok, true, false, {classic::SignUpOk{1}}},
      {"taken", Kind::sign_up, AccountOutcome::name_taken, true, false, {classic::SignUpOk{0}}},
  };
  for (const Row& row : rows) {
    for (const bool later : {false, true}) {
      SCOPED_TRACE(testing::Message() << row.name << (later ? ", later" : ", at once"));
      NetOptions options = test_options();
      options.classic_guests = row.guests;
      std::vector<std::function<void(AccountReply)>> asked;
      AccountRequest request;
      options.accounts = [&](AccountRequest r, std::function<void(AccountReply)> reply) {
        request = r;
        later ? asked.push_back(std::move(reply)) : reply({.outcome = row.reply});
      };
      TestWorld world(options);
      world.welcome_all();
      TestClient client(world.io, world.net.port());
      client.send(row.kind == Kind::log_in ? to_lobby(classic::Login{"ann", "secret"})
                                           : to_lobby(classic::SignUp{"ann", "secret"}));
      if (later) {
        ASSERT_TRUE(world.until([&] { return asked.size() == 1; }));
        EXPECT_EQ(world.names(), "SessionOpened ");
        world.now += 30s;  // A check that takes long is not the client's fault.
        world.io.restart();
        world.io.run_for(10ms);
        asked[0]({.outcome = row.reply});
      }
      const std::string want = from_lobby(row.packets);
      ASSERT_TRUE(client.until_bytes(want.size()));
      EXPECT_EQ(client.received, want);
      EXPECT_EQ(world.count<core::Hello>(), row.hello ? 1u : 0u);
      EXPECT_EQ(request.kind, row.kind);
      EXPECT_EQ(request.name, "ann");
      EXPECT_EQ(request.password, "secret");
    }
  }
}

TEST(ClassicPlayer, AReplyForAClientThatLeftIsDropped) {
  NetOptions options = test_options();
  std::vector<std::function<void(AccountReply)>> asked;
  options.accounts = [&](AccountRequest, std::function<void(AccountReply)> reply) {
    asked.push_back(std::move(reply));
  };
  std::function<void(AccountReply)> too_late;
  {
    TestWorld world(options);
    TestClient client(world.io, world.net.port());
    client.send(to_lobby(classic::Login{"ann", "a"}) + to_lobby(classic::Login{"ann", "b"}));
    const std::string want = from_lobby({classic::LoginOk{}});  // One at a time.
    ASSERT_TRUE(client.until_bytes(want.size()));
    EXPECT_EQ(client.received, want);
    ASSERT_EQ(asked.size(), 1u);
    too_late = asked[0];
    client.close();
    ASSERT_TRUE(world.until_event<core::SessionClosed>());
    asked[0]({.outcome = AccountOutcome::ok});
    EXPECT_EQ(world.names(), "SessionOpened SessionClosed ");
  }
  too_late({.outcome = AccountOutcome::ok});  // The Net is gone as well.
}

TEST(ClassicPlayer, WithoutAccountsEverybodyIsAGuestAndNobodySignsUp) {
  NetOptions options = test_options();
  options.classic_guests = false;
  TestWorld world(options);
  world.welcome_all();
  TestClient client(world.io, world.net.port());
  client.send(to_lobby(classic::SignUp{"ann", "x"}) + to_lobby(classic::Login{"\xff", "x"}) +
              to_lobby(classic::Login{"", ""}) + to_lobby(classic::Login{"ann", "x"}));
  const std::string want = from_lobby(
      {classic::SignUpOk{0}, classic::LoginOk{}, classic::LoginOk{}, login_ok(7, "ann")});
  ASSERT_TRUE(client.until_bytes(want.size()));
  EXPECT_EQ(client.received, want);
  EXPECT_EQ(world.count<core::Hello>(), 1u);
}

TEST(ClassicServer, LoginAndReset) {
  TestWorld world;
  TestClient client(world.io, world.net.port());
  client.send(to_lobby(classic::ServerLogin{40000}));
  ASSERT_TRUE(world.until_event<core::ClassicServerLogin>());
  EXPECT_EQ(world.find<core::ClassicServerLogin>()->port, 40000);
  EXPECT_EQ(world.find<core::ClassicServerLogin>()->session, world.last);
  world.say(core::SendServerLoginOk{world.last});
  ASSERT_TRUE(client.until_bytes(2));
  EXPECT_EQ(client.received, from_lobby({classic::ServerLoginOk{}}));
  client.send(to_lobby(classic::ServerReset{}));
  ASSERT_TRUE(world.until_event<core::ClassicServerReset>());
  world.now += 1h;  // A quiet game server is no dead one.
  world.io.restart();
  world.io.run_for(10ms);
  EXPECT_EQ(world.count<core::SessionClosed>(), 0u);
}

TEST(ClassicServer, ARefusedLoginClosesTheConnection) {
  for (const bool by_error : {false, true}) {
    TestWorld world;
    world.react = [&](const core::Event& event) {
      const auto* login = std::get_if<core::ClassicServerLogin>(&event);
      if (!login) return;
      if (by_error)
        world.say(core::SendError{login->session, 0, core::Error::port_not_assigned, ""});
      else
        world.say(core::CloseSession{login->session, core::Error::port_not_assigned});
    };
    TestClient client(world.io, world.net.port());
    client.send(to_lobby(classic::ServerLogin{7001}));
    ASSERT_TRUE(client.until_ended());
    EXPECT_EQ(client.received, "");
    ASSERT_TRUE(world.until_event<core::SessionClosed>());
  }
}

TEST(Classic, MalformedPacketsCloseTheConnectionBeforeTheCoreHearsOfIt) {
  for (const std::string& bytes : {std::string("\x00", 1), std::string("\x01"), std::string("\x05"),
                                   std::string("\x04\x63"), std::string("hello")}) {
    TestWorld world;
    TestClient client(world.io, world.net.port());
    client.send(bytes);
    ASSERT_TRUE(client.until_ended());
    EXPECT_EQ(world.names(), "");
    EXPECT_EQ(world.stats().refused_malformed, 1u);
  }
}

TEST(Classic, OffClosesIt) {
  NetOptions options = test_options();
  options.classic = AllowedFrom::off;
  TestWorld world(options);
  TestClient client(world.io, world.net.port());
  client.send(to_lobby(classic::ServerLogin{7001}));
  ASSERT_TRUE(client.until_ended());
  EXPECT_EQ(world.names(), "");
  EXPECT_EQ(world.stats().refused_dialect, 1u);
}

}  // namespace
}  // namespace muster::net
