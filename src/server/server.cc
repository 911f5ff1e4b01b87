#include "server/server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <utility>

#include "server/lobby.h"

namespace muster::server {
namespace {

int fail(const std::string& why) {
  fmt::print(stderr, "muster: {}\n", why);
  return 1;
}

/// Descriptors beside those of sessions: listeners, node, database, and a reserve.
constexpr std::uint32_t own_descriptors = 64;

void raise_descriptor_limit(std::uint32_t sessions_max) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < sessions_max + own_descriptors)
    fmt::print(
        stderr,
        "muster: this process may open {} files, so about {} connections; sessions_max is {}. "
        "Raise the limit (ulimit -Hn, LimitNOFILE=) or lower sessions_max.\n",
        limit.rlim_max, limit.rlim_max - own_descriptors, sessions_max);
}

}  // namespace

int run_serve(const ServeOptions& options) {
  auto config = load_config(options.config_file);
  if (!config) {
    for (const ConfigProblem& problem : config.error())
      fmt::print(stderr, "{}\n", to_string(problem));
    return fail(fmt::format("{} was not accepted; nothing was started", options.config_file));
  }
  for (const ConfigProblem& warning : config->warnings)
    fmt::print(stderr, "{}\n", to_string(warning));

  std::signal(SIGPIPE, SIG_IGN);
  auto data = DataFolder::open(config->data);
  if (!data) return fail(data.error());
  auto join_key = wire::JoinKey::load_or_create(data->path() + "/join.key");
  if (!join_key) return fail(join_key.error());
  raise_descriptor_limit(config->core.sessions_max);

  Lobby lobby(std::move(*config), std::move(*data), std::move(*join_key), options.program);
  if (const auto started = lobby.start(); !started) return fail(started.error());
  if (!options.quiet) {
    fmt::print("muster: players on {} (port {}), admin on port {}, data in {}\n",
               lobby.config().listen, lobby.players_port(), lobby.admin_port(),
               lobby.config().data.string());
    std::fflush(stdout);
  }
  return lobby.run();
}

}  // namespace muster::server
