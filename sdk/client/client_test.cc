// The client SDK against a scripted lobby that speaks with the real protobuf library. One thread:
// the client does nothing but in poll(), so the test says what it sees when.
#include "muster/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <set>
#include <string>

#include "client_session.h"
#include "proto/player.pb.h"
#include "test/peer.h"

namespace {

namespace pb = muster::wire::player;
using muster::client::Client;
using muster::client::EndReason;
using muster::client::Event;
using muster::client::EventType;
using muster::client::TicketState;
using muster::test::Connection;
using muster::test::Listener;
using namespace std::chrono_literals;

constexpr auto patience = 20s;

pb::LobbyMessage welcome(std::uint32_t request, const std::string& token = "secret",
                         bool resumed = false) {
  pb::LobbyMessage m;
  m.set_request(request);
  m.mutable_welcome()->set_player_id("1.1");
  m.mutable_welcome()->set_session_token(token);
  m.mutable_welcome()->set_name("ann");
  m.mutable_welcome()->set_resumed(resumed);
  return m;
}

pb::LobbyMessage ticket(std::uint32_t request, pb::Ticket::State state) {
  pb::LobbyMessage m;
  m.set_request(request);
  m.mutable_ticket()->set_ticket_id("41.3");
  m.mutable_ticket()->set_queue("duel");
  m.mutable_ticket()->set_state(state);
  m.mutable_ticket()->set_players(1);
  m.mutable_ticket()->set_players_needed(2);
  return m;
}

pb::LobbyMessage assignment() {
  pb::LobbyMessage m;
  m.mutable_assignment()->set_match_id("9.1");
  m.mutable_assignment()->set_host("127.0.0.1");
  m.mutable_assignment()->set_port(7001);
  m.mutable_assignment()->set_join_token("a.b.c");
  m.mutable_assignment()->add_players()->set_name("ann");
  m.mutable_assignment()->add_players()->set_name("bob");
  return m;
}

pb::LobbyMessage ended(bool requeued = false) {
  pb::LobbyMessage m;
  m.mutable_match_ended()->set_match_id("9.1");
  m.mutable_match_ended()->set_reason(requeued ? pb::MatchEnded::SERVER_LOST
                                               : pb::MatchEnded::OVER);
  m.mutable_match_ended()->set_requeued(requeued);
  m.mutable_match_ended()->set_result("{\"winner\":\"ann\"}");
  return m;
}

pb::LobbyMessage error(std::uint32_t request, const std::string& code) {
  pb::LobbyMessage m;
  m.set_request(request);
  m.mutable_error()->set_code(code);
  m.mutable_error()->set_message("because");
  return m;
}

struct Lobby {
  Listener listener;
  Connection connection;
  Client client;

  Lobby() : client(*Client::create("127.0.0.1", listener.port())) {}

  Event next() {
    auto event = client.poll(patience);
    EXPECT_TRUE(event) << "the client has stopped";
    return event.value_or(Event{});
  }
  Event expect(EventType type) {
    Event e = next();
    EXPECT_EQ(e.type, type) << e.code << ' ' << e.message;
    return e;
  }
  void expect_nothing() { EXPECT_EQ(client.poll(0ms)->type, EventType::none); }

  /// The next connection, with its preamble read, and CONNECTED told.
  void take() {
    expect(EventType::connected);
    connection = listener.accept();
    EXPECT_EQ(connection.receive_raw(4), "MUST");
  }
  pb::ClientMessage heard(pb::ClientMessage::BodyCase body) {
    const auto m = connection.receive<pb::ClientMessage>();
    EXPECT_TRUE(m) << "no message came";
    if (!m) return {};
    EXPECT_EQ(m->body_case(), body) << m->ShortDebugString();
    return *m;
  }
  /// As a guest, up to WELCOME.
  void greet() {
    EXPECT_EQ(client.connect_guest("ann"), MUSTER_CLIENT_OK);
    take();
    const auto hello = heard(pb::ClientMessage::kHello);
    EXPECT_EQ(hello.hello().guest().name(), "ann");
    connection.send(welcome(hello.request()));
    const Event e = expect(EventType::welcome);
    EXPECT_EQ(e.player_id, "1.1");
    EXPECT_EQ(e.name, "ann");
    EXPECT_FALSE(e.resumed);
  }
  /// Takes the connection of a client that comes back, and resumes it.
  void resume() {
    take();
    const auto hello = heard(pb::ClientMessage::kHello);
    EXPECT_EQ(hello.hello().resume().session_token(), "secret");
    connection.send(welcome(hello.request(), "secret", true));
    EXPECT_TRUE(expect(EventType::welcome).resumed);
  }
};

TEST(Client, LogsInAndIsToldOfItsRating) {
  Lobby lobby;
  EXPECT_EQ(lobby.client.connect_account("ann", ""), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.connect_account("ann", std::string(129, 'x')), MUSTER_CLIENT_ERR_ARGUMENT);
  ASSERT_EQ(lobby.client.connect_account("ann", "secret"), MUSTER_CLIENT_OK);
  lobby.take();
  auto hello = lobby.heard(pb::ClientMessage::kHello);
  EXPECT_EQ(hello.hello().account().name(), "ann");
  EXPECT_EQ(hello.hello().account().password(), "secret");
  EXPECT_FALSE(hello.hello().account().sign_up());
  lobby.connection.send(welcome(hello.request()));
  lobby.expect(EventType::welcome);
  pb::LobbyMessage rating;
  rating.mutable_rating_changed()->set_queue("ranked");
  rating.mutable_rating_changed()->set_rating(1484);
  rating.mutable_rating_changed()->set_deviation(290);
  rating.mutable_rating_changed()->set_change(-16);
  lobby.connection.send(rating);
  const Event told = lobby.expect(EventType::rating_changed);
  EXPECT_EQ(told.queue, "ranked");
  EXPECT_EQ(told.rating, 1484);
  EXPECT_EQ(told.deviation, 290u);
  EXPECT_EQ(told.rating_change, -16);

  // It comes back by its token; if that is worth nothing any more, by its password.
  lobby.connection.close();
  lobby.expect(EventType::disconnected);
  lobby.take();
  hello = lobby.heard(pb::ClientMessage::kHello);
  EXPECT_EQ(hello.hello().resume().session_token(), "secret");
  lobby.connection.send(error(hello.request(), "session_expired"));
  EXPECT_EQ(lobby.expect(EventType::error).code, "session_expired");
  hello = lobby.heard(pb::ClientMessage::kHello);
  EXPECT_EQ(hello.hello().account().password(), "secret");
  lobby.connection.send(welcome(hello.request()));
  lobby.expect(EventType::welcome);

  lobby.connection.send(error(0, "banned"));
  EXPECT_EQ(lobby.expect(EventType::error).code, "banned");
  EXPECT_TRUE(lobby.expect(EventType::disconnected).final);
}

TEST(Client, SignsUp) {
  struct Row {
    const char* name;
    bool answer_lost;      // The first time.
    const char* then;      // What the lobby says to the sign-up.
    const char* to_login;  // And to a login; empty: welcome, null: there is none.
    const char* told;      // The error, if any.
  };
  const Row rows[] = {
      {"at once", false, "", nullptr, ""},
      {"the name is taken", false, "name_taken", nullptr, "name_taken"},
      {"again, since no answer came", true, "", nullptr, ""},
      {"it was made, though no answer came", true, "name_taken", "", ""},
      {"somebody else has the name", true, "name_taken", "login_refused", "login_refused"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Lobby lobby;
    ASSERT_EQ(lobby.client.connect_sign_up("ann", "secret"), MUSTER_CLIENT_OK);
    lobby.take();
    auto hello = lobby.heard(pb::ClientMessage::kHello);
    EXPECT_TRUE(hello.hello().account().sign_up());
    if (row.answer_lost) {
      lobby.connection.close();
      EXPECT_FALSE(lobby.expect(EventType::disconnected).final);
      lobby.take();
      hello = lobby.heard(pb::ClientMessage::kHello);
      EXPECT_TRUE(hello.hello().account().sign_up());
    }
    const auto answer = [&](const char* code) {
      lobby.connection.send(*code ? error(hello.request(), code) : welcome(hello.request()));
    };
    answer(row.then);
    if (row.to_login) {
      EXPECT_EQ(lobby.client.poll(100ms)->type, EventType::none) << "it is not told yet";
      hello = lobby.heard(pb::ClientMessage::kHello);
      EXPECT_EQ(hello.hello().account().password(), "secret");
      EXPECT_FALSE(hello.hello().account().sign_up());
      answer(row.to_login);
    }
    if (*row.told) {
      EXPECT_EQ(lobby.expect(EventType::error).code, row.told);
      EXPECT_TRUE(lobby.expect(EventType::disconnected).final);
    } else {
      lobby.expect(EventType::welcome);
    }
  }
}

TEST(Client, BadArguments) {
  muster_client* c;
  EXPECT_EQ(muster_client_create(nullptr, 1, &c), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(muster_client_create("", 1, &c), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(muster_client_create("h", 0, &c), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(muster_client_create(std::string(254, 'h').c_str(), 1, &c), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(c, nullptr);
  auto client = Client::create("127.0.0.1", 1);
  for (const std::string& name : {std::string(), std::string(33, 'x'), std::string("\xff")})
    EXPECT_EQ(client->connect_guest(name), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(client->connect_resume(""), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(client->start_match("duel"), MUSTER_CLIENT_ERR_STATE);
  EXPECT_FALSE(client->poll(0ms)) << "not told to connect";
  EXPECT_EQ(client->connect_guest("ann"), MUSTER_CLIENT_OK);
  EXPECT_EQ(client->connect_guest("ann"), MUSTER_CLIENT_ERR_STATE);
  EXPECT_EQ(muster_client_start_match(nullptr, "q", nullptr, 0, 1, nullptr),
            MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(muster_client_cancel_match(nullptr, nullptr), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(muster_client_current_ticket(nullptr), nullptr);
  EXPECT_EQ(muster_client_session_token(nullptr), nullptr);
  muster_client_destroy(nullptr);
  for (int i = 0; i <= MUSTER_CLIENT_ERR_BUSY; ++i)
    EXPECT_STRNE(muster_client_status_text(static_cast<muster_client_status>(i)), "unknown status");
}

TEST(Client, FindsAMatch) {
  Lobby lobby;
  EXPECT_EQ(lobby.client.session_token(), "");
  lobby.greet();
  EXPECT_EQ(lobby.client.session_token(), "secret");
  EXPECT_EQ(lobby.client.player_id(), "1.1");
  EXPECT_TRUE(lobby.client.is_welcome());

  std::uint32_t request = 0;
  ASSERT_EQ(lobby.client.start_match(
                "duel", {{"skill", 1.5}, {"mode", std::vector<std::string>{"a"}}}, 2, &request),
            MUSTER_CLIENT_OK);
  const auto start = lobby.heard(pb::ClientMessage::kStartMatch);
  EXPECT_EQ(start.request(), request);
  EXPECT_EQ(start.start_match().queue(), "duel");
  EXPECT_EQ(start.start_match().seats(), 2u);
  EXPECT_EQ(start.start_match().attributes().at("skill").number(), 1.5);
  EXPECT_EQ(start.start_match().attributes().at("mode").texts().values(0), "a");

  lobby.connection.send(ticket(request, pb::Ticket::QUEUED));
  Event e = lobby.expect(EventType::ticket);
  EXPECT_EQ(e.request, request);
  EXPECT_EQ(e.ticket->state, TicketState::queued);
  EXPECT_EQ(e.ticket->players_needed, 2u);
  EXPECT_EQ(lobby.client.current_ticket()->ticket_id, "41.3");
  lobby.connection.send(ticket(0, pb::Ticket::MATCHED));
  EXPECT_EQ(lobby.expect(EventType::ticket).ticket->state, TicketState::matched);
  EXPECT_FALSE(lobby.client.current_assignment());
  lobby.connection.send(assignment());
  e = lobby.expect(EventType::assignment);
  EXPECT_EQ(e.assignment->host, "127.0.0.1");
  EXPECT_EQ(e.assignment->port, 7001);
  EXPECT_EQ(e.assignment->join_token, "a.b.c");
  EXPECT_EQ(e.assignment->players.at(1).name, "bob");
  EXPECT_EQ(lobby.client.current_assignment()->match_id, "9.1");
  lobby.connection.send(ended());
  e = lobby.expect(EventType::match_ended);
  EXPECT_EQ(e.reason, EndReason::over);
  EXPECT_EQ(e.result, "{\"winner\":\"ann\"}");
  EXPECT_FALSE(lobby.client.current_assignment());
  EXPECT_FALSE(lobby.client.current_ticket());
}

TEST(Client, AcceptsAndDeclines) {
  Lobby lobby;
  lobby.greet();
  auto offer = ticket(0, pb::Ticket::OFFERED);
  offer.mutable_ticket()->set_accepted(1);
  offer.mutable_ticket()->set_accepts_needed(4);
  offer.mutable_ticket()->set_accept_left_ms(20000);
  lobby.connection.send(offer);
  Event e = lobby.expect(EventType::ticket);
  EXPECT_EQ(e.ticket->state, TicketState::offered);
  EXPECT_EQ(e.ticket->accepted, 1u);
  EXPECT_EQ(e.ticket->accepts_needed, 4u);
  EXPECT_EQ(e.ticket->accept_left, 20s);
  EXPECT_FALSE(e.ticket->you_accepted);
  std::uint32_t request = 0;
  EXPECT_EQ(lobby.client.accept_match(&request), MUSTER_CLIENT_OK);
  EXPECT_EQ(lobby.heard(pb::ClientMessage::kAcceptMatch).request(), request);
  offer.set_request(request);
  offer.mutable_ticket()->set_you_accepted(true);
  lobby.connection.send(offer);
  EXPECT_TRUE(lobby.expect(EventType::ticket).ticket->you_accepted);
  EXPECT_TRUE(lobby.client.current_ticket()) << "it waits still";
  EXPECT_EQ(lobby.client.decline_match(), MUSTER_CLIENT_OK);
  lobby.heard(pb::ClientMessage::kDeclineMatch);
  auto refusal = error(0, "queue_penalty");
  refusal.mutable_error()->set_retry_after_ms(29000);
  lobby.connection.send(refusal);
  EXPECT_EQ(lobby.expect(EventType::error).retry_after, 29s);
}

TEST(Client, IsInAParty) {
  Lobby lobby;
  lobby.greet();
  std::uint32_t request = 0;
  EXPECT_EQ(lobby.client.create_party(&request), MUSTER_CLIENT_OK);
  EXPECT_EQ(lobby.heard(pb::ClientMessage::kCreateParty).request(), request);
  pb::LobbyMessage told;
  told.set_request(request);
  told.mutable_party()->set_party_id("7.1");
  told.mutable_party()->set_code("ABCDEFGH");
  pb::PartyMember& leader = *told.mutable_party()->add_members();
  leader.set_player_id("1.1");
  leader.set_name("ann");
  (*leader.mutable_attributes())["role"].set_text("healer");
  told.mutable_party()->add_members()->set_away(true);
  lobby.connection.send(told);
  const Event e = lobby.expect(EventType::party);
  EXPECT_EQ(e.request, request);
  EXPECT_EQ(e.party->code, "ABCDEFGH");
  ASSERT_EQ(e.party->members.size(), 2u);
  EXPECT_EQ(e.party->members[0].name, "ann");
  EXPECT_EQ(std::get<std::string>(e.party->members[0].attributes.at(0).value), "healer");
  EXPECT_FALSE(e.party->members[0].away);
  EXPECT_TRUE(e.party->members[1].away);
  EXPECT_EQ(lobby.client.current_party()->party_id, "7.1");

  EXPECT_EQ(lobby.client.join_party("ABCDEFGH"), MUSTER_CLIENT_OK);
  EXPECT_EQ(lobby.heard(pb::ClientMessage::kJoinParty).join_party().code(), "ABCDEFGH");
  EXPECT_EQ(lobby.client.join_party(""), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.kick_from_party("2.1"), MUSTER_CLIENT_OK);
  EXPECT_EQ(lobby.heard(pb::ClientMessage::kKickFromParty).kick_from_party().player_id(), "2.1");
  EXPECT_EQ(lobby.client.promote_in_party("2.1"), MUSTER_CLIENT_OK);
  EXPECT_EQ(lobby.heard(pb::ClientMessage::kPromoteInParty).promote_in_party().player_id(), "2.1");
  EXPECT_EQ(lobby.client.set_party_attributes({{"skill", 1.5}}), MUSTER_CLIENT_OK);
  const auto set = lobby.heard(pb::ClientMessage::kSetPartyAttributes);
  EXPECT_EQ(set.set_party_attributes().attributes().at("skill").number(), 1.5);
  EXPECT_EQ(lobby.client.leave_party(), MUSTER_CLIENT_OK);
  lobby.heard(pb::ClientMessage::kLeaveParty);
  pb::LobbyMessage gone;
  gone.mutable_party()->mutable_error()->set_code("party_kicked");
  lobby.connection.send(gone);
  EXPECT_EQ(lobby.expect(EventType::party).party->error_code, "party_kicked");
  EXPECT_FALSE(lobby.client.current_party());
}

TEST(Client, IsQueuedAgainWhenTheServerIsLost) {
  Lobby lobby;
  lobby.greet();
  lobby.connection.send(assignment());
  lobby.expect(EventType::assignment);
  lobby.connection.send(ended(true));
  lobby.connection.send(ticket(0, pb::Ticket::QUEUED));
  const Event e = lobby.expect(EventType::match_ended);
  EXPECT_EQ(e.reason, EndReason::server_lost);
  EXPECT_TRUE(e.requeued);
  lobby.expect(EventType::ticket);
  EXPECT_TRUE(lobby.client.current_ticket());
}

TEST(Client, CancelsAndLeaves) {
  Lobby lobby;
  lobby.greet();
  std::uint32_t request = 0;
  EXPECT_EQ(lobby.client.cancel_match(&request), MUSTER_CLIENT_OK);
  EXPECT_EQ(lobby.heard(pb::ClientMessage::kCancelMatch).request(), request);
  lobby.connection.send(ticket(request, pb::Ticket::CANCELLED));
  EXPECT_EQ(lobby.expect(EventType::ticket).ticket->state, TicketState::cancelled);
  EXPECT_FALSE(lobby.client.current_ticket()) << "it is over";
  lobby.connection.send(assignment());
  lobby.expect(EventType::assignment);
  EXPECT_EQ(lobby.client.leave_match(), MUSTER_CLIENT_OK);
  EXPECT_FALSE(lobby.client.current_assignment());
  lobby.heard(pb::ClientMessage::kLeaveMatch);
}

TEST(Client, IsToldWhatIsRefused) {
  Lobby lobby;
  lobby.greet();
  std::uint32_t request = 0;
  lobby.client.start_match("nope", {}, 1, &request);
  lobby.connection.send(error(request, "queue_not_found"));
  const Event e = lobby.expect(EventType::error);
  EXPECT_EQ(e.request, request);
  EXPECT_EQ(e.code, "queue_not_found");
  EXPECT_EQ(e.message, "because");
  EXPECT_TRUE(lobby.client.is_welcome()) << "and goes on";
}

TEST(Client, RefusesWhatTheLobbyWouldDropTheConnectionFor) {
  Lobby lobby;
  lobby.greet();
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(lobby.client.start_match(""), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.start_match("\xff"), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.start_match(std::string(65, 'q')), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.start_match("q", {{"", 1.0}}), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.start_match("q", {{"n", infinite}}), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.start_match("q", {{"n", "\xff"}}), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.start_match("q", {{"n", 1.0}, {"n", 2.0}}), MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.start_match("q", {{"n", std::vector<std::string>{"\xff"}}}),
            MUSTER_CLIENT_ERR_ARGUMENT);
  EXPECT_EQ(lobby.client.start_match(
                "q", {{"n", std::string(65000, 'x')}, {"m", std::string(65000, 'x')}}),
            MUSTER_CLIENT_ERR_ARGUMENT)
      << "never fits";
  EXPECT_EQ(lobby.client.start_match("q"), MUSTER_CLIENT_OK) << "nothing is left of those";
  EXPECT_EQ(lobby.heard(pb::ClientMessage::kStartMatch).start_match().queue(), "q");
}

TEST(Client, HasALimitOfUnansweredCommands) {
  Lobby lobby;
  lobby.greet();
  std::set<std::uint32_t> requests;
  std::uint32_t request = 0;
  for (int i = 0; i < client_requests_max; ++i) {
    EXPECT_EQ(lobby.client.cancel_match(&request), MUSTER_CLIENT_OK);
    requests.insert(request);
  }
  EXPECT_EQ(requests.size(), static_cast<std::size_t>(client_requests_max));
  EXPECT_EQ(lobby.client.cancel_match(), MUSTER_CLIENT_ERR_BUSY);
  lobby.connection.send(error(request, "not_queued"));
  lobby.expect(EventType::error);
  EXPECT_EQ(lobby.client.cancel_match(), MUSTER_CLIENT_OK);
}

TEST(Client, AnswersPings) {
  Lobby lobby;
  lobby.greet();
  pb::LobbyMessage ping;
  ping.mutable_ping()->set_number(42);
  lobby.connection.send(ping);
  lobby.expect_nothing();
  EXPECT_EQ(lobby.heard(pb::ClientMessage::kPong).pong().number(), 42u);
}

TEST(Client, ALobbyThatDoesNotReadIsGivenUp) {
  Lobby lobby;
  lobby.greet();
  pb::LobbyMessage ping;
  ping.mutable_ping()->set_number(std::numeric_limits<std::uint64_t>::max());
  std::string pings;
  for (int i = 0; i < 4096; ++i) pings += muster::test::frame_of(ping);
  // It never reads a pong: the sockets fill, then what the client keeps, which is bounded.
  for (int i = 0; i < 2000; ++i) {
    lobby.connection.send_raw(pings);
    const auto e = lobby.client.poll(0ms);
    if (e && e->type == EventType::disconnected) {
      EXPECT_EQ(e->message, "the lobby does not read");
      return;
    }
  }
  FAIL() << "it was never given up";
}

TEST(Client, ASilentLobbyIsPingedAndThenGivenUp) {
  Lobby lobby;
  lobby.greet();
  lobby.client.get()->silence_ms = 20;
  const Event e = lobby.expect(EventType::disconnected);
  EXPECT_EQ(e.message, "the lobby fell silent");
  lobby.heard(pb::ClientMessage::kPing);
}

TEST(Client, APongIsNoSilence) {
  Lobby lobby;
  lobby.greet();
  lobby.client.get()->silence_ms = 300;
  for (int i = 0; i < 3; ++i) {
    while (!lobby.connection.has_input(0))
      ASSERT_EQ(lobby.client.poll(10ms)->type, EventType::none);
    pb::LobbyMessage pong;
    pong.mutable_pong()->set_number(lobby.heard(pb::ClientMessage::kPing).ping().number());
    lobby.connection.send(pong);
  }
}

// ---- Lost connections.

TEST(Resuming, BringsBackTicketAndAssignment) {
  Lobby lobby;
  lobby.greet();
  lobby.connection.send(ticket(0, pb::Ticket::QUEUED));
  lobby.expect(EventType::ticket);
  lobby.connection.close();
  const Event lost = lobby.expect(EventType::disconnected);
  EXPECT_FALSE(lost.final);
  EXPECT_GE(lost.retry_in, 50ms);
  EXPECT_LE(lost.retry_in, 100ms);
  EXPECT_FALSE(lobby.client.is_welcome());
  EXPECT_EQ(lobby.client.start_match("duel"), MUSTER_CLIENT_ERR_STATE);
  lobby.resume();
  EXPECT_FALSE(lobby.client.current_ticket()) << "until it is told again";
  lobby.connection.send(assignment());
  lobby.expect(EventType::assignment);
  EXPECT_TRUE(lobby.client.current_assignment());
}

TEST(Resuming, CommandsWithoutAnAnswerAreReported) {
  Lobby lobby;
  lobby.greet();
  std::uint32_t first = 0, second = 0;
  lobby.client.start_match("duel", {}, 1, &first);
  lobby.client.cancel_match(&second);
  lobby.connection.close();
  for (const std::uint32_t request : {first, second}) {
    const Event e = lobby.expect(EventType::error);
    EXPECT_EQ(e.code, "connection_lost");
    EXPECT_EQ(e.request, request);
  }
  lobby.expect(EventType::disconnected);
  lobby.resume();
}

TEST(Resuming, AnExpiredSessionBecomesANewGuest) {
  for (const char* code : {"session_expired", "session_token_invalid"}) {
    for (const bool lobby_closes : {false, true}) {
      SCOPED_TRACE(code);
      Lobby lobby;
      lobby.greet();
      lobby.connection.close();
      lobby.expect(EventType::disconnected);
      lobby.take();
      const auto hello = lobby.heard(pb::ClientMessage::kHello);
      EXPECT_TRUE(hello.hello().has_resume());
      lobby.connection.send(error(hello.request(), code));
      EXPECT_EQ(lobby.expect(EventType::error).code, code);
      if (lobby_closes) {
        lobby.connection.close();
        lobby.expect(EventType::disconnected);
        lobby.take();
      }
      const auto again = lobby.heard(pb::ClientMessage::kHello);
      EXPECT_EQ(again.hello().guest().name(), "ann");
      lobby.connection.send(welcome(again.request(), "other"));
      EXPECT_FALSE(lobby.expect(EventType::welcome).resumed);
      EXPECT_EQ(lobby.client.session_token(), "other");
    }
  }
}

TEST(Resuming, FromAKeptToken) {
  Lobby lobby;
  EXPECT_EQ(lobby.client.connect_resume("secret", "ann"), MUSTER_CLIENT_OK);
  lobby.resume();
}

TEST(Resuming, WithoutANameAnExpiredTokenIsTheEnd) {
  Lobby lobby;
  EXPECT_EQ(lobby.client.connect_resume("secret"), MUSTER_CLIENT_OK);
  lobby.take();
  lobby.connection.send(error(lobby.heard(pb::ClientMessage::kHello).request(), "session_expired"));
  lobby.expect(EventType::error);
  EXPECT_TRUE(lobby.expect(EventType::disconnected).final);
  EXPECT_FALSE(lobby.client.poll(0ms));
  lobby.greet();  // Told to connect once more, it does.
}

TEST(Resuming, ElsewhereIsTheEndHere) {
  Lobby lobby;
  lobby.greet();
  lobby.connection.send(error(0, "resumed_elsewhere"));
  lobby.expect(EventType::error);
  EXPECT_TRUE(lobby.expect(EventType::disconnected).final);
  EXPECT_FALSE(lobby.client.poll(0ms));
  EXPECT_FALSE(lobby.listener.has_caller(0)) << "the two would push each other out for ever";
}

TEST(Refusal, OfAHello) {
  struct Row {
    const char* code;
    bool final;
  };
  for (const Row& row : {Row{"name_invalid", true}, Row{"message_invalid", true},
                         Row{"lobby_full", false}, Row{"lobby_stopping", false}}) {
    SCOPED_TRACE(row.code);
    Lobby lobby;
    lobby.client.connect_guest("ann");
    lobby.take();
    lobby.connection.send(error(lobby.heard(pb::ClientMessage::kHello).request(), row.code));
    EXPECT_EQ(lobby.expect(EventType::error).code, row.code);
    const Event e = lobby.expect(EventType::disconnected);
    EXPECT_EQ(e.final, row.final);
    EXPECT_EQ(e.message, "because");
    EXPECT_EQ(lobby.client.poll(0ms).has_value(), !row.final);
  }
}

TEST(Connecting, IsTriedAgainEachTimeLater) {
  std::uint16_t port;
  {
    Listener gone;
    port = gone.port();
  }
  auto client = Client::create("127.0.0.1", port);
  client->connect_guest("ann");
  muster::client::Timeout last{0};
  for (int i = 0; i < 4; ++i) {
    const auto e = client->poll(patience);
    ASSERT_EQ(e->type, EventType::disconnected);
    EXPECT_THAT(e->message, testing::HasSubstr("refused"));
    EXPECT_GE(e->retry_in, last);
    last = e->retry_in;
  }
  EXPECT_GE(last, 400ms);
  Listener back(port);
  EXPECT_EQ(client->poll(patience)->type, EventType::connected);
}

TEST(Connecting, ToANameTriesEachOfItsAddresses) {
  Listener listener;  // On 127.0.0.1; "localhost" may be ::1 first.
  auto client = Client::create("localhost", listener.port());
  client->connect_guest("ann");
  EXPECT_EQ(client->poll(patience)->type, EventType::connected);
}

TEST(Connecting, ToNobodyKnownSaysSo) {
  auto client = Client::create("no such host", 4100);
  client->connect_guest("ann");
  const auto e = client->poll(patience);
  EXPECT_EQ(e->type, EventType::disconnected);
  EXPECT_EQ(e->message, "no such host: no such host is known");
}

TEST(Connecting, AtEachStageALobbyMayClose) {
  Lobby lobby;
  lobby.client.connect_guest("ann");
  // Before the preamble is read, after it, after hello, amid a frame.
  for (int stage = 0; stage < 4; ++stage) {
    SCOPED_TRACE(stage);
    lobby.expect(EventType::connected);
    lobby.connection = lobby.listener.accept();
    if (stage > 0) {
      EXPECT_EQ(lobby.connection.receive_raw(4), "MUST");
    }
    if (stage > 1) lobby.heard(pb::ClientMessage::kHello);
    if (stage > 2) lobby.connection.send_raw(std::string("\x09\0\0\0\x08", 5));
    lobby.connection.close();
    EXPECT_FALSE(lobby.expect(EventType::disconnected).final);
  }
  lobby.take();
  lobby.connection.send(welcome(lobby.heard(pb::ClientMessage::kHello).request()));
  lobby.expect(EventType::welcome);
}

// ---- Bytes.

TEST(ClientBytes, SplitAnywhereAreOneMessage) {
  Lobby lobby;
  lobby.greet();
  const std::string whole = muster::test::frame_of(assignment());
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    SCOPED_TRACE(cut);
    lobby.connection.send_raw(whole.substr(0, cut));
    if (cut < whole.size()) lobby.expect_nothing();
    lobby.connection.send_raw(whole.substr(cut));
    EXPECT_EQ(lobby.expect(EventType::assignment).assignment->port, 7001);
  }
}

TEST(ClientBytes, OneAtATimeAreAMessageAndManyAtOnceAreMany) {
  Lobby lobby;
  lobby.greet();
  const std::string one = muster::test::frame_of(ticket(0, pb::Ticket::QUEUED));
  for (std::size_t i = 0; i < one.size(); ++i) {
    lobby.expect_nothing();
    lobby.connection.send_raw(one.substr(i, 1));
  }
  lobby.expect(EventType::ticket);
  std::string many;
  for (int i = 0; i < 100; ++i) many += one;
  lobby.connection.send_raw(many);
  for (int i = 0; i < 100; ++i) lobby.expect(EventType::ticket);
  lobby.expect_nothing();
}

TEST(ClientBytes, ALongMessageIsTaken) {
  Lobby lobby;
  lobby.greet();
  pb::LobbyMessage m = ended();
  m.mutable_match_ended()->set_result(std::string(500'000, 'x'));
  // More than the sockets hold, so both ends must move.
  const std::string whole = muster::test::frame_of(m);
  for (std::size_t i = 0; i < whole.size(); i += 10'000) {
    lobby.connection.send_raw(whole.substr(i, 10'000));
    if (i + 10'000 < whole.size()) lobby.expect_nothing();
  }
  EXPECT_EQ(lobby.expect(EventType::match_ended).result.size(), 500'000u);
}

TEST(ClientBytes, ThatAreNoMessageEndTheConnectionAndItResumes) {
  const std::string rows[] = {
      std::string("\x03\0\0\0\xff\xff\xff", 7),      // No protobuf.
      std::string("\xff\xff\xff\xff", 4),            // A frame of 4 GiB.
      std::string("\x01\0\x10\0", 4),                // One byte past a mebibyte.
      std::string("\x04\0\0\0\x22\x02\x0a\x7f", 8),  // A length past the end, inside.
      "HTTP/1.1 400 Bad Request\r\n\r\n",            // Another program's port.
  };
  for (const std::string& row : rows) {
    Lobby lobby;
    lobby.greet();
    lobby.connection.send_raw(row);
    EXPECT_FALSE(lobby.expect(EventType::disconnected).final);
    EXPECT_TRUE(lobby.connection.closed_by_peer());
    lobby.resume();
  }
}

TEST(ClientBytes, MessagesOfANewerLobbyArePassedOver) {
  Lobby lobby;
  lobby.greet();
  lobby.connection.send_raw(std::string("\0\0\0\0", 4));
  lobby.connection.send_raw(std::string("\x05\0\0\0\xfa\x06\x02hi", 9));
  lobby.connection.send(welcome(0));  // A second one is none.
  lobby.expect_nothing();
}

TEST(ClientSocket, TellsALoopOfOnesOwn) {
  Lobby lobby;
  EXPECT_EQ(lobby.client.socket(), -1);
  lobby.greet();
  EXPECT_GE(lobby.client.socket(), 0);
  EXPECT_GT(lobby.client.poll_within(), 0ms);
  lobby.connection.close();
  pollfd p{.fd = static_cast<int>(lobby.client.socket()), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&p, 1, muster::test::patience_ms), 1);
  lobby.expect(EventType::disconnected);
  EXPECT_EQ(lobby.client.socket(), -1);
  EXPECT_LE(lobby.client.poll_within(), 100ms);
}

}  // namespace
