#include "wire/classic_packet.h"

#include <gtest/gtest.h>

#include <vector>

namespace muster::wire::classic {
namespace {

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string field(std::string text) {
  text.resize(text_bytes, '\0');
  return text;
}

template <class Packet>
void reads_back_however_cut(const std::vector<Packet>& packets, const std::string& stream) {
  for (std::size_t step = 1; step <= stream.size(); ++step) {
    SCOPED_TRACE(step);
    Reader<Packet> reader;
    std::vector<Packet> got;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      const std::string part = stream.substr(at, step);
      Bytes rest = bytes_of(part);
      Packet packet;
      Read read;
      while ((read = reader.next(rest, packet)) == Read::packet) got.push_back(packet);
      ASSERT_EQ(read, Read::more);
    }
    EXPECT_FALSE(reader.unfinished());
    EXPECT_EQ(got, packets);
  }
}

TEST(ClassicPacket, ToTheLobbyByteForByte) {
  struct Row {
    const char* name;
    ToLobby packet;
    std::string bytes;
  };
  const Row rows[] = {
      {"server login", ServerLogin{7001}, {"\x04\x64\x59\x1b", 4}},
      {"a port above 32767", ServerLogin{40000}, {"\x04\x64\x40\x9c", 4}},
      {"server reset", ServerReset{}, {"\x02\x65", 2}},
      {"login", Login{"ann", "pw"}, "\x2c\x0f" + field("ann") + field("pw")},
      {"sign-up", SignUp{"bob", ""}, "\x2c\x10" + field("bob") + field("")},
      {"one seat", MatchRequest{-1}, "\x04\x0e\xff\xff"},
      {"three seats", MatchRequest{3}, {"\x04\x0e\x03\x00", 4}},
  };
  std::vector<ToLobby> packets;
  std::string stream;
  for (const Row& row : rows) {
    std::string out;
    append(out, row.packet);
    EXPECT_EQ(out, row.bytes) << row.name;
    packets.push_back(row.packet);
    stream += out;
  }
  reads_back_however_cut(packets, stream);
}

TEST(ClassicPacket, FromTheLobbyByteForByte) {
  struct Row {
    const char* name;
    FromLobby packet;
    std::string bytes;
  };
  const LoginOk login_ok{
      .id = 258, .name = "ann", .success = 1, .coin = -1, .skin = 5, .items = 2, .item = {9, 8}};
  const Row rows[] = {
      {"server login ok", ServerLoginOk{}, {"\x02\x01", 2}},
      {"login ok", login_ok,
       std::string("\x37\x01\x02\x01\x00\x00", 6) + field("ann") + "\x01\xff\xff\xff\xff" +
           std::string("\x05\x00\x02\x09\x08", 5) + std::string(18, '\0')},
      {"sign-up ok", SignUpOk{1}, "\x03\x04\x01"},
      {"match update", MatchUpdate{2}, {"\x06\x03\x02\x00\x00\x00", 6}},
      {"match response", MatchResponse{40000, 1}, {"\x06\x02\x40\x9c\x01\x00", 6}},
  };
  std::vector<FromLobby> packets;
  std::string stream;
  for (const Row& row : rows) {
    std::string out;
    append(out, row.packet);
    EXPECT_EQ(out, row.bytes) << row.name;
    packets.push_back(row.packet);
    stream += out;
  }
  reads_back_however_cut(packets, stream);
}

TEST(ClassicPacket, MalformedIsKnownFromTheFirstTwoBytes) {
  struct Row {
    const char* name;
    std::string bytes;
  };
  const Row rows[] = {
      {"size 0", {"\x00", 1}},
      {"size 1", "\x01"},
      {"a size no packet has", "\x05"},
      {"larger than any", "\xff"},
      {"unknown type", "\x04\x63"},
      {"size of another type", "\x02\x64"},
      {"a packet of the other direction", "\x06\x03"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    for (const std::size_t cut : {std::size_t{1}, row.bytes.size()}) {
      LobbyReader reader;
      ToLobby packet;
      const std::string first = row.bytes.substr(0, cut), second = row.bytes.substr(cut);
      Bytes a = bytes_of(first), b = bytes_of(second);
      Read read = reader.next(a, packet);
      if (read == Read::more) read = reader.next(b, packet);
      EXPECT_EQ(read, Read::malformed) << "cut at " << cut;
    }
  }
}

TEST(ClassicPacket, SaysThatAPacketIsUnfinished) {
  LobbyReader reader;
  ToLobby packet;
  const std::string part("\x04\x64\x59", 3);
  Bytes bytes = bytes_of(part);
  EXPECT_EQ(reader.next(bytes, packet), Read::more);
  EXPECT_TRUE(reader.unfinished());
}

TEST(ClassicPacket, TextsAreCutAt20BytesAndReadWithoutTheirNul) {
  std::string out;
  append(out, ToLobby{Login{std::string(30, 'n'), "p"}});
  ASSERT_EQ(out.size(), 44u);
  EXPECT_EQ(out[22], '\0');
  out[22] = 'x';  // A careless client fills all 21.
  LobbyReader reader;
  ToLobby packet;
  Bytes bytes = bytes_of(out);
  ASSERT_EQ(reader.next(bytes, packet), Read::packet);
  EXPECT_EQ(std::get<Login>(packet).name, std::string(20, 'n') + "x");
}

}  // namespace
}  // namespace muster::wire::classic
