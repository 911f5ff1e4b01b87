// The launch template of a fleet as one number.
#include <fmt/format.h>

#include "base/digest.h"
#include "core/config.h"

namespace muster::core {
namespace {

/// Folds only what differs from its default, under its name: a key that a later build adds leaves
/// the versions of those who do not use it as they are, so that an upgrade replaces no game server.
class Template {
 public:
  explicit Template(const FleetConfig& fleet) : fleet_(fleet) {}

  template <class T>
  void add(std::string_view key, T FleetConfig::* member) {
    if (fleet_.*member == default_.*member) return;
    digest_.add(key);
    fold(fleet_.*member);
  }
  std::uint32_t version() const {
    const std::uint64_t value = digest_.value();
    const auto folded = static_cast<std::uint32_t>(value ^ value >> 32);
    return folded == 0 ? 1 : folded;
  }

 private:
  void fold(const std::string& text) { digest_.add(text); }
  void fold(SdkKind kind) { digest_.add(static_cast<std::uint8_t>(kind)); }
  void fold(Duration duration) { digest_.add(duration.count()); }
  template <class T>
    requires std::is_integral_v<T>
  void fold(T value) {
    digest_.add(value);
  }
  template <class T>
  void fold(const std::vector<T>& values) {
    digest_.add(values.size());
    for (const T& value : values) fold(value);
  }
  void fold(const std::pair<std::string, std::string>& variable) {
    digest_.add(variable.first), digest_.add(variable.second);
  }

  void fold(const ProcessLimits& limits) {
    digest_.add(limits.memory_bytes), digest_.add(limits.cpu_thousandths);
    digest_.add(limits.processes), digest_.add(limits.open_files), digest_.add(limits.user);
    digest_.add(limits.nice), digest_.add(limits.core_dumps);
    digest_.add(limits.no_new_privileges), digest_.add(limits.required);
  }

  void fold(const AgonesCounter& counter) {
    digest_.add(counter.name), digest_.add(counter.count), digest_.add(counter.capacity);
  }
  void fold(const AgonesList& list) {
    digest_.add(list.name), digest_.add(list.capacity);
    fold(list.values);
  }
  void fold(const AgonesConfig& agones) {
    digest_.add(agones.health), digest_.add(agones.health_period.count());
    digest_.add(agones.health_failures_max), digest_.add(agones.health_initial_delay.count());
    digest_.add(agones.player_capacity), digest_.add(agones.fixed_ports);
    fold(agones.counters);
    fold(agones.lists);
  }

  const FleetConfig& fleet_;
  const FleetConfig default_;
  Digest digest_;
};

}  // namespace

std::uint32_t launch_version(const FleetConfig& fleet) {
  Template launch(fleet);
  launch.add("command", &FleetConfig::command);
  launch.add("env", &FleetConfig::env);
  launch.add("working_directory", &FleetConfig::working_directory);
  launch.add("sdk", &FleetConfig::sdk);
  launch.add("health_timeout", &FleetConfig::health_timeout);
  launch.add("log_bytes_max", &FleetConfig::log_bytes_max);
  launch.add("log_files_max", &FleetConfig::log_files_max);
  launch.add("limits", &FleetConfig::limits);
  launch.add("agones", &FleetConfig::agones);
  return launch.version();
}

std::string version_text(std::uint32_t version) {
  return version == 0 ? "unknown" : fmt::format("{:08x}", version);
}

}  // namespace muster::core
