#pragma once
// The laws of who plays together, by other means than the core's.

#include <optional>
#include <string>

#include "core/state.h"

namespace muster::sim {

/// Whether some of the waiting tickets of the queue make a match, at the time of the last step.
/// With rules, in pools too large to try every subset, only pairs are looked at.
bool enough_partners(const core::State& state, core::QueueIndex queue);

/// A match formed or assigned by the last step that its queue's rules forbid, in words.
std::optional<std::string> rule_broken(const core::State& state);

}  // namespace muster::sim
