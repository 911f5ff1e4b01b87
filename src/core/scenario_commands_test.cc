// What the lines of a scenario mean.
#include <charconv>
#include <stdexcept>

#include "core/invariants.h"
#include "core/scenario_test.h"
#include "core/state.h"

namespace muster::core {
namespace {

template <class T>
T number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw std::runtime_error(std::string(text) + " is no number that fits");
  return value;
}

template <class T>
T number_or(const ScenarioLine& line, std::string_view key, T otherwise) {
  const auto text = line.value(key);
  return text ? number<T>(*text) : otherwise;
}

template <class IdType>
IdType id_of(std::string_view text) {
  const auto id = parse_id<IdType>(text);
  if (!id) throw std::runtime_error(std::string(text) + " is no id");
  return *id;
}

PortRange ports_of(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == text.npos) return {number<std::uint16_t>(text), number<std::uint16_t>(text)};
  return {number<std::uint16_t>(text.substr(0, dash)),
          number<std::uint16_t>(text.substr(dash + 1))};
}

/// "27000-27009", or "+1": that much above the main port.
PortConfig named_port_of(const std::string& name, const std::string& text) {
  PortConfig port;
  port.name = name;
  if (text.starts_with('+'))
    port.offset = number<std::uint16_t>(text.substr(1));
  else
    port.ports = ports_of(text);
  return port;
}

NamedPorts named_ports_of(const ScenarioLine& line) {
  NamedPorts ports;
  for (const auto& [key, text] : line.values)
    if (key.starts_with("port.")) ports.push_back({key.substr(5), number<std::uint16_t>(text)});
  return ports;
}

void configure_fleet(Config& config, const ScenarioLine& line) {
  FleetConfig& fleet = config.fleets.emplace_back();
  fleet.name = line.word(1);
  fleet.command = {"server", "{port}"};
  for (const auto& [key, text] : line.values) {
    if (key == "ports")
      fleet.ports = ports_of(text);
    else if (key == "sdk")
      fleet.sdk = text == "classic"  ? SdkKind::classic
                  : text == "agones" ? SdkKind::agones
                  : text == "none"   ? SdkKind::none
                                     : SdkKind::muster;
    else if (key.starts_with("port."))
      fleet.named_ports.push_back(named_port_of(key.substr(5), text));
    else if (key == "end.idle")
      fleet.end.idle = parse_duration(text);
    else if (key == "end.first_player_timeout")
      fleet.end.first_player_timeout = parse_duration(text);
    else if (key == "ready_min")
      fleet.ready_min = number<std::uint32_t>(text);
    else if (key == "servers_max")
      fleet.servers_max = number<std::uint32_t>(text);
    else if (key == "launch_timeout")
      fleet.launch_timeout = parse_duration(text);
    else if (key == "launch_attempts_max")
      fleet.launch_attempts_max = number<std::uint32_t>(text);
    else if (key == "after_match")
      fleet.after_match = text == "exit" ? AfterMatch::exit : AfterMatch::reuse;
    else if (key == "idle_timeout")
      fleet.idle_timeout = parse_duration(text);
    else if (key == "ready_max")
      fleet.ready_max = number<std::uint32_t>(text);
    else if (key == "scale_to_zero_after")
      fleet.scale_to_zero_after = parse_duration(text);
    else if (key == "crash_loop_after")
      fleet.crash_loop_after = number<std::uint32_t>(text);
    else if (key == "command")
      fleet.command = {text, "{port}"};
    else if (key == "match_timeout")
      fleet.match_timeout = parse_duration(text);
    else if (key == "stop_grace")
      fleet.stop_grace = parse_duration(text);
    else
      throw std::runtime_error("a fleet has no " + key);
  }
}

/// "a:b:c" has a, b and c.
std::vector<std::string> parts_of(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == text.npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// "NAME:SEATS" or "NAME:SEATS:COUNT"; either may be "LEAST-MOST".
TeamConfig team_of(std::string_view text) {
  const auto parts = parts_of(text, ':');
  if (parts.size() < 2) throw std::runtime_error("team=NAME:SEATS");
  TeamConfig team;
  team.name = parts[0];
  const auto read = [](const std::string& part, std::uint32_t& most,
                       std::optional<std::uint32_t>& least) {
    const auto dash = part.find('-');
    if (dash != part.npos) least = number<std::uint32_t>(part.substr(0, dash));
    most = number<std::uint32_t>(dash == part.npos ? part : part.substr(dash + 1));
  };
  read(parts[1], team.players, team.players_min);
  if (parts.size() > 2) read(parts[2], team.count, team.count_min);
  return team;
}

/// "ATTRIBUTE:KIND:LIMIT", in whole numbers, or "ATTRIBUTE:KIND:VALUE,VALUE".
RuleConfig rule_of(std::string_view text) {
  const auto parts = parts_of(text, ':');
  if (parts.size() != 3) throw std::runtime_error("rule=ATTRIBUTE:KIND:LIMIT or VALUES");
  RuleConfig rule{parts[0], parts[0], RuleKind::equal, {}, 0};
  if (parts[1] == "equal" || parts[1] == "any_of") {
    rule.kind = parts[1] == "equal" ? RuleKind::equal : RuleKind::any_of;
    rule.values = parts_of(parts[2], ',');
    return rule;
  }
  if (parts[1] == "distance")
    rule.kind = RuleKind::distance;
  else if (parts[1] == "min")
    rule.kind = RuleKind::min;
  else if (parts[1] == "max")
    rule.kind = RuleKind::max;
  else
    throw std::runtime_error("a rule is equal, any_of, distance, min or max");
  rule.limit = 1000 * number<std::int64_t>(parts[2]);
  return rule;
}

/// "LIMIT:AFTER:TO"; its rule stands before it.
WidenConfig widen_of(const QueueConfig& queue, std::string_view text) {
  const auto parts = parts_of(text, ':');
  if (parts.size() != 3) throw std::runtime_error("widen=LIMIT:AFTER:TO");
  WidenConfig widen{parts[0], parse_duration(parts[1]), number<std::int64_t>(parts[2])};
  for (const RuleConfig& rule : queue.rules)
    if (rule.name == widen.limit) widen.to *= 1000;
  return widen;
}

std::uint32_t fleet_of(const Config& config, std::string_view name) {
  std::uint32_t fleet = 0;
  while (fleet < config.fleets.size() && config.fleets[fleet].name != name) ++fleet;
  return fleet;
}

/// "NAME:FLEET"
RegionConfig region_of(const Config& config, std::string_view text) {
  const auto parts = parts_of(text, ':');
  if (parts.size() != 2) throw std::runtime_error("region=NAME:FLEET");
  return {parts[0], fleet_of(config, parts[1])};
}

void configure_queue(Config& config, const ScenarioLine& line) {
  QueueConfig& queue = config.queues.emplace_back();
  queue.name = line.word(1);
  queue.requeue_on_server_lost = line.flag("requeue_on_server_lost");
  queue.bots = line.flag("bots");
  queue.accounts_only = line.flag("accounts_only");
  queue.blocks = line.flag("blocks");
  for (const auto& [key, text] : line.values) {
    if (key == "fleet") {
      queue.fleet = fleet_of(config, text);
    } else if (key == "players") {
      queue.players = number<std::uint32_t>(text);
    } else if (key == "teams") {
      queue.teams = number<std::uint32_t>(text);
    } else if (key == "ticket_timeout") {
      queue.ticket_timeout = parse_duration(text);
    } else if (key == "map") {
      queue.map = text;
    } else if (key == "players_min") {
      queue.players_min = number<std::uint32_t>(text);
    } else if (key == "timeout_queue") {
      queue.timeout_queue = text;
    } else if (key == "rating_default") {
      queue.rating_default = number<Rating>(text);
    } else if (key == "rating_distance") {
      queue.rating_distance = number<std::uint32_t>(text);
    } else if (key == "team_rating_distance") {
      queue.team_rating_distance = number<std::uint32_t>(text);
    } else if (key == "rating") {
      queue.rating.system = text == "elo"       ? RatingSystem::elo
                            : text == "glicko2" ? RatingSystem::glicko2
                                                : RatingSystem::openskill;
    } else if (key == "rating_deviation") {
      queue.rating.deviation = number<std::uint32_t>(text);
    } else if (key == "rating_uses") {
      queue.rating.use = text == "mean" ? RatingUse::mean : RatingUse::conservative;
    } else if (key == "party_rating") {
      queue.party_rating = text == "highest"  ? PartyRating::highest
                           : text == "lowest" ? PartyRating::lowest
                                              : PartyRating::average;
    } else if (key == "party_rating_bonus") {
      queue.party_rating_bonus = number<std::uint32_t>(text);
    } else if (key == "accept_timeout") {
      queue.accept_timeout = parse_duration(text);
    } else if (key == "decline_penalty") {
      queue.decline_penalty = parse_duration(text);
    } else if (key == "decline_penalty_max") {
      queue.decline_penalty_max = parse_duration(text);
    } else if (key == "team") {
      queue.team.push_back(team_of(text));
    } else if (key == "rule") {
      queue.rules.push_back(rule_of(text));
    } else if (key == "avoid_recent") {
      queue.avoid_recent = number<std::uint32_t>(text);
    } else if (key == "region") {
      queue.region.push_back(region_of(config, text));
    } else if (key == "latency_max") {
      queue.latency_max = number<std::uint32_t>(text);
    } else if (key == "latency_default") {
      queue.latency_default = number<std::uint32_t>(text);
    } else if (key == "widen") {
      queue.widen.push_back(widen_of(queue, text));
    } else {
      throw std::runtime_error("a queue has no " + key);
    }
  }
  if (!queue.region.empty()) queue.fleet = queue.region.front().fleet;
  if (!queue.team.empty()) queue.players = queue.teams = 0;
  for (const TeamConfig& team : queue.team)
    queue.players += team.players * team.count, queue.teams += team.count;
  if (queue.fleet >= config.fleets.size()) throw std::runtime_error("its fleet stands before it");
}

std::vector<RegionLatency> latency_of(const ScenarioLine& line) {
  std::vector<RegionLatency> latency;
  for (const auto& [key, text] : line.values)
    if (key.starts_with("ms.")) latency.push_back({key.substr(3), number<std::uint32_t>(text)});
  return latency;
}

std::vector<Attribute> attributes_of(const ScenarioLine& line) {
  std::vector<Attribute> attributes;
  for (const auto& [key, text] : line.values) {
    if (!key.starts_with("attr.")) continue;
    Attribute& attribute = attributes.emplace_back();
    attribute.name = key.substr(5);
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size())
      attribute.value = value;
    else if (text.find(',') != text.npos)
      attribute.value = parts_of(text, ',');
    else
      attribute.value = text;
  }
  return attributes;
}

/// "MEAN:DEVIATION" or "MEAN:DEVIATION:CHANGE".
std::tuple<Rating, std::uint32_t, std::int32_t> rating_of(std::string_view text) {
  const auto parts = parts_of(text, ':');
  if (parts.size() < 2) throw std::runtime_error("a rating is MEAN:DEVIATION[:CHANGE]");
  return {number<Rating>(parts[0]), number<std::uint32_t>(parts[1]),
          parts.size() > 2 ? number<std::int32_t>(parts[2]) : 0};
}

/// ACCOUNT=MEAN:DEVIATION:CHANGE, each.
std::vector<AccountRating> account_ratings_of(const ScenarioLine& line) {
  std::vector<AccountRating> ratings;
  for (const auto& [account, text] : line.values) {
    const auto [mean, deviation, change] = rating_of(text);
    ratings.push_back({number<std::int64_t>(account), mean, deviation, change});
  }
  return ratings;
}

LaunchError launch_error_of(const ScenarioLine& line) {
  if (line.flag("port_taken")) return LaunchError::port_taken;
  if (line.flag("limit_reached")) return LaunchError::limit_reached;
  if (line.flag("command_failed")) return LaunchError::command_failed;
  throw std::runtime_error("port_taken, limit_reached or command_failed?");
}

ForkParentState fork_parent_state_of(const ScenarioLine& line) {
  for (const auto state :
       {ForkParentState::loading, ForkParentState::loaded, ForkParentState::failed})
    if (line.flag(to_string(state))) return state;
  throw std::runtime_error("loading, loaded or failed?");
}

}  // namespace

ScenarioLine::ScenarioLine(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size()) {
    if (line[at] == ' ') {
      ++at;
      continue;
    }
    std::string word;
    std::size_t equals = std::string::npos;
    bool was_quoted = false;
    for (bool quoted_now = false; at < line.size() && (quoted_now || line[at] != ' '); ++at) {
      if (line[at] == '"') {
        quoted_now = !quoted_now;
        was_quoted = true;
        continue;
      }
      if (line[at] == '=' && !quoted_now && equals == std::string::npos) equals = word.size();
      word += line[at];
    }
    if (equals != std::string::npos)
      values.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    else
      (was_quoted ? quoted : words).push_back(std::move(word));
  }
}

const std::string& ScenarioLine::word(std::size_t index) const {
  if (index >= words.size()) throw std::runtime_error("a word is missing");
  return words[index];
}

bool ScenarioLine::flag(std::string_view word) const {
  for (std::size_t i = 1; i < words.size(); ++i)
    if (words[i] == word) return true;
  return false;
}

std::optional<std::string> ScenarioLine::value(std::string_view key) const {
  for (const auto& [k, v] : values)
    if (k == key) return v;
  return std::nullopt;
}

std::string ScenarioLine::text() const { return quoted.empty() ? std::string{} : quoted.front(); }

Duration parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (error == std::errc{}) {
    if (unit == "ms") return milliseconds{count};
    if (unit == "s") return seconds{count};
    if (unit == "m") return minutes{count};
    if (unit == "h") return std::chrono::hours{count};
    if (unit.empty() && count == 0) return Duration::zero();
  }
  throw std::runtime_error(std::string(text) + " is no duration: 500ms, 30s, 10m, 1h");
}

void configure(Config& config, const ScenarioLine& line) {
  if (line.word(0) == "fleet") return configure_fleet(config, line);
  if (line.word(0) == "queue") return configure_queue(config, line);
  for (const auto& [key, text] : line.values) {
    if (key == "players_max")
      config.players_max = number<std::uint32_t>(text);
    else if (key == "sessions_max")
      config.sessions_max = number<std::uint32_t>(text);
    else if (key == "resume_grace")
      config.resume_grace = parse_duration(text);
    else if (key == "attributes_max")
      config.attributes_max = number<std::uint32_t>(text);
    else if (key == "port_set_aside")
      config.port_set_aside = parse_duration(text);
    else if (key == "classic_queue")
      config.classic_queue = text;
    else if (key == "party_size_max")
      config.party_size_max = number<std::uint32_t>(text);
    else if (key == "results_outstanding_max")
      config.results_outstanding_max = number<std::uint32_t>(text);
    else
      throw std::runtime_error("the lobby has no " + key);
  }
}

std::function<std::unique_ptr<State>(const State&)> scenario_through_bytes;

Scenario::Scenario(Config config) : config_(config), core_(std::move(config)) {}

std::string Scenario::play(std::string_view text, const std::vector<std::string>& indented) {
  out_.clear();
  if (text.starts_with('+')) {
    advance(parse_duration(text.substr(1)));
    return std::move(out_);
  }
  const ScenarioLine line(text);
  if (line.word(0) == "why") {
    print_why(core_.state().players[player(line.word(1))].ticket);
    return std::move(out_);
  }
  if (line.words.size() == 1 && show(line.word(0))) return std::move(out_);
  if (line.word(0) == "connect") {
    std::string all;
    for (std::size_t i = 1; i < line.words.size(); ++i) {
      all += play("open " + line.words[i] + (line.value("dialect") == "classic" ? " classic" : ""),
                  {});
      all += play("hello " + line.words[i] + " " + line.words[i], {});
    }
    return all;
  }
  if (line.word(0) == "lobby-started") {  // Nothing fell due meanwhile: nobody was there to see.
    const Duration down = parse_duration(line.value("down").value_or("30s"));
    now_ += down;
    step(LobbyStarted{down});
    return std::move(out_);
  }
  const auto event = event_of(line, indented);
  if (!event) throw std::runtime_error("there is no such command");
  // Nothing in the world happens at the very same instant.
  advance(milliseconds{1});
  step(*event);
  return std::move(out_);
}

/// As the server does: the core is woken when it asked to be, not before and not much after.
void Scenario::advance(Duration duration) {
  const Time until = now_ + duration;
  while (const auto due = core_.next_deadline()) {
    if (*due > until) break;
    now_ = std::max(now_, *due);
    const std::size_t before = out_.size();
    step(DeadlineReached{});
    if (out_.size() != before)
      out_.insert(before, "at " + print_duration(now_.time_since_epoch()) + '\n');
  }
  now_ = until;
}

void Scenario::step(const Event& event) {
  Effects effects;
  core_.step(event, now_, effects);
  check_invariants(core_.state());
  if (scenario_through_bytes) {
    const std::uint64_t digest = core_.digest();
    auto loaded = scenario_through_bytes(core_.state());
    if (!loaded) throw std::runtime_error("a state was saved that cannot be loaded");
    core_ = Core(std::move(loaded));
    if (core_.digest() != digest) throw std::runtime_error("a loaded state has another digest");
  }
  history_.emplace_back(event, now_);
  for (const Effect& effect : effects) print(effect);
}

bool Scenario::replays() const {
  Core other(config_);
  Effects effects;
  for (const auto& [event, time] : history_) other.step(event, time, effects);
  return other.digest() == core_.digest();
}

std::optional<Event> Scenario::event_of(const ScenarioLine& line,
                                        const std::vector<std::string>& indented) {
  const std::string& command = line.word(0);
  if (command == "open") {
    const std::string& name = line.word(1);
    const SessionId id{static_cast<std::uint32_t>(session_names_.size()), 1};
    sessions_[name] = id;
    session_names_[id] = name;
    return SessionOpened{id, !line.flag("classic")};
  }
  if (command == "node-connected") return node_connected(line, indented);
  if (command == "reload") {
    auto config = std::make_shared<Config>();
    for (const std::string& text : indented) configure(*config, ScenarioLine(text));
    return ConfigReloaded{std::move(config)};
  }
  if (command == "clear") return ClearFleet{line.word(1)};
  if (command == "drain" || command == "undrain") {
    const bool draining = command == "drain";
    const std::string& name = line.word(2);
    if (line.word(1) == "fleet") return DrainFleet{name, draining};
    if (line.word(1) == "node") return DrainNode{name, draining};
    if (line.word(1) == "server") return DrainServer{server(name), draining};
    throw std::runtime_error("a fleet, a node or a server?");
  }
  if (command == "node-lost") {
    const auto node = nodes_.find(line.word(1));
    if (node == nodes_.end()) throw std::runtime_error("no such node");
    return NodeLost{node->second};
  }
  if (command == "reported")
    return NodeReported{nodes_.at(line.word(1)), number<std::uint64_t>(line.word(2))};
  if (command == "rating")
    return SetRating{player(line.word(1)), line.word(2), number<Rating>(line.word(3))};
  if (command == "recorded")
    return ResultRecorded{number<std::uint64_t>(line.word(1)), account_ratings_of(line)};
  if (command == "ratings") return RatingsChanged{line.word(1), account_ratings_of(line)};
  if (command == "banned") return AccountBanned{number<std::int64_t>(line.word(1))};
  if (command == "lobby-stopping") return LobbyStopping{line.flag("stop_servers")};
  if (auto event = session_event(line)) return event;
  return server_event(line);
}

std::optional<Event> Scenario::session_event(const ScenarioLine& line) {
  const std::string& command = line.word(0);
  const auto request = [&](SessionId id) { return ++requests_[id]; };
  if (command == "close") return SessionClosed{session(line)};
  if (command == "hello") {
    Secret secret;
    secret.fill(++secrets_);
    const std::string name = line.quoted.empty() ? line.word(2) : line.text();
    Hello event{session(line), request(session(line)), name, secret};
    event.account = number_or<std::int64_t>(line, "account", 0);
    for (const auto& [key, text] : line.values)
      if (key.starts_with("rating.")) {
        const auto [mean, deviation, change] = rating_of(text);
        event.ratings.push_back({key.substr(7), mean, deviation});
      }
    return event;
  }
  if (command == "resume") {
    ResumeSession event{session(line), request(session(line)), {}, {}};
    if (const auto known = players_.find(line.word(2)); known != players_.end()) {
      event.player = known->second.id;
      event.secret = known->second.secret;
    } else {
      event.player = id_of<PlayerId>(line.word(2));
    }
    if (line.flag("wrong_secret")) event.secret.back() ^= 1;
    return event;
  }
  if (command == "start") {
    StartMatch event{session(line),       request(session(line)),
                     line.word_or(2, {}), number_or<std::int32_t>(line, "seats", 1),
                     attributes_of(line), latency_of(line)};
    for (const auto& [key, text] : line.values)
      if (key == "blocked") {
        event.blocked.emplace();
        for (const std::string& name : parts_of(text, ','))
          if (!name.empty()) event.blocked->push_back(player(name));
      }
    return event;
  }
  if (command == "cancel") return CancelMatch{session(line), request(session(line))};
  if (command == "leave") return LeaveMatch{session(line), request(session(line))};
  if (auto event = party_event(line)) return event;
  if (command == "accept") return AcceptMatch{session(line), request(session(line))};
  if (command == "decline") return DeclineMatch{session(line), request(session(line))};
  if (command == "classic-login")
    return ClassicServerLogin{session(line), number_or<std::uint16_t>(line, "port", 0)};
  if (command == "classic-reset") return ClassicServerReset{session(line)};
  if (command == "verified") return OwnerVerified{session(line), server(line.word(2)), true, {}};
  if (command == "not-verified")
    return OwnerVerified{session(line), server(line.word(2)), false, line.text()};
  return std::nullopt;
}

std::optional<Event> Scenario::party_event(const ScenarioLine& line) {
  const std::string& command = line.word(0);
  if (!command.starts_with("party-")) return std::nullopt;
  const SessionId id = session(line);
  const std::uint32_t request = ++requests_[id];
  if (command == "party-create") return CreateParty{id, request, line.word(2)};
  if (command == "party-join") return JoinParty{id, request, line.word(2)};
  if (command == "party-leave") return LeaveParty{id, request};
  if (command == "party-kick") return KickFromParty{id, request, player(line.word(2))};
  if (command == "party-promote") return PromoteInParty{id, request, player(line.word(2))};
  if (command == "party-attributes") return SetPartyAttributes{id, request, attributes_of(line)};
  return std::nullopt;
}

std::optional<Event> Scenario::server_event(const ScenarioLine& line) {
  const std::string& command = line.word(0);
  const auto id = [&] { return server(line.word(1)); };
  if (command == "launched")
    return ServerLaunched{id(), number_or<std::uint32_t>(line, "pid", 100), line.flag("forked")};
  if (command == "fork-parent")
    return ForkParentChanged{line.word(1), fork_parent_state_of(line),
                             number_or<std::uint32_t>(line, "pid", 0), line.text()};
  if (command == "launch-failed")
    return LaunchFailed{id(), launch_error_of(line), line.text(),
                        number_or<std::uint16_t>(line, "port", 0)};
  if (command == "ready") return ServerReady{id()};
  if (command == "exited") {
    const auto signal = number_or<std::int32_t>(line, "signal", 0);
    return ServerExited{id(),
                        number_or<std::int32_t>(line, "code", signal == 0 ? 0 : -1),
                        signal,
                        line.text(),
                        line.value("result").value_or(""),
                        standings(line),
                        line.flag("unknown")};
  }
  if (command == "unhealthy") return ServerUnhealthy{id(), line.text()};
  if (command == "noted") return ServerNoted{id(), line.text()};
  if (command == "counted") return PlayersCounted{id(), number<std::uint32_t>(line.word(2))};
  if (command == "joined") return PlayerJoined{id(), player(line.word(2))};
  if (command == "left") return PlayerLeft{id(), player(line.word(2))};
  if (command == "match-over") {
    MatchOver event{id(), {}, line.text(), standings(line)};
    if (const auto match = line.value("match"))
      event.match = id_of<MatchId>(*match);
    else if (const Server* found = core_.state().servers.find(event.server))
      if (const Match* running = core_.state().matches.find(found->match))
        event.match = running->known_as ? running->known_as : found->match;
    return event;
  }
  if (command == "allocates-itself") return ServerAllocated{id()};
  if (command == "reserves-itself") {
    ServerReserved event{id(), {}, line.text(), standings(line)};
    if (const auto match = line.value("match")) event.match = id_of<MatchId>(*match);
    return event;
  }
  if (command == "shutdown-wish") return ShutdownRequested{id(), line.text(), standings(line)};
  if (command == "stop-server") return StopServerCommand{id()};
  return std::nullopt;
}

/// rank.PLAYER=RANK[:PLAYED] or rank.team0=…, in order; PLAYED in thousandths.
std::vector<Standing> Scenario::standings(const ScenarioLine& line) const {
  std::vector<Standing> out;
  for (const auto& [key, text] : line.values) {
    if (!key.starts_with("rank.")) continue;
    Standing& standing = out.emplace_back();
    const std::string whose = key.substr(5);
    if (whose.starts_with("team"))
      standing.team = number<std::uint32_t>(whose.substr(4));
    else
      standing.player = player(whose);
    const auto parts = parts_of(text, ':');
    standing.rank = number<std::uint32_t>(parts[0]);
    if (parts.size() > 1) standing.played = number<std::uint32_t>(parts[1]);
  }
  return out;
}

Event Scenario::node_connected(const ScenarioLine& line, const std::vector<std::string>& indented) {
  const NodeId id{0, static_cast<std::uint32_t>(node_names_.size() + 1)};
  nodes_[line.word(1)] = id;
  node_names_[id] = line.word(1);
  NodeConnected event{
      id, line.value("name").value_or("box"), line.value("host").value_or("127.0.0.1"), {}, {}};
  event.run = line.value("run").value_or("");
  event.reported = number_or<std::uint64_t>(line, "reported", 0);
  for (const std::string& text : indented) {
    const ScenarioLine report(text);
    if (report.word(0) != "server") throw std::runtime_error("a node reports servers");
    event.servers.push_back(
        {server(report.word(1)), report.value("fleet").value_or(""),
         number_or<std::uint16_t>(report, "port", 0), number_or<std::uint32_t>(report, "pid", 100),
         report.flag("ready"),
         report.value("match") ? id_of<MatchId>(*report.value("match")) : MatchId{},
         version_of(report), report.flag("reserved"), report.flag("allocated"),
         report.flag("forked"), named_ports_of(report),
         number_or<std::uint32_t>(report, "players", 0)});
  }
  return event;
}

/// Of the fleet it names, unless it says another.
std::uint32_t Scenario::version_of(const ScenarioLine& report) const {
  if (const auto version = report.value("version")) return number<std::uint32_t>(*version);
  const State& s = core_.state();
  for (FleetIndex i = 0; i < s.fleets.size(); ++i)
    if (s.config.fleets[i].name == report.value("fleet")) return s.fleets[i].version;
  return 0;
}

SessionId Scenario::session(const ScenarioLine& line) const {
  const auto found = sessions_.find(line.word(1));
  if (found == sessions_.end()) throw std::runtime_error("no such session");
  return found->second;
}

ServerId Scenario::server(const std::string& name) const {
  const auto found = launched_.find(name);
  return found == launched_.end() ? id_of<ServerId>(name) : found->second;
}

PlayerId Scenario::player(const std::string& name) const {
  const auto found = players_.find(name);
  return found == players_.end() ? id_of<PlayerId>(name) : found->second.id;
}

std::string ScenarioLine::word_or(std::size_t index, std::string otherwise) const {
  return index < words.size() ? words[index] : std::move(otherwise);
}

}  // namespace muster::core
