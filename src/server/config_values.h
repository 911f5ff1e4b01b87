#pragma once
// The small languages inside the configuration file's strings: durations, sizes, ports, addresses.
// Each parser refuses with a sentence for people, to be read after the key's name.

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "core/config.h"

namespace muster::server {

/// "500ms", "30s", "5m", "1h": a whole number and one unit.
std::expected<Duration, std::string> parse_duration(std::string_view text);
/// The shortest exact form of it; "0s" for zero.
std::string format_duration(Duration duration);

/// "512B", "64KiB", "10MiB", "1GiB".
std::expected<std::uint64_t, std::string> parse_bytes(std::string_view text);
std::string format_bytes(std::uint64_t bytes);

/// "7000-7999" or "7000"; 1 to 65535, the last not below the first.
std::expected<core::PortRange, std::string> parse_ports(std::string_view text);
std::string format_ports(core::PortRange ports);

/// Where to listen: an IP address and a port.
struct Address {
  std::string host;  // As inet_ntop writes it, without brackets.
  std::uint16_t port = 0;
  bool loopback = false;
  bool any = false;  // 0.0.0.0 or ::
};
/// "0.0.0.0:4100", "[::1]:4180", "localhost:4180" (127.0.0.1). Port 0: the kernel chooses.
std::expected<Address, std::string> parse_address(std::string_view text);
/// "127.0.0.1:4180", "[::1]:4180".
std::string format_address(const Address& address);

/// Names of fleets and queues: [a-z0-9-], 1 to 32 characters.
bool is_config_name(std::string_view text);
/// Names of counters and lists: 1 to 63 of A-Z a-z 0-9 . _ -.
bool is_agones_name(std::string_view text);
/// Names of environment variables: letters, digits and _, not a digit first; at most 256.
bool is_variable_name(std::string_view text);

/// The known word that somebody who wrote `word` most likely meant; empty if none is near.
std::string_view closest(std::string_view word, std::span<const std::string_view> known);

/// `, did you mean "x"?`, or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> known);

}  // namespace muster::server
