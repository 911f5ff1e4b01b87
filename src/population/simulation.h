#pragma once
// A day of players in virtual time: the production core, told what a lobby's adapters would tell
// it, by visitors and game servers that do as a population says. Single-threaded; reads no clock.
//
// What goes wrong in the world (links, restarts, drains) is src/sim's; here the rules of queues and
// the number of game servers are what is looked at.

#include <cstdint>
#include <memory>
#include <string>

#include "base/digest.h"
#include "core/core.h"
#include "population/arrivals.h"
#include "population/game_servers.h"
#include "population/population.h"
#include "population/report.h"
#include "population/schedule.h"
#include "population/visitors.h"

namespace muster::population {

struct SimulationOptions {
  std::string title;  // Of the report.
  std::uint64_t seed = 1;
  std::uint32_t hours = 24;  // Counted, from midnight UTC; 1 to 168.
};

class Simulation {
 public:
  /// `config` has been checked. Who comes is drawn from the population, or as `arrivals` say.
  Simulation(const core::Config& config, const Population& population,
             const SimulationOptions& options, std::unique_ptr<Arrivals> arrivals = nullptr);
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// Once.
  Report run();

  // ---- For its parts.

  Time now() const { return now_; }
  /// Steps the core now, and carries out what it asks for.
  void step(const core::Event& event);
  void plan(Duration after, Plan plan) { schedule_.add(now_ + after, plan); }
  const core::Config& config() const { return config_; }
  const Population& population() const { return population_; }
  const Arrivals& arrivals() const { return *arrivals_; }
  Stream stream(std::uint64_t a, std::uint64_t b) const {
    return Stream(seed_of(options_.seed, a, b));
  }
  /// Whether what happens now is counted; and in which hour.
  bool counted(Time at) const { return at >= midnight; }
  std::size_t hour_of(Time at) const;
  Report& report() { return report_; }
  Visitors& visitors() { return visitors_; }
  Digest& digest() { return digest_; }

 private:
  void prepare_report();
  void carry_out(const core::Effect& effect);
  void do_next(const Plan& plan);

  const Population& population_;
  const SimulationOptions options_;
  const core::Config config_;  // As simulated.
  const Time end_;
  std::unique_ptr<Arrivals> arrivals_;
  Time now_;
  core::Core core_;
  core::Effects effects_;
  Schedule schedule_;
  Report report_;
  Digest digest_;
  Visitors visitors_;
  GameServers servers_;
};

}  // namespace muster::population
