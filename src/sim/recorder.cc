#include "sim/recorder.h"

#include "sim/world.h"

namespace muster::sim {

void Recorder::observe(const core::State& state) {
  for (auto it = state.results.upper_bound(seen_); it != state.results.end(); ++it) {
    seen_ = it->first;
    owed_.insert({{it->second.match, it->second.started}, memory_});
  }
}

void Recorder::record(const core::RecordResult& e) {
  if (prng_.below(50) == 0) {
    world_.marks().hit(Mark::disk_full);
    full_until_ = world_.now() + Duration{prng_.between(0, 20'000'000'000)};
  }
  const Duration wait = std::max(Duration::zero(), full_until_ - world_.now());
  world_.after(wait + Duration{prng_.between(0, 20'000'000)}, [this, e, life = life_] {
    if (life == life_) commit(e);
  });
}

void Recorder::commit(const core::RecordResult& e) {
  const Key key{{e.result->match, e.result->started}, memory_};
  if (!disk_.insert(key).second) world_.marks().hit(Mark::recorded_before);
  owed_.erase(key);
  // A lobby that is busy hears of it late.
  const Duration told = prng_.below(4) == 0 ? Duration{prng_.between(0, 20'000'000'000)}
                                            : Duration{prng_.between(0, 5'000'000)};
  world_.after(told, [this, number = e.number, life = life_] {
    if (life == life_) world_.step(core::ResultRecorded{number, {}});
  });
}

void Recorder::machine_lost(const core::State& state) {
  ++life_;
  seen_ = 0;
  owed_.clear();
  observe(state);
}

void Recorder::lobby_died(bool remembers) {
  ++life_;
  if (remembers) return;
  ++memory_;
  seen_ = 0;
  owed_.clear();
}

}  // namespace muster::sim
