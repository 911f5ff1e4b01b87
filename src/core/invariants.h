#pragma once

namespace muster::core {

struct State;

/// Ends the process, naming what is broken, if the parts of the state do not fit together. Costs
/// time in proportion to the whole state: for debug builds, tests and the simulator.
void check_invariants(const State& state);

}  // namespace muster::core
