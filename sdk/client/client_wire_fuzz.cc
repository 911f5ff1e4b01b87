// What the protobuf library writes, the hand-written decoder reads the same; and no bytes at all
// make it read past their end or take more memory than it may.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "client_wire.h"
#include "proto/player.pb.h"

namespace {

namespace pb = muster::wire::player;

/// C text ends at the first NUL.
bool same(const char* ours, const std::string& theirs) {
  return std::string(ours) == theirs.c_str();
}

void check_same(const muster_client_attribute& ours, const pb::Attribute& theirs) {
  if (theirs.has_text()) {
    CHECK(ours.type == MUSTER_CLIENT_ATTRIBUTE_TEXT && same(ours.text, theirs.text()), "text");
  } else if (theirs.has_texts()) {
    CHECK(ours.type == MUSTER_CLIENT_ATTRIBUTE_TEXTS, "texts");
    CHECK(ours.texts_count == static_cast<std::size_t>(theirs.texts().values_size()), "count");
    for (int i = 0; i < theirs.texts().values_size(); ++i)
      CHECK(same(ours.texts[i], theirs.texts().values(i)), "each text");
  } else {
    CHECK(ours.type == MUSTER_CLIENT_ATTRIBUTE_NUMBER, "number");
    const double number = theirs.number();
    CHECK(ours.number == number || number != number, "its value");
  }
}

void check_same(const muster_client_player& ours, const pb::MatchPlayer& theirs) {
  CHECK(same(ours.player_id, theirs.player_id()), "player_id");
  CHECK(same(ours.name, theirs.name()), "name");
  CHECK(ours.team == theirs.team(), "team");
  CHECK(ours.attributes_count == theirs.attributes().size(), "attributes");
  for (const auto& [name, value] : theirs.attributes()) {
    if (name.find('\0') != std::string::npos) continue;  // Another name, to us.
    bool found = false;
    for (std::size_t i = 0; i < ours.attributes_count && !found; ++i) {
      if (!same(ours.attributes[i].name, name)) continue;
      bool cut = false;  // Ours may be one whose name was cut to this one.
      for (const auto& [other, unused] : theirs.attributes())
        cut = cut || (other != name && same(name.c_str(), std::string(other.c_str())));
      if (!cut) check_same(ours.attributes[i], value);
      found = true;
    }
    CHECK(found, "each attribute is there");
  }
}

void check_same(const client_lobby_message& ours, const pb::LobbyMessage& theirs) {
  CHECK(ours.request == theirs.request(), "request");
  CHECK(static_cast<int>(ours.type) == static_cast<int>(theirs.body_case()), "the body");
  switch (theirs.body_case()) {
    case pb::LobbyMessage::kWelcome:
      CHECK(same(ours.player_id, theirs.welcome().player_id()), "player_id");
      CHECK(same(ours.session_token, theirs.welcome().session_token()), "session_token");
      CHECK(ours.resumed == theirs.welcome().resumed(), "resumed");
      break;
    case pb::LobbyMessage::kTicket:
      CHECK(same(ours.ticket.ticket_id, theirs.ticket().ticket_id()), "ticket_id");
      CHECK(ours.ticket.players == theirs.ticket().players(), "players");
      CHECK(same(ours.ticket.error_code, theirs.ticket().error().code()), "why");
      break;
    case pb::LobbyMessage::kAssignment: {
      const auto& a = theirs.assignment();
      CHECK(same(ours.assignment.host, a.host()), "host");
      CHECK(ours.assignment.port == a.port(), "port");
      CHECK(same(ours.assignment.join_token, a.join_token()), "join_token");
      CHECK(ours.assignment.players_count == static_cast<std::size_t>(a.players_size()), "players");
      for (int i = 0; i < a.players_size(); ++i)
        check_same(ours.assignment.players[i], a.players(i));
      CHECK(ours.assignment.ports_count == a.ports().size(), "ports");
      for (const auto& [name, port] : a.ports())
        if (name.find('\0') == std::string::npos)
          CHECK(muster_client_named_port(&ours.assignment, name.c_str()) == port, "a named port");
      break;
    }
    case pb::LobbyMessage::kMatchEnded:
      CHECK(same(ours.match_id, theirs.match_ended().match_id()), "match_id");
      CHECK(same(ours.result, theirs.match_ended().result()), "result");
      CHECK(ours.requeued == theirs.match_ended().requeued(), "requeued");
      break;
    case pb::LobbyMessage::kError:
      CHECK(same(ours.code, theirs.error().code()), "code");
      break;
    case pb::LobbyMessage::kPing:
      CHECK(ours.number == theirs.ping().number(), "number");
      break;
    case pb::LobbyMessage::kPong:
      CHECK(ours.number == theirs.pong().number(), "number");
      break;
    case pb::LobbyMessage::kRatingChanged:
      CHECK(same(ours.queue, theirs.rating_changed().queue()), "queue");
      CHECK(ours.rating == theirs.rating_changed().rating(), "rating");
      CHECK(ours.deviation == theirs.rating_changed().deviation(), "deviation");
      CHECK(ours.rating_change == theirs.rating_changed().change(), "its change");
      break;
    case pb::LobbyMessage::kParty: {
      const auto& party = theirs.party();
      CHECK(same(ours.party.party_id, party.party_id()), "party_id");
      CHECK(same(ours.party.code, party.code()), "the party's code");
      CHECK(same(ours.party.error_code, party.error().code()), "why there is none");
      CHECK(ours.party.members_count == static_cast<std::size_t>(party.members_size()), "members");
      for (int i = 0; i < party.members_size(); ++i) {
        CHECK(same(ours.party.members[i].player_id, party.members(i).player_id()), "a member");
        CHECK(same(ours.party.members[i].name, party.members(i).name()), "a member's name");
        CHECK((ours.party.members[i].away != 0) == party.members(i).away(), "away");
      }
      break;
    }
    case pb::LobbyMessage::BODY_NOT_SET:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  mst_arena arena;
  client_lobby_message message;
  mst_arena_init(&arena, 64 << 10);
  const bool read = client_read_lobby_message(data, size, &arena, &message);
  CHECK(arena.used <= arena.bytes_max, "memory is bounded");
  if (read) CHECK(message.code && message.match_id && message.result, "text is never NULL");
  mst_arena_free(&arena);

  pb::LobbyMessage theirs;
  if (!theirs.ParseFromArray(data, static_cast<int>(size))) return 0;
  theirs.DiscardUnknownFields();
  const std::string bytes = theirs.SerializeAsString();
  mst_arena_init(&arena, 64 << 20);
  const bool again = client_read_lobby_message(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                               bytes.size(), &arena, &message);
  bool ports_are_some = !theirs.has_assignment() || theirs.assignment().port() <= 65535;
  if (theirs.has_assignment())
    for (const auto& [name, port] : theirs.assignment().ports())
      ports_are_some = ports_are_some && port <= 65535;
  CHECK(again == ports_are_some, "what protobuf writes is read, if it makes sense");
  if (again) check_same(message, theirs);
  mst_arena_free(&arena);
  return 0;
}
