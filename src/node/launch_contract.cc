#include "node/launch_contract.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "proto/node.pb.h"

namespace muster::node {
namespace {

bool is_name_char(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (!first && c >= '0' && c <= '9');
}

std::optional<std::string> value_of(std::string_view name, const wire::node::Launch& launch,
                                    const LaunchContext& context) {
  if (name == "port") return std::to_string(launch.port());
  if (name == "host") return launch.host();
  if (name == "server_id") return launch.server_id();
  if (name == "match_id") return launch.match_id();
  if (name == "queue") return launch.queue();
  if (name == "map") return launch.map();
  if (name == "players") return std::to_string(launch.players());
  if (name == "log_dir") return context.log_dir;
  if (name == "sdk_grpc_port" && context.agones.grpc != 0)
    return std::to_string(context.agones.grpc);
  if (name == "sdk_http_port" && context.agones.http != 0)
    return std::to_string(context.agones.http);
  return std::nullopt;
}

// Replaces what has that name; the order of the rest stays.
void set(std::vector<std::string>& environment, std::string_view name, std::string_view value) {
  std::string entry = fmt::format("{}={}", name, value);
  for (std::string& old : environment) {
    if (old.starts_with(entry.substr(0, name.size() + 1))) {
      old = std::move(entry);
      return;
    }
  }
  environment.push_back(std::move(entry));
}

bool is_musters_own(std::string_view name) {
  return name == "PORT" || name.starts_with("MUSTER_") || name == "AGONES_SDK_GRPC_PORT" ||
         name == "AGONES_SDK_HTTP_PORT";
}

std::expected<std::vector<std::string>, std::string> make_environment(
    const wire::node::Launch& launch, const LaunchContext& context) {
  std::vector<std::string> environment;
  for (const char* name : {"PATH", "HOME", "LANG", "TZ", "USER"})
    if (const char* value = std::getenv(name)) set(environment, name, value);
  if (!context.user.empty()) {
    set(environment, "USER", context.user);
    set(environment, "HOME", context.home);
  }
  for (const wire::node::Variable& variable : launch.env()) {
    if (variable.name().empty() || variable.name().find_first_of({"=\0", 2}) != std::string::npos)
      return std::unexpected(
          fmt::format("fleet {}: \"{}\" is not a name of an environment variable", launch.fleet(),
                      variable.name()));
    if (is_musters_own(variable.name()))
      return std::unexpected(
          fmt::format("fleet {}: the environment variable {} is set by Muster itself: remove it",
                      launch.fleet(), variable.name()));
    auto value = expand(variable.value(), launch, context);
    if (!value)
      return std::unexpected(fmt::format("fleet {}: environment variable {}: {}", launch.fleet(),
                                         variable.name(), value.error()));
    set(environment, variable.name(), *value);
  }
  const std::string port = std::to_string(launch.port());
  set(environment, "PORT", port);
  set(environment, "MUSTER_PORT", port);
  set(environment, "MUSTER_SERVER_ID", launch.server_id());
  set(environment, "MUSTER_TOKEN", context.token);
  set(environment, "MUSTER_SDK", context.sdk_address);
  set(environment, "MUSTER_SDK_LOCAL", context.sdk_local);
  set(environment, "MUSTER_JOIN_KEY", context.join_key);
  set(environment, "MUSTER_FLEET", launch.fleet());
  if (!launch.match_id().empty()) set(environment, "MUSTER_MATCH_ID", launch.match_id());
  if (context.agones.grpc != 0) {
    set(environment, "AGONES_SDK_GRPC_PORT", std::to_string(context.agones.grpc));
    set(environment, "AGONES_SDK_HTTP_PORT", std::to_string(context.agones.http));
  }
  return environment;
}

// Where PATH (the fleet's, if it sets one) has the program. What is found but may not be executed
// is remembered for the error, as a shell does.
std::expected<std::string, std::string> look_up(const std::string& program,
                                                const std::vector<std::string>& environment) {
  if (program.find('/') != std::string::npos) return program;
  std::string_view path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& entry : environment)
    if (entry.starts_with("PATH=")) path = std::string_view(entry).substr(5);
  const std::string_view searched = path;
  std::string not_executable;
  while (!path.empty()) {
    const std::size_t colon = std::min(path.find(':'), path.size());
    const std::string_view folder = path.substr(0, colon);
    path.remove_prefix(std::min(colon + 1, path.size()));
    if (!folder.starts_with('/')) continue;  // Depends on where the node happened to be started.
    std::string candidate = fmt::format("{}/{}", folder, program);
    struct stat status{};
    if (::stat(candidate.c_str(), &status) < 0 || !S_ISREG(status.st_mode)) continue;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    not_executable = std::move(candidate);
  }
  if (!not_executable.empty())
    return std::unexpected(
        fmt::format("cannot execute {}: {}", not_executable, ::strerrordesc_np(EACCES)));
  return std::unexpected(
      fmt::format("cannot execute {}: {} in PATH ({}); a program in the working directory is "
                  "written ./{}",
                  program, ::strerrordesc_np(ENOENT), searched, program));
}

}  // namespace

std::expected<Command, std::string> make_command(const wire::node::Launch& launch,
                                                 const LaunchContext& context) {
  if (launch.command().empty() || launch.command(0).empty())
    return std::unexpected(fmt::format("fleet {}: the command is empty", launch.fleet()));
  Command command;
  for (const std::string& argument : launch.command()) {
    auto expanded = expand(argument, launch, context);
    if (!expanded)
      return std::unexpected(fmt::format("fleet {}: command argument \"{}\": {}", launch.fleet(),
                                         argument, expanded.error()));
    command.arguments.push_back(std::move(*expanded));
  }
  auto environment = make_environment(launch, context);
  if (!environment) return std::unexpected(environment.error());
  command.environment = std::move(*environment);
  auto program = look_up(command.arguments.front(), command.environment);
  if (!program) return std::unexpected(program.error());
  command.program = std::move(*program);
  command.working_directory = launch.working_directory();
  command.open_files_max = context.open_files_max;
  return command;
}

std::expected<std::string, std::string> expand(std::string_view text,
                                               const wire::node::Launch& launch,
                                               const LaunchContext& context) {
  std::string out;
  while (!text.empty()) {
    const std::size_t brace = std::min(text.find('{'), text.size());
    out += text.substr(0, brace);
    text.remove_prefix(brace);
    if (text.empty()) break;
    if (text.starts_with("{{")) {
      out += '{';
      text.remove_prefix(2);
      continue;
    }
    std::size_t end = 1;
    while (end < text.size() && is_name_char(text[end], end == 1)) ++end;
    if (end == 1 || end == text.size() || text[end] != '}') {
      out += '{';
      text.remove_prefix(1);
      continue;
    }
    const std::string_view name = text.substr(1, end - 1);
    const auto value = value_of(name, launch, context);
    if (!value)
      return std::unexpected(
          fmt::format("there is no placeholder {{{}}}; there are {{port}} {{host}} {{server_id}} "
                      "{{match_id}} {{queue}} {{map}} {{players}} {{log_dir}}, for sdk agones "
                      "{{sdk_grpc_port}} {{sdk_http_port}}, and {{{{ is a literal brace",
                      name));
    out += *value;
    text.remove_prefix(end + 1);
  }
  // The rest of such an argument would be lost without a word.
  if (out.find('\0') != std::string::npos)
    return std::unexpected(std::string("it contains a zero byte"));
  return out;
}

}  // namespace muster::node
