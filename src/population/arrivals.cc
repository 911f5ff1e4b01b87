#include "population/arrivals.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "base/digest.h"
#include "core/match_rules.h"

namespace muster::population {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// Purposes of streams.
constexpr std::uint64_t arrivals_of_region = 1u << 20;
constexpr std::uint64_t visits_of_region = 2u << 20;
// Of a visit.
constexpr std::uint64_t home_stream = 4u << 20;
constexpr std::uint64_t latency_stream = 5u << 20;

/// How busy it is, in parts of the region's busiest hour: as given at each full hour, and between
/// two of them in a straight line.
std::uint64_t busy(const Region& region, Time time) {
  constexpr std::int64_t day = 24 * 3600, hour = 3600;
  const std::int64_t utc = time.time_since_epoch() / seconds{1};
  const std::int64_t local = (utc + region.utc_offset * hour + day) % day;
  const std::uint64_t from = region.hours[static_cast<std::size_t>(local / hour)];
  const std::uint64_t to = region.hours[static_cast<std::size_t>(local / hour + 1) % 24];
  const auto into = static_cast<std::uint64_t>(local % hour);
  return from * (hour - into) + to * into;
}

std::int64_t mean_size_thousandths(const std::vector<std::uint32_t>& weights) {
  std::int64_t players = 0, parties = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    players += std::int64_t{weights[i]} * static_cast<std::int64_t>(i + 1);
    parties += weights[i];
  }
  return players * 1000 / parties;
}

std::uint32_t party_size_max(const core::QueueConfig& queue) {
  if (!queue.ruled()) return queue.players;
  const auto sizes = core::team_sizes(queue);
  return *std::ranges::max_element(sizes);
}

/// A queue, and those that a ticket of it may go on to.
std::vector<const core::QueueConfig*> ways_on(const core::Config& config,
                                              const core::QueueConfig& entrance) {
  std::vector<const core::QueueConfig*> ways{&entrance};
  while (ways.size() < config.queues.size()) {
    const auto next =
        std::ranges::find(config.queues, ways.back()->timeout_queue, &core::QueueConfig::name);
    if (next == config.queues.end()) break;
    ways.push_back(&*next);
  }
  return ways;
}

}  // namespace

std::vector<Region> regions_of(const Population& population) {
  if (!population.regions.empty()) return population.regions;
  return {Region{.name = "all"}};
}

Crowd::Crowd(const core::Config& config, const Population& population, std::uint64_t seed,
             Time start)
    : config_(config),
      population_(population),
      regions_(regions_of(population)),
      seed_(seed),
      entrances_(entrances(config)) {
  for (const core::QueueConfig& queue : config.queues) habits_.push_back(habits_for(queue));
  // How many come in an hour, so that so many are there: a session lasts as long as its matches and
  // the pauses between them.
  std::int64_t weights = 0, session_s = 0, size_thousandths = 0;
  for (const core::QueueIndex index : entrances_) {
    const Habits& habits = habits_[index];
    const auto own =
        std::ranges::find(population.queues, config.queues[index].name, &QueueHabits::queue);
    const std::uint32_t weight = own == population.queues.end() ? 1 : own->weight;
    entrance_weights_.push_back(weight);
    const std::int64_t matches = mean_thousandths(population.matches);
    const std::int64_t match_s = mean_of(habits.match) / seconds{1};
    const std::int64_t pause_s = mean_of(population.pause) / seconds{1};
    weights += weight;
    session_s += (matches * match_s + (matches - 1000) * pause_s) / 1000 * weight;
    size_thousandths += weight * mean_size_thousandths(habits.party_sizes);
  }
  CHECK(weights > 0, "there is a queue to play in");
  session_s = std::max<std::int64_t>(1, session_s / weights);
  const std::int64_t players_in_hour = population.arrivals
                                           ? *population.arrivals
                                           : population.players * std::int64_t{3600} / session_s;
  std::int64_t region_weights = 0;
  for (const Region& region : regions_) region_weights += region.weight;
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    // Microseconds between two parties at the busiest: a month at most, so that draws of it fit.
    constexpr std::int64_t longest_us = std::int64_t{30} * 24 * 3'600'000'000;
    const std::int64_t gap = std::int64_t{3'600'000} * (size_thousandths / weights) *
                             region_weights /
                             std::max<std::int64_t>(1, players_in_hour * regions_[i].weight);
    sources_.push_back({Stream(seed_of(seed, arrivals_of_region + i)),
                        std::chrono::microseconds{std::clamp<std::int64_t>(gap, 1, longest_us)},
                        start});
    advance(sources_.back(), regions_[i]);
  }
}

Crowd::Habits Crowd::habits_for(const core::QueueConfig& queue) const {
  Habits habits;
  habits.party_sizes = population_.party_sizes;
  habits.match = population_.match;
  const auto own = std::ranges::find(population_.queues, queue.name, &QueueHabits::queue);
  if (own != population_.queues.end()) {
    if (own->party_sizes) habits.party_sizes = *own->party_sizes;
    if (own->match) habits.match = *own->match;
  }
  // Parties that no team has room for play something else.
  if (const std::uint32_t largest = party_size_max(queue); habits.party_sizes.size() > largest)
    habits.party_sizes.resize(largest);
  if (std::ranges::all_of(habits.party_sizes, [](std::uint32_t weight) { return weight == 0; }))
    habits.party_sizes = {1};
  habits.facts = facts_for(queue);
  habits.regions = regions_for(queue);
  return habits;
}

/// Also of the queues that a ticket may go on to.
std::vector<Crowd::Fact> Crowd::facts_for(const core::QueueConfig& entrance) const {
  std::vector<Fact> facts;
  std::set<std::string> seen;
  for (const core::QueueConfig* queue : ways_on(config_, entrance))
    for (const core::RuleConfig& rule : queue->rules)
      if (seen.insert(rule.attribute).second) facts.push_back(fact_for(*queue, rule));
  return facts;
}

/// The same, of the regions that they are played in.
std::vector<std::string> Crowd::regions_for(const core::QueueConfig& entrance) const {
  std::vector<std::string> names;
  for (const core::QueueConfig* queue : ways_on(config_, entrance))
    for (const core::RegionConfig& region : queue->region)
      if (std::ranges::find(names, region.name) == names.end()) names.push_back(region.name);
  if (names.size() > core::regions_max) names.resize(core::regions_max);
  return names;
}

std::vector<core::RegionLatency> Crowd::latencies(const Habits& habits, const Region& region,
                                                  std::uint64_t seed) const {
  std::vector<core::RegionLatency> out;
  if (habits.regions.empty()) return out;
  Stream home(seed_of(seed, home_stream));
  std::size_t near = home.below(static_cast<std::uint32_t>(habits.regions.size()));
  const auto own = std::ranges::find(habits.regions, region.name);
  if (own != habits.regions.end()) near = static_cast<std::size_t>(own - habits.regions.begin());
  for (std::size_t i = 0; i < habits.regions.size(); ++i) {
    const auto told = std::ranges::find(region.latency, habits.regions[i],
                                        [](const auto& latency) { return latency.first; });
    const Spread& spread = told != region.latency.end() ? told->second
                           : i == near                  ? latency_near
                                                        : latency_far;
    const std::int64_t ms =
        Stream(seed_of(seed, latency_stream, i)).spread(spread) / std::chrono::milliseconds{1};
    out.push_back({habits.regions[i], static_cast<std::uint32_t>(
                                          std::clamp<std::int64_t>(ms, 1, core::latency_ms_max))});
  }
  return out;
}

Crowd::Fact Crowd::fact_for(const core::QueueConfig& queue, const core::RuleConfig& rule) const {
  using core::RuleKind;
  Fact fact;
  fact.attribute = rule.attribute;
  Digest name;
  name.add(rule.attribute);
  fact.stream = name.value();
  fact.several = rule.kind == RuleKind::any_of;
  fact.number = rule.kind != RuleKind::equal && rule.kind != RuleKind::any_of;
  const auto own =
      std::ranges::find(population_.attributes, rule.attribute, &AttributeHabits::attribute);
  const bool told = own != population_.attributes.end();
  if (!fact.number) {
    for (const std::string& text : rule.values) {
      std::uint32_t weight = fact.several ? 500 : 1;
      if (told) {
        const auto value =
            std::ranges::find(own->values, text, [](const auto& v) { return v.first; });
        weight = value == own->values.end() ? 0 : value->second;
      }
      fact.texts.push_back(text);
      fact.weights.push_back(weight);
    }
    return fact;
  }
  // Who may not play does not press.
  fact.low = -1'000'000'000, fact.high = 1'000'000'000;
  std::int64_t step = 100'000;
  for (const core::RuleConfig& other : queue.rules) {
    if (other.attribute != rule.attribute) continue;
    if (other.kind == RuleKind::min) fact.low = other.limit;
    if (other.kind == RuleKind::max) fact.high = other.limit;
    if (other.kind == RuleKind::distance) step = std::max<std::int64_t>(1000, other.limit);
  }
  if (told) {
    fact.mean = own->mean, fact.deviation = own->deviation;
  } else {
    const std::int64_t low = fact.low > -1'000'000'000 ? fact.low : 0;
    const std::int64_t high = fact.high < 1'000'000'000 ? fact.high : low + 10 * step;
    fact.mean = (low + high) / 2, fact.deviation = (high - low) / 4;
  }
  return fact;
}

/// To its next visit. Candidates come as often as at the busiest; each stays as often as it is busy
/// then.
void Crowd::advance(Source& source, const Region& region) {
  const std::uint64_t busiest = std::uint64_t{3600} * *std::ranges::max_element(region.hours);
  // Where hardly anybody comes: as good as never, and still a time that can be counted with.
  constexpr Time never{std::chrono::hours{24 * 365 * 100}};
  while (source.next < never) {
    source.next += source.stream.exponential(source.gap);
    const std::uint64_t share = busy(region, source.next) * 1'000'000 / busiest;
    if (source.stream.chance(static_cast<std::uint32_t>(share))) return;
  }
}

std::optional<Time> Crowd::next() const {
  return std::ranges::min_element(sources_, {}, &Source::next)->next;
}

Visit Crowd::take() {
  const auto at = std::ranges::min_element(sources_, {}, &Source::next);
  const auto region = static_cast<std::uint32_t>(at - sources_.begin());
  Visit visit;
  visit.seed = seed_of(seed_, visits_of_region + region, ++at->visits);
  visit.region = region;
  advance(*at, regions_[region]);

  Stream stream(visit.seed);
  visit.queue = entrances_[stream.weighted(entrance_weights_)];
  const Habits& habits = habits_[visit.queue];
  visit.size = static_cast<std::uint32_t>(stream.weighted(habits.party_sizes)) + 1;
  visit.matches = stream.spread(population_.matches);
  const std::int64_t leader = stream.normal(population_.skill_mean, population_.skill_deviation);
  std::int64_t skills = leader;
  for (std::uint32_t i = 1; i < visit.size; ++i)
    skills += stream.normal(leader, population_.party_deviation);
  visit.skill = static_cast<core::Rating>(skills / visit.size);
  const bool newcomer = stream.chance(population_.newcomers);
  const std::int64_t shown = stream.normal(visit.skill, population_.rating_error);
  visit.rating = newcomer ? config_.queues[visit.queue].rating_default
                          : static_cast<core::Rating>(std::clamp<std::int64_t>(
                                shown, -core::rating_max, core::rating_max));
  visit.latency = latencies(habits, regions_[region], visit.seed);
  for (const Fact& fact : habits.facts) visit.attributes.push_back(draw(fact, visit.seed));
  return visit;
}

core::Attribute Crowd::draw(const Fact& fact, std::uint64_t seed) const {
  Stream stream(seed_of(seed, fact.stream));
  if (fact.number) {
    const std::int64_t value =
        std::clamp(stream.normal(fact.mean, fact.deviation), fact.low, fact.high);
    return {fact.attribute, static_cast<double>(value) / 1000};
  }
  if (!fact.several) return {fact.attribute, fact.texts[stream.weighted(fact.weights)]};
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < fact.texts.size(); ++i)
    if (stream.chance(fact.weights[i] * 1000)) texts.push_back(fact.texts[i]);
  if (texts.empty()) texts.push_back(fact.texts[stream.weighted(fact.weights)]);
  return {fact.attribute, std::move(texts)};
}

Duration Crowd::match_length(core::QueueIndex queue, Stream stream) const {
  return stream.spread(habits_[queue].match);
}

}  // namespace muster::population
