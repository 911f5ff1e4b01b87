#pragma once
// Who comes to play, and when.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "core/config.h"
#include "core/types.h"
#include "population/population.h"

namespace muster::population {

/// Somebody who comes to play, alone or as a party with one ticket. Nothing of it depends on what
/// the lobby does with others.
struct Visit {
  std::uint64_t seed = 0;  // Of all that they will draw.
  std::uint32_t region = 0;
  core::QueueIndex queue = 0;
  std::uint32_t size = 1;
  std::uint32_t matches = 1;  // They want to play so many.
  core::Rating skill = 0;     // Truly; of a party the average.
  core::Rating rating = 0;    // As shown when they come.
  std::vector<core::Attribute> attributes;
  std::vector<core::RegionLatency> latency{};  // To the regions that their queue may be played in.
  std::optional<Duration> patience;            // Of one who was seen to give up.
};

class Arrivals {
 public:
  virtual ~Arrivals() = default;
  /// When the next comes; nothing: nobody any more.
  virtual std::optional<Time> next() const = 0;
  virtual Visit take() = 0;
  /// How long a match lasts, from a stream of its own.
  virtual Duration match_length(core::QueueIndex queue, Stream stream) const = 0;
};

/// The clock of a simulation: midnight UTC of its first counted day.
inline constexpr Time midnight{std::chrono::hours{24}};

/// Players as a population has them: a Poisson process for each region, whose rate follows its day.
class Crowd final : public Arrivals {
 public:
  /// Of those who come from `start` on. `config` and `population` must outlive it; the
  /// configuration has an entrance.
  Crowd(const core::Config& config, const Population& population, std::uint64_t seed, Time start);

  std::optional<Time> next() const override;
  Visit take() override;
  Duration match_length(core::QueueIndex queue, Stream stream) const override;

 private:
  struct Source {
    Stream stream;
    Duration gap;  // The mean at its busiest.
    Time next;
    std::uint64_t visits = 0;
  };
  /// An attribute that a queue's rules ask for, and how it is drawn.
  struct Fact {
    std::string attribute;
    std::uint64_t stream = 0;
    bool number = false, several = false;
    std::vector<std::string> texts;
    std::vector<std::uint32_t> weights;  // Beside texts; `several`: thousandths.
    std::int64_t mean = 0, deviation = 0, low = 0, high = 0;
  };
  struct Habits {
    core::QueueIndex queue = 0;
    std::vector<std::uint32_t> party_sizes;
    Spread match;
    std::vector<Fact> facts;
    std::vector<std::string> regions;
  };

  Habits habits_for(const core::QueueConfig& queue) const;
  std::vector<Fact> facts_for(const core::QueueConfig& queue) const;
  Fact fact_for(const core::QueueConfig& queue, const core::RuleConfig& rule) const;
  std::vector<std::string> regions_for(const core::QueueConfig& queue) const;
  std::vector<core::RegionLatency> latencies(const Habits& habits, const Region& region,
                                             std::uint64_t seed) const;
  void advance(Source& source, const Region& region);
  core::Attribute draw(const Fact& fact, std::uint64_t seed) const;

  const core::Config& config_;
  const Population& population_;
  std::vector<Region> regions_;
  std::uint64_t seed_;
  std::vector<Habits> habits_;  // Of each queue.
  std::vector<core::QueueIndex> entrances_;
  std::vector<std::uint32_t> entrance_weights_;
  std::vector<Source> sources_;  // Beside regions_.
};

/// The regions of a population; one that has none has one, "all".
std::vector<Region> regions_of(const Population& population);

}  // namespace muster::population
