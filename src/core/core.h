#pragma once
// The lobby's state machine. Deterministic: the same configuration, events and times give the same
// effects, on every machine. No I/O, clock, thread or randomness of its own.

#include <cstdint>
#include <memory>
#include <optional>

#include "core/config.h"
#include "core/effect.h"
#include "core/event.h"

namespace muster::core {

struct State;

class Core {
 public:
  /// `config` must have passed validate().
  explicit Core(Config config);
  /// Goes on from a state that was another core's: a snapshot's. Checks its invariants.
  explicit Core(std::unique_ptr<State> state);
  ~Core();
  Core(Core&&) noexcept;
  Core& operator=(Core&&) noexcept;

  /// First does everything due by `now`, then `event`. Appends what the world should do to `out`.
  /// `now` never runs backwards from step to step.
  void step(const Event& event, Time now, Effects& out);

  /// When step(DeadlineReached) must be called at the latest; nothing: only an event can change
  /// anything.
  std::optional<Time> next_deadline() const;

  /// To look at, for status pages and tests. Good until the next step.
  const State& state() const { return *state_; }

  /// Folds the whole state into one number: equal states give equal digests on every machine.
  std::uint64_t digest() const;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace muster::core
