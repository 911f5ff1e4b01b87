#include "sim/setting.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/prng.h"

namespace muster::sim {
namespace {

using core::milliseconds;
using core::minutes;
using core::seconds;

constexpr std::uint32_t ppm_of_percent(std::uint32_t percent) { return percent * 10'000; }

Duration between(Prng& prng, Duration low, Duration high) {
  return Duration{prng.between(low.count(), high.count())};
}

/// What may be drawn again at a reload.
void draw_upkeep(Prng& prng, core::FleetConfig& fleet) {
  if (prng.below(3) == 0)
    fleet.ready_max =
        static_cast<std::uint32_t>(prng.between(fleet.ready_min, fleet.ready_min + 2));
  fleet.ready_max = std::max(fleet.ready_max, fleet.ready_min);
  fleet.scale_to_zero_after =
      prng.below(3) == 0 ? between(prng, seconds{1}, minutes{2}) : Duration::zero();
  fleet.crash_loop_after = prng.below(4) == 0 ? 0 : static_cast<std::uint32_t>(prng.between(1, 6));
}

core::FleetConfig draw_fleet(Prng& prng, std::uint32_t index) {
  core::FleetConfig fleet;
  fleet.name = fmt::format("fleet{}", index);
  fleet.command = {"server", "{port}"};
  fleet.ports.first = static_cast<std::uint16_t>(7000 + 100 * index);
  fleet.ports.last = static_cast<std::uint16_t>(fleet.ports.first + prng.between(0, 11));
  if (prng.below(3) == 0) {
    const auto first = static_cast<std::uint16_t>(27000 + 100 * index);
    fleet.named_ports.push_back(
        {"query", {first, static_cast<std::uint16_t>(first + prng.between(0, 7))}, 0, {}});
  }
  const std::uint32_t kind = prng.below(ppm_of_percent(100));
  fleet.sdk = kind < ppm_of_percent(30)   ? core::SdkKind::classic
              : kind < ppm_of_percent(50) ? core::SdkKind::agones
              : kind < ppm_of_percent(65) ? core::SdkKind::none
                                          : core::SdkKind::muster;
  if (fleet.sdk == core::SdkKind::none && prng.below(2) == 0) {
    fleet.end.idle = between(prng, seconds{1}, seconds{30});
    fleet.end.first_player_timeout =
        prng.below(3) == 0 ? Duration::zero() : between(prng, seconds{5}, minutes{2});
  }
  fleet.servers_max = static_cast<std::uint32_t>(prng.between(1, 6));
  if (prng.chance_ppm(ppm_of_percent(40)))
    fleet.ready_min = static_cast<std::uint32_t>(prng.between(1, std::min(3u, fleet.servers_max)));
  fleet.launch_timeout = between(prng, seconds{1}, seconds{30});
  fleet.launch_attempts_max = static_cast<std::uint32_t>(prng.between(1, 4));
  fleet.after_match = prng.below(2) == 0 ? core::AfterMatch::reuse : core::AfterMatch::exit;
  fleet.idle_timeout =
      prng.below(4) == 0 ? Duration::zero() : between(prng, seconds{5}, minutes{2});
  fleet.match_timeout =
      prng.below(2) == 0 ? Duration::zero() : between(prng, seconds{10}, minutes{2});
  fleet.stop_grace = prng.below(4) == 0 ? Duration::zero() : between(prng, seconds{0}, seconds{10});
  draw_upkeep(prng, fleet);
  return fleet;
}

std::string named_ports_text(const core::FleetConfig& fleet) {
  std::string text;
  for (const core::PortConfig& port : fleet.named_ports)
    text += port.offset > 0
                ? fmt::format(" {} +{}", port.name, port.offset)
                : fmt::format(" {} {}-{}", port.name, port.ports.first, port.ports.last);
  return text;
}

void draw_rules(Prng& prng, core::QueueConfig& queue) {
  queue.players = std::min(queue.players, 6u);
  queue.teams = std::min(queue.teams, queue.players);
  if (prng.below(4) != 0) {
    auto distance = static_cast<std::uint32_t>(prng.between(0, 1000));
    queue.rating_distance = distance;
    Duration after{};
    for (std::uint32_t i = prng.below(3); i > 0; --i) {
      after += between(prng, milliseconds{100}, seconds{10});
      distance += static_cast<std::uint32_t>(prng.between(1, 1000));
      queue.widen.push_back({"rating_distance", after, distance});
    }
  }
  if (prng.below(3) == 0) {
    queue.team_rating_distance = static_cast<std::uint32_t>(prng.between(0, 500));
    queue.widen.push_back({"team_rating_distance", between(prng, seconds{1}, seconds{10}), 1000});
  }
  if (prng.below(3) == 0)
    queue.rules.push_back({"mode", "mode", core::RuleKind::equal, {"ctf", "dm"}, 0});
  if (prng.below(3) == 0)
    queue.rules.push_back({"arena", "arena", core::RuleKind::any_of, {"ice", "sand", "wood"}, 0});
  if (prng.below(3) == 0) {
    queue.rules.push_back({"level", "level", core::RuleKind::distance, {}, 4'000});
    queue.widen.push_back({"level", between(prng, seconds{1}, seconds{10}), 20'000});
  }
  if (prng.below(4) == 0 && (queue.players % queue.teams == 0 || prng.below(2) == 0)) {
    queue.bots = queue.players % queue.teams != 0 || prng.below(2) == 0;
    queue.players_min = static_cast<std::uint32_t>(prng.between(1, queue.players));
    if (*queue.players_min > 1)
      queue.widen.push_back({"players_min", between(prng, seconds{1}, seconds{10}),
                             prng.between(1, *queue.players_min - 1)});
  }
  if (prng.below(4) == 0) {
    queue.avoid_recent = static_cast<std::uint32_t>(prng.between(1, 3));
    queue.widen.push_back({"avoid_recent", between(prng, seconds{2}, seconds{20}), 0});
  }
  if (!queue.ruled()) queue.blocks = true;
}

/// Some queues are played in regions, maybe all of them served by the same fleet.
void draw_regions(Prng& prng, core::QueueConfig& queue, std::uint32_t fleets) {
  queue.region.clear();
  queue.latency_max.reset(), queue.latency_default.reset();
  std::erase_if(queue.widen, [](const auto& widen) { return widen.limit == "latency_max"; });
  if (prng.below(3) != 0) return;
  for (const char* name : {"eu", "us", "asia"})
    if (prng.below(2) == 0) queue.region.push_back({name, prng.below(fleets)});
  if (queue.region.empty()) return;
  queue.fleet = queue.region.front().fleet;
  if (prng.below(2) == 0) queue.latency_default = 150;
  if (prng.below(4) == 0) return;
  queue.latency_max = static_cast<std::uint32_t>(prng.between(20, 150));
  queue.widen.push_back({"latency_max", between(prng, seconds{1}, seconds{10}), 250});
}

core::QueueConfig draw_queue(Prng& prng, std::uint32_t index, std::uint32_t fleets) {
  core::QueueConfig queue;
  queue.name = fmt::format("queue{}", index);
  queue.fleet = prng.below(fleets);
  queue.players = static_cast<std::uint32_t>(prng.below(3) == 0   ? 2
                                             : prng.below(4) == 0 ? 1
                                                                  : prng.between(2, 8));
  queue.teams = static_cast<std::uint32_t>(prng.between(1, queue.players));
  queue.ticket_timeout = prng.below(3) == 0 ? between(prng, seconds{1}, seconds{20})
                                            : between(prng, seconds{20}, minutes{5});
  queue.requeue_on_server_lost = prng.below(2) == 0;
  if (prng.below(2) == 0) queue.map = "arena";
  if (prng.below(3) == 0) draw_rules(prng, queue);
  if (queue.ruled()) draw_regions(prng, queue, fleets);
  if (index % 2 == 0) queue.rating.system = core::RatingSystem::elo;
  queue.party_rating = static_cast<core::PartyRating>(prng.below(3));
  queue.party_rating_bonus = prng.below(3) * 100;
  if (prng.below(3) == 0) {
    queue.accept_timeout = between(prng, seconds{1}, seconds{15});
    queue.decline_penalty = between(prng, Duration::zero(), seconds{20});
  }
  return queue;
}

}  // namespace

Setting draw_setting(std::uint64_t seed) {
  Prng prng{seed};
  Setting setting;
  core::Config& config = setting.config;
  const auto fleets = static_cast<std::uint32_t>(prng.between(1, 3));
  for (std::uint32_t i = 0; i < fleets; ++i) config.fleets.push_back(draw_fleet(prng, i));
  const auto queues = static_cast<std::uint32_t>(prng.between(1, 4));
  for (std::uint32_t i = 0; i < queues; ++i) {
    config.queues.push_back(draw_queue(prng, i, fleets));
    if (prng.below(2) == 0) setting.crowd.seats_vary.insert(config.queues.back().name);
  }
  for (std::uint32_t i = 0; i + 1 < queues; ++i)
    if (prng.below(4) == 0)
      config.queues[i].timeout_queue = config.queues[prng.between(i + 1, queues - 1)].name;
  if (prng.below(2) == 0) config.classic_queue = config.queues[prng.below(queues)].name;
  config.resume_grace =
      prng.below(6) == 0 ? Duration::zero() : between(prng, seconds{1}, minutes{1});
  config.party_size_max = static_cast<std::uint32_t>(prng.between(2, 5));
  config.port_set_aside = between(prng, seconds{1}, minutes{1});

  CrowdSetting& crowd = setting.crowd;
  crowd.people = static_cast<std::uint32_t>(prng.between(2, 32));
  crowd.classic_ppm = prng.below(3) == 0 ? 0 : static_cast<std::uint32_t>(prng.below(500'000));
  crowd.think = between(prng, milliseconds{500}, seconds{15});
  crowd.skill_max = prng.below(4) == 0 ? 0 : 2000;
  crowd.parties_ppm = prng.below(2) == 0 ? 0 : 400'000;
  crowd.attributes_ppm = prng.below(2) == 0 ? 0 : 300'000;
  config.players_max = prng.below(5) == 0 ? std::max(2u, crowd.people / 2) : 100'000;

  MachineSetting& machine = setting.machine;
  machine.message_delay_max = between(prng, Duration::zero(), milliseconds{5});
  machine.ready_max = between(prng, milliseconds{10}, seconds{3});
  machine.match_min = between(prng, milliseconds{100}, seconds{20});
  machine.match_max = machine.match_min + between(prng, seconds{1}, seconds{60});

  setting.faults = draw_faults(prng);
  return setting;
}

core::Config draw_reload(const core::Config& now, Prng& prng) {
  core::Config next = now;
  const auto one_in = [&](std::uint32_t times) { return prng.below(times) == 0; };
  const auto any = [&](const auto& all) {
    return prng.below(static_cast<std::uint32_t>(all.size()));
  };
  for (core::FleetConfig& fleet : next.fleets) {
    // Back and forth between few, so that old servers are sometimes right again.
    if (one_in(2)) fleet.command = {"server", "{port}", fmt::format("-v{}", prng.below(3))};
    if (one_in(4)) {
      fleet.servers_max = static_cast<std::uint32_t>(prng.between(1, 6));
      fleet.ready_min = prng.below(std::min(3u, fleet.servers_max) + 1);
      draw_upkeep(prng, fleet);
    }
    if (one_in(6)) fleet.idle_timeout = between(prng, seconds{5}, minutes{1});
    if (one_in(6)) {
      const std::uint16_t base = fleet.ports.first / 100 * 100;
      fleet.ports.first = static_cast<std::uint16_t>(base + prng.between(0, 8));
      fleet.ports.last = static_cast<std::uint16_t>(fleet.ports.first + prng.between(0, 11));
    }
  }
  if (next.fleets.size() > 1 && one_in(4)) std::swap(next.fleets[0].ports, next.fleets[1].ports);
  if (next.fleets.size() > 1 && one_in(5)) {
    const std::uint32_t gone = any(next.fleets);
    next.fleets.erase(next.fleets.begin() + gone);
    const auto replace = [&](std::uint32_t& fleet) {
      fleet = fleet == gone ? any(next.fleets) : fleet > gone ? fleet - 1 : fleet;
    };
    for (core::QueueConfig& queue : next.queues) {
      replace(queue.fleet);
      for (core::RegionConfig& region : queue.region) replace(region.fleet);
    }
  }
  if (next.fleets.size() < 4 && one_in(5)) {
    const auto taken = [&](std::uint32_t index) {
      return std::any_of(next.fleets.begin(), next.fleets.end(), [&](const auto& fleet) {
        return fleet.name == fmt::format("fleet{}", index) ||
               fleet.ports.first / 100 == 70u + index;
      });
    };
    std::uint32_t index = 0;
    while (taken(index)) ++index;
    next.fleets.insert(next.fleets.begin(), draw_fleet(prng, index));
    for (core::QueueConfig& queue : next.queues) {
      ++queue.fleet;
      for (core::RegionConfig& region : queue.region) ++region.fleet;
    }
  }
  for (core::QueueConfig& queue : next.queues) {
    if (one_in(4)) queue.players = static_cast<std::uint32_t>(prng.between(1, 5));
    queue.teams = std::min(queue.teams, queue.players);
    if (queue.players_min) queue.players_min = std::min(*queue.players_min, queue.players);
    std::erase_if(queue.widen, [&](const core::WidenConfig& widen) {
      return widen.limit == "players_min" && widen.to >= queue.players_min.value_or(queue.players);
    });
    if (one_in(6)) queue.fleet = any(next.fleets);
    if (one_in(6)) {
      queue.rating_distance = queue.team_rating_distance = std::nullopt;
      queue.rules.clear(), queue.widen.clear();
      queue.players_min.reset(), queue.bots = false;
      queue.avoid_recent = 0, queue.blocks = false;
      queue.region.clear(), queue.latency_max.reset(), queue.latency_default.reset();
      if (one_in(2)) draw_rules(prng, queue);
      if (queue.ruled()) draw_regions(prng, queue, static_cast<std::uint32_t>(next.fleets.size()));
    }
  }
  if (next.queues.size() > 1 && one_in(5))
    next.queues.erase(next.queues.begin() + any(next.queues));
  if (next.queues.size() < 5 && one_in(5)) {
    std::uint32_t index = 0;
    while (std::any_of(next.queues.begin(), next.queues.end(), [&](const auto& queue) {
      return queue.name == fmt::format("queue{}", index);
    }))
      ++index;
    next.queues.insert(next.queues.begin(),
                       draw_queue(prng, index, static_cast<std::uint32_t>(next.fleets.size())));
  }
  if (std::none_of(next.queues.begin(), next.queues.end(),
                   [&](const auto& queue) { return queue.name == next.classic_queue; }))
    next.classic_queue = one_in(2) ? "" : next.queues.back().name;
  return next;
}

std::string to_text(const Setting& setting) {
  const auto seconds_of = [](Duration d) { return fmt::format("{}ms", d / milliseconds{1}); };
  std::string out;
  for (const core::FleetConfig& f : setting.config.fleets)
    out += fmt::format(
        "{}: {}, ports {}-{}{}{}, ready_min {}, servers_max {}, launch_timeout {}, "
        "launch_attempts_max {}, after_match {}, idle_timeout {}, match_timeout {}, "
        "stop_grace {}, ready_max {}, scale_to_zero_after {}, crash_loop_after {}\n",
        f.name, core::to_string(f.sdk), f.ports.first, f.ports.last, named_ports_text(f),
        f.end.idle > Duration::zero()
            ? fmt::format(", idle {}, first_player_timeout {}", seconds_of(f.end.idle),
                          seconds_of(f.end.first_player_timeout))
            : "",
        f.ready_min, f.servers_max, seconds_of(f.launch_timeout), f.launch_attempts_max,
        f.after_match == core::AfterMatch::reuse ? "reuse" : "exit", seconds_of(f.idle_timeout),
        seconds_of(f.match_timeout), seconds_of(f.stop_grace), f.ready_max,
        seconds_of(f.scale_to_zero_after), f.crash_loop_after);
  for (std::size_t i = 0; i < setting.config.queues.size(); ++i) {
    const core::QueueConfig& q = setting.config.queues[i];
    out += fmt::format("{}: fleet {}, players {}, teams {}, ticket_timeout {}{}{}", q.name, q.fleet,
                       q.players, q.teams, seconds_of(q.ticket_timeout),
                       q.requeue_on_server_lost ? ", requeue_on_server_lost" : "",
                       setting.crowd.seats_vary.contains(q.name) ? ", seats vary" : "");
    if (q.rating_distance) out += fmt::format(", rating_distance {}", *q.rating_distance);
    if (q.team_rating_distance)
      out += fmt::format(", team_rating_distance {}", *q.team_rating_distance);
    if (q.players_min) out += fmt::format(", players_min {}", *q.players_min);
    if (q.bots) out += ", bots";
    if (!q.timeout_queue.empty()) out += ", timeout_queue " + q.timeout_queue;
    for (const core::RuleConfig& rule : q.rules) out += ", rule " + rule.name;
    for (const core::WidenConfig& widen : q.widen)
      out += fmt::format(", {} after {} {}", widen.limit, seconds_of(widen.after), widen.to);
    out += '\n';
  }
  out += fmt::format(
      "lobby: players_max {}, resume_grace {}, port_set_aside {}, classic_queue \"{}\"\n",
      setting.config.players_max, seconds_of(setting.config.resume_grace),
      seconds_of(setting.config.port_set_aside), setting.config.classic_queue);
  out += fmt::format("people: {}, {} ppm classic, acting every {}\n", setting.crowd.people,
                     setting.crowd.classic_ppm, seconds_of(setting.crowd.think));
  const auto list = [&out](const char* title, const std::string& kinds) {
    out += fmt::format("{}: {}\n", title, kinds.empty() ? "none" : kinds.substr(2));
  };
  std::string kinds;
  for (const NamedRate& named : named_rates())
    if (const std::uint32_t rate = setting.faults.rates.*named.rate; rate > 0)
      kinds += fmt::format(", {} {}", named.name, rate);
  list("faults, ppm", kinds);
  kinds.clear();
  for (const NamedInterval& named : named_intervals())
    if (const Duration every = setting.faults.intervals.*named.interval; every > Duration::zero())
      kinds += fmt::format(", {} {}", named.name, seconds_of(every));
  list("faults, every", kinds);
  out += fmt::format("the lobby {}its memory{}{}\n",
                     setting.faults.journal ? "comes back with " : "dies without ",
                     setting.faults.events_kept ? "; events kept" : "",
                     setting.faults.deadlines_late ? "; deadlines late" : "");
  return out;
}

}  // namespace muster::sim
