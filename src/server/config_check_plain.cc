// Checks of the fleets whose game servers know nothing of Muster: named ports, [fleet.ready],
// [fleet.end], [fleet.files].
#include "server/config_check_plain.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

#include "server/config_values.h"
#include "wire/pattern.h"

namespace muster::server {
namespace {

namespace fs = std::filesystem;
using core::FileConfig;
using core::FleetConfig;
using core::PortConfig;
using core::Protocol;
using core::ReadyKind;
using core::SdkKind;

constexpr std::size_t ports_max = 16, files_max = 16, files_bytes_max = 256u << 10;

// What the node fills in when it launches; anything else in braces is a slip.
constexpr std::string_view placeholders[] = {"port", "host",    "server_id", "match_id",  "queue",
                                             "map",  "players", "log_dir",   "server_dir"};

std::string file_key(const FileConfig& file) { return "files." + file.path; }

/// What is wrong with where a file is to go; empty if nothing is.
std::string leaves_folder(const std::string& text) {
  const fs::path path(text);
  if (text.empty() || text.size() > 255) return "must be 1 to 255 bytes long";
  if (path.is_absolute()) return "must be relative: it is written into a folder of its own";
  for (const fs::path& part : path)
    if (part == ".." || part == "." || part.empty())
      return "must stay within the game server's own folder: no \".\" and \"..\"";
  return {};
}

std::expected<std::string, std::string> read_template(const fs::path& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0)
    return std::unexpected(
        fmt::format("{} cannot be read: {}", path.string(), std::strerror(errno)));
  if (!S_ISREG(info.st_mode))
    return std::unexpected(fmt::format("{} is not a file", path.string()));
  std::ifstream in(path, std::ios::binary);
  std::string text(FileConfig::text_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in && !in.eof())
    return std::unexpected(
        fmt::format("{} cannot be read: {}", path.string(), std::strerror(errno)));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > FileConfig::text_bytes_max)
    return std::unexpected(fmt::format("{} is larger than {}", path.string(),
                                       format_bytes(FileConfig::text_bytes_max)));
  return text;
}

class PlainChecker {
 public:
  PlainChecker(FleetConfig& fleet, const ConfigLines& lines, const fs::path& folder,
               bool look_at_files, ConfigProblems& problems)
      : fleet_(fleet),
        lines_(lines),
        folder_(folder),
        look_at_files_(look_at_files),
        problems_(problems) {}

  void check() {
    for (const PortConfig& port : fleet_.named_ports) check_named_port(port);
    if (fleet_.named_ports.size() > ports_max)
      error("port", fmt::format("there are {} named ports; must be at most {}",
                                fleet_.named_ports.size(), ports_max));
    check_files();
    const bool plain = fleet_.sdk == SdkKind::none;
    for (const char* table : {"ready", "end"})
      if (!plain && lines_.has(table))
        error(table, "is for game servers without an SDK only: sdk = \"none\"");
    if (!plain) return;
    check_ready();
    check_end();
    if (fleet_.health_timeout != Duration::zero())
      error("health_timeout",
            "a game server without an SDK says nothing by itself; ask it again and again with "
            "repeat in [fleet.ready]");
  }

 private:
  void error(const std::string& key, std::string text) {
    problems_.error(lines_.of(key), "fleet." + key, std::move(text));
  }

  void check_named_port(const PortConfig& port) {
    const std::string key = "port." + port.name;
    if (!lines_.has(key)) return;  // No table, which has been said.
    const bool range = lines_.has(key + ".ports"), offset = lines_.has(key + ".offset");
    if (range == offset)
      error(key, range ? "has both ports and offset; it needs one of them"
                       : "needs ports, a range of its own, or offset, a distance from the main "
                         "port");
  }

  const PortConfig* find_port(const std::string& name) const {
    const auto found = std::ranges::find(fleet_.named_ports, name, &PortConfig::name);
    return found == fleet_.named_ports.end() ? nullptr : &*found;
  }

  void check_port(const std::string& key, const std::string& name, Protocol needed) {
    Protocol has = fleet_.protocol;
    if (!name.empty()) {
      const PortConfig* const port = find_port(name);
      if (!port) {
        std::vector<std::string_view> names;
        for (const PortConfig& one : fleet_.named_ports) names.emplace_back(one.name);
        return error(
            key, fmt::format("there is no [fleet.port.{:.60}]{}", name, did_you_mean(name, names)));
      }
      has = port->protocol;
    }
    if (has != Protocol::both && has != needed)
      error(key, fmt::format("is about {}, and the port's protocol is \"{}\"",
                             needed == Protocol::tcp ? "TCP" : "UDP",
                             needed == Protocol::tcp ? "udp" : "tcp"));
  }

  void check_query(const std::string& key, const core::UdpQuery& query) {
    check_port(key, query.port, Protocol::udp);
    if (query.placeholders)
      for (const std::string& name : placeholders_in(query.send)) check_placeholder(key, name);
  }

  void check_ready() {
    const core::ReadyConfig& ready = fleet_.ready;
    int kinds = 0;
    for (const char* kind : {"ready.tcp", "ready.udp", "ready.log", "ready.delay"})
      kinds += lines_.has(kind);
    if (kinds == 0 && lines_.has("ready.?")) return;
    if (kinds == 0)
      return problems_.error(
          lines_.of(lines_.has("ready") ? "ready" : "sdk"), "fleet.ready",
          "a game server without an SDK is Ready when a port is open, it answers, it prints a "
          "line, or after a time: one of tcp, udp, log, delay in [fleet.ready]");
    if (kinds > 1) error("ready", "has several of tcp, udp, log and delay; it needs one of them");
    const bool asked = !ready.query.send.empty();
    if (ready.kind == ReadyKind::tcp) check_port("ready.tcp", ready.port, Protocol::tcp);
    if (ready.kind == ReadyKind::udp && !asked) check_port("ready.udp", ready.port, Protocol::udp);
    if (ready.kind == ReadyKind::udp && asked) check_query("ready.udp", ready.query);
    if (ready.repeat == Duration::zero()) return;
    if (ready.kind != ReadyKind::tcp && ready.kind != ReadyKind::udp)
      error("ready.repeat", "only tcp and udp can be looked at again");
    if (ready.repeat < core::milliseconds{100})
      error("ready.repeat", fmt::format("is {}; must be 0s (never) or at least 100ms",
                                        format_duration(ready.repeat)));
  }

  void check_end() {
    const core::EndConfig& end = fleet_.end;
    const bool by_lines = !end.joined.empty() || !end.left.empty();
    const bool by_asking = !end.players.send.empty();
    if (by_lines && (end.joined.empty() || end.left.empty()))
      error(end.joined.empty() ? "end.left" : "end.joined",
            "players are counted by both joined and left, and one of them is missing");
    if (by_lines && by_asking)
      error("end.players_udp", "players are counted by joined and left, or by asking; not both");
    if (by_asking) {
      check_query("end.players_udp", end.players);
      const auto expect = wire::Pattern::compile(end.players.expect);
      if (expect && expect->groups() == 0)
        error("end.players_udp",
              "expect needs a group that is the number of players: expect = 'clients\\\\(\\d+)'");
    }
    const bool idle = end.idle > Duration::zero();
    if (idle && !by_lines && !by_asking)
      error("end.idle", "players must be counted for it: by joined and left, or by players_udp");
    if (!idle && (by_lines || by_asking))
      error(by_lines ? "end.joined" : "end.players_udp",
            "is for idle, how long nobody may be there, which is missing");
    for (const char* key : {"end.first_player_timeout", "end.players_interval"})
      if (!idle && lines_.has(key)) error(key, "is for idle, which is missing");
  }

  void check_files() {
    if (fleet_.files.size() > files_max)
      error("files",
            fmt::format("has {} files; must have at most {}", fleet_.files.size(), files_max));
    std::size_t bytes = 0;
    for (FileConfig& file : fleet_.files) {
      const std::string key = file_key(file);
      if (!lines_.has(key)) continue;  // No table, which has been said.
      if (std::string why = leaves_folder(file.path); !why.empty()) error(key, std::move(why));
      const bool has_text = lines_.has(key + ".text"), has_file = lines_.has(key + ".template");
      if (has_text == has_file) {
        error(key, has_text ? "has both text and template; it needs one of them"
                            : "needs text, or template, a file");
      } else if (has_text) {
        for (const std::string& name : placeholders_in(file.text)) check_placeholder(key, name);
      } else {
        check_template(key, file);
      }
      bytes += file.text.size();
    }
    if (bytes > files_bytes_max)
      error("files", fmt::format("{} of files in all; must be at most {}", format_bytes(bytes),
                                 format_bytes(files_bytes_max)));
  }

  void check_template(const std::string& key, FileConfig& file) {
    const fs::path path =
        (fs::path(file.template_file).is_absolute() ? fs::path(file.template_file)
                                                    : folder_ / file.template_file)
            .lexically_normal();
    file.template_file = path.string();
    if (!look_at_files_) return;
    auto text = read_template(path);
    if (!text) return error(key, std::move(text.error()));
    file.text = *std::move(text);
    std::string_view rest = file.text;
    for (int line = 1; !rest.empty(); ++line) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      for (const std::string& name : placeholders_in(rest.substr(0, end)))
        if (std::string why = unknown_placeholder(name, fleet_); !why.empty())
          problems_.error(file.template_file, line, std::move(why));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }

  void check_placeholder(const std::string& key, const std::string& name) {
    if (std::string why = unknown_placeholder(name, fleet_); !why.empty())
      error(key, std::move(why));
  }

  FleetConfig& fleet_;
  const ConfigLines& lines_;
  const fs::path& folder_;
  const bool look_at_files_;
  ConfigProblems& problems_;
};

}  // namespace

std::vector<std::string> placeholders_in(std::string_view text) {
  constexpr std::string_view named_port = "port.";
  std::vector<std::string> found;
  for (std::size_t open = text.find('{'); open != std::string_view::npos;
       open = text.find('{', open + 1)) {
    if (text.substr(open).starts_with("{{")) {  // A literal brace.
      ++open;
      continue;
    }
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) break;
    const std::string_view name = text.substr(open + 1, close - open - 1);
    const bool port = name.starts_with(named_port);
    const std::string_view word = port ? name.substr(named_port.size()) : name;
    // As the node does.
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto in_name = [&](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || is_digit(c);
    };
    if (!word.empty() && (port || !is_digit(word.front())) && std::ranges::all_of(word, in_name))
      found.emplace_back(name);
  }
  return found;
}

std::string unknown_placeholder(std::string_view name, const FleetConfig& fleet) {
  std::vector<std::string> named;
  for (const PortConfig& port : fleet.named_ports) named.push_back("port." + port.name);
  std::vector<std::string_view> known(std::begin(placeholders), std::end(placeholders));
  known.insert(known.end(), named.begin(), named.end());
  const bool agones = fleet.sdk == core::SdkKind::agones;
  for (const std::string_view port : {"sdk_grpc_port", "sdk_http_port"}) {
    if (agones) known.push_back(port);
    if (!agones && name == port)
      return fmt::format("{{{}}} is a port of the Agones SDK; it needs sdk = \"agones\"", name);
  }
  if (std::ranges::find(known, name) != known.end()) return {};
  return fmt::format("there is no placeholder {{{}}}{}; there are {{{}}}, and {{{{ is a brace",
                     name, did_you_mean(name, known), fmt::join(known, "} {"));
}

void check_plain(FleetConfig& fleet, const ConfigLines& lines, const fs::path& folder,
                 bool look_at_files, ConfigProblems& problems) {
  PlainChecker(fleet, lines, folder, look_at_files, problems).check();
}

}  // namespace muster::server
