// What the hand-written coder writes, the real protobuf library reads, and the other way round.
#include "gs_wire.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/game_server.pb.h"
#include "test/peer.h"

namespace {

namespace pb = muster::wire::game_server;

bool write_over(mst_buffer* out, const char* result,
                const std::vector<muster_gs_standing>& standings = {}) {
  const gs_outcome outcome{result, standings.data(), standings.size()};
  return gs_write_match_over(out, 9, "9.1", &outcome);
}

TEST(ServerMessage, IsWhatProtobufWrites) {
  struct Row {
    const char* name;
    bool (*write)(mst_buffer* out);
    void (*fill)(pb::ServerMessage& m);
  };
  const Row rows[] = {
      {"hello", [](mst_buffer* o) { return gs_write_hello(o, 1, "secret"); },
       [](pb::ServerMessage& m) {
         m.set_request(1);
         m.mutable_hello()->set_token("secret");
       }},
      {"ready", [](mst_buffer* o) { return gs_write_ready(o, 300); },
       [](pb::ServerMessage& m) {
         m.set_request(300);
         m.mutable_ready();
       }},
      {"health", gs_write_health, [](pb::ServerMessage& m) { m.mutable_health(); }},
      {"verify join", [](mst_buffer* o) { return gs_write_verify_join(o, 0xffffffff, "a.b.c"); },
       [](pb::ServerMessage& m) {
         m.set_request(0xffffffff);
         m.mutable_verify_join()->set_join_token("a.b.c");
       }},
      {"player joined", [](mst_buffer* o) { return gs_write_player_joined(o, "41.3"); },
       [](pb::ServerMessage& m) { m.mutable_player_joined()->set_player_id("41.3"); }},
      {"player left", [](mst_buffer* o) { return gs_write_player_left(o, "41.3"); },
       [](pb::ServerMessage& m) { m.mutable_player_left()->set_player_id("41.3"); }},
      {"match over", [](mst_buffer* o) { return write_over(o, "\u20ac {}"); },
       [](pb::ServerMessage& m) {
         m.set_request(9);
         m.mutable_match_over()->set_match_id("9.1");
         m.mutable_match_over()->set_result("\u20ac {}");
       }},
      {"match over without a result", [](mst_buffer* o) { return write_over(o, ""); },
       [](pb::ServerMessage& m) {
         m.set_request(9);
         m.mutable_match_over()->set_match_id("9.1");
       }},
      {"match over with standings",
       [](mst_buffer* o) {
         return write_over(o, "",
                           {{"4.1", 0, 2, 1, -7, 0.25},
                            {nullptr, 1, 1, 1, 0, 0},
                            {"", 2, 3, 1, INT64_MIN, 0},
                            {"4.2", 0, 1000, 0, 5, 1}});
       },
       [](pb::ServerMessage& m) {
         m.set_request(9);
         m.mutable_match_over()->set_match_id("9.1");
         const auto add = [&](const char* player, unsigned team, unsigned rank) -> auto& {
           pb::Standing& standing = *m.mutable_match_over()->add_standings();
           standing.set_player_id(player);
           standing.set_team(team);
           standing.set_rank(rank);
           return standing;
         };
         pb::Standing& first = add("4.1", 0, 2);
         first.set_score(-7);
         first.set_missed(0.25);
         add("", 1, 1).set_score(0);
         add("", 2, 3).set_score(INT64_MIN);
         add("4.2", 0, 1000).set_missed(1);
       }},
      {"shutdown", [](mst_buffer* o) { return gs_write_shutdown(o, 2); },
       [](pb::ServerMessage& m) {
         m.set_request(2);
         m.mutable_shutdown();
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    mst_buffer out;
    mst_buffer_init(&out, 1 << 16);
    ASSERT_TRUE(row.write(&out));
    pb::ServerMessage want;
    row.fill(want);
    EXPECT_EQ(std::string(reinterpret_cast<char*>(out.bytes), out.size),
              muster::test::frame_of(want));
    mst_buffer_free(&out);
  }
}

struct Read {
  explicit Read(const std::string& bytes, std::size_t arena_bytes_max = 1 << 20) {
    mst_arena_init(&arena, arena_bytes_max);
    ok = gs_read_node_message(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                              &arena, &message);
  }
  explicit Read(const pb::NodeMessage& m) : Read(m.SerializeAsString()) {}
  ~Read() { mst_arena_free(&arena); }

  mst_arena arena;
  gs_node_message message;
  bool ok;
};

pb::NodeMessage full_match() {
  pb::NodeMessage m;
  auto& match = *m.mutable_match_started();
  match.set_match_id("9.1");
  match.set_queue("duel");
  match.set_map("castle");
  match.set_started_ms(1'700'000'000'123);
  auto& ann = *match.add_players();
  ann.set_player_id("1.1");
  ann.set_name("ann");
  ann.set_team(0);
  ann.set_seats(2);
  auto* a = ann.add_attributes();
  a->set_name("skill");
  a->set_number(-12.5);
  a = ann.add_attributes();
  a->set_name("region");
  a->set_text("eu");
  a = ann.add_attributes();
  a->set_name("modes");
  a->mutable_texts()->add_values("ctf");
  a->mutable_texts()->add_values("");
  auto& bob = *match.add_players();
  bob.set_player_id("2.1");
  bob.set_name("b\u00f6b");
  bob.set_team(1);
  match.add_bots()->set_count(2);
  auto& bots = *match.add_bots();
  bots.set_team(1);
  bots.set_count(3);
  return m;
}

TEST(NodeMessage, MatchStarted) {
  const Read read(full_match());
  ASSERT_TRUE(read.ok);
  ASSERT_EQ(read.message.type, GS_NODE_MATCH_STARTED);
  const muster_gs_match& match = read.message.match;
  EXPECT_STREQ(match.match_id, "9.1");
  EXPECT_STREQ(match.queue, "duel");
  EXPECT_STREQ(match.map, "castle");
  EXPECT_EQ(match.started_ms, 1'700'000'000'123u);
  ASSERT_EQ(match.bots_count, 2u);
  EXPECT_EQ(match.bots[0].team, 0u);
  EXPECT_EQ(match.bots[0].count, 2u);
  EXPECT_EQ(match.bots[1].team, 1u);
  EXPECT_EQ(match.bots[1].count, 3u);
  ASSERT_EQ(match.players_count, 2u);
  const muster_gs_player& ann = match.players[0];
  EXPECT_STREQ(ann.player_id, "1.1");
  EXPECT_STREQ(ann.name, "ann");
  EXPECT_EQ(ann.seats, 2u);
  ASSERT_EQ(ann.attributes_count, 3u);
  EXPECT_EQ(ann.attributes[0].type, MUSTER_GS_ATTRIBUTE_NUMBER);
  EXPECT_EQ(ann.attributes[0].number, -12.5);
  EXPECT_EQ(ann.attributes[1].type, MUSTER_GS_ATTRIBUTE_TEXT);
  EXPECT_STREQ(ann.attributes[1].text, "eu");
  EXPECT_EQ(ann.attributes[2].type, MUSTER_GS_ATTRIBUTE_TEXTS);
  ASSERT_EQ(ann.attributes[2].texts_count, 2u);
  EXPECT_STREQ(ann.attributes[2].texts[0], "ctf");
  EXPECT_STREQ(ann.attributes[2].texts[1], "");
  const muster_gs_player& bob = match.players[1];
  EXPECT_STREQ(bob.name, "b\u00f6b");
  EXPECT_EQ(bob.team, 1u);
  EXPECT_EQ(bob.seats, 1u) << "0 is left out on the wire, and nobody takes no seat";
}

TEST(NodeMessage, TheOthers) {
  {
    pb::NodeMessage m;
    m.set_request(7);
    m.mutable_welcome()->set_server_id("5.2");
    m.mutable_welcome()->set_port(7001);
    m.mutable_welcome()->set_health_interval_ms(5000);
    *m.mutable_welcome()->mutable_match() = full_match().match_started();
    const Read read(m);
    ASSERT_TRUE(read.ok);
    EXPECT_EQ(read.message.type, GS_NODE_WELCOME);
    EXPECT_EQ(read.message.request, 7u);
    EXPECT_EQ(read.message.health_interval_ms, 5000u);
    ASSERT_TRUE(read.message.has_match);
    EXPECT_EQ(read.message.match.players_count, 2u);
  }
  {
    pb::NodeMessage m;
    m.set_request(8);
    m.mutable_ok();
    const Read read(m);
    EXPECT_EQ(read.message.type, GS_NODE_OK);
    EXPECT_EQ(read.message.request, 8u);
  }
  {
    pb::NodeMessage m;
    m.mutable_error()->set_code("token_invalid");
    m.mutable_error()->set_message("No.");
    const Read read(m);
    EXPECT_STREQ(read.message.code, "token_invalid");
    EXPECT_STREQ(read.message.message, "No.");
  }
  {
    pb::NodeMessage m;
    m.mutable_join_verified()->set_player_id("1.1");
    m.mutable_join_verified()->set_name("ann");
    m.mutable_join_verified()->set_match_id("9.1");
    m.mutable_join_verified()->set_team(3);
    m.mutable_join_verified()->set_seats(4);
    const Read read(m);
    EXPECT_STREQ(read.message.join.player_id, "1.1");
    EXPECT_STREQ(read.message.join.name, "ann");
    EXPECT_STREQ(read.message.join.match_id, "9.1");
    EXPECT_EQ(read.message.join.team, 3u);
    EXPECT_EQ(read.message.join.seats, 4u);
  }
  {
    pb::NodeMessage m;
    m.mutable_player_removed()->set_match_id("9.1");
    m.mutable_player_removed()->set_player_id("1.1");
    const Read read(m);
    EXPECT_STREQ(read.message.match_id, "9.1");
    EXPECT_STREQ(read.message.player_id, "1.1");
  }
  {
    pb::NodeMessage m;
    m.mutable_match_ended()->set_match_id("9.1");
    m.mutable_match_ended()->set_reason("timed_out");
    const Read read(m);
    EXPECT_STREQ(read.message.reason, "timed_out");
  }
}

TEST(NodeMessage, UnknownFieldsArePassedOver) {
  pb::NodeMessage m = full_match();
  auto& match = *m.mutable_match_started();
  m.GetReflection()->MutableUnknownFields(&m)->AddLengthDelimited(900, "new");
  match.GetReflection()->MutableUnknownFields(&match)->AddVarint(901, 5);
  auto& ann = *match.mutable_players(0);
  ann.GetReflection()->MutableUnknownFields(&ann)->AddFixed64(902, 5);
  ann.GetReflection()->MutableUnknownFields(&ann)->AddFixed32(1, 5);  // Known number, other type.
  const Read read(m);
  ASSERT_TRUE(read.ok);
  EXPECT_STREQ(read.message.match.players[0].player_id, "1.1");

  pb::NodeMessage unknown;
  unknown.GetReflection()->MutableUnknownFields(&unknown)->AddLengthDelimited(99, "");
  const Read other(unknown);
  EXPECT_TRUE(other.ok);
  EXPECT_EQ(other.message.type, GS_NODE_UNKNOWN);
}

TEST(NodeMessage, CutAnywhereIsNeverReadPastItsEnd) {
  const std::string whole = full_match().SerializeAsString();
  for (std::size_t size = 1; size < whole.size(); ++size) {
    // In an allocation of its own, so that a read past the end is seen by the sanitizer.
    const Read read(std::string(whole.data(), size));
    EXPECT_FALSE(read.ok) << size;
  }
}

TEST(NodeMessage, MemoryIsBounded) {
  pb::NodeMessage m;
  for (int i = 0; i < 10'000; ++i) m.mutable_match_started()->add_players();
  EXPECT_FALSE(Read(m.SerializeAsString(), 100'000).ok);
  EXPECT_TRUE(Read(m.SerializeAsString(), 10'000'000).ok);
}

}  // namespace
