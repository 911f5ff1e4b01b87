#include "server/config_file.h"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <span>

#include "server/config_check.h"
#include "server/config_fields.h"
#include "server/config_plain_fields.h"
#include "server/config_queue_fields.h"
#include "server/config_tables.h"

namespace muster::server {
namespace {

namespace fs = std::filesystem;
using core::AfterMatch;
using core::AgonesConfig;
using core::FleetConfig;
using core::milliseconds;
using core::minutes;
using core::ProcessLimits;
using core::QueueConfig;
using core::SdkKind;
using core::seconds;
using std::chrono::hours;

// A queue names its fleet, which may come later in the file.
struct NamedQueue {
  QueueConfig queue;
  std::string fleet;
};

// The value of a key, for the field's kind.
#define AT(expression) [](auto& c) -> auto& { return c.expression; }

template <class Access>
Field<ServerConfig> allowed_from(std::string name, Access access) {
  return choice<ServerConfig>(
      std::move(name), access,
      std::vector<std::pair<std::string_view, AllowedFrom>>{{"off", AllowedFrom::off},
                                                            {"loopback", AllowedFrom::loopback},
                                                            {"any", AllowedFrom::any}});
}

const std::vector<Field<ServerConfig>>& lobby_fields() {
  static const std::vector<Field<ServerConfig>> fields{
      address<ServerConfig>("listen", AT(listen)),
      address<ServerConfig>("admin", AT(admin)),
      allowed_from("classic", AT(classic)),
      boolean<ServerConfig>("classic_guests", AT(classic_guests)),
      allowed_from("logins", AT(logins)),
      text<ServerConfig>("classic_queue", AT(core.classic_queue), 32, "the first queue"),
      path<ServerConfig>("data", AT(data)),
      text<ServerConfig>("host", AT(host), 255, "see below"),
      duration<ServerConfig>("resume_grace", AT(core.resume_grace), seconds{0}, hours{1}),
      duration<ServerConfig>("port_set_aside", AT(core.port_set_aside), seconds{0}, hours{1}),
  };
  return fields;
}

const std::vector<Field<ServerConfig>>& limits_fields() {
  static const std::vector<Field<ServerConfig>> fields{
      count<ServerConfig>("players_max", AT(core.players_max), 1, 1'000'000),
      count<ServerConfig>("sessions_max", AT(core.sessions_max), 1, 1'000'000),
      count<ServerConfig>("attributes_max", AT(core.attributes_max), 0, 256),
      count<ServerConfig>("party_size_max", AT(core.party_size_max), 1, 256),
      count<ServerConfig>("results_outstanding_max", AT(core.results_outstanding_max), 1,
                          1'000'000),
      duration<ServerConfig>("hello_timeout", AT(limits.hello_timeout), milliseconds{100},
                             minutes{10}),
      duration<ServerConfig>("frame_timeout", AT(limits.frame_timeout), milliseconds{100},
                             minutes{10}),
      duration<ServerConfig>("ping_interval", AT(limits.ping_interval), milliseconds{100},
                             hours{1}),
      duration<ServerConfig>("silence_timeout", AT(limits.silence_timeout), milliseconds{200},
                             hours{2}),
      bytes<ServerConfig>("message_bytes_max", AT(limits.message_bytes_max), 1u << 10, 1u << 20),
      count<ServerConfig>("messages_per_second", AT(limits.messages_per_second), 1, 100'000),
      bytes<ServerConfig>("outbound_bytes_max", AT(limits.outbound_bytes_max), 4u << 10, 64u << 20),
  };
  return fields;
}

const std::vector<Field<ServerConfig>>& journal_fields() {
  static const std::vector<Field<ServerConfig>> fields{
      boolean<ServerConfig>("enabled", AT(journal.enabled)),
      duration<ServerConfig>("sync_interval", AT(journal.sync_interval), milliseconds{0},
                             minutes{1}),
      bytes<ServerConfig>("segment_bytes_max", AT(journal.segment_bytes_max), 64u << 10, 1u << 30),
      bytes<ServerConfig>("snapshot_bytes", AT(journal.snapshot_bytes), 64u << 10,
                          std::uint64_t{4} << 30),
      count<ServerConfig>("snapshots_kept", AT(journal.snapshots_kept), 1, 100),
  };
  return fields;
}

const std::vector<Field<FleetConfig>>& fleet_fields() {
  static const std::vector<Field<FleetConfig>> fields{
      own_name<FleetConfig>(AT(name)),
      texts<FleetConfig>("command", AT(command), 256, 4096),
      variables<FleetConfig>("env", AT(env), 256, 32u << 10),
      text<FleetConfig>("working_directory", AT(working_directory), 4096, "the file's folder"),
      ports<FleetConfig>("ports", AT(ports)),
      choice<FleetConfig>(
          "sdk", AT(sdk),
          std::vector<std::pair<std::string_view, SdkKind>>{{"muster", SdkKind::muster},
                                                            {"classic", SdkKind::classic},
                                                            {"agones", SdkKind::agones},
                                                            {"none", SdkKind::none}}),
      protocol_field<FleetConfig>(),
      count<FleetConfig>("ready_min", AT(ready_min), 0, 10'000),
      count<FleetConfig>("ready_max", AT(ready_max), 0, 10'000),
      count<FleetConfig>("servers_max", AT(servers_max), 1, 10'000),
      duration<FleetConfig>("launch_timeout", AT(launch_timeout), milliseconds{100}, hours{1}),
      count<FleetConfig>("launch_attempts_max", AT(launch_attempts_max), 1, 100),
      choice<FleetConfig>("after_match", AT(after_match),
                          std::vector<std::pair<std::string_view, AfterMatch>>{
                              {"reuse", AfterMatch::reuse}, {"exit", AfterMatch::exit}}),
      duration<FleetConfig>("idle_timeout", AT(idle_timeout), seconds{0}, hours{24}),
      duration<FleetConfig>("scale_to_zero_after", AT(scale_to_zero_after), seconds{0}, hours{168}),
      count<FleetConfig>("crash_loop_after", AT(crash_loop_after), 0, 1000),
      duration<FleetConfig>("match_timeout", AT(match_timeout), seconds{0}, hours{168}),
      duration<FleetConfig>("stop_grace", AT(stop_grace), seconds{0}, minutes{10}),
      duration<FleetConfig>("health_timeout", AT(health_timeout), seconds{0}, hours{1}),
      boolean<FleetConfig>("fork", AT(fork)),
      bytes<FleetConfig>("log_bytes_max", AT(log_bytes_max), 64u << 10, 1u << 30),
      count<FleetConfig>("log_files_max", AT(log_files_max), 1, 100),
      counters<FleetConfig>("counters", AT(agones.counters)),
      lists<FleetConfig>("lists", AT(agones.lists)),
  };
  return fields;
}

const std::vector<Field<AgonesConfig>>& agones_fields() {
  static const std::vector<Field<AgonesConfig>> fields{
      boolean<AgonesConfig>("health", AT(health)),
      duration<AgonesConfig>("health_period", AT(health_period), seconds{1}, hours{1}),
      count<AgonesConfig>("health_failures_max", AT(health_failures_max), 1, 1000),
      duration<AgonesConfig>("health_initial_delay", AT(health_initial_delay), seconds{0},
                             hours{1}),
      count<AgonesConfig>("player_capacity", AT(player_capacity), 0, 1'000'000),
      boolean<AgonesConfig>("fixed_ports", AT(fixed_ports)),
  };
  return fields;
}

const std::vector<Field<ProcessLimits>>& fleet_limits_fields() {
  using L = ProcessLimits;
  static const std::vector<Field<L>> fields{
      no_limit(bytes<L>("memory", AT(memory_bytes), 1u << 20, std::uint64_t{1} << 40)),
      cores<L>("cpu", AT(cpu_thousandths), 50, 1'024'000),
      no_limit(count<L>("processes", AT(processes), 1, 1'000'000)),
      no_limit(count<L>("open_files", AT(open_files), 16, 1'000'000'000)),
      text<L>("user", AT(user), 32, "the lobby's own"),
      integer<L>("nice", AT(nice), -20, 19),
      boolean<L>("core_dumps", AT(core_dumps)),
      boolean<L>("no_new_privileges", AT(no_new_privileges)),
      boolean<L>("required", AT(required)),
  };
  return fields;
}

const std::vector<Field<NamedQueue>>& queue_fields() {
  static const std::vector<Field<NamedQueue>> fields{
      own_name<NamedQueue>(AT(queue.name)),
      other_name<NamedQueue>("fleet", AT(fleet), "required without regions"),
      count<NamedQueue>("players", AT(queue.players), 1, 256),
      count<NamedQueue>("teams", AT(queue.teams), 1, 256),
      count_or<NamedQueue>("players_min", AT(queue.players_min), "`players`"),
      boolean<NamedQueue>("bots", AT(queue.bots)),
      duration<NamedQueue>("ticket_timeout", AT(queue.ticket_timeout), seconds{1}, hours{24}),
      text<NamedQueue>("timeout_queue", AT(queue.timeout_queue), 32, "none: it expires"),
      boolean<NamedQueue>("requeue_on_server_lost", AT(queue.requeue_on_server_lost)),
      text<NamedQueue>("map", AT(queue.map), 128),
      whole<NamedQueue>("rating_default", AT(queue.rating_default), -core::rating_max,
                        core::rating_max),
      limit<NamedQueue>("rating_distance", AT(queue.rating_distance), 2 * core::rating_max),
      limit<NamedQueue>("team_rating_distance", AT(queue.team_rating_distance),
                        2 * core::rating_max),
      boolean<NamedQueue>("blocks", AT(queue.blocks)),
      count<NamedQueue>("avoid_recent", AT(queue.avoid_recent), 0, core::avoid_recent_max),
      limit<NamedQueue>("latency_max", AT(queue.latency_max), core::latency_ms_max),
      limit<NamedQueue>("latency_default", AT(queue.latency_default), core::latency_ms_max,
                        "none: latency_missing"),
      choice<NamedQueue>("rating", AT(queue.rating.system),
                         std::vector<std::pair<std::string_view, core::RatingSystem>>{
                             {"none", core::RatingSystem::none},
                             {"openskill", core::RatingSystem::openskill},
                             {"glicko2", core::RatingSystem::glicko2},
                             {"elo", core::RatingSystem::elo}}),
      choice<NamedQueue>(
          "rating_uses", AT(queue.rating.use),
          std::vector<std::pair<std::string_view, core::RatingUse>>{
              {"mean", core::RatingUse::mean}, {"conservative", core::RatingUse::conservative}}),
      scaled<NamedQueue>("rating_deviation", AT(queue.rating.deviation), 1, 1, 100'000,
                         "openskill: 500, glicko2: 350"),
      scaled<NamedQueue>("rating_beta", AT(queue.rating.beta), 1, 1, 100'000, "250"),
      scaled<NamedQueue>("rating_tau", AT(queue.rating.tau), 1000, 0, 1000,
                         "openskill: 5, glicko2: 0.5"),
      scaled<NamedQueue>("rating_k", AT(queue.rating.k), 1, 1, 1000, "32"),
      scaled<NamedQueue>("rating_volatility", AT(queue.rating.volatility), 1'000'000, 0.001, 1,
                         "0.06"),
      boolean<NamedQueue>("accounts_only", AT(queue.accounts_only)),
      choice<NamedQueue>("party_rating", AT(queue.party_rating),
                         std::vector<std::pair<std::string_view, core::PartyRating>>{
                             {"average", core::PartyRating::average},
                             {"highest", core::PartyRating::highest},
                             {"lowest", core::PartyRating::lowest}}),
      count<NamedQueue>("party_rating_bonus", AT(queue.party_rating_bonus), 0, 10'000),
      duration<NamedQueue>("accept_timeout", AT(queue.accept_timeout), seconds{0}, minutes{5}),
      duration<NamedQueue>("decline_penalty", AT(queue.decline_penalty), seconds{0}, hours{24}),
      duration<NamedQueue>("decline_penalty_max", AT(queue.decline_penalty_max), seconds{0},
                           hours{24}),
  };
  return fields;
}
#undef AT

constexpr std::array<std::string_view, 5> tables{"lobby", "limits", "journal", "fleet", "queue"};

ConfigLines read_named_ports(const toml::table& table, std::string_view name, FleetConfig& fleet,
                             ConfigProblems& problems) {
  return read_named_tables(
      table, name, problems,
      [&](const std::string& own, const toml::table& inner, const std::string& full, int line) {
        core::PortConfig& port = fleet.named_ports.emplace_back();
        port.name = own;
        if (!is_port_name(own))
          problems.error(line, full, "cannot be a port's name: 1 to 32 of a-z, 0-9 and _");
        return read_table(inner, full, port_fields(), port, problems);
      });
}

ConfigLines read_files(const toml::table& table, std::string_view name, FleetConfig& fleet,
                       ConfigProblems& problems) {
  return read_named_tables(
      table, name, problems,
      [&](const std::string& own, const toml::table& inner, const std::string& full, int) {
        core::FileConfig& file = fleet.files.emplace_back();
        file.path = own;
        return read_table(inner, full, file_fields(), file, problems);
      });
}

// ---- The tables inside a [[queue]].

constexpr std::array<std::string_view, 4> queue_tables{"team", "rule", "widen", "region"};

QueueParts read_queue_tables(const toml::table& table, QueueConfig& queue,
                             ConfigProblems& problems) {
  QueueParts parts;
  const auto each = [&](std::string_view name, const auto& fields, auto& out,
                        std::vector<ConfigLines>& lines) {
    for_each_table(
        table, name, fmt::format("queue.{}", name), problems, [&](const toml::table& one) {
          lines.push_back(
              read_table(one, fmt::format("queue.{}", name), fields, out.emplace_back(), problems));
        });
  };
  each("team", team_fields(), queue.team, parts.team_lines);
  each("rule", rule_fields(), parts.rules, parts.rule_lines);
  each("widen", widen_fields(), queue.widen, parts.widen_lines);
  each("region", region_fields(), parts.regions, parts.region_lines);
  return parts;
}

const std::vector<Subtable<FleetConfig>>& fleet_subtables() {
  static const std::vector<Subtable<FleetConfig>> subtables{
      {"limits",
       [](const toml::table& table, std::string_view name, FleetConfig& fleet,
          ConfigProblems& problems) {
         return read_table(table, name, fleet_limits_fields(), fleet.limits, problems);
       }},
      {"agones",
       [](const toml::table& table, std::string_view name, FleetConfig& fleet,
          ConfigProblems& problems) {
         return read_table(table, name, agones_fields(), fleet.agones, problems);
       }},
      {"ready",
       [](const toml::table& table, std::string_view name, FleetConfig& fleet,
          ConfigProblems& problems) {
         return read_table(table, name, ready_fields(), fleet.ready, problems);
       }},
      {"end",
       [](const toml::table& table, std::string_view name, FleetConfig& fleet,
          ConfigProblems& problems) {
         return read_table(table, name, end_fields(), fleet.end, problems);
       }},
      {"port", read_named_ports},
      {"files", read_files},
  };
  return subtables;
}

ConfigDraft read_draft(const toml::table& root, ConfigProblems& problems) {
  ConfigDraft draft;
  for (const auto& [key, node] : root)
    if (std::ranges::find(tables, key.str()) == tables.end())
      problems.error(
          line_of(key), fmt::format("{:.60}", key.str()),
          fmt::format(
              "there is no such table{}; there are [lobby], [limits], [journal], [[fleet]] and "
              "[[queue]]",
              did_you_mean(key.str(), tables)));
  if (const toml::table* lobby = table_at(root, "lobby", problems))
    draft.lobby = read_table(*lobby, "lobby", lobby_fields(), draft.config, problems);
  if (const toml::table* limits = table_at(root, "limits", problems))
    draft.limits = read_table(*limits, "limits", limits_fields(), draft.config, problems);
  if (const toml::table* journal = table_at(root, "journal", problems))
    read_table(*journal, "journal", journal_fields(), draft.config, problems);
  for_each_table(root, "fleet", "fleet", problems, [&](const toml::table& table) {
    FleetConfig& fleet = draft.config.core.fleets.emplace_back();
    draft.fleets.push_back(
        read_table(table, "fleet", fleet_fields(), fleet, problems, fleet_subtables()));
  });
  for_each_table(root, "queue", "queue", problems, [&](const toml::table& table) {
    NamedQueue named;
    draft.queues.push_back(
        read_table(table, "queue", queue_fields(), named, problems, {}, queue_tables));
    draft.queue_parts.push_back(read_queue_tables(table, named.queue, problems));
    draft.config.core.queues.push_back(std::move(named.queue));
    draft.queue_fleets.push_back(std::move(named.fleet));
  });
  return draft;
}

template <class T>
void add_keys(std::vector<ConfigKey>& keys, std::string_view table,
              const std::vector<Field<T>>& fields) {
  for (const Field<T>& f : fields)
    keys.push_back({std::string(table), f.name, f.type, f.fallback, f.range});
}

ConfigResult one_problem(const std::string& file, std::string text) {
  return std::unexpected(std::vector<ConfigProblem>{{file, 0, "", std::move(text), false}});
}

}  // namespace

std::string to_string(const ConfigProblem& problem) {
  std::string where = problem.file;
  if (problem.line > 0) where += fmt::format(":{}", problem.line);
  return fmt::format("{}: {}{}{}{}", where, problem.warning ? "warning: " : "", problem.key,
                     problem.key.empty() ? "" : ": ", problem.text);
}

ConfigResult parse_config(std::string_view text, const std::string& file, const fs::path& folder,
                          const Machine& machine) {
  ConfigProblems problems(file);
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    problems.error(static_cast<int>(error.source().begin.line), "",
                   std::string(error.description()));
    return std::unexpected(problems.take());
  }
  ConfigDraft draft = read_draft(parsed.table(), problems);
  check_config(draft, folder, machine, problems);
  const bool failed = problems.failed();
  std::vector<ConfigProblem> found = problems.take();
  if (failed) return std::unexpected(std::move(found));
  draft.config.warnings = std::move(found);
  return std::move(draft.config);
}

std::expected<std::string, std::string> read_config_text(const fs::path& file) {
  // A launch's message has what is in a configuration, so that is bounded too.
  constexpr std::size_t file_bytes_max = 256u << 10;
  std::error_code error;
  if (fs::is_directory(file, error)) return std::unexpected("is a folder, not a file");
  std::ifstream in(file, std::ios::binary);
  if (!in) return std::unexpected(fmt::format("cannot be read: {}", std::strerror(errno)));
  std::string text(file_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return std::unexpected("cannot be read to its end");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > file_bytes_max)
    return std::unexpected(fmt::format("is larger than {}", format_bytes(file_bytes_max)));
  return text;
}

ConfigResult load_config(const fs::path& file, const Machine& machine) {
  const auto text = read_config_text(file);
  if (!text) return one_problem(file.string(), text.error());
  std::error_code error;
  const fs::path whole = fs::absolute(file, error);
  ConfigResult config =
      parse_config(*text, file.string(), error ? fs::path(".") : whole.parent_path(), machine);
  if (!config) return config;
  config->file = error ? file : whole;
  config->sessions_max_asked = config->core.sessions_max;
  return config;
}

std::vector<ConfigKey> config_keys() {
  std::vector<ConfigKey> keys;
  add_keys(keys, "lobby", lobby_fields());
  add_keys(keys, "limits", limits_fields());
  add_keys(keys, "journal", journal_fields());
  add_keys(keys, "fleet", fleet_fields());
  add_keys(keys, "fleet.agones", agones_fields());
  add_keys(keys, "fleet.ready", ready_fields());
  add_keys(keys, "fleet.end", end_fields());
  add_keys(keys, "fleet.port.NAME", port_fields());
  add_keys(keys, "fleet.files", file_fields());
  add_keys(keys, "fleet.limits", fleet_limits_fields());
  add_keys(keys, "queue", queue_fields());
  add_keys(keys, "queue.team", team_fields());
  add_keys(keys, "queue.rule", rule_fields());
  add_keys(keys, "queue.widen", widen_fields());
  add_keys(keys, "queue.region", region_fields());
  return keys;
}

}  // namespace muster::server
