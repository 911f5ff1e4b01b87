#include "population/population.h"

#include <algorithm>

namespace muster::population {

core::Config simulated_config(core::Config config, const Population& population) {
  config.players_max = 1'000'000;
  config.sessions_max = 1'000'000;
  const auto fleets = static_cast<std::uint32_t>(std::max<std::size_t>(1, config.fleets.size()));
  const std::uint32_t ports_each = 65535 / fleets;
  for (std::uint32_t i = 0; i < config.fleets.size(); ++i) {
    core::FleetConfig& fleet = config.fleets[i];
    if (population.servers_max) fleet.servers_max = *population.servers_max;
    fleet.servers_max = std::min(fleet.servers_max, ports_each);
    fleet.ready_min = std::min(fleet.ready_min, fleet.servers_max);
    const std::uint32_t first_port = i * ports_each + 1;
    fleet.ports = {static_cast<std::uint16_t>(first_port),
                   static_cast<std::uint16_t>(first_port + fleet.servers_max - 1)};
    fleet.named_ports.clear();
    fleet.sdk = core::SdkKind::muster;
    fleet.ready = {};
    fleet.end = {};
    fleet.files.clear();
    fleet.health_timeout = Duration::zero();
    fleet.fork = false;
  }
  for (core::QueueConfig& queue : config.queues) {
    queue.accounts_only = false;              // Whoever comes is let in,
    queue.rating = {};                        // and is as strong as the population says.
    queue.accept_timeout = Duration::zero();  // Everybody is there.
  }
  return config;
}

std::vector<core::QueueIndex> entrances(const core::Config& config) {
  std::vector<core::QueueIndex> found;
  for (core::QueueIndex i = 0; i < config.queues.size(); ++i)
    if (std::ranges::find(config.queues, config.queues[i].name,
                          &core::QueueConfig::timeout_queue) == config.queues.end())
      found.push_back(i);
  return found;
}

}  // namespace muster::population
