#pragma once
// The tables inside a [[fleet]] for game servers that know nothing of Muster: [fleet.ready],
// [fleet.end], [fleet.port.NAME], [fleet.files]. Part of config_file.cc, like config_fields.h.

#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/config_fields.h"
#include "wire/pattern.h"

namespace muster::server {

/// "ff ff 4d" or "ffff4d".
inline std::optional<std::string> from_hex(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    if (text.front() == ' ') {
      text.remove_prefix(1);
      continue;
    }
    unsigned byte = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + std::min<std::size_t>(text.size(), 2), byte, 16);
    if (error != std::errc{} || end != text.data() + 2) return std::nullopt;
    bytes += static_cast<char>(byte);
    text.remove_prefix(2);
  }
  return bytes;
}

/// Text with \xHH, \n, \r, \t, \0 and \\ in it; a brace that came so is no placeholder's.
inline std::expected<std::string, std::string> unescape(std::string_view text) {
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      bytes += text[at];
      continue;
    }
    const char kind = ++at < text.size() ? text[at] : '\0';
    constexpr std::string_view simple = "nrt0\\", meant{"\n\r\t\0\\", 5};
    if (const std::size_t index = simple.find(kind); kind != '\0' && index != simple.npos) {
      bytes += meant[index];
      continue;
    }
    const auto byte = kind == 'x' && at + 2 < text.size() ? from_hex(text.substr(at + 1, 2))
                                                          : std::optional<std::string>();
    if (!byte || byte->empty())
      return std::unexpected(
          std::string("has a backslash that is none of \\xHH \\n \\r \\t \\0 \\\\; a backslash "
                      "itself is written twice"));
    bytes += *byte == "{" ? "{{" : *byte;
    at += 2;
  }
  return bytes;
}

inline std::string read_pattern(std::string& out, const toml::node& node) {
  std::string text;
  std::string problem = read_text(text, node, wire::Pattern::bytes_max);
  if (problem.empty() && text.empty()) problem = "is empty; must be a regular expression";
  if (!problem.empty()) return problem;
  if (const auto pattern = wire::Pattern::compile(text); !pattern)
    return fmt::format("is {}", pattern.error());
  out = text;
  return {};
}

/// { send = "…", expect = "…" }, or send_hex, expect_hex; and port.
inline std::string read_query(core::UdpQuery& out, const toml::table& table) {
  constexpr std::size_t send_bytes_max = 1024;
  constexpr std::array<std::string_view, 5> known{"send", "send_hex", "expect", "expect_hex",
                                                  "port"};
  core::UdpQuery query;
  for (const auto& [key, node] : table) {
    const std::string_view name = key.str();
    if (std::ranges::find(known, name) == known.end())
      return fmt::format("there is no \"{:.60}\" in it{}; there are {}", name,
                         did_you_mean(name, known), fmt::join(known, ", "));
    std::string text;
    std::string problem;
    if (name == "expect")
      problem = read_pattern(query.expect, node);
    else
      problem = read_text(text, node, 2 * send_bytes_max);
    if (!problem.empty()) return fmt::format("{} {}", name, problem);
    if (name == "port") {
      query.port = text;
    } else if (name == "send") {
      auto bytes = unescape(text);
      if (!bytes) return fmt::format("send {}", bytes.error());
      query.send = *std::move(bytes);
      query.placeholders = true;
    } else if (name == "send_hex" || name == "expect_hex") {
      const auto bytes = from_hex(text);
      if (!bytes || bytes->empty())
        return fmt::format("{} must be bytes in hexadecimal, such as \"ff ff 4d\"", name);
      if (name == "send_hex") {
        query.send = *bytes;
      } else {
        query.expect = "^";
        for (const char byte : *bytes)
          query.expect += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
        if (query.expect.size() > wire::Pattern::bytes_max) return "expect_hex is too long";
      }
    }
  }
  if (table.contains("send") && table.contains("send_hex")) return "has both send and send_hex";
  if (table.contains("expect") && table.contains("expect_hex"))
    return "has both expect and expect_hex";
  if (query.send.empty()) return "needs something to send: send or send_hex";
  if (query.send.size() > send_bytes_max)
    return fmt::format("sends {} bytes; must be at most {}", query.send.size(), send_bytes_max);
  out = std::move(query);
  return {};
}

/// `tcp = true`, `udp = "query"`: on the main port, or on one with a name.
inline std::string read_ready_port(core::ReadyConfig& out, core::ReadyKind kind,
                                   const toml::node& node, std::string_view want) {
  if (const auto yes = node.value_exact<bool>()) {
    if (!*yes) return "is false; leave it out instead";
  } else if (const auto name = node.value_exact<std::string>()) {
    out.port = *name;
  } else {
    return wrong_type(node, want);
  }
  out.kind = kind;
  return {};
}

inline std::vector<Field<core::ReadyConfig>> ready_fields() {
  using core::ReadyConfig, core::ReadyKind;
  std::vector<Field<ReadyConfig>> fields{
      {"tcp", "port", "none", "true, or the name of a port",
       [](ReadyConfig& out, const toml::node& node) {
         return read_ready_port(out, ReadyKind::tcp, node, "true, or the name of a port");
       }},
      {"udp", "port or query", "none", "true, the name of a port, or { send, expect, port }",
       [](ReadyConfig& out, const toml::node& node) -> std::string {
         const toml::table* const table = node.as_table();
         if (!table)
           return read_ready_port(out, ReadyKind::udp, node,
                                  "true, the name of a port, or { send = \"…\", expect = \"…\" }");
         out.kind = ReadyKind::udp;
         return read_query(out.query, *table);
       }},
      {"log", "pattern", "none", "a regular expression of at most 1024 bytes",
       [](ReadyConfig& out, const toml::node& node) {
         out.kind = ReadyKind::log;
         return read_pattern(out.log, node);
       }}};
  const auto in = [](auto member) { return [=](auto& c) -> auto& { return c.*member; }; };
  Field<ReadyConfig> delay = duration<ReadyConfig>("delay", in(&ReadyConfig::delay),
                                                   Duration::zero(), std::chrono::hours{1});
  delay.fallback = "none";
  delay.read = [read = delay.read](ReadyConfig& out, const toml::node& node) {
    out.kind = ReadyKind::delay;
    return read(out, node);
  };
  fields.push_back(std::move(delay));
  fields.push_back(duration<ReadyConfig>("repeat", in(&ReadyConfig::repeat), Duration::zero(),
                                         std::chrono::hours{1}));
  fields.push_back(count<ReadyConfig>("failures_max", in(&ReadyConfig::failures_max), 1, 100));
  return fields;
}

inline std::vector<Field<core::EndConfig>> end_fields() {
  using core::EndConfig;
  const auto pattern = [](std::string name, std::string EndConfig::* member) {
    return Field<EndConfig>{
        std::move(name), "pattern", "none", "a regular expression of at most 1024 bytes",
        [=](EndConfig& out, const toml::node& node) { return read_pattern(out.*member, node); }};
  };
  const auto in = [](auto member) { return [=](auto& c) -> auto& { return c.*member; }; };
  return {
      pattern("log", &EndConfig::log),
      duration<EndConfig>("idle", in(&EndConfig::idle), Duration::zero(), std::chrono::hours{1}),
      duration<EndConfig>("first_player_timeout", in(&EndConfig::first_player_timeout),
                          Duration::zero(), std::chrono::hours{24}),
      pattern("joined", &EndConfig::joined),
      pattern("left", &EndConfig::left),
      {"players_udp", "query", "none", "{ send, expect, port }",
       [](EndConfig& out, const toml::node& node) -> std::string {
         const toml::table* const table = node.as_table();
         if (!table) return wrong_type(node, "{ send = \"…\", expect = \"…(\\\\d+)…\" }");
         return read_query(out.players, *table);
       }},
      duration<EndConfig>("players_interval", in(&EndConfig::players_interval),
                          std::chrono::milliseconds{100}, std::chrono::minutes{10}),
  };
}

template <class T>
Field<T> protocol_field() {
  return choice<T>(
      "protocol", [](auto& c) -> auto& { return c.protocol; },
      std::vector<std::pair<std::string_view, core::Protocol>>{{"both", core::Protocol::both},
                                                               {"tcp", core::Protocol::tcp},
                                                               {"udp", core::Protocol::udp}});
}

inline std::vector<Field<core::PortConfig>> port_fields() {
  using core::PortConfig;
  Field<PortConfig> range = ports<PortConfig>("ports", [](auto& c) -> auto& { return c.ports; });
  range.fallback = "none";
  Field<PortConfig> offset{"offset", "number", "none", "1 to 1000",
                           [](PortConfig& out, const toml::node& node) -> std::string {
                             const auto value = node.value_exact<std::int64_t>();
                             if (!value) return wrong_type(node, "a whole number, 1 to 1000");
                             if (*value < 1 || *value > 1000)
                               return fmt::format("is {}; must be 1 to 1000", *value);
                             out.offset = static_cast<std::uint16_t>(*value);
                             return {};
                           }};
  return {range, offset, protocol_field<PortConfig>()};
}

inline std::vector<Field<core::FileConfig>> file_fields() {
  using core::FileConfig;
  return {
      {"template", "path", "none", "1 to 4096 bytes",
       [](FileConfig& out, const toml::node& node) -> std::string {
         std::string problem = read_text(out.template_file, node, 4096);
         if (problem.empty() && out.template_file.empty()) problem = "is empty; must be a path";
         return problem;
       }},
      {"text", "text", "none", "at most 65536 bytes",
       [](FileConfig& out, const toml::node& node) {
         return read_text(out.text, node, core::FileConfig::text_bytes_max);
       }},
      {"mode", "text", "0600", "0000 to 0777",
       [](FileConfig& out, const toml::node& node) -> std::string {
         const auto text = node.value_exact<std::string>();
         std::uint32_t mode = 0;
         if (!text) return wrong_type(node, "a string, such as \"0600\"");
         const auto [end, error] =
             std::from_chars(text->data(), text->data() + text->size(), mode, 8);
         if (error != std::errc{} || end != text->data() + text->size() || mode > 0777)
           return fmt::format("is \"{:.60}\"; must be permissions in octal, 0000 to 0777", *text);
         out.mode = mode;
         return {};
       }},
  };
}

}  // namespace muster::server
