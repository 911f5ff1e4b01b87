#include "server/config_values.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>

namespace muster::server {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(ConfigValues, Durations) {
  struct Row {
    std::string_view text;
    std::optional<Duration> want;
  };
  const Row rows[] = {
      {"0s", seconds{0}},
      {"500ms", milliseconds{500}},
      {"30s", seconds{30}},
      {"5m", minutes{5}},
      {"1h", hours{1}},
      {"2562047h", hours{2562047}},
      {"2562048h", std::nullopt},  // Past 2^63 nanoseconds.
      {"99999999999999999999s", std::nullopt},
      {"30", std::nullopt},
      {"", std::nullopt},
      {"s", std::nullopt},
      {"-1s", std::nullopt},
      {"+1s", std::nullopt},
      {" 1s", std::nullopt},
      {"1 s", std::nullopt},
      {"1.5s", std::nullopt},
      {"1S", std::nullopt},
      {"1d", std::nullopt},
      {"1m30s", std::nullopt},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const auto got = parse_duration(row.text);
    ASSERT_EQ(got.has_value(), row.want.has_value());
    EXPECT_EQ(got.value_or(Duration{}), row.want.value_or(Duration{}));
  }
}

TEST(ConfigValues, WhatIsWrittenReadsBack) {
  for (const Duration d : {Duration{}, Duration{milliseconds{1}}, Duration{milliseconds{1500}},
                           Duration{seconds{90}}, Duration{minutes{60}}, Duration{hours{25}}})
    EXPECT_EQ(parse_duration(format_duration(d)), d) << format_duration(d);
  EXPECT_EQ(format_duration(seconds{90}), "90s");
  EXPECT_EQ(format_duration(minutes{60}), "1h");
  for (const std::uint64_t n : {0ull, 1ull, 1536ull, 65536ull, 10ull << 20, 1ull << 30})
    EXPECT_EQ(parse_bytes(format_bytes(n)), n) << format_bytes(n);
  EXPECT_EQ(format_bytes(1536), "1536B");
  EXPECT_EQ(format_bytes(10u << 20), "10MiB");
}

TEST(ConfigValues, Bytes) {
  EXPECT_EQ(parse_bytes("64KiB"), 64u << 10);
  EXPECT_EQ(parse_bytes("0B"), 0u);
  for (const std::string_view text : {"64", "64KB", "64kib", "-1B", "", "KiB", "20000000000000GiB"})
    EXPECT_FALSE(parse_bytes(text)) << text;
}

TEST(ConfigValues, Ports) {
  struct Row {
    std::string_view text;
    std::uint16_t first = 0;  // 0: refused.
    std::uint16_t last = 0;
  };
  const Row rows[] = {
      {"7000-7999", 7000, 7999},
      {"7000", 7000, 7000},
      {"1-65535", 1, 65535},
      {"7-7", 7, 7},
      {"0-10"},
      {"10-9"},
      {"1-65536"},
      {"-5"},
      {"5-"},
      {""},
      {"7000 - 7999"},
      {"1-2-3"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const auto got = parse_ports(row.text);
    ASSERT_EQ(got.has_value(), row.first != 0);
    if (!got) continue;
    EXPECT_EQ(got->first, row.first);
    EXPECT_EQ(got->last, row.last);
  }
  EXPECT_NE(parse_ports("10-9").error().find("\"9-10\""), std::string::npos);
}

TEST(ConfigValues, Addresses) {
  struct Row {
    std::string_view text;
    std::string_view written;  // Empty: refused.
    bool loopback = false;
    bool any = false;
  };
  const Row rows[] = {
      {"0.0.0.0:4100", "0.0.0.0:4100", false, true},
      {"127.0.0.1:0", "127.0.0.1:0", true, false},
      {"127.8.9.1:80", "127.8.9.1:80", true, false},
      {"localhost:4180", "127.0.0.1:4180", true, false},
      {"192.0.2.7:65535", "192.0.2.7:65535", false, false},
      {"[::1]:4180", "[::1]:4180", true, false},
      {"[::]:4100", "[::]:4100", false, true},
      {"[2001:DB8::1]:1", "[2001:db8::1]:1", false, false},
      {"4100", ""},
      {":4100", ""},
      {"0.0.0.0", ""},
      {"0.0.0.0:", ""},
      {"0.0.0.0:65536", ""},
      {"::1:4180", ""},
      {"[127.0.0.1]:1", ""},
      {"example.org:4100", ""},
      {"0.0.0.0:-1", ""},
      {std::string_view("127.0.0.1\0:80", 13), ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.text);
    const auto got = parse_address(row.text);
    ASSERT_EQ(got.has_value(), !row.written.empty());
    if (!got) continue;
    EXPECT_EQ(format_address(*got), row.written);
    EXPECT_EQ(got->loopback, row.loopback);
    EXPECT_EQ(got->any, row.any);
  }
}

TEST(ConfigValues, Closest) {
  const std::array<std::string_view, 4> known{"ports", "ready_min", "servers_max", "env"};
  EXPECT_EQ(closest("port", known), "ports");
  EXPECT_EQ(closest("raedy_min", known), "ready_min");
  EXPECT_EQ(closest("server_max", known), "servers_max");
  EXPECT_EQ(closest("evn", known), "env");
  EXPECT_EQ(closest("colour", known), "");
  EXPECT_EQ(closest(std::string(100'000, 'x'), known), "");
  EXPECT_EQ(did_you_mean("prots", known), ", did you mean \"ports\"?");
  EXPECT_EQ(did_you_mean("zzz", known), "");
}

}  // namespace
}  // namespace muster::server
