#include "population/visitors.h"

#include <algorithm>

#include "base/check.h"
#include "population/simulation.h"

namespace muster::population {
namespace {

using std::chrono::milliseconds;

// Purposes of a visitor's streams; the second number says which time.
constexpr std::uint64_t patience_stream = 1, pause_stream = 2, again_stream = 3;

bool rated(const core::QueueConfig& queue) {
  return queue.rating_distance.has_value() || queue.team_rating_distance.has_value();
}

}  // namespace

Stream Visitors::stream_of(const Visitor& visitor, std::uint64_t purpose) const {
  return Stream(seed_of(visitor.visit.seed, purpose, visitor.pressed));
}

std::uint64_t Visitors::seed_of_player(core::PlayerId player) const {
  const Visitor& visitor = visitors_[of_player_[player.slot]];
  return seed_of(visitor.visit.seed, visitor.pressed);
}

void Visitors::arrive(Visit visit) {
  std::uint32_t who;
  if (free_.empty()) {
    who = static_cast<std::uint32_t>(visitors_.size());
    visitors_.emplace_back();
  } else {
    who = free_.back();
    free_.pop_back();
  }
  Visitor& visitor = visitors_[who];
  const std::uint32_t generation = visitor.generation + 1, plan = visitor.plan + 1;
  visitor = Visitor{.visit = std::move(visit), .state = State::resting};
  visitor.generation = generation, visitor.plan = plan;
  visitor.rating = visitor.visit.rating;

  Report& report = s_.report();
  players_ += visitor.visit.size;
  if (s_.counted(s_.now())) {
    report.visitors += visitor.visit.size;
    report.players_peak = std::max(report.players_peak, players_);
    std::uint32_t& peak = report.players_by_hour[s_.hour_of(s_.now())];
    peak = std::max(peak, players_);
  }
  const core::SessionId session = session_of(who);
  s_.step(core::SessionOpened{session});
  s_.step(core::Hello{.session = session, .request = 1, .name = "visitor"});
  if (!visitor.player) return leave(who, plan);  // Refused, and counted as that.
  if (visitor.rating != s_.config().queues[visitor.visit.queue].rating_default) rate(visitor);
  press(who, plan);
}

/// Tells the lobby how strong they seem, where it matters.
void Visitors::rate(const Visitor& visitor) {
  const core::QueueConfig& queue = s_.config().queues[visitor.visit.queue];
  if (rated(queue)) s_.step(core::SetRating{visitor.player, queue.name, visitor.rating});
}

template <class F>
void Visitors::count(const Visitor& visitor, F f) {
  if (!s_.counted(visitor.since)) return;
  QueueReport& queue = s_.report().queues[visitor.visit.queue];
  f(queue.all);
  f(queue.by_region[visitor.visit.region]);
  f(queue.by_rating[visitor.band]);
  f(queue.by_size[std::min(visitor.visit.size, party_sizes_shown) - 1]);
  f(queue.by_hour[s_.hour_of(visitor.since)]);
}

void Visitors::count_waiting(Visitor& visitor) {
  visitor.state = State::waiting;
  visitor.since = visitor.found = s_.now();
  visitor.queue = visitor.visit.queue;
  visitor.band = band_of(s_.report().rating_bounds, visitor.rating);
  waiting_ += visitor.visit.size;
  count(visitor, [&](Waits& waits) { waits.players += visitor.visit.size; });
}

void Visitors::press(std::uint32_t who, std::uint32_t plan) {
  Visitor& visitor = visitors_[who];
  if (visitor.plan != plan) return;
  const std::uint32_t patience_plan = ++visitor.plan;
  ++visitor.pressed;
  count_waiting(visitor);
  s_.step(core::StartMatch{.session = session_of(who),
                           .request = 2,
                           .queue = s_.config().queues[visitor.visit.queue].name,
                           .seats = static_cast<std::int32_t>(visitor.visit.size),
                           .attributes = visitor.visit.attributes,
                           .latency = visitor.visit.latency});
  if (visitor.plan != patience_plan) return;  // They play already, or were refused.
  const Duration patience =
      visitor.visit.patience ? *visitor.visit.patience
                             : stream_of(visitor, patience_stream).spread(s_.population().patience);
  s_.plan(patience, {Plan::What::give_up, who, patience_plan});
}

void Visitors::give_up(std::uint32_t who, std::uint32_t plan) {
  if (visitors_[who].plan == plan) s_.step(core::CancelMatch{session_of(who), 3});
}

void Visitors::leave(std::uint32_t who, std::uint32_t plan) {
  Visitor& visitor = visitors_[who];
  if (visitor.plan != plan) return;
  ++visitor.plan;
  visitor.state = State::gone;
  players_ -= visitor.visit.size;
  s_.step(core::SessionClosed{session_of(who)});
  free_.push_back(who);
}

void Visitors::hear(const core::SendWelcome& e) {
  visitors_[e.session.slot].player = e.player;
  if (e.player.slot >= of_player_.size()) of_player_.resize(e.player.slot + 1);
  of_player_[e.player.slot] = e.session.slot;
}

void Visitors::hear(const core::SendTicket& e) {
  Visitor& visitor = visitors_[e.session.slot];
  switch (e.state) {
    case core::TicketState::queued: {
      const auto& queues = s_.config().queues;
      if (queues[visitor.queue].name == e.queue) return;
      visitor.queue = static_cast<core::QueueIndex>(
          std::ranges::find(queues, e.queue, &core::QueueConfig::name) - queues.begin());
      if (s_.counted(visitor.since)) s_.report().queues[visitor.queue].moved += visitor.visit.size;
      return;
    }
    case core::TicketState::offered:  // Nobody is asked: see simulated_config().
    case core::TicketState::matched:
      visitor.found = s_.now();
      return;
    case core::TicketState::assigned:
      return;
    case core::TicketState::cancelled:
      return ticket_ends(visitor, e.session.slot, &Waits::gave_up);
    case core::TicketState::expired:
      return ticket_ends(visitor, e.session.slot, &Waits::expired);
    case core::TicketState::failed:
      return ticket_ends(visitor, e.session.slot, &Waits::failed);
  }
}

void Visitors::hear(const core::SendAssignment& e) {
  if (e.region.empty()) return;
  const Visitor& visitor = visitors_[e.session.slot];
  const auto measured =
      std::ranges::find(visitor.visit.latency, e.region, &core::RegionLatency::region);
  if (measured == visitor.visit.latency.end()) return;
  count(visitor, [&](Waits& waits) { waits.latency.add(measured->ms, visitor.visit.size); });
}

void Visitors::ticket_ends(Visitor& visitor, std::uint32_t who, std::uint64_t Waits::* how) {
  CHECK(visitor.state == State::waiting, "only who waits has a ticket");
  waiting_ -= visitor.visit.size;
  count(visitor, [&](Waits& waits) { waits.*how += visitor.visit.size; });
  if (!stream_of(visitor, again_stream).chance(s_.population().tries_again))
    visitor.visit.matches = 0;
  rest(visitor, who);
}

/// Until they press again; or they have had enough.
void Visitors::rest(Visitor& visitor, std::uint32_t who) {
  visitor.state = State::resting;
  const std::uint32_t plan = ++visitor.plan;
  if (visitor.played >= visitor.visit.matches) return s_.plan({}, {Plan::What::leave, who, plan});
  s_.plan(stream_of(visitor, pause_stream).spread(s_.population().pause),
          {Plan::What::press, who, plan});
}

void Visitors::hear(const core::SendMatchEnded& e) {
  const std::uint32_t who = e.session.slot;
  Visitor& visitor = visitors_[who];
  if (!e.requeued) return rest(visitor, who);
  // The game server died: they wait again, with new patience.
  ++visitor.pressed;
  count_waiting(visitor);
  s_.plan(stream_of(visitor, patience_stream).spread(s_.population().patience),
          {Plan::What::give_up, who, ++visitor.plan});
}

void Visitors::hear(const core::SendError& e) {
  const std::uint32_t who = e.session.slot;
  Visitor& visitor = visitors_[who];
  s_.report().refusals[std::string(core::code(e.error))] += visitor.visit.size;
  if (!visitor.player || visitor.state != State::waiting) return;
  waiting_ -= visitor.visit.size;
  visitor.visit.matches = 0;
  rest(visitor, who);
}

void Visitors::match_begins(const core::StartServerMatch& e) {
  const auto queue_index = static_cast<std::size_t>(
      std::ranges::find(s_.config().queues, e.queue, &core::QueueConfig::name) -
      s_.config().queues.begin());
  s_.digest().add(s_.now());
  s_.digest().add(queue_index);
  skills_.clear(), seats_.clear();
  std::int64_t lowest = core::rating_max, highest = -core::rating_max;
  std::uint32_t players = 0;
  Duration longest{};
  for (const core::RosterEntry& entry : *e.roster) {
    Visitor& visitor = visitor_of(entry.player);
    CHECK(visitor.state == State::waiting, "only who waits is assigned");
    visitor.state = State::playing;
    ++visitor.plan;
    waiting_ -= visitor.visit.size;
    s_.digest().add(visitor.visit.seed);
    s_.digest().add(entry.team);
    const Duration waited = s_.now() - visitor.since;
    count(visitor,
          [&](Waits& waits) { waits.assigned.add(waited / milliseconds{1}, visitor.visit.size); });
    if (s_.counted(visitor.since)) {
      QueueReport& own = s_.report().queues[visitor.visit.queue];
      own.found.add((visitor.found - visitor.since) / milliseconds{1}, visitor.visit.size);
      own.server.add((s_.now() - visitor.found) / milliseconds{1}, visitor.visit.size);
    }
    longest = std::max(longest, waited);
    lowest = std::min<std::int64_t>(lowest, visitor.rating);
    highest = std::max<std::int64_t>(highest, visitor.rating);
    players += entry.seats;
    if (entry.team >= seats_.size()) skills_.resize(entry.team + 1), seats_.resize(entry.team + 1);
    skills_[entry.team] += std::int64_t{visitor.visit.skill} * entry.seats;
    seats_[entry.team] += entry.seats;
  }
  if (!s_.counted(s_.now())) return;

  QueueReport& queue = s_.report().queues[queue_index];
  ++queue.matches;
  queue.players += players;
  for (const core::TeamBots& bots : e.bots) queue.bots += bots.count;
  if (players < s_.config().queues[queue_index].players) ++queue.smaller;
  queue.spread.add(highest - lowest);
  std::int64_t weakest = core::rating_max, strongest = -core::rating_max, teams = 0;
  for (std::size_t team = 0; team < seats_.size(); ++team) {
    if (seats_[team] == 0) continue;  // Bots alone.
    const std::int64_t skill = skills_[team] / seats_[team];
    weakest = std::min(weakest, skill), strongest = std::max(strongest, skill), ++teams;
  }
  if (teams < 2) return;
  const std::int64_t chance = win_chance(strongest - weakest) / 1000;
  queue.favourite.add(chance);
  queue.favourite_by_wait[wait_band(longest / milliseconds{1})].add(chance);
}

/// Elo's way, with teams as players: each is measured against the average of the others, and all of
/// a team move alike.
void Visitors::match_decided(const core::Roster& roster, std::uint64_t luck) {
  skills_.clear(), ratings_.clear(), seats_.clear();
  for (const core::RosterEntry& entry : roster) {
    Visitor& visitor = visitor_of(entry.player);
    ++visitor.played;
    if (entry.team >= seats_.size()) {
      skills_.resize(entry.team + 1), ratings_.resize(entry.team + 1);
      seats_.resize(entry.team + 1);
    }
    skills_[entry.team] += std::int64_t{visitor.visit.skill} * entry.seats;
    ratings_[entry.team] += std::int64_t{visitor.rating} * entry.seats;
    seats_[entry.team] += entry.seats;
  }
  const auto k = static_cast<std::int64_t>(s_.population().rating_k);
  const auto teams = static_cast<std::int64_t>(
      std::ranges::count_if(seats_, [](std::int64_t seats) { return seats > 0; }));
  if (k == 0 || teams < 2) return;
  std::int64_t strongest = -core::rating_max, rating_sum = 0;
  for (std::size_t team = 0; team < seats_.size(); ++team) {
    if (seats_[team] == 0) continue;
    skills_[team] /= seats_[team], ratings_[team] /= seats_[team];
    strongest = std::max(strongest, skills_[team]);
    rating_sum += ratings_[team];
  }
  std::vector<std::uint32_t> odds;
  for (std::size_t team = 0; team < seats_.size(); ++team)
    odds.push_back(seats_[team] == 0 ? 0 : win_odds(strongest - skills_[team]));
  const std::size_t winner = Stream(luck).weighted(odds);
  for (const core::RosterEntry& entry : roster) {
    Visitor& visitor = visitor_of(entry.player);
    const std::int64_t others = (rating_sum - ratings_[entry.team]) / (teams - 1);
    const std::int64_t lead = ratings_[entry.team] - others;
    const std::int64_t expected = lead >= 0 ? win_chance(lead) : 1'000'000 - win_chance(-lead);
    const std::int64_t change =
        entry.team == winner ? k * (1'000'000 - expected) : -k * expected / (teams - 1);
    visitor.rating = static_cast<core::Rating>(std::clamp<std::int64_t>(
        visitor.rating + (change + (change >= 0 ? 500'000 : -500'000)) / 1'000'000,
        -core::rating_max, core::rating_max));
    if (visitor.played < visitor.visit.matches) rate(visitor);
  }
}

}  // namespace muster::population
