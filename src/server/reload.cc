#include "server/reload.h"

#include <utility>

namespace muster::server {
namespace {

/// A key whose value is used once, at the start.
struct RestartKey {
  std::string_view key;
  bool (*keep)(ServerConfig& next, const ServerConfig& running);  // True if it was another.
};

template <class T>
bool keep(T& next, const T& running) {
  const bool differs = !(next == running);
  next = running;
  return differs;
}

#define KEEP(expression)                                \
  [](ServerConfig& next, const ServerConfig& running) { \
    return keep(next.expression, running.expression);   \
  }
constexpr RestartKey restart_keys[] = {
    {"lobby.listen", KEEP(listen)},
    {"lobby.admin", KEEP(admin)},
    {"lobby.classic", KEEP(classic)},
    {"lobby.classic_guests", KEEP(classic_guests)},
    {"lobby.logins", KEEP(logins)},
    {"lobby.data", KEEP(data)},
    {"lobby.host", KEEP(host)},
    {"limits.hello_timeout", KEEP(limits.hello_timeout)},
    {"limits.frame_timeout", KEEP(limits.frame_timeout)},
    {"limits.ping_interval", KEEP(limits.ping_interval)},
    {"limits.silence_timeout", KEEP(limits.silence_timeout)},
    {"limits.message_bytes_max", KEEP(limits.message_bytes_max)},
    {"limits.messages_per_second", KEEP(limits.messages_per_second)},
    {"limits.outbound_bytes_max", KEEP(limits.outbound_bytes_max)},
};
#undef KEEP
// What the machine allows may be less than the file says, so that one is looked at by itself.
constexpr std::string_view sessions_max_key = "limits.sessions_max";

}  // namespace

ConfigResult reload_config(const ServerConfig& running, const Machine& machine) {
  ConfigResult next = load_config(running.file, machine);
  if (!next) return next;
  const auto warn = [&](std::string_view key) {
    next->warnings.push_back({running.file.string(), 0, std::string(key),
                              "has changed, which takes effect when the lobby is started again",
                              true});
  };
  const bool listens_elsewhere = next->listen != running.listen;
  for (const RestartKey& key : restart_keys) {
    // A host that is not in the file follows from listen, which is named already.
    const bool follows = listens_elsewhere && key.key == "lobby.host";
    if (key.keep(*next, running) && !follows) warn(key.key);
  }
  if (keep(next->sessions_max_asked, running.sessions_max_asked)) warn(sessions_max_key);
  next->core.sessions_max = running.core.sessions_max;
  return next;
}

std::vector<std::string_view> keys_for_restart() {
  std::vector<std::string_view> keys{sessions_max_key};
  for (const RestartKey& key : restart_keys) keys.push_back(key.key);
  return keys;
}

}  // namespace muster::server
