#include "population/simulation.h"

#include <algorithm>

#include "core/state.h"

namespace muster::population {

Simulation::Simulation(const core::Config& config, const Population& population,
                       const SimulationOptions& options, std::unique_ptr<Arrivals> arrivals)
    : population_(population),
      options_(options),
      config_(simulated_config(config, population)),
      end_(midnight + std::chrono::hours{options.hours}),
      arrivals_(std::move(arrivals)),
      now_(midnight - population.warm_up),
      core_(config_),
      visitors_(*this),
      servers_(*this) {
  if (!arrivals_) arrivals_ = std::make_unique<Crowd>(config_, population_, options_.seed, now_);
  prepare_report();
}

void Simulation::prepare_report() {
  report_.title = options_.title;
  report_.seed = options_.seed;
  report_.hours = options_.hours;
  for (const Region& region : regions_of(population_)) report_.regions.push_back(region.name);
  // Five bounds, two deviations around the mean, at numbers that people would choose.
  const std::int64_t mean = population_.skill_mean, deviation = population_.skill_deviation;
  for (std::int64_t i = -2; i <= 2; ++i) {
    const std::int64_t bound = (mean + i * deviation) / 50 * 50;
    if (report_.rating_bounds.empty() || bound > report_.rating_bounds.back())
      report_.rating_bounds.push_back(bound);
  }
  for (const core::QueueConfig& queue : config_.queues) {
    QueueReport& q = report_.queues.emplace_back();
    q.name = queue.name;
    q.by_region.resize(report_.regions.size());
    q.by_rating.resize(report_.rating_bounds.size() + 1);
    q.by_size.resize(party_sizes_shown);
    q.by_hour.resize(report_.hours);
  }
  for (const core::FleetConfig& fleet : config_.fleets) {
    FleetReport& f = report_.fleets.emplace_back();
    f.name = fleet.name;
    f.servers_max = fleet.servers_max;
    f.peak_by_hour.resize(report_.hours);
  }
  report_.players_by_hour.resize(report_.hours);
}

std::size_t Simulation::hour_of(Time at) const {
  return std::min<std::size_t>(static_cast<std::size_t>((at - midnight) / std::chrono::hours{1}),
                               report_.hours - 1);
}

Report Simulation::run() {
  servers_.connect();
  for (;;) {
    // What comes first: somebody new, something planned, or a deadline of the core.
    const auto arrival = arrivals_->next();
    Time next = end_;
    if (arrival) next = std::min(next, *arrival);
    if (!schedule_.empty()) next = std::min(next, schedule_.next());
    if (const auto deadline = core_.next_deadline(); deadline && *deadline <= next) {
      now_ = std::max(now_, *deadline);
      step(core::DeadlineReached{});
      continue;
    }
    if (next >= end_) break;
    now_ = std::max(now_, next);
    if (arrival && *arrival == next)
      visitors_.arrive(arrivals_->take());
    else
      do_next(schedule_.take());
  }
  now_ = end_;
  servers_.finish();
  report_.still_waiting = visitors_.waiting();
  digest_.add(core_.digest());
  report_.digest = digest_.value();
  return std::move(report_);
}

void Simulation::step(const core::Event& event) {
  ++report_.steps;
  core_.step(event, now_, effects_);
  for (const core::Effect& effect : effects_) carry_out(effect);
  effects_.clear();
}

void Simulation::do_next(const Plan& plan) {
  using enum Plan::What;
  switch (plan.what) {
    case press:
      return visitors_.press(plan.who, plan.plan);
    case give_up:
      return visitors_.give_up(plan.who, plan.plan);
    case leave:
      return visitors_.leave(plan.who, plan.plan);
    case ready:
      return servers_.ready(plan.who, plan.plan);
    case not_ready:
      return servers_.not_ready(plan.who, plan.plan);
    case match_over:
      return servers_.match_over(plan.who, plan.plan);
    case crash:
      return servers_.crash(plan.who, plan.plan);
    case exit:
      return servers_.exit(plan.who, plan.plan);
  }
}

/// Nobody answers at once, so that one step is over before the next: they plan.
void Simulation::carry_out(const core::Effect& effect) {
  if (const auto* ticket = std::get_if<core::SendTicket>(&effect)) return visitors_.hear(*ticket);
  if (const auto* ended = std::get_if<core::SendMatchEnded>(&effect)) return visitors_.hear(*ended);
  if (const auto* sent = std::get_if<core::SendAssignment>(&effect)) return visitors_.hear(*sent);
  if (const auto* welcome = std::get_if<core::SendWelcome>(&effect))
    return visitors_.hear(*welcome);
  if (const auto* error = std::get_if<core::SendError>(&effect)) return visitors_.hear(*error);
  if (const auto* launch = std::get_if<core::LaunchServer>(&effect))
    return servers_.launch(*launch);
  if (const auto* stop = std::get_if<core::StopServer>(&effect)) return servers_.stop(*stop);
  if (const auto* end = std::get_if<core::EndServerMatch>(&effect)) return servers_.end_match(*end);
  if (const auto* start = std::get_if<core::StartServerMatch>(&effect)) {
    visitors_.match_begins(*start);
    servers_.start_match(*start);
  }
}

}  // namespace muster::population
