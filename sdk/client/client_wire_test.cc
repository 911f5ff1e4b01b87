// What the hand-written coder writes, the real protobuf library reads, and the other way round.
#include "client_wire.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

#include "proto/player.pb.h"
#include "test/peer.h"

namespace {

namespace pb = muster::wire::player;

const char* const modes[] = {"ctf", ""};
const muster_client_attribute region{"region", MUSTER_CLIENT_ATTRIBUTE_TEXT, 0, "eu", nullptr, 0};
const muster_client_attribute skill{"skill", MUSTER_CLIENT_ATTRIBUTE_NUMBER, 0, nullptr, nullptr,
                                    0};
const muster_client_attribute mode{"mode", MUSTER_CLIENT_ATTRIBUTE_TEXTS, 0, nullptr, modes, 2};

TEST(ClientMessage, IsWhatProtobufWrites) {
  struct Row {
    const char* name;
    bool (*write)(mst_buffer* out);
    void (*fill)(pb::ClientMessage& m);
  };
  const Row rows[] = {
      {"guest", [](mst_buffer* o) { return client_write_guest(o, 1, "ann"); },
       [](pb::ClientMessage& m) {
         m.set_request(1);
         m.mutable_hello()->mutable_guest()->set_name("ann");
       }},
      {"a login", [](mst_buffer* o) { return client_write_account(o, 1, "ann", "secret", false); },
       [](pb::ClientMessage& m) {
         m.set_request(1);
         m.mutable_hello()->mutable_account()->set_name("ann");
         m.mutable_hello()->mutable_account()->set_password("secret");
       }},
      {"a sign-up", [](mst_buffer* o) { return client_write_account(o, 1, "ann", "secret", true); },
       [](pb::ClientMessage& m) {
         m.set_request(1);
         m.mutable_hello()->mutable_account()->set_name("ann");
         m.mutable_hello()->mutable_account()->set_password("secret");
         m.mutable_hello()->mutable_account()->set_sign_up(true);
       }},
      {"resume", [](mst_buffer* o) { return client_write_resume(o, 1, "secret"); },
       [](pb::ClientMessage& m) {
         m.set_request(1);
         m.mutable_hello()->mutable_resume()->set_session_token("secret");
       }},
      {"start match",
       [](mst_buffer* o) { return client_write_start_match(o, 2, "duel", nullptr, 0, 3); },
       [](pb::ClientMessage& m) {
         m.set_request(2);
         m.mutable_start_match()->set_queue("duel");
         m.mutable_start_match()->set_seats(3);
       }},
      {"start match with a text",
       [](mst_buffer* o) { return client_write_start_match(o, 2, "duel", &region, 1, 0); },
       [](pb::ClientMessage& m) {
         m.set_request(2);
         m.mutable_start_match()->set_queue("duel");
         (*m.mutable_start_match()->mutable_attributes())["region"].set_text("eu");
       }},
      {"start match with a number, which is 0",
       [](mst_buffer* o) { return client_write_start_match(o, 2, "duel", &skill, 1, 0); },
       [](pb::ClientMessage& m) {
         m.set_request(2);
         m.mutable_start_match()->set_queue("duel");
         (*m.mutable_start_match()->mutable_attributes())["skill"].set_number(0);
       }},
      {"start match with texts",
       [](mst_buffer* o) { return client_write_start_match(o, 2, "duel", &mode, 1, 0); },
       [](pb::ClientMessage& m) {
         m.set_request(2);
         m.mutable_start_match()->set_queue("duel");
         auto& texts = *(*m.mutable_start_match()->mutable_attributes())["mode"].mutable_texts();
         texts.add_values("ctf");
         texts.add_values("");
       }},
      {"cancel match", [](mst_buffer* o) { return client_write_cancel_match(o, 200); },
       [](pb::ClientMessage& m) {
         m.set_request(200);
         m.mutable_cancel_match();
       }},
      {"create party", [](mst_buffer* o) { return client_write_create_party(o, 4); },
       [](pb::ClientMessage& m) {
         m.set_request(4);
         m.mutable_create_party();
       }},
      {"join party", [](mst_buffer* o) { return client_write_join_party(o, 4, "ABCDEFGH"); },
       [](pb::ClientMessage& m) {
         m.set_request(4);
         m.mutable_join_party()->set_code("ABCDEFGH");
       }},
      {"leave party", [](mst_buffer* o) { return client_write_leave_party(o, 4); },
       [](pb::ClientMessage& m) {
         m.set_request(4);
         m.mutable_leave_party();
       }},
      {"kick from party", [](mst_buffer* o) { return client_write_kick_from_party(o, 4, "4.1"); },
       [](pb::ClientMessage& m) {
         m.set_request(4);
         m.mutable_kick_from_party()->set_player_id("4.1");
       }},
      {"promote in party", [](mst_buffer* o) { return client_write_promote_in_party(o, 4, "4.1"); },
       [](pb::ClientMessage& m) {
         m.set_request(4);
         m.mutable_promote_in_party()->set_player_id("4.1");
       }},
      {"set party attributes",
       [](mst_buffer* o) { return client_write_set_party_attributes(o, 4, &region, 1); },
       [](pb::ClientMessage& m) {
         m.set_request(4);
         (*m.mutable_set_party_attributes()->mutable_attributes())["region"].set_text("eu");
       }},
      {"accept match", [](mst_buffer* o) { return client_write_accept_match(o, 4); },
       [](pb::ClientMessage& m) {
         m.set_request(4);
         m.mutable_accept_match();
       }},
      {"decline match", [](mst_buffer* o) { return client_write_decline_match(o, 4); },
       [](pb::ClientMessage& m) {
         m.set_request(4);
         m.mutable_decline_match();
       }},
      {"leave match", [](mst_buffer* o) { return client_write_leave_match(o, 3); },
       [](pb::ClientMessage& m) {
         m.set_request(3);
         m.mutable_leave_match();
       }},
      {"ping", [](mst_buffer* o) { return client_write_ping(o, 1ull << 63); },
       [](pb::ClientMessage& m) { m.mutable_ping()->set_number(1ull << 63); }},
      {"pong", [](mst_buffer* o) { return client_write_pong(o, 0); },
       [](pb::ClientMessage& m) { m.mutable_pong(); }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    mst_buffer out;
    mst_buffer_init(&out, 1 << 16);
    ASSERT_TRUE(row.write(&out));
    pb::ClientMessage want;
    row.fill(want);
    EXPECT_EQ(std::string(reinterpret_cast<char*>(out.bytes), out.size),
              muster::test::frame_of(want));
    mst_buffer_free(&out);
  }
}

struct Read {
  explicit Read(const std::string& bytes) {
    mst_arena_init(&arena, 1 << 20);
    ok = client_read_lobby_message(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                   bytes.size(), &arena, &message);
  }
  explicit Read(const pb::LobbyMessage& m) : Read(m.SerializeAsString()) {}
  ~Read() { mst_arena_free(&arena); }

  mst_arena arena;
  client_lobby_message message;
  bool ok;
};

pb::LobbyMessage full_assignment() {
  pb::LobbyMessage m;
  auto& a = *m.mutable_assignment();
  a.set_match_id("9.1");
  a.set_server_id("5.2");
  a.set_host("10.0.0.5");
  a.set_port(65535);
  a.set_join_token("a.b.c");
  a.set_team(1);
  a.set_queue("duel");
  a.set_ticket_id("41.3");
  (*a.mutable_ports())["query"] = 27015;
  (*a.mutable_ports())["voice"] = 9987;
  auto& ann = *a.add_players();
  ann.set_player_id("1.1");
  ann.set_name("ann");
  ann.set_seats(2);
  (*ann.mutable_attributes())["mode"].mutable_texts()->add_values("ctf");
  auto& bob = *a.add_players();
  bob.set_player_id("2.1");
  bob.set_team(1);
  (*bob.mutable_attributes())["skill"].set_number(1.5);
  return m;
}

TEST(LobbyMessage, Assignment) {
  const Read read(full_assignment());
  ASSERT_TRUE(read.ok);
  ASSERT_EQ(read.message.type, CLIENT_LOBBY_ASSIGNMENT);
  const muster_client_assignment& a = read.message.assignment;
  EXPECT_STREQ(a.match_id, "9.1");
  EXPECT_STREQ(a.server_id, "5.2");
  EXPECT_STREQ(a.host, "10.0.0.5");
  EXPECT_EQ(a.port, 65535);
  EXPECT_STREQ(a.join_token, "a.b.c");
  EXPECT_EQ(a.team, 1u);
  EXPECT_STREQ(a.queue, "duel");
  EXPECT_STREQ(a.ticket_id, "41.3");
  EXPECT_EQ(a.ports_count, 2u);
  EXPECT_EQ(muster_client_named_port(&a, "query"), 27015);
  EXPECT_EQ(muster_client_named_port(&a, "voice"), 9987);
  EXPECT_EQ(muster_client_named_port(&a, "rcon"), 0);
  ASSERT_EQ(a.players_count, 2u);
  EXPECT_EQ(a.players[0].seats, 2u);
  ASSERT_EQ(a.players[0].attributes_count, 1u);
  EXPECT_STREQ(a.players[0].attributes[0].name, "mode");
  ASSERT_EQ(a.players[0].attributes[0].texts_count, 1u);
  EXPECT_STREQ(a.players[0].attributes[0].texts[0], "ctf");
  EXPECT_STREQ(a.players[1].name, "");
  EXPECT_EQ(a.players[1].attributes[0].number, 1.5);
}

TEST(LobbyMessage, APortIsAPort) {
  pb::LobbyMessage m = full_assignment();
  m.mutable_assignment()->set_port(65536);
  EXPECT_FALSE(Read(m).ok);
  m = full_assignment();
  (*m.mutable_assignment()->mutable_ports())["query"] = 65536;
  EXPECT_FALSE(Read(m).ok);
}

TEST(LobbyMessage, TheOthers) {
  {
    pb::LobbyMessage m;
    m.set_request(1);
    m.mutable_welcome()->set_player_id("1.1");
    m.mutable_welcome()->set_session_token("secret");
    m.mutable_welcome()->set_name("ann");
    m.mutable_welcome()->set_resumed(true);
    const Read read(m);
    EXPECT_EQ(read.message.type, CLIENT_LOBBY_WELCOME);
    EXPECT_EQ(read.message.request, 1u);
    EXPECT_STREQ(read.message.player_id, "1.1");
    EXPECT_STREQ(read.message.session_token, "secret");
    EXPECT_STREQ(read.message.name, "ann");
    EXPECT_TRUE(read.message.resumed);
  }
  {
    pb::LobbyMessage m;
    auto& t = *m.mutable_ticket();
    t.set_ticket_id("41.3");
    t.set_queue("duel");
    t.set_state(pb::Ticket::FAILED);
    t.set_players(1);
    t.set_players_needed(2);
    t.mutable_error()->set_code("launch_failed");
    t.mutable_error()->set_message("No.");
    const Read read(m);
    const muster_client_ticket& ticket = read.message.ticket;
    EXPECT_STREQ(ticket.ticket_id, "41.3");
    EXPECT_STREQ(ticket.queue, "duel");
    EXPECT_EQ(ticket.state, MUSTER_CLIENT_TICKET_FAILED);
    EXPECT_EQ(ticket.players, 1u);
    EXPECT_EQ(ticket.players_needed, 2u);
    EXPECT_STREQ(ticket.error_code, "launch_failed");
    EXPECT_STREQ(ticket.error_message, "No.");
    m.mutable_ticket()->set_state(static_cast<pb::Ticket::State>(77));
    EXPECT_EQ(Read(m).message.ticket.state, MUSTER_CLIENT_TICKET_UNKNOWN);
  }
  {
    pb::LobbyMessage m;
    m.mutable_match_ended()->set_match_id("9.1");
    m.mutable_match_ended()->set_reason(pb::MatchEnded::SERVER_LOST);
    m.mutable_match_ended()->set_requeued(true);
    m.mutable_match_ended()->set_result("{}");
    const Read read(m);
    EXPECT_STREQ(read.message.match_id, "9.1");
    EXPECT_EQ(read.message.reason, MUSTER_CLIENT_END_SERVER_LOST);
    EXPECT_TRUE(read.message.requeued);
    EXPECT_STREQ(read.message.result, "{}");
  }
  for (const std::int32_t change :
       {0, 1, -1, 16, -1484, 1'000'000, -1'000'000, std::numeric_limits<std::int32_t>::max(),
        std::numeric_limits<std::int32_t>::min()}) {
    pb::LobbyMessage m;
    m.mutable_rating_changed()->set_queue("ranked");
    m.mutable_rating_changed()->set_rating(-change / 2);
    m.mutable_rating_changed()->set_deviation(350);
    m.mutable_rating_changed()->set_change(change);
    const Read read(m);
    EXPECT_EQ(read.message.type, CLIENT_LOBBY_RATING_CHANGED);
    EXPECT_STREQ(read.message.queue, "ranked");
    EXPECT_EQ(read.message.rating, -change / 2);
    EXPECT_EQ(read.message.deviation, 350u);
    EXPECT_EQ(read.message.rating_change, change);
  }
  {
    pb::LobbyMessage m;
    m.mutable_error()->set_code("queue_not_found");
    EXPECT_STREQ(Read(m).message.code, "queue_not_found");
    m.mutable_ping()->set_number(12345678901ull);
    EXPECT_EQ(Read(m).message.number, 12345678901ull);
    m.mutable_pong();
    EXPECT_EQ(Read(m).message.type, CLIENT_LOBBY_PONG);
  }
}

TEST(LobbyMessage, EnumeratorsAreTheSame) {
  EXPECT_EQ(MUSTER_CLIENT_TICKET_QUEUED, static_cast<int>(pb::Ticket::QUEUED));
  EXPECT_EQ(MUSTER_CLIENT_TICKET_FAILED, static_cast<int>(pb::Ticket::FAILED));
  EXPECT_EQ(MUSTER_CLIENT_TICKET_OFFERED, static_cast<int>(pb::Ticket::OFFERED));
  EXPECT_EQ(pb::Ticket::State_MAX, pb::Ticket::OFFERED);
  EXPECT_EQ(MUSTER_CLIENT_END_OVER, static_cast<int>(pb::MatchEnded::OVER));
  EXPECT_EQ(MUSTER_CLIENT_END_LEFT, static_cast<int>(pb::MatchEnded::LEFT));
  EXPECT_EQ(pb::MatchEnded::Reason_MAX, pb::MatchEnded::LEFT);
}

TEST(LobbyMessage, UnknownFieldsArePassedOver) {
  pb::LobbyMessage m = full_assignment();
  auto& a = *m.mutable_assignment();
  a.GetReflection()->MutableUnknownFields(&a)->AddLengthDelimited(900, "new");
  a.GetReflection()->MutableUnknownFields(&a)->AddVarint(1, 5);  // Known number, other type.
  const Read read(m);
  ASSERT_TRUE(read.ok);
  EXPECT_STREQ(read.message.assignment.match_id, "9.1");
}

TEST(LobbyMessage, CutAnywhereIsNeverReadPastItsEnd) {
  const std::string whole = full_assignment().SerializeAsString();
  for (std::size_t size = 1; size < whole.size(); ++size)
    EXPECT_FALSE(Read(std::string(whole.data(), size)).ok) << size;
}

}  // namespace
