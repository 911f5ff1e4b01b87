// Bytes and clients that mean no good: they lose their own connection, and nobody else notices.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <memory>

#include "lobby.h"
#include "players.h"
#include "wire/websocket.h"

namespace muster::e2e {
namespace {

using testing::HasSubstr;
using namespace std::string_literals;

std::string little_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(value >> shift));
  return bytes;
}

std::string masked(wire::WsOpcode opcode, std::string_view payload, bool last = true) {
  std::string bytes;
  wire::append_ws_masked_frame(bytes, opcode, payload, 0x01020304, last);
  return bytes;
}

std::string unmasked(wire::WsOpcode opcode, std::string_view payload) {
  std::string bytes;
  wire::append_ws_frame(bytes, opcode, payload);
  return bytes;
}

/// A player who waits in the queue all the while, and must not notice anything.
class Bystander {
 public:
  explicit Bystander(const Lobby& lobby) : lobby_(lobby), player_(lobby.port(), "bystander") {
    player_.start_match();
  }
  void expect_unharmed() {
    EXPECT_TRUE(player_.ping());
    EXPECT_EQ(lobby_.list("tickets").size(), 1u);
    wait_until("all other connections to be gone",
               [&] { return number(lobby_.ask("status"), "/sessions") == 1; });
  }

 private:
  const Lobby& lobby_;
  Player player_;
};

TEST(Hostile, MalformedFirstBytesEndOnlyTheirConnection) {
  struct Row {
    const char* name;
    std::string bytes;
    const char* last_words = "";
  };
  const Row rows[] = {
      {"zeros", std::string(64, '\0')},
      {"a text", "hello, is anybody there?\r\n"},
      {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s},
      {"native: the largest frame there is", "MUST\xff\xff\xff\xff"s, "message_invalid"},
      {"native: a frame over message_bytes_max", "MUST" + little_endian((16 << 10) + 1),
       "message_invalid"},
      {"native: misspelt", "MUSS\x01\x02\x03\x04"s},
      {"classic: a size that no type has", "\x05\x64\x00\x00\x00"s},
      {"classic: a type that nobody has", "\x04\x63\x00\x00"s},
      {"classic: what only the lobby says", "\x02\x01"s},
      {"HTTP: no version", "GET /\r\n\r\n", "400"},
      {"HTTP: a method for others", "POST / HTTP/1.1\r\nHost: x\r\n\r\n", "405"},
      {"HTTP: not here", "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
      {"HTTP: a head without end",
       "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(20'000, 'x') + "\r\n", "431"},
      {"HTTP: a body nobody wants",
       "POST /v1/play HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", "HTTP/1.1 4"},
      {"WebSocket: no key",
       "GET /v1/play HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
       "Sec-WebSocket-Version: 13\r\n\r\n",
       "400"},
      {"WebSocket: a subprotocol nobody speaks",
       "GET /v1/play HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n"
       "Sec-WebSocket-Protocol: chat\r\n\r\n",
       "400"},
  };
  Lobby lobby({.limits = "message_bytes_max = \"16KiB\""});
  Bystander bystander(lobby);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Socket socket(lobby.port());
    socket.send(row.bytes);
    std::string answer;
    EXPECT_TRUE(socket.ended(&answer)) << "the lobby closes the connection";
    EXPECT_THAT(answer, HasSubstr(row.last_words));
  }
  bystander.expect_unharmed();
}

TEST(Hostile, MalformedBytesLaterEndOnlyTheirConnection) {
  struct Row {
    const char* name;
    Dialect dialect;
    std::string bytes;
    const char* code = "";   // Of the error that is the last word.
    const char* close = "";  // Of WebSocket's close frame.
  };
  const std::string long_message(17 << 10, 'x');
  const Row rows[] = {
      {"native: a frame over message_bytes_max", Dialect::native,
       little_endian((16 << 10) + 1) + "x", "message_invalid"},
      {"native: HTTP in the middle", Dialect::native, "GET / HTTP/1.1\r\n\r\n", "message_invalid"},
      {"JSON: an unmasked frame", Dialect::json, unmasked(wire::WsOpcode::text, "{}"), "", "1002"},
      {"JSON: reserved bits", Dialect::json, "\xf1\x80\x01\x02\x03\x04"s, "", "1002"},
      {"JSON: an opcode that is none", Dialect::json, "\x83\x80\x01\x02\x03\x04"s, "", "1002"},
      {"JSON: a continuation of nothing", Dialect::json, masked(wire::WsOpcode::continuation, "{}"),
       "", "1002"},
      {"JSON: a ping in two parts", Dialect::json, masked(wire::WsOpcode::ping, "x", false), "",
       "1002"},
      {"JSON: a message in a message", Dialect::json,
       masked(wire::WsOpcode::text, "{", false) + masked(wire::WsOpcode::text, "}"), "", "1002"},
      {"JSON: not UTF-8", Dialect::json, masked(wire::WsOpcode::text, "\xff\xfe"), "", "1007"},
      {"JSON: a message over message_bytes_max", Dialect::json,
       masked(wire::WsOpcode::text, long_message), "message_invalid", "1009"},
      {"JSON: the same in many parts", Dialect::json,
       masked(wire::WsOpcode::text, long_message.substr(0, 10'000), false) +
           masked(wire::WsOpcode::continuation, long_message.substr(10'000), false),
       "message_invalid", "1009"},
      {"JSON: bytes", Dialect::json, masked(wire::WsOpcode::binary, "{}"), "", "1003"},
      {"binary: text", Dialect::binary, masked(wire::WsOpcode::text, "{}"), "", "1003"},
      {"binary: an announced terabyte", Dialect::binary,
       "\x82\xff\x00\x00\x01\x00\x00\x00\x00\x00\x01\x02\x03\x04"s, "message_invalid", "1009"},
  };
  Lobby lobby({.queue = "[[queue]]\nname = \"other\"\nfleet = \"game\"",
               .lobby = "resume_grace = \"0s\"",
               .limits = "message_bytes_max = \"16KiB\""});
  Bystander bystander(lobby);
  for (const Row& row : rows)
    for (const char* stage : {"before hello", "identified", "queued"}) {
      SCOPED_TRACE(fmt::format("{}, {}", row.name, stage));
      Player player(lobby.port(), row.dialect);
      if (stage != "before hello"s) player.hello("mallory");
      if (stage == "queued"s) player.start_match("other");
      player.socket().send(row.bytes);
      std::string code;
      while (const auto message = player.next())
        if (message->has_error()) code = message->error().code();
      EXPECT_TRUE(player.closed()) << "the lobby closes the connection";
      EXPECT_EQ(code, row.code);
      EXPECT_EQ(player.close_code(), *row.close ? std::stoi(row.close) : 0);
    }
  bystander.expect_unharmed();
}

TEST(Hostile, WellFramedNonsenseIsAnsweredAndTheSessionGoesOn) {
  struct Row {
    const char* name;
    Dialect dialect;
    std::string bytes;
  };
  const Row rows[] = {
      {"native: no message", Dialect::native, little_endian(4) + "\xff\xff\xff\xff"},
      {"native: a string that is not UTF-8", Dialect::native,
       little_endian(6) + "\x1a\x04\x0a\x02\xff\xfe"},
      {"binary: no message", Dialect::binary, masked(wire::WsOpcode::binary, "\xff\xff\xff")},
      {"JSON: no JSON", Dialect::json, masked(wire::WsOpcode::text, "{\"hello\":")},
      {"JSON: nothing", Dialect::json, masked(wire::WsOpcode::text, "")},
      {"JSON: a misspelt field", Dialect::json,
       masked(wire::WsOpcode::text, "{\"startmatch\":{\"queue\":\"duel\"}}")},
      {"JSON: a wrong type", Dialect::json,
       masked(wire::WsOpcode::text, "{\"startMatch\":{\"queue\":{}}}")},
      {"JSON: very deep", Dialect::json,
       masked(wire::WsOpcode::text, std::string(8000, '[') + std::string(8000, ']'))},
  };
  Lobby lobby({.lobby = "resume_grace = \"0s\""});
  Bystander bystander(lobby);
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Player player(lobby.port(), "ann", row.dialect);
    player.socket().send(row.bytes);
    const LobbyMessage answer = player.next(LobbyMessage::kError);
    EXPECT_EQ(answer.error().code(), "message_invalid");
    EXPECT_FALSE(answer.error().message().empty());
    EXPECT_TRUE(player.ping());
  }
  bystander.expect_unharmed();
}

TEST(Hostile, ATruncatedMessageIsNobodysTrouble) {
  Lobby lobby({.lobby = "resume_grace = \"0s\""});
  Bystander bystander(lobby);
  for (const Dialect dialect : dialects) {
    SCOPED_TRACE(to_string(dialect));
    Player player(lobby.port(), "ann", dialect);
    ClientMessage start;
    start.mutable_start_match()->set_queue("duel");
    const std::string whole = player.framed(start);
    player.socket().send(whole.substr(0, whole.size() / 2));
  }
  Socket(lobby.port()).send("MU");
  Socket(lobby.port()).send("GET /v1/pl");
  Socket(lobby.port()).send("\x2c\x0fann");
  bystander.expect_unharmed();
}

TEST(Hostile, OneByteNowAndThenIsDroppedByADeadline) {
  Lobby lobby({.lobby = "resume_grace = \"0s\"",
               .limits = "hello_timeout = \"2s\"\nframe_timeout = \"500ms\""});
  Bystander bystander(lobby);
  struct Slow {
    const char* name;
    Socket socket;
    std::string bytes;
    std::size_t sent = 0;
    bool ended = false;
  };
  std::vector<std::unique_ptr<Slow>> all;
  const auto add = [&](const char* name, Socket socket, std::string bytes) {
    all.push_back(std::make_unique<Slow>(Slow{name, std::move(socket), std::move(bytes)}));
  };
  const std::string zeros(10'000, '\0');
  add("native, before its first frame", Socket(lobby.port()), "MUST\x10\x27\x00\x00"s + zeros);
  add("HTTP", Socket(lobby.port()), "GET / HTTP/1.1\r\nX: " + std::string(10'000, 'x'));
  add("classic", Socket(lobby.port()), "\x2c\x0f"s + zeros);
  add("silence", Socket(lobby.port()), "");
  std::vector<std::unique_ptr<Player>> players;
  for (const Dialect dialect : dialects) {
    players.push_back(std::make_unique<Player>(lobby.port(), "slow", dialect));
    // The header of a long message, then its bytes one by one.
    const std::string header =
        dialect == Dialect::native
            ? little_endian(10'000)
            : masked(dialect == Dialect::json ? wire::WsOpcode::text : wire::WsOpcode::binary,
                     zeros)
                  .substr(0, 8);
    add(to_string(dialect), std::move(players.back()->socket()), header + zeros);
  }
  wait_until("all slow connections to be closed", [&] {
    bool any = false;
    for (auto& slow : all) {
      if (slow->ended) continue;
      const auto came = slow->socket.receive(milliseconds{0});
      slow->ended = came && came->empty();
      any = any || !slow->ended;
      if (!slow->ended && slow->sent < slow->bytes.size())
        slow->socket.send(slow->bytes.substr(slow->sent++, 1));
    }
    return !any;
  });
  for (auto& slow : all) slow->socket.close();
  bystander.expect_unharmed();
}

TEST(Hostile, WhoNeverReadsIsDropped) {
  Lobby lobby({.lobby = "resume_grace = \"0s\"",
               .limits = "outbound_bytes_max = \"4KiB\"\nmessages_per_second = 100000"});
  Bystander bystander(lobby);
  for (const Dialect dialect : {Dialect::native, Dialect::binary}) {
    SCOPED_TRACE(to_string(dialect));
    Player deaf(lobby.port(), dialect, 4096);
    ClientMessage cancel;  // Its answer, a refusal, is longer than itself.
    cancel.mutable_cancel_match();
    cancel.set_request(1);
    std::string many;
    for (int i = 0; i < 500; ++i) many += deaf.framed(cancel);
    const auto deadline = steady_clock::now() + patience;
    bool open = true;
    while (open && steady_clock::now() < deadline) open = deaf.socket().send(many);
    EXPECT_FALSE(open) << "the lobby closes the connection";
    deaf.disconnect();
    bystander.expect_unharmed();
  }
}

TEST(Hostile, WhoTakesAllConnectionsKeepsNobodyElseOut) {
  Lobby lobby({.players = 1, .open_files_max = 256});
  EXPECT_THAT(lobby.output(), HasSubstr("may open 256 files, so 128 connections"));
  Player ann(lobby.port(), "ann");
  std::vector<std::unique_ptr<Socket>> many;
  for (int i = 0; i < 300; ++i) many.push_back(std::make_unique<Socket>(lobby.port()));
  wait_until("what is too much to be closed", [&] {
    const auto came = many.back()->receive(milliseconds{0});
    return came && came->empty();
  });
  EXPECT_TRUE(ann.ping());
  EXPECT_EQ(number(lobby.ask("status"), "/players/connected"), 1) << "the operator gets through";
  // Even a new node can be started, and a game server.
  ASSERT_EQ(::kill(lobby.node_pid(), SIGKILL), 0);
  ann.start_match();
  EXPECT_EQ(join(ann.assignment()), "ann");
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);

  many.resize(150);  // More than there may be players' connections, less than are told so.
  wait_until("a new connection to be told why", [&] {
    Player bob(lobby.port());
    const auto message = bob.next(milliseconds{1000});
    return message && message->error().code() == "lobby_full";
  });
  many.clear();
  wait_until("a new connection to be let in", [&] {
    Player bob(lobby.port());
    ClientMessage hello;
    hello.mutable_hello()->mutable_guest()->set_name("bob");
    bob.say(hello);
    const auto message = bob.next(milliseconds{1000});
    return message && message->has_welcome();
  });
}

TEST(Hostile, WithoutFreeDescriptorsTheOthersGoOn) {
  Lobby lobby({.players = 1, .open_files_max = 64});
  EXPECT_THAT(lobby.output(), HasSubstr("may open 64 files, so 32 connections"));
  Player ann(lobby.port(), "ann");
  std::vector<std::unique_ptr<Socket>> many;
  for (int i = 0; i < 100; ++i) many.push_back(std::make_unique<Socket>(lobby.port()));
  // What does not fit is closed at once, not left waiting.
  wait_until("some connections to be closed", [&] {
    const auto came = many.back()->receive(milliseconds{0});
    return came && came->empty();
  });
  EXPECT_TRUE(ann.ping());
  ann.start_match();
  EXPECT_EQ(join(ann.assignment()), "ann") << "a game server can still be launched";
  EXPECT_EQ(ann.match_ended().reason(), MatchEnded::OVER);

  many.clear();
  wait_until("a new connection to be let in", [&] {
    Player bob(lobby.port());
    ClientMessage ping;
    ping.mutable_ping()->set_number(1);
    bob.say(ping);
    return bob.next(milliseconds{2000}).has_value();
  });
  EXPECT_TRUE(ann.ping());
  EXPECT_THAT(lobby.output(), HasSubstr("connections are being closed: Too many open files"));
}

}  // namespace
}  // namespace muster::e2e
