#pragma once
// The configuration file: TOML in, a checked ServerConfig or everything that is wrong with it out.
// docs/configuration.md describes each key; a test keeps the two together.

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "core/config.h"

namespace muster::server {

/// From where connections may do what is not encrypted.
enum class AllowedFrom : std::uint8_t { off, loopback, any };

/// What one connection may cost. The same for every dialect.
struct NetLimits {
  Duration hello_timeout = std::chrono::seconds{10};    // Connected to identified.
  Duration frame_timeout = std::chrono::seconds{10};    // First to last byte of one message.
  Duration ping_interval = std::chrono::seconds{20};    // A client silent for so long is pinged.
  Duration silence_timeout = std::chrono::seconds{60};  // One silent for so long is closed.
  std::uint32_t message_bytes_max = 64u << 10;          // Of one message from a client.
  std::uint32_t messages_per_second = 50;               // Sustained; bursts of twice as many.
  std::uint32_t outbound_bytes_max = 256u << 10;        // Unsent to one client; past it: closed.
};

/// What a restart finds again.
struct JournalConfig {
  bool enabled = true;                               // false: a lobby that dies forgets.
  Duration sync_interval = std::chrono::seconds{1};  // 0s: every turn waits for the disk.
  std::uint64_t segment_bytes_max = 64u << 20;       // Of one file.
  std::uint64_t snapshot_bytes = 32u << 20;          // Written between two snapshots.
  std::uint32_t snapshots_kept = 2;                  // 1 to 100.
};

/// Something wrong in the file, in words for the person who wrote it.
struct ConfigProblem {
  std::string file;
  int line = 0;      // 1 is the first; 0: the file as a whole.
  std::string key;   // "fleet.launch_timeout"; empty if it is about no key.
  std::string text;  // What is wrong, and what to do.
  bool warning = false;
};

/// "muster.toml:12: fleet.launch_timeout: …"
std::string to_string(const ConfigProblem& problem);

struct ServerConfig {
  std::string listen = "0.0.0.0:4100";   // Players and classic game servers. Port 0: any free one.
  std::string admin = "127.0.0.1:4180";  // The admin HTTP API; loopback only.
  AllowedFrom classic = AllowedFrom::loopback;
  bool classic_guests = true;  // A classic login whose name has no account plays as a guest.
  AllowedFrom logins = AllowedFrom::loopback;  // With a password, native and WebSocket.
  std::filesystem::path data = "data";         // Absolute once loaded.
  std::string host;  // What players are told to connect to. Never empty once loaded.
  NetLimits limits;
  JournalConfig journal;
  core::Config core;  // Commands and working directories are absolute once loaded.
  std::uint32_t sessions_max_asked = 0;  // core.sessions_max as in the file; serve may lower it.
  std::filesystem::path file;            // It was loaded from; absolute.
  std::vector<ConfigProblem> warnings;   // Worth saying; nothing is wrong enough to refuse.
};

/// What the checks look at besides the file: looked up by this_machine(), made up by tests.
struct Machine {
  std::string address = "127.0.0.1";            // Of this machine, as others reach it.
  std::string search_path;                      // PATH, for commands without a slash.
  core::PortRange ephemeral_ports;              // net.ipv4.ip_local_port_range; 0-0 if unknown.
  std::vector<core::PortRange> reserved_ports;  // net.ipv4.ip_local_reserved_ports.
  bool look_for_programs = true;                // Whether commands and folders must exist.
  std::uint32_t uid = 0;                        // Who runs the lobby, and so the node.
  std::optional<std::uint32_t> (*uid_of)(const std::string& user) =
      nullptr;  // None: not looked up.
};
Machine this_machine();

using ConfigResult = std::expected<ServerConfig, std::vector<ConfigProblem>>;

/// Of a configuration read again: what is worth saying, or everything that is wrong.
using ReloadResult = std::expected<std::vector<ConfigProblem>, std::vector<ConfigProblem>>;

/// Reads and checks the file. On failure: every problem found, in the order of the file, at least
/// one of which is not a warning. Relative paths in it are relative to its folder.
ConfigResult load_config(const std::filesystem::path& file,
                         const Machine& machine = this_machine());

/// The same for text in hand; `file` is named in problems, `folder` is what paths are relative to.
ConfigResult parse_config(std::string_view text, const std::string& file,
                          const std::filesystem::path& folder, const Machine& machine);

/// One line of the documentation of the file.
struct ConfigKey {
  std::string table;     // "lobby", "limits", "journal", "fleet", "queue".
  std::string name;      // "launch_timeout".
  std::string type;      // "duration".
  std::string fallback;  // Its default: "30s", or "required".
  std::string range;     // "100ms to 1h".
};
/// Every key there is, by table.
std::vector<ConfigKey> config_keys();

}  // namespace muster::server
