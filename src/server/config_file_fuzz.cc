// Any bytes at all: a configuration that its own checks accept again, or problems that name a line.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "server/config_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace muster;
  server::Machine machine;
  machine.ephemeral_ports = {32768, 60999};
  machine.look_for_programs = false;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto config = server::parse_config(text, "f", "/", machine);
  if (!config) {
    CHECK(!config.error().empty(), "a refusal says why");
    CHECK(std::ranges::any_of(config.error(), [](const auto& p) { return !p.warning; }),
          "warnings alone refuse nothing");
    for (const auto& problem : config.error()) {
      CHECK(!problem.text.empty(), "a problem has a text");
      CHECK(problem.line >= 0, "lines count from one; the whole file is 0");
      CHECK(problem.warning || problem.line > 0, "what is wrong with a text is somewhere in it");
    }
    return 0;
  }
  CHECK(!config->host.empty(), "players are told something to connect to");
  for (const auto& queue : config->core.queues) {
    CHECK(queue.fleet < config->core.fleets.size(), "a queue has a fleet");
    CHECK(queue.teams >= 1 && queue.teams <= queue.players, "no team is empty");
  }
  for (const auto& fleet : config->core.fleets) {
    CHECK(fleet.ports.first >= 1 && fleet.ports.first <= fleet.ports.last, "a fleet has ports");
    CHECK(fleet.servers_max <= fleet.ports.last - fleet.ports.first + 1u, "a server has a port");
    CHECK(fleet.ready_min <= fleet.servers_max, "warm servers are servers");
    CHECK(!fleet.command.empty() && fleet.command[0].find('\0') == std::string::npos,
          "there is something to launch");
  }
  return 0;
}
