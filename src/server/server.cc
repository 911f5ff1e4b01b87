#include "server/server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <utility>

#include "server/handover.h"
#include "server/lobby.h"
#include "store/snapshot.h"

namespace muster::server {
namespace {

int fail(const std::string& why) {
  fmt::print(stderr, "muster: {}\n", why);
  return 1;
}

/// Descriptors kept from players: listeners, node, database, the operator's connections, a restart
/// of the node, and connections over sessions_max that are only told so. Where there are few, half.
constexpr rlim_t own_descriptors = 192;

/// Raises the soft limit to the hard one. Returns the sessions there are descriptors for, at most
/// `sessions_max`: without the rest, players could keep the operator and the node out.
std::uint32_t sessions_within_limit(std::uint32_t sessions_max) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return sessions_max;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t own = std::min(own_descriptors, limit.rlim_max / 2);
  const rlim_t sessions = std::max<rlim_t>(limit.rlim_max - own, 1);
  if (limit.rlim_max == RLIM_INFINITY || sessions >= sessions_max) return sessions_max;
  fmt::print(stderr,
             "muster: this process may open {} files, so {} connections; sessions_max is {}. Raise "
             "the limit (ulimit -Hn, LimitNOFILE=) or lower sessions_max.\n",
             limit.rlim_max, sessions, sessions_max);
  return static_cast<std::uint32_t>(sessions);
}

constexpr auto takeover_patience = std::chrono::seconds{30};

/// Has the lobby that runs leave, once this one can go on: with a journal that it can read.
std::expected<HandedSockets, std::string> replace_running(const ServerConfig& config) {
  const std::string data = std::filesystem::absolute(config.data).lexically_normal();
  return take_over(data, takeover_patience, [&]() -> std::expected<void, std::string> {
    if (!config.journal.enabled) return {};
    std::vector<std::string> passed_over;
    const auto snapshot = store::newest_snapshot(data + "/journal", passed_over);
    if (!snapshot) return std::unexpected(snapshot.error());
    if (!passed_over.empty()) return std::unexpected(passed_over.front());
    return {};
  });
}

/// The lock of one that has just ended may be held for a moment longer.
std::expected<DataFolder, std::string> open_data(const ServerConfig& config, bool takeover) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{5};
  for (;;) {
    auto data = DataFolder::open(config.data);
    if (data || !takeover || std::chrono::steady_clock::now() >= deadline) return data;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
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
  std::expected<HandedSockets, std::string> handed;
  if (options.takeover) handed = replace_running(*config);
  if (!handed) return fail(fmt::format("{}; that one goes on", handed.error()));
  auto data = open_data(*config, options.takeover);
  if (!data) return fail(data.error());
  auto join_key = wire::JoinKey::load_or_create(data->path() + "/join.key");
  if (!join_key) return fail(join_key.error());
  config->core.sessions_max = sessions_within_limit(config->core.sessions_max);

  std::expected<Recovered, std::string> recovered = Recovered{.core = core::Core(config->core)};
  if (config->journal.enabled) recovered = recover(data->path() + "/journal", config->core);
  if (!recovered) return fail(recovered.error());
  for (const std::string& note : recovered->notes) fmt::print(stderr, "muster: {}\n", note);

  std::unique_ptr<RecordingFile> recording;
  if (!options.record.empty()) {
    auto file = RecordingFile::open(options.record, options.record_bytes_max);
    if (!file) return fail(file.error());
    recording = std::move(*file);
  }
  Lobby lobby(std::move(*config), std::move(*data), std::move(*join_key), std::move(*recovered),
              options.program);
  if (recording) lobby.record_to(std::move(recording));
  if (const auto started = lobby.start(std::move(*handed)); !started) return fail(started.error());
  if (!options.quiet) {
    fmt::print("muster: players on {} (port {}), admin on port {}, data in {}\n",
               lobby.config().listen, lobby.players_port(), lobby.admin_port(),
               lobby.config().data.string());
    std::fflush(stdout);
  }
  return lobby.run();
}

}  // namespace muster::server
