#pragma once
// Who records results for the simulated lobby: a disk that outlives it, takes its time, is full now
// and then, and may have a result whose lobby died before it heard so.

#include <cstdint>
#include <set>
#include <utility>

#include "base/prng.h"
#include "core/effect.h"
#include "core/state.h"

namespace muster::sim {

class World;

class Recorder {
 public:
  Recorder(World& world, std::uint64_t seed) : world_(world), prng_(seed) {}

  void record(const core::RecordResult& e);
  /// After every step: what the lobby holds is owed from now on.
  void observe(const core::State& state);
  /// `remembers`: it comes back and asks again for what it has not heard of.
  void lobby_died(bool remembers);

  /// It comes back as it was a moment ago: what it took since then is as if it had never come.
  void machine_lost(const core::State& state);

  bool owes_nothing() const { return owed_.empty(); }
  std::uint64_t unseed() { return prng_.next(); }

 private:
  /// Match and start: unique for good within one lobby's memory, which `memory_` counts.
  using Key = std::pair<std::pair<core::MatchId, Time>, std::uint32_t>;
  void commit(const core::RecordResult& e);

  World& world_;
  Prng prng_;
  std::uint32_t life_ = 0;    // Of the lobby: what it is told arrives in this one or not at all.
  std::uint32_t memory_ = 0;  // Goes up when a lobby has lost its own.
  Time full_until_{};
  std::uint64_t seen_ = 0;  // Numbers of results that were looked at.
  std::set<Key> owed_;      // Promised, and not on the disk.
  std::set<Key> disk_;
};

}  // namespace muster::sim
