#include "sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/invariants.h"
#include "sim/match_laws.h"

namespace muster::sim {

using core::milliseconds;
using core::minutes;
using core::seconds;

namespace {

Setting drawn(std::uint64_t seed, const WorldOptions& options) {
  Setting setting = draw_setting(seed);
  if (options.people_max > 0)
    setting.crowd.people = std::min(setting.crowd.people, options.people_max);
  for (const std::string& fault : options.without) switch_off(setting.faults, fault);
  return setting;
}

}  // namespace

std::string command_of(std::uint64_t seed, const WorldOptions& options) {
  std::string command = fmt::format("muster sim --seed {} --minutes {}", seed, options.minutes);
  if (options.people_max > 0) command += fmt::format(" --people {}", options.people_max);
  for (std::size_t i = 0; i < options.without.size(); ++i)
    command += (i == 0 ? " --without " : ",") + options.without[i];
  return command;
}

World::World(std::uint64_t seed, const WorldOptions& options)
    : seed_(seed),
      options_(options),
      setting_(drawn(seed, options)),
      rates_(setting_.faults.rates),
      prng_(seed ^ 0x77697265),
      core_(std::make_unique<core::Core>(setting_.config)),
      laws_(std::make_unique<Laws>(setting_, report_)),
      machine_(*this, seed ^ 0x6d616368),
      crowd_(*this, seed ^ 0x63726f77),
      recorder_(*this, seed ^ 0x7265636f),
      fault_source_(*this, seed ^ 0x6661756c) {}

World::~World() = default;

std::unique_ptr<World> World::replay() const { return std::make_unique<World>(seed_, options_); }

void World::run() {
  try {
    live();
  } catch (const LawBroken& broken) {
    throw LawBroken(fmt::format("broken law: {}\n{}", broken.what(), context()));
  }
  history_.fold(core_->digest());
  for (const std::uint64_t unseed : {prng_.next(), machine_.unseed(), crowd_.unseed(),
                                     recorder_.unseed(), fault_source_.unseed()})
    history_.fold(unseed);
  report_.runs = 1;
  report_.virtual_time = now_.time_since_epoch();
}

std::string World::context() const {
  return fmt::format(
      "seed {}, virtual time {}; the last events and effects:\n{}"
      "drawn:\n{}now:\n{}repeat it: {}{}\n",
      seed_, to_text(now_), history_.tail(), to_text(setting_), to_text(state()),
      command_of(seed_, options_), options_.canary_drops_assignment ? " (with the canary)" : "");
}

// ---- The run.

void World::live() {
  machine_.connect();
  crowd_.start();
  fault_source_.start();
  run_for(minutes{options_.minutes});
  heal();
  if (seed_ % 4 != 0) {  // Else the lobby stops with everybody there.
    settle_with_players();
    settle_without_players();
  }
  stop_lobby();
}

/// Nothing goes wrong any more. What has gone wrong may still show for a while.
void World::heal() {
  note("healing: faults have stopped");
  death_ = Death::none;
  rates_ = {};
  fault_source_.heal();
  machine_.heal();
  step(core::DrainNode{"node", false});
  for (std::size_t i = 0; i < state().fleets.size(); ++i)
    if (state().fleets[i].draining) step(core::DrainFleet{state().config.fleets[i].name, false});
  run_for(minutes{2});
  laws_->expect_no_failures();
  run_for(minutes{1});
}

void World::settle_with_players() {
  note("nobody starts a match any more");
  crowd_.quiet();
  wait_until(minutes{30}, "every match that was formed is played and ends",
             [&] { return state().matches.empty(); });
  wait_until(minutes{1}, "every result that a lobby took is recorded, and it hears so",
             [&] { return state().results.empty() && recorder_.owes_nothing(); });
  wait_until(minutes{2}, "servers of an old version go when their matches are over", [&] {
    bool outdated = false;
    state().servers.for_each([&](core::ServerId, const core::Server& server) {
      outdated |= server.version != state().fleets[server.fleet].version;
    });
    return !outdated;
  });
}

bool World::warm_only(core::FleetIndex index, bool forever) const {
  const core::FleetConfig& config = state().config.fleets[index];
  const core::Fleet& fleet = state().fleets[index];
  if (fleet.removed) return fleet.servers == 0;
  // A reload may have given it a port that another fleet's server has, and keeps; or taken one that
  // a server of its own keeps.
  std::uint32_t ports = core::servers_by_ports(config);
  state().servers.for_each([&](core::ServerId, const core::Server& server) {
    const bool inside = config.ports.first <= server.port && server.port <= config.ports.last;
    if (server.fleet == index && !inside) ++ports;
    if (server.fleet != index && inside && ports > 0) --ports;
  });
  // And one of its own may have a port that is not in its range any more.
  const std::uint32_t wanted = fleet.asleep ? 0 : std::min(config.ready_min, config.servers_max);
  const std::uint32_t warm = std::min(wanted, ports);
  const bool idles_forever = config.idle_timeout == Duration::zero() && !forever;
  return fleet.ready.size() == fleet.servers && fleet.waiting.empty() && fleet.servers >= warm &&
         (fleet.servers <= wanted || idles_forever);
}

void World::settle_without_players() {
  note("everybody leaves");
  crowd_.leave();
  const auto empty = [&](bool forever) {
    if (state().tickets.size() + state().matches.size() + state().players.size() > 0) return false;
    for (core::FleetIndex i = 0; i < state().fleets.size(); ++i)
      if (!warm_only(i, forever)) return false;
    return machine_.processes() == state().servers.size();
  };
  wait_until(minutes{20}, "once everybody has left, warm servers remain and nothing else",
             [&] { return empty(false); });
  // Where Ready servers may idle forever, the operator sends them home.
  std::vector<core::ServerId> idle;
  state().servers.for_each([&](core::ServerId id, const core::Server& server) {
    if (state().config.fleets[server.fleet].idle_timeout == Duration::zero()) idle.push_back(id);
  });
  for (const core::ServerId id : idle) step(core::StopServerCommand{id});
  wait_until(minutes{5}, "once idle servers are stopped, warm servers remain and nothing else",
             [&] { return empty(true); });
  settle_drained();
}

void World::settle_drained() {
  note("a fleet is drained");
  const core::FleetIndex index = prng_.below(static_cast<std::uint32_t>(state().fleets.size()));
  if (state().fleets[index].removed) return;
  const std::string name = state().config.fleets[index].name;
  step(core::DrainFleet{name, true});
  wait_until(minutes{5}, "a drained fleet ends without game servers",
             [&] { return state().fleets[index].servers == 0; });
  step(core::DrainFleet{name, false});
  wait_until(minutes{5}, "a fleet that is not drained any more is warm again",
             [&] { return warm_only(index, true); });
}

void World::stop_lobby() {
  note("the lobby stops");
  step(core::LobbyStopping{true});
  wait_until(minutes{5}, "a lobby that stops has no servers, tickets or matches in the end", [&] {
    return state().servers.empty() && state().tickets.empty() && state().matches.empty() &&
           machine_.processes() == 0;
  });
  run_for(seconds{30});  // Whoever still wishes to play is refused.
  crowd_.leave();
  wait_until(minutes{5}, "nobody is remembered for longer than resume_grace",
             [&] { return state().players.size() == 0 && state().sessions.size() == 0; });
  for (const core::Fleet& fleet : state().fleets)
    if (fleet.ports.used_count() > 0) throw LawBroken("without servers, all ports are free");
}

// ---- Virtual time.

void World::after(Duration delay, std::function<void()> f) {
  queue_.push_back({now_ + delay, next_sequence_++, std::move(f)});
  std::push_heap(queue_.begin(), queue_.end(), later);
}

void World::run_for(Duration duration) {
  run_until(now_ + duration, [] { return false; });
}

void World::wait_until(Duration limit, const char* law, const std::function<bool()>& done) {
  run_until(now_ + limit, done);
  if (!done()) throw LawBroken(fmt::format("{}: not within {} s", law, limit / seconds{1}));
}

void World::run_until(Time end, const std::function<bool()>& done) {
  while (!done()) {
    const auto deadline = core_->next_deadline();
    const bool event_due = !queue_.empty() && queue_.front().at <= end;
    const bool deadline_due = deadline && *deadline <= end;
    if (!event_due && !deadline_due) break;
    // A busy lobby has an event in hand when a deadline comes; then one step does both.
    const Duration late = setting_.faults.deadlines_late ? milliseconds{5} : Duration::zero();
    if (deadline_due && (!event_due || *deadline + late <= queue_.front().at)) {
      now_ = std::max(now_, *deadline);
      step(core::DeadlineReached{});
      continue;
    }
    std::pop_heap(queue_.begin(), queue_.end(), later);
    Pending pending = std::move(queue_.back());
    queue_.pop_back();
    now_ = pending.at;
    pending.run();
  }
  if (!done()) now_ = std::max(now_, end);
}

void World::step(const core::Event& event, bool stale) {
  constexpr std::uint32_t steps_at_once_max = 10'000;
  if (now_ > stepped_at_) stepped_at_ = now_, steps_at_now_ = 0;
  if (++steps_at_now_ > steps_at_once_max) throw LawBroken("time passes");

  const auto deadline = core_->next_deadline();
  const bool late =
      deadline && *deadline <= now_ && !std::holds_alternative<core::DeadlineReached>(event);
  core::Effects effects;
  const core::State::Totals before = state().totals;
  core_->step(event, now_, effects);
  ++report_.steps;
  if (options_.on_step) options_.on_step(now_, event, state());
  if (options_.canary_drops_assignment > 0) drop_assignment(effects);
  history_.add(now_, event, effects);
  count(before);
#ifndef MUSTER_CHECK_INVARIANTS
  core::check_invariants(state());
#endif
  laws_->observe({event, now_, effects, state(), late, stale});
  recorder_.observe(state());
  for (core::QueueIndex queue = 0; queue < state().queues.size(); ++queue)
    if (enough_partners(state(), queue)) throw LawBroken("nobody waits who has enough partners");
  // By which rules a match was formed is known only while they are those of the whole instant.
  if (std::holds_alternative<core::ConfigReloaded>(event)) reloaded_at_ = now_;
  if (reloaded_at_ != now_)
    if (const auto broken = rule_broken(state())) throw LawBroken(*broken);
  for (const core::Effect& effect : effects) {
    if (!withheld_)
      deliver(effect);
    else if (const auto* launch = std::get_if<core::LaunchServer>(&effect))
      laws_->process_gone(launch->server);
  }
  machine_.look_for_classic_matches();
  const std::uint32_t every = options_.through_bytes_every;
  if (every > 0 && report_.steps % every == 0) go_through_bytes();
}

void World::count(const core::State::Totals& before) {
  const core::State::Totals& totals = state().totals;
  report_.matches += totals.matches - before.matches;
  report_.launches += totals.launches - before.launches;
  report_.launch_failures += totals.launch_failures - before.launch_failures;
  report_.servers_lost += totals.servers_lost - before.servers_lost;
  if (totals.results_refused > before.results_refused) marks().hit(Mark::standings_refused);
}

void World::drop_assignment(core::Effects& effects) {
  const bool told = std::any_of(effects.begin(), effects.end(), [](const core::Effect& effect) {
    return std::holds_alternative<core::StartServerMatch>(effect);
  });
  if (!told) return;
  for (auto effect = effects.begin(); effect != effects.end(); ++effect)
    if (std::holds_alternative<core::SendAssignment>(*effect) &&
        ++assignments_ == options_.canary_drops_assignment) {
      note("canary: this assignment was dropped");
      effects.erase(effect);
      return;
    }
}

// ---- Wires.

core::SessionId World::open_session(SessionOwner owner, bool resumable) {
  const core::SessionId id = sessions_.emplace(Session{owner, now_});
  step(core::SessionOpened{id, resumable});
  return id;
}

void World::arrive(core::SessionId id, std::function<void()> f) {
  Session* session = sessions_.find(id);
  if (!session) return;
  session->last_arrival =
      std::max(session->last_arrival, now_ + Duration{prng_.between(0, 20'000'000)});
  after(session->last_arrival - now_, std::move(f));
}

void World::hang_up(core::SessionId session) {
  arrive(session, [this, session] { close(session); });
}

void World::close(core::SessionId session) {
  if (!sessions_.erase(session)) return;
  step(core::SessionClosed{session});
}

void World::reload(core::Config config) {
  marks().hit(Mark::config_reloaded);
  disk_.reset();
  step(core::DeadlineReached{});  // What is due is due under the old one.
  setting_.config = std::move(config);
  step(core::ConfigReloaded{std::make_shared<const core::Config>(setting_.config)});
}

void World::restart_lobby(Duration down) {
  const bool remembers = setting_.faults.journal;
  note(remembers ? "the lobby dies, and comes back with its memory"
                 : "the lobby dies, and comes back without its memory");
  close_all();
  recorder_.lobby_died(remembers);
  machine_.lobby_died(down, remembers);
  if (remembers) {
    marks().hit(Mark::lobby_returned);
    return come_back();
  }
  marks().hit(Mark::lobby_restarted);
  disk_.reset();
  core_ = std::make_unique<core::Core>(setting_.config);
  laws_->lobby_restarted();
}

void World::close_all() {
  std::vector<core::SessionId> sessions;
  sessions_.for_each([&](core::SessionId id, const Session&) { sessions.push_back(id); });
  for (const core::SessionId id : sessions) sessions_.erase(id);
  crowd_.lobby_died();
}

void World::sync_disk() {
  if (!options_.machines_lost || !setting_.faults.journal) return;
  disk_ = std::make_unique<Disk>(options_.through_bytes(state()), *laws_);
}

void World::lose_machine(Duration down) {
  const auto disk = std::exchange(disk_, nullptr);
  if (!disk) return;
  note("the machine is lost; the lobby comes back with what the disk has");
  marks().hit(Mark::machine_lost);
  close_all();
  core_ = std::make_unique<core::Core>(std::move(disk->state));
  laws_ = std::make_unique<Laws>(disk->laws);
  laws_->processes_gone();
  recorder_.machine_lost(state());
  machine_.lobby_died(down, true);
  machine_.kill(down);
  come_back();
}

void World::go_through_bytes() {
  auto loaded = std::make_unique<core::Core>(options_.through_bytes(state()));
  if (loaded->digest() != core_->digest())
    throw LawBroken("a lobby that comes back is the one that was saved");
  core_ = std::move(loaded);
}

void World::come_back() {
  if (options_.through_bytes) go_through_bytes();
  // What was due while it died is done before anything else, as its journal would have it.
  if (const auto deadline = core_->next_deadline(); deadline && *deadline <= now_)
    step(core::DeadlineReached{});
  step(core::LobbyStarted{});
}

void World::deliver(const core::Effect& effect) {
  std::visit(
      [&](const auto& e) {
        using E = std::decay_t<decltype(e)>;
        if constexpr (requires { e.node; }) {
          if constexpr (std::is_same_v<E, core::LaunchServer>) machine_.launch(e);
          if constexpr (std::is_same_v<E, core::StopServer>) machine_.stop(e);
          if constexpr (std::is_same_v<E, core::StartServerMatch>) machine_.start_match(e);
          if constexpr (std::is_same_v<E, core::EndServerMatch>) machine_.end_match(e);
          if constexpr (std::is_same_v<E, core::AcknowledgeReports>) machine_.acknowledged(e);
          if constexpr (std::is_same_v<E, core::VerifyOwner>) machine_.verify_owner(e);
        } else if constexpr (std::is_same_v<E, core::RecordResult>) {
          recorder_.record(e);
        } else {
          const Session* session = sessions_.find(e.session);
          if (!session) return;
          const SessionOwner owner = session->owner;
          constexpr bool closes = std::is_same_v<E, core::CloseSession>;
          if (closes)
            after(Duration{prng_.between(0, 20'000'000)}, [this, id = e.session] { close(id); });
          if (owner.kind == SessionOwner::Kind::person)
            crowd_.hear(owner.person, e.session, effect);
          if (owner.kind == SessionOwner::Kind::game_server) {
            if (closes) machine_.session_closed(owner.server, e.session);
            if (std::is_same_v<E, core::SendServerLoginOk>) machine_.login_ok(owner.server);
          }
        }
      },
      effect);
}

}  // namespace muster::sim
