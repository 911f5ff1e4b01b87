#pragma once
// Stepping a core through a journal on disk, for `muster replay` and `muster trace`. Nothing is
// changed there, so it may be the journal of a running lobby.

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <vector>

#include "core/core.h"
#include "core/state.h"

namespace muster::cli {

struct JournalStep {
  std::uint64_t number = 0;
  Time time{};
  const core::Event* event;  // Null: events up to this were not written; the state is a snapshot's.
  const core::Effects& effects;
  const core::State& state;  // After it.
};

struct JournalWalk {
  std::uint64_t snapshot_number = 0;  // Where it began.
  Time snapshot_time{};
  std::uint64_t number = 0;  // Of the last event stepped through.
  std::uint64_t events = 0;
  std::vector<std::string> notes;  // Torn tails and gaps, in words.
  core::Core core;                 // As it was after that event.
};

/// From the newest snapshot whose last event is at most `from`, or else the oldest there is, to
/// event `until`. Over a gap, which a full disk leaves, it goes on from the next snapshot.
/// `folder`: a data folder, or the journal in one.
std::expected<JournalWalk, std::string> walk_journal(
    const std::string& folder, std::uint64_t from, std::uint64_t until,
    const std::function<void(const JournalStep&)>& on_step);

}  // namespace muster::cli
