#include "store/codec.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <map>
#include <set>

#include "base/time.h"
#include "core/config.h"
#include "core/event.h"

namespace muster::store {
namespace {

Bytes bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

template <class T>
std::string written(const T& value) {
  std::string out;
  Writer(out).put(value);
  return out;
}
template <class T>
std::optional<T> read(const std::string& bytes) {
  Reader reader(bytes_of(bytes));
  T value{};
  reader.get(value);
  if (!reader.ok() || reader.left() > 0) return std::nullopt;
  return value;
}
template <class T>
void expect_round_trip(const T& value) {
  const auto back = read<T>(written(value));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, value);
}

struct Old {
  std::uint32_t a = 1;
  std::string b = "old";
};
struct New {
  std::uint32_t a = 1;
  std::string b = "old";
  std::uint16_t c = 77;
  std::vector<std::int32_t> d = {1, 2};
};
struct Nothing {
  bool operator==(const Nothing&) const = default;
};

TEST(Codec, ValuesComeBack) {
  for (const std::int64_t n :
       {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1}, std::int64_t{0},
        std::int64_t{63}, std::int64_t{64}, std::numeric_limits<std::int64_t>::max()}) {
    expect_round_trip(n);
    expect_round_trip(static_cast<std::uint64_t>(n));
    expect_round_trip(Duration{n});
    expect_round_trip(Time{Duration{n}});
  }
  expect_round_trip(std::string("a\0b", 3));
  expect_round_trip(0.1);
  expect_round_trip(true);
  expect_round_trip(Nothing{});
  expect_round_trip(std::optional<std::uint16_t>{});
  expect_round_trip(std::optional<std::uint16_t>{65535});
  expect_round_trip(std::array<std::uint8_t, 3>{1, 255, 0});
  expect_round_trip(std::vector<std::string>{"", "x"});
  expect_round_trip(std::map<std::uint32_t, std::string>{{1, "a"}, {9, "b"}});
  expect_round_trip(std::set<std::pair<Time, core::TicketId>>{{Time{}, {1, 2}}, {Time{}, {3, 4}}});
  expect_round_trip(core::Attribute{"x", std::vector<std::string>{"p", "q"}});
  expect_round_trip(core::Attribute{"x", 2.5});
}

TEST(Codec, SmallNumbersAreSmall) {
  EXPECT_EQ(written(std::uint64_t{127}).size(), 1u);
  EXPECT_EQ(written(std::int64_t{-64}).size(), 1u);
  EXPECT_EQ(written(std::uint64_t{128}).size(), 2u);
}

TEST(Codec, ANewerBuildReadsWhatAnOlderOneWrote) {
  const auto from_old = read<New>(written(Old{5, "x"}));
  ASSERT_TRUE(from_old);
  EXPECT_EQ(from_old->a, 5u);
  EXPECT_EQ(from_old->b, "x");
  EXPECT_EQ(from_old->c, 77);
  EXPECT_EQ(from_old->d, (std::vector<std::int32_t>{1, 2}));
  EXPECT_FALSE(read<Old>(written(New{}))) << "an older build must not guess";
}

TEST(Codec, WhatDoesNotFitIsRefused) {
  EXPECT_FALSE(read<std::uint8_t>(written(std::uint32_t{256})));
  EXPECT_FALSE(read<std::int8_t>(written(std::int32_t{-129})));
  EXPECT_FALSE(read<bool>(written(std::uint32_t{2})));
  EXPECT_FALSE(
      read<std::string>(std::string("\x05"
                                    "abcd")));
  EXPECT_FALSE(read<std::uint64_t>(std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")));
  EXPECT_FALSE(read<std::uint64_t>(std::string(20, '\x80')));
  EXPECT_FALSE((read<std::variant<bool, std::string>>(std::string("\x02"))));
  // A length that would take all memory, and bytes for one element.
  EXPECT_FALSE(
      read<std::vector<std::string>>(std::string("\xff\xff\xff\xff\x0f"
                                                 "x")));
}

}  // namespace
}  // namespace muster::store
