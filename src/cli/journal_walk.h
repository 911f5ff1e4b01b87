#pragma once
// Stepping a core through a journal on disk, for `muster replay` and `muster trace`. Nothing is
// changed there, so it may be the journal of a running lobby.

#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include "core/core.h"
#include "core/state.h"

namespace muster::cli {

struct JournalStep {
  std::uint64_t number = 0;
  Time time{};
  const core::Event& event;
  const core::Effects& effects;
  const core::State& state;  // After it.
};

struct JournalWalk {
  std::uint64_t snapshot_number = 0;  // Where it began.
  Time snapshot_time{};
  std::uint64_t number = 0;  // Of the last event stepped through.
  std::uint64_t events = 0;
  std::string note;  // A torn tail or a gap, in words; empty if there is none.
  core::Core core;   // As it was after that event.
};

/// From the newest snapshot whose last event is at most `from`, or else the oldest there is, to
/// event `until`. `folder`: a data folder, or the journal in one.
std::expected<JournalWalk, std::string> walk_journal(
    const std::string& folder, std::uint64_t from, std::uint64_t until,
    const std::function<void(const JournalStep&)>& on_step);

}  // namespace muster::cli
