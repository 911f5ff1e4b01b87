#pragma once
// What a game server is given at launch: its arguments and its environment.
//
// Placeholders in arguments and in values of the fleet's environment:
//   {port} {host} {server_id} {match_id} {queue} {map} {players} {log_dir}, and for sdk agones
//   {sdk_grpc_port} {sdk_http_port}
// "{{" is a literal brace. A "{" that no name and "}" follow is literal too, so JSON arguments can
// be written as they are ('{"a":1}'); "}" is never special. Any other {name} is an error.
//
// Environment: of the node's own only PATH, HOME, LANG, TZ and USER (HOME and USER are those of the
// user it runs as); then the fleet's; and
//   PORT, MUSTER_PORT   the port to listen on
//   MUSTER_SERVER_ID    "41.3"
//   MUSTER_TOKEN        128 random bits, hexadecimal: proves to the node that it is this server
//   MUSTER_SDK          host:port of the node's SDK endpoint
//   MUSTER_SDK_LOCAL    the same as "unix:/path", for an SDK on the same machine: cheaper
//   MUSTER_JOIN_KEY     the public key of join tokens: 32 bytes, base64url without padding
//   MUSTER_FLEET        its fleet
//   MUSTER_MATCH_ID     the match it is launched for; absent for a warm one
//   AGONES_SDK_GRPC_PORT, AGONES_SDK_HTTP_PORT   sdk agones: where its SDK finds the node. Never a
//                       host: some SDKs want a name there and others a URL, and all have a default.
// A fleet may replace the first five, but not set what Muster sets.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "node/process_posix.h"

namespace muster::wire::node {
class Launch;
}

namespace muster::node {

/// Of the server's Agones endpoint; 0 for a server without one.
struct AgonesPorts {
  std::uint16_t grpc = 0, http = 0;
};

/// What the node adds to the lobby's Launch.
struct LaunchContext {
  std::string token;
  std::string sdk_address;  // host:port
  std::string join_key;     // base64url
  std::string log_dir;      // Absolute.
  rlim_t open_files_max = 0;
  std::string sdk_local;   // unix:/path
  std::string user, home;  // Of the user it runs as; empty: the node's own USER and HOME.
  AgonesPorts agones;
};

/// The command to start; the program is looked up here: relative to working_directory if its name
/// has a slash, else in PATH. The error is a sentence for people.
std::expected<Command, std::string> make_command(const wire::node::Launch& launch,
                                                 const LaunchContext& context);

/// Fills in placeholders as described above.
std::expected<std::string, std::string> expand(std::string_view text,
                                               const wire::node::Launch& launch,
                                               const LaunchContext& context);

}  // namespace muster::node
