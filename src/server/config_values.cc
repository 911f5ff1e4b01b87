#include "server/config_values.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <vector>

namespace muster::server {
namespace {

/// A whole number without sign or spaces, then the rest of the text.
struct Leading {
  std::uint64_t number = 0;
  std::string_view rest;
};
std::optional<Leading> leading_number(std::string_view text) {
  Leading leading;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, leading.number);
  if (error != std::errc{}) return std::nullopt;
  leading.rest = text.substr(static_cast<std::size_t>(rest - text.data()));
  return leading;
}

struct Unit {
  std::string_view name;
  std::uint64_t size;
};
// Largest first: the shortest exact form is the first that divides.
constexpr std::array<Unit, 4> time_units{
    {{"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000}, {"ms", 1'000'000}}};
constexpr std::array<Unit, 4> byte_units{
    {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}}};

std::optional<std::uint64_t> parse_units(std::string_view text, std::span<const Unit> units,
                                         std::uint64_t max) {
  const auto leading = leading_number(text);
  if (!leading) return std::nullopt;
  const auto unit = std::ranges::find(units, leading->rest, &Unit::name);
  if (unit == units.end() || leading->number > max / unit->size) return std::nullopt;
  return leading->number * unit->size;
}

std::string format_units(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units)
    if (value != 0 && value % unit.size == 0)
      return fmt::format("{}{}", value / unit.size, unit.name);
  return {};
}

std::optional<std::uint16_t> parse_port(std::string_view text) {
  const auto leading = leading_number(text);
  if (!leading || !leading->rest.empty() || leading->number > 65535) return std::nullopt;
  return static_cast<std::uint16_t>(leading->number);
}

std::string shown(std::string_view text) { return fmt::format("\"{:.60}\"", text); }

/// Letters changed, put in, left out, or swapped with their neighbour, to get from one to the
/// other.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, above);
    std::swap(above, row);
  }
  return above[b.size()];
}

}  // namespace

std::expected<Duration, std::string> parse_duration(std::string_view text) {
  const auto max = static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max());
  if (const auto value = parse_units(text, time_units, max))
    return Duration{static_cast<Duration::rep>(*value)};
  return std::unexpected(
      fmt::format("{} is not a duration: write a whole number and ms, s, m or h, such as \"30s\"",
                  shown(text)));
}

std::string format_duration(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  const std::string text =
      duration.count() < 0 ? ""
                           : format_units(static_cast<std::uint64_t>(duration.count()), time_units);
  return text.empty() ? fmt::format("{}ns", duration.count()) : text;
}

std::expected<std::uint64_t, std::string> parse_bytes(std::string_view text) {
  if (const auto value = parse_units(text, byte_units, std::numeric_limits<std::uint64_t>::max()))
    return *value;
  return std::unexpected(fmt::format(
      "{} is not a size: write a whole number and B, KiB, MiB or GiB, such as \"10MiB\"",
      shown(text)));
}

std::string format_bytes(std::uint64_t bytes) {
  return bytes == 0 ? "0B" : format_units(bytes, byte_units);
}

std::expected<core::PortRange, std::string> parse_ports(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = parse_port(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(text.substr(dash + 1));
  if (!first || !last || *first == 0 || *last == 0)
    return std::unexpected(fmt::format(
        "{} is not a range of ports: write \"7000-7999\", with ports of 1 to 65535", shown(text)));
  if (*last < *first)
    return std::unexpected(
        fmt::format("{} runs backwards: write \"{}-{}\"", shown(text), *last, *first));
  return core::PortRange{*first, *last};
}

std::string format_ports(core::PortRange ports) {
  if (ports.first == ports.last) return std::to_string(ports.first);
  return fmt::format("{}-{}", ports.first, ports.last);
}

std::expected<Address, std::string> parse_address(std::string_view text) {
  const auto refused = [&] {
    return std::unexpected(fmt::format(
        "{} is not an address: write an IP address and a port, such as \"0.0.0.0:4100\" "
        "or \"[::]:4100\"",
        shown(text)));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refused();
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return refused();
  std::string host(text.substr(0, colon));
  if (host == "localhost") host = "127.0.0.1";
  if (host.find('\0') != std::string::npos) return refused();

  Address address;
  address.port = *port;
  std::array<char, INET6_ADDRSTRLEN> written{};
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    const std::uint32_t bits = ntohl(v4.s_addr);
    address.loopback = bits >> 24 == 127;
    address.any = bits == 0;
    inet_ntop(AF_INET, &v4, written.data(), written.size());
  } else if (host.size() > 2 && host.front() == '[' && host.back() == ']' &&
             inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6) == 1) {
    constexpr in6_addr loopback = IN6ADDR_LOOPBACK_INIT;
    constexpr in6_addr any = IN6ADDR_ANY_INIT;
    address.loopback = std::ranges::equal(v6.s6_addr, loopback.s6_addr);
    address.any = std::ranges::equal(v6.s6_addr, any.s6_addr);
    inet_ntop(AF_INET6, &v6, written.data(), written.size());
  } else {
    return refused();
  }
  address.host = written.data();
  return address;
}

std::string format_address(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", address.host, v6 ? "]" : "", address.port);
}

bool is_config_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_agones_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool is_variable_name(std::string_view text) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !text.empty() && text.size() <= 256 && is_letter(text.front()) &&
         std::ranges::all_of(text, [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

std::string_view closest(std::string_view word, std::span<const std::string_view> known) {
  constexpr std::size_t word_bytes_max = 64;  // Longer ones are no slip of the finger.
  std::string_view best;
  std::size_t best_edits = std::max<std::size_t>(1, std::min<std::size_t>(3, word.size() / 3)) + 1;
  if (word.size() > word_bytes_max) return best;
  for (const std::string_view candidate : known) {
    const std::size_t needed = edits(word, candidate);
    if (needed < best_edits) {
      best_edits = needed;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view best = closest(word, known);
  return best.empty() ? std::string{} : fmt::format(", did you mean \"{}\"?", best);
}

}  // namespace muster::server
