#include "wire/player_message.h"

#include <gtest/gtest.h>

#include <functional>

namespace muster::wire {
namespace {

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string json_of(const player::LobbyMessage& message) {
  std::string out;
  append(Encoding::json, out, message);
  return out;
}

template <class Message>
std::string binary_of(const Message& message) {
  std::string out;
  append(Encoding::binary, out, message);
  return out;
}

// The forms docs promise, to the byte: a client in any language may be written against them.
TEST(PlayerMessage, LobbyMessagesAsJson) {
  struct Row {
    const char* name;
    std::function<void(player::LobbyMessage&)> fill;
    std::string json;
  };
  const Row rows[] = {
      {"a reply carries its request",
       [](auto& m) {
         m.set_request(1);
         m.mutable_welcome()->set_player_id("4.1");
         m.mutable_welcome()->set_session_token("abc");
       },
       R"({"request":1,"welcome":{"playerId":"4.1","sessionToken":"abc","name":"","resumed":false}})"},
      {"a ticket with enum name and counts",
       [](auto& m) {
         m.set_request(2);
         auto& t = *m.mutable_ticket();
         t.set_ticket_id("0.1");
         t.set_queue("duel");
         t.set_state(player::Ticket::QUEUED);
         t.set_players(1);
         t.set_players_needed(2);
       },
       R"({"request":2,"ticket":{"ticketId":"0.1","queue":"duel","state":"QUEUED","players":1,"playersNeeded":2,"accepted":0,"acceptsNeeded":0,"acceptLeftMs":0,"youAccepted":false}})"},
      {"news has no request; team 0 is shown",
       [](auto& m) {
         auto& a = *m.mutable_assignment();
         a.set_match_id("9.1");
         a.set_host("h");
         a.set_port(7001);
         auto& p = *a.add_players();
         p.set_player_id("4.1");
         (*p.mutable_attributes())["b"].set_number(1);
         (*p.mutable_attributes())["a"].set_text("x");
       },
       R"({"assignment":{"matchId":"9.1","serverId":"","host":"h","port":7001,"joinToken":"","team":0,)"
       R"("players":[{"playerId":"4.1","name":"","team":0,"seats":0,"attributes":{"a":{"text":"x"},"b":{"number":1}}}],)"
       R"("queue":"","ticketId":"","ports":{},"region":""}})"},
      {"an error", [](auto& m) { m.mutable_error()->set_code("queue_not_found"); },
       R"({"error":{"code":"queue_not_found","message":"","retryAfterMs":0}})"},
      {"a 64-bit number is text", [](auto& m) { m.mutable_ping()->set_number(1ull << 60); },
       R"({"ping":{"number":"1152921504606846976"}})"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    player::LobbyMessage message;
    row.fill(message);
    EXPECT_EQ(json_of(message), row.json);
    player::LobbyMessage back;
    ASSERT_TRUE(decode(Encoding::json, bytes_of(row.json), back));
    EXPECT_EQ(binary_of(back), binary_of(message));
  }
}

TEST(PlayerMessage, ClientMessagesFromJson) {
  struct Row {
    const char* name;
    std::string json;
    std::string same_as;  // What our own encoder writes for it.
  };
  const Row rows[] = {
      {"hello", R"({"request":1,"hello":{"guest":{"name":"ann"}}})", ""},
      {"an empty command", R"({"request":3,"cancelMatch":{}})", ""},
      {"attributes of each kind",
       R"({"startMatch":{"queue":"duel","attributes":{"elo":{"number":1.5},"maps":{"texts":{"values":["a","b"]}},"region":{"text":"eu"}},"seats":2}})",
       ""},
      {"spaces and names as in the .proto", " { \"start_match\" : { \"queue\" : \"duel\" } } ",
       R"({"startMatch":{"queue":"duel"}})"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    player::ClientMessage message;
    const auto decoded = decode(Encoding::json, bytes_of(row.json), message);
    ASSERT_TRUE(decoded) << decoded.error();
    std::string out;
    append(Encoding::json, out, message);
    EXPECT_EQ(out, row.same_as.empty() ? row.json : row.same_as);
    player::ClientMessage back;
    ASSERT_TRUE(decode(Encoding::binary, bytes_of(binary_of(message)), back));
    EXPECT_EQ(binary_of(back), binary_of(message));
  }
}

TEST(PlayerMessage, RefusedJsonSaysWhere) {
  struct Row {
    const char* name;
    std::string json;
    const char* says;
  };
  const Row rows[] = {
      {"a misspelt field", R"({"startMatch":{"quueue":"duel"}})", "quueue"},
      {"an unknown command", R"({"fly":{}})", "fly"},
      {"a wrong type", R"({"startMatch":{"seats":"many"}})", "seats"},
      {"a negative count", R"({"startMatch":{"seats":-1}})", "seats"},
      {"two commands", R"({"ping":{},"pong":{}})", "oneof"},
      {"cut off", R"({"startMatch":{"queue":)", "end"},
      {"not an object", "[]", ""},
      {"empty", "", ""},
      {"two values", "{}{}", ""},
  };
  for (const Row& row : rows) {
    player::ClientMessage message;
    const auto decoded = decode(Encoding::json, bytes_of(row.json), message);
    ASSERT_FALSE(decoded) << row.name;
    EXPECT_FALSE(decoded.error().empty()) << row.name;
    EXPECT_NE(decoded.error().find(row.says), std::string::npos)
        << row.name << ": " << decoded.error();
  }
}

TEST(PlayerMessage, DeepNestingIsRefusedNotFollowed) {
  std::string json;
  for (int i = 0; i < 10'000; ++i) json += R"({"hello":)";
  player::ClientMessage message;
  EXPECT_FALSE(decode(Encoding::json, bytes_of(json), message));
}

TEST(PlayerMessage, RefusedBinary) {
  const std::string rows[] = {"\x08", "\x12\x05\x01", "\xff\xff\xff\xff", std::string("\0\0", 2)};
  for (const std::string& row : rows) {
    player::ClientMessage message;
    const auto decoded = decode(Encoding::binary, bytes_of(row), message);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error(), "The bytes are not a ClientMessage.");
  }
}

TEST(PlayerMessage, EqualMessagesGiveEqualBytes) {
  std::string first;
  for (int round = 0; round < 8; ++round) {
    player::ClientMessage message;
    auto& attributes = *message.mutable_start_match()->mutable_attributes();
    for (int i = 0; i < 16; ++i) attributes[std::to_string(round % 2 ? i : 15 - i)].set_number(1);
    std::string out;
    append(Encoding::binary, out, message);
    append(Encoding::json, out, message);
    if (round == 0) first = out;
    EXPECT_EQ(out, first);
  }
}

}  // namespace
}  // namespace muster::wire
