#pragma once
// What goes wrong in one run, and how often. Each kind is off entirely in some runs, so that rare
// combinations of the others are not drowned (swarm testing).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/prng.h"
#include "base/time.h"

namespace muster::sim {

class World;

/// Parts per million of the occasion named.
struct FaultRates {
  // Of a launch.
  std::uint32_t port_taken = 0;  // By a program that is none of ours.
  std::uint32_t command_failed = 0;
  std::uint32_t exits_before_ready = 0;
  std::uint32_t never_ready = 0;
  std::uint32_t slow_ready = 0;   // Perhaps later than launch_timeout.
  std::uint32_t wrong_login = 0;  // A classic game server that names another port first.
  // Of a match.
  std::uint32_t crash = 0;
  std::uint32_t clean_exit = 0;
  std::uint32_t shutdown_wish = 0;
  std::uint32_t unhealthy = 0;
  std::uint32_t hang = 0;
  std::uint32_t session_lost = 0;  // A classic game server's, with its process alive.
  std::uint32_t over_twice = 0;
  // Of an end.
  std::uint32_t ignores_sigterm = 0;
  std::uint32_t ready_crash = 0;  // A Ready server dies within a minute.
  // Of a player's next act.
  std::uint32_t disconnect = 0;
  std::uint32_t nonsense = 0;
  std::uint32_t cancel = 0;
  std::uint32_t leave = 0;
  std::uint32_t stolen_token = 0;
  std::uint32_t second_device = 0;  // Resumes while connected.
  // Of an Agones server's getting Ready: it reserves or allocates itself, for a while.
  std::uint32_t holds_itself = 0;
};

/// Mean virtual time between two of them; zero: never.
struct FaultIntervals {
  Duration link_lost{};
  Duration link_replaced{};
  Duration node_killed{};
  Duration lobby_restart{};
  Duration operator_stop{};
  Duration stale_event{};
  Duration intruder{};  // Somebody else's program logs in as a classic game server.
  Duration reload{};    // Of the configuration, changed or not.
  Duration drain{};     // Of a fleet, the node, or a game server, for a while.
  Duration clear{};
  Duration machine_lost{};  // The lobby's, which is the node's too.
};

struct Faults {
  FaultRates rates;
  FaultIntervals intervals;
  bool events_kept = false;     // A node keeps what it could not tell while unlinked.
  bool journal = false;         // A lobby that died comes back with all it knew.
  bool deadlines_late = false;  // The lobby is busy: events come up to 5 ms before due deadlines.
};

Faults draw_faults(Prng& prng);

/// Each kind by its name, for people.
struct NamedRate {
  std::string_view name;
  std::uint32_t FaultRates::* rate;
};
struct NamedInterval {
  std::string_view name;
  Duration FaultIntervals::* interval;
};
std::span<const NamedRate> named_rates();
std::span<const NamedInterval> named_intervals();

/// That kind does not happen. False if there is none of that name.
bool switch_off(Faults& faults, std::string_view name);

/// Faults that come by themselves, until heal().
class FaultSource {
 public:
  FaultSource(World& world, std::uint64_t seed);

  void start();
  void heal() { healed_ = true; }
  std::uint64_t unseed() { return prng_.next(); }

 private:
  template <class F>
  void every(Duration mean, F f);
  void operator_stop();
  void stale_event();
  void intruder();
  void drain();
  void clear();

  World& world_;
  Prng prng_;
  bool healed_ = false;
};

}  // namespace muster::sim
