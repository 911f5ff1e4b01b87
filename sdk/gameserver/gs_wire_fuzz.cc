// What the protobuf library writes, the hand-written decoder reads the same; and no bytes at all
// make it read past their end or take more memory than it may.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "gs_wire.h"
#include "proto/game_server.pb.h"

namespace {

namespace pb = muster::wire::game_server;

/// C text ends at the first NUL.
bool same(const char* ours, const std::string& theirs) {
  return std::string(ours) == theirs.c_str();
}

void check_same(const muster_gs_attribute& ours, const pb::Attribute& theirs) {
  CHECK(same(ours.name, theirs.name()), "name");
  if (theirs.has_text()) {
    CHECK(ours.type == MUSTER_GS_ATTRIBUTE_TEXT && same(ours.text, theirs.text()), "text");
  } else if (theirs.has_texts()) {
    CHECK(ours.type == MUSTER_GS_ATTRIBUTE_TEXTS, "texts");
    CHECK(ours.texts_count == static_cast<std::size_t>(theirs.texts().values_size()), "count");
    for (int i = 0; i < theirs.texts().values_size(); ++i)
      CHECK(same(ours.texts[i], theirs.texts().values(i)), "each text");
  } else {
    CHECK(ours.type == MUSTER_GS_ATTRIBUTE_NUMBER, "number");
    const double number = theirs.number();
    CHECK(ours.number == number || number != number, "its value");
  }
}

void check_same(const muster_gs_match& ours, const pb::MatchStarted& theirs) {
  CHECK(same(ours.match_id, theirs.match_id()), "match_id");
  CHECK(same(ours.queue, theirs.queue()), "queue");
  CHECK(same(ours.map, theirs.map()), "map");
  CHECK(ours.players_count == static_cast<std::size_t>(theirs.players_size()), "players");
  for (int i = 0; i < theirs.players_size(); ++i) {
    const muster_gs_player& a = ours.players[i];
    const pb::Player& b = theirs.players(i);
    CHECK(same(a.player_id, b.player_id()), "player_id");
    CHECK(same(a.name, b.name()), "name");
    CHECK(a.team == b.team(), "team");
    CHECK(a.seats == (b.seats() == 0 ? 1 : b.seats()), "seats");
    CHECK(a.attributes_count == static_cast<std::size_t>(b.attributes_size()), "attributes");
    for (int j = 0; j < b.attributes_size(); ++j) check_same(a.attributes[j], b.attributes(j));
  }
}

void check_same(const gs_node_message& ours, const pb::NodeMessage& theirs) {
  CHECK(ours.request == theirs.request(), "request");
  CHECK(static_cast<int>(ours.type) == static_cast<int>(theirs.body_case()), "the body");
  switch (theirs.body_case()) {
    case pb::NodeMessage::kWelcome:
      CHECK(ours.health_interval_ms == theirs.welcome().health_interval_ms(), "interval");
      CHECK(ours.has_match == theirs.welcome().has_match(), "has a match");
      if (ours.has_match) check_same(ours.match, theirs.welcome().match());
      break;
    case pb::NodeMessage::kError:
      CHECK(same(ours.code, theirs.error().code()), "code");
      CHECK(same(ours.message, theirs.error().message()), "message");
      break;
    case pb::NodeMessage::kJoinVerified:
      CHECK(same(ours.join.player_id, theirs.join_verified().player_id()), "player_id");
      CHECK(same(ours.join.match_id, theirs.join_verified().match_id()), "match_id");
      CHECK(ours.join.team == theirs.join_verified().team(), "team");
      break;
    case pb::NodeMessage::kMatchStarted:
      check_same(ours.match, theirs.match_started());
      break;
    case pb::NodeMessage::kPlayerRemoved:
      CHECK(same(ours.match_id, theirs.player_removed().match_id()), "match_id");
      CHECK(same(ours.player_id, theirs.player_removed().player_id()), "player_id");
      break;
    case pb::NodeMessage::kMatchEnded:
      CHECK(same(ours.match_id, theirs.match_ended().match_id()), "match_id");
      CHECK(same(ours.reason, theirs.match_ended().reason()), "reason");
      break;
    case pb::NodeMessage::kOk:
    case pb::NodeMessage::BODY_NOT_SET:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mst_arena arena;
  gs_node_message message;
  mst_arena_init(&arena, 64 << 10);
  const bool read = gs_read_node_message(data, size, &arena, &message);
  CHECK(arena.used <= arena.bytes_max, "memory is bounded");
  if (read) CHECK(message.code && message.match_id && message.reason, "text is never NULL");
  mst_arena_free(&arena);

  pb::NodeMessage theirs;
  if (!theirs.ParseFromArray(data, static_cast<int>(size))) return 0;
  theirs.DiscardUnknownFields();
  const std::string bytes = theirs.SerializeAsString();
  mst_arena_init(&arena, 64 << 20);
  const bool again = gs_read_node_message(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                          bytes.size(), &arena, &message);
  CHECK(again, "what protobuf writes is read");
  check_same(message, theirs);
  mst_arena_free(&arena);
  return 0;
}
