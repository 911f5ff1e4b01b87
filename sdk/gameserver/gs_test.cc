// The game-server SDK against a scripted node that speaks with the real protobuf library.
#include "muster/gs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "proto/game_server.pb.h"
#include "test/peer.h"

namespace {

namespace pb = muster::wire::game_server;
using muster::gs::Event;
using muster::gs::EventType;
using muster::gs::Server;
using muster::test::Connection;
using muster::test::Listener;
using namespace std::chrono_literals;

constexpr auto patience = 20s;

pb::MatchStarted match(const std::string& id, std::initializer_list<const char*> players) {
  pb::MatchStarted m;
  m.set_match_id(id);
  m.set_queue("duel");
  for (const char* player : players) {
    m.add_players()->set_player_id(player);
    m.mutable_players(m.players_size() - 1)->set_name(player);
  }
  return m;
}

pb::NodeMessage started(const pb::MatchStarted& match) {
  pb::NodeMessage m;
  *m.mutable_match_started() = match;
  return m;
}

pb::NodeMessage ok(std::uint32_t request) {
  pb::NodeMessage m;
  m.set_request(request);
  m.mutable_ok();
  return m;
}

pb::NodeMessage error(std::uint32_t request, const std::string& code) {
  pb::NodeMessage m;
  m.set_request(request);
  m.mutable_error()->set_code(code);
  m.mutable_error()->set_message("because");
  return m;
}

pb::NodeMessage welcome(std::uint32_t request, const pb::MatchStarted* running = nullptr,
                        std::uint32_t health_interval_ms = 0) {
  pb::NodeMessage m;
  m.set_request(request);
  m.mutable_welcome()->set_server_id("5.2");
  m.mutable_welcome()->set_health_interval_ms(health_interval_ms);
  if (running) *m.mutable_welcome()->mutable_match() = *running;
  return m;
}

/// A node that a script plays, in a thread of its own, while the test calls the SDK.
class Node {
 public:
  Listener listener;
  Connection connection;

  void play(std::function<void(Node&)> script) {
    wait();
    thread_ = std::thread([this, script = std::move(script)] { script(*this); });
  }
  void wait() {
    if (thread_.joinable()) thread_.join();
  }
  ~Node() { wait(); }

  pb::ServerMessage expect(pb::ServerMessage::BodyCase body) {
    const auto message = connection.receive<pb::ServerMessage>();
    EXPECT_TRUE(message) << "no message came";
    if (!message) return {};
    EXPECT_EQ(message->body_case(), body) << message->ShortDebugString();
    return *message;
  }

  /// Takes the next connection and welcomes it.
  void greet(const pb::MatchStarted* running = nullptr, std::uint32_t health_interval_ms = 0) {
    connection = listener.accept();
    const auto hello = expect(pb::ServerMessage::kHello);
    EXPECT_EQ(hello.hello().token(), "secret");
    connection.send(welcome(hello.request(), running, health_interval_ms));
  }
  void take_ready() { connection.send(ok(expect(pb::ServerMessage::kReady).request())); }
  /// Greets, takes ready, starts the match.
  void start(const pb::MatchStarted& m) {
    greet();
    take_ready();
    connection.send(started(m));
  }

 private:
  std::thread thread_;
};

Server server_of(const Node& node) {
  auto server = Server::create(node.listener.address(), "secret");
  if (!server) std::abort();
  return std::move(*server);
}

/// Polls until something happens.
Event next_event(Server& server) { return server.poll(patience).value_or(Event{}); }

/// A server in match 9.1 with ann and bob.
struct Playing {
  Node node;
  Server server = server_of(node);
  Playing() {
    node.play([](Node& n) { n.start(match("9.1", {"ann", "bob"})); });
    EXPECT_EQ(server.ready(patience), MUSTER_GS_OK);
    EXPECT_EQ(next_event(server).type, EventType::match_started);
    node.wait();
  }
};

TEST(GameServer, WithoutTheEnvironmentSaysSo) {
  unsetenv("MUSTER_SDK");
  unsetenv("MUSTER_TOKEN");
  unsetenv("MUSTER_PORT");
  muster::gs::Status why;
  EXPECT_FALSE(Server::create(&why));
  EXPECT_EQ(why, MUSTER_GS_ERR_NOT_LAUNCHED);
  EXPECT_EQ(muster::gs::port(), 0);
}

TEST(GameServer, FromTheEnvironment) {
  Node node;
  setenv("MUSTER_SDK", node.listener.address().c_str(), 1);
  setenv("MUSTER_TOKEN", "secret", 1);
  setenv("MUSTER_PORT", "7001", 1);
  setenv("MUSTER_SDK_LOCAL", "unix:/no/such/socket", 1);  // Tried first; then the address.
  EXPECT_EQ(muster::gs::port(), 7001);
  node.play([](Node& n) { n.greet(); });
  auto server = Server::create();
  ASSERT_TRUE(server);
  EXPECT_EQ(server->connect(patience), MUSTER_GS_OK);
  EXPECT_TRUE(server->is_connected());
  for (const char* port : {"", "x", "70000", "-1", "80 "}) {
    setenv("MUSTER_PORT", port, 1);
    EXPECT_EQ(muster::gs::port(), 0) << port;
  }
  unsetenv("MUSTER_SDK");
  unsetenv("MUSTER_SDK_LOCAL");
  unsetenv("MUSTER_TOKEN");
  unsetenv("MUSTER_PORT");
}

TEST(GameServer, BadOptions) {
  const muster_gs_options rows[] = {
      {nullptr, "t"},     {"127.0.0.1:1", nullptr}, {"127.0.0.1:1", ""},
      {"127.0.0.1", "t"}, {"nowhere:1", "t"},       {"127.0.0.1:1", "\xff"},
  };
  for (const auto& row : rows) {
    muster_gs* gs = nullptr;
    EXPECT_EQ(muster_gs_create_with(&row, &gs), MUSTER_GS_ERR_ARGUMENT);
    EXPECT_EQ(gs, nullptr);
  }
}

TEST(GameServer, NullIsAnError) {
  muster_gs_event event;
  muster_gs_join join;
  const muster_gs_match* m;
  EXPECT_EQ(muster_gs_ready(nullptr, 0), MUSTER_GS_ERR_ARGUMENT);
  EXPECT_EQ(muster_gs_poll(nullptr, 0, &event), MUSTER_GS_ERR_ARGUMENT);
  EXPECT_EQ(muster_gs_wait_match(nullptr, 0, &m), MUSTER_GS_ERR_ARGUMENT);
  EXPECT_EQ(muster_gs_verify_join(nullptr, "t", &join, 0), MUSTER_GS_ERR_ARGUMENT);
  EXPECT_EQ(muster_gs_match_over(nullptr, "", 0), MUSTER_GS_ERR_ARGUMENT);
  EXPECT_EQ(muster_gs_current_match(nullptr), nullptr);
  EXPECT_EQ(muster_gs_socket(nullptr), -1);
  EXPECT_STREQ(muster_gs_error_text(nullptr), "");
  muster_gs_destroy(nullptr);
}

TEST(GameServer, EveryStatusHasItsSentence) {
  for (int i = 0; i <= MUSTER_GS_ERR_POLL_FIRST; ++i)
    EXPECT_STRNE(muster_gs_status_text(static_cast<muster_gs_status>(i)), "unknown status") << i;
}

TEST(GameServer, SaysHelloAndReadyInOneGo) {
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.connection = n.listener.accept();
    // Both are there before any answer.
    const auto hello = n.expect(pb::ServerMessage::kHello);
    const auto ready = n.expect(pb::ServerMessage::kReady);
    n.connection.send(welcome(hello.request()));
    n.connection.send(ok(ready.request()));
  });
  EXPECT_EQ(server.ready(patience), MUSTER_GS_OK);
  EXPECT_TRUE(server.is_ready());
  EXPECT_EQ(server.ready(patience), MUSTER_GS_OK) << "already";
}

TEST(GameServer, PlaysMatchAfterMatch) {
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.greet();
    n.take_ready();
    for (const char* id : {"9.1", "9.2", "9.3"}) {
      n.connection.send(started(match(id, {"ann"})));
      const auto over = n.expect(pb::ServerMessage::kMatchOver);
      EXPECT_EQ(over.match_over().match_id(), id);
      EXPECT_EQ(over.match_over().result(), std::string("result of ") + id);
      n.connection.send(ok(over.request()));
    }
  });
  ASSERT_EQ(server.ready(patience), MUSTER_GS_OK);
  for (const char* id : {"9.1", "9.2", "9.3"}) {
    const auto m = server.wait_match(patience);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->match_id, id);
    EXPECT_EQ(server.ready(0ms), MUSTER_GS_ERR_STATE);
    EXPECT_EQ(server.wait_match(0ms)->match_id, id) << "the running one, at once";
    EXPECT_EQ(server.match_over(std::string("result of ") + id, patience), MUSTER_GS_OK);
    EXPECT_FALSE(server.current_match());
    EXPECT_EQ(server.match_over("again", patience), MUSTER_GS_ERR_NO_MATCH);
    EXPECT_TRUE(server.is_ready());
  }
}

TEST(GameServer, VerifiesJoinTokens) {
  Playing p;
  struct Row {
    const char* code;
    muster::gs::Status want;
  };
  const Row rows[] = {
      {"join_token_invalid", MUSTER_GS_ERR_JOIN_INVALID},
      {"join_token_expired", MUSTER_GS_ERR_JOIN_EXPIRED},
      {"no_match", MUSTER_GS_ERR_NO_MATCH},
      {"message_invalid", MUSTER_GS_ERR_NODE},
      {"something_new", MUSTER_GS_ERR_NODE},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.code);
    p.node.play([code = row.code](Node& n) {
      n.connection.send(error(n.expect(pb::ServerMessage::kVerifyJoin).request(), code));
    });
    muster::gs::Status why;
    EXPECT_FALSE(p.server.verify_join("a.b.c", patience, &why));
    EXPECT_EQ(why, row.want);
    EXPECT_EQ(p.server.error_text(), std::string(row.code) + ": because");
  }
  p.node.play([](Node& n) {
    const auto question = n.expect(pb::ServerMessage::kVerifyJoin);
    EXPECT_EQ(question.verify_join().join_token(), "a.b.c");
    pb::NodeMessage late = ok(question.request() - 1);  // To somebody who gave up long ago.
    n.connection.send(late);
    pb::NodeMessage answer;
    answer.set_request(question.request());
    answer.mutable_join_verified()->set_player_id("ann");
    answer.mutable_join_verified()->set_name("Ann");
    answer.mutable_join_verified()->set_match_id("9.1");
    answer.mutable_join_verified()->set_team(1);
    n.connection.send(answer);
  });
  const auto join = p.server.verify_join("a.b.c", patience);
  ASSERT_TRUE(join);
  EXPECT_EQ(join->player_id, "ann");
  EXPECT_EQ(join->name, "Ann");
  EXPECT_EQ(join->team, 1u);
  EXPECT_EQ(join->seats, 1u);

  muster::gs::Status why;
  for (const std::string& token :
       {std::string(), std::string(MUSTER_GS_JOIN_TOKEN_BYTES_MAX + 1, 'x'), std::string("\xff")}) {
    EXPECT_FALSE(p.server.verify_join(token, patience, &why)) << "sent to nobody";
    EXPECT_EQ(why, MUSTER_GS_ERR_ARGUMENT);
  }
}

TEST(GameServer, APlayerMayBeQuickerThanTheirMatch) {
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.greet();
    n.take_ready();
    n.connection.send(error(n.expect(pb::ServerMessage::kVerifyJoin).request(), "no_match"));
    n.connection.send(started(match("9.1", {"ann"})));
    pb::NodeMessage answer;
    answer.set_request(n.expect(pb::ServerMessage::kVerifyJoin).request());
    answer.mutable_join_verified()->set_player_id("ann");
    n.connection.send(answer);
  });
  ASSERT_EQ(server.ready(patience), MUSTER_GS_OK);
  EXPECT_TRUE(server.verify_join("a.b.c", patience));
}

TEST(GameServer, AnUnansweredQuestionTimesOutAndTheNextIsNotConfused) {
  Playing p;
  muster::gs::Status why;
  EXPECT_FALSE(p.server.verify_join("first", 1ms, &why));
  EXPECT_EQ(why, MUSTER_GS_ERR_TIMEOUT);
  p.node.play([](Node& n) {
    const auto first = n.expect(pb::ServerMessage::kVerifyJoin);
    const auto second = n.expect(pb::ServerMessage::kVerifyJoin);
    EXPECT_EQ(second.verify_join().join_token(), "second");
    pb::NodeMessage answer;
    answer.set_request(first.request());
    answer.mutable_join_verified()->set_player_id("wrong");
    n.connection.send(answer);
    answer.set_request(second.request());
    answer.mutable_join_verified()->set_player_id("right");
    n.connection.send(answer);
  });
  const auto join = p.server.verify_join("second", patience);
  ASSERT_TRUE(join);
  EXPECT_EQ(join->player_id, "right");
}

TEST(GameServer, TellsWhoIsHere) {
  Playing p;
  EXPECT_EQ(p.server.player_joined("ann"), MUSTER_GS_OK);
  EXPECT_EQ(p.server.player_joined("ann"), MUSTER_GS_OK) << "said once";
  EXPECT_EQ(p.server.player_left("ann"), MUSTER_GS_OK);
  EXPECT_EQ(p.server.player_joined("nobody"), MUSTER_GS_ERR_ARGUMENT);
  EXPECT_EQ(p.node.expect(pb::ServerMessage::kPlayerJoined).player_joined().player_id(), "ann");
  EXPECT_EQ(p.node.expect(pb::ServerMessage::kPlayerLeft).player_left().player_id(), "ann");
}

TEST(GameServer, HearsOfThePlayersAndTheEnd) {
  Playing p;
  pb::NodeMessage m;
  m.mutable_player_removed()->set_match_id("9.1");
  m.mutable_player_removed()->set_player_id("bob");
  p.node.connection.send(m);
  p.node.connection.send(m);  // Twice is once.
  m.mutable_match_ended()->set_match_id("8.8");
  m.mutable_match_ended()->set_reason("timed_out");
  p.node.connection.send(m);  // Another match's: passed over.
  m.mutable_match_ended()->set_match_id("9.1");
  p.node.connection.send(m);
  Event e = next_event(p.server);
  EXPECT_EQ(e.type, EventType::player_removed);
  EXPECT_EQ(e.player_id, "bob");
  EXPECT_TRUE(p.server.current_match());
  EXPECT_EQ(p.server.player_joined("ann"), MUSTER_GS_ERR_NO_MATCH) << "its end waits in poll";
  EXPECT_EQ(p.server.ready(0ms), MUSTER_GS_ERR_STATE);
  EXPECT_EQ(p.server.match_over("x", patience), MUSTER_GS_ERR_NO_MATCH);
  e = next_event(p.server);
  EXPECT_EQ(e.type, EventType::match_ended);
  EXPECT_EQ(e.reason, "timed_out");
  EXPECT_FALSE(p.server.current_match());
  EXPECT_FALSE(p.server.is_ready());
  p.node.play([](Node& n) { n.take_ready(); });
  EXPECT_EQ(p.server.ready(patience), MUSTER_GS_OK);
}

TEST(GameServer, WaitingForAMatchSaysReadyAfterTheLobbyEndedOne) {
  Playing p;
  p.node.play([](Node& n) {
    pb::NodeMessage m;
    m.mutable_match_ended()->set_match_id("9.1");
    n.connection.send(m);
    n.take_ready();
    n.connection.send(started(match("9.2", {"cid"})));
  });
  while (next_event(p.server).type != EventType::match_ended) continue;
  const auto m = p.server.wait_match(patience);
  ASSERT_TRUE(m);
  EXPECT_EQ(m->match_id, "9.2");
}

TEST(GameServer, ReadyCanBeRefused) {
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.greet();
    n.connection.send(error(n.expect(pb::ServerMessage::kReady).request(), "message_invalid"));
    n.take_ready();
  });
  EXPECT_EQ(server.ready(patience), MUSTER_GS_ERR_NODE);
  EXPECT_EQ(server.error_text(), "message_invalid: because");
  EXPECT_EQ(server.ready(patience), MUSTER_GS_OK) << "asking again is allowed";
}

TEST(GameServer, AnUnknownTokenIsFinal) {
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.connection = n.listener.accept();
    n.connection.send(error(n.expect(pb::ServerMessage::kHello).request(), "token_invalid"));
    n.connection.close();
  });
  EXPECT_EQ(server.connect(patience), MUSTER_GS_ERR_REFUSED);
  EXPECT_EQ(server.ready(patience), MUSTER_GS_ERR_REFUSED);
  EXPECT_FALSE(server.poll(patience));
  EXPECT_THAT(server.error_text(), testing::HasSubstr("because"));
  EXPECT_FALSE(node.listener.has_caller(0)) << "it does not come back";
}

TEST(GameServer, HealthIsSaidByPollingAlone) {
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.greet(nullptr, 20);
    for (int i = 0; i < 3; ++i) n.expect(pb::ServerMessage::kHealth);
    pb::NodeMessage m = started(match("9.1", {}));
    n.connection.send(m);
  });
  EXPECT_EQ(next_event(server).type, EventType::match_started);
  EXPECT_GE(server.poll_within(), 0ms);
  EXPECT_LE(server.poll_within(), 10ms);
  EXPECT_EQ(server.health(), MUSTER_GS_OK);
}

TEST(GameServer, ShutdownIsAWishThatIsAnswered) {
  Playing p;
  p.node.play(
      [](Node& n) { n.connection.send(ok(n.expect(pb::ServerMessage::kShutdown).request())); });
  EXPECT_EQ(p.server.shutdown(patience), MUSTER_GS_OK);
}

// ---- Lost connections.

TEST(Reconnection, ReadyIsSaidAgain) {
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.greet();
    n.take_ready();
    n.connection.close();
    n.greet();
    n.take_ready();
    n.connection.send(started(match("9.1", {"ann"})));
  });
  ASSERT_EQ(server.ready(patience), MUSTER_GS_OK);
  EXPECT_EQ(next_event(server).match_id, "9.1");
}

TEST(Reconnection, ARunningMatchGoesOnAndNothingSaidIsLost) {
  Playing p;
  const muster_gs_match* before = muster_gs_current_match(p.server.get());
  EXPECT_EQ(p.server.player_joined("ann"), MUSTER_GS_OK);
  p.node.play([](Node& n) {
    n.connection.close();
    const auto running = match("9.1", {"ann"});  // bob was removed meanwhile.
    n.greet(&running);
    // Not Ready, which would end the match, but who is here.
    EXPECT_EQ(n.expect(pb::ServerMessage::kPlayerJoined).player_joined().player_id(), "ann");
    const auto over = n.expect(pb::ServerMessage::kMatchOver);
    n.connection.send(ok(over.request()));
  });
  const Event e = next_event(p.server);
  EXPECT_EQ(e.type, EventType::player_removed);
  EXPECT_EQ(e.player_id, "bob");
  EXPECT_EQ(muster_gs_current_match(p.server.get()), before) << "pointers stay good";
  EXPECT_EQ(p.server.match_over("done", patience), MUSTER_GS_OK);
}

TEST(Reconnection, AMatchTheNodeForgotIsLost) {
  Playing p;
  p.node.play([](Node& n) {
    n.connection.close();
    n.greet();
    n.take_ready();
  });
  const Event e = next_event(p.server);
  EXPECT_EQ(e.type, EventType::match_ended);
  EXPECT_EQ(e.reason, "lost");
  EXPECT_EQ(p.server.ready(patience), MUSTER_GS_OK);
}

TEST(Reconnection, AnotherMatchIsOneEndAndOneStart) {
  Playing p;
  p.node.play([](Node& n) {
    n.connection.close();
    const auto other = match("9.9", {"cid"});
    n.greet(&other);
  });
  EXPECT_EQ(next_event(p.server).type, EventType::match_ended);
  const Event e = next_event(p.server);
  EXPECT_EQ(e.type, EventType::match_started);
  EXPECT_EQ(e.match_id, "9.9");
  EXPECT_EQ(p.server.current_match()->players.at(0).name, "cid");
}

TEST(Reconnection, AResultThatWasNotAnsweredIsSaidAgain) {
  Playing p;
  p.node.play([](Node& n) {
    n.expect(pb::ServerMessage::kMatchOver);
    n.connection.close();
    const auto running = match("9.1", {"ann", "bob"});
    n.greet(&running);
    const auto over = n.expect(pb::ServerMessage::kMatchOver);
    EXPECT_EQ(over.match_over().result(), "done");
    n.connection.send(ok(over.request()));
  });
  EXPECT_EQ(p.server.match_over("done", patience), MUSTER_GS_OK);
}

TEST(Reconnection, AResultThatArrivedThoughItsAnswerDidNotIsNotSaidTwice) {
  Playing p;
  p.node.play([](Node& n) {
    n.expect(pb::ServerMessage::kMatchOver);
    n.connection.close();
    n.greet();  // No match runs any more: it was taken.
    n.take_ready();
    n.connection.send(started(match("9.2", {"ann"})));
  });
  EXPECT_EQ(p.server.match_over("done", patience), MUSTER_GS_OK);
  const Event e = next_event(p.server);
  EXPECT_EQ(e.type, EventType::match_started) << "and no word of a lost match";
  EXPECT_EQ(e.match_id, "9.2");
}

TEST(Reconnection, AResultWhoseAnswerIsLateIsAskedForOnce) {
  Playing p;
  EXPECT_EQ(p.server.match_over("done", 1ms), MUSTER_GS_ERR_TIMEOUT);
  EXPECT_TRUE(p.server.current_match());
  p.node.play(
      [](Node& n) { n.connection.send(ok(n.expect(pb::ServerMessage::kMatchOver).request())); });
  EXPECT_EQ(p.server.match_over("done", patience), MUSTER_GS_OK);
  EXPECT_FALSE(p.node.connection.has_input(0));
}

TEST(Reconnection, AKnownServerIsPatientWithANodeThatDoesNotKnowItYet) {
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.greet();
    n.connection.close();
    n.connection = n.listener.accept();
    n.connection.send(error(n.expect(pb::ServerMessage::kHello).request(), "token_invalid"));
    n.connection.close();
    const auto running = match("9.1", {});
    n.greet(&running);
  });
  EXPECT_EQ(server.connect(patience), MUSTER_GS_OK);
  EXPECT_EQ(next_event(server).type, EventType::match_started);
}

TEST(Reconnection, WaitsForANodeThatIsNotThere) {
  std::uint16_t port;
  {
    Listener gone;
    port = gone.port();
  }
  auto server = Server::create("127.0.0.1:" + std::to_string(port), "secret");
  EXPECT_EQ(server->connect(30ms), MUSTER_GS_ERR_TIMEOUT);
  EXPECT_THAT(server->error_text(), testing::HasSubstr("refused"));
  EXPECT_EQ(server->poll(0ms)->type, EventType::none) << "no error: it is being seen to";
  EXPECT_GE(server->poll_within(), 0ms);
  EXPECT_EQ(server->health(), MUSTER_GS_ERR_TIMEOUT);
  Listener back(port);
  std::thread node([&] {
    Connection c = back.accept();
    const auto hello = c.receive<pb::ServerMessage>();
    if (hello) c.send(welcome(hello->request()));
    c.closed_by_peer();
  });
  EXPECT_EQ(server->connect(patience), MUSTER_GS_OK);
  server.reset();
  node.join();
}

TEST(Reconnection, AtEachStageAPeerMayClose) {
  using Script = void (*)(Node&);
  const Script stages[] = {
      [](Node& n) { n.listener.accept(); },
      [](Node& n) {
        n.connection = n.listener.accept();
        n.expect(pb::ServerMessage::kHello);
        n.connection.close();
      },
      [](Node& n) {
        n.greet();
        n.connection.close();
      },
      [](Node& n) {
        n.greet();
        n.expect(pb::ServerMessage::kReady);
        n.connection.close();
      },
      [](Node& n) {
        n.connection = n.listener.accept();
        n.connection.send_raw(std::string("\x05\0\0", 3));
        n.connection.close();
      },
  };
  for (const Script stage : stages) {
    SCOPED_TRACE(&stage - stages);
    Node node;
    Server server = server_of(node);
    node.play([stage](Node& n) {
      stage(n);
      n.greet();
      n.take_ready();
    });
    EXPECT_EQ(server.ready(patience), MUSTER_GS_OK);
  }
}

// ---- Bytes.

TEST(ServerBytes, SplitAnywhereAreOneMessage) {
  const std::string whole = muster::test::frame_of(started(match("9.1", {"ann", "bob"})));
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.greet();
    n.take_ready();
  });
  ASSERT_EQ(server.ready(patience), MUSTER_GS_OK);
  node.wait();
  pb::NodeMessage end;
  end.mutable_match_ended()->set_match_id("9.1");
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    SCOPED_TRACE(cut);
    node.connection.send_raw(whole.substr(0, cut));
    if (cut < whole.size()) {
      EXPECT_EQ(server.poll(0ms)->type, EventType::none);
    }
    node.connection.send_raw(whole.substr(cut));
    EXPECT_EQ(next_event(server).type, EventType::match_started);
    node.connection.send(end);
    EXPECT_EQ(next_event(server).type, EventType::match_ended);
  }
}

TEST(ServerBytes, ThatAreNoMessageEndTheConnectionAndItComesBack) {
  const std::string rows[] = {
      std::string("\x03\0\0\0\xff\xff\xff", 7),      // No protobuf.
      std::string("\xff\xff\xff\xff", 4),            // A frame of 4 GiB.
      std::string("\x01\0\x10\0", 4),                // One byte past a mebibyte.
      std::string("\x04\0\0\0\x32\x02\x0a\x7f", 8),  // A length past the end, inside.
  };
  for (const std::string& row : rows) {
    Playing p;
    p.node.play([&row](Node& n) {
      n.connection.send_raw(row);
      EXPECT_TRUE(n.connection.closed_by_peer());
      const auto running = match("9.1", {"ann", "bob"});
      n.greet(&running);
      pb::NodeMessage end;
      end.mutable_match_ended()->set_match_id("9.1");
      n.connection.send(end);
    });
    EXPECT_EQ(next_event(p.server).type, EventType::match_ended);
  }
}

TEST(ServerBytes, MessagesOfANewerNodeArePassedOver) {
  Playing p;
  p.node.connection.send_raw(std::string("\0\0\0\0", 4));                  // An empty one.
  p.node.connection.send_raw(std::string("\x05\0\0\0\xfa\x06\x02hi", 9));  // Field 111.
  pb::NodeMessage end;
  end.mutable_match_ended()->set_match_id("9.1");
  p.node.connection.send(end);
  EXPECT_EQ(next_event(p.server).type, EventType::match_ended);
}

TEST(ServerBytes, AFloodWaitsUntilItIsPolled) {
  std::string flood;  // Before the node, whose thread sends it.
  Node node;
  Server server = server_of(node);
  node.play([](Node& n) {
    n.greet();
    n.take_ready();
  });
  ASSERT_EQ(server.ready(patience), MUSTER_GS_OK);
  node.wait();
  constexpr int matches = 600;  // Each is two events; 512 wait inside at most.
  for (int i = 0; i < matches; ++i) {
    pb::NodeMessage m = started(match("9." + std::to_string(i + 1), {}));
    flood += muster::test::frame_of(m);
    m.mutable_match_ended()->set_match_id("9." + std::to_string(i + 1));
    flood += muster::test::frame_of(m);
  }
  node.play([&](Node& n) { n.connection.send_raw(flood); });
  muster::gs::Status why = MUSTER_GS_OK;
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (why != MUSTER_GS_ERR_POLL_FIRST && std::chrono::steady_clock::now() < give_up)
    EXPECT_FALSE(server.verify_join("t", 10ms, &why));
  EXPECT_EQ(why, MUSTER_GS_ERR_POLL_FIRST);
  EXPECT_EQ(server.poll_within(), 0ms);
  for (int i = 0; i < matches; ++i) {
    ASSERT_EQ(next_event(server).match_id, "9." + std::to_string(i + 1));
    ASSERT_EQ(next_event(server).type, EventType::match_ended);
  }
}

TEST(ServerResult, HasALimit) {
  Playing p;
  EXPECT_EQ(p.server.match_over(std::string(MUSTER_GS_RESULT_BYTES_MAX + 1, 'x'), patience),
            MUSTER_GS_ERR_ARGUMENT);
  EXPECT_EQ(p.server.match_over("\xff", patience), MUSTER_GS_ERR_ARGUMENT);
  const std::string longest(MUSTER_GS_RESULT_BYTES_MAX, 'x');
  p.node.play([&](Node& n) {
    const auto over = n.expect(pb::ServerMessage::kMatchOver);
    EXPECT_EQ(over.match_over().result(), longest);
    n.connection.send(ok(over.request()));
  });
  EXPECT_EQ(p.server.match_over(longest, patience), MUSTER_GS_OK);
}

TEST(ServerResult, HasStandings) {
  Playing p;
  using Standings = std::vector<muster::gs::Standing>;
  struct Row {
    const char* name;
    Standings standings;
  };
  const Row wrong[] = {
      {"a player of no match", {{"zoe", 0, 1, {}, 0}}},
      {"a team that nobody is in", {{"", 9, 1, {}, 0}}},
      {"no rank", {{"ann", 0, 0, {}, 0}}},
      {"a rank too high", {{"ann", 0, 1001, {}, 0}}},
      {"more than all missed", {{"ann", 0, 1, {}, 1.5}}},
      {"too many", Standings(513, {"ann", 0, 1, {}, 0})},
  };
  for (const Row& row : wrong)
    EXPECT_EQ(p.server.match_over("", row.standings, patience), MUSTER_GS_ERR_ARGUMENT) << row.name;
  p.node.play([&](Node& n) {
    const auto over = n.expect(pb::ServerMessage::kMatchOver);
    EXPECT_EQ(over.match_over().result(), "done");
    EXPECT_EQ(over.match_over().standings_size(), 2);
    EXPECT_EQ(over.match_over().standings(0).player_id(), "ann");
    EXPECT_EQ(over.match_over().standings(0).score(), -3);
    EXPECT_EQ(over.match_over().standings(1).rank(), 2u);
    EXPECT_EQ(over.match_over().standings(1).missed(), 0.5);
    n.connection.send(ok(over.request()));
  });
  EXPECT_EQ(p.server.match_over("done", {{"ann", 0, 1, -3, 0}, {"bob", 0, 2, {}, 0.5}}, patience),
            MUSTER_GS_OK);
}

TEST(ServerSocket, TellsALoopOfOnesOwn) {
  Playing p;
  EXPECT_GE(p.server.socket(), 0);
  p.node.connection.send(started(match("9.1", {"ann", "bob"})));
  pollfd fd{.fd = static_cast<int>(p.server.socket()), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&fd, 1, muster::test::patience_ms), 1);
  EXPECT_LT(p.server.poll_within(), 0ms) << "no health to send: any time";
}

}  // namespace
